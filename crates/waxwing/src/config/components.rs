//! The sections `[component."…"]`: external components, their secrets, and what they may do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use waxwing_server::component::{ComponentSettings, Grants, NamespaceGrant};
use waxwing_stanza::xep::xep_0356_privileges::{OUTGOING, Requests, Shown};
use waxwing_stream::Secret;

use super::reader::Reader;
use super::{Config, ConfigError};
use crate::domain::Domain;

/// What may stand in such a section.
const KEYS: [&str; 7] = [
    "secret_file",
    "roster",
    "roster_push",
    "message",
    "presence",
    "iq",
    "delegate",
];

/// An external component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ComponentConfig {
    /// The file with its secret.
    pub secret_file: PathBuf,
    /// The secret, once the file was read.
    pub secret: Option<Secret>,
    /// What it may do.
    pub grants: Grants,
}

impl Config {
    /// What the server takes of them.
    pub(super) fn component_settings(&self) -> BTreeMap<String, ComponentSettings> {
        let read = self.components.iter().filter_map(|(host, component)| {
            let settings = ComponentSettings {
                secret: component.secret.clone()?,
                grants: component.grants.clone(),
            };
            Some((host.clone(), settings))
        });
        read.collect()
    }
}

impl Reader<'_> {
    pub(super) fn components(
        &self,
        table: &DeTable<'_>,
        folder: &Path,
    ) -> Result<BTreeMap<String, ComponentConfig>, ConfigError> {
        let mut found = BTreeMap::new();
        for entry in table.iter() {
            let written = entry.0.get_ref().as_ref();
            let wrong = |expected: String| ConfigError::Value {
                line: self.line(entry.0.span().start),
                key: format!("component.{written}"),
                expected,
            };
            let host = Domain::new(written)
                .map_err(|error| wrong(format!("must be the component's host: {error}")))?
                .name;
            let section = self.section(&format!("component.{host}"), entry.1)?;
            let component = self.component(&host, section, folder)?;
            let component = component.ok_or_else(|| {
                wrong("needs 'secret_file', which names the file with its secret".to_owned())
            })?;
            if found.insert(host.clone(), component).is_some() {
                return Err(wrong(format!(
                    "is there in another spelling already, as {host}"
                )));
            }
        }
        Ok(found)
    }

    /// One section; nothing where it names no secret.
    fn component(
        &self,
        host: &str,
        table: &DeTable<'_>,
        folder: &Path,
    ) -> Result<Option<ComponentConfig>, ConfigError> {
        let section = format!("component.{host}");
        let (mut secret_file, mut grants) = (None, Grants::default());
        for entry in table.iter() {
            self.known(&section, entry, &KEYS)?;
            let name = entry.0.get_ref().as_ref();
            let (key, value) = (format!("{section}.{name}"), entry.1);
            match name {
                "secret_file" => secret_file = Some(folder.join(self.text(&key, value)?)),
                "roster" => grants.roster = self.word(&key, value, Requests::from_keyword)?,
                "roster_push" => grants.roster_push = self.flag(&key, value)?,
                "message" => grants.message = self.word(&key, value, is_outgoing)?,
                "presence" => grants.presence = self.word(&key, value, Shown::from_keyword)?,
                "iq" => {
                    for (text, item) in self.texts(&key, value)? {
                        let (namespace, kind) = self.requests(&key, item, &text)?;
                        grants.iq.insert(namespace, kind);
                    }
                }
                _ => grants.delegated = self.delegated(&key, value)?,
            }
        }
        Ok(secret_file.map(|secret_file| ComponentConfig {
            secret_file,
            secret: None,
            grants,
        }))
    }

    fn word<T>(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        read: fn(&str) -> Option<T>,
    ) -> Result<T, ConfigError> {
        let text = self.text(key, value)?;
        read(&text).ok_or_else(|| {
            let expected = match key.rsplit('.').next() {
                Some("message") => "\"none\" or \"outgoing\"",
                Some("presence") => "\"none\", \"managed_entity\" or \"roster\"",
                _ => "\"none\", \"get\", \"set\" or \"both\"",
            };
            self.invalid(key, value, format!("must be {expected}, not \"{text}\""))
        })
    }

    pub(super) fn flag(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<bool, ConfigError> {
        match value.get_ref() {
            DeValue::Boolean(flag) => Ok(*flag),
            _ => Err(self.invalid(key, value, "must be true or false".to_owned())),
        }
    }

    /// A namespace with the requests that may be sent in it.
    fn requests(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        text: &str,
    ) -> Result<(String, Requests), ConfigError> {
        let parts: Vec<&str> = text.split_whitespace().collect();
        if let [namespace, kind] = parts[..]
            && is_namespace(namespace)
            && let Some(kind) = Requests::from_keyword(kind)
        {
            return Ok((namespace.to_owned(), kind));
        }
        let expected = format!(
            "must be namespaces with \"get\", \"set\" or \"both\", like \"http://jabber.org/protocol/pubsub set\", not \"{text}\""
        );
        Err(self.invalid(key, value, expected))
    }

    fn delegated(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<Vec<NamespaceGrant>, ConfigError> {
        let mut delegated: Vec<NamespaceGrant> = Vec::new();
        for (text, item) in self.texts(key, value)? {
            let mut words = text.split_whitespace().map(str::to_owned);
            let Some(namespace) = words.next().filter(|word| is_namespace(word)) else {
                let expected =
                    format!("must be namespaces, like \"urn:xmpp:mam:2\", not \"{text}\"");
                return Err(self.invalid(key, item, expected));
            };
            if delegated.iter().any(|known| known.namespace == namespace) {
                let expected = format!("has {namespace} twice");
                return Err(self.invalid(key, item, expected));
            }
            let attributes = words.collect();
            delegated.push(NamespaceGrant {
                namespace,
                attributes,
            });
        }
        Ok(delegated)
    }
}

/// Whether it may be a namespace, which is a URI: nothing stands for all of them.
fn is_namespace(word: &str) -> bool {
    word.split_once(':')
        .is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty())
}

