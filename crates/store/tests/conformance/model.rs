//! Random writes against a model that is too simple to be wrong.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use waxwing_store::{
    Append, Appended, Batch, Committed, Direction, KeyRange, LogId, Marks, Owner, Page, Store,
    StoreError,
};

use crate::place::{Place, wait};
use crate::shapes::{BY_TAG, BY_TEXT, COUNTERS, Card, MESSAGES, TAGGED, all};

/// One write, by small numbers, so that they meet.
#[derive(Clone, Debug)]
enum Write {
    Put {
        owner: u8,
        key: u8,
        text: u8,
        tags: BTreeSet<u8>,
    },
    Delete {
        owner: u8,
        key: u8,
    },
    DeleteRange {
        owner: u8,
        from: u8,
        before: u8,
        limit: usize,
    },
    Add {
        owner: u8,
        key: u8,
        delta: i64,
    },
    Append {
        owner: u8,
        id: u64,
        marks: u8,
        unique: Option<u8>,
        address: u8,
    },
    Clear {
        owner: u8,
        first: u64,
        last: u64,
        marks: u8,
        limit: usize,
    },
    Replace {
        owner: u8,
        id: u64,
    },
    DeleteEntries {
        owner: u8,
        first: u64,
        last: u64,
        limit: usize,
    },
    DeleteOwner {
        owner: u8,
    },
    RequireAbsent {
        owner: u8,
        key: u8,
    },
}

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<Write>),
    Restart,
}

fn write() -> impl Strategy<Value = Write> {
    let (owner, key, id) = (0..3_u8, 0..6_u8, 0..20_u64);
    let tags = proptest::collection::btree_set(0..4_u8, 0..3);
    prop_oneof![
        6 => (owner.clone(), key.clone(), 0..8_u8, tags)
            .prop_map(|(owner, key, text, tags)| Write::Put { owner, key, text, tags }),
        2 => (owner.clone(), key.clone()).prop_map(|(owner, key)| Write::Delete { owner, key }),
        1 => (owner.clone(), key.clone(), key.clone(), 0..4_usize)
            .prop_map(|(owner, from, before, limit)| Write::DeleteRange { owner, from, before, limit }),
        2 => (owner.clone(), key.clone(), -5..5_i64)
            .prop_map(|(owner, key, delta)| Write::Add { owner, key, delta }),
        6 => (owner.clone(), id.clone(), 0..4_u8, proptest::option::of(0..4_u8), 0..3_u8)
            .prop_map(|(owner, id, marks, unique, address)| Write::Append { owner, id, marks, unique, address }),
        2 => (owner.clone(), id.clone(), id.clone(), 0..4_u8, 0..4_usize)
            .prop_map(|(owner, first, last, marks, limit)| Write::Clear { owner, first, last, marks, limit }),
        1 => (owner.clone(), id.clone()).prop_map(|(owner, id)| Write::Replace { owner, id }),
        1 => (owner.clone(), id.clone(), id, 0..4_usize)
            .prop_map(|(owner, first, last, limit)| Write::DeleteEntries { owner, first, last, limit }),
        1 => owner.clone().prop_map(|owner| Write::DeleteOwner { owner }),
        1 => (owner, key).prop_map(|(owner, key)| Write::RequireAbsent { owner, key }),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => proptest::collection::vec(write(), 1..5).prop_map(Step::Commit),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 1..40)
}

fn owner(number: u8) -> Owner {
    Owner::account(&format!("user-{number}"))
}

fn marks(bits: u8) -> Marks {
    [
        Marks::NONE,
        Marks::ARCHIVED,
        Marks::UNDELIVERED,
        Marks::ARCHIVED | Marks::UNDELIVERED,
    ][usize::from(bits)]
}

fn address(number: u8) -> Option<String> {
    (number > 0).then(|| format!("peer-{number}"))
}

#[derive(Clone, Debug, PartialEq)]
struct ModelEntry {
    marks: u8,
    unique: Option<u8>,
    address: Option<String>,
    text: String,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    cards: BTreeMap<(u8, u8), Card>,
    counters: BTreeMap<(u8, u8), i64>,
    entries: BTreeMap<(u8, u64), ModelEntry>,
    last: u64,
}

