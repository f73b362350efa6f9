//! Backups of the running server, and what comes back from them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use waxwing_tests::{Built, BuiltOptions};

use crate::rig::{
    ALICE, BOB, available, body, done, failed, log_in, next, say, server, settle, soon,
};

fn path(built: &Built, name: &str) -> String {
    built.directory().join(name).display().to_string()
}

/// Every file below a directory, with its content.
fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for file in fs::read_dir(directory).unwrap() {
        let path = file.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else if path.is_file() {
            all.insert(path.display().to_string(), fs::read(&path).unwrap());
        }
    }
    all
}

/// The numbers of the messages that wait for Bob.
async fn waiting(built: &Built) -> Vec<u64> {
    let mut bob = log_in(built, BOB).await.unwrap();
    say(&mut bob, "<presence/>").await;
    say(
        &mut bob,
        "<message to='bob@waxwing.example' type='chat'><body>last</body></message>",
    )
    .await;
    let mut numbers = Vec::new();
    loop {
        let body = body(&next(&mut bob, "message").await);
        if body == "last" {
            return numbers;
        }
        numbers.push(body.parse().unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_before_it_is_there_once_after_a_restore() {
    let mut built = server("daemon-backup");
    let mut alice = log_in(&built, ALICE).await.unwrap();
    say(
        &mut alice,
        "<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='bob@waxwing.example' name='Bob ☃'/></query></iq>",
    )
    .await;
    let acknowledged = Arc::new(AtomicU64::new(0));
    let count = acknowledged.clone();
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let load = tokio::spawn(async move {
        let mut number = 0;
        while stopped.try_recv().is_err() {
            for _ in 0..20 {
                number += 1;
                let message = format!(
                    "<message to='bob@waxwing.example' type='chat'><body>{number}</body></message>"
                );
                say(&mut alice, &message).await;
            }
            // What was answered behind them means that they are on disk.
            settle(&mut alice).await;
            count.store(number, Ordering::SeqCst);
        }
        number
    });
    let enough = async {
        while acknowledged.load(Ordering::SeqCst) < 200 {
            tokio::task::yield_now().await;
        }
    };
    soon(enough).await;
    let before = acknowledged.load(Ordering::SeqCst);
    let file = path(&built, "a.backup");
    let summary = tokio::task::block_in_place(|| done(&built, &["backup", &file]));
    stop.send(()).unwrap();
    let sent = soon(load).await.unwrap();
    assert!(sent >= before);

    let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    assert_eq!(summary["format"], 1);
    assert_eq!(summary["shapes"]["accounts"]["records"], 2);
    assert_eq!(summary["bytes"], fs::metadata(&file).unwrap().len());
    // One of the sender's, one of the recipient's.
    let entries = summary["shapes"]["messages"]["records"].as_u64().unwrap();
    assert_eq!(entries % 2, 0);
    let messages = entries / 2;
    built.stop().unwrap();
    // Needs neither server nor configuration.
    assert_eq!(done(&built, &["verify", &file]), summary);

    built.empty_store().unwrap();
    assert_eq!(done(&built, &["restore", &file]), summary);
    built.restart().unwrap();
    let waiting = waiting(&built).await;
    assert!(
        waiting.len() as u64 >= before,
        "{} of {before}",
        waiting.len()
    );
    assert_eq!(waiting.len() as u64, messages);
    assert_eq!(waiting, (1..=messages).collect::<Vec<_>>());

    let mut alice = available(&built, ALICE).await;
    say(
        &mut alice,
        "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>",
    )
    .await;
    let roster = next(&mut alice, "iq").await;
    assert!(String::from_utf8_lossy(roster.bytes()).contains("Bob ☃"));
    // And a backup of what was restored can be made, in the place of the old one.
    done(&built, &["backup", &file]);
    done(&built, &["verify", &file]);
}

#[test]
fn a_backup_that_is_not_whole_touches_nothing() {
    let mut built = server("daemon-backup-damage");
    let file = path(&built, "a.backup");
    done(&built, &["backup", &file]);
    built.stop().unwrap();
    built.empty_store().unwrap();
    let whole = fs::read(&file).unwrap();
    let refused = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        let said = failed(&built, 1, &["restore", &file]);
        assert_eq!(failed(&built, 1, &["verify", &file]), said);
        assert!(said.starts_with(&format!("error: {file}: ")), "{said}");
        assert!(!built.data_dir.exists());
        said
    };
    for at in (0..whole.len()).step_by(whole.len() / 40) {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        refused(&flipped);
        let said = refused(&whole[..at]);
        assert!(said.contains("cut short"), "{said}");
    }
    let mut newer = whole.clone();
    newer[19] += 1;
    let said = refused(&newer);
    assert!(said.contains("format 2, this program knows 1"), "{said}");
    let said = refused(b"[listen]\nc2s = []\n");
    assert!(said.contains("not a Waxwing backup"), "{said}");
    fs::write(&file, &whole).unwrap();
    done(&built, &["restore", &file]);
    built.restart().unwrap();
}

#[test]
fn what_is_there_is_not_overwritten() {
    let mut built = server("daemon-backup-refused");
    let file = path(&built, "a.backup");
    done(&built, &["backup", &file]);
    // By another file's name.
    let config = path(&built, "waxwing.toml");
    let before = fs::read(&config).unwrap();
    let said = failed(&built, 1, &["backup", &config]);
    assert!(said.contains("no Waxwing backup"), "{said}");
    assert_eq!(fs::read(&config).unwrap(), before);
    // Into a folder that is not there.
    let said = failed(&built, 1, &["backup", &path(&built, "no/where")]);
    assert!(said.contains("No such file"), "{said}");
    // Onto the running server's data, and onto that of one that has stopped.
    let said = failed(&built, 1, &["restore", &file]);
    assert!(said.contains("is not empty"), "{said}");
    built.stop().unwrap();
    let before = files(&built.data_dir);
    failed(&built, 1, &["restore", &file]);
    assert!(files(&built.data_dir) == before);
    // Nobody to make a backup.
    let said = failed(&built, 1, &["backup", &path(&built, "b.backup")]);
    assert!(said.contains("is not running"), "{said}");
    // Nothing half is left beside the good one.
    let names: Vec<_> = files(built.directory()).into_keys().collect();
    assert!(
        !names.iter().any(|name| name.contains("unfinished")),
        "{names:?}"
    );
}

#[test]
fn earlier_versions_come_back_from_a_backup_of_today() {
    for data in waxwing_tests::stored::all().unwrap() {
        let mut options = BuiltOptions::new("backup-upgrade");
        options.data = Some(data);
        let mut built = Built::start(options).unwrap();
        let file = path(&built, "a.backup");
        done(&built, &["backup", &file]);
        built.stop().unwrap();
        fs::remove_dir_all(&built.data_dir).unwrap();
        done(&built, &["restore", &file]);
        built.restart().unwrap();
        // Her account came along: another of its name is refused.
        assert!(built.add_account("alice", "another password").is_err());
    }
}

/// One backup is made at a time: who comes second is told so, and writes nothing.
#[tokio::test]
async fn a_second_backup_at_a_time_is_refused_in_words() {
    let built = server("daemon-backup-second");
    // The first one is asked for, and not read: it waits with most of what it has to say.
    let mut stream = log_in(&built, ALICE).await.unwrap();
    for number in 0..40 {
        let note = "x".repeat(40_000);
        let private = format!(
            "<iq type='set' id='p{number}'><query xmlns='jabber:iq:private'><a xmlns='urn:a:{number}'>{note}</a></query></iq>"
        );
        say(&mut stream, &private).await;
        next(&mut stream, "iq").await;
    }
    let mut first = UnixStream::connect(built.data_dir.join("admin.sock")).unwrap();
    first.write_all(b"{\"command\":\"backup\"}\n").unwrap();
    let mut begun = [0; 1];
    first.read_exact(&mut begun).unwrap();
    let file = built.directory().join("second.backup");
    let said = failed(&built, 1, &["backup", &file.display().to_string()]);
    assert!(said.contains("another backup is being made"), "{said}");
    assert!(!file.exists());
}
