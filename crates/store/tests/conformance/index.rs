//! Secondary keys.

use waxwing_store::{KeyRange, Owner, Store, StoreError};

use crate::place::{Place, wait};
use crate::shapes::{
    BY_COUNT, BY_NOTHING, BY_SESSION_TAG, BY_TAG, BY_TEXT, CARDS, COUNTERS, SESSIONS, TAGGED,
    alice, all, bob, card, commit, committed, tagged,
};

/// Owner and key of each row in a range of tags.
fn by_tag(store: &Store, range: &KeyRange<String>) -> Vec<(String, String)> {
    let found = wait(store.find(&TAGGED, &BY_TAG, range, 100)).unwrap();
    found
        .into_iter()
        .map(|found| (found.owner.name().to_owned(), found.key))
        .collect()
}

/// The key of the row that has a text.
fn by_text(store: &Store, text: &str) -> Option<(Owner, String)> {
    let mut found = wait(store.find(&TAGGED, &BY_TEXT, &KeyRange::exactly(text), 2)).unwrap();
    assert!(found.len() < 2);
    found.pop().map(|found| {
        assert_eq!(found.value.text, text);
        (found.owner, found.key)
    })
}

fn pairs(rows: &[(&str, &str)]) -> Vec<(String, String)> {
    rows.iter()
        .map(|(owner, key)| (format!("{owner}@example.org"), (*key).to_owned()))
        .collect()
}

pub(crate) fn rows_of_all_owners_are_found_in_order(place: &dyn Place) {
    let store = place.open(&all());
    committed(&store, |batch| {
        // The owners are met in another order than that of their names.
        batch.put(&TAGGED, &bob(), "1", &tagged("b1", &["red", "blue"]));
        batch.put(&TAGGED, &alice(), "2", &tagged("a2", &["red"]));
        batch.put(&TAGGED, &alice(), "1", &tagged("a1", &["red", "red"]));
        batch.put(&TAGGED, &alice(), "3", &card("a3"));
        batch.put(&CARDS, &alice(), "4", &tagged("a4", &["red"]));
    });
    let red = pairs(&[("alice", "1"), ("alice", "2"), ("bob", "1")]);
    assert_eq!(by_tag(&store, &KeyRange::exactly("red")), red);
    let everything = [&pairs(&[("bob", "1")])[..], &red].concat();
    assert_eq!(by_tag(&store, &KeyRange::all()), everything);
    assert_eq!(
        by_tag(&store, &KeyRange::starting_with("b")),
        pairs(&[("bob", "1")])
    );
    assert_eq!(by_tag(&store, &KeyRange::all().after("red")), []);
    assert_eq!(by_text(&store, "a2"), Some((alice(), "2".to_owned())));
    drop(store);
    let store = place.open(&all());
    assert_eq!(by_tag(&store, &KeyRange::exactly("red")), red);
}

pub(crate) fn an_index_follows_its_values(place: &dyn Place) {
    let store = place.open(&all());
    let put = |text, tags| {
        committed(&store, |batch| {
            batch.put(&TAGGED, &alice(), "1", &tagged(text, tags));
        })
    };
    put("one", &["a", "b"]);
    put("one", &["b", "c"]);
    assert_eq!(by_tag(&store, &KeyRange::exactly("a")), []);
    assert_eq!(
        by_tag(&store, &KeyRange::all()),
        pairs(&[("alice", "1"), ("alice", "1")])
    );
    put("two", &[]);
    assert_eq!(by_tag(&store, &KeyRange::all()), []);
    assert_eq!(
        (by_text(&store, "one"), by_text(&store, "two").is_some()),
        (None, true)
    );
    put("two", &["z"]);
    committed(&store, |batch| batch.delete(&TAGGED, &alice(), "1"));
    assert_eq!(by_tag(&store, &KeyRange::all()), []);
    put("three", &["z"]);
    committed(&store, |batch| {
        batch.delete_range(&TAGGED, &alice(), &KeyRange::all(), 10);
    });
    assert_eq!(by_tag(&store, &KeyRange::all()), []);
    assert_eq!(by_text(&store, "three"), None);
}

pub(crate) fn a_page_of_an_index_goes_on_after_a_row(place: &dyn Place) {
    let store = place.open(&all());
    committed(&store, |batch| {
        for key in ["1", "2", "3"] {
            batch.put(&TAGGED, &bob(), key, &tagged(&format!("b{key}"), &["m"]));
            batch.put(
                &TAGGED,
                &alice(),
                key,
                &tagged(&format!("a{key}"), &["k", "m"]),
            );
        }
    });
    for range in [KeyRange::all(), KeyRange::exactly("m")] {
        let whole = wait(store.find(&TAGGED, &BY_TAG, &range, 100)).unwrap();
        let mut parts = wait(store.find(&TAGGED, &BY_TAG, &range, 2)).unwrap();
        while let Some(last) = parts.last() {
            let more = wait(store.find_after(&TAGGED, &BY_TAG, &range, last, 2)).unwrap();
            if more.is_empty() {
                break;
            }
            parts.extend(more);
        }
        assert_eq!(parts, whole);
    }
    // A row that is gone meanwhile is still a place to go on from.
    let first = wait(store.find(&TAGGED, &BY_TAG, &KeyRange::exactly("m"), 4)).unwrap();
    committed(&store, |batch| batch.delete_owner(&bob()));
    committed(&store, |batch| {
        batch.put(&TAGGED, &bob(), "9", &tagged("b9", &["m"]));
    });
    let rest =
        wait(store.find_after(&TAGGED, &BY_TAG, &KeyRange::exactly("m"), &first[3], 9)).unwrap();
    assert_eq!(
        rest.iter()
            .map(|found| found.key.as_str())
            .collect::<Vec<_>>(),
        ["9"]
    );
}

