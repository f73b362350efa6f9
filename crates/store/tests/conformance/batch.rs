//! Writes together or not at all.

use waxwing_store::limits::{
    BATCH_BYTES_MAX, BATCH_OPS_MAX, BLOB_READ_BYTES_MAX, INDEX_KEYS_MAX, KEY_BYTES_MAX, Limit,
    OWNER_BYTES_MAX, ROWS_MAX, VALUE_BYTES_MAX,
};
use waxwing_store::{
    Append, Batch, Blame, Committed, Direction, KeyRange, LogId, Marks, Owner, Page, StoreError,
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
        batch.put_expiring(&SESSIONS, &alice(), "a", &card("a"), 10)
    });
    let absent_at = |now| {
        commit(&store, |batch| {
            batch.require_absent(&SESSIONS.at(now), &alice(), "a")
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
        batch.require_equals(&SESSIONS.at(10), &alice(), "a", &card("a"))
    });
    assert_eq!(
        equals,
        Err(StoreError::Refused {
            shape: "sessions",
            position: 0
        })
    );
}

fn too_large(limit: Limit, asked: usize) -> StoreError {
    StoreError::TooLarge {
        limit,
        max: limit.max(),
        asked,
    }
}

pub(crate) fn every_limit_has_its_name(place: &dyn Place) {
    let store = place.open(&all());
    let key = |bytes: usize| "k".repeat(bytes - 2);
    let refused = |build: &dyn Fn(&mut Batch)| commit(&store, |batch| build(batch)).unwrap_err();

    committed(&store, |batch| {
        batch.put(&CARDS, &alice(), &key(KEY_BYTES_MAX), &card("x"))
    });
    let long = key(KEY_BYTES_MAX + 1);
    let error = refused(&|batch| batch.put(&CARDS, &alice(), &long, &card("x")));
    assert_eq!(error, too_large(Limit::KeyBytes, KEY_BYTES_MAX + 1));
    assert_eq!(error.blame(), Blame::Caller);
    assert_eq!(
        error.to_string(),
        "the length of a key in bytes is 8192, asked for 8193"
    );
    assert_eq!(
        refused(&|batch| batch.delete(&CARDS, &alice(), &long)),
        error
    );
    assert_eq!(
        refused(&|batch| batch.require_absent(&CARDS, &alice(), &long)),
        error
    );
    let tags = Card {
        text: String::new(),
        tags: vec![long.clone()],
    };
    assert_eq!(
        refused(&|batch| batch.put(&TAGGED, &alice(), "x", &tags)),
        error
    );

    let largest = card(&"x".repeat(VALUE_BYTES_MAX - 4));
    committed(&store, |batch| {
        batch.put(&CARDS, &alice(), "large", &largest)
    });
    assert_eq!(
        wait(store.get(&CARDS, &alice(), "large")),
        Ok(Some(largest))
    );
    let large = card(&"x".repeat(VALUE_BYTES_MAX - 3));
    let value = too_large(Limit::ValueBytes, VALUE_BYTES_MAX + 1);
    assert_eq!(
        refused(&|batch| batch.put(&CARDS, &alice(), "large", &large)),
        value
    );
    let entry = Append {
        id: LogId(1),
        marks: Marks::ARCHIVED,
        unique: None,
        address: None,
        payload: &large,
    };
    assert_eq!(
        refused(&|batch| batch.append(&MESSAGES, &alice(), entry)),
        value
    );
    assert_eq!(
        refused(&|batch| batch.replace(&MESSAGES, &alice(), LogId(1), &large)),
        value
    );

    let owner = Owner::account(&"o".repeat(OWNER_BYTES_MAX));
    let error = too_large(Limit::OwnerBytes, OWNER_BYTES_MAX + 1);
    assert_eq!(refused(&|batch| batch.delete(&CARDS, &owner, "x")), error);

    let ops = |count: usize| {
        move |batch: &mut Batch| (0..count).for_each(|_| batch.delete(&CARDS, &alice(), "x"))
    };
    committed(&store, ops(BATCH_OPS_MAX));
    assert_eq!(
        commit(&store, ops(BATCH_OPS_MAX + 1)),
        Err(too_large(Limit::BatchOps, BATCH_OPS_MAX + 1))
    );

    let megabyte = card(&"x".repeat(1_000_000));
    let error =
        refused(&|batch| (0..17).for_each(|_| batch.put(&CARDS, &alice(), "large", &megabyte)));
    assert!(matches!(
        error,
        StoreError::TooLarge {
            limit: Limit::BatchBytes,
            max: BATCH_BYTES_MAX,
            ..
        }
    ));

    let many = Card {
        text: String::new(),
        tags: (0..=INDEX_KEYS_MAX).map(|tag| tag.to_string()).collect(),
    };
    let error = refused(&|batch| batch.put(&TAGGED, &alice(), "x", &many));
    assert_eq!(error, too_large(Limit::IndexKeys, INDEX_KEYS_MAX + 1));

    let rows = too_large(Limit::Rows, ROWS_MAX + 1);
    let scan = store.scan(
        &CARDS,
        &alice(),
        &KeyRange::all(),
        Direction::Forward,
        ROWS_MAX + 1,
    );
    assert_eq!(wait(scan), Err(rows.clone()));
    assert_eq!(
        wait(store.page(&MESSAGES, &alice(), Page::forward(ROWS_MAX + 1))),
        Err(rows.clone())
    );
    assert_eq!(
        refused(&|batch| batch.delete_range(&CARDS, &alice(), &KeyRange::all(), ROWS_MAX + 1)),
        rows
    );
    assert_eq!(refused(&|batch| batch.purge_expired(0, ROWS_MAX + 1)), rows);

    let time = too_large(Limit::Micros, 1 << 63);
    assert_eq!(
        refused(&|batch| append(batch, &alice(), 1 << 63, Marks::ARCHIVED)),
        time
    );
    assert_eq!(
        refused(&|batch| batch.put_expiring(&SESSIONS, &alice(), "x", &card("x"), 1 << 63)),
        time
    );

    let mut writer = wait(store.blob_writer()).unwrap();
    wait(writer.write("content".into())).unwrap();
    let blob = wait(writer.finish()).unwrap();
    let error = wait(blob.read(0, BLOB_READ_BYTES_MAX + 1)).unwrap_err();
    assert_eq!(
        error,
        too_large(Limit::BlobReadBytes, BLOB_READ_BYTES_MAX + 1)
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
