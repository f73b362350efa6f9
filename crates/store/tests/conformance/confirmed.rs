//! Entries that clients have confirmed.

use waxwing_store::{Batch, LogId, Marks, Page};

use crate::log::{append_all, ids};
use crate::place::{Place, wait};
use crate::shapes::{BOTH, MESSAGES, alice, all, append, committed};

/// Whatever stands between those that are confirmed stays as it is.
pub(crate) fn what_is_confirmed_together_is_cleared_together(place: &dyn Place) {
    for (kept, between) in [
        (Marks::UNDELIVERED, None),
        (BOTH(), None),
        (Marks::UNDELIVERED, Some(Marks::ARCHIVED)),
        (Marks::UNDELIVERED, Some(Marks::UNDELIVERED)),
        (BOTH(), Some(Marks::ARCHIVED)),
        (BOTH(), Some(Marks::UNDELIVERED)),
        (Marks::UNDELIVERED, Some(BOTH())),
    ] {
        let store = place.open(&all());
        committed(&store, |batch| batch.delete_owner(&alice()));
        let confirmed: Vec<u64> = (1..=20).map(|n| n * 100).collect();
        // One, then more than are looked through.
        let others: Vec<u64> = match between {
            Some(_) => std::iter::once(150).chain(1_001..1_099).collect(),
            None => Vec::new(),
        };
        let mut all: Vec<(u64, Marks)> = confirmed.iter().map(|id| (*id, kept)).collect();
        all.extend(others.iter().map(|id| (*id, between.unwrap_or(kept))));
        all.sort_unstable_by_key(|(id, _)| *id);
        for (id, marks) in &all {
            append_all(&store, [*id], *marks);
        }
        let left = |bounds: std::ops::RangeInclusive<u64>| {
            let stays = |id: &u64, marks: Marks| {
                !confirmed.contains(id)
                    || !bounds.contains(id)
                    || marks.without(Marks::UNDELIVERED) != Marks::NONE
            };
            let left = all.iter().filter(|(id, marks)| stays(id, *marks));
            left.map(|(id, _)| *id).collect::<Vec<_>>()
        };
        let confirm = |bounds: std::ops::RangeInclusive<u64>| {
            let given = confirmed.iter().filter(|id| bounds.contains(id));
            let given: Vec<LogId> = given.rev().map(|id| LogId(*id)).collect();
            let outcome = committed(&store, |batch| {
                batch.clear_marks(&MESSAGES, &alice(), &given, Marks::UNDELIVERED);
            });
            outcome.changed[0]
        };
        assert_eq!(confirm(200..=400), 3);
        assert_eq!(ids(&store, Page::forward(999)), left(200..=400));
        assert_eq!(confirm(100..=2_000), 17, "three were confirmed before");
        assert_eq!(ids(&store, Page::forward(999)), left(100..=2_000));
        let undelivered = ids(&store, Page::forward(999).with_marks(Marks::UNDELIVERED));
        let waits = between.is_some_and(|marks| marks != Marks::ARCHIVED);
        assert_eq!(undelivered, if waits { others } else { Vec::new() });
        assert_eq!(confirm(100..=2_000), 0);
    }
}

pub(crate) fn what_nobody_waits_for_is_seen_and_stored(place: &dyn Place) {
    let store = place.open(&all());
    append_all(&store, [10, 20], Marks::UNDELIVERED);
    let clear = |id| {
        let mut batch = Batch::new();
        batch.unhurried();
        batch.clear_marks(&MESSAGES, &alice(), &[LogId(id)], Marks::UNDELIVERED);
        store.commit(batch)
    };
    let first = clear(10);
    assert_eq!(ids(&store, Page::forward(9)), [20], "a question sees it");
    append_all(&store, [30], Marks::UNDELIVERED);
    // What was submitted before is on disk before.
    assert!(wait(first).is_ok());
    // Nobody asks, and nothing follows.
    assert!(wait(clear(20)).is_ok());
    drop(clear(30));
    drop(store);
    let store = place.open(&all());
    assert_eq!(ids(&store, Page::forward(9)), [0; 0]);
}

/// With what it confirmed, the contents stay too.
pub(crate) fn a_batch_that_is_refused_confirms_nothing(place: &dyn Place) {
    let store = place.open(&all());
    append_all(&store, [10, 20, 30], Marks::UNDELIVERED);
    let mut refused = Batch::new();
    let given = [LogId(10), LogId(20)];
    refused.clear_marks(&MESSAGES, &alice(), &given, Marks::UNDELIVERED);
    append(&mut refused, &alice(), 30, BOTH());
    assert!(wait(store.commit(refused)).is_err(), "30 was given out");
    append_all(&store, [40], Marks::UNDELIVERED);
    assert_eq!(ids(&store, Page::forward(9)), [10, 20, 30, 40]);
    drop(store);
    let store = place.open(&all());
    assert_eq!(ids(&store, Page::forward(9)), [10, 20, 30, 40]);
}
