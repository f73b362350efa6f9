//! Whom a run logs in as.

use std::path::PathBuf;

use waxwing_stanza::BareJid;
use waxwing_stream::sasl::Password;

/// One account.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its address.
    pub jid: BareJid,
    /// Its password, prepared.
    pub password: Password,
    /// The password as it was given, where the account is still to be made.
    pub plain: String,
}

/// Why there are no accounts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// The file cannot be read.
    #[error("{path} cannot be read: {reason}")]
    File {
        /// Which.
        path: String,
        /// Why.
        reason: String,
    },
    /// A line of the file is no account.
    #[error("{path}:{line}: an address and a password are to stand here, with white space between")]
    Line {
        /// Which file.
        path: String,
        /// Which line.
        line: usize,
    },
    /// There are fewer than clients.
    #[error("{path} has {there} accounts, and there are to be {wanted} clients")]
    TooFew {
        /// Which file.
        path: String,
        /// How many there are.
        there: usize,
        /// How many are needed.
        wanted: usize,
    },
    /// A name or a password cannot be one.
    #[error("`{0}` cannot be an account, or its password cannot be one")]
    Impossible(String),
    /// The command failed.
    #[error("`{command}` failed for {account}: {reason}")]
    Command {
        /// The command.
        command: String,
        /// For whom.
        account: String,
        /// What it said.
        reason: String,
    },
}

/// Accounts of one prefix and password.
///
/// # Errors
/// [`AccountError::Impossible`] if the prefix, the domain or the password cannot be one.
pub fn numbered(
    prefix: &str,
    domain: &str,
    password: &str,
    count: usize,
) -> Result<Vec<Account>, AccountError> {
    let name = |number| format!("{prefix}{number}@{domain}");
    (0..count)
        .map(|number| account(&name(number), password))
        .collect()
}

fn account(address: &str, password: &str) -> Result<Account, AccountError> {
    let impossible = || AccountError::Impossible(address.to_owned());
    let jid: BareJid = address.parse().map_err(|_| impossible())?;
    if jid.node().is_none() {
        return Err(impossible());
    }
    Ok(Account {
        jid,
        password: Password::prepare(password).map_err(|_| impossible())?,
        plain: password.to_owned(),
    })
}

/// The first accounts of a file.
///
/// # Errors
/// The file cannot be read, a line is no account, or there are too few.
pub fn from_file(path: &PathBuf, count: usize) -> Result<Vec<Account>, AccountError> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| AccountError::File {
        path: shown.clone(),
        reason: error.to_string(),
    })?;
    read(&text, &shown, count)
}

fn read(text: &str, path: &str, count: usize) -> Result<Vec<Account>, AccountError> {
    let mut accounts = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if accounts.len() == count {
            break;
        }
        let wrong = AccountError::Line {
            path: path.to_owned(),
            line: at + 1,
        };
        let (address, password) = line.split_once(char::is_whitespace).ok_or(wrong.clone())?;
        accounts.push(account(address, password.trim()).map_err(|_| wrong)?);
    }
    if accounts.len() < count {
        return Err(AccountError::TooFew {
            path: path.to_owned(),
            there: accounts.len(),
            wanted: count,
        });
    }
    Ok(accounts)
}

/// Makes each account by a command, one after the other.
///
/// # Errors
/// The command cannot be run, or says that it failed.
pub async fn make(accounts: &[Account], command: &[String]) -> Result<(), AccountError> {
    for account in accounts {
        let fill = |word: &String| {
            word.replace("{user}", account.jid.node().unwrap_or_default())
                .replace("{domain}", account.jid.domain())
                .replace("{password}", &account.plain)
        };
        let words: Vec<String> = command.iter().map(fill).collect();
        let failed = |reason: String| AccountError::Command {
            command: command.join(" "),
            account: account.jid.to_string(),
            reason,
        };
        let Some((program, arguments)) = words.split_first() else {
            return Err(failed("it is empty".to_owned()));
        };
        let run = tokio::process::Command::new(program)
            .args(arguments)
            .output();
        let output = run.await.map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let status = output.status.to_string();
            return Err(failed(match said.trim() {
                "" => status,
                said => format!("{status}: {said}"),
            }));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_accounts() {
        let text = "# made by hand\nalice@x.example  a b c\n\n bob@x.example\tsecret \n";
        let accounts = read(text, "f", 2).unwrap();
        assert_eq!(accounts[0].plain, "a b c");
        assert_eq!(accounts[1].jid.as_str(), "bob@x.example");
        assert_eq!(accounts[1].plain, "secret");
        let wrong = |text: &str, count| read(text, "f", count).unwrap_err().to_string();
        assert_eq!(
            wrong(text, 3),
            "f has 2 accounts, and there are to be 3 clients"
        );
        for (text, line) in [("alice@x.example", 1), ("\nx.example secret", 2)] {
            assert!(wrong(text, 1).starts_with(&format!("f:{line}:")), "{text}");
        }
    }

    #[test]
    fn accounts_of_a_prefix() {
        let accounts = numbered("load", "x.example", "secret", 3).unwrap();
        assert_eq!(accounts[2].jid.as_str(), "load2@x.example");
        assert!(numbered("a b", "x.example", "secret", 1).is_err());
        assert!(numbered("load", "x.example", "\u{7}", 1).is_err());
    }
}
