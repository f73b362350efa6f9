//! Where accounts come from, but for registration in the stream, which the other tests use.

use std::fs;

use waxwing_tests::{Built, BuiltOptions};

use crate::rig::play;

const CHAT: &str = "--transport plain --scenario chat --clients 2 --rate 20/s --duration 500ms";

/// As the manual has it.
#[test]
fn made_by_a_command() {
    let built = Built::start(BuiltOptions::new("load-command")).unwrap();
    let script = built.directory().join("add");
    let text = format!(
        "#!/bin/sh\nexec {} --config {} account add \"$1\" --password \"$2\"\n",
        built.binary().display(),
        built.configuration().display()
    );
    fs::write(&script, text).unwrap();
    let words = [
        "sh",
        script.to_str().unwrap(),
        "{user}@{domain}",
        "{password}",
    ];
    let command = words.join(" ");
    let server = built.plain.to_string();
    let chat: Vec<&str> = CHAT.split(' ').collect();
    let mut all = vec!["run", "--server", &server, "--domain", "waxwing.example"];
    all.extend(["--account-command", &command, "--password", "two words"]);
    all.extend(chat);
    let run = crate::rig::program(&all);
    assert_eq!(run.code, Some(0), "{}{}", run.out, run.err);
    assert!(run.out.contains("10 sent, 10 came, 0 lost"), "{}", run.out);
    // They are there now.
    let again = crate::rig::program(&all);
    assert_eq!(again.code, Some(2), "{}", again.out);
    assert!(
        again
            .err
            .contains("failed for load0@waxwing.example: exit status: 1: "),
        "{}",
        again.err
    );
}

#[test]
fn from_a_file() {
    let options = BuiltOptions::new("load-file");
    let options = options.account("alice", "a b c").account("bob", "secret");
    let built = Built::start(options).unwrap();
    let file = built.directory().join("accounts");
    fs::write(
        &file,
        "# who\nalice@waxwing.example a b c\nbob@waxwing.example secret\n",
    )
    .unwrap();
    let server = built.plain.to_string();
    let words = format!("{CHAT} --accounts {}", file.display());
    assert_eq!(play(built.directory(), &server, &words).clean(), 10);
    let more = play(
        built.directory(),
        &server,
        &words.replace("--clients 2", "--clients 3"),
    );
    let path = file.display();
    assert_eq!(more.code, Some(2));
    assert_eq!(
        more.err,
        format!("error: {path} has 2 accounts, and there are to be 3 clients\n")
    );
    fs::write(
        &file,
        "alice@waxwing.example a b c\nbob@waxwing.example wrong\n",
    )
    .unwrap();
    let wrong = play(built.directory(), &server, &words);
    assert!(
        wrong
            .failed()
            .contains("1 × log-in: log-in failed: not-authorized"),
        "{}",
        wrong.out
    );
}

/// Nobody may register here.
#[test]
fn registration_may_be_refused() {
    let built = Built::start(BuiltOptions::new("load-closed")).unwrap();
    let server = built.plain.to_string();
    let run = play(built.directory(), &server, &format!("{CHAT} --register"));
    let error = "load0@waxwing.example: the server makes no account: not-allowed: accounts are made by whoever was invited";
    let other = error.replace("load0", "load1");
    assert_eq!(run.code, Some(2), "{}", run.out);
    assert!(
        [error, &other]
            .map(|error| format!("error: {error}\n"))
            .contains(&run.err),
        "{}",
        run.err
    );
    assert_eq!(run.out, "");
    // Nothing is left of a run that was none.
    assert!(!built.directory().join("run.json").exists());
}
