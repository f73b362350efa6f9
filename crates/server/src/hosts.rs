//! Service hosts: addresses beside a domain's own at which its services answer, such as `rooms.DOMAIN` and
//! `pubsub.DOMAIN`.
//!
//! disco#items of the domain lists them. A feature serves one by giving it an identity,
//! [`Registrar::identity`] with [`Addressee::Host`](crate::addressee::Addressee::Host); until one does, the address
//! answers for itself alone.
//!
//! [`Registrar::identity`]: crate::registry::Registrar::identity

use std::collections::BTreeMap;
use std::net::IpAddr;

use waxwing_stanza::BareJid;
use waxwing_stanza::xep::xep_0030_disco::Item;

use crate::options::{OptionDefault, OptionSpec, Options};
use crate::server::StartError;

/// What stands before the domain in the address of its rooms.
pub const ROOMS_HOST: OptionSpec = OptionSpec {
    name: "rooms_host",
    default: OptionDefault::Label("rooms"),
    unit: "",
    doc: "What stands before the domain in the address of its rooms, as in rooms.example.org; an empty text for no such address.",
};

/// What stands before the domain in the address of its pubsub service.
pub const PUBSUB_HOST: OptionSpec = OptionSpec {
    name: "pubsub_host",
    default: OptionDefault::Label("pubsub"),
    unit: "",
    doc: "What stands before the domain in the address of its pubsub service, as in pubsub.example.org; an empty text for no such address.",
};

/// What stands before the domain in the address of its relay of byte streams.
pub const BYTESTREAMS_HOST: OptionSpec = OptionSpec {
    name: "bytestreams_host",
    default: OptionDefault::Label(""),
    unit: "",
    doc: "What stands before the domain in the address of its relay of files between clients (XEP-0065), as in proxy.example.org; an empty text for none. The key 'bytestreams' of [listen] says where it listens.",
};

/// A service with an address of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// Rooms: `room@rooms.DOMAIN/nickname`.
    Rooms,
    /// Pubsub that belongs to no account.
    Pubsub,
    /// Byte streams between clients, relayed.
    Bytestreams,
}

impl Service {
    /// All of them.
    pub const ALL: [Service; 3] = [Service::Rooms, Service::Pubsub, Service::Bytestreams];

    /// The option that says what stands before the domain.
    pub const fn option(self) -> &'static OptionSpec {
        match self {
            Service::Rooms => &ROOMS_HOST,
            Service::Pubsub => &PUBSUB_HOST,
            Service::Bytestreams => &BYTESTREAMS_HOST,
        }
    }

    /// The host of a domain with these options, if it has one. An IP address has none.
    fn of(self, domain: &str, options: &Options) -> Option<String> {
        let label = options.text(self.option());
        let is_address = domain.starts_with('[') || domain.parse::<IpAddr>().is_ok();
        (!label.is_empty() && !is_address).then(|| format!("{label}.{domain}"))
    }
}

/// A service host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// What it serves.
    pub service: Service,
    /// Whose it is.
    pub domain: String,
}

/// All service hosts, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts(BTreeMap<String, Host>);

impl Hosts {
    /// Those of domains with these options.
    ///
    /// # Errors
    /// [`StartError::Host`]: one is no address, or something else too.
    pub(crate) fn new(domains: &BTreeMap<String, Options>) -> Result<Hosts, StartError> {
        let mut hosts = BTreeMap::new();
        for (domain, options) in domains {
            for service in Service::ALL {
                let Some(name) = service.of(domain, options) else {
                    continue;
                };
                let taken = |reason: String| StartError::Host {
                    name: name.clone(),
                    domain: domain.clone(),
                    option: service.option().name,
                    reason,
                };
                let jid: Result<BareJid, _> = name.parse();
                jid.map_err(|error| taken(error.to_string()))?;
                if domains.contains_key(&name) {
                    return Err(taken("it is one of the domains itself".to_owned()));
                }
                let host = Host {
                    service,
                    domain: domain.clone(),
                };
                if let Some(other) = hosts.insert(name.clone(), host) {
                    let other = other.service.option().name;
                    return Err(taken(format!("it is what {other} says too")));
                }
            }
        }
        Ok(Hosts(hosts))
    }

