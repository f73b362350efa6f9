//! The sections `[external.NAME]`: STUN and TURN servers that clients are told of (XEP-0215).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use waxwing_server::external::{ExternalService, Shared, Transport};
use waxwing_stanza::xep::xep_0215_external_services::Kind;
use waxwing_stream::Secret;

use super::reader::Reader;
use super::{Config, ConfigError};
use crate::domain::Domain;

/// What may stand in such a section.
const KEYS: [&str; 7] = [
    "type",
    "host",
    "port",
    "transport",
    "restricted",
    "secret_file",
    "lifetime_secs",
];

/// How long credentials are worth something by default, in seconds: longer than calls last.
const LIFETIME_SECS: u64 = 86_400;
/// The least and greatest that can be set.
const LIFETIME_SECS_RANGE: RangeInclusive<u64> = 60..=2_592_000;

/// A service beside the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExternalConfig {
    /// What it is.
    pub kind: Kind,
    /// Its name in DNS, or its address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// What carries it.
    pub transport: Transport,
    /// Whether it takes nobody without credentials.
    pub restricted: bool,
    /// The file with the secret that credentials are made of.
    pub secret_file: Option<PathBuf>,
    /// The secret, once the file was read.
    pub secret: Option<Secret>,
    /// How long credentials are worth something, in seconds.
    pub lifetime_secs: u64,
}

impl Config {
    /// What the server takes of them.
    pub(super) fn external_settings(&self) -> BTreeMap<String, ExternalService> {
        let read = self.external.iter().filter_map(|(name, external)| {
            let shared = external.secret.clone().map(|secret| Shared {
                secret,
                lifetime_secs: external.lifetime_secs,
            });
            // Without its secret, it is nothing to the server.
            if external.secret_file.is_some() && shared.is_none() {
                return None;
            }
            let service = ExternalService {
                kind: external.kind,
                host: external.host.clone(),
                port: external.port,
                transport: external.transport,
                restricted: external.restricted,
                shared,
            };
            Some((name.clone(), service))
        });
        read.collect()
    }
}

