//! A server that anybody may register at, and the program.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use waxwing_tests::{Built, BuiltOptions};

pub(crate) const DOMAIN: &str = "waxwing.example";

/// A server with open registration.
pub(crate) fn server(name: &str) -> Built {
    let mut options = BuiltOptions::new(name);
    options.registration = "open".to_owned();
    options.config = "[options]\nregistrations_per_network_max = 1000\n".to_owned();
    Built::start(options).unwrap()
}

/// What the program said.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
    /// What it wrote for programs; null where nothing was measured.
    pub(crate) json: Value,
}

impl Ran {
    pub(crate) fn count(&self, path: &str) -> u64 {
        let value = self.json.pointer(path);
        value
            .and_then(Value::as_u64)
            .unwrap_or_else(|| panic!("no {path}: {}", self.json))
    }

    /// Messages that were sent, of which every one came once and in order; nothing else went wrong either.
    pub(crate) fn clean(&self) -> u64 {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        assert_eq!(self.err, "");
        assert!(
            self.out.ends_with("result                 good\n"),
            "{}",
            self.out
        );
        let sent = self.count("/sum/messages/sent");
        assert_eq!(self.count("/sum/messages/delivered"), sent);
        sent
    }

    /// The run was made, and something went wrong in it.
    pub(crate) fn failed(&self) -> &str {
        assert_eq!(self.code, Some(1), "{}{}", self.out, self.err);
        assert!(
            self.out.contains("\nresult                 FAILED: "),
            "{}",
            self.out
        );
        &self.out
    }
}

/// Runs the program with these words.
pub(crate) fn program(words: &[&str]) -> Ran {
    let mut command = Command::new(Built::load().unwrap());
    let output = command.args(words).output().unwrap();
    Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
        json: Value::Null,
    }
}

/// Plays a scenario; `words` come after the server's address.
pub(crate) fn play(directory: &Path, server: &str, words: &str) -> Ran {
    let json: PathBuf = directory.join("run.json");
    // What an earlier run wrote would be read for this one's.
    let _absent = std::fs::remove_file(&json);
    let (path, domain) = (json.to_str().unwrap(), DOMAIN);
    let mut all = vec![
        "run", "--server", server, "--domain", domain, "--json", path,
    ];
    all.extend(words.split(' '));
    let ran = program(&all);
    let text = std::fs::read_to_string(&json).unwrap_or_default();
    let json = serde_json::from_str(&text).unwrap_or_default();
    Ran { json, ..ran }
}

/// Plays a scenario over plain TCP, with accounts that it makes.
pub(crate) fn play_plain(built: &Built, words: &str) -> Ran {
    let words = format!("--transport plain --register {words}");
    play(built.directory(), &built.plain.to_string(), &words)
}
