//! DNS: whether clients find the server.
//!
//! [RFC 6120 §3.2](https://www.rfc-editor.org/rfc/rfc6120#section-3.2) ·
//! [XEP-0368](https://xmpp.org/extensions/xep-0368.html)

use std::future::Future;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use futures_util::future::join_all;
use waxwing_dial::{Family, NameError, Resolve, SrvRecord};
use waxwing_server::hosts::Hosts;

use super::bytestreams;
use super::finding::Finding;
use crate::config::Config;
use crate::domain::Domain;

/// Longest time for one name.
const LOOK_UP_TIME_MAX: Duration = Duration::from_secs(10);
/// Where clients try without an SRV record (RFC 6120 §3.2.2).
const FALLBACK_PORT: u16 = 5222;
const ABOUT: &str = "DNS";

/// How clients find one kind of listener.
struct Kind {
    service: &'static str,
    /// The keys of these listeners; those of them that have ports, if any has.
    keys: Vec<&'static str>,
    ports: Vec<u16>,
}

impl Kind {
    fn new(service: &'static str, listeners: &[(&'static str, &[SocketAddr])]) -> Kind {
        let ports = |(_, addresses): &(_, &[SocketAddr])| open_ports(addresses);
        let open: Vec<_> = listeners
            .iter()
            .filter(|listener| !ports(listener).is_empty())
            .collect();
        let named = match open.is_empty() {
            true => listeners.iter().collect(),
            false => open,
        };
        Kind {
            service,
            keys: named.iter().map(|(key, _)| *key).collect(),
            ports: listeners.iter().flat_map(ports).collect(),
        }
    }

    /// `listen.c2s has port 5222`.
    fn has(&self) -> String {
        let ports: Vec<_> = self.ports.iter().map(u16::to_string).collect();
        let verb = match self.keys.len() {
            1 => "has port",
            _ => "have ports",
        };
        format!("{} {verb} {}", self.keys.join(" and "), ports.join(", "))
    }

    /// The record that leads to the listener.
    fn record(&self, domain: &Domain) -> Option<String> {
        let port = self.ports.first()?;
        let (service, domain) = (self.service, &domain.ascii);
        Some(format!(
            "{service}.{domain}. 3600 IN SRV 0 5 {port} {domain}."
        ))
    }
}

/// Ports that clients of other machines can reach.
fn open_ports(addresses: &[SocketAddr]) -> Vec<u16> {
    let open = addresses
        .iter()
        .filter(|address| !address.ip().is_loopback());
    open.map(SocketAddr::port).collect()
}

fn kinds(config: &Config) -> [Kind; 2] {
    [
        Kind::new("_xmpp-client._tcp", &[("listen.c2s", &config.listen.c2s)]),
        Kind::new(
            "_xmpps-client._tcp",
            &[
                ("listen.c2s_tls", &config.listen.c2s_tls),
                ("listen.tls", &config.listen.tls),
            ],
        ),
    ]
}

/// What is to be said of every domain's records; without a resolver, which are needed.
pub(crate) async fn findings(config: &Config, resolve: Option<&dyn Resolve>) -> Vec<Finding> {
    let domains: Vec<_> = config
        .domains
        .iter()
        .filter_map(|domain| Domain::new(domain).ok())
        .collect();
    let kinds = kinds(config);
    let hosts = config.settings().hosts().unwrap_or_default();
    let each = domains
        .iter()
        .map(|domain| of_domain(config, domain, &hosts, &kinds, resolve));
    join_all(each).await.into_iter().flatten().collect()
}

async fn of_domain(
    config: &Config,
    domain: &Domain,
    hosts: &Hosts,
    kinds: &[Kind; 2],
    resolve: Option<&dyn Resolve>,
) -> Vec<Finding> {
    let name = &domain.name;
    if domain.is_local() {
        return vec![Finding::good(
            ABOUT,
            format!("{name} is every machine itself, and needs no records"),
        )];
    }
    if domain.address().is_some() {
        return vec![Finding::good(
            ABOUT,
            format!("{name} is an address, and needs no records"),
        )];
    }
    if kinds.iter().all(|kind| kind.ports.is_empty()) {
        return vec![Finding::note(
            ABOUT,
            format!("{name} needs no records: clients are taken from this machine only"),
        )];
    }
    let mut findings = vec![needed(domain, kinds)];
    let relay = bytestreams::reached_at(config, domain, hosts);
    findings.extend(of_hosts(domain, hosts, relay.as_deref()));
    let Some(resolve) = resolve else {
        findings.extend(relay.map(|relay| relay_needs(domain, &relay)));
        return findings;
    };
    if let Some(relay) = relay {
        findings.push(of_relay(domain, &relay, resolve).await);
    }
    let names = [0, 1].map(|kind: usize| format!("{}.{}", kinds[kind].service, domain.ascii));
    let (starttls, direct, addresses) = tokio::join!(
        within(resolve.srv(&names[0])),
        within(resolve.srv(&names[1])),
        addresses(resolve, &domain.ascii),
    );
    let found = starttls.is_ok() || direct.is_ok();
    findings.extend(of_kind(domain, &kinds[0], starttls, resolve).await);
    findings.extend(of_kind(domain, &kinds[1], direct, resolve).await);
    findings.extend(of_addresses(domain, addresses, found));
    findings
}

