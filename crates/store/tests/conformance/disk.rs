//! What only a database on a disk does: its files, what it refuses, what it does when there is no room.

mod refusal;
mod room;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::mpsc;

use rusqlite::{Connection, OpenFlags};
use waxwing_store::{
    Batch, BlobHash, Direction, KeyRange, LogId, Marks, OpenError, Page, Shape, SqliteOptions,
    Store,
};

use crate::place::{TestDirectory, wait};
use crate::shapes::{
    BOTH, CARDS, MESSAGES, TAGGED, alice, all, append, bob, card, committed, tagged,
};

fn try_open(directory: &TestDirectory, shapes: &[Shape]) -> Result<Store, OpenError> {
    Store::sqlite(directory.path(), &SqliteOptions::default(), shapes)
}

fn open(directory: &TestDirectory) -> Store {
    try_open(directory, &all()).unwrap()
}

/// A number from the database, beside the store that has it open.
fn number(directory: &TestDirectory, sql: &str) -> i64 {
    let path = directory.path().join("waxwing.db");
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    db.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Every file below a directory, with its content.
fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for file in fs::read_dir(directory).unwrap() {
        let path = file.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.insert(path.display().to_string(), fs::read(&path).unwrap());
        }
    }
    all
}

/// What a power cut leaves of what was synced: a copy of the files of an open store.
fn copy_while_open(from: &TestDirectory) -> TestDirectory {
    let to = TestDirectory::new();
    fs::create_dir_all(to.path()).unwrap();
    for name in ["waxwing.db", "waxwing.db-wal"] {
        fs::copy(from.path().join(name), to.path().join(name)).unwrap();
    }
    to
}

#[test]
fn what_was_reported_is_in_the_files() {
    let directory = TestDirectory::new();
    let store = open(&directory);
    for id in 1..=20 {
        committed(&store, |batch| {
            append(batch, &alice(), id, BOTH());
            batch.put(&CARDS, &alice(), &id.to_string(), &card("x"));
        });
        let copy = copy_while_open(&directory);
        let store = open(&copy);
        assert_eq!(
            wait(store.count(&CARDS, &alice(), &KeyRange::all())),
            Ok(id)
        );
        let newest = wait(store.page(
            &MESSAGES,
            &alice(),
            Page::backward(1).with_marks(Marks::UNDELIVERED),
        ))
        .unwrap();
        assert_eq!(newest.entries[0].id, LogId(id));
    }
}

