//! Values by key.
//!
//! Length: everything that a table promises, one test each.

use waxwing_store::{Batch, Direction, KeyRange, Marks, Owner, Store, StoreError};

use crate::place::{Place, wait};
use crate::shapes::{
    BY_TAG, CARDS, COUNTERS, Card, EXPIRING_COUNTERS, PAIRS, SESSIONS, TAGGED, alice, all, append,
    bob, card, commit, committed, tagged,
};

fn get(store: &Store, key: &str) -> Option<Card> {
    wait(store.get(&CARDS, &alice(), key)).unwrap()
}

/// The texts of a scan.
fn scan(
    store: &Store,
    range: &KeyRange<String>,
    direction: Direction,
    limit: usize,
) -> Vec<String> {
    let rows = wait(store.scan(&CARDS, &alice(), range, direction, limit)).unwrap();
    rows.into_iter()
        .map(|(key, card)| {
            assert_eq!(key, card.text);
            key
        })
        .collect()
}

/// Cards whose texts are their keys.
fn put_all(store: &Store, keys: &[&str]) {
    committed(store, |batch| {
        keys.iter()
            .for_each(|key| batch.put(&CARDS, &alice(), *key, &card(key)));
    });
}

pub(crate) fn a_value_is_what_was_put_last(place: &dyn Place) {
    let store = place.open(&all());
    assert_eq!(get(&store, "a"), None);
    put_all(&store, &["a"]);
    assert_eq!(get(&store, "a"), Some(card("a")));
    committed(&store, |batch| {
        batch.put(&CARDS, &alice(), "a", &card("again"));
    });
    assert_eq!(get(&store, "a"), Some(card("again")));
    committed(&store, |batch| {
        batch.put(&CARDS, &alice(), "a", &Card::default());
    });
    assert_eq!(
        get(&store, "a"),
        Some(Card::default()),
        "an empty value is a value"
    );
    committed(&store, |batch| batch.delete(&CARDS, &alice(), "a"));
    assert_eq!(get(&store, "a"), None);
    committed(&store, |batch| batch.delete(&CARDS, &alice(), "a"));
    assert_eq!(get(&store, "a"), None);
}

pub(crate) fn values_stay_over_a_restart(place: &dyn Place) {
    let store = place.open(&all());
    put_all(&store, &["a", "b"]);
    drop(store);
    let store = place.open(&all());
    assert_eq!(get(&store, "b"), Some(card("b")));
    committed(&store, |batch| batch.delete(&CARDS, &alice(), "b"));
    drop(store);
    let store = place.open(&all());
    assert_eq!(
        (get(&store, "a"), get(&store, "b")),
        (Some(card("a")), None)
    );
}

pub(crate) fn owners_do_not_see_each_other(place: &dyn Place) {
    let store = place.open(&all());
    let room = Owner::room("alice@example.org");
    committed(&store, |batch| {
        batch.put(&CARDS, &alice(), "a", &card("alice"));
        batch.put(&CARDS, &bob(), "a", &card("bob"));
        batch.put(&CARDS, &room, "a", &card("room"));
    });
    committed(&store, |batch| batch.delete(&CARDS, &bob(), "a"));
    assert_eq!(
        wait(store.get(&CARDS, &alice(), "a")),
        Ok(Some(card("alice")))
    );
    assert_eq!(wait(store.get(&CARDS, &bob(), "a")), Ok(None));
    assert_eq!(wait(store.get(&CARDS, &room, "a")), Ok(Some(card("room"))));
    assert_eq!(wait(store.get(&CARDS, &Owner::server(), "a")), Ok(None));
}

pub(crate) fn a_scan_goes_by_key_in_both_directions(place: &dyn Place) {
    let store = place.open(&all());
    put_all(
        &store,
        &["b", "", "aa", "a", "a\0", "ä", "a\0b", "\u{10ffff}"],
    );
    let sorted = ["", "a", "a\0", "a\0b", "aa", "b", "ä", "\u{10ffff}"];
    assert_eq!(
        scan(&store, &KeyRange::all(), Direction::Forward, 100),
        sorted
    );
    let backward: Vec<_> = sorted.iter().rev().copied().collect();
    assert_eq!(
        scan(&store, &KeyRange::all(), Direction::Backward, 100),
        backward
    );
    assert_eq!(
        scan(&store, &KeyRange::all(), Direction::Forward, 3),
        sorted[..3]
    );
    assert_eq!(
        scan(&store, &KeyRange::all(), Direction::Backward, 3),
        backward[..3]
    );
    assert_eq!(wait(store.count(&CARDS, &alice(), &KeyRange::all())), Ok(8));
    assert_eq!(wait(store.count(&CARDS, &bob(), &KeyRange::all())), Ok(0));
}

