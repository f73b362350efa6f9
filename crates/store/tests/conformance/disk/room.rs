//! When there is no room left.

use std::sync::mpsc;

use waxwing_store::{
    Append, Batch, Blame, KeyRange, LogId, Marks, Page, SqliteOptions, Store, StoreError,
};

use crate::place::{TestDirectory, wait};
use crate::shapes::{BY_TEXT, CARDS, MESSAGES, TAGGED, alice, all, bob, card, commit, committed};

const SMALL: SqliteOptions = SqliteOptions {
    readers: 1,
    bytes_max: Some(1 << 20),
    objects: None,
};

fn open(directory: &TestDirectory) -> Store {
    Store::sqlite(directory.path(), &SMALL, &all()).unwrap()
}

fn large(id: u64) -> Batch {
    let payload = card(&"x".repeat(50_000));
    let mut batch = Batch::new();
    batch.append(
        &MESSAGES,
        &alice(),
        Append {
            id: LogId(id),
            marks: Marks::ARCHIVED,
            unique: None,
            address: None,
            payload: &payload,
        },
    );
    batch
}

/// Appends until it is full; how many went in.
fn fill(store: &Store) -> u64 {
    let mut count = 0;
    loop {
        match wait(store.commit(large(count + 1))) {
            Ok(_) => count += 1,
            Err(error) => {
                assert_eq!(
                    (&error, error.blame()),
                    (&StoreError::DiskFull, Blame::Environment)
                );
                return count;
            }
        }
        assert!(count < 100);
    }
}

#[test]
fn a_full_disk_is_reported_and_nothing_is_lost() {
    let directory = TestDirectory::new();
    let mut store = open(&directory);
    let count = fill(&store);
    assert!(count > 10, "{count}");
    for _ in 0..2 {
        assert_eq!(
            wait(store.count_entries(&MESSAGES, &alice(), Marks::NONE)),
            Ok(count)
        );
        assert_eq!(
            wait(store.commit(large(1_000))),
            Err(StoreError::DiskFull),
            "still full"
        );
        assert_eq!(
            wait(store.count_entries(&MESSAGES, &alice(), Marks::NONE)),
            Ok(count)
        );
        drop(store);
        store = open(&directory);
    }
    let page = wait(store.page(&MESSAGES, &alice(), Page::backward(1))).unwrap();
    assert_eq!(page.entries[0].payload, card(&"x".repeat(50_000)));
}

#[test]
fn what_is_small_goes_on_and_room_can_be_made() {
    let directory = TestDirectory::new();
    let store = open(&directory);
    let count = fill(&store);
    // An owner and an index key that only the failed group had seen.
    let failed = commit(&store, |batch| {
        batch.put(&TAGGED, &bob(), "1", &card("text"));
        (0..20).for_each(|key| {
            batch.put(&CARDS, &bob(), &key.to_string(), &card(&"x".repeat(50_000)));
        });
    });
    assert_eq!(failed, Err(StoreError::DiskFull));
    committed(&store, |batch| {
        batch.put(&TAGGED, &bob(), "2", &card("text"));
    });
    let found = wait(store.find(&TAGGED, &BY_TEXT, &KeyRange::exactly("text"), 9)).unwrap();
    assert_eq!(
        found
            .iter()
            .map(|found| found.key.as_str())
            .collect::<Vec<_>>(),
        ["2"]
    );
    committed(&store, |batch| {
        batch.delete_entries(&MESSAGES, &alice(), LogId::MIN..=LogId::MAX, 10);
    });
    wait(store.commit(large(2_000))).unwrap();
    assert_eq!(
        wait(store.count_entries(&MESSAGES, &alice(), Marks::NONE)),
        Ok(count - 9)
    );
    assert_eq!(wait(store.last_log_id()), Ok(LogId(2_000)));
}

#[test]
fn every_batch_of_a_group_that_failed_is_told_so() {
    let directory = TestDirectory::new();
    let store = open(&directory);
    let (sender, receiver) = mpsc::channel();
    let mut submitted = 0;
    // While the first commits, the others come together.
    for id in 1..=200 {
        let sender = sender.clone();
        store.submit(large(id), move |outcome| {
            sender.send((id, outcome.is_ok())).unwrap();
        });
        submitted += 1;
    }
    let outcomes: Vec<_> = receiver.into_iter().take(submitted).collect();
    assert!(
        outcomes
            .iter()
            .zip(1..)
            .all(|((id, _), place)| *id == place),
        "in the order of submission"
    );
    let stored: Vec<_> = outcomes
        .iter()
        .filter(|(_, stored)| *stored)
        .map(|(id, _)| LogId(*id))
        .collect();
    assert!(stored.len() < 30);
    let page = wait(store.page(&MESSAGES, &alice(), Page::forward(100))).unwrap();
    assert_eq!(
        page.entries
            .iter()
            .map(|entry| entry.id)
            .collect::<Vec<_>>(),
        stored
    );
}
