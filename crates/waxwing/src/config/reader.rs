//! The values of a configuration file, each read with its key and its line.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use waxwing_server::options::{ACCOUNTS_MAX, NAMES_MAX, OptionError, URIS_MAX};
use waxwing_server::settings::check_option;
use waxwing_server::{OptionValue, Registration};

use super::unique::{self, Place};
use crate::proxy::{Announcing, Network};

use super::sections::KEYS as DOMAIN_KEYS;
use super::{ConfigError, Listen, Web, nearest};

pub(super) const KEYS: &[&str] = &[
    "domains",
    "data_dir",
    "store",
    "blobs",
    "listen",
    "web",
    "tls",
    "registration",
    "domain",
    "component",
    "external",
    "options",
];
pub(super) const LISTEN_KEYS: &[&str] = &[
    "c2s",
    "c2s_tls",
    "c2s_plain_loopback",
    "components_loopback",
    "components_tls",
    "bytestreams",
    "https",
    "tls",
    "http_loopback",
    "http_proxied",
    "trusted_proxies",
    "proxy_protocol",
];
pub(super) const WEB_KEYS: &[&str] = &["public_url", "allowed_origins"];
pub(super) const TLS_KEYS: &[&str] = &["certificate", "key", "watch_secs"];
pub(super) const REGISTRATION_KEYS: &[&str] = &["mode"];

/// Longest key, and longest text of a value, in bytes: what a path may have. What is wrong with one is said with all
/// of it.
const TEXT_BYTES_MAX: usize = 4_096;

/// The text of a file, whose values say their line when they are wrong.
pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
}

type Entry<'a, 'b> = (
    &'b Spanned<std::borrow::Cow<'a, str>>,
    &'b Spanned<DeValue<'a>>,
);