pub(crate) fn a_scan_goes_by_prefix(place: &dyn Place) {
    let store = place.open(&all());
    put_all(&store, &["a", "ab", "abc", "ac", "b", "ab\u{10ffff}"]);
    assert_eq!(
        scan(
            &store,
            &KeyRange::starting_with("ab"),
            Direction::Forward,
            100
        ),
        ["ab", "abc", "ab\u{10ffff}"]
    );
    let exactly = KeyRange::exactly("ab");
    assert_eq!(scan(&store, &exactly, Direction::Forward, 100), ["ab"]);
    assert_eq!(
        wait(store.count(&CARDS, &alice(), &KeyRange::starting_with("a"))),
        Ok(5)
    );

    let pairs = [("a", 1), ("a", 2), ("a", u64::MAX), ("ab", 0), ("b", 7)];
    committed(&store, |batch| {
        for (text, number) in pairs {
            batch.put(&PAIRS, &alice(), &(text, number), &card(text));
        }
    });
    let of = |range: &KeyRange<(String, u64)>| {
        let rows = wait(store.scan(&PAIRS, &alice(), range, Direction::Forward, 100)).unwrap();
        rows.into_iter()
            .map(|((_, number), _)| number)
            .collect::<Vec<_>>()
    };
    assert_eq!(of(&KeyRange::prefix(&("a",))), [1, 2, u64::MAX]);
    assert_eq!(of(&KeyRange::prefix(&("ab",))), [0]);
    assert_eq!(
        of(&KeyRange::prefix(&("a",))
            .from(&("a", 2))
            .before(&("a", u64::MAX))),
        [2]
    );
}

pub(crate) fn a_scan_goes_on_after_a_key(place: &dyn Place) {
    let store = place.open(&all());
    put_all(&store, &["a", "b", "c", "d"]);
    let range = KeyRange::all().after("b");
    assert_eq!(scan(&store, &range, Direction::Forward, 1), ["c"]);
    assert_eq!(
        scan(&store, &range.clone().after("a"), Direction::Forward, 9),
        ["c", "d"],
        "never wider"
    );
    assert_eq!(
        scan(&store, &KeyRange::all().before("c"), Direction::Backward, 9),
        ["b", "a"]
    );
    assert_eq!(
        scan(
            &store,
            &KeyRange::all().before("c").before("d"),
            Direction::Backward,
            9
        ),
        ["b", "a"]
    );
    assert_eq!(
        scan(
            &store,
            &KeyRange::all().from("b").before("d"),
            Direction::Forward,
            9
        ),
        ["b", "c"]
    );
}

pub(crate) fn an_empty_range_is_empty(place: &dyn Place) {
    let store = place.open(&all());
    put_all(&store, &["a", "b", "c"]);
    for range in [
        KeyRange::all().from("c").before("a"),
        KeyRange::all().from("b").before("b"),
    ] {
        assert_eq!(scan(&store, &range, Direction::Forward, 9), [""; 0]);
        assert_eq!(scan(&store, &range, Direction::Backward, 9), [""; 0]);
        assert_eq!(wait(store.count(&CARDS, &alice(), &range)), Ok(0));
        let outcome = committed(&store, |batch| {
            batch.delete_range(&CARDS, &alice(), &range, 9);
        });
        assert_eq!(outcome.changed, [0]);
    }
    assert_eq!(
        scan(&store, &KeyRange::all(), Direction::Forward, 0),
        [""; 0]
    );
}

