//! `waxwing doctor`, as somebody runs it whose server does not start any more.

use std::fs;
use std::path::Path;
use std::process::Output;

use waxwing_tests::Built;

use crate::rig::{ALICE, BOB, done, failed, log_in, next, say, server, settle};

const PAGE: usize = 4_096;
/// More than is checked page by page at the start.
const LARGE_BYTES: usize = 65 << 20;

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
    assert_eq!(exported["exported"]["shapes"]["messages"]["records"], 100);
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
        out.contains("messages: 100 belong to nobody who is known"),
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
    assert_eq!(verified["shapes"]["messages"]["records"], 100);
    assert_eq!(verified["shapes"]["accounts"]["records"], 2);

    // Another version's.
    let mut newer = whole.clone();
    newer[63] = 2;
    fs::write(&database, &newer).unwrap();
    let file = path("newer.backup");
    let said = doctor(&built, &["--export", &file]);
    let out = text(&said.stdout) + &text(&said.stderr);
    assert_eq!(said.status.code(), Some(1), "{out}");
    assert!(out.contains("written by a newer program"), "{out}");
    assert!(out.contains("--any-version"), "{out}");
    assert!(!out.contains("see to the disk"), "{out}");
    assert!(!out.contains("first bytes"), "{out}");
    assert!(!Path::new(&file).exists());
    let schema = newer
        .windows(10)
        .position(|part| part == b"high_water")
        .unwrap();
    newer[schema] = b'H';
    fs::write(&database, &newer).unwrap();
    let said = failed(&built, 1, &["doctor", "--export", &file]);
    assert!(said.contains("written by a newer program"), "{said}");
    assert!(!Path::new(&file).exists());

    a_hidden_account_is_refused(&mut built, &whole);
    fs::write(&database, &whole).unwrap();
    built.restart().unwrap();
}

/// One bit in the index of owners: an account would be gone.
fn a_hidden_account_is_refused(built: &mut Built, whole: &[u8]) {
    let database = built.data_dir.join("waxwing.db");
    // It begins at page 7.
    let mut bytes = whole.to_vec();
    let name = bytes[6 * PAGE..7 * PAGE]
        .windows(3)
        .position(|part| part == b"bob");
    bytes[6 * PAGE + name.expect("it is listed")] ^= 0x80;
    fs::write(&database, &bytes).unwrap();
    assert!(built.restart().is_err());
    assert!(fs::read(&database).unwrap() == bytes);
    let said = doctor(built, &[]);
    assert!(text(&said.stdout).contains("the server does not start on it"));
}

#[test]
fn an_export_goes_where_there_is_room_for_it_and_nothing_else() {
    let mut built = server("daemon-doctor-places");
    built.stop().unwrap();
    // Where the export would go is not there.
    let nowhere = built
        .directory()
        .join("nowhere/x.backup")
        .display()
        .to_string();
    let said = failed(&built, 1, &["doctor", "--export", &nowhere]);
    assert!(said.contains("there is no directory"), "{said}");
    let blobs = built.data_dir.join("blobs").display().to_string();
    fs::write(built.data_dir.join("blobs/note"), "").unwrap();
    let said = failed(&built, 1, &["doctor", &blobs]);
    assert!(
        said.contains("name the directory in which waxwing.db is"),
        "{said}"
    );
    fs::remove_file(built.data_dir.join("blobs/note")).unwrap();

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

fn private(kind: &str, number: u32, content: &str) -> String {
    format!(
        "<iq type='{kind}' id='{kind}{number}'><query xmlns='jabber:iq:private'><n xmlns='urn:n:{number:02}'>{content}</n></query></iq>"
    )
}

/// The answer to a request, by its id.
async fn answer(stream: &mut waxwing_dial::Stream, id: &str) -> (String, String) {
    loop {
        let iq = next(stream, "iq").await;
        if iq.id().as_deref() == Some(id) {
            return (iq.kind().unwrap_or_default().into_owned(), text(iq.bytes()));
        }
    }
}

#[tokio::test]
async fn damage_that_a_running_server_meets_is_said_once() {
    let mut built = server("daemon-doctor-met");
    let mut alice = log_in(&built, ALICE).await.unwrap();
    for number in 0..30 {
        let content = format!("{number:04}").repeat(150);
        say(&mut alice, &private("set", number, &content)).await;
        let id = format!("set{number}");
        assert_eq!(answer(&mut alice, &id).await.0, "result");
    }
    drop(alice);
    put_away(&mut built);
    // One page of the middle, in a database that is larger than what is checked at the start: the rest of it is a hole.
    // The first seventeen pages are roots.
    let database = built.data_dir.join("waxwing.db");
    let mut bytes = fs::read(&database).unwrap();
    for page in bytes.chunks_mut(PAGE).skip(17) {
        if page.windows(16).any(|part| part == b"0015001500150015") {
            page.fill(0xA5);
        }
    }
    let pages = u32::try_from(LARGE_BYTES / PAGE).unwrap();
    bytes[28..32].copy_from_slice(&pages.to_be_bytes());
    fs::write(&database, &bytes).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&database).unwrap();
    file.set_len(LARGE_BYTES as u64).unwrap();
    built.restart().unwrap();
    let said = || {
        let log = built.log().unwrap();
        (log.matches("`waxwing doctor`").count(), log)
    };
    assert_eq!(said().0, 0);
    let mut alice = log_in(&built, ALICE).await.unwrap();
    for _ in 0..2 {
        for kind in ["get", "set"] {
            say(&mut alice, &private(kind, 15, "")).await;
            let (kind, error) = answer(&mut alice, &format!("{kind}15")).await;
            assert_eq!(kind, "error", "{error}");
            assert!(error.contains("<internal-server-error"), "{error}");
        }
        // What lies elsewhere is as ever.
        say(&mut alice, &private("get", 2, "")).await;
        assert!(answer(&mut alice, "get2").await.1.contains("00020002"));
        say(&mut alice, "<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='bob@waxwing.example'/></query></iq>").await;
        assert_eq!(answer(&mut alice, "r").await.0, "result");
    }
    let (count, log) = said();
    assert_eq!(count, 1, "{log}");
    assert_eq!(log.matches("ERROR").count(), 1, "{log}");
    assert!(log.contains("waxwing.db is damaged"), "{log}");
    drop(alice);
    built.stop().unwrap();
    let file = built.directory().join("met.backup").display().to_string();
    let exported = done(&built, &["doctor", "--export", &file]);
    let saved = exported["exported"]["shapes"]["private"]["records"].as_u64();
    assert!(
        saved.is_some_and(|saved| (24..30).contains(&saved)),
        "{saved:?}"
    );
}
