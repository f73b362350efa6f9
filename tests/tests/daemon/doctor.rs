//! `waxwing doctor`, as somebody runs it whose server does not start any more.

use std::fs;
use std::path::Path;
use std::process::Output;

use waxwing_tests::Built;

use crate::rig::{ALICE, BOB, done, failed, log_in, next, say, server, settle};

const PAGE: usize = 4_096;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn doctor(built: &Built, more: &[&str]) -> Output {
    let dir = built.data_dir.display().to_string();
    built
        .command(["doctor", &dir].iter().chain(more.iter()))
        .unwrap()
}

/// Every file of the data directory, with its content.
fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for file in fs::read_dir(directory).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            all.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
    all.sort();
    all
}

/// A contact of Alice's, and what waits for Bob.
async fn something(built: &Built) {
    let mut alice = log_in(built, ALICE).await.unwrap();
    say(
        &mut alice,
        "<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='bob@waxwing.example' name='Bob ☃'/></query></iq>",
    )
    .await;
    for number in 0..50 {
        let message = format!(
            "<message to='bob@waxwing.example' type='chat'><body>{number}</body></message>"
        );
        say(&mut alice, &message).await;
    }
    settle(&mut alice).await;
}

/// Stops the server, and has everything in the database itself: one that ends while it is busy leaves the write-ahead
/// log, where the next start finds it.
fn put_away(built: &mut Built) {
    let ahead = built.data_dir.join("waxwing.db-wal");
    for _ in 0..20 {
        built.stop().unwrap();
        if !fs::metadata(&ahead).is_ok_and(|ahead| ahead.len() > 0) {
            return;
        }
        built.restart().unwrap();
    }
    panic!("the write-ahead log stays");
}

#[tokio::test]
async fn what_a_damaged_database_still_holds_comes_back() {
    let mut built = server("daemon-doctor");
    something(&built).await;
    // While it runs there are better ways.
    let running = doctor(&built, &[]);
    assert_eq!(running.status.code(), Some(1));
    assert!(text(&running.stderr).contains("waxwing backup"));
    put_away(&mut built);
    let whole = doctor(&built, &[]);
    assert!(whole.status.success(), "{}", text(&whole.stderr));
    assert!(text(&whole.stdout).contains("is whole"));

    // The first page: where the tables are, and whose file it is.
    let database = built.data_dir.join("waxwing.db");
    let mut bytes = fs::read(&database).unwrap();
    bytes[..PAGE].fill(0);
    fs::write(&database, &bytes).unwrap();
    let before = files(&built.data_dir);
    assert!(built.restart().is_err());
    let said = doctor(&built, &[]);
    assert_eq!(said.status.code(), Some(1));
    let (out, error) = (text(&said.stdout), text(&said.stderr));
    assert!(out.contains("the server does not start on it"), "{out}");
    assert!(out.contains("--export FILE"), "{out}");
    assert!(
        error.contains("is damaged; nothing in it was changed"),
        "{error}"
    );

    let file = built.directory().join("saved.backup").display().to_string();
    let exported = done(&built, &["doctor", "--export", &file]);
    assert_eq!(exported["exported"]["shapes"]["messages"]["records"], 50);
    assert_eq!(exported["shapes"]["accounts"]["records"], 2);
    assert!(files(&built.data_dir) == before);
    done(&built, &["verify", &file]);

    fs::rename(&built.data_dir, built.directory().join("damaged")).unwrap();
    done(&built, &["restore", &file]);
    built.restart().unwrap();
    let mut bob = log_in(&built, BOB).await.unwrap();
    say(&mut bob, "<presence/>").await;
    for number in 0..50 {
        let message = next(&mut bob, "message").await;
        assert_eq!(crate::rig::body(&message), number.to_string());
    }
    let mut alice = log_in(&built, ALICE).await.unwrap();
    say(
        &mut alice,
        "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>",
    )
    .await;
    let roster = next(&mut alice, "iq").await;
    assert!(text(roster.bytes()).contains("Bob ☃"));
}

#[tokio::test]
async fn what_is_lost_is_said_in_words_and_as_json() {
    let mut built = server("daemon-doctor-said");
    something(&built).await;
    put_away(&mut built);
    let path = |name: &str| built.directory().join(name).display().to_string();
    let database = built.data_dir.join("waxwing.db");
    let whole = fs::read(&database).unwrap();
    // The page in which the contents of the logs begin.
    let mut bytes = whole.clone();
    bytes[13 * PAGE..14 * PAGE].fill(0xFF);
    fs::write(&database, &bytes).unwrap();
    let out = text(&doctor(&built, &[]).stdout);
    assert!(out.contains("the content of all logs: page 14"), "{out}");
    let json = doctor(&built, &["--json"]);
    assert_eq!(json.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["findings"][0]["level"], "fatal");
    assert_eq!(json["exported"], serde_json::Value::Null);

    // The owners and their index: without them nothing is anybody's, and a backup of nothing is none.
    let mut bytes = whole.clone();
    bytes[5 * PAGE..7 * PAGE].fill(0);
    fs::write(&database, &bytes).unwrap();
    let file = path("nothing.backup");
    let lost = doctor(&built, &["--export", &file]);
    assert_eq!(lost.status.code(), Some(1));
    let (out, error) = (text(&lost.stdout), text(&lost.stderr));
    assert!(
        out.contains("messages: 50 belong to nobody who is known"),
        "{out}"
    );
    assert!(error.contains("no backup was written"), "{error}");
    assert!(!Path::new(&file).exists());

    // Which tables there are: the program knows what it declares.
    let mut bytes = whole.clone();
    bytes[2 * PAGE..4 * PAGE].fill(0);
    fs::write(&database, &bytes).unwrap();
    let file = path("guessed.backup");
    let guessed = doctor(&built, &["--export", &file]);
    assert!(guessed.status.success(), "{}", text(&guessed.stderr));
    let out = text(&guessed.stdout);
    assert!(out.contains("which they are was guessed"), "{out}");
    assert!(out.contains("look at what is restored"), "{out}");
    let verified = done(&built, &["verify", &file]);
    assert_eq!(verified["shapes"]["messages"]["records"], 50);
    assert_eq!(verified["shapes"]["accounts"]["records"], 2);

    // Another version's.
    let mut newer = whole.clone();
    newer[63] = 2;
    let schema = newer
        .windows(10)
        .position(|part| part == b"high_water")
        .unwrap();
    newer[schema] = b'H';
    fs::write(&database, &newer).unwrap();
    let file = built.directory().join("newer.backup").display().to_string();
    let said = failed(&built, 1, &["doctor", "--export", &file]);
    assert!(said.contains("written by a newer program"), "{said}");
    assert!(!Path::new(&file).exists());
    fs::write(&database, &whole).unwrap();

    // Nothing is written where the damage is, nor over something else.
    let inside = built.data_dir.join("saved.backup").display().to_string();
    let said = failed(&built, 1, &["doctor", "--export", &inside]);
    assert!(said.contains("choose another place"), "{said}");
    let other = built.directory().join("waxwing.toml").display().to_string();
    let before = fs::read(&other).unwrap();
    let taken = doctor(&built, &["--export", &other]);
    assert_eq!(taken.status.code(), Some(1));
    assert!(text(&taken.stderr).contains("is no Waxwing backup"));
    assert_eq!(fs::read(&other).unwrap(), before);
    built.restart().unwrap();
}