pub(crate) fn expired_values_are_not_there(place: &dyn Place) {
    let store = place.open(&all());
    committed(&store, |batch| {
        batch.put_expiring(&SESSIONS, &alice(), "short", &card("short"), 10);
        batch.put_expiring(&SESSIONS, &alice(), "long", &card("long"), 20);
        batch.put(&SESSIONS.at(0), &alice(), "ever", &card("ever"));
    });
    let at = |now| {
        let table = SESSIONS.at(now);
        let rows =
            wait(store.scan(&table, &alice(), &KeyRange::all(), Direction::Forward, 9)).unwrap();
        let keys: Vec<_> = rows.into_iter().map(|(key, _)| key).collect();
        for key in ["short", "long", "ever"] {
            let there = wait(store.get(&table, &alice(), key)).unwrap().is_some();
            assert_eq!(there, keys.contains(&key.to_owned()), "{key} at {now}");
        }
        assert_eq!(
            wait(store.count(&table, &alice(), &KeyRange::all())),
            Ok(keys.len() as u64)
        );
        keys
    };
    assert_eq!(at(9), ["ever", "long", "short"]);
    assert_eq!(at(10), ["ever", "long"]);
    assert_eq!(at(20), ["ever"]);
    committed(&store, |batch| {
        batch.put_expiring(&SESSIONS, &alice(), "short", &card("short"), 30);
    });
    assert_eq!(at(20), ["ever", "short"]);
    committed(&store, |batch| {
        batch.put(&SESSIONS.at(0), &alice(), "short", &card("short"));
    });
    assert_eq!(
        at(u64::MAX),
        ["ever", "short"],
        "put without a time, it does not expire"
    );
}

pub(crate) fn expired_values_are_purged_in_steps(place: &dyn Place) {
    let store = place.open(&all());
    committed(&store, |batch| {
        for at in 0..10_u64 {
            batch.put_expiring(&SESSIONS, &alice(), &at.to_string(), &card("x"), at);
        }
        batch.put(&SESSIONS.at(0), &bob(), "ever", &card("x"));
    });
    let purge = |now, limit| committed(&store, |batch| batch.purge_expired(now, limit)).changed[0];
    assert_eq!(purge(6, 4), 4);
    // What expired first went first. At time 0 nothing hides what is still stored.
    let left = wait(store.scan(
        &SESSIONS.at(0),
        &alice(),
        &KeyRange::all(),
        Direction::Forward,
        99,
    ))
    .unwrap();
    assert_eq!(left.len(), 6);
    assert_eq!(left[0].0, "4");
    assert_eq!(purge(6, 4), 3);
    assert_eq!(purge(6, 4), 0);
    assert_eq!(purge(1_000, 100), 3);
    assert_eq!(
        wait(store.get(&SESSIONS.at(0), &bob(), "ever")),
        Ok(Some(card("x")))
    );
}

pub(crate) fn counters_add_and_stop_at_their_bounds(place: &dyn Place) {
    let store = place.open(&all());
    let add = |deltas: &[i64]| {
        committed(&store, |batch| {
            deltas
                .iter()
                .for_each(|delta| batch.add(&COUNTERS, &alice(), "n", *delta));
        })
        .sums
    };
    assert_eq!(wait(store.get(&COUNTERS, &alice(), "n")), Ok(None));
    assert_eq!(add(&[5, -7, 3]), [5, -2, 1]);
    assert_eq!(wait(store.get(&COUNTERS, &alice(), "n")), Ok(Some(1)));
    assert_eq!(add(&[-1]), [0]);
    assert_eq!(wait(store.get(&COUNTERS, &alice(), "n")), Ok(Some(0)));
    assert_eq!(
        add(&[i64::MAX, 1, i64::MIN, i64::MIN]),
        [i64::MAX, i64::MAX, -1, i64::MIN]
    );
    committed(&store, |batch| batch.put(&COUNTERS, &alice(), "n", &41));
    assert_eq!(add(&[1]), [42]);
}

pub(crate) fn a_counter_keeps_the_time_at_which_it_expires(place: &dyn Place) {
    let store = place.open(&all());
    let add = |now| {
        committed(&store, |batch| {
            batch.add(&EXPIRING_COUNTERS.at(now), &alice(), "n", 1);
        })
        .sums[0]
    };
    committed(&store, |batch| {
        batch.put_expiring(&EXPIRING_COUNTERS, &alice(), "n", &10, 50);
    });
    assert_eq!(add(49), 11);
    assert_eq!(
        wait(store.get(&EXPIRING_COUNTERS.at(50), &alice(), "n")),
        Ok(None)
    );
    assert_eq!(add(50), 1, "what has expired counts for nothing");
    assert_eq!(
        wait(store.get(&EXPIRING_COUNTERS.at(1_000), &alice(), "n")),
        Ok(Some(1))
    );
}

