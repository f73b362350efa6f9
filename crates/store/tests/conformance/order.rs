//! Who sees what, and when it is told.

use std::sync::mpsc;
use std::thread;

use waxwing_store::{Batch, Direction, KeyRange, LogId, Marks, Owner, Page, StoreError};

use crate::place::{Place, wait};
use crate::shapes::{BY_TAG, CARDS, COUNTERS, MESSAGES, TAGGED, alice, all, append, card, tagged};

pub(crate) fn outcomes_come_in_the_order_of_submission(place: &dyn Place) {
    let store = place.open(&all());
    let (sender, receiver) = mpsc::channel();
    for number in 0..1_000 {
        let mut batch = Batch::new();
        match number % 4 {
            // Refused, empty and misused batches keep their places.
            0 => batch.require_present(&CARDS, &alice(), "never"),
            1 => {}
            2 => append(&mut batch, &alice(), u64::MAX, Marks::ARCHIVED),
            _ => batch.put(&CARDS, &alice(), "a", &card("a")),
        }
        let sender = sender.clone();
        store.submit(batch, move |outcome| {
            sender.send((number, outcome.is_ok())).unwrap();
        });
    }
    drop(sender);
    let outcomes: Vec<_> = receiver.into_iter().collect();
    let expected: Vec<_> = (0..1_000)
        .map(|number| (number, number % 4 % 2 == 1))
        .collect();
    assert_eq!(outcomes, expected);
}

pub(crate) fn a_read_sees_what_was_submitted_before_it(place: &dyn Place) {
    let store = place.open(&all());
    let mut outcomes = Vec::new();
    for number in 1..=200_u64 {
        let mut batch = Batch::new();
        batch.put(&CARDS, &alice(), "a", &card(&number.to_string()));
        batch.add(&COUNTERS, &alice(), "n", 1);
        append(&mut batch, &alice(), number, Marks::UNDELIVERED);
        outcomes.push(store.commit(batch));
        // None of these waits for the commit, nor for the others.
        let value = store.get(&CARDS, &alice(), "a");
        let count = store.get(&COUNTERS, &alice(), "n");
        let newest = store.page(
            &MESSAGES,
            &alice(),
            Page::backward(1).with_marks(Marks::UNDELIVERED),
        );
        let entries = store.count_entries(&MESSAGES, &alice(), Marks::NONE);
        let last = store.last_log_id();
        let other = store.get(&CARDS, &Owner::account("other"), "a");
        let mut later = Batch::new();
        later.put(&CARDS, &alice(), "a", &card("later"));
        outcomes.push(store.commit(later));
        assert_eq!(wait(value), Ok(Some(card(&number.to_string()))));
        assert_eq!(wait(count), Ok(Some(i64::try_from(number).unwrap())));
        assert_eq!(wait(newest).unwrap().entries[0].id, LogId(number));
        assert!(wait(entries).unwrap() >= number);
        assert_eq!(wait(last), Ok(LogId(number)));
        assert_eq!(wait(other), Ok(None));
    }
    for outcome in outcomes {
        wait(outcome).unwrap();
    }
}

pub(crate) fn every_thread_sees_its_own_writes(place: &dyn Place) {
    let store = place.open(&all());
    thread::scope(|scope| {
        for number in 0..8 {
            let store = store.clone();
            scope.spawn(move || {
                let owner = Owner::account(&format!("user-{number}"));
                for round in 1..=200 {
                    let mut batch = Batch::new();
                    batch.add(&COUNTERS, &owner, "n", 1);
                    batch.add(&COUNTERS, &Owner::server(), "all", 1);
                    if round % 3 == 0 {
                        wait(store.commit(batch)).unwrap();
                    } else {
                        store.submit(batch, |outcome| assert!(outcome.is_ok()));
                    }
                    assert_eq!(wait(store.get(&COUNTERS, &owner, "n")), Ok(Some(round)));
                }
            });
        }
    });
    assert_eq!(
        wait(store.get(&COUNTERS, &Owner::server(), "all")),
        Ok(Some(1_600))
    );
}

