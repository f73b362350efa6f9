//! The commands `waxwing motd …`, `waxwing welcome …` and `waxwing shutdown`: ask the running server, show the answer.

use serde_json::Value;
use waxwing_stanza::xep::xep_0082_datetime::DateTime;

use crate::Outcome;
use crate::accounts::{ask, given};
use crate::cli::{Motd, OfDomain, Said, Shutdown, Welcome};
use crate::config::Config;
use crate::sessions::{counted, number, shown};
use crate::terminal::plain;

/// Runs one of the commands `waxwing motd …`.
pub(crate) fn motd(config: &Config, command: Motd) -> Outcome {
    const WHAT: &str = "message of the day";
    match command {
        Motd::Set(said) => say(config, "motd set", said, "The message of the day is set."),
        Motd::Edit(said) => say(
            config,
            "motd edit",
            said,
            "The message of the day is corrected.",
        ),
        Motd::Show(of) => show(config, "motd show", of, WHAT),
        Motd::Clear(of) => clear(config, "motd clear", of, WHAT),
    }
}

/// Runs one of the commands `waxwing welcome …`.
pub(crate) fn welcome(config: &Config, command: Welcome) -> Outcome {
    const WHAT: &str = "welcome message";
    match command {
        Welcome::Set(said) => say(config, "welcome set", said, "The welcome message is set."),
        Welcome::Show(of) => show(config, "welcome show", of, WHAT),
        Welcome::Clear(of) => clear(config, "welcome clear", of, WHAT),
    }
}

/// `waxwing shutdown`
pub(crate) fn shutdown(config: &Config, order: Shutdown) -> Outcome {
    let args = given([
        ("delay", order.delay.map(Value::from)),
        ("text", order.message.map(Value::from)),
    ]);
    ask(config, "shutdown", args, |result| {
        shown(result, order.output, |result| {
            format!(
                "The server ends in {}. Told: {}.",
                counted(number(result, "delay_secs"), "second"),
                counted(number(result, "sessions"), "session")
            )
        });
    })
}

fn say(config: &Config, name: &str, said: Said, done: &str) -> Outcome {
    let args = given([
        ("text", Some(Value::from(said.text))),
        ("domain", said.of.domain.map(Value::from)),
    ]);
    ask(config, name, args, |result| {
        shown(result, said.of.output, |_| done.to_owned());
    })
}

fn show(config: &Config, name: &str, of: OfDomain, what: &str) -> Outcome {
    let args = given([("domain", of.domain.map(Value::from))]);
    ask(config, name, args, |result| {
        shown(result, of.output, |result| said(result, what));
    })
}

fn clear(config: &Config, name: &str, of: OfDomain, what: &str) -> Outcome {
    let args = given([("domain", of.domain.map(Value::from))]);
    ask(config, name, args, |result| {
        shown(result, of.output, |result| {
            match result.get("cleared").and_then(Value::as_bool) {
                Some(true) => format!("The {what} is removed."),
                _ => format!("There was no {what}."),
            }
        });
    })
}

/// What is said, below the time since when.
fn said(result: &Value, what: &str) -> String {
    let text = |key: &str| result.get(key).and_then(Value::as_str).map(plain);
    let domain = text("domain").unwrap_or_default();
    let Some(said) = text("text") else {
        return format!("{domain} has no {what}.");
    };
    let micros = number(result, "set_micros") / 1_000_000 * 1_000_000;
    let since = DateTime::from_unix_micros(micros);
    format!("The {what} of {domain} since {since}:\n\n{said}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_said_is_shown() {
        let none = json!({ "domain": "a.example", "text": null, "set_micros": null });
        assert_eq!(
            said(&none, "welcome message"),
            "a.example has no welcome message."
        );
        let some = json!({ "domain": "a.example", "text": "Hello\u{1b}\nyou", "set_micros": 1_700_000_000_000_001_u64 });
        let shown = said(&some, "welcome message");
        assert!(
            shown.starts_with(
                "The welcome message of a.example since 2023-11-14T22:13:20Z:\n\nHello"
            )
        );
        assert!(
            shown.ends_with("\nyou") && !shown.contains('\u{1b}'),
            "{shown}"
        );
    }
}
