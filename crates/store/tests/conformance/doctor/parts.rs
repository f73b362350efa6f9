//! Larger damage, damage beside the database, and what is refused.

use std::process::Command;

use waxwing_store::{Loss, StoreError};

use super::*;

#[test]
fn a_page_that_is_lost_costs_what_was_in_it() {
    let rig = Rig::new();
    let pages = rig.database.len() / PAGE;
    for page in 0..pages {
        let mut bytes = rig.database.clone();
        let fill = if page % 2 == 0 { 0 } else { 0xA5 };
        bytes[page * PAGE..(page + 1) * PAGE].fill(fill);
        let examination = rig
            .examined(&bytes)
            .unwrap_or_else(|error| panic!("page {}: {error}", page + 1));
        let findings = examination.findings();
        assert_eq!(findings.versions, [], "page {}", page + 1);
        let backup = export(&examination);
        let (lost, new) = rig.lost(&backup);
        // An entry that is found by its content alone counts as archived: another one than before.
        assert!(
            lost <= 200 && new <= 160,
            "page {}: {lost} lost, {new} new",
            page + 1
        );
        if findings.damages.is_empty() {
            assert!(
                second_opinion(rig.damaged.path()),
                "page {} goes unseen",
                page + 1
            );
        }
        if page % 4 == 0 {
            restored(&backup);
        }
    }
}

#[test]
fn what_a_cut_leaves_is_saved() {
    let rig = Rig::new();
    let length = rig.database.len();
    for percent in [1, 20, 50, 90, 99] {
        let cut = length * percent / 100;
        let examination = rig.examined(&rig.database[..cut]).unwrap();
        let findings = examination.findings();
        assert!(findings.refusal.is_some(), "{percent}");
        let said = &findings.damages[0];
        assert!(
            said.part == DamagedPart::File && said.text.contains("cut short"),
            "{said:?}"
        );
        let backup = export(&examination);
        let (lost, _) = rig.lost(&backup);
        assert!(lost > 0, "{percent}");
        // Half of the pages hold a good part of the records.
        assert!(
            percent < 90 || lost < rig.expected.len() / 3,
            "{percent}: {lost}"
        );
        restored(&backup);
    }
}

#[test]
fn random_bytes_all_over_it_are_survived() {
    let rig = Rig::new();
    let mut random = numbers(7);
    for _ in 0..10 {
        let mut bytes = rig.database.clone();
        for _ in 0..40 {
            let number = random.next().unwrap();
            let at = number as usize % bytes.len();
            bytes[at] = (number >> 50) as u8;
        }
        let Ok(examination) = rig.examined(&bytes) else {
            continue;
        };
        if examination.findings().versions.is_empty() {
            assert!(!examination.findings().damages.is_empty());
            let backup = export(&examination);
            assert!(rig.lost(&backup).0 < rig.expected.len() / 2);
            restored(&backup);
        }
    }
}

/// A store that was killed: most of it is in its write-ahead log.
fn killed() -> (TestDirectory, Vec<u8>) {
    let directory = TestDirectory::new();
    let store = open(directory.path());
    for number in 0..4 {
        committed(&store, |batch| fill(batch, &owner(number), number));
    }
    let copied = TestDirectory::new();
    fs::create_dir_all(copied.path()).unwrap();
    for name in ["waxwing.db", "waxwing.db-wal"] {
        fs::copy(directory.path().join(name), copied.path().join(name)).unwrap();
    }
    drop(store);
    let log = fs::read(copied.path().join("waxwing.db-wal")).unwrap();
    (copied, log)
}

/// Examines a directory whose write-ahead log is another; it stays as it is.
fn with_log(directory: &TestDirectory, log: &[u8]) -> Examination {
    let path = directory.path().join("waxwing.db-wal");
    fs::write(&path, log).unwrap();
    let database = fs::read(directory.path().join("waxwing.db")).unwrap();
    let examination = examine(directory.path()).unwrap();
    assert!(fs::read(&path).unwrap() == log);
    assert!(fs::read(directory.path().join("waxwing.db")).unwrap() == database);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    examination
}