impl Model {
    /// What the batch should do; the model is not used if it is refused.
    fn apply(&mut self, writes: &[Write]) -> Result<Committed, StoreError> {
        let mut outcome = Committed::default();
        let absent = writes.iter().filter_map(|write| match write {
            Write::RequireAbsent { owner, key } => Some((*owner, *key)),
            _ => None,
        });
        if let Some(position) = absent
            .into_iter()
            .position(|key| self.cards.contains_key(&key))
        {
            return Err(StoreError::Refused {
                shape: "tagged",
                position,
            });
        }
        for write in writes {
            match write.clone() {
                Write::Put {
                    owner,
                    key,
                    text,
                    tags,
                } => self.put(owner, key, text, &tags)?,
                Write::Delete { owner, key } => {
                    self.cards.remove(&(owner, key));
                }
                Write::DeleteRange {
                    owner,
                    from,
                    before,
                    limit,
                } => {
                    let keys = self
                        .cards
                        .keys()
                        .filter(|key| key.0 == owner && (from..before).contains(&key.1));
                    let keys: Vec<_> = keys.take(limit).copied().collect();
                    outcome.changed.push(keys.len() as u64);
                    keys.iter().for_each(|key| {
                        self.cards.remove(key);
                    });
                }
                Write::Add { owner, key, delta } => {
                    let sum = self.counters.entry((owner, key)).or_default();
                    *sum += delta;
                    outcome.sums.push(*sum);
                }
                Write::Append {
                    owner,
                    id,
                    marks,
                    unique,
                    address,
                } => {
                    outcome
                        .appended
                        .push(self.append(owner, id, marks, unique, address)?);
                }
                Write::Clear {
                    owner,
                    first,
                    last,
                    marks,
                    limit,
                } => {
                    let ids = self.ids(owner, first, last, limit, |entry| entry.marks & marks != 0);
                    outcome.changed.push(ids.len() as u64);
                    for id in ids {
                        let entry = self.entries.get_mut(&(owner, id)).unwrap();
                        entry.marks &= !marks;
                        if entry.marks == 0 {
                            self.entries.remove(&(owner, id));
                        }
                    }
                }
                Write::Replace { owner, id } => {
                    let entry = self.entries.get_mut(&(owner, id));
                    outcome.changed.push(u64::from(entry.is_some()));
                    if let Some(entry) = entry {
                        entry.text = "replaced".to_owned();
                    }
                }
                Write::DeleteEntries {
                    owner,
                    first,
                    last,
                    limit,
                } => {
                    let ids = self.ids(owner, first, last, limit, |_| true);
                    outcome.changed.push(ids.len() as u64);
                    ids.iter().for_each(|id| {
                        self.entries.remove(&(owner, *id));
                    });
                }
                Write::DeleteOwner { owner } => {
                    self.cards.retain(|key, _| key.0 != owner);
                    self.counters.retain(|key, _| key.0 != owner);
                    self.entries.retain(|key, _| key.0 != owner);
                }
                Write::RequireAbsent { .. } => {}
            }
        }
        Ok(outcome)
    }

    fn put(&mut self, owner: u8, key: u8, text: u8, tags: &BTreeSet<u8>) -> Result<(), StoreError> {
        let text = if text == 0 {
            String::new()
        } else {
            text.to_string()
        };
        let taken = self
            .cards
            .iter()
            .any(|(at, card)| *at != (owner, key) && !text.is_empty() && card.text == text);
        if taken {
            return Err(StoreError::Taken {
                shape: "tagged",
                index: "by-text",
            });
        }
        let tags = tags.iter().map(u8::to_string).collect();
        self.cards.insert((owner, key), Card { text, tags });
        Ok(())
    }

    fn append(
        &mut self,
        owner: u8,
        id: u64,
        marks: u8,
        unique: Option<u8>,
        number: u8,
    ) -> Result<Appended, StoreError> {
        let known = self
            .entries
            .iter()
            .find(|(at, entry)| at.0 == owner && unique.is_some() && entry.unique == unique);
        if let Some(((_, known), _)) = known {
            return Ok(Appended::Known(LogId(*known)));
        }
        if marks != 0 {
            if self.entries.contains_key(&(owner, id)) {
                return Err(StoreError::IdTaken { shape: "messages" });
            }
            let text = id.to_string();
            let entry = ModelEntry {
                marks,
                unique,
                address: address(number),
                text,
            };
            self.entries.insert((owner, id), entry);
            self.last = self.last.max(id);
        }
        Ok(Appended::New(LogId(id)))
    }

