//! The server with its store in PostgreSQL: how it is opened and refused, what it says of it, what happens when it goes
//! away, and how everything comes there and back.

use std::fs;
use std::path::Path;

use serde_json::Value;
use waxwing_postgresql::{PASSWORD, Server, free_port};
use waxwing_tests::{Built, BuiltOptions};

use crate::check::texts;
use crate::machine::skip;
use crate::reload::edit;
use crate::rig::{ALICE, BOB, body, done, failed, log_in, next, say, settle, soon};

/// A PostgreSQL of the test's own; `None` where there is none, which the runner is told.
fn postgresql(name: &str) -> Option<Server> {
    let server = Server::new();
    if server.is_none() {
        let why = "PostgreSQL is not installed (Debian's package postgresql)";
        skip(&format!("daemon/postgresql/{name}"), why);
    }
    server
}

fn options(name: &str) -> BuiltOptions {
    let options = BuiltOptions::new(name).account(ALICE.0, ALICE.1);
    options.account(BOB.0, BOB.1)
}

/// The section that names a database, for behind the last one of the configuration.
fn section(url: &str) -> String {
    format!("\n[store]\nurl = {url:?}\n")
}

/// What the server says that does not start; the same is fatal to `check`.
fn refused(built: &Built) -> String {
    let said = failed(built, 1, &["serve", "--log-format", "text"]);
    let output = built.command(["check", "--offline", "--json"]).unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["starts"], false, "{found}");
    assert!(!said.contains(PASSWORD), "{said}");
    assert!(!found.to_string().contains(PASSWORD), "{found}");
    let fatal = texts(&found, "fatal");
    assert!(
        fatal.iter().any(|text| said.contains(text.as_str())),
        "{said}: {fatal:?}"
    );
    said
}

#[tokio::test]
async fn a_password_comes_from_a_file_and_goes_nowhere() {
    let Some(server) = postgresql("password") else {
        return;
    };
    server.require_password();
    let url = server.url_without_password(&server.database());
    let mut options = options("daemon-pg-password");
    let file = std::env::temp_dir().join(format!("waxwing-pg-password-{}", std::process::id()));
    fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    options.config = format!("{}password_file = {file:?}\n", section(&url));
    options.log = "trace".to_owned();
    let mut built = Built::start(options).unwrap();
    assert!(!built.data_dir.join("waxwing.db").exists());
    built.kill().unwrap();
    built.restart().unwrap();
    drop(log_in(&built, ALICE).await.unwrap());
    // Beside a server that runs, nobody is told a secret, and another one is refused.
    let output = built.command(["check", "--offline", "--json"]).unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let good = texts(&found, "good").join("\n");
    assert!(good.contains("is in use by a server that runs"), "{good}");
    assert!(
        texts(&found, "warning")
            .iter()
            .any(|text| text.contains("can read the password")),
        "{found}"
    );
    let second = failed(&built, 1, &["serve"]);
    assert!(second.contains("in use"), "{second}");
    built.stop().unwrap();
    fs::write(&file, "another\n").unwrap();
    let said = refused(&built);
    assert!(said.contains("does not let this user in"), "{said}");
    assert!(said.contains("store.password_file"), "{said}");
    fs::write(&file, "").unwrap();
    assert!(refused(&built).contains("it is empty"));
    fs::remove_file(&file).unwrap();
    let said = refused(&built);
    assert!(
        said.contains("line ") && said.contains("No such file"),
        "{said}"
    );
    let log = built.log().unwrap();
    assert!(!log.contains(PASSWORD), "the password is in the log");
}

#[test]
fn what_is_wrong_with_a_database_is_said_in_words() {
    let Some(server) = postgresql("refused") else {
        return;
    };
    let url = server.url(&server.database(), &[]);
    let mut options = BuiltOptions::new("daemon-pg-refused");
    options.config = section(&url);
    let mut built = Built::start(options).unwrap();
    built.stop().unwrap();
    let foreign = server.database();
    server.make_foreign(&foreign);
    let newer = server.database();
    server.make_newer(&newer);
    let nobody = format!(
        "postgresql://waxwing:{PASSWORD}@127.0.0.1:{}/x",
        free_port()
    );
    let mut current = url;
    for (next, said) in [
        (nobody, "cannot be reached: "),
        (
            server.url("nothing", &[]),
            "does not exist; create it there",
        ),
        (
            server.url(&foreign, &[]),
            "holds public.letters and no Waxwing tables",
        ),
        (server.url(&newer, &[]), "written by a newer program"),
    ] {
        edit(&built, &current, &next);
        let refused = refused(&built);
        assert!(refused.contains(said), "{refused}");
        assert!(refused.contains("'store.url'"), "{refused}");
        current = next;
    }
    for (next, said) in [
        ("sqlite:///tmp/x", "it does not begin with postgresql://"),
        ("postgresql://waxwing:secret@/x", "it names no host"),
        ("postgresql://waxwing:secret@h/x?tls=on", "unknown option"),
    ] {
        edit(&built, &current, next);
        let refused = failed(&built, 2, &["serve"]);
        assert!(refused.contains(said), "{refused}");
        assert!(refused.contains("'store.url' cannot be used"), "{refused}");
        assert!(!refused.contains("secret"), "{refused}");
        next.clone_into(&mut current);
    }
}

