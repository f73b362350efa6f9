use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::pin::Pin;

use super::super::finding::Level;
use super::*;

/// Knows some names, and nothing else; asks nobody.
#[derive(Default)]
struct Names {
    srv: HashMap<&'static str, Result<Vec<SrvRecord>, NameError>>,
    addresses: HashMap<&'static str, IpAddr>,
}

impl Names {
    fn srv(mut self, name: &'static str, port: u16, target: &str) -> Names {
        let record = SrvRecord {
            priority: 0,
            weight: 5,
            port,
            target: target.to_owned(),
        };
        self.srv.insert(name, Ok(vec![record]));
        self
    }

    fn address(mut self, host: &'static str, address: [u8; 4]) -> Names {
        self.addresses
            .insert(host, IpAddr::V4(Ipv4Addr::from(address)));
        self
    }
}

impl Resolve for Names {
    fn srv<'a>(
        &'a self,
        name: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<SrvRecord>, NameError>> + Send + 'a>> {
        let answer = self
            .srv
            .get(name)
            .cloned()
            .unwrap_or(Err(NameError::Absent));
        Box::pin(std::future::ready(answer))
    }

    fn addresses<'a>(
        &'a self,
        host: &'a str,
        family: Family,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<IpAddr>, NameError>> + Send + 'a>> {
        let found = self.addresses.get(host).filter(|_| family == Family::V4);
        Box::pin(std::future::ready(
            found.map(|&address| vec![address]).ok_or(NameError::Absent),
        ))
    }
}

/// Of a domain without service hosts, of which one test speaks.
fn config(domain: &str, listen: &str) -> Config {
    let text = format!(
        "domains = [\"{domain}\"]\ndata_dir = \"data\"\n[listen]\n{listen}\n[options]\nrooms_host = \"\"\npubsub_host = \"\"\n"
    );
    Config::parse(&text, Path::new("/srv")).unwrap()
}

fn judge(config: &Config, names: &Names) -> Vec<Finding> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(findings(config, Some(names)))
}

fn levels(findings: &[Finding]) -> Vec<Level> {
    findings.iter().map(|finding| finding.level).collect()
}

/// 192.0.2.0/24 belongs to no machine (RFC 5737), 127.0.0.1 to every one.
const ELSEWHERE: [u8; 4] = [192, 0, 2, 1];
const STARTTLS: &str = "_xmpp-client._tcp.a.example";
const DIRECT: &str = "_xmpps-client._tcp.a.example";

#[test]
fn the_records_that_are_needed_are_listed() {
    let config = config(
        "b\u{FC}cher.example",
        "c2s = [\"[::]:5222\", \"0.0.0.0:6222\"]\nc2s_tls = [\"[::]:443\"]",
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let found = runtime.block_on(findings(&config, None));
    assert_eq!(levels(&found), [Level::Note]);
    for record in [
        "\n  _xmpp-client._tcp.xn--bcher-kva.example. 3600 IN SRV 0 5 5222 xn--bcher-kva.example.",
        "\n  _xmpps-client._tcp.xn--bcher-kva.example. 3600 IN SRV 0 5 443 xn--bcher-kva.example.",
        "\n  xn--bcher-kva.example. 3600 IN A     IPV4-ADDRESS",
        "\n  xn--bcher-kva.example. 3600 IN AAAA  IPV6-ADDRESS",
    ] {
        assert!(found[0].text.contains(record), "{}", found[0].text);
    }
}

/// XEP-0368 §3: clients look for TLS from the first byte at whichever port has it.
#[test]
fn one_port_for_all_is_found_by_its_record() {
    let one = config("a.example", "c2s = []\nc2s_tls = []\ntls = [\"[::]:443\"]");
    let names = Names::default()
        .srv(DIRECT, 443, "a.example")
        .address("a.example", [127, 0, 0, 1]);
    let found = judge(&one, &names);
    let record = "_xmpps-client._tcp.a.example. 3600 IN SRV 0 5 443 a.example.";
    assert!(found[0].text.contains(record), "{found:?}");
    assert!(!found[0].text.contains("_xmpp-client._tcp"), "{found:?}");
    assert!(
        found.iter().all(|finding| finding.level < Level::Bad),
        "{found:?}"
    );
    let both = config("a.example", "tls = [\"[::]:443\"]");
    let astray = Names::default()
        .srv(DIRECT, 444, "a.example")
        .address("a.example", ELSEWHERE);
    let found = judge(&both, &astray);
    let said = "leads to a.example:444, and listen.c2s_tls and listen.tls have ports 5223, 443";
    assert!(
        found.iter().any(|finding| finding.text.contains(said)),
        "{found:?}"
    );
}

#[test]
fn service_hosts_are_named_with_their_use() {
    let text =
        "domains = [\"a.example\"]\ndata_dir = \"data\"\n[options]\nrooms_host = \"conference\"\n";
    let config = Config::parse(text, Path::new("/srv")).unwrap();
    let found = judge(&config, &Names::default());
    let hosts = &found[1];
    assert_eq!(hosts.level, Level::Note);
    for said in [
        "people of this server reach conference.a.example and pubsub.a.example through a.example, without records",
        "\n  conference.a.example. 3600 IN CNAME a.example.",
        "\n  pubsub.a.example. 3600 IN CNAME a.example.",
    ] {
        assert!(hosts.text.contains(said), "{}", hosts.text);
    }
}

#[test]
fn who_needs_no_records_is_not_looked_up() {
    for (domain, listen) in [
        ("localhost", ""),
        ("192.0.2.1", ""),
        ("a.example", "c2s = [\"127.0.0.1:5222\"]\nc2s_tls = []"),
    ] {
        let found = judge(&config(domain, listen), &Names::default());
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].level <= Level::Note, "{found:?}");
    }
}