#[test]
fn its_files_are_for_its_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let directory = TestDirectory::new();
    let store = open(&directory);
    committed(&store, |batch| batch.put(&CARDS, &alice(), "a", &card("a")));
    let mode = |name: &str| {
        fs::metadata(directory.path().join(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(
        [mode(""), mode("waxwing.db"), mode("waxwing.db-wal")],
        [0o700, 0o600, 0o600]
    );
    let words = ["waxwing-words.db", "waxwing-words.db-wal"];
    assert_eq!(words.map(mode), [0o600, 0o600]);
}

#[test]
fn a_directory_can_have_any_name() {
    let parent = TestDirectory::new();
    let path = parent.path().join("what? 100%25 #1 'ä'");
    for round in 0..3_u64 {
        let store = Store::sqlite(
            &path,
            &SqliteOptions {
                readers: 1,
                bytes_max: None,
                objects: None,
            },
            &all(),
        )
        .unwrap();
        assert_eq!(
            wait(store.count(&CARDS, &alice(), &KeyRange::all())),
            Ok(round)
        );
        committed(&store, |batch| {
            batch.put(&CARDS, &alice(), &round.to_string(), &card("x"));
        });
    }
}

#[test]
fn deleted_owners_leave_no_rows() {
    let directory = TestDirectory::new();
    let store = open(&directory);
    for part in 0..10_u64 {
        committed(&store, |batch| {
            for id in part * 200..(part + 1) * 200 {
                append(batch, &alice(), id, BOTH());
                batch.put(
                    &TAGGED,
                    &alice(),
                    &id.to_string(),
                    &tagged(&id.to_string(), &["tag"]),
                );
            }
        });
    }
    committed(&store, |batch| {
        batch.put(&CARDS, &bob(), "kept", &card("kept"));
    });
    committed(&store, |batch| batch.delete_owner(&alice()));
    let left = "SELECT (SELECT count(*) FROM log_entry) + (SELECT count(*) FROM log_payload)
        + (SELECT count(*) FROM index_key) + (SELECT count(*) FROM table_row) + (SELECT count(*) FROM owner)";
    // It works by itself where nobody writes, and beside those who do.
    let commits = (0..10_000).take_while(|_| {
        committed(&store, |batch| {
            batch.put(&CARDS, &bob(), "kept", &card("kept"));
        });
        number(&directory, left) > 2
    });
    assert!(commits.count() < 10_000);
    assert_eq!(number(&directory, left), 2, "Bob and his card");
}

#[test]
fn what_deleted_owners_had_goes_after_a_restart_too() {
    let directory = TestDirectory::new();
    let store = open(&directory);
    committed(&store, |batch| {
        (1..=1_000).for_each(|id| append(batch, &alice(), id, BOTH()));
    });
    committed(&store, |batch| batch.delete_owner(&alice()));
    drop(store);
    let store = open(&directory);
    let left = (0..10_000).take_while(|_| {
        committed(&store, |batch| batch.put(&CARDS, &bob(), "a", &card("a")));
        number(&directory, "SELECT count(*) FROM log_payload") > 0
    });
    assert!(left.count() < 10_000);
    assert_eq!(wait(store.last_log_id()), Ok(LogId(1_000)));
}

#[test]
fn the_log_before_the_database_stays_short() {
    let directory = TestDirectory::new();
    let store = open(&directory);
    let value = card(&"x".repeat(1_000_000));
    for round in 0..200_u64 {
        committed(&store, |batch| {
            batch.put(&CARDS, &alice(), &(round % 20).to_string(), &value);
        });
    }
    // 200 megabytes were written, 64 are kept.
    let length = fs::metadata(directory.path().join("waxwing.db-wal"))
        .unwrap()
        .len();
    assert!(length < 100 << 20, "{length}");
    let rows =
        wait(store.scan(&CARDS, &alice(), &KeyRange::all(), Direction::Forward, 100)).unwrap();
    assert!(rows.len() == 20 && rows.iter().all(|(_, card)| *card == value));
}

/// One at a time, they write the same pages again and again; what is in the database already is overwritten in the log.
#[test]
fn the_log_of_small_commits_is_shorter_still() {
    const COMMITS: u64 = 1_500;
    let directory = TestDirectory::new();
    let store = open(&directory);
    for id in 1..=COMMITS {
        let payload = "x".repeat(2_000);
        committed(&store, |batch| {
            batch.put(&CARDS, &alice(), &format!("{}", id % 7), &card(&payload));
            append(batch, &alice(), id, BOTH());
        });
    }
    let log = fs::metadata(directory.path().join("waxwing.db-wal")).unwrap();
    let written = COMMITS * 3 * 4_096;
    assert!(log.len() < written / 2, "{} of {written}", log.len());
}

#[test]
fn blobs_that_nothing_refers_to_go_at_the_start() {
    let directory = TestDirectory::new();
    let store = open(&directory);
    let mut writer = wait(store.blob_writer()).unwrap();
    wait(writer.write("kept".into())).unwrap();
    let blob = wait(writer.finish()).unwrap();
    committed(&store, |batch| batch.blob_ref(&alice(), &blob));
    let kept = *blob.hash();
    drop((blob, store));

    let orphan = BlobHash([0xAB; 32]);
    let blobs = directory.path().join("blobs");
    fs::create_dir_all(blobs.join("ab")).unwrap();
    let orphan_path = blobs.join("ab").join(orphan.to_string());
    fs::write(&orphan_path, "orphan").unwrap();
    fs::write(blobs.join("ab/note.txt"), "not ours").unwrap();
    fs::write(blobs.join("new/left-over"), "unfinished").unwrap();
    let store = open(&directory);
    assert!(!blobs.join("new/left-over").exists());
    while orphan_path.exists() {
        committed(&store, |_| {});
    }
    assert!(wait(store.blob(&kept)).unwrap().is_some());
    assert!(
        blobs.join("ab/note.txt").exists(),
        "what is not named by a hash is nobody's orphan"
    );
    drop(store);
    // The file of what was removed goes with those who remove it.
    assert_eq!(fs::read_dir(blobs.join("new")).unwrap().count(), 0);
}

#[test]
fn a_blob_on_its_way_is_in_the_directory_for_new_ones() {
    let directory = TestDirectory::new();
    let store = open(&directory);
    let new = directory.path().join("blobs/new");
    let mut writer = wait(store.blob_writer()).unwrap();
    wait(writer.write("half".into())).unwrap();
    assert_eq!(fs::read_dir(&new).unwrap().count(), 1);
    drop(writer);
    assert_eq!(fs::read_dir(&new).unwrap().count(), 0);
}

#[test]
fn the_last_handle_can_go_in_a_callback() {
    let directory = TestDirectory::new();
    let store = open(&directory);
    let (sender, receiver) = mpsc::channel();
    let mut batch = Batch::new();
    batch.put(&CARDS, &alice(), "a", &card("a"));
    let last = store.clone();
    store.submit(batch, move |outcome| {
        drop(last);
        sender.send(outcome.is_ok()).unwrap();
    });
    drop(store);
    assert_eq!(receiver.recv(), Ok(true));
    // The writer's thread closes the database by itself, a little later.
    let store = loop {
        match try_open(&directory, &all()) {
            Err(OpenError::InUse(_)) => std::thread::yield_now(),
            opened => break opened.unwrap(),
        }
    };
    assert_eq!(wait(store.get(&CARDS, &alice(), "a")), Ok(Some(card("a"))));
}

#[test]
fn closing_waits_for_what_was_submitted() {
    let directory = TestDirectory::new();
    let store = open(&directory);
    for id in 1..=500 {
        let mut batch = Batch::new();
        append(&mut batch, &alice(), id, Marks::ARCHIVED);
        store.submit(batch, |outcome| assert!(outcome.is_ok()));
    }
    drop(store);
    assert_eq!(
        wait(open(&directory).count_entries(&MESSAGES, &alice(), Marks::NONE)),
        Ok(500)
    );
}
