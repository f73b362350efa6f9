//! The accounts of a served instance: made once, their passwords kept where only the owner reads.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::child;
use crate::failure::Failure;

/// Local parts and roles: one who may administer, and one to talk to.
const WANTED: [(&str, &str); 2] = [("alice", "operator"), ("bob", "member")];

/// No letters that look alike; 16 of 32 are 80 bits.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
const PASSWORD_LETTERS: usize = 16;

#[derive(Debug, PartialEq)]
pub(crate) struct Account {
    pub(crate) jid: String,
    pub(crate) password: String,
    pub(crate) role: String,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Accounts(pub(crate) Vec<Account>);

impl Accounts {
    /// Chooses passwords and writes them down, before any account exists: an interrupted start
    /// loses none. What is already written down stays.
    pub(crate) fn make(path: &Path, domain: &str) -> Result<(), Failure> {
        let mut text = String::from("# address, password as first set, role\n");
        for (name, role) in WANTED {
            text += &format!("{name}@{domain} {} {role}\n", password()?);
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(path).map_err(Failure::file(path))?;
        file.write_all(text.as_bytes()).map_err(Failure::file(path))
    }

    pub(crate) fn read(path: &Path) -> Result<Accounts, Failure> {
        let text = fs::read_to_string(path).map_err(Failure::file(path))?;
        Ok(Accounts(text.lines().filter_map(Account::parse).collect()))
    }

    /// Creates those that are not in the server's answer to `account list --json`.
    pub(crate) fn create_missing(
        &self,
        list: &[u8],
        waxwing: impl Fn() -> Command,
    ) -> Result<(), Failure> {
        let list: Value = serde_json::from_slice(list).map_err(|e| Failure::Answer {
            of: "waxwing account list",
            why: e.to_string(),
        })?;
        for account in self
            .0
            .iter()
            .filter(|account| !mentions(&list, &account.jid))
        {
            let mut command = waxwing();
            command.args(["account", "add", &account.jid, "--role", &account.role]);
            command.args(["--password-stdin", "--json"]);
            give(&mut command, &account.password)?;
        }
        Ok(())
    }
}

impl Account {
    fn parse(line: &str) -> Option<Account> {
        let mut words = line
            .split(' ')
            .filter(|_| !line.starts_with('#'))
            .map(str::to_owned);
        Some(Account {
            jid: words.next()?,
            password: words.next()?,
            role: words.next()?,
        })
    }
}

/// Runs the command with a line on standard input: arguments can be read by other users.
fn give(command: &mut Command, line: &str) -> Result<(), Failure> {
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.spawn().map_err(child::start_failure(command))?;
    if let Some(mut input) = child.stdin.take() {
        writeln!(input, "{line}").map_err(child::start_failure(command))?;
    }
    let status = child.wait().map_err(child::start_failure(command))?;
    child::expect_success(command, status)
}

/// Whether the text stands anywhere in the value.
fn mentions(value: &Value, text: &str) -> bool {
    match value {
        Value::String(string) => string == text,
        Value::Array(values) => values.iter().any(|value| mentions(value, text)),
        Value::Object(fields) => fields.values().any(|value| mentions(value, text)),
        _ => false,
    }
}

fn password() -> Result<String, Failure> {
    const SOURCE: &str = "/dev/urandom";
    let mut bytes = [0; PASSWORD_LETTERS];
    File::open(SOURCE)
        .and_then(|mut source| source.read_exact(&mut bytes))
        .map_err(Failure::file(SOURCE))?;
    Ok(bytes
        .iter()
        .map(|byte| char::from(LETTERS[usize::from(byte % 32)]))
        .collect())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn account(name: &str) -> Account {
        Account {
            jid: format!("{name}@localhost"),
            password: "secret".to_owned(),
            role: "member".to_owned(),
        }
    }

    #[test]
    fn passwords_are_kept_for_the_owner_only() {
        let path = std::env::temp_dir().join(format!("waxwing-accounts-{}", std::process::id()));
        Accounts::make(&path, "localhost").unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        let accounts = Accounts::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(mode & 0o777, 0o600);
        let [alice, bob] = &accounts.0[..] else {
            panic!("{accounts:?}")
        };
        assert_eq!(
            (alice.jid.as_str(), alice.role.as_str()),
            ("alice@localhost", "operator")
        );
        assert_eq!(bob.password.len(), PASSWORD_LETTERS);
        assert_ne!(alice.password, bob.password);
    }

    #[test]
    fn only_missing_accounts_are_created_and_no_password_is_an_argument() {
        let told = std::env::temp_dir().join(format!("waxwing-told-{}", std::process::id()));
        let accounts = Accounts(vec![account("alice"), account("bob")]);
        let waxwing = || {
            let mut shell = Command::new("sh");
            shell
                .args(["-c", "echo \"$@\" >> \"$0\"; cat >> \"$0\""])
                .arg(&told);
            shell
        };
        let list = br#"{"accounts":[{"jid":"alice@localhost"}]}"#;
        accounts.create_missing(list, waxwing).unwrap();
        let text = fs::read_to_string(&told).unwrap();
        fs::remove_file(&told).unwrap();
        assert_eq!(
            text,
            "account add bob@localhost --role member --password-stdin --json\nsecret\n"
        );
    }

    #[test]
    fn a_server_that_refuses_is_a_failure() {
        let accounts = Accounts(vec![account("alice")]);
        let refused = accounts.create_missing(b"[]", || {
            let mut shell = Command::new("sh");
            shell.args(["-c", "cat >/dev/null; exit 4"]);
            shell
        });
        assert!(matches!(refused, Err(Failure::Child { .. })));
        assert!(matches!(
            accounts.create_missing(b"oops", || Command::new("true")),
            Err(Failure::Answer { .. })
        ));
    }
}
