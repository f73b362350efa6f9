//! Settings of features: name, type, default, unit and what they do, said once.
//!
//! Length: each kind of setting is a few lines here, and a test.

use std::collections::BTreeMap;
use std::net::IpAddr;

use waxwing_stanza::BareJid;
use waxwing_stanza::jid::prepare_domain;

/// The value of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptionValue {
    /// A yes or no.
    Flag(bool),
    /// A whole number in the option's unit.
    Number(u64),
    /// A text.
    Text(String),
    /// Several texts.
    Texts(Vec<String>),
}

/// A default that can stand in a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionDefault {
    /// A yes or no.
    Flag(bool),
    /// A whole number with the least and greatest allowed.
    Number {
        /// Value.
        value: u64,
        /// Least allowed.
        min: u64,
        /// Greatest allowed.
        max: u64,
    },
    /// Addresses as URIs, at most [`URIS_MAX`]; none by default.
    Uris,
    /// Addresses of what is fetched by HTTPS, at most [`URIS_MAX`]; none by default.
    Pages,
    /// Accounts, at most [`ACCOUNTS_MAX`]; none by default.
    Accounts,
    /// One address of a web page, or nothing; none by default.
    Page,
    /// The address below which the HTTP service is, or nothing; none by default.
    Base,
    /// A host name or an IP address, or nothing; none by default.
    Host,
    /// One label of a host name (RFC 1035 §2.3.1), or nothing.
    Label(&'static str),
    /// One of these words, the first by default.
    Choice(&'static [&'static str]),
    /// User parts of addresses, at most [`NAMES_MAX`].
    Names(&'static [&'static str]),
}

/// Most URIs in one option.
pub const URIS_MAX: usize = 20;
/// Most accounts in one option.
pub const ACCOUNTS_MAX: usize = 20;
/// Most names in one option.
pub const NAMES_MAX: usize = 1_000;
/// Most bytes of one of them.
pub const URI_BYTES_MAX: usize = 1_023;

/// A setting of a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionSpec {
    /// Key in the section `[options]` of the configuration file.
    pub name: &'static str,
    /// Type and default.
    pub default: OptionDefault,
    /// Unit, empty for a yes or no.
    pub unit: &'static str,
    /// What it does, one sentence.
    pub doc: &'static str,
}

/// A setting that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    /// No feature has it.
    #[error("there is no option '{0}'")]
    Unknown(String),
    /// Of another type.
    #[error("option '{name}' must be {expected}")]
    Type {
        /// Key.
        name: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// Too small or too great.
    #[error("option '{name}' must lie between {min} and {max} {unit}")]
    Range {
        /// Key.
        name: &'static str,
        /// Least.
        min: u64,
        /// Greatest.
        max: u64,
        /// Unit.
        unit: &'static str,
    },
    /// No address of a web page.
    #[error("option '{name}' must be the address of a web page (https:), or empty, not \"{text}\"")]
    Page {
        /// Key.
        name: &'static str,
        /// What stands there.
        text: String,
    },
    /// No address that a path can be appended to.
    #[error(
        "option '{name}' must be an address to which paths can be appended (https: without ? and #), or empty, not \"{text}\""
    )]
    Base {
        /// Key.
        name: &'static str,
        /// What stands there.
        text: String,
    },
    /// No label of a host name.
    #[error(
        "option '{name}' must be one part of a host name without a dot, or empty, not \"{text}\""
    )]
    Label {
        /// Key.
        name: &'static str,
        /// What stands there.
        text: String,
    },
    /// None of the words that there are.
    #[error("option '{name}' must be one of {words}, not \"{text}\"")]
    Choice {
        /// Key.
        name: &'static str,
        /// What it can be.
        words: String,
        /// What stands there.
        text: String,
    },
    /// No account, or one too many.
    #[error(
        "option '{name}' must be a list of at most {ACCOUNTS_MAX} accounts, like admin@example.org, not \"{text}\""
    )]
    Account {
        /// Key.
        name: &'static str,
        /// What stands there.
        text: String,
    },
    /// No host.
    #[error(
        "option '{name}' must be a host name or an IP address, like relay.example.org or 192.0.2.1, or an empty text, not \"{text}\""
    )]
    Host {
        /// Key.
        name: &'static str,
        /// What stands there.
        text: String,
    },
    /// No user part of an address, or one too many.
    #[error("option '{name}' must be a list of at most {NAMES_MAX} user names, not \"{text}\"")]
    Name {
        /// Key.
        name: &'static str,
        /// What stands there.
        text: String,
    },
    /// No address of what is fetched by HTTPS, or one too many.
    #[error(
        "option '{name}' must be a list of at most {URIS_MAX} addresses that begin with https://, not \"{text}\""
    )]
    SecurePage {
        /// Key.
        name: &'static str,
        /// The first that is none, or one too many.
        text: String,
    },
    /// No URI, one too long, or one too many.
    #[error("option '{name}' must be a list of at most {URIS_MAX} URIs, not \"{text}\"")]
    Uri {
        /// Key.
        name: &'static str,
        /// What stands there.
        text: String,
    },
}

