//! What is wrong with a configuration file.

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

fn suggestion(nearest: Option<&str>) -> String {
    nearest
        .map(|nearest| format!("; did you mean '{nearest}'?"))
        .unwrap_or_default()
}
