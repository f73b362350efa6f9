//! Copying a store from one kind of place to another.

use std::fs;

use waxwing_store::{
    Append, Copied, CopyError, KeyRange, LogId, Marks, OpenError, Owner, Page, Store, StoreError,
    StorePlace,
};

use crate::backup::{about, backup_of, fill};
use crate::place::{TestDirectory, wait};
use crate::server::{InPostgres, address};
use crate::shapes::{
    BY_SESSION_TAG, BY_TAG, BY_TEXT, CARDS, COUNTERS, EXPIRING_COUNTERS, MESSAGES, NOTES, PAIRS,
    SESSIONS, TAGGED, alice, all, append_to, bob, card, commit, committed, tagged,
};

/// More of everything than is written at a time: what [`fill`] stores, and keys that do not fit an index whole.
fn fill_more(store: &Store) {
    fill(store);
    for step in 0..12_u64 {
        committed(store, |batch| {
            for number in step * 200..(step + 1) * 200 {
                let owner = Owner::account(&format!("user-{}@example.org", number % 700));
                let long = format!("{}{number}", "long ".repeat(300));
                batch.put(&CARDS, &owner, &long, &card(&long));
                batch.put(&PAIRS, &owner, &("pair".to_owned(), number), &card("pair"));
                batch.add(&COUNTERS, &owner, "n", 1);
                let address = format!("peer-{}@example.org", number % 3);
                let marks = match number % 3 {
                    0 => Marks::ARCHIVED,
                    1 => Marks::UNDELIVERED,
                    _ => Marks::ARCHIVED | Marks::UNDELIVERED,
                };
                append_to(batch, &bob(), 1_000 + number, marks, Some(&address));
            }
        });
    }
    let long = "unique ".repeat(200);
    committed(store, |batch| {
        batch.put(&TAGGED, &alice(), "long", &tagged(&long, &[&long, "short"]));
        batch.put_expiring(
            &SESSIONS,
            &alice(),
            "tagged",
            &tagged("t", &["k"]),
            9_000_000,
        );
        batch.add(&EXPIRING_COUNTERS.at(0), &alice(), "kept", 5);
        let payload = card("a tombstone will stand here");
        let note = Append {
            id: LogId(5_000),
            marks: Marks::ARCHIVED,
            unique: Some(long.as_bytes()),
            address: None,
            payload: &payload,
        };
        batch.append(&NOTES, &alice(), note);
    });
    committed(store, |batch| {
        batch.replace(&NOTES, &alice(), LogId(5_000), &card("a tombstone"));
    });
}

/// What [`fill_more`] stored is there, and does what it did.
fn is_there(store: &Store) {
    let ids = |page: Page| -> Vec<u64> {
        let page = wait(store.page(&MESSAGES, &bob(), page)).unwrap();
        page.entries.iter().map(|entry| entry.id.0).collect()
    };
    assert_eq!(ids(Page::forward(4)), [150, 1_000, 1_001, 1_002]);
    assert_eq!(ids(Page::backward(2)), [3_399, 3_398]);
    let undelivered = Page::forward(3).with_marks(Marks::UNDELIVERED);
    assert_eq!(ids(undelivered), [150, 1_001, 1_002]);
    let mut by_address = Page::backward(2);
    by_address = by_address.with_address("peer-1@example.org");
    assert_eq!(ids(by_address), [3_398, 3_395]);
    let note = wait(store.page(&NOTES, &alice(), Page::forward(1))).unwrap();
    assert_eq!(note.entries[0].payload, card("a tombstone"));
    let long = "unique ".repeat(200);
    let known = store.id_of(&NOTES, &alice(), long.as_bytes());
    assert_eq!(wait(known), Ok(Some(LogId(5_000))));
    assert_eq!(wait(store.last_log_id()), Ok(LogId(5_000)));

    let one = KeyRange::exactly(long.as_str());
    assert_eq!(
        wait(store.find(&TAGGED, &BY_TEXT, &one, 10)).unwrap().len(),
        1
    );
    let taken = commit(store, |batch| {
        batch.put(&TAGGED, &bob(), "another", &tagged(&long, &[]));
    });
    assert!(matches!(taken, Err(StoreError::Taken { .. })), "{taken:?}");
    let tags = wait(store.find(&TAGGED, &BY_TAG, &KeyRange::all(), 10)).unwrap();
    assert_eq!(tags.len(), 4);
    for (now, live) in [(0, 1), (8_999_999, 1), (9_000_000, 0)] {
        let tag = KeyRange::exactly("k");
        let found = wait(store.find(&SESSIONS.at(now), &BY_SESSION_TAG, &tag, 10));
        assert_eq!(found.unwrap().len(), live, "at {now}");
    }
    let kept = wait(store.get(&EXPIRING_COUNTERS.at(1), &alice(), "kept"));
    assert_eq!(kept, Ok(Some(5)));
    let sums = committed(store, |batch| {
        batch.add(&COUNTERS, &Owner::account("user-0@example.org"), "n", 1);
    });
    assert_eq!(sums.sums, [5]);
}

