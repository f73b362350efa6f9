//! What is wrong with a configuration file.

use super::reader::Reader;

/// Longest key that is named whole, in bytes, where it stands twice.
const NAMED_BYTES_MAX: usize = 200;

/// Why a configuration file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConfigError {
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(
        /// The system's words.
        String,
    ),
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

impl ConfigError {
    /// What is no TOML; where something stands twice, with its name. It was checked by no length yet.
    pub(super) fn syntax(reader: &Reader<'_>, error: &toml::de::Error) -> ConfigError {
        let span = error.span().unwrap_or_default();
        let line = reader.line(span.start);
        let name = reader.text.get(span).map(str::trim);
        let text = match (error.message(), name) {
            ("duplicate key", Some(name)) if !name.is_empty() && name.len() <= NAMED_BYTES_MAX => {
                format!("'{name}' stands above already; each key and each section stands once")
            }
            (message, _) => message.to_owned(),
        };
        ConfigError::Syntax { line, text }
    }
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest
        .map(|nearest| format!("; did you mean '{nearest}'?"))
        .unwrap_or_default()
}