/// Whatever stands between two puts of one row, and wherever batches and commits end.
pub(crate) fn what_expires_and_is_put_again_is_what_was_put_last(place: &dyn Place) {
    let store = place.open(&all());
    let get = |key: &str, now| wait(store.get(&EXPIRING_COUNTERS.at(now), &alice(), key)).unwrap();
    let put = |batch: &mut Batch, key: &str, value: i64, until| {
        batch.put_expiring(&EXPIRING_COUNTERS, &alice(), key, &value, until);
    };
    let put_alone = |key: &str, value, until| {
        let mut batch = Batch::new();
        // So that it is in the commit of what follows.
        batch.unhurried();
        put(&mut batch, key, value, until);
        store.submit(batch, |_| {});
    };
    committed(&store, |batch| {
        put(batch, "a", 1, 10);
        put(batch, "a", 2, 10);
        put(batch, "b", 1, 10);
        put(batch, "a", 3, 20);
    });
    assert_eq!((get("a", 15), get("b", 5)), (Some(3), Some(1)));
    // A question, a condition, a sum and a refusal, each in the commit of the put before it.
    for (value, until) in [(4, 20), (5, 20), (6, 20)] {
        put_alone("a", value, until);
    }
    assert_eq!(get("a", 15), Some(6));
    put_alone("c", 1, 20);
    committed(&store, |batch| {
        batch.require_present(&EXPIRING_COUNTERS.at(1), &alice(), "c");
        put(batch, "c", 2, 20);
    });
    put_alone("c", 3, 20);
    let sum = committed(&store, |batch| {
        batch.add(&EXPIRING_COUNTERS.at(1), &alice(), "c", 4);
    });
    assert_eq!(sum.sums, [7]);
    committed(&store, |batch| append(batch, &alice(), 10, Marks::ARCHIVED));
    put_alone("c", 8, 20);
    let mut refused = Batch::new();
    put(&mut refused, "c", 9, 20);
    // An id that was given out is refused, and with it all of its batch.
    append(&mut refused, &alice(), 10, Marks::ARCHIVED);
    assert!(wait(store.commit(refused)).is_err());
    assert_eq!(get("c", 5), Some(8));
    committed(&store, |batch| {
        put(batch, "a", 7, 20);
        batch.put(&EXPIRING_COUNTERS.at(0), &alice(), "a", &8);
        put(batch, "b", 2, 30);
        batch.delete(&EXPIRING_COUNTERS.at(0), &alice(), "b");
    });
    assert_eq!((get("a", 1_000), get("b", 5)), (Some(8), None));
    committed(&store, |batch| {
        put(batch, "a", 9, 40);
        batch.delete_owner(&alice());
        put(batch, "a", 10, 50);
    });
    assert_eq!((get("a", 45), get("c", 5)), (Some(10), None));
    drop(store);
    let store = place.open(&all());
    let get = |now| wait(store.get(&EXPIRING_COUNTERS.at(now), &alice(), "a"));
    assert_eq!((get(45), get(50)), (Ok(Some(10)), Ok(None)));
}

pub(crate) fn a_range_is_removed_in_steps(place: &dyn Place) {
    let store = place.open(&all());
    put_all(&store, &["a", "b1", "b2", "b3", "c"]);
    committed(&store, |batch| batch.put(&CARDS, &bob(), "b2", &card("b2")));
    let remove = |limit| {
        let range = KeyRange::starting_with("b");
        committed(&store, |batch| {
            batch.delete_range(&CARDS, &alice(), &range, limit);
        })
        .changed
    };
    assert_eq!(remove(2), [2]);
    assert_eq!(
        scan(&store, &KeyRange::all(), Direction::Forward, 9),
        ["a", "b3", "c"]
    );
    assert_eq!(remove(2), [1]);
    assert_eq!(remove(2), [0]);
    assert_eq!(
        scan(&store, &KeyRange::all(), Direction::Forward, 9),
        ["a", "c"]
    );
    assert_eq!(wait(store.get(&CARDS, &bob(), "b2")), Ok(Some(card("b2"))));
}

