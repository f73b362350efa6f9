//! The log: lines on standard error, filtered by an environment variable.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::cli::LogFormat;
use crate::config::nearest;

/// Environment variable with the filter, `info` by default.
const FILTER: &str = "WAXWING_LOG";
/// What holds by default. That a request to the object store is tried again, the library tells at INFO.
const DEFAULT: &str = "info,object_store=warn";
const LEVELS: &[&str] = &["off", "error", "warn", "info", "debug", "trace"];

/// Begins to log. A filter that is none is told, and `info` holds.
pub(crate) fn start(format: LogFormat) {
    let asked = std::env::var_os(FILTER).map(|value| value.to_string_lossy().into_owned());
    let filter = match asked.as_deref() {
        None | Some("") => Ok(EnvFilter::new(DEFAULT)),
        Some(text) => read(text),
    };
    let (filter, refused) = match filter {
        Ok(filter) => (filter, None),
        Err(why) => (EnvFilter::new(DEFAULT), Some(why)),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    match format {
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => builder.json().init(),
    }
    if let Some(why) = refused {
        tracing::warn!("{FILTER} is not followed, and the level is info: {why}");
    }
}

/// Why a filter is none; what it says of it does nothing to a terminal.
#[derive(Debug, thiserror::Error)]
enum FilterError {
    /// A word that is neither a level nor a part of the program.
    #[error("'{word}' is none of {}{meant}", LEVELS.join(", "))]
    Word {
        /// The word.
        word: String,
        /// The level that was probably meant, as a question.
        meant: String,
    },
    /// Something else that the library does not read.
    #[error("'{text}' cannot be read: {why}; write it like 'info' or 'info,waxwing_server=debug'")]
    Unreadable {
        /// All of it.
        text: String,
        /// The library's words.
        why: String,
    },
}

/// Reads a filter: levels, and levels of parts of the program.
fn read(text: &str) -> Result<EnvFilter, FilterError> {
    for word in text.split(',').map(str::trim) {
        // The library takes such a word for a part of that name, and would silence all others.
        let is_part = word.contains(['=', '[']) || word.starts_with("waxwing");
        let is_level = LEVELS.contains(&word.to_ascii_lowercase().as_str());
        if !is_part && !is_level {
            let meant = nearest(&word.to_ascii_lowercase(), LEVELS);
            let meant =
                meant.map_or_else(String::new, |level| format!("; did you mean '{level}'?"));
            let word = crate::terminal::plain(word);
            return Err(FilterError::Word { word, meant });
        }
    }
    let words: Vec<_> = text.split(',').map(str::trim).collect();
    EnvFilter::try_new(words.join(",")).map_err(|error| FilterError::Unreadable {
        text: crate::terminal::plain(text),
        why: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_is_none_is_told() {
        for text in [
            "debug",
            "OFF",
            "info,waxwing_server=debug",
            "warn, waxwing_store=trace",
            "waxwing",
        ] {
            assert!(read(text).is_ok(), "{text}");
        }
        for (text, said) in [
            (
                "debgu",
                "'debgu' is none of off, error, warn, info, debug, trace; did you mean 'debug'?",
            ),
            ("info,,", "'' is none of"),
            ("\u{1b}[2J", "cannot be read"),
            ("waxwing=loud", "write it like 'info'"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
            assert!(!error.contains(char::is_control), "{error:?}");
        }
    }
}
