//! What is written for people. Nothing that somebody typed, or that stands in a file, may do something to their
//! terminal: control characters are shown, not sent.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::OnceLock;

use serde_json::{Value, json};
use waxwing_stanza::xep::xep_0082_datetime::DateTime;

use crate::Outcome;
use crate::outside::unix_micros;

/// What shells add to the number of a signal that ended a program.
const SIGNALLED: u8 = 128;

/// How an error is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// For people.
    Text,
    /// One line of JSON, `--json`.
    Json,
    /// A line of the log in JSON, `--log-format json`.
    Log,
}

/// The first error of standard output. What was to be written then is lost, and the command goes on to its end.
static UNWRITTEN: OnceLock<io::Error> = OnceLock::new();

/// Writes a line to standard output.
pub(crate) fn say(line: &str) {
    write(format!("{}\n", plain(line)).as_bytes());
}

/// Writes a result as one line of JSON.
pub(crate) fn say_json(value: &Value) {
    write(format!("{}\n", json_line(value)).as_bytes());
}

/// Writes to standard output.
pub(crate) fn write(bytes: &[u8]) {
    let mut out = io::stdout();
    note(out.write_all(bytes).and_then(|()| out.flush()));
}

/// Remembers that something could not be written to standard output; a reader that is gone, such as `head`, is no
/// error of ours.
pub(crate) fn note(written: io::Result<()>) {
    if let Err(error) = written
        && error.kind() != ErrorKind::BrokenPipe
    {
        // Only the first is told.
        let _first = UNWRITTEN.set(error);
    }
}

/// Says how a command ended, on standard error where it was not done; the exit code.
pub(crate) fn conclude(outcome: Outcome, manner: Manner) -> u8 {
    let unwritten = |error: &io::Error| format!("the result cannot be written: {error}");
    let outcome = match (outcome, UNWRITTEN.get()) {
        (Outcome::Done, Some(error)) => {
            Outcome::Failed(format!("{}; what was asked for was done", unwritten(error)))
        }
        (Outcome::Found, Some(error)) => Outcome::Failed(unwritten(error)),
        (Outcome::Failed(text), Some(error)) => {
            Outcome::Failed(format!("{text}; {}", unwritten(error)))
        }
        (Outcome::Refused(text), Some(error)) => {
            Outcome::Refused(format!("{text}; {}", unwritten(error)))
        }
        (outcome, _) => outcome,
    };
    let (blame, text, code) = match outcome {
        Outcome::Done => return 0,
        Outcome::Found => return 1,
        Outcome::Told => return 2,
        Outcome::Interrupted(signal) => return SIGNALLED.saturating_add(signal),
        Outcome::Failed(text) => ("environment", text, 1),
        Outcome::Refused(text) => ("caller", text, 1),
        Outcome::Misused(text) => ("caller", text, 2),
    };
    let mut stderr = io::stderr();
    let _closed = if manner == Manner::Json {
        let error = json!({ "error": { "blame": blame, "text": text } });
        writeln!(stderr, "{}", json_line(&error))
    } else if manner == Manner::Log {
        let at = DateTime::from_unix_micros(unix_micros()).to_string();
        let fields = json!({ "message": "the server does not run", "blame": blame, "error": text });
        let line = json!({ "timestamp": at, "level": "ERROR", "fields": fields });
        writeln!(stderr, "{}", json_line(&line))
    } else if stderr.is_terminal() {
        writeln!(stderr, "\u{1b}[31merror:\u{1b}[0m {}", plain(&text))
    } else {
        writeln!(stderr, "error: {}", plain(&text))
    };
    code
}

/// Whether a terminal may do something else with the character than to show it: controls, and what changes the
/// direction of text (Unicode TR 36 §2.10).
fn is_active(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// The text with such characters escaped; lines stay.
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push(c),
            c if is_active(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

fn json_line(value: &Value) -> String {
    let mut out = String::new();
    for c in value.to_string().chars() {
        if is_active(c) {
            // They stand in texts only, where this is how JSON writes them; all are below U+10000.
            let _written = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_but_text() {
        assert_eq!(
            plain("a\u{1b}[31mb\r\nc\u{9b}d\u{7f}"),
            "a\\u{1b}[31mb\\u{d}\nc\\u{9b}d\\u{7f}"
        );
        assert_eq!(plain("bücher 例え"), "bücher 例え");
        assert_eq!(plain("\u{202e}gnp.exe"), "\\u{202e}gnp.exe");
        let value = json!({ "text": "a\u{1b}\u{9b}\u{202e}\"\n" });
        let line = json_line(&value);
        assert!(!line.chars().any(is_active), "{line}");
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), value);
    }
}
