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

    /// None where the file is not there: people may forget passwords on purpose.
    pub(crate) fn read(path: &Path) -> Result<Accounts, Failure> {
        if !path.exists() {
            return Ok(Accounts(Vec::new()));
        }
        let text = fs::read_to_string(path).map_err(Failure::file(path))?;
        Ok(Accounts(text.lines().filter_map(Account::parse).collect()))
    }

    /// Creates what waits to be created, once: the accounts that are written down at `waiting` and
    /// are not in the server's answer to `account list --json`. Then they stand at `made`, and what
    /// becomes of them is the operator's.
    pub(crate) fn create(
        waiting: &Path,
        made: &Path,
        list: &[u8],
        waxwing: impl Fn() -> Command,
    ) -> Result<(), Failure> {
        if !waiting.exists() {
            return Ok(());
        }
        let list = parsed(list)?;
        for account in Accounts::read(waiting)?.0 {
            // An interrupted first start may have created one of them.
            if mentions(&list, &account.jid) {
                continue;
            }
            let mut command = waxwing();
            command.args(["account", "add", &account.jid, "--role", &account.role]);
            command.args(["--password-stdin", "--json"]);
            give(&mut command, &account.password)?;
        }
        fs::rename(waiting, made).map_err(Failure::file(made))
    }

    /// Those of the accounts first made that are still there.
    pub(crate) fn still_there(self, list: &[u8]) -> Result<Accounts, Failure> {
        let list = parsed(list)?;
        let there = self.0.into_iter();
        Ok(Accounts(
            there
                .filter(|account| mentions(&list, &account.jid))
                .collect(),
        ))
    }
}

fn parsed(list: &[u8]) -> Result<Value, Failure> {
    serde_json::from_slice(list).map_err(|e| Failure::Answer {
        of: "waxwing account list",
        why: e.to_string(),
    })
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

    /// A folder with the accounts `alice` and `bob` waiting in it; and what the server was told.
    struct Waiting(std::path::PathBuf);

    impl Waiting {
        fn new(name: &str) -> Waiting {
            let name = format!("waxwing-{name}-{}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            fs::create_dir_all(&folder).unwrap();
            Accounts::make(&folder.join("waiting"), "localhost").unwrap();
            Waiting(folder)
        }

        /// Says what was asked of the server.
        fn create(&self, list: &[u8]) -> Result<String, Failure> {
            let told = self.0.join("told");
            fs::write(&told, "").unwrap();
            let (waiting, made) = (self.0.join("waiting"), self.0.join("made"));
            Accounts::create(&waiting, &made, list, || {
                let mut shell = Command::new("sh");
                shell
                    .args(["-c", "echo \"$@\" >> \"$0\"; cat >> \"$0\""])
                    .arg(&told);
                shell
            })?;
            Ok(fs::read_to_string(&told).unwrap())
        }
    }

    impl Drop for Waiting {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn only_missing_accounts_are_created_and_no_password_is_an_argument() {
        let waiting = Waiting::new("missing");
        let told = waiting.create(br#"{"accounts":[{"jid":"alice@localhost"}]}"#);
        let accounts = Accounts::read(&waiting.0.join("made")).unwrap();
        let password = &accounts.0[1].password;
        assert_eq!(
            told.unwrap(),
            format!(
                "account add bob@localhost --role member --password-stdin --json\n{password}\n"
            )
        );
    }

    #[test]
    fn an_account_that_was_removed_does_not_come_back() {
        let waiting = Waiting::new("removed");
        assert!(waiting.create(b"[]").unwrap().contains("alice@localhost"));
        let list = br#"{"accounts":[{"jid":"bob@localhost"}]}"#;
        assert_eq!(waiting.create(list).unwrap(), "");
        let made = Accounts::read(&waiting.0.join("made")).unwrap();
        let there = made.still_there(list).unwrap();
        let names: Vec<_> = there.0.iter().map(|account| &account.jid[..]).collect();
        assert_eq!(names, ["bob@localhost"]);
    }

    #[test]
    fn what_a_server_refuses_is_a_failure_and_waits_for_the_next_start() {
        let waiting = Waiting::new("refused");
        let (from, to) = (waiting.0.join("waiting"), waiting.0.join("made"));
        let refused = Accounts::create(&from, &to, b"[]", || {
            let mut shell = Command::new("sh");
            shell.args(["-c", "cat >/dev/null; exit 4"]);
            shell
        });
        assert!(matches!(refused, Err(Failure::Child { .. })));
        assert!(matches!(
            waiting.create(b"oops"),
            Err(Failure::Answer { .. })
        ));
        assert!(waiting.create(b"[]").unwrap().contains("alice@localhost"));
    }
}
