//! What only the double does: it holds commits, fails them, and loses power when it is told to.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use waxwing_store::{Batch, LogId, Memory, Store, StoreError};

use crate::model::writes::{Write, batch, commits};
use crate::model::{compare, start_clean};
use crate::place::wait;
use crate::shapes::{CARDS, Card, alice, all, card, committed};

fn put(text: &str) -> Batch {
    let mut batch = Batch::new();
    batch.put(&CARDS, &alice(), "a", &card(text));
    batch
}

fn get(store: &Store) -> Result<Option<Card>, StoreError> {
    wait(store.get(&CARDS, &alice(), "a"))
}

/// Submits, and notes each outcome with its number.
struct Outcomes(Arc<Mutex<Vec<(u32, bool)>>>);

impl Outcomes {
    fn new() -> Self {
        Self(Arc::default())
    }

    fn submit(&self, store: &Store, number: u32, batch: Batch) {
        let outcomes = Arc::clone(&self.0);
        store.submit(batch, move |outcome| {
            outcomes.lock().unwrap().push((number, outcome.is_ok()));
        });
    }

    fn take(&self) -> Vec<(u32, bool)> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[test]
fn a_commit_is_durable_inside_submit() {
    let store = Store::memory(&all()).unwrap();
    let outcomes = Outcomes::new();
    outcomes.submit(&store, 1, put("1"));
    assert_eq!(outcomes.take(), [(1, true)]);
}

#[test]
fn held_commits_are_seen_and_not_yet_durable() {
    let memory = Memory::new();
    let store = memory.open(&all()).unwrap();
    let outcomes = Outcomes::new();
    outcomes.submit(&store, 1, put("1"));
    memory.hold();
    outcomes.submit(&store, 2, put("2"));
    let mut refused = put("never");
    refused.require_absent(&CARDS, &alice(), "a");
    outcomes.submit(&store, 3, refused);
    outcomes.submit(&store, 4, put("4"));
    assert_eq!(outcomes.take(), [(1, true)]);
    assert_eq!((get(&store), memory.held()), (Ok(Some(card("4"))), 3));
    memory.release_first(1);
    assert_eq!(outcomes.take(), [(2, true)]);
    memory.release();
    assert_eq!(
        outcomes.take(),
        [(3, false), (4, true)],
        "a refusal keeps its place"
    );
    outcomes.submit(&store, 5, put("5"));
    assert_eq!(outcomes.take(), [(5, true)]);
}

#[test]
fn a_crash_loses_what_was_held_and_nothing_else() {
    let memory = Memory::new();
    let store = memory.open(&all()).unwrap();
    let outcomes = Outcomes::new();
    memory.hold();
    outcomes.submit(&store, 1, put("1"));
    outcomes.submit(&store, 2, put("2"));
    memory.release_first(1);
    let lost = store.commit(put("3"));
    memory.crash();
    assert_eq!(wait(lost), Err(StoreError::Closed));
    assert_eq!(
        outcomes.take(),
        [(1, true)],
        "nobody is called for what was lost"
    );
    assert_eq!(
        get(&store),
        Err(StoreError::Closed),
        "a handle from before is dead"
    );
    assert_eq!(wait(store.commit(put("4"))), Err(StoreError::Closed));
    let store = memory.open(&all()).unwrap();
    assert_eq!(get(&store), Ok(Some(card("1"))));
    outcomes.submit(&store, 5, put("5"));
    assert_eq!(
        outcomes.take(),
        [(5, true)],
        "after a crash nothing is held"
    );
}

#[test]
fn failing_commits_leave_no_trace() {
    let memory = Memory::new();
    let store = memory.open(&all()).unwrap();
    let outcomes = Outcomes::new();
    outcomes.submit(&store, 1, put("1"));
    memory.hold();
    outcomes.submit(&store, 2, put("2"));
    memory.fail(Some(StoreError::DiskFull));
    assert_eq!(outcomes.take(), [(1, true), (2, false)]);
    assert_eq!(get(&store), Ok(Some(card("1"))));
    memory.release();
    assert_eq!(wait(store.commit(put("3"))), Err(StoreError::DiskFull));
    memory.fail(None);
    assert_eq!(get(&store), Ok(Some(card("1"))));
    outcomes.submit(&store, 4, put("4"));
    assert_eq!(outcomes.take(), [(4, true)]);
}

#[test]
fn a_callback_can_submit() {
    let store = Store::memory(&all()).unwrap();
    let outcomes = Arc::new(Outcomes::new());
    let (again, seen) = (store.clone(), Arc::clone(&outcomes));
    store.submit(put("1"), move |_| {
        seen.submit(&again, 2, put("2"));
        seen.0.lock().unwrap().push((1, true));
    });
    assert_eq!(outcomes.take(), [(1, true), (2, true)], "one after another");
    assert_eq!(get(&store), Ok(Some(card("2"))));
}

#[test]
fn a_blob_that_nothing_refers_to_is_gone_after_a_crash() {
    let memory = Memory::new();
    let store = memory.open(&all()).unwrap();
    let write = |content: &'static str| {
        let mut writer = wait(store.blob_writer()).unwrap();
        wait(writer.write(content.into())).unwrap();
        wait(writer.finish()).unwrap()
    };
    let (kept, orphan) = (write("kept"), write("orphan"));
    committed(&store, |batch| batch.blob_ref(&alice(), &kept));
    memory.hold();
    store.submit(
        {
            let mut batch = Batch::new();
            batch.blob_ref(&alice(), &orphan);
            batch.blob_unref(&alice(), kept.hash());
            batch
        },
        drop,
    );
    let store = memory.open(&all()).unwrap();
    assert!(wait(store.blob(kept.hash())).unwrap().is_some());
    assert!(wait(store.blob(orphan.hash())).unwrap().is_none());
}

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<Write>),
    Release(usize),
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => commits().prop_map(Step::Commit),
        3 => (1..4_usize).prop_map(Step::Release),
        1 => Just(Step::Crash),
    ];
    proptest::collection::vec(step, 1..60)
}