pub(crate) fn questions_over_owners_see_what_was_submitted(place: &dyn Place) {
    let store = place.open(&all());
    let mut outcomes = Vec::new();
    for number in 1..=50 {
        let owner = Owner::account(&format!("user-{number:02}"));
        let mut batch = Batch::new();
        batch.put(&TAGGED, &owner, "a", &tagged(owner.name(), &["tag"]));
        outcomes.push(store.commit(batch));
        let found = store.find(&TAGGED, &BY_TAG, &KeyRange::exactly("tag"), 100);
        let owners = store.owners(&TAGGED, None, 100);
        assert_eq!(wait(found).unwrap().len(), number);
        assert_eq!(wait(owners).unwrap().len(), number);
    }
    for outcome in outcomes {
        wait(outcome).unwrap();
    }
}

/// What a question makes the store do in the middle of a group is not seen by what comes after it.
pub(crate) fn questions_over_ranges_stand_between_batches(place: &dyn Place) {
    let store = place.open(&all());
    let mut outcomes = Vec::new();
    let mut refusals = Vec::new();
    let keys = |owner: &Owner| {
        let rows = store.scan(&CARDS, owner, &KeyRange::all(), Direction::Forward, 9);
        async move {
            rows.await
                .unwrap()
                .into_iter()
                .map(|row| row.0)
                .collect::<Vec<_>>()
        }
    };
    for round in 1..=30_u64 {
        let owner = Owner::account(&format!("user-{round}"));
        let name = owner.name();
        let mut first = Batch::new();
        first.put(&CARDS, &owner, "a", &card("a"));
        first.put(&TAGGED, &owner, "a", &tagged(name, &["tag"]));
        append(&mut first, &owner, round, Marks::UNDELIVERED);
        outcomes.push(store.commit(first));
        let with_a = keys(&owner);
        let mut again = Batch::new();
        again.delete_owner(&owner);
        again.put(&CARDS, &owner, "b", &card("b"));
        outcomes.push(store.commit(again));
        let with_b = keys(&owner);
        let marks = Page::backward(9).with_marks(Marks::UNDELIVERED);
        let nothing = store.page(&MESSAGES, &owner, marks);
        let mut third = Batch::new();
        third.require_present(&CARDS, &owner, "b");
        third.delete(&CARDS, &owner, "b");
        third.put(&TAGGED, &alice(), "a", &tagged(name, &[]));
        append(&mut third, &owner, round, Marks::ARCHIVED);
        outcomes.push(store.commit(third));
        let none = store.count(&CARDS, &owner, &KeyRange::all());
        let mut refused = Batch::new();
        refused.put(&CARDS, &owner, "c", &card("c"));
        refused.put(&TAGGED, &owner, "a", &tagged(name, &[]));
        refusals.push(store.commit(refused));
        let still_none = store.count(&CARDS, &owner, &KeyRange::all());
        let entries = store.page(&MESSAGES, &owner, Page::backward(9));
        let last = store.last_log_id();
        assert_eq!(wait(with_a), ["a"]);
        assert_eq!(wait(with_b), ["b"]);
        assert_eq!(wait(nothing).unwrap().entries, []);
        assert_eq!((wait(none), wait(still_none)), (Ok(0), Ok(0)));
        let entries = wait(entries).unwrap().entries;
        assert_eq!((entries.len(), entries[0].id), (1, LogId(round)));
        assert_eq!(wait(last), Ok(LogId(round)));
    }
    for outcome in outcomes {
        wait(outcome).unwrap();
    }
    for refusal in refusals {
        assert!(matches!(wait(refusal), Err(StoreError::Taken { .. })));
    }
    drop(store);
    let store = place.open(&all());
    assert_eq!(wait(store.owners(&CARDS, None, 99)), Ok(vec![]));
    assert_eq!(wait(store.owners(&TAGGED, None, 99)), Ok(vec![alice()]));
    assert_eq!(
        wait(store.log_owners(&MESSAGES, None, 99)).unwrap().len(),
        30
    );
}
