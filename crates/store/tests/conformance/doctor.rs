//! What is saved from a data directory that is damaged, bit by bit and page by page.

mod index;
mod lists;
mod parts;
mod start;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rusqlite::Connection;
use waxwing_store::{
    Append, BackupAbout, Batch, BlobHash, Damage, DamagedPart, Examination, ExamineOptions,
    Findings, LogId, Marks, OpenError, Owner, SqliteOptions, Store, verify_backup,
};

use crate::place::{TestDirectory, wait};
use crate::shapes::{
    BOTH, CARDS, COUNTERS, NOTES, PAIRS, SESSIONS, TAGGED, alice, all, append, bob, card,
    committed, tagged,
};

const PAGE: usize = 4_096;
/// Owners with something, one of whom is deleted again.
const OWNERS: u64 = 8;
/// Bits that are flipped in each page.
const ROUNDS: usize = 2;
/// 2026, in microseconds.
const NOW: u64 = 1_780_000_000_000_000;

fn owner(number: u64) -> Owner {
    match number {
        0 => alice(),
        1 => bob(),
        number => Owner::account(&format!("user-{number}@example.org")),
    }
}

fn open(directory: &Path) -> Store {
    let options = SqliteOptions {
        readers: 1,
        bytes_max: None,
        objects: None,
    };
    Store::sqlite(directory, &options, &all()).unwrap()
}

/// Everything that one owner has, in every shape.
fn fill(batch: &mut Batch, owner: &Owner, number: u64) {
    for at in 0..25 {
        let key = format!("{number}-{at}");
        let length = if at == 3 { 9_000 } else { 30 + at as usize * 7 };
        batch.put(&CARDS, owner, &key, &card(&"x".repeat(length)));
        batch.put(&TAGGED, owner, &key, &tagged(&key, &["red", "blue"]));
        batch.put(&PAIRS, owner, &(key.clone(), at), &card("pair"));
        batch.add(&COUNTERS, owner, &key, at.cast_signed() + 1);
        batch.put_expiring(&SESSIONS, owner, &key, &card("session"), NOW + at);
        append(
            batch,
            owner,
            number * 1_000 + at,
            if at % 3 == 0 { BOTH() } else { Marks::ARCHIVED },
        );
        let unique = format!("unique {at}");
        batch.append(
            &NOTES,
            owner,
            Append {
                id: LogId(number * 1_000 + at),
                marks: Marks::UNDELIVERED,
                unique: Some(unique.as_bytes()),
                address: Some("somebody@example.org"),
                payload: &card(&"note ".repeat(at as usize * 10)),
            },
        );
    }
}

/// A database with several levels of pages, of some that are free, and of a stored file.
fn populated(directory: &Path) -> BlobHash {
    let store = open(directory);
    for number in 0..OWNERS {
        committed(&store, |batch| fill(batch, &owner(number), number));
    }
    let mut writer = wait(store.blob_writer()).unwrap();
    wait(writer.write("a stored file".into())).unwrap();
    let blob = wait(writer.finish()).unwrap();
    committed(&store, |batch| batch.blob_ref(&alice(), &blob));
    let hash = *blob.hash();
    drop(blob);
    // Pages of the middle become free.
    committed(&store, |batch| batch.delete_owner(&owner(4)));
    while number(directory, "SELECT count(*) FROM owner WHERE name IS NULL") > 0 {
        committed(&store, |batch| {
            batch.put(&CARDS, &bob(), "kept", &card("kept"));
        });
    }
    drop(store);
    hash
}

fn number(directory: &Path, sql: &str) -> i64 {
    let db = Connection::open(directory.join("waxwing.db")).unwrap();
    db.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        let target = to.join(file.file_name());
        if file.path().is_dir() {
            copy(&file.path(), &target);
        } else {
            fs::copy(file.path(), target).unwrap();
        }
    }
}

fn examine(directory: &Path) -> Result<Examination, OpenError> {
    examine_as(directory, false)
}

fn examine_as(directory: &Path, any_version: bool) -> Result<Examination, OpenError> {
    let options = ExamineOptions {
        scratch: &std::env::temp_dir(),
        now_micros: NOW,
        any_version,
        objects: None,
    };
    Examination::of(directory, &options, &all())
}

fn export(examination: &Examination) -> Vec<u8> {
    let mut bytes = Vec::new();
    let summary = examination
        .export(&mut bytes, BackupAbout::default())
        .unwrap();
    assert_eq!(verify_backup(bytes.as_slice(), &all()), Ok(summary));
    bytes
}

/// How often each record of a backup is in it, with whose it is.
fn records(backup: &[u8]) -> BTreeMap<(Vec<u8>, Vec<u8>), usize> {
    let (mut rest, mut whose, mut all) = (&backup[20..], Vec::new(), BTreeMap::new());
    while let [kind, a, b, c, d, ..] = *rest {
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        let (frame, more) = rest.split_at(5 + length + 8);
        let body = frame[5..5 + length].to_vec();
        rest = more;
        match kind {
            2 => whose = body,
            3..=5 => *all.entry((whose.clone(), body)).or_default() += 1,
            _ => {}
        }
    }
    all
}

