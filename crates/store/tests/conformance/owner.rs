//! Deleting an owner.

use waxwing_store::{Append, KeyRange, LogId, Marks, Page, Store};

use crate::place::{Place, wait};
use crate::shapes::{
    BOTH, BY_TAG, BY_TEXT, CARDS, COUNTERS, MESSAGES, PAIRS, SESSIONS, TAGGED, alice, all, append,
    bob, card, committed, tagged,
};

/// Something of everything, for both owners.
fn fill(store: &Store) {
    for owner in [alice(), bob()] {
        committed(store, |batch| {
            batch.put(&CARDS, &owner, "a", &card("a"));
            batch.put(&PAIRS, &owner, &("a", 1), &card("a"));
            batch.put_expiring(&SESSIONS, &owner, "a", &card("a"), 10);
            batch.add(&COUNTERS, &owner, "a", 7);
            batch.put(&TAGGED, &owner, "a", &tagged(owner.name(), &["tag"]));
            append(batch, &owner, 10, BOTH());
            let payload = card("unique");
            let entry = Append {
                id: LogId(20),
                marks: Marks::ARCHIVED,
                unique: Some(b"x"),
                address: Some("carol"),
                payload: &payload,
            };
            batch.append(&MESSAGES, &owner, entry);
        });
    }
}

/// How much of everything Alice has.
fn left(store: &Store) -> Vec<u64> {
    let owner = &alice();
    let marked = |marks| wait(store.count_entries(&MESSAGES, owner, marks)).unwrap();
    let found = |count: usize| count as u64;
    vec![
        wait(store.count(&CARDS, owner, &KeyRange::all())).unwrap(),
        wait(store.count(&PAIRS, owner, &KeyRange::all())).unwrap(),
        wait(store.count(&SESSIONS.at(0), owner, &KeyRange::all())).unwrap(),
        wait(store.count(&COUNTERS, owner, &KeyRange::all())).unwrap(),
        wait(store.count(&TAGGED, owner, &KeyRange::all())).unwrap(),
        marked(Marks::NONE),
        marked(Marks::UNDELIVERED),
        found(
            wait(store.page(&MESSAGES, owner, Page::forward(9).with_address("carol")))
                .unwrap()
                .entries
                .len(),
        ),
        u64::from(wait(store.id_of(&MESSAGES, owner, b"x")).unwrap().is_some()),
        found(
            wait(store.find(&TAGGED, &BY_TEXT, &KeyRange::exactly(owner.name()), 9))
                .unwrap()
                .len(),
        ),
    ]
}

pub(crate) fn a_deleted_owner_is_gone_from_all_shapes(place: &dyn Place) {
    let store = place.open(&all());
    fill(&store);
    assert_eq!(left(&store), [1, 1, 1, 1, 1, 2, 1, 1, 1, 1]);
    committed(&store, |batch| batch.delete_owner(&alice()));
    assert_eq!(left(&store), [0; 10]);
    assert_eq!(wait(store.owners(&CARDS, None, 9)), Ok(vec![bob()]));
    assert_eq!(wait(store.log_owners(&MESSAGES, None, 9)), Ok(vec![bob()]));
    assert_eq!(
        wait(store.find(&TAGGED, &BY_TAG, &KeyRange::exactly("tag"), 9))
            .unwrap()
            .len(),
        1
    );
    // Bob's has expired too, and is the only one that is left to purge.
    assert_eq!(
        committed(&store, |batch| batch.purge_expired(10, 9)).changed,
        [1]
    );
    committed(&store, |batch| batch.delete_owner(&alice()));
    drop(store);
    let store = place.open(&all());
    assert_eq!(left(&store), [0; 10]);
    assert_eq!(
        wait(store.count_entries(&MESSAGES, &bob(), Marks::NONE)),
        Ok(2)
    );
}

pub(crate) fn a_deleted_owner_can_come_back(place: &dyn Place) {
    let store = place.open(&all());
    fill(&store);
    committed(&store, |batch| {
        batch.delete_owner(&alice());
        batch.put(&CARDS, &alice(), "new", &card("new"));
        append(batch, &alice(), 10, Marks::ARCHIVED);
    });
    assert_eq!(left(&store), [1, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
    assert_eq!(wait(store.get(&CARDS, &alice(), "a")), Ok(None));
    committed(&store, |batch| {
        batch.put(&CARDS, &alice(), "a", &card("a"));
        batch.delete_owner(&alice());
    });
    assert_eq!(left(&store), [0; 10]);
    drop(store);
    let store = place.open(&all());
    assert_eq!(left(&store), [0; 10]);
    committed(&store, |batch| batch.put(&CARDS, &alice(), "a", &card("a")));
    assert_eq!(left(&store)[0], 1);
}

pub(crate) fn a_deleted_owner_frees_its_unique_keys(place: &dyn Place) {
    let store = place.open(&all());
    fill(&store);
    committed(&store, |batch| {
        batch.delete_owner(&alice());
        batch.put(&TAGGED, &bob(), "b", &card(alice().name()));
    });
    committed(&store, |batch| batch.delete(&TAGGED, &bob(), "b"));
    committed(&store, |batch| {
        batch.put(&TAGGED, &alice(), "a", &tagged(alice().name(), &["tag"]));
    });
    let found = wait(store.find(&TAGGED, &BY_TEXT, &KeyRange::exactly(alice().name()), 9)).unwrap();
    assert_eq!(
        found
            .iter()
            .map(|found| found.owner.clone())
            .collect::<Vec<_>>(),
        [alice()]
    );
    assert_eq!(
        wait(store.find(&TAGGED, &BY_TAG, &KeyRange::exactly("tag"), 9))
            .unwrap()
            .len(),
        2
    );
}

pub(crate) fn a_large_owner_goes_without_a_trace(place: &dyn Place) {
    let store = place.open(&all());
    for part in 0..5_u64 {
        committed(&store, |batch| {
            for id in 0..500 {
                append(batch, &alice(), part * 500 + id, BOTH());
                batch.put(
                    &TAGGED,
                    &alice(),
                    &format!("{part}-{id}"),
                    &tagged(&format!("{part}-{id}"), &["tag"]),
                );
            }
        });
    }
    committed(&store, |batch| batch.delete_owner(&alice()));
    assert_eq!(left(&store), [0; 10]);
    committed(&store, |batch| {
        batch.put(&TAGGED, &alice(), "0-0", &tagged("0-0", &["tag"]));
    });
    // However far it has come with the rest.
    drop(store);
    for _ in 0..3 {
        drop(place.open(&all()));
    }
    let store = place.open(&all());
    assert_eq!(
        wait(store.find(&TAGGED, &BY_TAG, &KeyRange::all(), 9))
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        wait(store.count_entries(&MESSAGES, &alice(), Marks::NONE)),
        Ok(0)
    );
    assert_eq!(wait(store.last_log_id()), Ok(LogId(2_499)));
}
