//! The configuration file: TOML, every key known, every mistake named with its line.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use waxwing_server::{OptionValue, Registration};

/// Why a configuration file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConfigError {
    /// It cannot be read.
    #[error("{}: {reason}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// It is not TOML.
    #[error("line {line}: {text}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        text: String,
    },
    /// A key that does not exist.
    #[error("line {line}: there is no key '{key}'{}", suggestion(.nearest.as_deref()))]
    UnknownKey {
        /// Line, from 1.
        line: usize,
        /// The key with its section.
        key: String,
        /// The key that was probably meant.
        nearest: Option<String>,
    },
    /// A value that cannot be.
    #[error("line {line}: '{key}' {expected}")]
    Value {
        /// Line, from 1.
        line: usize,
        /// The key with its section.
        key: String,
        /// What it must be and what was found.
        expected: String,
    },
    /// A key that must be there.
    #[error("the key '{0}' is missing")]
    Missing(&'static str),
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest
        .map(|nearest| format!("; did you mean '{nearest}'?"))
        .unwrap_or_default()
}

/// Addresses that listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listen {
    /// Clients, STARTTLS.
    pub c2s: Vec<SocketAddr>,
    /// Clients, TLS from the first byte.
    pub c2s_tls: Vec<SocketAddr>,
    /// Clients without TLS, on this machine only.
    pub c2s_plain_loopback: Vec<SocketAddr>,
    /// HTTP over TLS.
    pub https: Vec<SocketAddr>,
    /// HTTP for this machine only: health and metrics.
    pub http_loopback: Vec<SocketAddr>,
}

/// A configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    /// Served domains.
    pub domains: Vec<String>,
    /// Where everything is stored.
    pub data_dir: PathBuf,
    /// Addresses that listen.
    pub listen: Listen,
    /// Certificate chain, PEM.
    pub certificate: Option<PathBuf>,
    /// Private key, PEM.
    pub key: Option<PathBuf>,
    /// Who may make an account.
    pub registration: Registration,
    /// Settings of features.
    pub options: BTreeMap<String, OptionValue>,
}

const KEYS: &[&str] = &[
    "domains",
    "data_dir",
    "listen",
    "tls",
    "registration",
    "options",
];
const LISTEN_KEYS: &[&str] = &[
    "c2s",
    "c2s_tls",
    "c2s_plain_loopback",
    "https",
    "http_loopback",
];
const TLS_KEYS: &[&str] = &["certificate", "key"];
const REGISTRATION_KEYS: &[&str] = &["mode"];

/// The commented example; the features' options follow it.
pub(crate) const EXAMPLE: &str = r#"# Waxwing's configuration. Keys that are commented out show their defaults.

# Domains that this server serves; accounts are user@domain.
domains = ["example.org"]

# Where everything is stored. A relative path starts at this file's folder.
data_dir = "/var/lib/waxwing"

[listen]
# Clients: STARTTLS, and TLS from the first byte (XEP-0368).
# c2s = ["[::]:5222"]
# c2s_tls = ["[::]:5223"]
# Clients without TLS. Only addresses of this machine are accepted, for tests and proxies beside the server.
# c2s_plain_loopback = []
# HTTP over TLS: health.
# https = []
# HTTP without TLS, only on addresses of this machine: /healthz and /metrics.
# http_loopback = ["127.0.0.1:5280"]

[tls]
# Certificate chain and private key, PEM. The certificate must name every domain.
certificate = "/etc/waxwing/fullchain.pem"
key = "/etc/waxwing/privkey.pem"

[registration]
# "invite": accounts come from invitations and from the command line.
# "open": anybody may make an account in band (XEP-0077).
# "closed": accounts come from the command line only.
# mode = "invite"

"#;

struct Reader<'a> {
    text: &'a str,
}

type Entry<'a, 'b> = (
    &'b Spanned<std::borrow::Cow<'a, str>>,
    &'b Spanned<DeValue<'a>>,
);

