//! Data that is not ours, not of our time or not whole is refused, and not a byte of it changes.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rusqlite::Connection;
use waxwing_store::{
    Direction, KeyRange, Migration, OpenError, RowError, Shape, Store, StoreError, Table,
};

use super::{copy_while_open, files, open, try_open};
use crate::place::{TestDirectory, wait};
use crate::shapes::{BOTH, CARDS, Card, alice, all, append, card, commit, committed};

/// A store with a little of everything, that was closed.
fn filled() -> TestDirectory {
    let directory = TestDirectory::new();
    let store = open(&directory);
    committed(&store, |batch| {
        for id in 0..100 {
            batch.put(&CARDS, &alice(), &id.to_string(), &card("x"));
            append(batch, &alice(), id, BOTH());
        }
    });
    drop(store);
    directory
}

fn database(directory: &TestDirectory) -> std::path::PathBuf {
    directory.path().join("waxwing.db")
}

/// Tries to open it, and checks that every file is as it was.
fn refused(directory: &TestDirectory, shapes: &[Shape]) -> OpenError {
    let before = files(directory.path());
    let looked = Store::sqlite_look(directory.path(), shapes);
    assert!(files(directory.path()) == before, "{looked:?}");
    let error = try_open(directory, shapes).unwrap_err();
    assert_eq!(looked, Err(error.clone()));
    let mut after = files(directory.path());
    // The lock is no data; it comes with the first look inside.
    let lock = directory.path().join("waxwing.lock").display().to_string();
    if !before.contains_key(&lock) {
        after.remove(&lock);
    }
    let names = |files: &std::collections::BTreeMap<String, Vec<u8>>| {
        files.keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(names(&after), names(&before));
    assert!(after == before, "{error}");
    error
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    for content in [&b""[..], b"x", b"SQLite format 3\0", &[b'x'; 8_192]] {
        let directory = TestDirectory::new();
        fs::create_dir_all(directory.path()).unwrap();
        fs::write(database(&directory), content).unwrap();
        assert_eq!(
            refused(&directory, &all()),
            OpenError::Foreign(database(&directory))
        );
        assert!(!directory.path().join("waxwing.lock").exists());
    }
}

#[test]
fn the_database_of_another_program_is_refused() {
    let directory = TestDirectory::new();
    fs::create_dir_all(directory.path()).unwrap();
    let db = Connection::open(database(&directory)).unwrap();
    db.execute_batch(
        "PRAGMA journal_mode = WAL; CREATE TABLE shape (id); INSERT INTO shape VALUES (1)",
    )
    .unwrap();
    assert_eq!(
        refused(&directory, &all()),
        OpenError::Foreign(database(&directory))
    );
    drop(db);
    assert_eq!(
        refused(&directory, &all()),
        OpenError::Foreign(database(&directory))
    );
}

#[test]
fn a_newer_layout_is_refused() {
    let directory = filled();
    let db = Connection::open(database(&directory)).unwrap();
    db.pragma_update(None, "user_version", 2).unwrap();
    let newer = OpenError::Newer {
        what: "the layout of the database".to_owned(),
        stored: 2,
        known: 1,
    };
    // First only its log says so.
    let copy = copy_while_open(&directory);
    assert_eq!(refused(&copy, &all()), newer);
    drop(db);
    assert_eq!(refused(&directory, &all()), newer);
}

#[test]
fn shapes_that_are_not_declared_leave_everything_as_it_is() {
    let unknown = OpenError::UnknownShape("messages".to_owned());
    let without_messages: Vec<_> = all()
        .into_iter()
        .filter(|shape| shape.name() != "messages")
        .collect();
    let directory = filled();
    assert_eq!(refused(&directory, &without_messages), unknown);
    // The same after a crash, with a log that the database does not hold yet.
    let store = open(&directory);
    committed(&store, |batch| {
        batch.put(&CARDS, &alice(), "late", &card("late"));
    });
    let copy = copy_while_open(&directory);
    assert_eq!(refused(&copy, &without_messages), unknown);
    assert_eq!(
        wait(open(&copy).get(&CARDS, &alice(), "late")),
        Ok(Some(card("late")))
    );
}

#[test]
fn a_shortened_database_is_refused() {
    let directory = filled();
    let length = fs::metadata(database(&directory)).unwrap().len();
    let file = fs::OpenOptions::new()
        .write(true)
        .open(database(&directory))
        .unwrap();
    file.set_len(length - 4_096).unwrap();
    assert!(matches!(
        refused(&directory, &all()),
        OpenError::Damaged { .. }
    ));
    file.set_len(length / 2 - 77).unwrap();
    assert!(matches!(
        refused(&directory, &all()),
        OpenError::Damaged { .. }
    ));
}

#[test]
fn a_damaged_page_is_refused() {
    let whole = filled();
    let bytes = fs::read(database(&whole)).unwrap();
    let pages = bytes.len() / 4_096;
    for page in 0..pages {
        let directory = TestDirectory::new();
        fs::create_dir_all(directory.path()).unwrap();
        let mut bytes = bytes.clone();
        // Behind the header of the first page, which says whose it is.
        let start = page * 4_096 + if page == 0 { 100 } else { 0 };
        bytes[start..(page + 1) * 4_096].fill(0xA5);
        fs::write(database(&directory), bytes).unwrap();
        assert!(
            matches!(refused(&directory, &all()), OpenError::Damaged { .. }),
            "page {page}"
        );
    }
}

/// More than is checked page by page.
const LARGE_BYTES: u64 = 65 << 20;

fn make_large(directory: &TestDirectory) {
    let file = fs::OpenOptions::new().write(true).open(database(directory));
    let file = file.unwrap();
    // A hole: it takes no room.
    file.set_len(LARGE_BYTES).unwrap();
    let pages = u32::try_from(LARGE_BYTES / 4_096).unwrap();
    file.write_all_at(&pages.to_be_bytes(), 28).unwrap();
}

#[test]
fn a_damaged_root_of_a_large_database_is_refused() {
    let directory = filled();
    make_large(&directory);
    assert_eq!(Store::sqlite_look(directory.path(), &all()), Ok(true));
    let file = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(database(&directory))
        .unwrap();
    // Each of the trees.
    for page in 2..=17 {
        let mut whole = [0; 4_096];
        let at = (page - 1) * 4_096;
        file.read_exact_at(&mut whole, at).unwrap();
        file.write_all_at(&[0xA5; 4_096], at).unwrap();
        let damaged = refused(&directory, &all());
        let OpenError::Damaged { path, .. } = damaged else {
            panic!("page {page}: {damaged:?}");
        };
        assert_eq!(path, database(&directory));
        file.write_all_at(&whole, at).unwrap();
    }
    drop(open(&directory));
}

#[test]
fn damage_that_is_met_in_use_fails_what_needs_it_and_nothing_else() {
    let directory = TestDirectory::new();
    let store = open(&directory);
    committed(&store, |batch| {
        for id in 0..1_000 {
            append(batch, &alice(), id, BOTH());
            batch.put(
                &CARDS,
                &alice(),
                &format!("{id:04}"),
                &card(&"x".repeat(200)),
            );
        }
    });
    drop(store);
    let mut bytes = fs::read(database(&directory)).unwrap();
    // In the middle, and behind the first seventeen, which are roots.
    for page in bytes.chunks_mut(4_096).skip(17) {
        if page.windows(4).any(|part| part == b"0500") {
            page.fill(0xA5);
        }
    }
    fs::write(database(&directory), bytes).unwrap();
    make_large(&directory);
    let store = open(&directory);
    let damaged = StoreError::Damaged {
        shape: "the database",
    };
    for _ in 0..2 {
        let read = wait(store.get(&CARDS, &alice(), "0500"));
        assert_eq!(read, Err(damaged.clone()));
        let all = store.scan(
            &CARDS,
            &alice(),
            &KeyRange::all(),
            Direction::Forward,
            2_000,
        );
        assert_eq!(wait(all).map(|rows| rows.len()), Err(damaged.clone()));
        let written = commit(&store, |batch| {
            batch.put(&CARDS, &alice(), "new", &card("new"));
            batch.put(&CARDS, &alice(), "0500", &card("other"));
        });
        assert_eq!(written.err(), Some(damaged.clone()));
        // All of a batch or nothing.
        assert_eq!(wait(store.get(&CARDS, &alice(), "new")), Ok(None));
        // What lies elsewhere is as ever.
        assert!(wait(store.get(&CARDS, &alice(), "0001")).unwrap().is_some());
        committed(&store, |batch| {
            batch.put(&CARDS, &alice(), "0002", &card("y"));
        });
    }
}

#[test]
fn a_foreign_rollback_journal_is_refused() {
    let directory = filled();
    fs::write(directory.path().join("waxwing.db-journal"), "x").unwrap();
    assert!(matches!(
        refused(&directory, &all()),
        OpenError::Damaged { .. }
    ));
}

#[test]
fn parts_without_the_database_are_refused() {
    let directory = filled();
    let store = open(&directory);
    let mut writer = wait(store.blob_writer()).unwrap();
    wait(writer.write("kept".into())).unwrap();
    let blob = wait(writer.finish()).unwrap();
    committed(&store, |batch| batch.blob_ref(&alice(), &blob));
    drop((blob, store));
    fs::rename(database(&directory), directory.path().join("moved")).unwrap();
    let missing = database(&directory);
    let found = directory.path().join("blobs");
    assert_eq!(
        refused(&directory, &all()),
        OpenError::Incomplete {
            found,
            missing: missing.clone()
        }
    );
    fs::rename(directory.path().join("moved"), &missing).unwrap();
    drop(open(&directory));

    let directory = TestDirectory::new();
    fs::create_dir_all(directory.path()).unwrap();
    let found = directory.path().join("waxwing.db-wal");
    fs::write(&found, "x").unwrap();
    let missing = database(&directory);
    assert_eq!(
        refused(&directory, &all()),
        OpenError::Incomplete { found, missing }
    );
}

/// A directory with these files, a name that ends in `/` being a directory.
fn with(names: &[&str]) -> TestDirectory {
    let directory = TestDirectory::new();
    fs::create_dir_all(directory.path()).unwrap();
    for name in names {
        match name.strip_suffix('/') {
            Some(name) => fs::create_dir_all(directory.path().join(name)).unwrap(),
            None => fs::write(directory.path().join(name), "x").unwrap(),
        }
    }
    directory
}

#[test]
fn a_directory_with_something_else_in_it_is_refused() {
    for (names, quoted) in [
        (&["thesis.txt"][..], r#""thesis.txt""#),
        (&[".profile", "waxwing.lock"], r#"".profile""#),
        (&["waxwing.db.old"], r#""waxwing.db.old""#),
        (&["restoring/thesis/"], r#""restoring""#),
        (&["\u{1b}[31m/"], r#""\u{1b}[31m""#),
        (
            &["a", "b/", "c", "d", "e", "lost+found/"],
            r#""a", "b", "c" and 2 more"#,
        ),
    ] {
        let directory = with(names);
        let path = directory.path().to_owned();
        let found = quoted.to_owned();
        let occupied = OpenError::Occupied { path, found };
        assert_eq!(refused(&directory, &all()), occupied);
        let looked = Store::sqlite_look(directory.path(), &all());
        assert_eq!(looked, Err(occupied));
        let lock = directory.path().join("waxwing.lock");
        assert_eq!(lock.exists(), names.contains(&"waxwing.lock"));
    }
}

#[test]
fn a_first_start_that_was_cut_short_is_begun_again() {
    for names in [
        &[][..],
        &["waxwing.lock"],
        &["waxwing.lock", "waxwing.db.new"],
        &[
            "waxwing.lock",
            "waxwing.db.new",
            "waxwing.db.new-wal",
            "waxwing.db.new-shm",
        ],
        &["waxwing.db.new-journal"],
        &["lost+found/", "blobs/", "admin.sock"],
        &["token-keys", "token-keys.new", "push-key", "push-key.new"],
    ] {
        let directory = with(names);
        let looked = Store::sqlite_look(directory.path(), &all());
        assert_eq!(looked, Ok(false), "{names:?}");
        drop(open(&directory));
        assert!(!directory.path().join("waxwing.db.new").exists());
        // Other files beside a database are nobody's reason.
        fs::write(directory.path().join("certificate.pem"), "x").unwrap();
        let looked = Store::sqlite_look(directory.path(), &all());
        assert_eq!(looked, Ok(true), "{names:?}");
        drop(open(&directory));
    }
}

#[test]
fn a_directory_in_use_is_refused() {
    let directory = filled();
    let store = open(&directory);
    let in_use = OpenError::InUse(directory.path().to_owned());
    assert_eq!(refused(&directory, &all()), in_use);
    committed(&store, |batch| batch.put(&CARDS, &alice(), "a", &card("a")));
    drop(store);
    drop(open(&directory));
}

#[test]
fn a_file_in_place_of_the_directory_is_refused() {
    let directory = TestDirectory::new();
    fs::write(directory.path(), "a file").unwrap();
    let error = try_open(&directory, &all()).unwrap_err();
    assert_eq!(error, OpenError::NoDirectory(directory.path().to_owned()));
    assert_eq!(fs::read(directory.path()).unwrap(), b"a file");
    fs::remove_file(directory.path()).unwrap();
    assert!(!Path::exists(directory.path()));
}

#[test]
fn a_failed_migration_leaves_the_database_as_it_was() {
    const FAIL: Migration = |row| {
        if row.key::<String>()? == "77" {
            Err(RowError::Unfit("it fails"))
        } else {
            row.set_value(&card("changed"));
            Ok(waxwing_store::Verdict::Keep)
        }
    };
    static CARDS_2: Table<String, Card> = Table::new("cards", 2).migrations(&[FAIL]);
    let directory = filled();
    let mut shapes = all();
    shapes[0] = CARDS_2.shape();
    let before = fs::read(database(&directory)).unwrap();
    let error = OpenError::Migration {
        shape: "cards",
        error: RowError::Unfit("it fails"),
    };
    assert_eq!(try_open(&directory, &shapes).unwrap_err(), error);
    assert!(fs::read(database(&directory)).unwrap() == before);
    let store = open(&directory);
    assert_eq!(wait(store.get(&CARDS, &alice(), "1")), Ok(Some(card("x"))));
    assert_eq!(wait(store.get(&CARDS, &alice(), "77")), Ok(Some(card("x"))));
}