pub(crate) fn owners_are_listed_in_order(place: &dyn Place) {
    let store = place.open(&all());
    let names = ["zoe", "alice", "bob", "al"];
    let mut batch = Batch::new();
    for name in names {
        batch.put(&CARDS, &Owner::account(name), "x", &card("x"));
        batch.put(&CARDS, &Owner::account(name), "y", &card("y"));
    }
    batch.put(&CARDS, &Owner::room("a"), "x", &card("x"));
    batch.put(&PAIRS, &Owner::account("other"), &("x", 1), &card("x"));
    wait(store.commit(batch)).unwrap();
    let sorted: Vec<_> = ["al", "alice", "bob", "zoe"]
        .map(Owner::account)
        .into_iter()
        .chain([Owner::room("a")])
        .collect();
    assert_eq!(wait(store.owners(&CARDS, None, 9)), Ok(sorted.clone()));
    assert_eq!(
        wait(store.owners(&CARDS, None, 2)),
        Ok(sorted[..2].to_vec())
    );
    assert_eq!(
        wait(store.owners(&CARDS, Some(&sorted[1]), 2)),
        Ok(sorted[2..4].to_vec())
    );
    assert_eq!(
        wait(store.owners(&CARDS, Some(&Owner::account("b")), 9)),
        Ok(sorted[2..].to_vec())
    );
    committed(&store, |batch| {
        batch.delete(&CARDS, &Owner::account("bob"), "x");
        batch.delete(&CARDS, &Owner::account("bob"), "y");
    });
    assert_eq!(wait(store.owners(&CARDS, None, 9)).unwrap().len(), 4);
}

/// A database may not be able to index them as they are; nobody notices.
pub(crate) fn long_keys_sort_as_short_ones_do(place: &dyn Place) {
    let store = place.open(&all());
    let head = "x".repeat(1_000);
    let keys: Vec<String> = ["9", "5", "", "7", "1", "3"]
        .iter()
        .map(|tail| format!("{head}{tail}"))
        .chain(["a".to_owned(), "x".to_owned(), "y".to_owned()])
        .collect();
    committed(&store, |batch| {
        for key in &keys {
            batch.put(&TAGGED, &alice(), key, &tagged(key, &[key, "all"]));
        }
    });
    let mut sorted = keys.clone();
    sorted.sort();
    let scan = |range: KeyRange<String>, direction, limit| -> Vec<String> {
        let rows = wait(store.scan(&TAGGED, &alice(), &range, direction, limit)).unwrap();
        rows.into_iter().map(|(key, _)| key).collect()
    };
    assert_eq!(scan(KeyRange::all(), Direction::Forward, 99), sorted);
    assert_eq!(scan(KeyRange::all(), Direction::Forward, 4), sorted[..4]);
    let after = KeyRange::all().after(&sorted[3]);
    assert_eq!(scan(after.clone(), Direction::Forward, 99), sorted[4..]);
    assert_eq!(
        wait(store.count(&TAGGED, &alice(), &after)),
        Ok(sorted.len() as u64 - 4)
    );
    let before = KeyRange::all().before(&sorted[6]);
    let backward: Vec<String> = sorted[..6].iter().rev().take(3).cloned().collect();
    assert_eq!(scan(before, Direction::Backward, 3), backward);
    let found = |range: &KeyRange<String>| -> Vec<String> {
        let mut all = wait(store.find(&TAGGED, &BY_TAG, range, 2)).unwrap();
        while let Some(last) = all.last() {
            let next = wait(store.find_after(&TAGGED, &BY_TAG, range, last, 2)).unwrap();
            if next.is_empty() {
                break;
            }
            all.extend(next);
        }
        all.into_iter().map(|found| found.key).collect()
    };
    assert_eq!(found(&KeyRange::exactly("all")), sorted);
    assert_eq!(
        found(&KeyRange::starting_with("x")),
        sorted[1..sorted.len() - 1]
    );
    let taken = commit(&store, |batch| {
        batch.put(&TAGGED, &alice(), "other", &tagged(&keys[0], &[]));
    });
    assert!(matches!(taken, Err(StoreError::Taken { .. })), "{taken:?}");
    let outcome = committed(&store, |batch| {
        batch.delete(&TAGGED, &alice(), &keys[4]);
        batch.delete_range(&TAGGED, &alice(), &KeyRange::all().after(&sorted[1]), 2);
    });
    assert_eq!(outcome.changed, [2]);
    // The fourth in order, and the two that followed what is left of the first.
    let left: Vec<String> = [&sorted[..2], &sorted[5..]].concat();
    assert_eq!(scan(KeyRange::all(), Direction::Forward, 99), left);
    assert_eq!(found(&KeyRange::exactly("all")), left);
    assert_eq!(wait(store.get(&TAGGED, &alice(), &keys[4])), Ok(None));
}