    /// The host of this name, as JIDs write it.
    pub fn get(&self, name: &str) -> Option<&Host> {
        self.0.get(name)
    }

    /// A domain's: each service with its host, in the order of [`Service::ALL`].
    pub fn of<'a>(&'a self, domain: &'a str) -> impl Iterator<Item = (Service, &'a str)> {
        let is = move |host: &Host, service| host.domain == domain && host.service == service;
        Service::ALL.into_iter().filter_map(move |service| {
            let (name, _) = self.0.iter().find(|(_, host)| is(host, service))?;
            Some((service, name.as_str()))
        })
    }

    /// What disco#items of a domain lists (XEP-0030 §4.1).
    pub(crate) fn items(&self, domain: &str) -> Vec<Item> {
        let names = self.of(domain).filter_map(|(_, name)| name.parse().ok());
        let item = |jid: BareJid| Item {
            jid: jid.into(),
            node: None,
            name: None,
        };
        names.map(item).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::OptionValue;

    fn options(given: &[(&str, &str)]) -> Options {
        let given = given
            .iter()
            .map(|&(name, text)| (name.to_owned(), OptionValue::Text(text.to_owned())));
        Options::new(
            [ROOMS_HOST, PUBSUB_HOST, BYTESTREAMS_HOST].iter(),
            &given.collect(),
        )
        .unwrap()
    }

    fn hosts(domains: &[(&str, &[(&str, &str)])]) -> Result<Hosts, StartError> {
        let domains = domains
            .iter()
            .map(|(domain, given)| ((*domain).to_owned(), options(given)));
        Hosts::new(&domains.collect())
    }

    fn names(hosts: &Hosts) -> Vec<&str> {
        hosts.0.keys().map(String::as_str).collect()
    }

    #[test]
    fn each_domain_names_its_own() {
        let found = hosts(&[
            ("a.example", &[]),
            (
                "b.example",
                &[("rooms_host", "Conference"), ("pubsub_host", "")],
            ),
            ("127.0.0.1", &[]),
            ("[::1]", &[]),
        ])
        .unwrap();
        let expected = [
            "conference.b.example",
            "pubsub.a.example",
            "rooms.a.example",
        ];
        assert_eq!(names(&found), expected);
        let host = Host {
            service: Service::Rooms,
            domain: "b.example".to_owned(),
        };
        assert_eq!(found.get("conference.b.example"), Some(&host));
        assert_eq!(found.get("a.example"), None);
    }

    #[test]
    fn no_name_means_two_things() {
        let taken = |name: &str, domain: &str, option, reason: &str| {
            Err(StartError::Host {
                name: name.to_owned(),
                domain: domain.to_owned(),
                option,
                reason: reason.to_owned(),
            })
        };
        assert_eq!(
            hosts(&[("a.example", &[]), ("rooms.a.example", &[])]),
            taken(
                "rooms.a.example",
                "a.example",
                "rooms_host",
                "it is one of the domains itself"
            )
        );
        assert_eq!(
            hosts(&[("a.example", &[("pubsub_host", "rooms")])]),
            taken(
                "rooms.a.example",
                "a.example",
                "pubsub_host",
                "it is what rooms_host says too"
            )
        );
        assert!(
            hosts(&[
                ("a.example", &[("rooms_host", "")]),
                ("rooms.a.example", &[])
            ])
            .is_ok()
        );
    }

    /// XEP-0030 §4.1: a host with an identity is listed, and only by its own domain.
    #[test]
    fn a_domain_lists_its_hosts() {
        let without = [("rooms_host", "")];
        let found = hosts(&[("a.example", &[]), ("b.example", &without)]).unwrap();
        let listed = |domain| {
            let items = found.items(domain).into_iter();
            items.map(|item| item.jid.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(listed("a.example"), ["rooms.a.example", "pubsub.a.example"]);
        assert_eq!(listed("b.example"), ["pubsub.b.example"]);
        assert_eq!(listed("c.example"), [""; 0]);
    }
}