#[test]
fn a_flipped_bit_in_the_write_ahead_log_is_refused_and_costs_nothing() {
    let (directory, log) = killed();
    let whole = with_log(&directory, &log);
    assert_eq!(whole.findings().damages, []);
    let expected = records(&export(&whole));
    assert_eq!(expected.len(), 4 * 25 * 7);
    drop(whole);
    let mut random = numbers(3);
    let header = (0..32).map(|at| at * 8 + 3);
    // In the last write nobody can tell a flipped bit from a power cut: what comes before it was acknowledged.
    let commits: Vec<_> = (0..(log.len() - 32) / 4_120)
        .map(|frame| 32 + frame * 4_120)
        .filter(|at| log[at + 4..at + 8] != [0; 4])
        .collect();
    let last = commits[commits.len() - 2] + 4_120;
    let anywhere = (0..40).map(|_| random.next().unwrap() as usize % (last * 8));
    for bit in header.chain(anywhere.collect::<Vec<_>>()) {
        let mut flipped = log.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let examination = with_log(&directory, &flipped);
        let findings = examination.findings();
        assert!(
            matches!(findings.refusal, Some(OpenError::Damaged { .. })),
            "byte {}: {findings:?}",
            bit / 8
        );
        assert!(!findings.damages.is_empty());
        let saved = records(&export(&examination));
        let mended = findings
            .damages
            .iter()
            .all(|damage| damage.loss == Loss::Nothing);
        let lost = missing(&expected, &saved);
        // Which of the high bits of words has flipped cannot be told.
        assert!(
            lost == 0 || (!mended && lost == 1),
            "byte {}: {findings:?}",
            bit / 8
        );
    }
}

#[test]
fn a_log_that_a_power_cut_cut_short_is_no_damage() {
    let (directory, log) = killed();
    for cut in [0, 10, 31, 32, 100, 4_152, 50_000, log.len() - 1] {
        let examination = with_log(&directory, &log[..cut]);
        let findings = examination.findings();
        assert_eq!(
            (&findings.refusal, &*findings.damages),
            (&None, &[][..]),
            "{cut}"
        );
    }
    // A write that did not reach the disk whole.
    let mut torn = log.clone();
    let last = torn.len() - 4_120;
    torn[last + 500..].fill(0);
    let examination = with_log(&directory, &torn);
    assert_eq!(examination.findings().damages, []);
    assert_eq!(examination.findings().refusal, None);
    assert!(examination.findings().is_unfinished);
    // The same with what an earlier cut left behind it, and in any part of the write.
    let frames = (log.len() - 32) / 4_120;
    for frame in frames - 6..frames {
        let mut torn = log.clone();
        let at = 32 + frame * 4_120;
        torn[at..at + 24].fill(7);
        torn.extend_from_slice(&log[log.len() - 4_120 * 3..]);
        let examination = with_log(&directory, &torn);
        let findings = examination.findings();
        assert_eq!(
            (&findings.refusal, &*findings.damages),
            (&None, &[][..]),
            "{frame}"
        );
    }
}

#[test]
fn what_is_lost_in_the_middle_of_the_log_is_said() {
    let (directory, log) = killed();
    for frame in [0, 3, 7] {
        let mut torn = log.clone();
        let at = 32 + frame * 4_120;
        torn[at + 1_000..at + 3_000].fill(0x11);
        let examination = with_log(&directory, &torn);
        let findings = examination.findings();
        assert!(matches!(findings.refusal, Some(OpenError::Damaged { .. })));
        assert!(findings.damages.iter().any(|damage| {
            damage.part == DamagedPart::WriteAhead && damage.loss == Loss::Unknown
        }));
        restored(&export(&examination));
    }
    // The beginning, as one sector of a disk or more is lost, and all of it.
    fs::write(directory.path().join("waxwing.db-wal"), &log).unwrap();
    let expected = records(&export(&examine(directory.path()).unwrap()));
    for filled in [0, 0xAA] {
        for length in [32, 512, 5_000, log.len()] {
            let mut torn = log.clone();
            torn[..length].fill(filled);
            let examination = with_log(&directory, &torn);
            let findings = examination.findings();
            assert!(
                matches!(findings.refusal, Some(OpenError::Damaged { .. })),
                "{length}"
            );
            let saved = records(&export(&examination));
            let lost = missing(&expected, &saved);
            let mut damages = findings.damages.iter();
            let is_said = damages.any(|damage| damage.loss == Loss::Unknown);
            assert!(
                lost == 0 || is_said,
                "{lost} of {}: {findings:?}",
                expected.len()
            );
            assert!(
                length > 512 || lost < expected.len() / 4,
                "{length}: {lost} lost"
            );
        }
    }
    // Only its index is left of it.
    fs::remove_file(directory.path().join("waxwing.db-wal")).unwrap();
    fs::write(directory.path().join("waxwing.db-shm"), [0; 32_768]).unwrap();
    let examination = examine(directory.path()).unwrap();
    assert_eq!(
        examination.findings().damages[0].part,
        DamagedPart::WriteAhead
    );
}