    fn ids(
        &self,
        owner: u8,
        first: u64,
        last: u64,
        limit: usize,
        fits: impl Fn(&ModelEntry) -> bool,
    ) -> Vec<u64> {
        let entries = self
            .entries
            .iter()
            .filter(|((of, id), entry)| *of == owner && (first..=last).contains(id) && fits(entry));
        entries.map(|((_, id), _)| *id).take(limit).collect()
    }
}

fn batch(writes: &[Write]) -> Batch {
    let mut batch = Batch::new();
    for write in writes {
        match write.clone() {
            Write::Put {
                owner: of,
                key,
                text,
                tags,
            } => {
                let text = if text == 0 {
                    String::new()
                } else {
                    text.to_string()
                };
                let card = Card {
                    text,
                    tags: tags.iter().map(u8::to_string).collect(),
                };
                batch.put(&TAGGED, &owner(of), &key.to_string(), &card);
            }
            Write::Delete { owner: of, key } => batch.delete(&TAGGED, &owner(of), &key.to_string()),
            Write::DeleteRange {
                owner: of,
                from,
                before,
                limit,
            } => {
                let range = KeyRange::all()
                    .from(&from.to_string())
                    .before(&before.to_string());
                batch.delete_range(&TAGGED, &owner(of), &range, limit);
            }
            Write::Add {
                owner: of,
                key,
                delta,
            } => batch.add(&COUNTERS, &owner(of), &key.to_string(), delta),
            Write::Append {
                owner: of,
                id,
                marks: bits,
                unique,
                address: number,
            } => {
                let payload = Card {
                    text: id.to_string(),
                    tags: Vec::new(),
                };
                let unique = unique.map(|unique| [unique]);
                let address = address(number);
                let entry = Append {
                    id: LogId(id),
                    marks: marks(bits),
                    unique: unique.as_ref().map(|unique| &unique[..]),
                    address: address.as_deref(),
                    payload: &payload,
                };
                batch.append(&MESSAGES, &owner(of), entry);
            }
            Write::Clear {
                owner: of,
                first,
                last,
                marks: bits,
                limit,
            } => {
                batch.clear_marks_in(
                    &MESSAGES,
                    &owner(of),
                    LogId(first)..=LogId(last),
                    marks(bits),
                    limit,
                );
            }
            Write::Replace { owner: of, id } => {
                let payload = Card {
                    text: "replaced".to_owned(),
                    tags: Vec::new(),
                };
                batch.replace(&MESSAGES, &owner(of), LogId(id), &payload);
            }
            Write::DeleteEntries {
                owner: of,
                first,
                last,
                limit,
            } => {
                batch.delete_entries(&MESSAGES, &owner(of), LogId(first)..=LogId(last), limit);
            }
            Write::DeleteOwner { owner: of } => batch.delete_owner(&owner(of)),
            Write::RequireAbsent { owner: of, key } => {
                batch.require_absent(&TAGGED, &owner(of), &key.to_string())
            }
        }
    }
    batch
}

/// Everything that the store shows, against the model.
fn compare(store: &Store, model: &Model) {
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

pub(crate) fn random_writes_do_what_the_model_does(place: &dyn Place) {
    let mut runner = TestRunner::new(Config {
        cases: 60,
        failure_persistence: None,
        ..Config::default()
    });
    let outcome = runner.run(&steps(), |steps| {
        let mut store = place.open(&all());
        let mut model = Model::default();
        // What the last case left goes first.
        let mut clean = Batch::new();
        (0..3).for_each(|number| clean.delete_owner(&owner(number)));
        wait(store.commit(clean)).unwrap();
        model.last = wait(store.last_log_id()).unwrap().0;
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
                Step::Restart => {
                    drop(store);
                    store = place.open(&all());
                }
            }
            compare(&store, &model);
        }
        Ok(())
    });
    outcome.unwrap();
}
