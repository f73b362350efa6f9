//! The commands `waxwing invite …`: ask the running server, show the answer.

use serde_json::{Value, json};
use waxwing_stanza::xep::xep_0082_datetime::DateTime;

use crate::accounts::{ask, ask_all, given, name};
use crate::cli::{Invitation, Invite};
use crate::config::Config;
use crate::terminal::plain;
use crate::{Outcome, say, say_json};

/// Runs one of the commands.
pub(crate) fn run(config: &Config, command: Invite) -> Outcome {
    match command {
        Invite::Create(invitation) => {
            let json_wanted = invitation.output.json;
            let args = wanted(invitation);
            ask(config, "invite create", args, |result| {
                shown(result, json_wanted, made);
            })
        }
        Invite::List { domain, output } => {
            let args = given([("domain", domain.map(Value::from))]);
            ask_all(config, "invite list", args, "invitations", |result| {
                shown(result, output.json, listed);
            })
        }
        Invite::Used { domain, output } => {
            let args = given([("domain", domain.map(Value::from))]);
            ask_all(config, "invite used", args, "used", |result| {
                shown(result, output.json, used);
            })
        }
        Invite::Revoke { id, output } => {
            let args = json!({ "id": id });
            ask(config, "invite revoke", args, |result| {
                shown(result, output.json, |result| {
                    format!(
                        "The invitation {} is not good any more.",
                        text(result, "id")
                    )
                });
            })
        }
    }
}

fn wanted(invitation: Invitation) -> Value {
    given([
        ("account", invitation.account.map(Value::from)),
        ("contact", invitation.contact.map(Value::from)),
        ("reset", invitation.reset.map(Value::from)),
        ("domain", invitation.domain.map(Value::from)),
        ("role", invitation.role.and_then(name).map(Value::from)),
        ("uses", invitation.uses.map(Value::from)),
        ("expires", invitation.expires.map(Value::from)),
    ])
}

fn shown(result: &Value, json_wanted: bool, words: impl Fn(&Value) -> String) {
    if json_wanted {
        say_json(result);
    } else {
        say(&words(result));
    }
}

fn text(value: &Value, key: &str) -> String {
    let text = value.get(key).and_then(Value::as_str);
    plain(text.unwrap_or_default())
}

fn number(value: &Value, key: &str) -> u64 {
    let number = value.get(key).and_then(Value::as_u64);
    number.unwrap_or_default()
}

/// What it is for, in words.
fn about(invitation: &Value) -> String {
    let or = |key: &str, other: &str| match text(invitation, key) {
        text if text.is_empty() => other.to_owned(),
        text => text,
    };
    let contact = match text(invitation, "contact") {
        contact if contact.is_empty() => String::new(),
        contact => format!(", contact of {contact}"),
    };
    match text(invitation, "purpose").as_str() {
        "password" => format!("another password for {}", or("account", "nobody")),
        "contact" => {
            let registers = invitation.get("registers").and_then(Value::as_bool);
            let account = match registers {
                Some(true) => format!(", with an account as {}", or("role", "member")),
                Some(false) | None => String::new(),
            };
            format!("a contact of {}{account}", or("contact", "nobody"))
        }
        _ => format!(
            "{} as {}{contact}",
            or(
                "account",
                &format!("an account of {}", text(invitation, "domain"))
            ),
            or("role", "member")
        ),
    }
}

fn until(invitation: &Value) -> DateTime {
    at(invitation, "expires_micros")
}

fn at(value: &Value, key: &str) -> DateTime {
    let secs = number(value, key) / 1_000_000;
    DateTime::from_unix_micros(secs * 1_000_000)
}

fn made(result: &Value) -> String {
    let times = match number(result, "uses") {
        1 => "once".to_owned(),
        uses => format!("{uses} times"),
    };
    let mut lines = vec![format!(
        "For {}; good {times}, until {}.",
        about(result),
        until(result)
    )];
    let (url, uri) = (text(result, "url"), text(result, "uri"));
    if !url.is_empty() {
        lines.push(url.clone());
    }
    if !uri.is_empty() {
        lines.push(uri);
    }
    if url.is_empty() {
        lines.push(
            "It has no page: nobody has said where browsers reach this server (`public_url` in [web], or a listener for https). \
             On this machine it is below http_loopback, at /invite/ and the token."
                .to_owned(),
        );
        lines.push(format!("The token is {}.", text(result, "token")));
    }
    lines.push(format!(
        "To take it back: waxwing invite revoke {}",
        text(result, "id")
    ));
    lines.join("\n")
}

fn listed(result: &Value) -> String {
    let all = result.get("invitations").and_then(Value::as_array);
    let all = all.map(Vec::as_slice).unwrap_or_default();
    let mut lines: Vec<String> = all.iter().map(line).collect();
    if all.is_empty() {
        lines.push("No invitation is good; `waxwing invite create` makes one.".to_owned());
    }
    lines.join("\n")
}

fn used(result: &Value) -> String {
    let all = result.get("used").and_then(Value::as_array);
    let all = all.map(Vec::as_slice).unwrap_or_default();
    if all.is_empty() {
        return "No invitation was used within 30 days.".to_owned();
    }
    let lines = all.iter().map(|used| {
        format!(
            "{}  {}  {}, made by {}",
            text(used, "id"),
            at(used, "at_micros"),
            match text(used, "purpose").as_str() {
                "password" => format!("another password for {}", text(used, "account")),
                "contact" => format!("{} became a contact", text(used, "account")),
                _ => format!("{} was made", text(used, "account")),
            },
            text(used, "creator")
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn line(invitation: &Value) -> String {
    let bad = match invitation.get("good").and_then(Value::as_bool) {
        Some(false) => "; not good: an account that it rests on, or is for, has changed",
        _ => "",
    };
    format!(
        "{}  until {}  used {} of {}  {}, made by {}{bad}",
        text(invitation, "id"),
        until(invitation),
        number(invitation, "used"),
        number(invitation, "uses"),
        about(invitation),
        text(invitation, "creator")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_given_is_asked_for() {
        let args = given([("account", Some("carol".into())), ("role", None)]);
        assert_eq!(args, json!({ "account": "carol" }));
    }

    #[test]
    fn a_link_is_printed_with_what_it_is_for() {
        let made = made(&json!({
            "id": "f0", "purpose": "account", "domain": "example.org", "account": "carol@example.org",
            "contact": null, "role": "member", "uses": 1, "used": 0, "token": "ab",
            "expires_micros": 1_700_000_000_123_456_u64,
            "uri": "xmpp:carol@example.org?register;preauth=ab", "url": "https://example.org/invite/ab",
        }));
        let expected = "For carol@example.org as member; good once, until 2023-11-14T22:13:20Z.\n\
                        https://example.org/invite/ab\nxmpp:carol@example.org?register;preauth=ab\n\
                        To take it back: waxwing invite revoke f0";
        assert_eq!(made, expected);
    }
}
