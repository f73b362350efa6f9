//! The relay of byte streams: whether clients can find it.

use std::net::IpAddr;

use waxwing_server::OptionValue;
use waxwing_server::hosts::{Hosts, Service};
use waxwing_stanza::jid::domain_to_ascii;

use super::finding::Finding;
use crate::config::Config;
use crate::domain::Domain;

const ABOUT: &str = "byte streams";

/// What is found of the relay's listeners, and of the hosts at which it answers.
pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let hosts = config.settings().hosts().unwrap_or_default();
    let of = |domain: &String| {
        let mut hosts = hosts.of(domain);
        let found = hosts.find(|(service, _)| *service == Service::Bytestreams);
        found.map(|(_, host)| host.to_owned())
    };
    let found: Vec<String> = config.domains.iter().filter_map(of).collect();
    let listens = !config.listen.bytestreams.is_empty();
    match (found.is_empty(), listens) {
        (true, false) => Vec::new(),
        (false, true) => vec![Finding::good(
            ABOUT,
            format!("clients are told of the relay at {}", found.join(", ")),
        )],
        (false, false) => vec![
            Finding::bad(
                ABOUT,
                format!("clients find {}, and no relay listens", found.join(", ")),
            )
            .mend("add 'bytestreams = [\"[::]:7777\"]' to [listen]"),
        ],
        (true, true) => vec![
            Finding::bad(ABOUT, "a relay listens, and no client is told of it")
                .mend("add 'bytestreams_host = \"proxy\"' to [options]"),
        ],
    }
}

/// The host name that clients of a domain look up to connect to the relay, if they do.
pub(super) fn reached_at(config: &Config, domain: &Domain, hosts: &Hosts) -> Option<String> {
    let (_, own) = hosts
        .of(&domain.name)
        .find(|(service, _)| *service == Service::Bytestreams)?;
    if config.listen.bytestreams.is_empty() {
        return None;
    }
    let options = config.domain_options.get(&domain.name);
    let options = options.into_iter().chain([&config.options]);
    let set = options
        .filter_map(|options| options.get("bytestreams_address"))
        .next();
    match set {
        Some(OptionValue::Text(set)) if set.parse::<IpAddr>().is_ok() => None,
        Some(OptionValue::Text(set)) if !set.is_empty() => Some(domain_to_ascii(set).into_owned()),
        _ => Some(domain_to_ascii(own).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::finding::Level;
    use super::*;

    #[test]
    fn a_relay_needs_a_listener_and_a_host() {
        let levels = |more: &str| -> Vec<Level> {
            let text = format!("domains = [\"example.org\"]\ndata_dir = \"/data\"\n{more}");
            let config = Config::parse(&text, Path::new("/etc/waxwing")).unwrap();
            let findings = findings(&config);
            findings.iter().map(|finding| finding.level).collect()
        };
        let listen = "[listen]\nbytestreams = [\"[::]:7777\"]\n";
        let host = "[options]\nbytestreams_host = \"proxy\"\n";
        assert!(levels("").is_empty());
        assert_eq!(levels(listen), [Level::Bad]);
        assert_eq!(levels(host), [Level::Bad]);
        assert_eq!(levels(&format!("{listen}{host}")), [Level::Good]);
    }
}
