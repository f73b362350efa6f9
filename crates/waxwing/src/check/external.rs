//! Services beside the server that clients are told of: what they are told.

use waxwing_stanza::xep::xep_0215_external_services::Kind;

use super::finding::Finding;
use crate::config::Config;

const ABOUT: &str = "calls";

/// What is found of the STUN and TURN servers that the configuration names.
pub(super) fn findings(config: &Config) -> Vec<Finding> {
    let told = config.external.values().map(|external| {
        let kind = external.kind.as_str();
        let transport = external.transport.as_str();
        let service = format!("{kind}:{}:{} by {transport}", external.host, external.port);
        let needs_secret = matches!(external.kind, Kind::Turn | Kind::Turns);
        match &external.secret_file {
            Some(file) => Finding::good(
                ABOUT,
                format!(
                    "clients are told of {service}, with credentials for {} seconds made of the secret in {}",
                    external.lifetime_secs,
                    file.display()
                ),
            ),
            None if needs_secret => Finding::warning(
                ABOUT,
                format!("clients are told of {service}, and get no credentials for it"),
            )
            .mend("name the file with its secret as 'secret_file'; a TURN server without one relays for anybody"),
            None => Finding::good(ABOUT, format!("clients are told of {service}")),
        }
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::finding::Level;
    use super::*;

    #[test]
    fn a_relay_needs_a_secret() {
        let level = |more: &str| {
            let text = format!(
                "domains = [\"example.org\"]\ndata_dir = \"/data\"\n[external.one]\nhost = \"a.example\"\n{more}\n"
            );
            let config = Config::parse(&text, Path::new("/etc/waxwing")).unwrap();
            findings(&config)[0].level
        };
        assert_eq!(level("type = \"stun\""), Level::Good);
        assert_eq!(level("type = \"turn\""), Level::Warning);
        assert_eq!(level("type = \"turn\"\nsecret_file = \"x\""), Level::Good);
    }
}