impl Reader<'_> {
    fn line(&self, at: usize) -> usize {
        self.text
            .get(..at)
            .unwrap_or(self.text)
            .matches('\n')
            .count()
            + 1
    }

    fn wrong(&self, key: &str, value: &Spanned<DeValue<'_>>, expected: &str) -> ConfigError {
        let found = value.get_ref().type_str();
        ConfigError::Value {
            line: self.line(value.span().start),
            key: key.to_owned(),
            expected: format!("must be {expected}, not a value of the type {found}"),
        }
    }

    fn invalid(&self, key: &str, value: &Spanned<DeValue<'_>>, expected: String) -> ConfigError {
        ConfigError::Value {
            line: self.line(value.span().start),
            key: key.to_owned(),
            expected,
        }
    }

    fn known(&self, section: &str, entry: Entry<'_, '_>, keys: &[&str]) -> Result<(), ConfigError> {
        let key = entry.0.get_ref().as_ref();
        if keys.contains(&key) {
            return Ok(());
        }
        let full = |key: &str| {
            if section.is_empty() {
                key.to_owned()
            } else {
                format!("{section}.{key}")
            }
        };
        Err(ConfigError::UnknownKey {
            line: self.line(entry.0.span().start),
            key: full(key),
            nearest: nearest(key, keys).map(full),
        })
    }

    fn section<'a, 'b>(
        &self,
        key: &str,
        value: &'b Spanned<DeValue<'a>>,
    ) -> Result<&'b DeTable<'a>, ConfigError> {
        match value.get_ref() {
            DeValue::Table(table) => Ok(table),
            _ => Err(self.wrong(key, value, "a section")),
        }
    }

    fn text(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Result<String, ConfigError> {
        match value.get_ref() {
            DeValue::String(text) => Ok(text.to_string()),
            _ => Err(self.wrong(key, value, "a text")),
        }
    }

    fn texts<'a, 'b>(
        &self,
        key: &str,
        value: &'b Spanned<DeValue<'a>>,
    ) -> Result<Vec<(String, &'b Spanned<DeValue<'a>>)>, ConfigError> {
        let DeValue::Array(items) = value.get_ref() else {
            return Err(self.wrong(key, value, "a list of texts"));
        };
        items
            .iter()
            .map(|item| Ok((self.text(key, item)?, item)))
            .collect()
    }

    fn addresses(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        loopback: bool,
    ) -> Result<Vec<SocketAddr>, ConfigError> {
        let mut addresses = Vec::new();
        for (text, item) in self.texts(key, value)? {
            let address: SocketAddr = text.parse().map_err(|_| {
                self.invalid(key, item, format!("must be addresses with ports, like \"[::]:5222\" or \"127.0.0.1:5222\", not \"{text}\""))
            })?;
            if loopback && !address.ip().is_loopback() {
                let text = format!(
                    "takes only addresses of this machine (127.0.0.1, [::1]), because nothing protects what passes; \"{address}\" is reachable from outside"
                );
                return Err(self.invalid(key, item, text));
            }
            addresses.push(address);
        }
        Ok(addresses)
    }

    fn listen(&self, table: &DeTable<'_>) -> Result<Listen, ConfigError> {
        let mut listen = Listen::default();
        for entry in table.iter() {
            self.known("listen", entry, LISTEN_KEYS)?;
            let key = entry.0.get_ref().as_ref();
            let place = match key {
                "c2s" => &mut listen.c2s,
                "c2s_tls" => &mut listen.c2s_tls,
                "c2s_plain_loopback" => &mut listen.c2s_plain_loopback,
                "https" => &mut listen.https,
                _ => &mut listen.http_loopback,
            };
            *place = self.addresses(
                &format!("listen.{key}"),
                entry.1,
                key.ends_with("_loopback"),
            )?;
        }
        Ok(listen)
    }

    fn registration(&self, table: &DeTable<'_>) -> Result<Registration, ConfigError> {
        let mut registration = Registration::default();
        for entry in table.iter() {
            self.known("registration", entry, REGISTRATION_KEYS)?;
            registration = match self.text("registration.mode", entry.1)?.as_str() {
                "open" => Registration::Open,
                "invite" => Registration::Invite,
                "closed" => Registration::Closed,
                other => {
                    let text =
                        format!("must be \"open\", \"invite\" or \"closed\", not \"{other}\"");
                    return Err(self.invalid("registration.mode", entry.1, text));
                }
            };
        }
        Ok(registration)
    }

    fn options(&self, table: &DeTable<'_>) -> Result<BTreeMap<String, OptionValue>, ConfigError> {
        let names = waxwing_server::generate::option_names();
        let mut options = BTreeMap::new();
        for entry in table.iter() {
            self.known("options", entry, &names)?;
            let key = entry.0.get_ref().to_string();
            let value = match entry.1.get_ref() {
                DeValue::Boolean(value) => OptionValue::Flag(*value),
                DeValue::String(value) => OptionValue::Text(value.to_string()),
                DeValue::Integer(value) => {
                    let number =
                        u64::from_str_radix(value.as_str(), value.radix()).map_err(|_| {
                            self.invalid(
                                &key,
                                entry.1,
                                "must be a whole number that is not negative".to_owned(),
                            )
                        })?;
                    OptionValue::Number(number)
                }
                _ => {
                    return Err(self.wrong(
                        &format!("options.{key}"),
                        entry.1,
                        "a number, a text, true or false",
                    ));
                }
            };
            options.insert(key, value);
        }
        Ok(options)
    }
}

impl Default for Listen {
    fn default() -> Self {
        let any = |port| vec![SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, port))];
        Listen {
            c2s: any(5222),
            c2s_tls: any(5223),
            c2s_plain_loopback: Vec::new(),
            https: Vec::new(),
            http_loopback: vec![SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, 5280))],
        }
    }
}

