//! Where clients reach the HTTP service, as far as the configuration says so: for options that nobody has set.

use std::collections::BTreeMap;

use waxwing_server::OptionValue;
use waxwing_server::{invitations, uploads};

use super::Config;
use crate::domain::Domain;

/// Options by name.
type Given = BTreeMap<String, OptionValue>;

/// The port of HTTPS.
const HTTPS_PORT: u16 = 443;

/// The options that are the address of the HTTP service where nobody says otherwise.
const ADDRESSES: [&str; 2] = [invitations::URL.name, uploads::URL.name];

impl Config {
    /// What domains set for themselves, and where their HTTP service is, unless somebody has set that.
    pub(super) fn options_of_domains(&self) -> BTreeMap<String, Given> {
        let mut all = self.domain_options.clone();
        for domain in &self.domains {
            let Some(url) = self.https_url(domain) else {
                continue;
            };
            for name in ADDRESSES {
                let own = all.get(domain).and_then(|own| own.get(name));
                let given = own.or_else(|| self.options.get(name));
                let is_given = given.is_some_and(
                    |given| !matches!(given, OptionValue::Text(text) if text.is_empty()),
                );
                if !is_given {
                    let own = all.entry(domain.clone()).or_default();
                    own.insert(name.to_owned(), OptionValue::Text(url.clone()));
                }
            }
        }
        all
    }

    /// Where HTTP of a domain is reached over TLS, without a slash at its end. Nothing is handed over in plaintext because
    /// somebody has said nothing about it (XEP-0363, "Requesting a slot").
    fn https_url(&self, domain: &str) -> Option<String> {
        if let Some(url) = &self.web.public_url {
            return Some(url.clone()).filter(|url| url.starts_with("https://"));
        }
        let listening = self.listen.https.iter().chain(&self.listen.tls);
        let ports: Vec<u16> = listening.map(std::net::SocketAddr::port).collect();
        let port = ports
            .iter()
            .find(|port| **port == HTTPS_PORT)
            .or(ports.first())?;
        let name = Domain::new(domain).ok()?.ascii;
        Some(match *port {
            HTTPS_PORT => format!("https://{name}"),
            port => format!("https://{name}:{port}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// What two domains have as the address of their invitations, with these lines in the configuration.
    fn urls(lines: &str) -> Vec<Option<String>> {
        let text = format!(
            "domains = [\"a.example\", \"b\u{FC}cher.example\"]\ndata_dir = \"data\"\n{lines}"
        );
        let config = Config::parse(&text, Path::new("/srv/waxwing")).unwrap();
        let all = config.options_of_domains();
        let of = |domain: &String| match all.get(domain)?.get(invitations::URL.name)? {
            OptionValue::Text(url) => Some(url.clone()),
            _ => None,
        };
        config.domains.iter().map(of).collect()
    }

    fn some(urls: [&str; 2]) -> Vec<Option<String>> {
        urls.map(|url| Some(url.to_owned())).to_vec()
    }

    #[test]
    fn pages_are_where_https_is() {
        assert_eq!(urls(""), [None, None]);
        assert_eq!(
            urls("[listen]\nhttps = [\"[::]:8443\"]\ntls = [\"[::]:443\"]\n"),
            some(["https://a.example", "https://xn--bcher-kva.example"])
        );
        assert_eq!(
            urls("[listen]\nhttps = [\"[::]:8443\"]\n"),
            some([
                "https://a.example:8443",
                "https://xn--bcher-kva.example:8443"
            ])
        );
    }

    #[test]
    fn or_where_somebody_says() {
        let public = "[web]\npublic_url = \"https://chat.example/x/\"\n";
        let both = some(["https://chat.example/x", "https://chat.example/x"]);
        assert_eq!(urls(public), both);
        assert_eq!(
            urls("[web]\npublic_url = \"http://chat.example\"\n"),
            [None, None]
        );
        let own = "[domain.\"a.example\"]\ninvite_url = \"https://join.example\"\n";
        assert_eq!(
            urls(&format!("{public}{own}")),
            some(["https://join.example", "https://chat.example/x"])
        );
        // For all of them there is nothing to add.
        let all = "[options]\ninvite_url = \"https://join.example\"\n";
        assert_eq!(urls(&format!("{public}{all}")), [None, None]);
    }
}