fn copied(from: &StorePlace, to: &StorePlace) -> Result<Copied, CopyError> {
    from.copy_to(to, &all(), about())
}

#[test]
fn everything_goes_to_the_other_kind_and_back() {
    let (Some(there), Some(further)) = (
        InPostgres::new("copy/there"),
        InPostgres::new("copy/further"),
    ) else {
        return;
    };
    let (first, last) = (TestDirectory::new(), TestDirectory::new());
    let places = [
        StorePlace::Directory(first.path().to_owned(), None),
        StorePlace::Database(there.address(), None),
        StorePlace::Database(further.address(), None),
        StorePlace::Directory(last.path().to_owned(), None),
    ];
    let store = places[0].open(&all()).unwrap();
    fill_more(&store);
    let (summary, bytes) = backup_of(&store);
    drop(store);
    for pair in places.windows(2) {
        let copied = copied(&pair[0], &pair[1]).unwrap();
        assert!(copied.is_same());
        assert_eq!(copied.from, summary, "{pair:?}");
    }
    for place in &places {
        let store = place.open(&all()).unwrap();
        assert!(backup_of(&store).1 == bytes, "{place:?}");
        is_there(&store);
    }
}

#[test]
fn what_is_there_is_not_overwritten() {
    let Some(place) = InPostgres::new("copy/refused") else {
        return;
    };
    let directory = TestDirectory::new();
    let database = StorePlace::Database(place.address(), None);
    let files = StorePlace::Directory(directory.path().to_owned(), None);
    assert!(matches!(copied(&files, &files), Err(CopyError::Same(_))));
    assert!(matches!(
        copied(&files, &database),
        Err(CopyError::Nothing(_))
    ));
    assert_eq!(database.look(&all()), Ok(false), "nothing was made there");
    for place in [&files, &database] {
        let store = place.open(&all()).unwrap();
        committed(&store, |batch| batch.put(&CARDS, &alice(), "a", &card("a")));
        let other = if place == &files { &database } else { &files };
        let in_use = copied(place, other);
        assert!(
            matches!(
                in_use,
                Err(CopyError::From(
                    OpenError::InUse(_) | OpenError::DatabaseInUse(_)
                ))
            ),
            "{in_use:?}"
        );
    }
    let before = |place: &StorePlace| backup_of(&place.open(&all()).unwrap()).1;
    let (in_files, in_database) = (before(&files), before(&database));
    for (from, to) in [(&files, &database), (&database, &files)] {
        let refused = copied(from, to);
        let Err(CopyError::To(reason)) = refused else {
            panic!("{refused:?}");
        };
        assert!(reason.to_string().contains("is not empty"), "{reason}");
    }
    assert!(before(&files) == in_files && before(&database) == in_database);
}

/// Nothing stays of a copy that does not come to its end.
#[test]
fn a_copy_that_fails_leaves_nothing() {
    let Some(place) = InPostgres::new("copy/fails") else {
        return;
    };
    let (directory, empty) = (TestDirectory::new(), TestDirectory::new());
    let files = StorePlace::Directory(directory.path().to_owned(), None);
    let store = files.open(&all()).unwrap();
    fill(&store);
    drop(store);
    // A stored file is not what it was: the backup is given up when it comes to it, in the end.
    let shard = fs::read_dir(directory.path().join("blobs")).unwrap();
    let mut shard = shard.map(|entry| entry.unwrap().path());
    let shard = shard.find(|path| !path.ends_with("new")).unwrap();
    let blob = fs::read_dir(shard).unwrap().next().unwrap().unwrap().path();
    fs::write(blob, "something else").unwrap();
    let database = StorePlace::Database(place.address(), None);
    let other = StorePlace::Directory(empty.path().to_owned(), None);
    for to in [&database, &other] {
        let failed = copied(&files, to);
        assert!(matches!(failed, Err(CopyError::Read(_))), "{failed:?}");
        assert_eq!(to.look(&all()), Ok(false), "{to:?}");
    }
    let nobody = address("postgresql://waxwing@127.0.0.1:1/x");
    let failed = copied(&files, &StorePlace::Database(nobody, None));
    assert!(matches!(failed, Err(CopyError::To(_))), "{failed:?}");
}