impl Config {
    /// Reads a file; relative paths in it start at its folder.
    pub(crate) fn load(path: &Path) -> Result<Config, ConfigError> {
        let unreadable = |error: std::io::Error| ConfigError::Unreadable {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        let folder = std::path::absolute(path).map_err(unreadable)?;
        Config::parse(&text, folder.parent().unwrap_or(Path::new("/")))
    }

    /// Reads a configuration whose relative paths start at `folder`.
    pub(crate) fn parse(text: &str, folder: &Path) -> Result<Config, ConfigError> {
        let reader = Reader { text };
        let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
            line: error.span().map_or(1, |span| reader.line(span.start)),
            text: error.message().to_owned(),
        })?;
        let mut domains = None;
        let mut data_dir = None;
        let mut config = Config {
            domains: Vec::new(),
            data_dir: PathBuf::new(),
            listen: Listen::default(),
            certificate: None,
            key: None,
            registration: Registration::default(),
            options: BTreeMap::new(),
        };
        for entry in table.get_ref().iter() {
            reader.known("", entry, KEYS)?;
            let value = entry.1;
            match entry.0.get_ref().as_ref() {
                "domains" => {
                    domains = Some(
                        reader
                            .texts("domains", value)?
                            .into_iter()
                            .map(|(text, _)| text)
                            .collect::<Vec<_>>(),
                    );
                }
                "data_dir" => data_dir = Some(folder.join(reader.text("data_dir", value)?)),
                "listen" => config.listen = reader.listen(reader.section("listen", value)?)?,
                "registration" => {
                    config.registration =
                        reader.registration(reader.section("registration", value)?)?;
                }
                "options" => config.options = reader.options(reader.section("options", value)?)?,
                _ => {
                    for entry in reader.section("tls", value)?.iter() {
                        reader.known("tls", entry, TLS_KEYS)?;
                        let key = entry.0.get_ref().as_ref();
                        let path = Some(folder.join(reader.text(&format!("tls.{key}"), entry.1)?));
                        *(if key == "key" {
                            &mut config.key
                        } else {
                            &mut config.certificate
                        }) = path;
                    }
                }
            }
        }
        config.domains = domains
            .filter(|domains| !domains.is_empty())
            .ok_or(ConfigError::Missing("domains"))?;
        config.data_dir = data_dir.ok_or(ConfigError::Missing("data_dir"))?;
        config
            .certificate
            .is_some()
            .eq(&config.key.is_some())
            .then_some(())
            .ok_or(ConfigError::Missing("tls.certificate and tls.key, both"))?;
        Ok(config)
    }

    /// Whether something listens that needs a certificate.
    pub(crate) fn needs_certificate(&self) -> bool {
        !(self.listen.c2s.is_empty()
            && self.listen.c2s_tls.is_empty()
            && self.listen.https.is_empty())
    }

    /// The socket for admin commands.
    pub(crate) fn admin_socket(&self) -> PathBuf {
        self.data_dir.join("admin.sock")
    }
}

/// The known word that is most like `word`, if any is near.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let best = known
        .iter()
        .map(|&candidate| (distance(word, candidate), candidate))
        .min()?;
    (best.0 <= 1 + word.chars().count() / 3).then_some(best.1)
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, &to) in b.iter().enumerate() {
            let change = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(text, Path::new("/srv/waxwing"))
    }

    const LEAST: &str = "domains = [\"example.org\"]\ndata_dir = \"data\"\n";

    #[test]
    fn defaults_and_relative_paths() {
        let config = parse(LEAST).unwrap();
        assert_eq!(config.data_dir, Path::new("/srv/waxwing/data"));
        assert_eq!(config.listen, Listen::default());
        assert_eq!(config.registration, Registration::Invite);
    }

    #[test]
    fn the_example_is_a_configuration() {
        let config = parse(&format!(
            "{EXAMPLE}{}",
            waxwing_server::generate::option_example()
        ))
        .unwrap();
        assert_eq!(config.domains, ["example.org"]);
    }

    #[test]
    fn an_unknown_key_suggests_the_nearest() {
        let error = parse(&format!("{LEAST}\n[listen]\nc2s_tsl = []\n")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 5: there is no key 'listen.c2s_tsl'; did you mean 'listen.c2s_tls'?"
        );
        let error = parse("domain = []").unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 1: there is no key 'domain'; did you mean 'domains'?"
        );
        let error = parse(&format!("{LEAST}zzzzzzz = 1")).unwrap_err();
        assert_eq!(error.to_string(), "line 3: there is no key 'zzzzzzz'");
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        for (text, said) in [
            (
                "domains = 5\n",
                "line 1: 'domains' must be a list of texts, not a value of the type integer",
            ),
            ("data_dir = \"x\"\n", "the key 'domains' is missing"),
            (
                "domains = []\ndata_dir = \"x\"\n",
                "the key 'domains' is missing",
            ),
            (
                "domains = [\"a.example\"]\ndata_dir = \"x\"\n[registration]\nmode = \"free\"\n",
                "line 4: 'registration.mode' must be \"open\", \"invite\" or \"closed\", not \"free\"",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), said);
        }
        let outside = parse(&format!(
            "{LEAST}[listen]\nc2s_plain_loopback = [\"192.0.2.1:5222\"]\n"
        ))
        .unwrap_err();
        assert!(outside.to_string().starts_with(
            "line 4: 'listen.c2s_plain_loopback' takes only addresses of this machine"
        ));
        assert!(matches!(
            parse("domains = [").unwrap_err(),
            ConfigError::Syntax { line: 1, .. }
        ));
    }
}
