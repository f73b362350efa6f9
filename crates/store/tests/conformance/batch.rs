//! Writes together or not at all.

use waxwing_store::{
    Batch, Blame, Committed, Direction, KeyRange, LogId, Marks, Owner, Page, StoreError,
};

use crate::place::{Place, wait};
use crate::shapes::{
    CARDS, COUNTERS, Card, MESSAGES, SESSIONS, TAGGED, UNDECLARED, alice, all, append, bob, card,
    commit, committed,
};

pub(crate) fn a_refused_batch_leaves_no_trace(place: &dyn Place) {
    let store = place.open(&all());
    committed(&store, |batch| {
        batch.put(&CARDS, &alice(), "kept", &card("kept"));
        batch.put(&TAGGED, &bob(), "1", &card("taken"));
        batch.add(&COUNTERS, &alice(), "n", 1);
        append(batch, &alice(), 10, Marks::ARCHIVED | Marks::UNDELIVERED);
    });
    let new = Owner::account("new@example.org");
    let refused = commit(&store, |batch| {
        batch.put(&CARDS, &alice(), "kept", &card("changed"));
        batch.put(&CARDS, &new, "x", &card("x"));
        batch.delete_owner(&bob());
        batch.put(&TAGGED, &bob(), "2", &card("taken"));
        batch.add(&COUNTERS, &alice(), "n", 1);
        batch.clear_marks(&MESSAGES, &alice(), &[LogId(10)], Marks::UNDELIVERED);
        batch.replace(&MESSAGES, &alice(), LogId(10), &card("changed"));
        append(batch, &alice(), 20, Marks::ARCHIVED);
        batch.delete_entries(&MESSAGES, &alice(), LogId::MIN..=LogId(10), 9);
        batch.put(&TAGGED, &alice(), "1", &card("taken"));
    });
    assert_eq!(
        refused,
        Err(StoreError::Taken {
            shape: "tagged",
            index: "by-text"
        })
    );
    assert_eq!(
        wait(store.get(&CARDS, &alice(), "kept")),
        Ok(Some(card("kept")))
    );
    assert_eq!(
        wait(store.get(&TAGGED, &bob(), "1")),
        Ok(Some(card("taken")))
    );
    assert_eq!(wait(store.owners(&CARDS, None, 9)), Ok(vec![alice()]));
    assert_eq!(wait(store.get(&COUNTERS, &alice(), "n")), Ok(Some(1)));
    let page = wait(store.page(
        &MESSAGES,
        &alice(),
        Page::forward(9).with_marks(Marks::UNDELIVERED),
    ))
    .unwrap();
    assert_eq!(
        page.entries
            .iter()
            .map(|entry| entry.payload.text.as_str())
            .collect::<Vec<_>>(),
        ["10"]
    );
    assert_eq!(wait(store.last_log_id()), Ok(LogId(10)));
    // The same owners can be written to afterwards.
    committed(&store, |batch| {
        batch.put(&CARDS, &new, "x", &card("x"));
        batch.put(&CARDS, &bob(), "x", &card("x"));
    });
    drop(store);
    let store = place.open(&all());
    assert_eq!(
        wait(store.owners(&CARDS, None, 9)),
        Ok(vec![alice(), bob(), new])
    );
    assert_eq!(wait(store.owners(&TAGGED, None, 9)), Ok(vec![bob()]));
}

pub(crate) fn preconditions_look_at_the_state_before_the_batch(place: &dyn Place) {
    let store = place.open(&all());
    let refused = |position| {
        Err(StoreError::Refused {
            shape: "cards",
            position,
        })
    };
    let create = |text: &'static str| {
        commit(&store, |batch| {
            batch.put(&CARDS, &alice(), "a", &card(text));
            batch.require_absent(&CARDS, &alice(), "a");
        })
    };
    assert_eq!(create("first"), Ok(Committed::default()));
    assert_eq!(create("second"), refused(0));
    assert_eq!(refused(0).unwrap_err().blame(), Blame::Conflict);
    let swap = |before: &str, after: &str| {
        commit(&store, |batch| {
            batch.require_present(&CARDS, &alice(), "a");
            batch.require_equals(&CARDS, &alice(), "a", &card(before));
            batch.put(&CARDS, &alice(), "a", &card(after));
        })
    };
    assert_eq!(swap("second", "third"), refused(1));
    assert_eq!(swap("first", "third"), Ok(Committed::default()));
    assert_eq!(
        wait(store.get(&CARDS, &alice(), "a")),
        Ok(Some(card("third")))
    );
    assert_eq!(
        commit(&store, |batch| batch.require_present(&CARDS, &bob(), "a")),
        refused(0)
    );
    assert_eq!(
        commit(&store, |batch| batch.require_equals(
            &CARDS,
            &bob(),
            "a",
            &Card::default()
        )),
        refused(0)
    );
    assert_eq!(
        commit(&store, |batch| batch.require_absent(&CARDS, &bob(), "a")),
        Ok(Committed::default())
    );
}

