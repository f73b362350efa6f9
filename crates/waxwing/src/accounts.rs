//! The commands `waxwing account …`: ask the running server, show the answer.

use std::io::{IsTerminal, Read};
use std::path::Path;

use clap::ValueEnum;
use serde_json::{Map, Value, json};
use waxwing_stanza::BareJid;
use waxwing_stanza::xep::xep_0082_datetime::DateTime;

use crate::admin_socket::{self, CommandError};
use crate::cli::{Account, Password, Role};
use crate::config::Config;
use crate::prompt::{Prompt, PromptError};
use crate::terminal::plain;
use crate::{Outcome, say, say_json};

/// Most bytes of a password read from standard input.
const PASSWORD_BYTES_MAX: u64 = 1_024;

/// Runs one of the commands.
pub(crate) fn run(config: &Config, command: Account) -> Outcome {
    match request(command) {
        Ok((name @ "account list", args, json_wanted)) => {
            ask_all(config, name, args, "accounts", |result| {
                show(name, result, json_wanted);
            })
        }
        Ok((name @ "account roster", args, json_wanted)) => {
            ask_all(config, name, args, "contacts", |result| {
                show(name, result, json_wanted);
            })
        }
        Ok((name, args, json_wanted)) => {
            ask(config, name, args, |result| show(name, result, json_wanted))
        }
        Err(outcome) => outcome,
    }
}

/// Entries of a list that are asked for at a time.
const PAGE_ENTRIES: u64 = 1_000;

/// Has the running server do a command, and shows what came of it.
pub(crate) fn ask(config: &Config, name: &str, args: Value, show: impl FnOnce(&Value)) -> Outcome {
    asked(config, show, async |socket| {
        admin_socket::ask(socket, name, args).await
    })
}

/// The same for a list, whose pages are put together: `member` holds the entries.
pub(crate) fn ask_all(
    config: &Config,
    name: &str,
    mut args: Value,
    member: &str,
    show: impl FnOnce(&Value),
) -> Outcome {
    asked(config, show, async |socket| {
        args["limit"] = json!(PAGE_ENTRIES);
        let mut all = Vec::new();
        loop {
            let mut page = admin_socket::ask(socket, name, args.clone()).await?;
            if let Some(Value::Array(entries)) = page.get_mut(member).map(Value::take) {
                all.extend(entries);
            }
            match page.get_mut("next").map(Value::take) {
                Some(next @ Value::String(_)) => args["cursor"] = next,
                _ => return Ok(json!({ member: all })),
            }
        }
    })
}

fn asked(
    config: &Config,
    show: impl FnOnce(&Value),
    question: impl AsyncFnOnce(&Path) -> Result<Value, CommandError>,
) -> Outcome {
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return Outcome::Failed(error.to_string()),
    };
    match runtime.block_on(question(&config.admin_socket())) {
        Ok(result) => {
            show(&result);
            Outcome::Done
        }
        Err(CommandError::Refused(text)) => Outcome::Refused(text),
        Err(
            error @ (CommandError::NotRunning(_)
            | CommandError::Forbidden(_)
            | CommandError::Failed(_)),
        ) => Outcome::Failed(error.to_string()),
    }
}

/// The arguments that were given.
pub(crate) fn given<const N: usize>(args: [(&str, Option<Value>); N]) -> Value {
    let args = args.into_iter();
    let given = args.filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(given.collect::<Map<_, _>>())
}