impl Reader<'_> {
    pub(super) fn line(&self, at: usize) -> usize {
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

    pub(super) fn invalid(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        expected: String,
    ) -> ConfigError {
        ConfigError::Value {
            line: self.line(value.span().start),
            key: key.to_owned(),
            expected,
        }
    }

    /// No key or text is longer than it may be.
    pub(super) fn check_lengths(&self, table: &DeTable<'_>) -> Result<(), ConfigError> {
        for (key, value) in table.iter() {
            let name = key.get_ref().as_ref();
            if name.len() > TEXT_BYTES_MAX {
                let begin: String = name.chars().take(20).collect();
                return Err(self.too_long(&format!("{begin}…"), key.span().start));
            }
            self.check_length(name, value)?;
        }
        Ok(())
    }

    fn check_length(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Result<(), ConfigError> {
        match value.get_ref() {
            DeValue::String(text) if text.len() > TEXT_BYTES_MAX => {
                Err(self.too_long(key, value.span().start))
            }
            DeValue::Array(items) => items
                .iter()
                .try_for_each(|item| self.check_length(key, item)),
            DeValue::Table(table) => self.check_lengths(table),
            _ => Ok(()),
        }
    }

    fn too_long(&self, key: &str, at: usize) -> ConfigError {
        ConfigError::Value {
            line: self.line(at),
            key: key.to_owned(),
            expected: format!("is longer than {TEXT_BYTES_MAX} bytes"),
        }
    }

    pub(super) fn known(
        &self,
        section: &str,
        entry: Entry<'_, '_>,
        keys: &[&str],
    ) -> Result<(), ConfigError> {
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

    pub(super) fn section<'a, 'b>(
        &self,
        key: &str,
        value: &'b Spanned<DeValue<'a>>,
    ) -> Result<&'b DeTable<'a>, ConfigError> {
        match value.get_ref() {
            DeValue::Table(table) => Ok(table),
            _ => Err(self.wrong(key, value, "a section")),
        }
    }

    pub(super) fn text(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<String, ConfigError> {
        match value.get_ref() {
            DeValue::String(text) if text.is_empty() => {
                Err(self.invalid(key, value, "must not be empty".to_owned()))
            }
            DeValue::String(text) => Ok(text.to_string()),
            _ => Err(self.wrong(key, value, "a text")),
        }
    }

    pub(super) fn number(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        range: RangeInclusive<u64>,
    ) -> Result<u64, ConfigError> {
        let DeValue::Integer(number) = value.get_ref() else {
            return Err(self.wrong(key, value, "a whole number"));
        };
        u64::from_str_radix(number.as_str(), number.radix())
            .ok()
            .filter(|number| range.contains(number))
            .ok_or_else(|| {
                let text = format!("must lie between {} and {}", range.start(), range.end());
                self.invalid(key, value, text)
            })
    }

    pub(super) fn texts<'a, 'b>(
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
    ) -> Result<Vec<Place>, ConfigError> {
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
            addresses.push(Place {
                key: key.to_owned(),
                address,
                line: Some(self.line(item.span().start)),
            });
        }
        Ok(addresses)
    }

    pub(super) fn listen(&self, table: &DeTable<'_>) -> Result<Listen, ConfigError> {
        let mut listen = Listen::default();
        let (mut written, mut keys) = (Vec::new(), Vec::new());
        for entry in table.iter() {
            self.known("listen", entry, LISTEN_KEYS)?;
            let key = entry.0.get_ref().as_ref();
            let place = match key {
                "c2s" => &mut listen.c2s,
                "c2s_tls" => &mut listen.c2s_tls,
                "c2s_plain_loopback" => &mut listen.c2s_plain_loopback,
                "components_loopback" => &mut listen.components_loopback,
                "components_tls" => &mut listen.components_tls,
                "bytestreams" => &mut listen.bytestreams,
                "https" => &mut listen.https,
                "tls" => &mut listen.tls,
                "http_loopback" => &mut listen.http_loopback,
                "http_proxied" => &mut listen.http_proxied,
                "trusted_proxies" => {
                    listen.proxies.trusted = self.networks("listen.trusted_proxies", entry.1)?;
                    continue;
                }
                _ => {
                    listen.proxies.announcing =
                        self.announcing("listen.proxy_protocol", entry.1)?;
                    continue;
                }
            };
            let addresses = self.addresses(
                &format!("listen.{key}"),
                entry.1,
                key.ends_with("_loopback"),
            )?;
            *place = addresses.iter().map(|place| place.address).collect();
            written.extend(addresses);
            keys.push(format!("listen.{key}"));
        }
        unique::check(&listen, &written, &keys)?;
        Ok(listen)
    }

    fn networks(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<Vec<Network>, ConfigError> {
        let texts = self.texts(key, value)?.into_iter();
        texts
            .map(|(text, item)| {
                text.parse().map_err(|_| {
                    let text = format!("must be addresses or networks, like \"127.0.0.1\" or \"10.0.0.0/8\", not \"{text}\"");
                    self.invalid(key, item, text)
                })
            })
            .collect()
    }

    fn announcing(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<Vec<Announcing>, ConfigError> {
        let texts = self.texts(key, value)?.into_iter();
        texts
            .map(|(text, item)| {
                let known = Announcing::ALL.iter().find(|(name, _)| *name == text);
                let known = known.map(|(_, listener)| *listener);
                known.ok_or_else(|| {
                    let text = format!(
                        "must be of \"c2s\", \"c2s_tls\", \"https\" and \"tls\", not \"{text}\""
                    );
                    self.invalid(key, item, text)
                })
            })
            .collect()
    }

    pub(super) fn web(&self, table: &DeTable<'_>) -> Result<Web, ConfigError> {
        let mut web = Web::default();
        for entry in table.iter() {
            self.known("web", entry, WEB_KEYS)?;
            if entry.0.get_ref() == "public_url" {
                let url = self.text("web.public_url", entry.1)?;
                if !url.is_empty() {
                    let url = self.url("web.public_url", entry.1, &url)?;
                    web.public_url = Some(url.trim_end_matches('/').to_owned());
                }
                continue;
            }
            for (origin, item) in self.texts("web.allowed_origins", entry.1)? {
                let key = "web.allowed_origins";
                if origin != "*" && self.url(key, item, &origin)?.matches('/').count() != 2 {
                    let text = format!("takes no paths; \"{origin}\" has one");
                    return Err(self.invalid(key, item, text));
                }
                web.allowed_origins.push(origin);
            }
        }
        Ok(web)
    }

    fn url(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        url: &str,
    ) -> Result<String, ConfigError> {
        let rest = url
            .strip_prefix("https://")
            .or_else(|| url.strip_prefix("http://"));
        let well = |rest: &str| {
            !rest.is_empty()
                && !rest.starts_with(['/', ':'])
                && rest
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-._~:/[]%".contains(&b))
        };
        if rest.is_some_and(well) {
            return Ok(url.to_owned());
        }
        let text = format!("must be like \"https://chat.example.org\", not \"{url}\"");
        Err(self.invalid(key, value, text))
    }

    pub(super) fn registration(&self, table: &DeTable<'_>) -> Result<Registration, ConfigError> {
        let mut registration = Registration::default();
        for entry in table.iter() {
            self.known("registration", entry, REGISTRATION_KEYS)?;
            registration = self.registration_mode("registration.mode", entry.1)?;
        }
        Ok(registration)
    }

    pub(super) fn registration_mode(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<Registration, ConfigError> {
        let text = self.text(key, value)?;
        let known = Registration::NAMES.iter().find(|(name, _)| *name == text);
        known.map(|(_, mode)| *mode).ok_or_else(|| {
            let more = match text.as_str() {
                "invite" => "; it did what \"closed\" does, until there are invitations",
                _ => "",
            };
            let text = format!("must be \"open\" or \"closed\", not \"{text}\"{more}");
            self.invalid(key, value, text)
        })
    }

    pub(super) fn options(
        &self,
        table: &DeTable<'_>,
    ) -> Result<BTreeMap<String, OptionValue>, ConfigError> {
        let names = waxwing_server::generate::option_names();
        self.options_in("options", table, &names, check_option)
    }

    pub(super) fn options_in(
        &self,
        section: &str,
        table: &DeTable<'_>,
        names: &[&str],
        check: fn(&str, &OptionValue) -> Result<(), OptionError>,
    ) -> Result<BTreeMap<String, OptionValue>, ConfigError> {
        let mut options = BTreeMap::new();
        for entry in table.iter() {
            self.known(section, entry, names)?;
            let name = entry.0.get_ref().to_string();
            // Read by themselves; no option has such a name.
            if DOMAIN_KEYS.contains(&name.as_str()) {
                continue;
            }
            let key = format!("{section}.{name}");
            let value = self.option(&key, entry.1)?;
            check(&name, &value).map_err(|error| self.invalid(&key, entry.1, expected(&error)))?;
            options.insert(name, value);
        }
        Ok(options)
    }

    fn option(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Result<OptionValue, ConfigError> {
        match value.get_ref() {
            DeValue::Boolean(value) => Ok(OptionValue::Flag(*value)),
            DeValue::String(value) => Ok(OptionValue::Text(value.to_string())),
            DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix())
                .map(OptionValue::Number)
                .map_err(|_| {
                    let text = "must be a whole number that is not negative".to_owned();
                    self.invalid(key, value, text)
                }),
            DeValue::Array(_) => {
                let texts = self.texts(key, value)?;
                Ok(OptionValue::Texts(
                    texts.into_iter().map(|(text, _)| text).collect(),
                ))
            }
            _ => Err(self.wrong(
                key,
                value,
                "a number, a text, a list of texts, true or false",
            )),
        }
    }
}

/// What an option must be, without its name.
fn expected(error: &OptionError) -> String {
    match error {
        OptionError::Type { expected, .. } => format!("must be {expected}"),
        OptionError::Range { min, max, unit, .. } => {
            format!("must lie between {min} and {max} {unit}")
        }
        OptionError::Uri { text, .. } => {
            format!(
                "must be a list of at most {URIS_MAX} URIs, like \"mailto:abuse@example.org\", not \"{text}\""
            )
        }
        OptionError::SecurePage { text, .. } => {
            format!(
                "must be a list of at most {URIS_MAX} addresses that begin with https://, not \"{text}\""
            )
        }
        OptionError::Name { text, .. } => {
            format!(
                "must be a list of at most {NAMES_MAX} user names, like \"admin\", not \"{text}\""
            )
        }
        OptionError::Page { text, .. } => {
            format!(
                "must be the address of a web page, like \"https://example.org/join\", or an empty text, not \"{text}\""
            )
        }
        OptionError::Base { text, .. } => {
            format!(
                "must be an address to which paths can be appended, like \"https://chat.example.org\", or an empty text, not \"{text}\""
            )
        }
        OptionError::Label { text, .. } => {
            format!(
                "must be one part of a host name without a dot, like \"conference\", or an empty text, not \"{text}\""
            )
        }
        OptionError::Choice { words, text, .. } => {
            format!("must be one of {words}, not \"{text}\"")
        }
        OptionError::Account { text, .. } => format!(
            "must be a list of at most {ACCOUNTS_MAX} accounts, like \"admin@example.org\", not \"{text}\""
        ),
        OptionError::Host { .. } => {
            "must be a host name or an IP address, or an empty text".to_owned()
        }
        OptionError::Unknown(_) => "does not exist".to_owned(),
    }
}
