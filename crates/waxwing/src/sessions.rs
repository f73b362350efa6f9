//! The commands `waxwing session …`, `announce` and `status`: ask the running server, show the answer.

use serde_json::{Value, json};

use crate::accounts::{ask, ask_all, given};
use crate::cli::{Output, Session};
use crate::config::Config;
use crate::terminal::plain;
use crate::{Outcome, say, say_json};

/// Runs one of the commands `waxwing session …`.
pub(crate) fn run(config: &Config, command: Session) -> Outcome {
    match command {
        Session::List {
            account,
            domain,
            output,
        } => {
            let args = given([
                ("jid", account.map(Value::from)),
                ("domain", domain.map(Value::from)),
            ]);
            ask_all(config, "session list", args, "sessions", |result| {
                shown(result, output, listed);
            })
        }
        Session::End { jid, output } => {
            ask(config, "session end", json!({ "jid": jid }), |result| {
                shown(result, output, |result| {
                    format!("Ended: {}.", counted(number(result, "ended"), "session"))
                });
            })
        }
    }
}

/// `waxwing announce`
pub(crate) fn announce(
    config: &Config,
    text: &str,
    domain: Option<String>,
    output: Output,
) -> Outcome {
    let args = given([
        ("text", Some(Value::from(text))),
        ("domain", domain.map(Value::from)),
    ]);
    ask(config, "announce", args, |result| {
        shown(result, output, |result| {
            format!(
                "Sent to {}.",
                counted(number(result, "sessions"), "session")
            )
        });
    })
}

/// `waxwing status`
pub(crate) fn status(config: &Config, domain: Option<String>, output: Output) -> Outcome {
    let args = given([("domain", domain.map(Value::from))]);
    ask(config, "status", args, |result| {
        shown(result, output, |result| {
            format!(
                "{}, {} of them disabled, {} online with {}; up for {} s.",
                counted(number(result, "accounts"), "account"),
                number(result, "disabled"),
                number(result, "online"),
                counted(number(result, "sessions"), "session"),
                number(result, "uptime_secs")
            )
        });
    })
}

pub(crate) fn shown(result: &Value, output: Output, words: impl Fn(&Value) -> String) {
    match output.json {
        true => say_json(result),
        false => say(&words(result)),
    }
}

pub(crate) fn number(value: &Value, key: &str) -> u64 {
    let number = value.get(key).and_then(Value::as_u64);
    number.unwrap_or_default()
}

pub(crate) fn counted(count: u64, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}

fn listed(result: &Value) -> String {
    let all = result.get("sessions").and_then(Value::as_array);
    let all = all.map(Vec::as_slice).unwrap_or_default();
    if all.is_empty() {
        return "Nobody is here.".to_owned();
    }
    let lines = all.iter().map(|session| {
        let jid = session.get("jid").and_then(Value::as_str);
        let jid = plain(jid.unwrap_or_default());
        match session.get("priority").and_then(Value::as_i64) {
            Some(priority) => format!("{jid}  priority {priority}"),
            None => format!("{jid}  not available"),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_lines() {
        let lines = listed(&json!({ "sessions": [
            { "jid": "a@b/c\u{1b}", "priority": -1 }, { "jid": "a@b/d", "priority": null },
        ] }));
        assert!(
            lines.ends_with("priority -1\na@b/d  not available"),
            "{lines}"
        );
        assert!(!lines.contains('\u{1b}'));
        assert_eq!(listed(&json!({ "sessions": [] })), "Nobody is here.");
    }
}
