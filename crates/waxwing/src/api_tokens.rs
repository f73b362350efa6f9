//! The commands `waxwing api-token …`: ask the running server, show the answer.

use serde_json::{Value, json};
use waxwing_stanza::xep::xep_0082_datetime::DateTime;

use crate::accounts::{ask, given};
use crate::cli::ApiToken;
use crate::config::Config;
use crate::terminal::plain;
use crate::{Outcome, say, say_json};

/// Runs one of the commands.
pub(crate) fn run(config: &Config, command: ApiToken) -> Outcome {
    let (name, args, output, words): (_, _, _, fn(&Value) -> String) = match command {
        ApiToken::Create(token) => {
            let args = given([
                ("name", Some(Value::from(token.name))),
                ("scopes", Some(Value::from(token.scope))),
                ("domain", token.domain.map(Value::from)),
                ("expires", token.expires.map(Value::from)),
            ]);
            ("api-token create", args, token.output, made)
        }
        ApiToken::List { output } => ("api-token list", json!({}), output, listed),
        ApiToken::Revoke { name, output } => {
            let args = json!({ "name": name });
            ("api-token revoke", args, output, |result| {
                format!("The token {} is worth nothing now.", text(result, "name"))
            })
        }
    };
    ask(config, name, args, |result| match output.json {
        true => say_json(result),
        false => say(&words(result)),
    })
}

fn text(value: &Value, key: &str) -> String {
    let text = value.get(key).and_then(Value::as_str);
    plain(text.unwrap_or_default())
}

fn time(value: &Value, key: &str) -> Option<DateTime> {
    let secs = value.get(key).and_then(Value::as_u64)? / 1_000_000;
    Some(DateTime::from_unix_micros(secs * 1_000_000))
}

/// What it is good for, where, and until when.
fn about(token: &Value) -> String {
    let scopes = token.get("scopes").and_then(Value::as_array);
    let scopes = scopes.into_iter().flatten().filter_map(Value::as_str);
    let scopes = plain(&scopes.collect::<Vec<_>>().join(" "));
    let place = match text(token, "domain").as_str() {
        "" => "the whole server".to_owned(),
        domain => domain.to_owned(),
    };
    let is_over = token.get("expired").and_then(Value::as_bool) == Some(true);
    let end = match time(token, "expires_micros") {
        Some(time) if is_over => format!("over since {time}"),
        Some(time) => format!("until {time}"),
        None => "until it is revoked".to_owned(),
    };
    format!("{scopes}  {place}  {end}")
}

fn made(result: &Value) -> String {
    format!(
        "{}\nThis is the only time that it is shown. Good for: {}.\nTo take it back: waxwing api-token revoke {}",
        text(result, "token"),
        about(result),
        text(result, "name")
    )
}

fn listed(result: &Value) -> String {
    let all = result.get("tokens").and_then(Value::as_array);
    let all = all.map(Vec::as_slice).unwrap_or_default();
    if all.is_empty() {
        return "There are no tokens, and so no API; `waxwing api-token create` makes one."
            .to_owned();
    }
    let lines = all.iter().map(|token| {
        let used = match time(token, "used_micros") {
            Some(time) => format!("used {time}"),
            None => "never used".to_owned(),
        };
        format!("{}  {}  {used}", text(token, "name"), about(token))
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_a_line() {
        let mut token = json!({
            "name": "ci", "scopes": ["accounts:read", "invites:write"], "domain": null,
            "created_micros": 1, "expires_micros": null, "used_micros": null, "expired": false,
        });
        let line = |token: &Value| listed(&json!({ "tokens": [token] }));
        assert_eq!(
            line(&token),
            "ci  accounts:read invites:write  the whole server  until it is revoked  never used"
        );
        token["domain"] = json!("example.org");
        token["expires_micros"] = json!(1_700_000_000_123_456_u64);
        token["used_micros"] = json!(1_600_000_000_000_000_u64);
        token["expired"] = json!(true);
        assert_eq!(
            line(&token),
            "ci  accounts:read invites:write  example.org  over since 2023-11-14T22:13:20Z  used 2020-09-13T12:26:40Z"
        );
    }
}
