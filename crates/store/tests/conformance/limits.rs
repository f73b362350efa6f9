//! What is too large, is refused by the name of its limit.

use waxwing_store::limits::{
    BATCH_BYTES_MAX, BATCH_OPS_MAX, BLOB_READ_BYTES_MAX, INDEX_KEYS_MAX, KEY_BYTES_MAX, Limit,
    OWNER_BYTES_MAX, ROWS_MAX, VALUE_BYTES_MAX,
};
use waxwing_store::{
    Append, Batch, Blame, Direction, KeyRange, LogId, Marks, Owner, Page, Store, StoreError,
};

use crate::place::{Place, wait};
use crate::shapes::{
    CARDS, Card, MESSAGES, SESSIONS, TAGGED, alice, all, append, card, commit, committed,
};

fn too_large(limit: Limit, asked: usize) -> StoreError {
    StoreError::TooLarge {
        limit,
        max: limit.max(),
        asked,
    }
}

fn refused(store: &Store, build: impl FnOnce(&mut Batch)) -> StoreError {
    commit(store, build).unwrap_err()
}

pub(crate) fn a_key_has_a_limit(place: &dyn Place) {
    let store = place.open(&all());
    let key = |bytes: usize| "k".repeat(bytes - 2);
    committed(&store, |batch| {
        batch.put(&CARDS, &alice(), &key(KEY_BYTES_MAX), &card("x"));
    });
    let long = key(KEY_BYTES_MAX + 1);
    let error = refused(&store, |batch| {
        batch.put(&CARDS, &alice(), &long, &card("x"));
    });
    assert_eq!(error, too_large(Limit::KeyBytes, KEY_BYTES_MAX + 1));
    assert_eq!(error.blame(), Blame::Caller);
    assert_eq!(
        error.to_string(),
        "the length of a key in bytes is 8192, asked for 8193"
    );
    assert_eq!(
        refused(&store, |batch| batch.delete(&CARDS, &alice(), &long)),
        error
    );
    assert_eq!(
        refused(&store, |batch| batch.require_absent(
            &CARDS,
            &alice(),
            &long
        )),
        error
    );
    let range = KeyRange::all().from(&long);
    assert_eq!(
        refused(&store, |batch| batch.delete_range(
            &CARDS,
            &alice(),
            &range,
            1
        )),
        error
    );
    let tags = Card {
        text: String::new(),
        tags: vec![long],
    };
    assert_eq!(
        refused(&store, |batch| batch.put(&TAGGED, &alice(), "x", &tags)),
        error
    );
}

pub(crate) fn an_owner_has_a_limit(place: &dyn Place) {
    let store = place.open(&all());
    let owner = Owner::account(&"o".repeat(OWNER_BYTES_MAX));
    let error = too_large(Limit::OwnerBytes, OWNER_BYTES_MAX + 1);
    assert_eq!(
        refused(&store, |batch| batch.delete(&CARDS, &owner, "x")),
        error
    );
    assert_eq!(
        refused(&store, |batch| batch.require_absent(&CARDS, &owner, "x")),
        error
    );
}

pub(crate) fn the_keys_of_an_entry_have_a_limit(place: &dyn Place) {
    let store = place.open(&all());
    let error = too_large(Limit::KeyBytes, KEY_BYTES_MAX + 1);
    let payload = card("x");
    let entry = |unique, address| Append {
        id: LogId(1),
        marks: Marks::ARCHIVED,
        unique,
        address,
        payload: &payload,
    };
    let long = "x".repeat(KEY_BYTES_MAX + 1);
    let unique = entry(Some(long.as_bytes()), None);
    assert_eq!(
        refused(&store, |batch| batch.append(&MESSAGES, &alice(), unique)),
        error
    );
    let address = entry(None, Some(&long));
    assert_eq!(
        refused(&store, |batch| batch.append(&MESSAGES, &alice(), address)),
        error
    );
}

pub(crate) fn a_value_has_a_limit(place: &dyn Place) {
    let store = place.open(&all());
    // The text has a tag of one byte and a length of three.
    let largest = card(&"x".repeat(VALUE_BYTES_MAX - 4));
    committed(&store, |batch| {
        batch.put(&CARDS, &alice(), "large", &largest);
    });
    assert_eq!(
        wait(store.get(&CARDS, &alice(), "large")),
        Ok(Some(largest))
    );
    let large = card(&"x".repeat(VALUE_BYTES_MAX - 3));
    let error = too_large(Limit::ValueBytes, VALUE_BYTES_MAX + 1);
    assert_eq!(
        refused(&store, |batch| batch.put(&CARDS, &alice(), "large", &large)),
        error
    );
    let entry = Append {
        id: LogId(1),
        marks: Marks::ARCHIVED,
        unique: None,
        address: None,
        payload: &large,
    };
    assert_eq!(
        refused(&store, |batch| batch.append(&MESSAGES, &alice(), entry)),
        error
    );
    assert_eq!(
        refused(&store, |batch| batch.replace(
            &MESSAGES,
            &alice(),
            LogId(1),
            &large
        )),
        error
    );
}

