//! Random writes.

use std::collections::BTreeSet;

use proptest::prelude::*;
use waxwing_store::{Append, Batch, KeyRange, LogId, Marks, Owner};

use crate::shapes::{COUNTERS, Card, EXPIRING_COUNTERS, MESSAGES, TAGGED};

/// One write, by small numbers, so that they meet.
#[derive(Clone, Debug)]
pub(crate) enum Write {
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
    /// A row that expires, later than anybody looks.
    Expire {
        owner: u8,
        key: u8,
        value: i64,
        at: u64,
    },
    AddExpiring {
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
    /// Clears *undelivered* from these.
    Confirm {
        owner: u8,
        ids: BTreeSet<u64>,
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
pub(crate) enum Step {
    Commit(Vec<Write>),
    /// A batch that nobody waits for.
    Later(Vec<Write>),
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
        4 => (owner.clone(), 0..2_u8, 0..9_i64, 50..52_u64)
            .prop_map(|(owner, key, value, at)| Write::Expire { owner, key, value, at }),
        1 => (owner.clone(), 0..2_u8, -5..5_i64)
            .prop_map(|(owner, key, delta)| Write::AddExpiring { owner, key, delta }),
        3 => (owner.clone(), proptest::collection::btree_set(id.clone(), 1..6))
            .prop_map(|(owner, ids)| Write::Confirm { owner, ids }),
        2 => (owner.clone(), id.clone(), id.clone(), 0..4_u8, 0..4_usize)
            .prop_map(|(owner, first, last, marks, limit)| Write::Clear { owner, first, last, marks, limit }),
        1 => (owner.clone(), id.clone()).prop_map(|(owner, id)| Write::Replace { owner, id }),
        1 => (owner.clone(), id.clone(), id, 0..4_usize)
            .prop_map(|(owner, first, last, limit)| Write::DeleteEntries { owner, first, last, limit }),
        1 => owner.clone().prop_map(|owner| Write::DeleteOwner { owner }),
        1 => (owner, key).prop_map(|(owner, key)| Write::RequireAbsent { owner, key }),
    ]
}

/// The writes of one batch.
pub(crate) fn commits() -> impl Strategy<Value = Vec<Write>> {
    proptest::collection::vec(write(), 1..5)
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => commits().prop_map(Step::Commit),
        4 => commits().prop_map(Step::Later),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 1..40)
}

pub(crate) fn owner(number: u8) -> Owner {
    Owner::account(&format!("user-{number}"))
}

pub(crate) fn marks(bits: u8) -> Marks {
    [
        Marks::NONE,
        Marks::ARCHIVED,
        Marks::UNDELIVERED,
        Marks::ARCHIVED | Marks::UNDELIVERED,
    ][usize::from(bits)]
}

pub(crate) fn address(number: u8) -> Option<String> {
    (number > 0).then(|| format!("peer-{number}"))
}

pub(crate) fn batch(writes: &[Write]) -> Batch {
    let mut batch = Batch::new();
    for write in writes {
        write_table(&mut batch, write);
        write_log(&mut batch, write);
        if let Write::DeleteOwner { owner: of } = write {
            batch.delete_owner(&owner(*of));
        }
    }
    batch
}

fn write_table(batch: &mut Batch, write: &Write) {
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
        Write::Expire {
            owner: of,
            key,
            value,
            at,
        } => {
            batch.put_expiring(&EXPIRING_COUNTERS, &owner(of), &key.to_string(), &value, at);
        }
        Write::AddExpiring {
            owner: of,
            key,
            delta,
        } => {
            let table = EXPIRING_COUNTERS.at(0);
            batch.add(&table, &owner(of), &key.to_string(), delta);
        }
        Write::RequireAbsent { owner: of, key } => {
            batch.require_absent(&TAGGED, &owner(of), &key.to_string());
        }
        _ => {}
    }
}

fn write_log(batch: &mut Batch, write: &Write) {
    match write.clone() {
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
        Write::Confirm { owner: of, ids } => {
            let ids: Vec<LogId> = ids.into_iter().map(LogId).collect();
            batch.clear_marks(&MESSAGES, &owner(of), &ids, Marks::UNDELIVERED);
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
        _ => {}
    }
}