/// The refusal of what could not be stored, or nothing.
async fn answer(stream: &mut waxwing_dial::Stream, number: u64) -> Option<String> {
    let message = format!(
        "<message id='m{number}' to='bob@waxwing.example' type='chat'><body>{number}</body></message>"
    );
    say(stream, &message).await;
    let ping = format!("<iq type='get' id='p{number}'><ping xmlns='urn:xmpp:ping'/></iq>");
    say(stream, &ping).await;
    let mut refusal = None;
    loop {
        let stanza = soon(stream.next()).await.unwrap();
        match stanza.name() {
            "message" => refusal = Some(String::from_utf8_lossy(stanza.bytes()).into_owned()),
            "iq" if stanza.id().as_deref() == Some(&format!("p{number}")) => return refusal,
            _ => {}
        }
    }
}

/// What was not refused is there, in order and once, though the database went away in the middle and the server is killed
/// at the end.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_while_the_database_comes_and_goes_is_there() {
    let Some(server) = postgresql("away") else {
        return;
    };
    let second = free_port();
    let mut options = options("daemon-pg-away");
    options.config = section(&server.url(&server.database(), &[second]));
    let mut built = Built::start(options).unwrap();
    let mut alice = log_in(&built, ALICE).await.unwrap();
    let mut taken = Vec::new();
    let (mut number, mut refusals) = (0, 0);
    for stopped in [false, true, false] {
        let mut here = 0;
        if stopped {
            tokio::task::block_in_place(|| server.stop("QUIT"));
        }
        // Where it is back, the server finds it by itself, at its other address.
        while here < 3 {
            number += 1;
            let refused = answer(&mut alice, number).await;
            if let Some(refusal) = &refused {
                assert!(refusal.contains("internal-server-error"), "{refusal}");
                refusals += 1;
            } else {
                taken.push(number.to_string());
            }
            if refused.is_some() == stopped {
                here += 1;
            }
        }
        if stopped {
            tokio::task::block_in_place(|| server.start(second));
        }
    }
    assert!(refusals >= 3 && taken.len() >= 6);
    built.kill().unwrap();
    built.restart().unwrap();
    let mut bob = log_in(&built, BOB).await.unwrap();
    say(&mut bob, "<presence/>").await;
    let mut found = Vec::new();
    while found.last() != taken.last() {
        found.push(body(&next(&mut bob, "message").await));
    }
    // One whose commit nobody heard of may be there, and was not acknowledged.
    found.retain(|number| taken.contains(number));
    assert_eq!(found, taken);
    let log = built.log().unwrap();
    assert_eq!(
        log.matches("the database cannot be written").count(),
        1,
        "{log}"
    );
    assert_eq!(log.matches("can be written again").count(), 1, "{log}");
}

/// Something of a message, a contact and a setting, for what is copied.
async fn fill(built: &Built) {
    let mut alice = log_in(built, ALICE).await.unwrap();
    for number in 1..=50 {
        let message = format!(
            "<message to='bob@waxwing.example' type='chat'><body>{number}</body></message>"
        );
        say(&mut alice, &message).await;
    }
    let contact = "<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='carol@waxwing.example'/></query></iq>";
    say(&mut alice, contact).await;
    settle(&mut alice).await;
}

