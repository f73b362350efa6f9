//! What happens beside XML: the lines that begin with `>`.

use super::{Act, PASSWORD, Who};
use crate::stream::Until;

/// Reads an action.
pub(super) fn read(text: &str) -> Result<Act, String> {
    let text = text.trim().trim_end_matches('.');
    let (text, password) = match text.split_once(" with the password ") {
        Some((rest, quoted)) => (rest, unquoted(quoted)?),
        None => (text, PASSWORD.to_owned()),
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    let act = match words[..] {
        ["the", "server", "restarts"] => Act::Restart,
        ["the", "server", "crashes"] => Act::Crash,
        [
            "the",
            "operator",
            verb @ ("disables" | "enables" | "removes"),
            account,
        ] => {
            let who = who(account)?;
            if who.resource.is_some() {
                return Err(format!("`{account}` is a session, no account"));
            }
            let command = verb.trim_end_matches('s').to_owned();
            Act::Operate {
                command,
                account: who.account,
            }
        }
        ["the", "operator", "makes", account, role] => {
            let who = who(account)?;
            if who.resource.is_some() {
                return Err(format!("`{account}` is a session, no account"));
            }
            Act::Operate {
                command: format!("set-role {role}"),
                account: who.account,
            }
        }
        [number, unit, "pass" | "passes"] => Act::Pass {
            micros: micros(number, unit)?,
        },
        [one, "connects"] => log_in(one, password, Until::Connected)?,
        [one, "connects", "by", "TLS"] => log_in(one, password, Until::Encrypted)?,
        [one, "joins"] => Act::Join(who(one)?),
        [one, "authenticates"] => log_in(one, password, Until::Authenticated)?,
        [one, "logs", "in"] => log_in(one, password, Until::Bound)?,
        [one, "cannot", "log", "in"] => Act::CannotLogIn {
            who: who(one)?,
            password,
        },
        [one, "is", "disconnected"] => Act::Disconnected(who(one)?),
        [one, "is", "cut", "off"] => Act::CutOff(who(one)?),
        [one, "vanishes"] => Act::Vanish(who(one)?),
        [ref all @ .., "get" | "gets", "nothing"] => {
            let names = all.iter().filter(|word| **word != "and");
            let all: Result<Vec<Who>, String> =
                names.map(|name| who(name.trim_end_matches(','))).collect();
            Act::Nothing(all?)
        }
        _ => return Err(format!("nobody can do that: `{text}`")),
    };
    Ok(act)
}

fn log_in(one: &str, password: String, until: Until) -> Result<Act, String> {
    Ok(Act::LogIn {
        who: who(one)?,
        password,
        until,
    })
}

/// `alice`, or `alice/phone`.
pub(super) fn who(word: &str) -> Result<Who, String> {
    let (account, resource) = match word.split_once('/') {
        Some((account, resource)) => (account, Some(resource)),
        None => (word, None),
    };
    let plain = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    if account == "server" || !plain(account) || !resource.is_none_or(plain) {
        return Err(format!("`{word}` names nobody"));
    }
    Ok(Who {
        account: account.to_owned(),
        resource: resource.map(str::to_owned),
    })
}

fn unquoted(text: &str) -> Result<String, String> {
    let inner = text
        .strip_prefix(['"', '“'])
        .and_then(|rest| rest.strip_suffix(['"', '”']));
    inner
        .map(str::to_owned)
        .ok_or_else(|| format!("a password stands in quotation marks, not {text}"))
}

fn micros(number: &str, unit: &str) -> Result<u64, String> {
    let number: u64 = number
        .parse()
        .map_err(|_| format!("`{number}` is no number"))?;
    let secs = match unit {
        "second" | "seconds" => 1,
        "minute" | "minutes" => 60,
        "hour" | "hours" => 3_600,
        "day" | "days" => 86_400,
        _ => return Err(format!("`{unit}` is no unit of time")),
    };
    Ok(number.saturating_mul(secs * 1_000_000))
}
