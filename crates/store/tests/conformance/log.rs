//! Entries by id.

use waxwing_store::limits::{PAGE_BYTES_MAX, PAGE_STEP_ENTRIES_MAX, VALUE_BYTES_MAX};
use waxwing_store::{Append, Appended, Batch, Entries, LogId, Marks, Page, Store, StoreError};

use crate::place::{Place, wait};
use crate::shapes::{
    BOTH, Card, MESSAGES, NOTES, alice, all, append, append_to, bob, card, commit, committed,
};

fn page(store: &Store, page: Page) -> Entries<Card> {
    wait(store.page(&MESSAGES, &alice(), page)).unwrap()
}

/// The ids of a page, whose texts are the ids.
pub(crate) fn ids(store: &Store, wanted: Page) -> Vec<u64> {
    let found = page(store, wanted).entries;
    found
        .into_iter()
        .map(|entry| {
            assert_eq!(entry.payload.text, entry.id.0.to_string());
            entry.id.0
        })
        .collect()
}

pub(crate) fn append_all(store: &Store, ids: impl IntoIterator<Item = u64>, marks: Marks) {
    committed(store, |batch| {
        ids.into_iter()
            .for_each(|id| append(batch, &alice(), id, marks));
    });
}

fn append_unique(batch: &mut Batch, id: u64, unique: &[u8]) {
    let payload = card(&id.to_string());
    let entry = Append {
        id: LogId(id),
        marks: Marks::ARCHIVED,
        unique: Some(unique),
        address: None,
        payload: &payload,
    };
    batch.append(&MESSAGES, &alice(), entry);
}

pub(crate) fn entries_are_paged_in_both_directions(place: &dyn Place) {
    let store = place.open(&all());
    assert_eq!(
        page(&store, Page::forward(5)),
        Entries {
            entries: vec![],
            next: None
        }
    );
    let outcome = committed(&store, |batch| {
        for id in [10, 20, 30, 40] {
            append(batch, &alice(), id, Marks::ARCHIVED);
        }
        append(batch, &bob(), 25, Marks::ARCHIVED);
        let note = card("note");
        batch.append(
            &NOTES,
            &alice(),
            Append {
                id: LogId(10),
                marks: Marks::ARCHIVED,
                unique: None,
                address: None,
                payload: &note,
            },
        );
    });
    assert_eq!(outcome.appended.len(), 6);
    assert_eq!(outcome.appended[1], Appended::New(LogId(20)));
    assert_eq!(ids(&store, Page::forward(3)), [10, 20, 30]);
    assert_eq!(ids(&store, Page::backward(3)), [40, 30, 20]);
    assert_eq!(ids(&store, Page::forward(9)), [10, 20, 30, 40]);
    drop(store);
    let store = place.open(&all());
    assert_eq!(ids(&store, Page::backward(9)), [40, 30, 20, 10]);
    // An entry from the past takes its place.
    append_all(&store, [15], Marks::ARCHIVED);
    assert_eq!(ids(&store, Page::forward(9)), [10, 15, 20, 30, 40]);
}