pub(crate) fn a_batch_has_limits(place: &dyn Place) {
    let store = place.open(&all());
    let ops = |count: usize| {
        move |batch: &mut Batch| (0..count).for_each(|_| batch.delete(&CARDS, &alice(), "x"))
    };
    committed(&store, ops(BATCH_OPS_MAX));
    assert_eq!(
        refused(&store, ops(BATCH_OPS_MAX + 1)),
        too_large(Limit::BatchOps, BATCH_OPS_MAX + 1)
    );
    let requires = |batch: &mut Batch| {
        (0..=BATCH_OPS_MAX).for_each(|_| batch.require_absent(&CARDS, &alice(), "x"));
    };
    assert_eq!(
        refused(&store, requires),
        too_large(Limit::BatchOps, BATCH_OPS_MAX + 1)
    );
    let megabyte = card(&"x".repeat(1_000_000));
    let error = refused(&store, |batch| {
        (0..17).for_each(|_| batch.put(&CARDS, &alice(), "large", &megabyte));
    });
    assert!(matches!(
        error,
        StoreError::TooLarge {
            limit: Limit::BatchBytes,
            max: BATCH_BYTES_MAX,
            ..
        }
    ));
    assert_eq!(wait(store.get(&CARDS, &alice(), "large")), Ok(None));
    let many = Card {
        text: String::new(),
        tags: (0..=INDEX_KEYS_MAX).map(|tag| tag.to_string()).collect(),
    };
    let error = refused(&store, |batch| batch.put(&TAGGED, &alice(), "x", &many));
    assert_eq!(error, too_large(Limit::IndexKeys, INDEX_KEYS_MAX + 1));
}

pub(crate) fn rows_at_a_time_have_a_limit(place: &dyn Place) {
    let store = place.open(&all());
    let error = too_large(Limit::Rows, ROWS_MAX + 1);
    let scan = store.scan(
        &CARDS,
        &alice(),
        &KeyRange::all(),
        Direction::Forward,
        ROWS_MAX + 1,
    );
    assert_eq!(wait(scan), Err(error.clone()));
    assert_eq!(
        wait(store.page(&MESSAGES, &alice(), Page::forward(ROWS_MAX + 1))),
        Err(error.clone())
    );
    assert_eq!(
        wait(store.owners(&CARDS, None, ROWS_MAX + 1)),
        Err(error.clone())
    );
    let range = KeyRange::all();
    assert_eq!(
        refused(&store, |batch| batch.delete_range(
            &CARDS,
            &alice(),
            &range,
            ROWS_MAX + 1
        )),
        error
    );
    assert_eq!(
        refused(&store, |batch| batch.purge_expired(0, ROWS_MAX + 1)),
        error
    );
    let ids = LogId::MIN..=LogId::MAX;
    assert_eq!(
        refused(&store, |batch| batch.delete_entries(
            &MESSAGES,
            &alice(),
            ids,
            ROWS_MAX + 1
        )),
        error
    );
    let scan = store.scan(
        &CARDS,
        &alice(),
        &KeyRange::all(),
        Direction::Forward,
        ROWS_MAX,
    );
    assert_eq!(wait(scan), Ok(vec![]));
}

pub(crate) fn times_have_a_limit(place: &dyn Place) {
    let store = place.open(&all());
    let error = too_large(Limit::Micros, 1 << 63);
    assert_eq!(
        refused(&store, |batch| append(
            batch,
            &alice(),
            1 << 63,
            Marks::ARCHIVED
        )),
        error
    );
    let expires = 1 << 63;
    assert_eq!(
        refused(&store, |batch| batch.put_expiring(
            &SESSIONS,
            &alice(),
            "x",
            &card("x"),
            expires
        )),
        error
    );
}

pub(crate) fn a_read_of_a_blob_has_a_limit(place: &dyn Place) {
    let store = place.open(&all());
    let mut writer = wait(store.blob_writer()).unwrap();
    wait(writer.write("content".into())).unwrap();
    let blob = wait(writer.finish()).unwrap();
    let error = wait(blob.read(0, BLOB_READ_BYTES_MAX + 1)).unwrap_err();
    assert_eq!(
        error,
        too_large(Limit::BlobReadBytes, BLOB_READ_BYTES_MAX + 1)
    );
    assert_eq!(
        wait(blob.read(0, BLOB_READ_BYTES_MAX)).unwrap(),
        b"content"[..]
    );
}