pub(crate) fn preconditions_know_expiry(place: &dyn Place) {
    let store = place.open(&all());
    committed(&store, |batch| {
        batch.put_expiring(&SESSIONS, &alice(), "a", &card("a"), 10);
    });
    let absent_at = |now| {
        commit(&store, |batch| {
            batch.require_absent(&SESSIONS.at(now), &alice(), "a");
        })
    };
    assert_eq!(
        absent_at(9),
        Err(StoreError::Refused {
            shape: "sessions",
            position: 0
        })
    );
    assert_eq!(absent_at(10), Ok(Committed::default()));
    let equals = commit(&store, |batch| {
        batch.require_equals(&SESSIONS.at(10), &alice(), "a", &card("a"));
    });
    assert_eq!(
        equals,
        Err(StoreError::Refused {
            shape: "sessions",
            position: 0
        })
    );
}

pub(crate) fn a_shape_that_was_not_declared_is_refused(place: &dyn Place) {
    let store = place.open(&all());
    let unknown = StoreError::UnknownShape {
        shape: "undeclared",
    };
    assert_eq!(
        wait(store.get(&UNDECLARED, &alice(), "x")),
        Err(unknown.clone())
    );
    assert_eq!(
        wait(store.owners(&UNDECLARED, None, 1)),
        Err(unknown.clone())
    );
    let refused = commit(&store, |batch| {
        batch.put(&CARDS, &alice(), "x", &card("x"));
        batch.put(&UNDECLARED, &alice(), "x", &card("x"));
    });
    assert_eq!(refused, Err(unknown.clone()));
    assert_eq!(unknown.blame(), Blame::Caller);
    assert_eq!(wait(store.get(&CARDS, &alice(), "x")), Ok(None));
    // A log is not a table of the same name.
    let log: waxwing_store::Table<String, Card> = waxwing_store::Table::new("messages", 1);
    let not_a_table = StoreError::UnknownShape { shape: "messages" };
    assert_eq!(
        wait(store.get(&log, &alice(), "x")),
        Err(not_a_table.clone())
    );
    assert_eq!(
        commit(&store, |batch| batch.require_absent(&log, &alice(), "x")),
        Err(not_a_table)
    );
}

pub(crate) fn an_empty_batch_commits(place: &dyn Place) {
    let store = place.open(&all());
    assert_eq!(commit(&store, |_| {}), Ok(Committed::default()));
    let batch = Batch::new();
    assert!(batch.is_empty());
    assert_eq!(batch.bytes(), 0);
}

pub(crate) fn writes_apply_in_the_order_of_the_calls(place: &dyn Place) {
    let store = place.open(&all());
    let outcome = committed(&store, |batch| {
        batch.put(&CARDS, &alice(), "a", &card("1"));
        batch.delete_range(&CARDS, &alice(), &KeyRange::all(), 9);
        batch.put(&CARDS, &alice(), "b", &card("2"));
        append(batch, &alice(), 1, Marks::UNDELIVERED);
        batch.clear_marks(&MESSAGES, &alice(), &[LogId(1)], Marks::UNDELIVERED);
        append(batch, &alice(), 1, Marks::UNDELIVERED);
        batch.put(&COUNTERS, &alice(), "n", &5);
        batch.add(&COUNTERS, &alice(), "n", 1);
    });
    assert_eq!(
        (outcome.changed, outcome.sums, outcome.appended.len()),
        (vec![1, 1], vec![6], 2)
    );
    let rows = wait(store.scan(&CARDS, &alice(), &KeyRange::all(), Direction::Forward, 9)).unwrap();
    assert_eq!(rows, [("b".to_owned(), card("2"))]);
    assert_eq!(
        wait(store.count_entries(&MESSAGES, &alice(), Marks::NONE)),
        Ok(1)
    );
}