/// Whether Bob gets what was sent to him.
async fn is_there(built: &Built) {
    let mut bob = log_in(built, BOB).await.unwrap();
    say(&mut bob, "<presence/>").await;
    for number in 1..=50 {
        assert_eq!(body(&next(&mut bob, "message").await), number.to_string());
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_copied_there_and_back() {
    let Some(server) = postgresql("copy") else {
        return;
    };
    let mut built = Built::start(options("daemon-pg-copy")).unwrap();
    fill(&built).await;
    let url = server.url(&server.database(), &[]);
    let config = built.configuration().to_owned();
    let before = fs::read_to_string(&config).unwrap();
    let text = failed(&built, 1, &["store", "copy", "--to", &url]);
    assert!(text.contains("is in use"), "a server runs: {text}");
    built.stop().unwrap();
    let there = done(&built, &["store", "copy", "--to", &url]);
    assert_eq!(there["same"], true, "{there}");
    assert_eq!(there["copied"], there["found"]);
    assert_eq!(there["copied"]["shapes"]["messages"], 100);
    assert!(!there.to_string().contains(PASSWORD), "{there}");
    // Nothing is overwritten.
    let text = failed(&built, 1, &["store", "copy", "--to", &url]);
    assert!(text.contains("is not empty"), "{text}");
    fs::write(&config, before.clone() + &section(&url)).unwrap();
    built.restart().unwrap();
    let log = built.log().unwrap();
    assert!(
        log.contains("holds a SQLite database, which is not used"),
        "{log}"
    );
    is_there(&built).await;
    let text = failed(&built, 1, &["store", "copy", "--to", "/nowhere"]);
    assert!(text.contains("in use by another Waxwing server"), "{text}");
    built.stop().unwrap();
    // And back, by the configuration, into a place that is not there yet.
    let back = shown(&built.directory().join("back"));
    let output = built.command(["store", "copy", "--to", &back]).unwrap();
    let words = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{words}");
    assert!(words.contains("left as it is"), "{words}");
    let hashes: Vec<_> = words
        .lines()
        .filter(|line| line.contains("sha256"))
        .collect();
    assert_eq!(hashes.len(), 2, "{words}");
    let last = |line: &str| line.rsplit(' ').next().map(str::to_owned);
    assert_eq!(last(hashes[0]), last(hashes[1]));
    let of_it = before.replace(&shown(&built.data_dir), &back);
    fs::write(&config, of_it).unwrap();
    built.data_dir = back.into();
    built.restart().unwrap();
    drop(log_in(&built, ALICE).await.unwrap());
    // The same in neither way.
    built.stop().unwrap();
    let text = failed(&built, 1, &["store", "copy", "--from", &url, "--to", &url]);
    assert!(text.contains("both places are postgresql://"), "{text}");
    let none = server.url(&server.database(), &[]);
    let nothing = shown(&built.directory().join("new"));
    let text = failed(
        &built,
        1,
        &["store", "copy", "--from", &none, "--to", &nothing],
    );
    assert!(
        text.contains("holds nothing that could be copied"),
        "{text}"
    );
    assert!(!Path::new(&nothing).exists());
    failed(&built, 2, &["store", "copy"]);
}

/// What the doctor finds, and its exit code.
fn examined(built: &Built) -> (Option<i32>, Value) {
    let output = built.command(["doctor", "--json"]).unwrap();
    let found = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.code(), found)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_reads_everything_and_saves_it_for_either_kind() {
    let Some(server) = postgresql("doctor") else {
        return;
    };
    let database = server.database();
    let mut options = options("daemon-pg-doctor");
    options.config = section(&server.url(&database, &[]));
    let mut built = Built::start(options).unwrap();
    fill(&built).await;
    // What a test's server has for speed is bad for others.
    let (code, found) = examined(&built);
    assert_eq!(code, Some(1), "{found}");
    assert!(
        texts(&found, "bad").join("").contains("fsync is off"),
        "{found}"
    );
    assert!(
        texts(&found, "good")
            .join("")
            .contains("everything is whole: "),
        "{found}"
    );
    server.set("fsync=on");
    let (code, found) = examined(&built);
    assert_eq!(code, Some(0), "{found}");
    assert!(
        texts(&found, "warning")
            .join("")
            .contains("autovacuum is off"),
        "{found}"
    );

    let file = shown(&built.directory().join("saved.backup"));
    let said = done(&built, &["doctor", "--export", &file]);
    assert_eq!(said["exported"], done(&built, &["verify", &file]));
    built.stop().unwrap();
    // From the database into a directory, and from there into another database.
    let other = server.url(&server.database(), &[]);
    let with_database = fs::read_to_string(built.configuration()).unwrap();
    edit(&built, &section(&server.url(&database, &[])), "\n");
    done(&built, &["restore", &file]);
    built.restart().unwrap();
    drop(log_in(&built, ALICE).await.unwrap());
    let again = shown(&built.directory().join("again.backup"));
    done(&built, &["backup", &again]);
    built.stop().unwrap();
    fs::write(built.configuration(), with_database).unwrap();
    let text = failed(&built, 1, &["restore", &again]);
    assert!(
        text.contains("is not empty: it holds what a Waxwing server has stored"),
        "{text}"
    );
    edit(&built, &server.url(&database, &[]), &other);
    done(&built, &["restore", &again]);
    built.restart().unwrap();
    is_there(&built).await;
    built.stop().unwrap();
}

#[tokio::test]
async fn what_somebody_else_has_written_is_found() {
    let Some(server) = postgresql("spoilt") else {
        return;
    };
    let database = server.database();
    let mut options = options("daemon-pg-spoilt");
    options.config = section(&server.url(&database, &[]));
    let built = Built::start(options).unwrap();
    fill(&built).await;
    server.spoil_an_entry(&database);
    let (code, found) = examined(&built);
    assert_eq!(code, Some(1), "{found}");
    let bad = texts(&found, "bad").join("");
    assert!(bad.contains("messages: "), "{found}");
    let scratch = failed(&built, 2, &["doctor", "--scratch", "/tmp"]);
    assert!(scratch.contains("for data directories"), "{scratch}");
}