pub(crate) fn a_unique_key_is_refused_to_another_row(place: &dyn Place) {
    let store = place.open(&all());
    let taken = Err(StoreError::Taken {
        shape: "tagged",
        index: "by-text",
    });
    committed(&store, |batch| {
        batch.put(&TAGGED, &alice(), "1", &card("x"));
    });
    committed(&store, |batch| {
        batch.put(&TAGGED, &alice(), "1", &tagged("x", &["same row"]));
    });
    assert_eq!(
        commit(&store, |batch| batch.put(
            &TAGGED,
            &alice(),
            "2",
            &card("x")
        )),
        taken
    );
    assert_eq!(
        commit(&store, |batch| batch.put(&TAGGED, &bob(), "1", &card("x"))),
        taken
    );
    let both = commit(&store, |batch| {
        batch.put(&TAGGED, &bob(), "1", &tagged("y", &["t"]));
        batch.put(&CARDS, &bob(), "1", &card("y"));
        batch.put(&TAGGED, &alice(), "1", &card("y"));
    });
    assert_eq!(both, taken);
    assert_eq!(
        wait(store.get(&CARDS, &bob(), "1")),
        Ok(None),
        "nothing of a refused batch stays"
    );
    assert_eq!(by_text(&store, "y"), None);
    assert_eq!(by_tag(&store, &KeyRange::exactly("t")), []);
    assert_eq!(by_text(&store, "x"), Some((alice(), "1".to_owned())));
    // The owner was met for the first time in the batch that was refused.
    committed(&store, |batch| batch.put(&TAGGED, &bob(), "1", &card("y")));
    assert_eq!(by_text(&store, "y"), Some((bob(), "1".to_owned())));
}

pub(crate) fn a_unique_key_moves_within_a_batch(place: &dyn Place) {
    let store = place.open(&all());
    committed(&store, |batch| {
        batch.put(&TAGGED, &alice(), "1", &card("x"));
    });
    committed(&store, |batch| {
        batch.delete(&TAGGED, &alice(), "1");
        batch.put(&TAGGED, &bob(), "2", &card("x"));
    });
    assert_eq!(by_text(&store, "x"), Some((bob(), "2".to_owned())));
    committed(&store, |batch| {
        batch.put(&TAGGED, &bob(), "2", &card(""));
        batch.put(&TAGGED, &alice(), "1", &card("x"));
    });
    assert_eq!(by_text(&store, "x"), Some((alice(), "1".to_owned())));
}

pub(crate) fn an_index_hides_expired_rows(place: &dyn Place) {
    let store = place.open(&all());
    committed(&store, |batch| {
        batch.put_expiring(&SESSIONS, &alice(), "a", &tagged("a", &["t"]), 10);
        batch.put_expiring(&SESSIONS, &bob(), "b", &tagged("b", &["t"]), 20);
    });
    let at = |now| {
        let found = wait(store.find(
            &SESSIONS.at(now),
            &BY_SESSION_TAG,
            &KeyRange::exactly("t"),
            9,
        ))
        .unwrap();
        found.into_iter().map(|found| found.key).collect::<Vec<_>>()
    };
    assert_eq!(at(9), ["a", "b"]);
    assert_eq!(at(10), ["b"]);
    committed(&store, |batch| batch.purge_expired(10, 9));
    assert_eq!(at(0), ["b"]);
}

pub(crate) fn a_counter_can_be_indexed(place: &dyn Place) {
    let store = place.open(&all());
    committed(&store, |batch| {
        batch.add(&COUNTERS, &alice(), "a", 3);
        batch.add(&COUNTERS, &bob(), "b", -3);
        batch.add(&COUNTERS, &alice(), "a", 3);
    });
    let found = wait(store.find(&COUNTERS, &BY_COUNT, &KeyRange::all(), 9)).unwrap();
    assert_eq!(
        found.iter().map(|found| found.value).collect::<Vec<_>>(),
        [-3, 6]
    );
}

pub(crate) fn a_foreign_index_is_refused(place: &dyn Place) {
    let store = place.open(&all());
    assert_eq!(
        wait(store.find(&TAGGED, &BY_NOTHING, &KeyRange::all(), 9)),
        Err(StoreError::UnknownIndex {
            shape: "tagged",
            index: "by-nothing"
        })
    );
}
