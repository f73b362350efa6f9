//! The command `waxwing push list`: asks the running server, shows the answer.

use serde_json::{Value, json};
use waxwing_stanza::xep::xep_0082_datetime::DateTime;

use crate::accounts::ask;
use crate::cli::Push;
use crate::config::Config;
use crate::terminal::plain;
use crate::{Outcome, say, say_json};

/// Runs it.
pub(crate) fn run(config: &Config, command: Push) -> Outcome {
    let Push::List { jid, output } = command;
    let args = json!({ "jid": jid });
    ask(config, "push list", args, |result| match output.json {
        true => say_json(result),
        false => show(result),
    })
}

fn show(result: &Value) {
    let services = result.get("services").and_then(Value::as_array);
    let services = services.map(Vec::as_slice).unwrap_or_default();
    if services.is_empty() {
        return say("No device of this account has asked for notifications.");
    }
    for service in services {
        say(&line(service));
    }
}

/// A push service, its device first.
fn line(service: &Value) -> String {
    let text = |key: &str| service.get(key).and_then(Value::as_str).unwrap_or_default();
    let device = match text("device") {
        "" => text("resource"),
        device => device,
    };
    let mut line = format!(
        "{}  {}  {} {}",
        plain(device),
        text("state"),
        plain(text("app_server")),
        plain(text("node"))
    );
    if !text("host").is_empty() {
        line.push_str(&format!(" at {}", plain(text("host"))));
    }
    let number = |key: &str| service.get(key).and_then(Value::as_u64);
    let at = |secs: u64| DateTime::from_unix_micros(secs.saturating_mul(1_000_000));
    if let Some(secs) = number("succeeded_secs") {
        line.push_str(&format!("  worked {}", at(secs)));
    }
    let errors = number("errors").unwrap_or(0);
    if errors > 0 {
        let last = number("failed_secs").map(|secs| format!(", last {}", at(secs)));
        let last = last.unwrap_or_default();
        line.push_str(&format!("  ({errors} in a row: {}{last})", text("reason")));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_it_goes() {
        let service = json!({
            "app_server": "push.example", "node": "n\u{1b}", "device": null, "resource": "phone",
            "state": "failing", "errors": 2, "reason": "late", "host": "push.example.net",
            "succeeded_secs": 1_800_000_000, "failed_secs": 1_800_003_600,
        });
        let shown = line(&service);
        assert!(
            shown.starts_with("phone  failing  push.example n")
                && shown.contains(" at push.example.net  worked 2027-"),
            "{shown}"
        );
        assert!(
            shown.ends_with("(2 in a row: late, last 2027-01-15T09:00:00Z)")
                && !shown.contains('\u{1b}'),
            "{shown}"
        );
    }
}
