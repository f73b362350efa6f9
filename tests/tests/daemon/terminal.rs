//! Commands at a terminal, and where what they print cannot be written or has to be JSON.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use waxwing_tests::Built;

use crate::rig::{BOB, done, failed, server};

/// A shell at a terminal of its own, which runs one command.
struct Terminal {
    script: Child,
    /// All that it has shown.
    shown: String,
}

impl Terminal {
    /// Asks for the password of a new account; says its process before, its exit code and the terminal's settings after.
    fn add_carol(built: &Built) -> Terminal {
        const WORDS: &str = "trap : INT QUIT\n\
            sh -c 'echo \"process $$ $(tty)\"; exec \"$WAXWING\" --config \"$CONFIG\" account add carol@waxwing.example'\n\
            echo \"code $?\"; stty -a; echo end";
        let mut script = Command::new("script");
        script.args(["--quiet", "--command", WORDS, "/dev/null"]);
        script
            .env("SHELL", "/bin/sh")
            .env("WAXWING", built.binary());
        script.env("CONFIG", built.directory().join("waxwing.toml"));
        script.stdin(Stdio::piped()).stdout(Stdio::piped());
        Terminal {
            script: script.spawn().unwrap(),
            shown: String::new(),
        }
    }

    fn wait_for(&mut self, text: &str) {
        let out = self.script.stdout.as_mut().unwrap();
        let mut byte = [0];
        while !self.shown.contains(text) {
            assert_eq!(out.read(&mut byte).unwrap(), 1, "{:?}", self.shown);
            self.shown.push(char::from(byte[0]));
        }
    }

    fn type_in(&mut self, text: &str) {
        let input = self.script.stdin.as_mut().unwrap();
        input.write_all(text.as_bytes()).unwrap();
        input.flush().unwrap();
    }

    /// What was shown until the end, where the terminal has to be as it was.
    fn end(mut self) -> String {
        self.wait_for("\nend\r\n");
        assert!(self.script.wait().unwrap().success());
        let (before, settings) = self.shown.split_once("\ncode ").unwrap();
        let settings: Vec<_> = settings.split_whitespace().collect();
        assert!(settings.contains(&"echo"), "{settings:?}");
        assert!(settings.contains(&"-echonl"), "{settings:?}");
        format!("{before}\ncode {}", settings[0]).replace('\r', "")
    }
}

#[test]
fn a_password_is_asked_for_and_not_shown() {
    let built = server("daemon-prompt");
    let mut terminal = Terminal::add_carol(&built);
    terminal.wait_for("Password for carol@waxwing.example: ");
    terminal.type_in("twinkle little bat\n");
    terminal.wait_for("Once more: ");
    terminal.type_in("twinkle little bat\n");
    let shown = terminal.end();
    let asked = "Password for carol@waxwing.example: \nOnce more: \n\
                 carol@waxwing.example was made (member).\ncode 0";
    assert!(shown.ends_with(asked), "{shown:?}");
}

#[test]
fn a_question_that_is_broken_off_leaves_the_terminal_as_it_was() {
    let built = server("daemon-prompt-broken-off");
    // Ctrl-C, Ctrl-\, and the end of the input at the second question.
    let ended =
        "Once more: \n\u{1b}[31merror:\u{1b}[0m no password was given; nothing was changed\ncode 1";
    for (typed, end) in [
        ("\u{3}", ": \ncode 130"),
        ("\u{1c}", ": \ncode 131"),
        ("bat\n\u{4}", ended),
    ] {
        let mut terminal = Terminal::add_carol(&built);
        terminal.wait_for("Password for carol@waxwing.example: ");
        terminal.type_in(typed);
        let shown = terminal.end();
        assert!(shown.ends_with(end), "{shown:?}");
        assert!(!shown.contains("bat"), "{shown:?}");
    }
    let mut terminal = Terminal::add_carol(&built);
    terminal.wait_for("Password for carol@waxwing.example: ");
    let process = terminal.shown.split_whitespace().nth(1).unwrap().to_owned();
    assert!(
        Command::new("kill")
            .arg(process)
            .status()
            .unwrap()
            .success()
    );
    let shown = terminal.end();
    assert!(shown.ends_with(": \ncode 143"), "{shown:?}");
    let all = done(&built, &["account", "list"]).to_string();
    assert!(!all.contains("carol"), "{all}");
}