#[test]
fn after_a_crash_it_is_as_it_was_when_it_was_last_durable() {
    let mut runner = TestRunner::new(Config {
        cases: 100,
        failure_persistence: None,
        ..Config::default()
    });
    let outcome = runner.run(&steps(), |steps| {
        let memory = Memory::new();
        let mut store = memory.open(&all()).unwrap();
        // The model after each commit that is not durable yet; the first is what is on disk.
        let mut models = vec![start_clean(&store)];
        memory.hold();
        for step in steps {
            match step {
                Step::Commit(writes) => {
                    let before = models.last().unwrap();
                    let mut next = before.clone();
                    if next.apply(&writes).is_err() {
                        next = before.clone();
                    }
                    store.submit(batch(&writes), |_| {});
                    models.push(next);
                }
                Step::Release(count) => {
                    memory.release_first(count);
                    models.drain(..count.min(models.len() - 1));
                }
                Step::Crash => {
                    store = memory.open(&all()).unwrap();
                    models.truncate(1);
                    memory.hold();
                }
            }
            assert_eq!(memory.held(), models.len() - 1);
            compare(&store, models.last().unwrap());
        }
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn last_ids_are_of_what_is_staged() {
    let memory = Memory::new();
    let store = memory.open(&all()).unwrap();
    memory.hold();
    let mut batch = Batch::new();
    crate::shapes::append(&mut batch, &alice(), 7, waxwing_store::Marks::ARCHIVED);
    store.submit(batch, drop);
    assert_eq!(wait(store.last_log_id()), Ok(LogId(7)));
    memory.crash();
    let store = memory.open(&all()).unwrap();
    assert_eq!(
        wait(store.last_log_id()),
        Ok(LogId(0)),
        "an id that was never durable was given to nobody"
    );
}
