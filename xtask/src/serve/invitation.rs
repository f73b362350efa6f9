//! An invitation to a served instance, for whoever wants to see how that is.

use std::process::Command;

use serde_json::Value;

use super::config::Config;
use crate::child;
use crate::failure::Failure;

/// Makes one, good for ten accounts and a day; the address of its page, or the link for clients where there is no HTTP.
pub(crate) fn link(config: &Config, waxwing: impl Fn() -> Command) -> Result<String, Failure> {
    let mut command = waxwing();
    command.args([
        "invite",
        "create",
        "--uses",
        "10",
        "--expires",
        "24h",
        "--json",
    ]);
    command.args(
        config
            .domains
            .first()
            .map(|domain| format!("--domain={domain}")),
    );
    let output = command.output().map_err(child::start_failure(&command))?;
    child::expect_success(&command, output.status)?;
    let failure = |why: String| Failure::Answer {
        of: "waxwing invite create",
        why,
    };
    let made: Value =
        serde_json::from_slice(&output.stdout).map_err(|error| failure(error.to_string()))?;
    of(&made, config.http_loopback.first()).ok_or_else(|| failure("no link".to_owned()))
}

/// The page as everybody reaches it, or as this machine does.
fn of(made: &Value, http_loopback: Option<&String>) -> Option<String> {
    if let Some(url) = made["url"].as_str() {
        return Some(url.to_owned());
    }
    if let (Some(address), Some(token)) = (http_loopback, made["token"].as_str()) {
        return Some(format!("http://{address}/invite/{token}"));
    }
    made["uri"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_page_is_where_this_machine_finds_it() {
        let address = "127.0.0.1:5280".to_owned();
        let made =
            json!({ "url": null, "token": "ab", "uri": "xmpp:localhost?register;preauth=ab" });
        assert_eq!(
            of(&made, Some(&address)).as_deref(),
            Some("http://127.0.0.1:5280/invite/ab")
        );
        assert_eq!(
            of(&made, None).as_deref(),
            Some("xmpp:localhost?register;preauth=ab")
        );
        let public = json!({ "url": "https://a.example/invite/ab", "token": "ab" });
        assert_eq!(
            of(&public, Some(&address)).as_deref(),
            Some("https://a.example/invite/ab")
        );
        assert_eq!(of(&json!({}), None), None);
    }
}