#[test]
fn records_that_lead_here_are_good() {
    let names = Names::default()
        .srv(STARTTLS, 5222, "chat.a.example")
        .srv(DIRECT, 5223, "chat.a.example")
        .address("chat.a.example", ELSEWHERE);
    let found = judge(&config("a.example", ""), &names);
    // As far as can be known: the address is not this machine's.
    assert_eq!(
        levels(&found),
        [Level::Note, Level::Warning, Level::Warning]
    );
    assert!(
        found[1]
            .text
            .ends_with("(192.0.2.1), which is none of this machine's addresses"),
        "{found:?}"
    );
    let here = UdpSocket::bind("0.0.0.0:0").unwrap();
    assert!(is_here(IpAddr::V4(Ipv4Addr::LOCALHOST)) && here.local_addr().is_ok());
    assert!(!is_here(IpAddr::from(ELSEWHERE)));
}

#[test]
fn nothing_leads_here() {
    let found = judge(&config("a.example", ""), &Names::default());
    assert_eq!(
        levels(&found),
        [Level::Note, Level::Good, Level::Warning, Level::Bad]
    );
    assert!(
        found[3].text.contains("clients do not find the server"),
        "{found:?}"
    );
    let add = "add: _xmpps-client._tcp.a.example. 3600 IN SRV 0 5 5223 a.example.";
    assert_eq!(found[2].mend.as_deref(), Some(add));
    // Without a record clients try port 5222 only.
    let found = judge(
        &config("a.example", "c2s = [\"[::]:6222\"]"),
        &Names::default().address("a.example", ELSEWHERE),
    );
    assert_eq!(
        levels(&found),
        [Level::Note, Level::Bad, Level::Warning, Level::Warning]
    );
}

#[test]
fn records_that_lead_astray() {
    let dead = Names::default()
        .srv(STARTTLS, 5222, "gone.a.example")
        .srv(DIRECT, 5223, "");
    let found = judge(&config("a.example", ""), &dead);
    assert_eq!(levels(&found), [Level::Note, Level::Bad, Level::Bad]);
    assert!(
        found[1].text.contains("gone.a.example has no address"),
        "{found:?}"
    );
    assert!(
        found[2]
            .text
            .contains("no such service: clients do not connect"),
        "{found:?}"
    );

    let other = Names::default()
        .srv(STARTTLS, 5299, "a.example")
        .address("a.example", ELSEWHERE);
    let found = judge(&config("a.example", ""), &other);
    assert!(
        found[1]
            .text
            .contains("leads to a.example:5299, and listen.c2s has port 5222"),
        "{found:?}"
    );

    let closed = Names::default()
        .srv(DIRECT, 5223, "a.example")
        .address("a.example", [127, 0, 0, 1]);
    let found = judge(&config("a.example", "c2s_tls = []"), &closed);
    assert_eq!(
        levels(&found),
        [Level::Note, Level::Good, Level::Bad, Level::Note]
    );
    assert!(found[2].text.contains("nothing listens"), "{found:?}");
}

#[test]
fn who_does_not_answer_is_no_reason_to_despair() {
    let mut names = Names::default().address("a.example", [127, 0, 0, 1]);
    names.srv.insert(STARTTLS, Err(NameError::Failed));
    names.srv.insert(DIRECT, Err(NameError::Timeout));
    let found = judge(&config("a.example", ""), &names);
    assert_eq!(
        levels(&found),
        [Level::Note, Level::Warning, Level::Warning, Level::Warning]
    );
    assert!(found[3].text.contains("every machine itself"), "{found:?}");
}

#[test]
fn the_relay_needs_a_record() {
    let with = |more: &str| {
        let text = format!(
            "domains = [\"a.example\"]\ndata_dir = \"data\"\n[listen]\nbytestreams = [\"[::]:7777\"]\n[options]\n\
             rooms_host = \"\"\npubsub_host = \"\"\nbytestreams_host = \"proxy\"\n{more}"
        );
        Config::parse(&text, Path::new("/srv")).unwrap()
    };
    let of_relay = |config: &Config, names: &Names| -> Vec<Finding> {
        let found = judge(config, names).into_iter();
        found
            .filter(|finding| {
                finding.text.contains("byte streams") || finding.text.contains("files between")
            })
            .collect()
    };
    let there = Names::default().address("proxy.a.example", ELSEWHERE);
    assert_eq!(levels(&of_relay(&with(""), &there)), [Level::Warning]);
    let nowhere = Names::default();
    let found = of_relay(&with(""), &nowhere);
    assert_eq!(levels(&found), [Level::Bad]);
    let mend = found[0].mend.as_deref().unwrap();
    assert!(
        mend.contains("'proxy.a.example. 3600 IN CNAME a.example.'"),
        "{mend}"
    );
    // Its own name is not looked up where clients are sent elsewhere.
    let elsewhere = with("bytestreams_address = \"files.a.example\"\n");
    let found = of_relay(&elsewhere, &there);
    assert_eq!(levels(&found), [Level::Bad]);
    assert!(
        found[0].text.starts_with("files.a.example has no address"),
        "{found:?}"
    );
    let address = with("bytestreams_address = \"192.0.2.7\"\n");
    assert!(of_relay(&address, &nowhere).is_empty());
}