impl OptionSpec {
    /// What stands for the option if `given` does, or nothing.
    fn checked(&self, given: Option<&OptionValue>) -> Result<OptionValue, OptionError> {
        match (given, self.default) {
            (None, OptionDefault::Flag(value)) => Ok(OptionValue::Flag(value)),
            (None, OptionDefault::Number { value, .. }) => Ok(OptionValue::Number(value)),
            (None, OptionDefault::Uris | OptionDefault::Pages | OptionDefault::Accounts) => {
                Ok(OptionValue::Texts(Vec::new()))
            }
            (None, OptionDefault::Page | OptionDefault::Base | OptionDefault::Host) => {
                Ok(OptionValue::Text(String::new()))
            }
            (Some(OptionValue::Text(text)), OptionDefault::Base) => self.base(text),
            (Some(OptionValue::Text(text)), OptionDefault::Page) => self.page(text),
            (Some(OptionValue::Text(text)), OptionDefault::Host) => self.host(text),
            (None, OptionDefault::Label(label)) => Ok(OptionValue::Text(label.to_owned())),
            (Some(OptionValue::Text(text)), OptionDefault::Label(_)) => prepared_label(text)
                .map(OptionValue::Text)
                .ok_or_else(|| OptionError::Label {
                    name: self.name,
                    text: text.clone(),
                }),
            (None, OptionDefault::Choice(words)) => {
                let first = words.first().copied().unwrap_or_default();
                Ok(OptionValue::Text(first.to_owned()))
            }
            (Some(OptionValue::Text(text)), OptionDefault::Choice(words)) => {
                self.chosen(words, text)
            }
            (Some(value @ OptionValue::Flag(_)), OptionDefault::Flag(_)) => Ok(value.clone()),
            (Some(&OptionValue::Number(value)), OptionDefault::Number { min, max, .. }) => {
                if (min..=max).contains(&value) {
                    return Ok(OptionValue::Number(value));
                }
                Err(OptionError::Range {
                    name: self.name,
                    min,
                    max,
                    unit: self.unit,
                })
            }
            (None, OptionDefault::Names(names)) => {
                let names = names.iter().map(|name| (*name).to_owned());
                Ok(OptionValue::Texts(names.collect()))
            }
            (Some(OptionValue::Texts(texts)), OptionDefault::Accounts) => {
                accounts(texts).map_err(|text| OptionError::Account {
                    name: self.name,
                    text: text.to_owned(),
                })
            }
            (Some(OptionValue::Texts(texts)), OptionDefault::Names(_)) => self.names(texts),
            (Some(OptionValue::Texts(texts)), OptionDefault::Uris) => self.uris(texts),
            (Some(OptionValue::Texts(texts)), OptionDefault::Pages) => self.pages(texts),
            (Some(_), default) => Err(OptionError::Type {
                name: self.name,
                expected: match default {
                    OptionDefault::Flag(_) => "true or false",
                    OptionDefault::Number { .. } => "a whole number",
                    OptionDefault::Uris
                    | OptionDefault::Pages
                    | OptionDefault::Accounts
                    | OptionDefault::Names(_) => "a list of texts",
                    OptionDefault::Label(_)
                    | OptionDefault::Page
                    | OptionDefault::Base
                    | OptionDefault::Host
                    | OptionDefault::Choice(_) => "a text",
                },
            }),
        }
    }
}