type Request = (&'static str, Value, bool);

fn request(command: Account) -> Result<Request, Outcome> {
    Ok(match command {
        Account::Add {
            jid,
            role,
            reuse,
            password,
            output,
        } => (
            "account add",
            json!({
                "password": read(&password, &jid)?,
                "role": name(role),
                "reuse": reuse,
                "jid": jid,
            }),
            output.json,
        ),
        Account::Passwd {
            jid,
            password,
            output,
        } => (
            "account passwd",
            json!({ "password": read(&password, &jid)?, "jid": jid }),
            output.json,
        ),
        Account::SetRole { jid, role, output } => (
            "account set-role",
            json!({ "jid": jid, "role": name(role) }),
            output.json,
        ),
        Account::Remove { jid, output } => ("account remove", json!({ "jid": jid }), output.json),
        Account::Show { jid, output } => ("account show", json!({ "jid": jid }), output.json),
        Account::Roster { jid, output } => ("account roster", json!({ "jid": jid }), output.json),
        Account::Disable { jid, output } => ("account disable", json!({ "jid": jid }), output.json),
        Account::Enable { jid, output } => ("account enable", json!({ "jid": jid }), output.json),
        Account::List {
            domain,
            disabled,
            output,
        } => {
            let disabled = disabled.then_some(Value::Bool(true));
            let args = [("domain", domain.map(Value::from)), ("disabled", disabled)];
            ("account list", given(args), output.json)
        }
    })
}

pub(crate) fn name(role: Role) -> Option<String> {
    let value = role.to_possible_value()?;
    Some(value.get_name().to_owned())
}

fn read(source: &Password, jid: &str) -> Result<String, Outcome> {
    // Nobody is asked for the password of what no account can be.
    if !BareJid::new(jid).is_ok_and(|jid| jid.node().is_some()) {
        let shown = jid.escape_debug();
        return Err(Outcome::Refused(format!(
            "'{shown}' is no account's address, such as alice@example.org"
        )));
    }
    if let Some(password) = &source.password {
        return Ok(password.clone());
    }
    let failed =
        |error: std::io::Error| Outcome::Failed(format!("the password cannot be read: {error}"));
    if source.password_stdin {
        let mut text = Vec::new();
        // With the end of its line, and one more: what is longer is refused, not cut.
        std::io::stdin()
            .take(PASSWORD_BYTES_MAX + 3)
            .read_to_end(&mut text)
            .map_err(failed)?;
        let line = text.split(|byte| *byte == b'\n').next();
        let line = line.unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() as u64 > PASSWORD_BYTES_MAX {
            return Err(Outcome::Refused(format!(
                "the password is longer than {PASSWORD_BYTES_MAX} bytes; nothing was changed"
            )));
        }
        return String::from_utf8(line.to_vec())
            .map_err(|_| Outcome::Refused("the password is no UTF-8 text".to_owned()));
    }
    if !std::io::stdin().is_terminal() {
        return Err(Outcome::Misused(
            "nobody can be asked for the password here; give it with --password-stdin".to_owned(),
        ));
    }
    let failed = |error: PromptError| match error {
        PromptError::Interrupted(signal) => Outcome::Interrupted(signal),
        PromptError::Terminal(_) => Outcome::Failed(error.to_string()),
        PromptError::Ended | PromptError::NotText | PromptError::Long(_) => {
            Outcome::Refused(error.to_string())
        }
    };
    let mut prompt = Prompt::new().map_err(|error| failed(error.into()))?;
    let question = format!("Password for {}: ", plain(jid));
    let password = prompt.ask(&question, PASSWORD_BYTES_MAX).map_err(failed)?;
    let again = prompt.ask("Once more: ", PASSWORD_BYTES_MAX);
    let again = again.map_err(failed)?;
    if password != again {
        return Err(Outcome::Refused(
            "the two passwords differ; nothing was changed".to_owned(),
        ));
    }
    Ok(password)
}

/// What is known of an account, one thing a line.
fn about(account: &Value) -> String {
    let text = |key: &str| account.get(key).and_then(Value::as_str).map(plain);
    let time = |key: &str| {
        let micros = account.get(key).and_then(Value::as_u64)?;
        let secs = micros / 1_000_000;
        Some(DateTime::from_unix_micros(secs * 1_000_000).to_string())
    };
    let resources = account.get("resources").and_then(Value::as_array);
    let resources = resources.into_iter().flatten().filter_map(Value::as_str);
    let resources: Vec<String> = resources.map(plain).collect();
    let is_disabled = account.get("disabled").and_then(Value::as_bool);
    let contacts = account.get("contacts").and_then(Value::as_u64);
    let here = match (resources.is_empty(), time("left_micros")) {
        (false, _) => format!("online as {}", resources.join(", ")),
        (true, Some(left)) => format!("not online since {left}"),
        (true, None) => "was not online yet".to_owned(),
    };
    let role = text("role").unwrap_or_default();
    let may = match is_disabled {
        Some(true) => format!("{role}, disabled: it cannot log in"),
        _ => role,
    };
    format!(
        "{}\n  role      {may}\n  made      {}\n  log-in    {}\n  here      {here}\n  contacts  {}",
        text("jid").unwrap_or_default(),
        time("created_micros").unwrap_or_default(),
        time("login_micros").unwrap_or_else(|| "none is noted".to_owned()),
        contacts.unwrap_or_default()
    )
}

/// Contacts, one a line.
fn contacts(result: &Value) -> String {
    let all = result.get("contacts").and_then(Value::as_array);
    let all = all.map(Vec::as_slice).unwrap_or_default();
    if all.is_empty() {
        return "There are no contacts.".to_owned();
    }
    let lines = all.iter().map(|contact| {
        let text = |key: &str| contact.get(key).and_then(Value::as_str).unwrap_or_default();
        let mut line = format!("{}  {}", text("jid"), text("subscription"));
        if contact.get("asked").and_then(Value::as_bool) == Some(true) {
            line.push_str(", asked");
        }
        let groups = contact.get("groups").and_then(Value::as_array);
        let groups = groups.into_iter().flatten().filter_map(Value::as_str);
        let groups: Vec<&str> = groups.collect();
        for more in [text("name"), &groups.join(", ")] {
            if !more.is_empty() {
                line.push_str("  ");
                line.push_str(more);
            }
        }
        // One contact is one line, whatever somebody called them.
        plain(&line).replace('\n', " ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn show(name: &str, result: &Value, json_wanted: bool) {
    if json_wanted {
        return say_json(result);
    }
    let field = |value: &Value, key: &str| {
        value
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let jid = field(result, "jid");
    match name {
        "account add" => say(&format!("{jid} was made ({}).", field(result, "role"))),
        "account remove" => say(&format!("{jid} was removed.")),
        "account passwd" => say(&format!(
            "{jid} has a new password; its sessions were ended."
        )),
        "account set-role" => say(&format!("{jid} is {} now.", field(result, "role"))),
        "account show" => say(&about(result)),
        "account roster" => say(&contacts(result)),
        "account disable" => say(&format!("{jid} cannot log in any more.")),
        "account enable" => say(&format!("{jid} can log in.")),
        _ => {
            let accounts = result
                .get("accounts")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default();
            let width = accounts
                .iter()
                .map(|account| field(account, "jid").chars().count())
                .max()
                .unwrap_or(0);
            for account in &accounts {
                let disabled = if account.get("disabled").and_then(Value::as_bool) == Some(true) {
                    "  disabled"
                } else {
                    ""
                };
                say(&format!(
                    "{:width$}  {}{disabled}",
                    field(account, "jid"),
                    field(account, "role")
                ));
            }
            if accounts.is_empty() {
                say("There are no accounts; `waxwing account add user@domain` makes one.");
            }
        }
    }
}