/// The records that a domain needs, to be copied.
fn needed(domain: &Domain, kinds: &[Kind; 2]) -> Finding {
    let mut text = format!(
        "{} needs these records, with the addresses that this machine is reached at from outside:",
        domain.name
    );
    for record in kinds.iter().filter_map(|kind| kind.record(domain)) {
        text += "\n  ";
        text += &record;
    }
    for kind in ["A     IPV4-ADDRESS", "AAAA  IPV6-ADDRESS"] {
        text += &format!("\n  {}. 3600 IN {kind}", domain.ascii);
    }
    Finding::note(ABOUT, text)
}

/// The names of a domain's service hosts, and who needs them. The relay is another matter where clients connect to it.
fn of_hosts(domain: &Domain, hosts: &Hosts, relay: Option<&str>) -> Option<Finding> {
    let mut hosts = domain.hosts(hosts);
    hosts.retain(|host| Some(host.as_str()) != relay);
    if hosts.is_empty() {
        return None;
    }
    let mut text = format!(
        "people of this server reach {} through {}, without records; these would have the names lead here too:",
        hosts.join(" and "),
        domain.name
    );
    for host in hosts {
        text += &format!("\n  {host}. 3600 IN CNAME {}.", domain.ascii);
    }
    Some(Finding::note(ABOUT, text))
}

/// The record of a name at which clients connect to the relay of byte streams.
fn relay_needs(domain: &Domain, relay: &str) -> Finding {
    Finding::note(
        ABOUT,
        format!(
            "clients connect to {relay} for files between them, which needs a record:\n  {relay}. 3600 IN CNAME {}.",
            domain.ascii
        ),
    )
}

/// Whether clients find the relay of byte streams.
async fn of_relay(domain: &Domain, relay: &str, resolve: &dyn Resolve) -> Finding {
    match addresses(resolve, relay).await {
        Ok(addresses) => reached(
            format!("{relay}, where clients connect for files between them"),
            &addresses,
        ),
        Err(NameError::Absent) => Finding::bad(
            ABOUT,
            format!("{relay} has no address: clients do not reach the relay of byte streams"),
        )
        .mend(format!(
            "add '{relay}. 3600 IN CNAME {}.', or name another host by 'bytestreams_address'",
            domain.ascii
        )),
        Err(error) => not_looked_up(relay, error),
    }
}

async fn within<T>(
    answer: impl Future<Output = Result<Vec<T>, NameError>>,
) -> Result<Vec<T>, NameError> {
    match tokio::time::timeout(LOOK_UP_TIME_MAX, answer).await {
        Ok(Ok(records)) if records.is_empty() => Err(NameError::Absent),
        Ok(answer) => answer,
        Err(_elapsed) => Err(NameError::Timeout),
    }
}

/// The addresses of both families.
async fn addresses(resolve: &dyn Resolve, host: &str) -> Result<Vec<IpAddr>, NameError> {
    let (v4, v6) = tokio::join!(
        within(resolve.addresses(host, Family::V4)),
        within(resolve.addresses(host, Family::V6)),
    );
    match (v4, v6) {
        (Ok(v4), v6) => Ok(v4.into_iter().chain(v6.unwrap_or_default()).collect()),
        (Err(_), Ok(v6)) => Ok(v6),
        (Err(NameError::Absent), Err(error)) | (Err(error), Err(_)) => Err(error),
    }
}

fn not_looked_up(name: &str, error: NameError) -> Finding {
    Finding::warning(ABOUT, format!("{name} could not be looked up: {error}"))
        .mend("ask again when the network is up, or another name server with --dns ADDRESS:53")
}