#[test]
fn damaged_and_missing_files_are_named_with_whose_they_are() {
    let directory = TestDirectory::new();
    let hash = populated(directory.path());
    let blobs = directory.path().join("blobs");
    let name = hash.to_string();
    let path = blobs.join(&name[..2]).join(&name);
    let damage = |directory: &Path| {
        let examination = examine(directory).unwrap();
        let damages = examination.findings().damages.clone();
        assert_eq!(
            (damages.len(), examination.findings().blobs),
            (1, 0),
            "{damages:?}"
        );
        assert_eq!(damages[0].part, DamagedPart::Blob(hash));
        assert_eq!(damages[0].loss, Loss::Records(1, vec![(alice(), 1)]));
        restored(&export(&examination));
        damages[0].text.clone()
    };
    fs::write(&path, "a stored life").unwrap();
    assert!(damage(directory.path()).contains("another than its name says"));
    fs::remove_file(&path).unwrap();
    assert_eq!(damage(directory.path()), "it is missing");
    fs::create_dir(&path).unwrap();
    assert!(damage(directory.path()).contains("cannot be read"));
}

#[test]
fn what_contradicts_itself_is_found() {
    let edited = |sql: &str| {
        let directory = TestDirectory::new();
        populated(directory.path());
        let db = Connection::open(directory.path().join("waxwing.db")).unwrap();
        db.execute_batch(sql).unwrap();
        drop(db);
        let examination = examine(directory.path()).unwrap();
        restored(&export(&examination));
        examination.findings().clone()
    };
    let texts = |findings: &Findings| {
        let texts = findings.damages.iter().map(|damage| damage.text.clone());
        texts.collect::<Vec<_>>().join("\n")
    };
    // A record that is no value of its table, of an index and without one.
    let found = edited(
        "UPDATE table_row SET value = x'ff' WHERE shape IN (SELECT id FROM shape WHERE name IN ('cards', 'tagged')) AND key = (SELECT min(key) FROM table_row WHERE shape = (SELECT id FROM shape WHERE name = 'cards'))",
    );
    let lost: Vec<_> = found
        .damages
        .iter()
        .map(|damage| (&damage.part, &damage.loss))
        .collect();
    let whose = vec![(alice(), 1)];
    let loss = Loss::Records(1, whose);
    assert!(
        lost.contains(&(&DamagedPart::Shape("cards".to_owned()), &loss)),
        "{lost:?}"
    );
    assert!(
        lost.contains(&(&DamagedPart::Shape("tagged".to_owned()), &loss)),
        "{lost:?}"
    );
    for (sql, said) in [
        (
            "DELETE FROM index_key WHERE row_key = (SELECT max(row_key) FROM index_key)",
            "rows are not found by",
        ),
        (
            "DELETE FROM log_payload WHERE entry < 1000 AND entry % 5 = 0",
            "have lost their content",
        ),
        ("UPDATE blob_ref SET count = 0", "are counted wrong"),
        (
            "DELETE FROM owner WHERE name = (SELECT min(name) FROM owner)",
            "found again in the indexes",
        ),
        (
            "UPDATE log_entry SET marks = 64 WHERE id = 3",
            "marks that there are not",
        ),
        (
            "UPDATE high_water SET log_id = 9000000000000000000",
            "lies years ahead",
        ),
        (
            "DELETE FROM log_unique WHERE id = 1002",
            "unique keys of entries",
        ),
    ] {
        let found = edited(sql);
        assert!(texts(&found).contains(said), "{sql}: {}", texts(&found));
        assert_eq!(found.versions, []);
    }
}

#[test]
fn a_content_that_is_anothers_is_not_given_away() {
    let directory = TestDirectory::new();
    populated(directory.path());
    let whole = records(&export(&examine(directory.path()).unwrap()));
    let db = Connection::open(directory.path().join("waxwing.db")).unwrap();
    db.execute_batch(
        "UPDATE log_entry SET payload = (SELECT payload FROM log_entry WHERE id = 2005 LIMIT 1) WHERE id = 5",
    )
    .unwrap();
    drop(db);
    let examination = examine(directory.path()).unwrap();
    assert!(!examination.findings().damages.is_empty());
    assert_eq!(records(&export(&examination)), whole);
}