impl OptionSpec {
    /// An address that paths are appended to.
    fn base(&self, text: &str) -> Result<OptionValue, OptionError> {
        if text.is_empty() || is_page(text) && !text.contains(['?', '#']) {
            return Ok(OptionValue::Text(text.trim_end_matches('/').to_owned()));
        }
        Err(OptionError::Base {
            name: self.name,
            text: text.to_owned(),
        })
    }

    fn host(&self, text: &str) -> Result<OptionValue, OptionError> {
        let text = text.to_owned();
        match is_host(&text) {
            true => Ok(OptionValue::Text(text)),
            false => Err(OptionError::Host {
                name: self.name,
                text,
            }),
        }
    }

    fn page(&self, text: &str) -> Result<OptionValue, OptionError> {
        if text.is_empty() || is_page(text) {
            return Ok(OptionValue::Text(text.to_owned()));
        }
        Err(OptionError::Page {
            name: self.name,
            text: text.to_owned(),
        })
    }

    /// So many URIs.
    fn uris(&self, texts: &[String]) -> Result<OptionValue, OptionError> {
        let name = self.name;
        few(texts, is_uri, |text| OptionError::Uri { name, text })
    }

    /// So many addresses of what is fetched by HTTPS.
    fn pages(&self, texts: &[String]) -> Result<OptionValue, OptionError> {
        let is_secure = |text: &str| is_page(text) && text.starts_with("https://");
        let name = self.name;
        few(texts, is_secure, |text| OptionError::SecurePage {
            name,
            text,
        })
    }

    /// User parts as addresses have them.
    fn names(&self, texts: &[String]) -> Result<OptionValue, OptionError> {
        let prepared = texts.iter().enumerate().map(|(at, text)| {
            let jid = BareJid::from_parts(Some(text), "domain.invalid").ok();
            let node = jid.as_ref().and_then(BareJid::node);
            let node = node.filter(|_| at < NAMES_MAX).map(str::to_owned);
            node.ok_or_else(|| OptionError::Name {
                name: self.name,
                text: text.clone(),
            })
        });
        prepared.collect::<Result<_, _>>().map(OptionValue::Texts)
    }

    /// One of the words.
    fn chosen(&self, words: &[&str], text: &str) -> Result<OptionValue, OptionError> {
        if words.contains(&text) {
            return Ok(OptionValue::Text(text.to_owned()));
        }
        Err(OptionError::Choice {
            name: self.name,
            words: words.join(", "),
            text: text.to_owned(),
        })
    }
}

/// Accounts as JIDs write them; or the first that is none, or one too many.
fn accounts(texts: &[String]) -> Result<OptionValue, &str> {
    let prepared = texts.iter().enumerate().map(|(at, text)| {
        let jid: Option<BareJid> = text.parse().ok().filter(|_| at < ACCOUNTS_MAX);
        let jid = jid.filter(|jid| jid.node().is_some());
        jid.map(|jid| jid.to_string()).ok_or(text.as_str())
    });
    prepared.collect::<Result<_, _>>().map(OptionValue::Texts)
}