#[test]
fn what_cannot_be_written_is_told() {
    let built = server("daemon-full-output");
    let path = |name: &str| built.directory().join(name).display().to_string();
    let (backup, other, manual, certificates) = (
        path("a.backup"),
        path("b.backup"),
        path("manual"),
        path("certificates"),
    );
    done(&built, &["backup", &backup]);
    let bob = format!("{}@waxwing.example", BOB.0);
    for words in [
        &["account", "list"][..],
        &["account", "list", "--json"],
        &["account", "disable", &bob],
        &["check", "--offline"],
        &["check", "--offline", "--json"],
        &["reload"],
        &["backup", &other],
        &["verify", &backup],
        &["verify", &backup, "--json"],
        &["certificate", "local", "--dir", &certificates],
        &["manual", "--dir", &manual],
        &["completions", "bash"],
        &["--help"],
        &["help", "account"],
        &["--version"],
    ] {
        let mut command = Command::new(built.binary());
        command
            .arg("--config")
            .arg(path("waxwing.toml"))
            .args(words);
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = command.stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            said.contains("the result cannot be written: No space left"),
            "{words:?}: {said}"
        );
        assert_eq!(said.lines().count(), 1, "{words:?}: {said}");
    }
    // A reader that is gone is nobody's fault.
    let mut command = Command::new(built.binary());
    let mut command = command
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(command.stdout.take());
    assert!(command.wait().unwrap().success());
}

#[test]
fn errors_at_the_start_are_lines_of_a_log_in_json() {
    let built = server("daemon-json-log");
    let config = built.directory().join("waxwing.toml");
    let serve = |code: i32, words: &[&str]| {
        let said = failed(&built, code, words);
        assert_eq!(said.lines().count(), 1, "{said}");
        let mut line: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(line["level"], "ERROR", "{said}");
        assert!(
            line["timestamp"].as_str().unwrap().starts_with("20"),
            "{said}"
        );
        line["fields"]["error"].take().as_str().unwrap().to_owned()
    };
    let json = ["serve", "--log-format", "json"];
    let said = serve(1, &json);
    assert!(said.contains("is in use"), "{said}");
    let said = serve(2, &["serve", "--log-format=json", "--backwards"]);
    assert!(said.contains("--backwards"), "{said}");
    fs::write(&config, "domains = 1").unwrap();
    let said = serve(2, &json);
    assert!(said.contains("line 1: 'domains' must be a list"), "{said}");
}

#[test]
fn a_question_that_goes_on_after_a_stop_shows_nothing() {
    let built = server("daemon-prompt-stopped");
    let mut terminal = Terminal::add_carol(&built);
    let question = "Password for carol@waxwing.example: ";
    terminal.wait_for(question);
    let mut words = terminal.shown.split_whitespace().skip(1);
    let (process, path) = (words.next().unwrap(), words.next().unwrap());
    let run = |program: &str, words: &[&str]| {
        let done = Command::new(program).args(words).status();
        assert!(done.unwrap().success(), "{program} {words:?}");
    };
    run("kill", &["-STOP", process]);
    // As a shell does.
    run("stty", &["-F", path, "echo"]);
    run("kill", &["-CONT", process]);
    terminal.wait_for(&format!("{question}{question}"));
    terminal.type_in("twinkle little bat\n");
    terminal.wait_for("Once more: ");
    terminal.type_in("twinkle little bat\n");
    let shown = terminal.end();
    assert!(shown.ends_with("was made (member).\ncode 0"), "{shown:?}");
    assert!(!shown.contains("little"), "{shown:?}");
}