/// Whether messages may be sent.
fn is_outgoing(word: &str) -> Option<bool> {
    match word {
        "none" => Some(false),
        OUTGOING => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(component: &str) -> Result<Config, String> {
        let text = format!("domains = [\"example.org\"]\ndata_dir = \"/data\"\n{component}");
        Config::parse(&text, Path::new("/etc/waxwing")).map_err(|error| error.to_string())
    }

    #[test]
    fn everything_that_can_be_granted() {
        let config = parse(
            "[component.\"IRC.example.org\"]\nsecret_file = \"irc.secret\"\nroster = \"both\"\n\
             roster_push = false\nmessage = \"outgoing\"\npresence = \"managed_entity\"\n\
             iq = [\"urn:a set\", \"urn:b both\"]\ndelegate = [\"urn:c node x\", \"urn:d\"]\n",
        )
        .unwrap();
        let found = &config.components["irc.example.org"];
        assert_eq!(found.secret_file, Path::new("/etc/waxwing/irc.secret"));
        let grant = |namespace: &str, attributes: &[&str]| NamespaceGrant {
            namespace: namespace.to_owned(),
            attributes: attributes.iter().map(|&name| name.to_owned()).collect(),
        };
        let expected = Grants {
            roster: Requests::Both,
            roster_push: false,
            message: true,
            iq: BTreeMap::from([
                ("urn:a".to_owned(), Requests::Set),
                ("urn:b".to_owned(), Requests::Both),
            ]),
            presence: Shown::ManagedEntity,
            delegated: vec![grant("urn:c", &["node", "x"]), grant("urn:d", &[])],
        };
        assert_eq!(found.grants, expected);
        // Without its secret, it is nothing to the server.
        assert!(config.settings().components.is_empty());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (section, said) in [
            ("", "needs 'secret_file'"),
            (
                "secret_fil = \"x\"",
                "did you mean 'component.irc.example.org.secret_file'?",
            ),
            (
                "secret_file = \"x\"\nroster = \"all\"",
                "line 5: 'component.irc.example.org.roster' must be \"none\"",
            ),
            (
                "secret_file = \"x\"\nmessage = \"get\"",
                "\"outgoing\", not \"get\"",
            ),
            ("secret_file = \"x\"\npresence = 1", "must be a text"),
            (
                "secret_file = \"x\"\nroster_push = 1",
                "must be true or false",
            ),
            (
                "secret_file = \"x\"\niq = [\"urn:a\"]",
                "like \"http://jabber.org",
            ),
            (
                "secret_file = \"x\"\niq = [\"* both\"]",
                "must be namespaces",
            ),
            (
                "secret_file = \"x\"\ndelegate = [\" \"]",
                "must be namespaces",
            ),
            (
                "secret_file = \"x\"\ndelegate = [\"*\"]",
                "must be namespaces",
            ),
            (
                "secret_file = \"x\"\ndelegate = [\"urn:a\", \"urn:a x\"]",
                "has urn:a twice",
            ),
        ] {
            let text = format!("[component.\"irc.example.org\"]\n{section}\n");
            let error = parse(&text).unwrap_err();
            assert!(error.contains(said), "{section}: {error}");
        }
        let error = parse("[component.\"a b\"]\nsecret_file = \"x\"\n").unwrap_err();
        assert!(error.contains("must be the component's host"), "{error}");
    }
}
