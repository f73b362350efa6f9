//! Settings of features: name, type, default, unit and what they do, said once.

use std::collections::BTreeMap;

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
    /// One address of a web page, or nothing; none by default.
    Page,
    /// The address below which the HTTP service is, or nothing; none by default.
    Base,
    /// One label of a host name (RFC 1035 §2.3.1), or nothing.
    Label(&'static str),
    /// One of these words, the first by default.
    Choice(&'static [&'static str]),
}

/// Most URIs in one option.
pub const URIS_MAX: usize = 20;
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
            (None, OptionDefault::Uris) => Ok(OptionValue::Texts(Vec::new())),
            (None, OptionDefault::Page | OptionDefault::Base) => {
                Ok(OptionValue::Text(String::new()))
            }
            (Some(OptionValue::Text(text)), OptionDefault::Base) => self.base(text),
            (Some(value @ OptionValue::Text(text)), OptionDefault::Page) => {
                if text.is_empty() || is_page(text) {
                    return Ok(value.clone());
                }
                Err(OptionError::Page {
                    name: self.name,
                    text: text.clone(),
                })
            }
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
            (Some(OptionValue::Texts(texts)), OptionDefault::Uris) => {
                match texts
                    .iter()
                    .enumerate()
                    .find(|(at, text)| *at >= URIS_MAX || !is_uri(text))
                {
                    Some((_, text)) => Err(OptionError::Uri {
                        name: self.name,
                        text: text.clone(),
                    }),
                    None => Ok(OptionValue::Texts(texts.clone())),
                }
            }
            (Some(_), default) => Err(OptionError::Type {
                name: self.name,
                expected: match default {
                    OptionDefault::Flag(_) => "true or false",
                    OptionDefault::Number { .. } => "a whole number",
                    OptionDefault::Uris => "a list of texts",
                    OptionDefault::Label(_)
                    | OptionDefault::Page
                    | OptionDefault::Base
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
mod tests {
    use super::*;

    const HELP: OptionSpec = OptionSpec {
        name: "help",
        default: OptionDefault::Uris,
        unit: "",
        doc: "",
    };

    fn help(uris: &[&str]) -> Result<Options, OptionError> {
        let texts = uris.iter().map(ToString::to_string).collect();
        let given = BTreeMap::from([("help".to_owned(), OptionValue::Texts(texts))]);
        Options::new([HELP].iter(), &given)
    }

    #[test]
    fn uris() {
        let good = [
            "mailto:help@example.org",
            "xmpp:help@example.org",
            "https://example.org/?a=b#c",
        ];
        assert_eq!(help(&good).unwrap().texts(&HELP), good);
        assert_eq!(help(&[]).unwrap().texts(&HELP), [""; 0]);
        let long = format!("a:{}", "b".repeat(URI_BYTES_MAX - 1));
        for bad in [
            "",
            "help@example.org",
            "mailto:",
            "1a:b",
            "a:b c",
            "a:<b",
            "ä:b",
            &long,
        ] {
            let text = bad.to_owned();
            let error = OptionError::Uri { name: "help", text };
            assert_eq!(help(&[good[0], bad]), Err(error));
        }
        assert!(help(&[&long[..URI_BYTES_MAX]]).is_ok());
        assert!(help(&["a:b"; URIS_MAX]).is_ok());
        assert!(help(&["a:b"; URIS_MAX + 1]).is_err());
    }

    #[test]
    fn pages() {
        const PAGE: OptionSpec = OptionSpec {
            name: "page",
            default: OptionDefault::Page,
            unit: "",
            doc: "",
        };
        let page = |text: &str| {
            let given = BTreeMap::from([("page".to_owned(), OptionValue::Text(text.to_owned()))]);
            let options = Options::new([PAGE].iter(), &given);
            options.map(|options| options.text(&PAGE).to_owned())
        };
        for good in ["", "https://a.example/?b=c", "http://[::1]:8080/"] {
            assert_eq!(page(good).as_deref(), Ok(good));
        }
        for bad in [
            "a.example",
            "https://",
            "https:///a",
            "mailto:a@b.example",
            "https://a b",
        ] {
            let text = bad.to_owned();
            assert_eq!(page(bad), Err(OptionError::Page { name: "page", text }));
        }
    }

    #[test]
    fn bases() {
        const BASE: OptionSpec = OptionSpec {
            name: "base",
            default: OptionDefault::Base,
            unit: "",
            doc: "",
        };
        let base = |text: &str| {
            let given = BTreeMap::from([("base".to_owned(), OptionValue::Text(text.to_owned()))]);
            let options = Options::new([BASE].iter(), &given);
            options.map(|options| options.text(&BASE).to_owned())
        };
        assert_eq!(base("").as_deref(), Ok(""));
        assert_eq!(
            base("https://a.example/x//").as_deref(),
            Ok("https://a.example/x")
        );
        for bad in [
            "a.example",
            "https://a.example/?b=c",
            "https://a.example/x#y",
        ] {
            let text = bad.to_owned();
            assert_eq!(base(bad), Err(OptionError::Base { name: "base", text }));
        }
    }

    #[test]
    fn labels() {
        const HOST: OptionSpec = OptionSpec {
            name: "host",
            default: OptionDefault::Label("rooms"),
            unit: "",
            doc: "",
        };
        let host = |text: &str| {
            let given = BTreeMap::from([("host".to_owned(), OptionValue::Text(text.to_owned()))]);
            let options = Options::new([HOST].iter(), &given);
            options.map(|options| options.text(&HOST).to_owned())
        };
        for (text, label) in [
            ("", ""),
            ("Conference", "conference"),
            ("R\u{E4}ume", "r\u{E4}ume"),
        ] {
            assert_eq!(host(text).as_deref(), Ok(label));
        }
        let long = "a".repeat(64);
        for bad in ["a.b", "a.", ".", "a b", "a@b", "a_b", "[::1]", "-", &long] {
            let text = bad.to_owned();
            assert_eq!(host(bad), Err(OptionError::Label { name: "host", text }));
        }
        let options = Options::new([HOST].iter(), &BTreeMap::new()).unwrap();
        assert_eq!(options.text(&HOST), "rooms");
    }

    #[test]
    fn choices() {
        const KEEP: OptionSpec = OptionSpec {
            name: "keep",
            default: OptionDefault::Choice(&["all", "none"]),
            unit: "",
            doc: "",
        };
        let keep = |given: &[&str]| {
            let given = given
                .iter()
                .map(|text| ("keep".to_owned(), OptionValue::Text((*text).to_owned())));
            let options = Options::new([KEEP].iter(), &given.collect());
            options.map(|options| options.text(&KEEP).to_owned())
        };
        assert_eq!(keep(&[]).as_deref(), Ok("all"));
        assert_eq!(keep(&["none"]).as_deref(), Ok("none"));
        for bad in ["", "All", "some"] {
            let text = bad.to_owned();
            let words = "all, none".to_owned();
            let name = "keep";
            assert_eq!(keep(&[bad]), Err(OptionError::Choice { name, words, text }));
        }
    }

    #[test]
    fn a_domain_sets_its_own() {
        let all = help(&["a:all"]).unwrap();
        let own = OptionValue::Texts(vec!["a:own".to_owned()]);
        let own = BTreeMap::from([("help".to_owned(), own)]);
        let set = |given| all.with([HELP].iter(), given).unwrap();
        assert_eq!(set(&own).texts(&HELP), ["a:own"]);
        assert_eq!(set(&BTreeMap::new()).texts(&HELP), ["a:all"]);
        let error = all.with([].iter(), &own);
        assert_eq!(error, Err(OptionError::Unknown("help".to_owned())));
    }
}