async fn of_kind(
    domain: &Domain,
    kind: &Kind,
    answer: Result<Vec<SrvRecord>, NameError>,
    resolve: &dyn Resolve,
) -> Vec<Finding> {
    let name = format!("{}.{}", kind.service, domain.ascii);
    let records = match answer {
        Ok(records) => records,
        Err(NameError::Absent) => return absent(domain, kind, &name).into_iter().collect(),
        Err(error) => return vec![not_looked_up(&name, error)],
    };
    let Some(record) = kind.record(domain) else {
        if records.iter().all(|record| record.target.is_empty()) {
            return vec![Finding::good(
                ABOUT,
                format!("{name} says that there is no such service, as it is"),
            )];
        }
        let text = format!(
            "{name} leads here, and nothing listens for clients of other machines under {}",
            kind.keys.join(" or ")
        );
        return vec![
            Finding::bad(ABOUT, text).mend("remove the record, or set the addresses to listen on"),
        ];
    };
    let checks = records
        .iter()
        .map(|found| of_record(&name, kind, found, &record, resolve));
    join_all(checks).await
}

fn absent(domain: &Domain, kind: &Kind, name: &str) -> Option<Finding> {
    let record = kind.record(domain)?;
    let add = format!("add: {record}");
    let fallback = kind.service == "_xmpp-client._tcp";
    Some(if fallback && kind.ports.contains(&FALLBACK_PORT) {
        let text = format!(
            "there is no {name}; clients try port {FALLBACK_PORT} of {} itself",
            domain.name
        );
        Finding::good(ABOUT, text)
    } else if fallback {
        let text = format!(
            "there is no {name}: clients try port {FALLBACK_PORT} of {}, where nothing listens",
            domain.name
        );
        Finding::bad(ABOUT, text).mend(add)
    } else {
        let text = format!(
            "there is no {name}: clients do not find the port with TLS from the first byte"
        );
        Finding::warning(ABOUT, text).mend(add)
    })
}

async fn of_record(
    name: &str,
    kind: &Kind,
    found: &SrvRecord,
    wanted: &str,
    resolve: &dyn Resolve,
) -> Finding {
    if found.target.is_empty() {
        let text = format!("{name} says that there is no such service: clients do not connect");
        return Finding::bad(ABOUT, text).mend(format!("replace it: {wanted}"));
    }
    let place = format!("{}:{}", found.target, found.port);
    if !kind.ports.contains(&found.port) {
        let text = format!("{name} leads to {place}, and {}", kind.has());
        return Finding::warning(ABOUT, text).mend(format!(
            "right only if a router or proxy passes that port on; otherwise: {wanted}"
        ));
    }
    match addresses(resolve, &found.target).await {
        Ok(addresses) => {
            let text = format!("{name} leads to {place}");
            reached(text, &addresses)
        }
        Err(NameError::Absent) => Finding::bad(
            ABOUT,
            format!(
                "{name} leads to {place}, and {} has no address",
                found.target
            ),
        )
        .mend(format!("add an A or AAAA record for {}", found.target)),
        Err(error) => not_looked_up(&found.target, error),
    }
}

/// Of the domain itself, which clients try where no SRV record leads elsewhere.
fn of_addresses(
    domain: &Domain,
    answer: Result<Vec<IpAddr>, NameError>,
    found: bool,
) -> Option<Finding> {
    let name = &domain.name;
    match answer {
        Ok(addresses) if found => {
            // Where the domain itself leads may be somebody's web server.
            let text = format!("{name} has the addresses {}", listed(&addresses));
            Some(Finding::note(ABOUT, text))
        }
        Ok(addresses) => Some(reached(name.clone(), &addresses)),
        Err(NameError::Absent) if found => None,
        Err(NameError::Absent) => {
            let text =
                format!("{name} has no address and no SRV record: clients do not find the server");
            Some(Finding::bad(ABOUT, text).mend("add the records above"))
        }
        Err(error) => Some(not_looked_up(name, error)),
    }
}

fn listed(addresses: &[IpAddr]) -> String {
    let addresses: Vec<_> = addresses.iter().map(IpAddr::to_string).collect();
    addresses.join(", ")
}

/// Whether some of the addresses are this machine's.
fn reached(what: String, addresses: &[IpAddr]) -> Finding {
    let listed = listed(addresses);
    if addresses.iter().all(IpAddr::is_loopback) {
        let text = format!("{what} ({listed}): that is every machine itself");
        return Finding::warning(ABOUT, text).mend(
            "right only for clients on this machine; otherwise set its address from outside",
        );
    }
    if addresses.iter().any(|&address| is_here(address)) {
        return Finding::good(ABOUT, format!("{what} ({listed}), this machine"));
    }
    let text = format!("{what} ({listed}), which is none of this machine's addresses");
    Finding::warning(ABOUT, text)
        .mend("right if a router or proxy passes on what comes there; otherwise mend the record")
}

/// Whether it is an address of this machine: only then can a socket have it. Nothing is sent.
fn is_here(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

#[cfg(test)]
#[path = "dns_tests.rs"]
mod tests;