impl Reader<'_> {
    pub(super) fn external(
        &self,
        table: &DeTable<'_>,
        folder: &Path,
    ) -> Result<BTreeMap<String, ExternalConfig>, ConfigError> {
        let mut found = BTreeMap::new();
        for entry in table.iter() {
            let name = entry.0.get_ref().to_string();
            let key = format!("external.{name}");
            let section = self.section(&key, entry.1)?;
            let line = self.line(entry.0.span().start);
            let external = self.external_service(&key, section, folder, line)?;
            found.insert(name, external);
        }
        Ok(found)
    }

    fn external_service(
        &self,
        section: &str,
        table: &DeTable<'_>,
        folder: &Path,
        line: usize,
    ) -> Result<ExternalConfig, ConfigError> {
        let (mut kind, mut host, mut port) = (None, None, None);
        let (mut transport, mut restricted, mut secret_file) = (None, None, None);
        let mut lifetime_secs = LIFETIME_SECS;
        for entry in table.iter() {
            self.known(section, entry, &KEYS)?;
            let name = entry.0.get_ref().as_ref();
            let (key, value) = (format!("{section}.{name}"), entry.1);
            match name {
                "type" => kind = Some(self.kind(&key, value)?),
                "host" => host = Some(self.host(&key, value)?),
                "port" => port = u16::try_from(self.number(&key, value, 1..=65_535)?).ok(),
                "transport" => transport = Some(self.transport(&key, value)?),
                "restricted" => restricted = Some(self.flag(&key, value)?),
                "secret_file" => secret_file = Some(folder.join(self.text(&key, value)?)),
                _ => lifetime_secs = self.number(&key, value, LIFETIME_SECS_RANGE)?,
            }
        }
        let missing = |what: &str| ConfigError::Value {
            line,
            key: section.to_owned(),
            expected: format!("needs {what}"),
        };
        let words = "'type', which is \"stun\", \"stuns\", \"turn\" or \"turns\"";
        let kind = kind.ok_or_else(|| missing(words))?;
        let host = host.ok_or_else(|| missing("'host', where the service is"))?;
        // RFC 7064 §3.2, RFC 7065 §3.2.
        let (usual_port, usual_transport) = match kind {
            Kind::Stun | Kind::Turn => (3478, Transport::Udp),
            Kind::Stuns | Kind::Turns => (5349, Transport::Tcp),
        };
        Ok(ExternalConfig {
            kind,
            host,
            port: port.unwrap_or(usual_port),
            transport: transport.unwrap_or(usual_transport),
            restricted: restricted.unwrap_or(secret_file.is_some()),
            secret_file,
            secret: None,
            lifetime_secs,
        })
    }

    fn kind(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Result<Kind, ConfigError> {
        let text = self.text(key, value)?;
        Kind::from_keyword(&text).ok_or_else(|| {
            let expected = "must be \"stun\", \"stuns\", \"turn\" or \"turns\"";
            self.invalid(key, value, format!("{expected}, not \"{text}\""))
        })
    }

    fn transport(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Result<Transport, ConfigError> {
        let text = self.text(key, value)?;
        let mut known = Transport::NAMES.into_iter();
        let found = known.find(|(name, _)| *name == text);
        found.map(|(_, transport)| transport).ok_or_else(|| {
            let expected = format!("must be \"udp\" or \"tcp\", not \"{text}\"");
            self.invalid(key, value, expected)
        })
    }

    /// A name as DNS has it, or an address.
    fn host(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Result<String, ConfigError> {
        let text = self.text(key, value)?;
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(address.to_string());
        }
        let domain = Domain::new(&text);
        domain.map(|domain| domain.ascii).map_err(|error| {
            let expected = format!("must be a name in DNS or an address: {error}");
            self.invalid(key, value, expected)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(section: &str) -> Result<Config, String> {
        let text = format!(
            "domains = [\"example.org\"]\ndata_dir = \"/data\"\n[external.relay]\n{section}\n"
        );
        Config::parse(&text, Path::new("/etc/waxwing")).map_err(|error| error.to_string())
    }

    fn service(section: &str) -> ExternalConfig {
        parse(section).unwrap().external["relay"].clone()
    }

    #[test]
    fn what_is_not_said_is_usual() {
        let stun = service("type = \"stun\"\nhost = \"Stun.example.org\"");
        let expected = ExternalConfig {
            kind: Kind::Stun,
            host: "stun.example.org".to_owned(),
            port: 3478,
            transport: Transport::Udp,
            restricted: false,
            secret_file: None,
            secret: None,
            lifetime_secs: 86_400,
        };
        assert_eq!(stun, expected);
        let turns =
            service("type = \"turns\"\nhost = \"2001:db8:0::1\"\nsecret_file = \"turn.secret\"");
        let expected = ExternalConfig {
            kind: Kind::Turns,
            host: "2001:db8::1".to_owned(),
            port: 5349,
            transport: Transport::Tcp,
            restricted: true,
            secret_file: Some("/etc/waxwing/turn.secret".into()),
            ..expected
        };
        assert_eq!(turns, expected);
    }

    #[test]
    fn everything_can_be_said() {
        let said = service(
            "type = \"turn\"\nhost = \"10.0.0.1\"\nport = 443\ntransport = \"tcp\"\nrestricted = false\n\
             secret_file = \"/x\"\nlifetime_secs = 600",
        );
        let seen = (
            said.port,
            said.transport,
            said.restricted,
            said.lifetime_secs,
        );
        assert_eq!(seen, (443, Transport::Tcp, false, 600));
        // Without its secret, it is nothing to the server.
        let config = parse("type = \"turn\"\nhost = \"10.0.0.1\"\nsecret_file = \"/x\"");
        assert!(config.unwrap().settings().external.is_empty());
        let config = parse("type = \"stun\"\nhost = \"10.0.0.1\"");
        assert_eq!(config.unwrap().settings().external.len(), 1);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let with = |more: &str| format!("type = \"turn\"\nhost = \"a.example\"\n{more}");
        for (section, said) in [
            (
                "host = \"a.example\"".to_owned(),
                "line 3: 'external.relay' needs 'type'",
            ),
            (
                "type = \"turn\"".to_owned(),
                "line 3: 'external.relay' needs 'host'",
            ),
            ("type = \"ftp\"".to_owned(), "not \"ftp\""),
            (
                "type = \"turn\"\nhost = \"a b\"".to_owned(),
                "must be a name in DNS or an address",
            ),
            (
                with("port = 0"),
                "line 6: 'external.relay.port' must lie between 1 and 65535",
            ),
            (with("transport = \"sctp\""), "must be \"udp\" or \"tcp\""),
            (with("restricted = 1"), "must be true or false"),
            (
                with("lifetime_secs = 59"),
                "must lie between 60 and 2592000",
            ),
            (
                with("secret_fil = \"x\""),
                "did you mean 'external.relay.secret_file'?",
            ),
        ] {
            let error = parse(&section).unwrap_err();
            assert!(error.contains(said), "{section}: {error}");
        }
    }
}
