//! Domains as people write them, and what DNS and certificates make of them.

use std::net::IpAddr;

use waxwing_server::Settings;
use waxwing_server::hosts::Hosts;
use waxwing_stanza::jid::{domain_to_ascii, prepare_domain};

/// The longest name in DNS (RFC 1035 §2.3.4), without the dot at its end.
const NAME_BYTES_MAX: usize = 253;

/// A domain in its one spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Domain {
    /// As addresses have it.
    pub name: String,
    /// As DNS and certificates have it: A-labels.
    pub ascii: String,
}

/// Why a text is no domain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DomainError {
    /// It is not written as one.
    #[error(
        "'{text}' is no domain: {reason}. Write it like chat.example.org: letters, digits and hyphens, in parts joined by dots"
    )]
    Spelling {
        /// What was written.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Its service hosts would have names that are too long.
    #[error(
        "'{0}' is too long: pubsub.DOMAIN must not have more than {NAME_BYTES_MAX} bytes in DNS"
    )]
    Long(String),
}

impl Domain {
    /// Reads what a person wrote.
    ///
    /// # Errors
    /// [`DomainError`].
    pub(crate) fn new(text: &str) -> Result<Domain, DomainError> {
        let refused = |reason: String| DomainError::Spelling {
            text: text.to_owned(),
            reason,
        };
        // What is meant is clear, and how it is written.
        if let Some((_, domain)) = text.rsplit_once('@') {
            return Err(refused(format!("it has a user part; leave '{domain}'")));
        }
        if text.contains('*') {
            let reason = "a wildcard stands for no server; name each domain";
            return Err(refused(reason.to_owned()));
        }
        if text.contains('/') {
            return Err(refused("it is a web address".to_owned()));
        }
        let name = prepare_domain(text).map_err(|error| refused(error.to_string()))?;
        let domain = Domain {
            ascii: domain_to_ascii(&name).into_owned(),
            name: name.into_owned(),
        };
        if domain
            .names()
            .iter()
            .any(|name| name.len() > NAME_BYTES_MAX)
        {
            return Err(DomainError::Long(text.to_owned()));
        }
        // What looks like an address and is none can stand in no certificate.
        let last = domain.ascii.rsplit('.').next().unwrap_or_default();
        if domain.address().is_none() && last.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(refused("it ends in a number".to_owned()));
        }
        Ok(domain)
    }

    /// The address, where the domain is one.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        let inner = self.ascii.strip_prefix('[');
        let inner = inner.and_then(|inner| inner.strip_suffix(']'));
        inner.unwrap_or(&self.ascii).parse().ok()
    }

    /// Whether every machine takes it for itself (RFC 6761 §6.3).
    pub(crate) fn is_local(&self) -> bool {
        self.name == "localhost"
            || self.name.ends_with(".localhost")
            || self.address().is_some_and(|address| address.is_loopback())
    }

    /// The domain and the service hosts that it has if nothing else is set, as certificates name them.
    pub(crate) fn names(&self) -> Vec<String> {
        let settings = Settings {
            domains: vec![self.name.clone()],
            ..Settings::default()
        };
        let hosts = self.hosts(&settings.hosts().unwrap_or_default());
        std::iter::once(self.ascii.clone()).chain(hosts).collect()
    }

    /// Those of the service hosts that are the domain's, as DNS and certificates have them.
    pub(crate) fn hosts(&self, all: &Hosts) -> Vec<String> {
        let own = all.of(&self.name);
        own.map(|(_, host)| domain_to_ascii(host).into_owned())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_for_each() {
        for (text, name, ascii) in [
            ("Chat.Example.ORG.", "chat.example.org", "chat.example.org"),
            (
                "B\u{FC}cher.example",
                "b\u{FC}cher.example",
                "xn--bcher-kva.example",
            ),
            (
                "xn--bcher-kva.example",
                "b\u{FC}cher.example",
                "xn--bcher-kva.example",
            ),
            ("[0:0:0:0:0:0:0:1]", "[::1]", "[::1]"),
        ] {
            let domain = Domain::new(text).unwrap();
            assert_eq!((&*domain.name, &*domain.ascii), (name, ascii));
        }
        assert_eq!(
            Domain::new("a.example").unwrap().names(),
            ["a.example", "rooms.a.example", "pubsub.a.example"]
        );
        assert_eq!(
            Domain::new("b\u{FC}cher.example").unwrap().names(),
            [
                "xn--bcher-kva.example",
                "rooms.xn--bcher-kva.example",
                "pubsub.xn--bcher-kva.example"
            ]
        );
        assert_eq!(Domain::new("127.0.0.1").unwrap().names(), ["127.0.0.1"]);
    }

    #[test]
    fn what_is_no_domain_is_told_how_to_be_one() {
        for (text, said) in [
            ("a@b.example", "it has a user part; leave 'b.example'"),
            ("*.example", "a wildcard"),
            ("https://a.example", "it is a web address"),
            ("exa mple", "is no domain"),
            ("", "is no domain"),
            ("a..example", "is no domain"),
            ("a_b.example", "is no domain"),
            ("1.2.3", "it ends in a number"),
            ("1.2.3.256", "it ends in a number"),
        ] {
            let error = Domain::new(text).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
            assert!(error.contains("like chat.example.org"), "{error}");
        }
        let long = format!("{0}.{0}.{0}.{0}", "x".repeat(61));
        assert_eq!(Domain::new(&long), Err(DomainError::Long(long)));
    }
}
