//! Random writes against a model that is too simple to be wrong.

pub(crate) mod expected;
pub(crate) mod writes;

use proptest::test_runner::{Config, TestRunner};
use waxwing_store::{Batch, Direction, KeyRange, LogId, Page, Store};

use self::expected::Model;
use self::writes::{Step, address, batch, marks, owner, steps};
use crate::place::{Place, wait};
use crate::shapes::{BY_TAG, BY_TEXT, COUNTERS, EXPIRING_COUNTERS, MESSAGES, TAGGED, all};

/// Everything that the store shows, against the model.
pub(crate) fn compare(store: &Store, model: &Model) {
    for number in 0..3 {
        let of = &owner(number);
        let cards =
            wait(store.scan(&TAGGED, of, &KeyRange::all(), Direction::Forward, 99)).unwrap();
        let expected = model.cards.iter().filter(|(at, _)| at.0 == number);
        let expected: Vec<_> = expected
            .map(|(at, card)| (at.1.to_string(), card.clone()))
            .collect();
        assert_eq!(cards, expected);
        let counters =
            wait(store.scan(&COUNTERS, of, &KeyRange::all(), Direction::Backward, 99)).unwrap();
        let expected = model.counters.iter().rev().filter(|(at, _)| at.0 == number);
        let expected: Vec<_> = expected
            .map(|(at, count)| (at.1.to_string(), *count))
            .collect();
        assert_eq!(counters, expected);
        let table = EXPIRING_COUNTERS.at(0);
        let expiring =
            wait(store.scan(&table, of, &KeyRange::all(), Direction::Forward, 99)).unwrap();
        let expected = model.expiring.iter().filter(|(at, _)| at.0 == number);
        let expected: Vec<_> = expected
            .map(|(at, value)| (at.1.to_string(), *value))
            .collect();
        assert_eq!(expiring, expected);
        compare_log(store, model, number);
        for unique in 0..4 {
            let found = wait(store.id_of(&MESSAGES, of, &[unique]))
                .unwrap()
                .map(|id| id.0);
            let expected = model
                .entries
                .iter()
                .find(|(at, entry)| at.0 == number && entry.unique == Some(unique));
            assert_eq!(found, expected.map(|(at, _)| at.1));
        }
    }
    let found = wait(store.find(&TAGGED, &BY_TAG, &KeyRange::all(), 999)).unwrap();
    let found: Vec<_> = found
        .into_iter()
        .map(|found| (found.owner.name().to_owned(), found.key, found.value))
        .collect();
    let rows = model
        .cards
        .iter()
        .flat_map(|(at, card)| card.tags.iter().map(move |tag| (tag, at, card)));
    let mut expected: Vec<_> = rows.collect();
    expected.sort_by_key(|(tag, at, _)| (*tag, *at));
    let expected: Vec<_> = expected
        .into_iter()
        .map(|(_, at, card)| (format!("user-{}", at.0), at.1.to_string(), card.clone()))
        .collect();
    assert_eq!(found, expected);
    let texts = wait(store.find(&TAGGED, &BY_TEXT, &KeyRange::all(), 999)).unwrap();
    assert_eq!(
        texts.len(),
        model
            .cards
            .values()
            .filter(|card| !card.text.is_empty())
            .count()
    );
    assert_eq!(wait(store.last_log_id()), Ok(LogId(model.last)));
}

fn compare_log(store: &Store, model: &Model, number: u8) {
    for bits in 0..4 {
        for peer in 0..3 {
            let mut wanted = Page::forward(99).with_marks(marks(bits));
            if let Some(address) = address(peer) {
                wanted = wanted.with_address(address);
            }
            let page = wait(store.page(&MESSAGES, &owner(number), wanted)).unwrap();
            let found: Vec<_> = page
                .entries
                .into_iter()
                .map(|entry| (entry.id.0, entry.marks, entry.payload.text))
                .collect();
            let expected = model.entries.iter().filter(|(at, entry)| {
                at.0 == number
                    && entry.marks & bits == bits
                    && (peer == 0 || entry.address == address(peer))
            });
            let expected: Vec<_> = expected
                .map(|(at, entry)| (at.1, marks(entry.marks), entry.text.clone()))
                .collect();
            assert_eq!(found, expected);
        }
    }
}

/// Removes what a case before has left. What ids it gave out is remembered.
pub(crate) fn start_clean(store: &Store) -> Model {
    let mut clean = Batch::new();
    (0..3).for_each(|number| clean.delete_owner(&owner(number)));
    wait(store.commit(clean)).unwrap();
    Model {
        last: wait(store.last_log_id()).unwrap().0,
        ..Model::default()
    }
}

pub(crate) fn random_writes_do_what_the_model_does(place: &dyn Place) {
    let mut runner = TestRunner::new(Config {
        cases: 60,
        failure_persistence: None,
        ..Config::default()
    });
    let outcome = runner.run(&steps(), |steps| {
        let mut store = place.open(&all());
        let mut model = start_clean(&store);
        let mut later = Vec::new();
        for step in steps {
            match step {
                Step::Commit(writes) => {
                    let mut next = model.clone();
                    let expected = next.apply(&writes);
                    if expected.is_ok() {
                        model = next;
                    }
                    assert_eq!(wait(store.commit(batch(&writes))), expected, "{writes:?}");
                }
                Step::Later(writes) => {
                    let mut next = model.clone();
                    let expected = next.apply(&writes);
                    if expected.is_ok() {
                        model = next;
                    }
                    let mut batch = batch(&writes);
                    batch.unhurried();
                    later.push((store.commit(batch), expected, writes));
                    continue;
                }
                Step::Restart => {
                    drop(store);
                    store = place.open(&all());
                }
            }
            for (outcome, expected, writes) in later.drain(..) {
                assert_eq!(wait(outcome), expected, "{writes:?}");
            }
            compare(&store, &model);
        }
        Ok(())
    });
    outcome.unwrap();
}