pub(crate) fn a_page_goes_on_where_the_last_one_ended(place: &dyn Place) {
    let store = place.open(&all());
    append_all(&store, 1..=7, Marks::ARCHIVED);
    let mut seen = Vec::new();
    let mut wanted = Page::forward(3);
    loop {
        let part = page(&store, wanted);
        seen.extend(part.entries.iter().map(|entry| entry.id.0));
        let Some(next) = part.next else { break };
        assert_eq!(part.entries.len(), 3);
        wanted = Page::forward(3).after(next);
    }
    assert_eq!(seen, [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(page(&store, Page::backward(3)).next, Some(LogId(5)));
    assert_eq!(
        page(&store, Page::backward(3).before(LogId(4))).next,
        None,
        "three are left and shown"
    );
    assert_eq!(page(&store, Page::forward(7)).next, None);
    assert_eq!(
        page(&store, Page::forward(0)),
        Entries {
            entries: vec![],
            next: None
        }
    );
}

pub(crate) fn times_and_ids_bound_a_page(place: &dyn Place) {
    let store = place.open(&all());
    append_all(&store, [10, 20, 30, 40], Marks::ARCHIVED);
    let some = || Page::forward(9);
    assert_eq!(ids(&store, some().after(LogId(20))), [30, 40]);
    assert_eq!(ids(&store, some().from(LogId(20))), [20, 30, 40]);
    assert_eq!(ids(&store, some().before(LogId(30))), [10, 20]);
    assert_eq!(ids(&store, some().to(LogId(30))), [10, 20, 30]);
    assert_eq!(ids(&store, some().from(LogId(15)).to(LogId(35))), [20, 30]);
    assert_eq!(
        ids(
            &store,
            some()
                .after(LogId(30))
                .from(LogId(5))
                .to(LogId(100))
                .before(LogId(99))
        ),
        [40]
    );
    assert_eq!(
        ids(&store, some().after(LogId(35)).before(LogId(20))),
        [0; 0]
    );
    assert_eq!(ids(&store, some().before(LogId(0))), [0; 0]);
    assert_eq!(ids(&store, some().after(LogId(u64::MAX))), [0; 0]);
    assert_eq!(ids(&store, some().to(LogId(u64::MAX))), [10, 20, 30, 40]);
    append_all(&store, [LogId::MAX.0, 0], Marks::ARCHIVED);
    assert_eq!(ids(&store, Page::backward(1)), [LogId::MAX.0]);
    assert_eq!(ids(&store, Page::forward(1)), [0]);
    assert_eq!(ids(&store, some().after(LogId::MAX)), [0; 0]);
}

pub(crate) fn an_id_is_taken_once(place: &dyn Place) {
    let store = place.open(&all());
    append_all(&store, [10], Marks::ARCHIVED);
    let again = commit(&store, |batch| {
        append(batch, &alice(), 11, Marks::ARCHIVED);
        append(batch, &alice(), 10, Marks::ARCHIVED);
    });
    assert_eq!(again, Err(StoreError::IdTaken { shape: "messages" }));
    assert_eq!(ids(&store, Page::forward(9)), [10]);
    let twice = commit(&store, |batch| {
        append(batch, &alice(), 12, Marks::ARCHIVED);
        append(batch, &alice(), 12, Marks::ARCHIVED);
    });
    assert_eq!(twice, Err(StoreError::IdTaken { shape: "messages" }));
    assert_eq!(
        wait(store.last_log_id()),
        Ok(LogId(10)),
        "a refused id was not given out"
    );
    committed(&store, |batch| append(batch, &bob(), 10, Marks::ARCHIVED));
    append_all(&store, [12], Marks::ARCHIVED);
    assert_eq!(ids(&store, Page::forward(9)), [10, 12]);
}

pub(crate) fn a_unique_key_gives_the_entry_that_has_it(place: &dyn Place) {
    let store = place.open(&all());
    let first = committed(&store, |batch| append_unique(batch, 10, b"x"));
    assert_eq!(first.appended, [Appended::New(LogId(10))]);
    let again = committed(&store, |batch| {
        append_unique(batch, 20, b"x");
        append_unique(batch, 21, b"y");
        append_unique(batch, 22, b"y");
    });
    assert_eq!(
        again.appended,
        [
            Appended::Known(LogId(10)),
            Appended::New(LogId(21)),
            Appended::Known(LogId(21))
        ]
    );
    assert_eq!(again.appended[0].id(), LogId(10));
    assert_eq!(ids(&store, Page::forward(9)), [10, 21]);
    assert_eq!(
        wait(store.id_of(&MESSAGES, &alice(), b"y")),
        Ok(Some(LogId(21)))
    );
    assert_eq!(wait(store.id_of(&MESSAGES, &alice(), b"z")), Ok(None));
    assert_eq!(wait(store.id_of(&MESSAGES, &bob(), b"y")), Ok(None));
    assert_eq!(wait(store.id_of(&NOTES, &alice(), b"y")), Ok(None));
}

pub(crate) fn a_unique_key_goes_with_its_entry(place: &dyn Place) {
    let store = place.open(&all());
    committed(&store, |batch| append_unique(batch, 10, b"x"));
    committed(&store, |batch| {
        batch.replace(&MESSAGES, &alice(), LogId(10), &card("gone"));
    });
    assert_eq!(
        wait(store.id_of(&MESSAGES, &alice(), b"x")),
        Ok(Some(LogId(10))),
        "a tombstone keeps it"
    );
    committed(&store, |batch| {
        batch.clear_marks(&MESSAGES, &alice(), &[LogId(10)], Marks::ARCHIVED);
    });
    assert_eq!(wait(store.id_of(&MESSAGES, &alice(), b"x")), Ok(None));
    let again = committed(&store, |batch| append_unique(batch, 20, b"x"));
    assert_eq!(again.appended, [Appended::New(LogId(20))]);
    committed(&store, |batch| {
        batch.delete_entries(&MESSAGES, &alice(), LogId::MIN..=LogId::MAX, 9);
    });
    assert_eq!(wait(store.id_of(&MESSAGES, &alice(), b"x")), Ok(None));
}

pub(crate) fn an_entry_goes_when_no_mark_is_left(place: &dyn Place) {
    let store = place.open(&all());
    append_all(&store, [10, 20], BOTH());
    append_all(&store, [30], Marks::UNDELIVERED);
    append_all(&store, [40], Marks::ARCHIVED);
    let undelivered = || ids(&store, Page::forward(9).with_marks(Marks::UNDELIVERED));
    assert_eq!(undelivered(), [10, 20, 30]);
    assert_eq!(ids(&store, Page::backward(9).with_marks(BOTH())), [20, 10]);
    let given = [LogId(10), LogId(30), LogId(40), LogId(99)];
    let outcome = committed(&store, |batch| {
        batch.clear_marks(&MESSAGES, &alice(), &given, Marks::UNDELIVERED);
    });
    assert_eq!(outcome.changed, [2], "40 had no such mark, 99 is not there");
    assert_eq!(undelivered(), [20]);
    assert_eq!(ids(&store, Page::forward(9)), [10, 20, 40]);
    let marks: Vec<_> = page(&store, Page::forward(9))
        .entries
        .iter()
        .map(|entry| entry.marks)
        .collect();
    assert_eq!(marks, [Marks::ARCHIVED, BOTH(), Marks::ARCHIVED]);
    let outcome = committed(&store, |batch| {
        batch.clear_marks(&MESSAGES, &alice(), &given, BOTH());
    });
    assert_eq!(outcome.changed, [2]);
    assert_eq!(ids(&store, Page::forward(9)), [20]);
    drop(store);
    let store = place.open(&all());
    assert_eq!(
        ids(&store, Page::forward(9).with_marks(Marks::UNDELIVERED)),
        [20]
    );
}

pub(crate) fn marks_are_cleared_over_a_range_in_steps(place: &dyn Place) {
    let store = place.open(&all());
    append_all(&store, [10, 30, 50], BOTH());
    append_all(&store, [20, 40, 60], Marks::UNDELIVERED);
    append_all(&store, [25], Marks::ARCHIVED);
    let clear = |marks, limit| {
        let range = LogId(20)..=LogId(50);
        committed(&store, |batch| {
            batch.clear_marks_in(&MESSAGES, &alice(), range, marks, limit);
        })
        .changed[0]
    };
    assert_eq!(clear(Marks::UNDELIVERED, 3), 3);
    assert_eq!(ids(&store, Page::forward(9)), [10, 25, 30, 50, 60]);
    assert_eq!(clear(Marks::UNDELIVERED, 3), 1);
    assert_eq!(clear(Marks::UNDELIVERED, 3), 0);
    assert_eq!(
        ids(&store, Page::forward(9).with_marks(Marks::UNDELIVERED)),
        [10, 60]
    );
    assert_eq!(clear(Marks::ARCHIVED, 9), 3);
    assert_eq!(ids(&store, Page::forward(9)), [10, 60]);
    assert_eq!(clear(BOTH(), 9), 0);
}

pub(crate) fn an_entry_without_a_mark_is_not_stored(place: &dyn Place) {
    let store = place.open(&all());
    let outcome = committed(&store, |batch| append(batch, &alice(), 10, Marks::NONE));
    assert_eq!(outcome.appended, [Appended::New(LogId(10))]);
    assert_eq!(ids(&store, Page::forward(9)), [0; 0]);
}

pub(crate) fn entries_are_counted_by_marks(place: &dyn Place) {
    let store = place.open(&all());
    append_all(&store, 1..=3, BOTH());
    append_all(&store, 4..=8, Marks::ARCHIVED);
    append_all(&store, 9..=10, Marks::UNDELIVERED);
    let count = |marks| wait(store.count_entries(&MESSAGES, &alice(), marks)).unwrap();
    assert_eq!(count(Marks::NONE), 10);
    assert_eq!(count(Marks::ARCHIVED), 8);
    assert_eq!(count(Marks::UNDELIVERED), 5);
    assert_eq!(count(BOTH()), 3);
    assert_eq!(
        wait(store.count_entries(&MESSAGES, &bob(), Marks::NONE)),
        Ok(0)
    );
}

pub(crate) fn a_tombstone_takes_the_place_of_a_payload(place: &dyn Place) {
    let store = place.open(&all());
    committed(&store, |batch| {
        append_to(batch, &alice(), 10, BOTH(), Some("bob@example.org"));
    });
    let replace = |id| {
        committed(&store, |batch| {
            batch.replace(&MESSAGES, &alice(), LogId(id), &card("retracted"));
        })
        .changed
    };
    assert_eq!(replace(10), [1]);
    assert_eq!(replace(11), [0]);
    let found = page(
        &store,
        Page::forward(9)
            .with_address("bob@example.org")
            .with_marks(Marks::UNDELIVERED),
    );
    assert_eq!(found.entries.len(), 1);
    assert_eq!(
        (found.entries[0].marks, &found.entries[0].payload),
        (BOTH(), &card("retracted"))
    );
    assert_eq!(
        wait(store.count_entries(&MESSAGES, &alice(), Marks::NONE)),
        Ok(1)
    );
}

pub(crate) fn a_range_of_entries_is_removed_in_steps(place: &dyn Place) {
    let store = place.open(&all());
    append_all(&store, 1..=6, BOTH());
    committed(&store, |batch| append(batch, &bob(), 3, Marks::ARCHIVED));
    let delete = |limit| {
        let range = LogId(2)..=LogId(5);
        committed(&store, |batch| {
            batch.delete_entries(&MESSAGES, &alice(), range, limit);
        })
        .changed
    };
    assert_eq!(delete(3), [3]);
    assert_eq!(ids(&store, Page::forward(9)), [1, 5, 6]);
    assert_eq!(delete(3), [1]);
    assert_eq!(delete(3), [0]);
    assert_eq!(
        ids(&store, Page::forward(9).with_marks(Marks::UNDELIVERED)),
        [1, 6]
    );
    let mut turned = Batch::new();
    turned.delete_entries(&MESSAGES, &alice(), LogId(6)..=LogId(1), 9);
    assert_eq!(wait(store.commit(turned)).unwrap().changed, [0]);
    assert_eq!(
        wait(store.count_entries(&MESSAGES, &bob(), Marks::NONE)),
        Ok(1)
    );
}

pub(crate) fn entries_are_found_by_address(place: &dyn Place) {
    let store = place.open(&all());
    committed(&store, |batch| {
        for id in 1..=9 {
            let address =
                [None, Some("bob@example.org"), Some("carol@example.org")][id as usize % 3];
            append_to(batch, &alice(), id, Marks::ARCHIVED, address);
        }
        append_to(batch, &bob(), 1, Marks::ARCHIVED, Some("bob@example.org"));
    });
    let with = |wanted: Page, address: &str| ids(&store, wanted.with_address(address));
    assert_eq!(with(Page::forward(9), "bob@example.org"), [1, 4, 7]);
    assert_eq!(with(Page::backward(2), "carol@example.org"), [8, 5]);
    assert_eq!(with(Page::forward(9), "dave@example.org"), [0; 0]);
    assert_eq!(with(Page::forward(9), ""), [0; 0]);
    let first = page(&store, Page::forward(2).with_address("bob@example.org"));
    assert_eq!(
        first.next,
        Some(LogId(6)),
        "everything up to the next that fits was looked at"
    );
    assert_eq!(
        with(
            Page::forward(2).after(first.next.unwrap()),
            "bob@example.org"
        ),
        [7]
    );
}

pub(crate) fn a_page_by_address_ends_early_in_a_long_log(place: &dyn Place) {
    let store = place.open(&all());
    let step = PAGE_STEP_ENTRIES_MAX as u64;
    let mut batch = Batch::new();
    for id in 1..=step + 10 {
        let address = if id == 5 || id == step + 5 {
            "bob@example.org"
        } else {
            "carol@example.org"
        };
        append_to(&mut batch, &alice(), id, Marks::ARCHIVED, Some(address));
        if id % 5_000 == 0 || id == step + 10 {
            wait(store.commit(std::mem::take(&mut batch))).unwrap();
        }
    }
    let wanted = Page::forward(9).with_address("bob@example.org");
    let first = page(&store, wanted.clone());
    let mut found: Vec<LogId> = first.entries.iter().map(|entry| entry.id).collect();
    // An index that has come so far already finds all of it at once.
    if found.len() == 1 {
        let second = page(&store, wanted.after(LogId(step)));
        assert_eq!((first.next, second.next), (Some(LogId(step)), None));
        found.extend(second.entries.iter().map(|entry| entry.id));
    }
    assert_eq!(found, [LogId(5), LogId(step + 5)]);
}

pub(crate) fn a_page_ends_before_it_is_too_large(place: &dyn Place) {
    let store = place.open(&all());
    let text = "x".repeat(VALUE_BYTES_MAX - 64);
    let count = PAGE_BYTES_MAX / VALUE_BYTES_MAX + 2;
    for id in 1..=count as u64 {
        let payload = card(&text);
        let entry = Append {
            id: LogId(id),
            marks: Marks::ARCHIVED,
            unique: None,
            address: None,
            payload: &payload,
        };
        committed(&store, |batch| batch.append(&MESSAGES, &alice(), entry));
    }
    let first = page(&store, Page::forward(100));
    assert_eq!(first.entries.len(), count - 1);
    assert_eq!(first.next, Some(LogId(count as u64 - 1)));
    assert_eq!(
        page(&store, Page::forward(100).after(first.next.unwrap()))
            .entries
            .len(),
        1
    );
}

pub(crate) fn the_last_id_is_known_over_restarts(place: &dyn Place) {
    let mut store = place.open(&all());
    assert_eq!(wait(store.last_log_id()), Ok(LogId(0)));
    append_all(&store, [100], Marks::ARCHIVED);
    append_all(&store, [50], Marks::ARCHIVED);
    let last = |store: &mut Store| {
        let before = wait(store.last_log_id()).unwrap();
        // The double's handles die by themselves; a database's lock goes with its last handle.
        *store = Store::memory(&[]).unwrap();
        *store = place.open(&all());
        assert_eq!(wait(store.last_log_id()), Ok(before));
        before.0
    };
    assert_eq!(last(&mut store), 100);
    // Whichever way the greatest goes, its id does not come back.
    committed(&store, |batch| {
        batch.clear_marks(&MESSAGES, &alice(), &[LogId(100)], Marks::ARCHIVED);
    });
    assert_eq!(last(&mut store), 100);
    append_all(&store, [60, 200], Marks::ARCHIVED);
    committed(&store, |batch| {
        batch.delete_entries(&MESSAGES, &alice(), LogId::MIN..=LogId::MAX, 99);
    });
    assert_eq!(last(&mut store), 200);
    append_all(&store, [300, 70], BOTH());
    committed(&store, |batch| batch.delete_owner(&alice()));
    assert_eq!(last(&mut store), 300);
    assert_eq!(last(&mut store), 300);
    append_all(&store, [80], BOTH());
    committed(&store, |batch| {
        append(batch, &bob(), 301, Marks::UNDELIVERED);
    });
    assert_eq!(last(&mut store), 301);
}

pub(crate) fn logs_list_their_owners(place: &dyn Place) {
    let store = place.open(&all());
    committed(&store, |batch| {
        append(batch, &bob(), 1, Marks::ARCHIVED);
        append(batch, &alice(), 2, Marks::UNDELIVERED);
    });
    assert_eq!(
        wait(store.log_owners(&MESSAGES, None, 9)),
        Ok(vec![alice(), bob()])
    );
    assert_eq!(
        wait(store.log_owners(&MESSAGES, Some(&alice()), 9)),
        Ok(vec![bob()])
    );
    assert_eq!(wait(store.log_owners(&NOTES, None, 9)), Ok(vec![]));
    committed(&store, |batch| {
        batch.clear_marks(&MESSAGES, &alice(), &[LogId(2)], Marks::UNDELIVERED);
    });
    assert_eq!(wait(store.log_owners(&MESSAGES, None, 9)), Ok(vec![bob()]));
}