/// How many records of the one are not in the other.
fn missing(
    from: &BTreeMap<(Vec<u8>, Vec<u8>), usize>,
    other: &BTreeMap<(Vec<u8>, Vec<u8>), usize>,
) -> usize {
    from.keys().filter(|key| !other.contains_key(*key)).count()
}

/// Has a server start on what was saved.
fn restored(backup: &[u8]) {
    let directory = TestDirectory::new();
    fs::create_dir_all(directory.path()).unwrap();
    let file = directory.path().join("a.backup");
    fs::write(&file, backup).unwrap();
    let data = directory.path().join("data");
    Store::sqlite_restore(&file, &data, None, &all()).unwrap();
    let store = open(&data);
    committed(&store, |batch| {
        batch.put(&CARDS, &alice(), "new", &card("new"));
    });
}

/// What SQLite itself says of a database; nothing where it cannot say.
fn second_opinion(directory: &Path) -> bool {
    let scratch = TestDirectory::new();
    copy(directory, scratch.path());
    let Ok(db) = Connection::open(scratch.path().join("waxwing.db")) else {
        return false;
    };
    let said: rusqlite::Result<String> =
        db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0));
    said.is_ok_and(|said| said == "ok")
}

/// A store that was closed, what is in it, and a copy to damage.
struct Rig {
    whole: TestDirectory,
    damaged: TestDirectory,
    database: Vec<u8>,
    expected: BTreeMap<(Vec<u8>, Vec<u8>), usize>,
}

impl Rig {
    fn new() -> Self {
        let whole = TestDirectory::new();
        populated(whole.path());
        let examination = examine(whole.path()).unwrap();
        assert_eq!(examination.findings().damages, []);
        assert_eq!(examination.findings().refusal, None);
        let expected = records(&export(&examination));
        let damaged = TestDirectory::new();
        copy(whole.path(), damaged.path());
        let database = fs::read(whole.path().join("waxwing.db")).unwrap();
        Self {
            whole,
            damaged,
            database,
            expected,
        }
    }

    /// Examines the copy with another content of the database; nothing in it may change.
    fn examined(&self, database: &[u8]) -> Result<Examination, OpenError> {
        let path = self.damaged.path().join("waxwing.db");
        fs::write(&path, database).unwrap();
        let examination = examine(self.damaged.path());
        assert!(fs::read(&path).unwrap() == database);
        let mut names: Vec<_> = fs::read_dir(self.damaged.path())
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let left = ["blobs", "waxwing-words.db", "waxwing.db", "waxwing.lock"];
        assert_eq!(names, left);
        examination
    }

    /// How many records are lost, and how many are there that were not.
    fn lost(&self, backup: &[u8]) -> (usize, usize) {
        let saved = records(backup);
        (
            missing(&self.expected, &saved),
            missing(&saved, &self.expected),
        )
    }
}

/// Numbers that look random and are the same each time.
fn numbers(mut seed: u64) -> impl Iterator<Item = u64> {
    std::iter::repeat_with(move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    })
}

#[test]
fn what_is_whole_is_exported_as_a_backup_has_it() {
    let rig = Rig::new();
    let store = open(rig.whole.path());
    let backup = crate::backup::backup_of(&store).1;
    assert_eq!(records(&backup), rig.expected);
    assert_eq!(rig.expected.len(), (OWNERS as usize - 1) * 25 * 7 + 2);
}

#[test]
fn one_flipped_bit_costs_a_record_at_most() {
    let rig = Rig::new();
    let pages = rig.database.len() / PAGE;
    let mut random = numbers(0x5EED);
    // Every page, in its head, among its pointers, and somewhere.
    for page in 0..pages {
        for round in 0..ROUNDS {
            let number = random.next().unwrap();
            let at = match round {
                0 if page == 0 => 100 + number as usize % 8,
                0 => number as usize % 8,
                1 if page > 0 => 8 + number as usize % 120,
                _ => number as usize / 8 % PAGE,
            };
            let (at, bit) = (page * PAGE + at, (number >> 40) % 8);
            let mut bytes = rig.database.clone();
            bytes[at] ^= 1 << bit;
            let here = format!("page {} byte {} bit {bit}", page + 1, at % PAGE);
            let examination = rig
                .examined(&bytes)
                .unwrap_or_else(|error| panic!("{here}: {error}"));
            let findings = examination.findings();
            if !findings.versions.is_empty() {
                // A version can flip like everything else; then one has to say so.
                drop(examination);
                let examination = examine_as(rig.damaged.path(), true).unwrap();
                assert_eq!(rig.lost(&export(&examination)), (0, 0), "{here}");
                continue;
            }
            let backup = export(&examination);
            let (lost, new) = rig.lost(&backup);
            assert!(
                lost <= 2 && new <= 2,
                "{here}: {lost} lost, {new} new, {findings:?}"
            );
            if findings.damages.is_empty() {
                assert!(second_opinion(rig.damaged.path()), "{here} goes unseen");
            }
            if number.is_multiple_of(16) {
                restored(&backup);
            }
        }
    }
}
