//! The commands `waxwing report …`: ask the running server, show the answer.

use serde_json::{Value, json};
use waxwing_stanza::xep::xep_0082_datetime::DateTime;

use crate::accounts;
use crate::cli::Report;
use crate::config::Config;
use crate::terminal::plain;
use crate::{Outcome, say, say_json};

/// Runs one.
pub(crate) fn run(config: &Config, command: Report) -> Outcome {
    let (name, args, output, show): (_, _, _, fn(&Value) -> String) = match command {
        Report::List { domain, output } => {
            let args = domain.map_or_else(|| json!({}), |domain| json!({ "domain": domain }));
            return accounts::ask_all(config, "report list", args, "reports", |result| {
                say_as(output.json, result, listed);
            });
        }
        Report::Show { id, output } => ("report show", json!({ "id": id }), output, whole),
        Report::Dismiss { id, output } => {
            ("report dismiss", json!({ "id": id }), output, dismissed)
        }
    };
    accounts::ask(config, name, args, |result| {
        say_as(output.json, result, show);
    })
}

fn say_as(json_wanted: bool, result: &Value, words: impl Fn(&Value) -> String) {
    if json_wanted {
        say_json(result);
    } else {
        say(&words(result));
    }
}

fn text(value: &Value, key: &str) -> String {
    plain(value.get(key).and_then(Value::as_str).unwrap_or_default())
}

fn time(report: &Value) -> String {
    let micros = report.get("created_micros").and_then(Value::as_u64);
    // Whole seconds are enough for people.
    let secs = micros.unwrap_or_default() / 1_000_000;
    DateTime::from_unix_micros(secs * 1_000_000).to_string()
}

fn list_of<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    let list = value.get(key).and_then(Value::as_array);
    list.map(Vec::as_slice).unwrap_or_default()
}

fn listed(result: &Value) -> String {
    let reports = list_of(result, "reports");
    if reports.is_empty() {
        return "There are no reports.".to_owned();
    }
    let lines = reports.iter().map(|report| {
        format!(
            "{}  {}  {}  {}, reported by {}",
            text(report, "id"),
            time(report),
            text(report, "reason"),
            text(report, "reported"),
            text(report, "reporter"),
        )
    });
    // One report is one line, whatever somebody wrote into it.
    let lines: Vec<String> = lines.map(|line| line.replace('\n', " ")).collect();
    lines.join("\n")
}

fn whole(report: &Value) -> String {
    let mut lines = vec![
        format!("report    {}", text(report, "id")),
        format!("made at   {}", time(report)),
        format!("made by   {}", text(report, "reporter")),
        format!("about     {}", text(report, "reported")),
        format!("reason    {}", text(report, "reason").replace('\n', " ")),
    ];
    for message in list_of(report, "messages") {
        let (by, id) = (text(message, "by"), text(message, "id").replace('\n', " "));
        lines.push(format!("message   {id} in the archive of {by}"));
    }
    for (key, whom) in [
        ("report_origin", "the domain of whom it is about"),
        ("third_party", "third parties"),
    ] {
        if report.get(key).and_then(Value::as_bool) == Some(true) {
            lines.push(format!("may go to {whom}"));
        }
    }
    let said = text(report, "text");
    if !said.is_empty() {
        // What somebody wrote cannot be taken for one of the lines above.
        let said = said.lines().map(|line| format!("  | {line}"));
        lines.push(String::new());
        lines.extend(said);
    }
    lines.join("\n")
}

fn dismissed(result: &Value) -> String {
    format!("The report {} is dismissed.", text(result, "id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Value {
        json!({
            "id": "6743f1a2-00ff", "created_micros": 1_700_000_000_000_000_u64, "reporter": "juliet@example.com",
            "reported": "romeo@example.net", "reason": "urn:x\nreport    forged\u{1b}",
            "messages": [{ "by": "juliet@example.com", "id": "a\nb" }],
            "text": "one\nreason    forged", "lang": "en", "report_origin": true, "third_party": false,
        })
    }

    #[test]
    fn nobody_writes_a_line_of_ours() {
        let shown = whole(&report());
        assert!(
            !shown.contains('\u{1b}') && !shown.contains("\nreport    forged"),
            "{shown}"
        );
        assert!(shown.contains("\n  | one\n  | reason    forged"), "{shown}");
        assert!(shown.contains("message   a b in the archive of"), "{shown}");
        assert!(
            shown.contains("may go to the domain") && !shown.contains("third"),
            "{shown}"
        );
    }

    #[test]
    fn a_list_has_a_line_for_each() {
        let shown = listed(&json!({ "reports": [report(), report()] }));
        assert_eq!(shown.lines().count(), 2, "{shown}");
        assert!(
            shown.starts_with("6743f1a2-00ff  2023-11-14T22:13:20Z  urn:x"),
            "{shown}"
        );
        assert_eq!(listed(&json!({ "reports": [] })), "There are no reports.");
    }
}
