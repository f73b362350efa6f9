//! What is written for people. Nothing that somebody typed, or that stands in a file, may do something to their
//! terminal: control characters are shown, not sent.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};

use serde_json::{Value, json};

use crate::Outcome;

/// Writes a line to standard output; a reader that is gone is no error of ours.
pub(crate) fn say(line: &str) {
    let _closed = writeln!(std::io::stdout(), "{}", plain(line));
}

/// Writes a result as one line of JSON.
pub(crate) fn say_json(value: &Value) {
    let _closed = writeln!(std::io::stdout(), "{}", json_line(value));
}

/// Says how a command ended, on standard error where it was not done; the exit code.
pub(crate) fn conclude(outcome: Outcome, in_json: bool) -> u8 {
    let (blame, text, code) = match outcome {
        Outcome::Done => return 0,
        Outcome::Found => return 1,
        Outcome::Failed(text) => ("environment", text, 1),
        Outcome::Refused(text) => ("caller", text, 1),
        Outcome::Misused(text) => ("caller", text, 2),
    };
    let mut stderr = std::io::stderr();
    let _closed = if in_json {
        let error = json!({ "error": { "blame": blame, "text": text } });
        writeln!(stderr, "{}", json_line(&error))
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