#[test]
fn versions_that_are_not_known_are_not_exported_unasked() {
    let directory = TestDirectory::new();
    populated(directory.path());
    let whole = records(&export(&examine(directory.path()).unwrap()));
    let path = directory.path().join("waxwing.db");
    let edit = |sql: &str| {
        let db = Connection::open(&path).unwrap();
        db.execute_batch(sql).unwrap();
    };
    edit("UPDATE shape SET version = 9 WHERE name = 'cards'");
    let newer = OpenError::Newer {
        what: "cards".to_owned(),
        stored: 9,
        known: 1,
    };
    let examination = examine(directory.path()).unwrap();
    assert_eq!(
        examination.findings().versions,
        std::slice::from_ref(&newer)
    );
    assert_eq!(examination.findings().damages, []);
    let mut out = Vec::new();
    let refused = examination.export(&mut out, BackupAbout::default());
    assert_eq!(refused, Err(newer.into()));
    assert!(out.is_empty());
    drop(examination);
    let any = examine_as(directory.path(), true).unwrap();
    assert_eq!(records(&export(&any)), whole);
    drop(any);
    // A layout is another when the tables are; a number alone has flipped.
    edit("UPDATE shape SET version = 1; PRAGMA user_version = 3");
    let newer = OpenError::Newer {
        what: "the layout of the database".to_owned(),
        stored: 3,
        known: 1,
    };
    let examination = examine(directory.path()).unwrap();
    let findings = examination.findings();
    assert_eq!(findings.versions, std::slice::from_ref(&newer));
    assert_eq!(findings.refusal, Some(newer.clone()));
    assert_eq!(findings.damages, []);
    let refused = examination.export(&mut Vec::new(), BackupAbout::default());
    assert_eq!(refused, Err(newer.clone().into()));
    drop(examination);
    let any = examine_as(directory.path(), true).unwrap();
    assert_eq!(records(&export(&any)), whole);
    drop(any);
    edit("CREATE TABLE what_comes_next (id INTEGER)");
    assert_eq!(examine_as(directory.path(), true).err(), Some(newer));
}

#[test]
fn what_is_not_ours_or_in_use_is_not_examined() {
    let directory = TestDirectory::new();
    let error = |directory: &Path| examine(directory).err();
    let path = directory.path().to_owned();
    assert_eq!(error(&path), Some(OpenError::Missing(path.clone())));
    assert!(!path.exists());
    fs::create_dir_all(&path).unwrap();
    let database = path.join("waxwing.db");
    for content in [&b""[..], b"notes", &[0; 50_000], &[0x0D; 50_000]] {
        fs::write(&database, content).unwrap();
        assert_eq!(error(&path), Some(OpenError::Foreign(database.clone())));
    }
    fs::remove_file(&database).unwrap();
    // Nobody waits for what comes through a pipe.
    let made = Command::new("mkfifo").arg(&database).status().unwrap();
    assert!(made.success());
    assert_eq!(error(&path), Some(OpenError::Foreign(database.clone())));
    let started = Store::sqlite(&path, &SqliteOptions::default(), &all());
    assert_eq!(started.err(), Some(OpenError::Foreign(database.clone())));
    fs::remove_file(&database).unwrap();
    let db = Connection::open(&database).unwrap();
    db.execute_batch("CREATE TABLE shape (id INTEGER PRIMARY KEY, name TEXT)")
        .unwrap();
    drop(db);
    assert_eq!(error(&path), Some(OpenError::Foreign(database.clone())));
    fs::remove_file(&database).unwrap();
    let store = open(&path);
    assert_eq!(error(&path), Some(OpenError::InUse(path.clone())));
    drop(store);
    let examination = examine(&path).unwrap();
    assert_eq!(examination.findings().damages, []);
    // And no server starts while it looks.
    let started = Store::sqlite(&path, &SqliteOptions::default(), &all());
    assert_eq!(started.err(), Some(OpenError::InUse(path.clone())));
    drop(examination);
    open(&path);
}

#[test]
fn a_scratch_file_that_cannot_be_made_is_said() {
    let directory = TestDirectory::new();
    populated(directory.path());
    let nowhere = directory.path().join("nowhere");
    let options = ExamineOptions {
        scratch: &nowhere,
        now_micros: NOW,
        any_version: false,
        objects: None,
    };
    let error = Examination::of(directory.path(), &options, &all()).err();
    let Some(OpenError::Environment { path, error }) = error else {
        panic!("{error:?}");
    };
    assert_eq!(path, nowhere);
    assert!(
        matches!(error, StoreError::Failed { code: 2, .. }),
        "{error:?}"
    );
}