/// So many texts, each of which has to fit; the first that does not, or is one too many, is the error's.
fn few(
    texts: &[String],
    fits: impl Fn(&str) -> bool,
    error: impl FnOnce(String) -> OptionError,
) -> Result<OptionValue, OptionError> {
    let mut numbered = texts.iter().enumerate();
    match numbered.find(|(at, text)| *at >= URIS_MAX || !fits(text)) {
        Some((_, text)) => Err(error(text.clone())),
        None => Ok(OptionValue::Texts(texts.to_vec())),
    }
}

fn is_page(text: &str) -> bool {
    let rest = ["https://", "http://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    is_uri(text) && rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
}

/// One label as JIDs write it; empty for an empty text.
fn prepared_label(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some(String::new());
    }
    let prepared = prepare_domain(text).ok()?.into_owned();
    let is_label = !text.ends_with('.') && !prepared.contains(['.', '[', ':']);
    is_label.then_some(prepared)
}

/// Whether a text is a name that DNS can have, or an address, or nothing.
fn is_host(text: &str) -> bool {
    let is_name = || {
        text.is_ascii()
            && text
                .split('.')
                .all(|label| !label.is_empty() && prepared_label(label).is_some())
    };
    match text.parse::<IpAddr>() {
        // Nobody connects to that.
        Ok(address) => !address.is_unspecified() && !address.is_multicast(),
        Err(_) => text.is_empty() || text.len() <= 253 && is_name(),
    }
}

/// Whether a text has the form of a URI (RFC 3986 §3), as far as a scheme and no character that none may have go.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || "<>\"{}|\\^`".contains(c);
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        && !rest.is_empty()
        && !rest.contains(forbidden)
        && text.len() <= URI_BYTES_MAX
}

/// Checked settings of all features.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options(BTreeMap<&'static str, OptionValue>);

impl Options {
    /// Checks `given` against `specs` and fills in defaults.
    pub fn new<'a>(
        specs: impl Iterator<Item = &'a OptionSpec>,
        given: &BTreeMap<String, OptionValue>,
    ) -> Result<Options, OptionError> {
        let mut options = BTreeMap::new();
        for spec in specs {
            let value = spec.checked(given.get(spec.name))?;
            options.insert(spec.name, value);
        }
        match given
            .keys()
            .find(|name| !options.contains_key(name.as_str()))
        {
            Some(unknown) => Err(OptionError::Unknown(unknown.clone())),
            None => Ok(Options(options)),
        }
    }

    /// A number; 0 for an option that does not exist, which the registry's test rules out.
    pub fn number(&self, spec: &OptionSpec) -> u64 {
        match self.0.get(spec.name) {
            Some(OptionValue::Number(value)) => *value,
            _ => 0,
        }
    }

    /// Texts; none for an option that does not exist.
    pub fn texts(&self, spec: &OptionSpec) -> &[String] {
        match self.0.get(spec.name) {
            Some(OptionValue::Texts(texts)) => texts,
            _ => &[],
        }
    }

    /// A text; empty for an option that does not exist.
    pub fn text(&self, spec: &OptionSpec) -> &str {
        match self.0.get(spec.name) {
            Some(OptionValue::Text(text)) => text,
            _ => "",
        }
    }

    /// The same with what one domain sets for itself.
    pub(crate) fn with<'a>(
        &self,
        specs: impl Iterator<Item = &'a OptionSpec>,
        given: &BTreeMap<String, OptionValue>,
    ) -> Result<Options, OptionError> {
        let own = Options::new(specs, given)?;
        let own = own
            .0
            .into_iter()
            .filter(|(name, _)| given.contains_key(*name));
        let mut options = self.clone();
        options.0.extend(own);
        Ok(options)
    }

    /// A yes or no.
    pub fn flag(&self, spec: &OptionSpec) -> bool {
        matches!(self.0.get(spec.name), Some(OptionValue::Flag(true)))
    }
}

#[cfg(test)]
mod tests;
