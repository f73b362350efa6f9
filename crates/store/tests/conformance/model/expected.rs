//! What writes should do, on maps.

use std::collections::{BTreeMap, BTreeSet};

use waxwing_store::{Appended, Committed, LogId, StoreError};

use super::writes::{Write, address};
use crate::shapes::Card;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ModelEntry {
    pub(crate) marks: u8,
    pub(crate) unique: Option<u8>,
    pub(crate) address: Option<String>,
    pub(crate) text: String,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Model {
    pub(crate) cards: BTreeMap<(u8, u8), Card>,
    pub(crate) counters: BTreeMap<(u8, u8), i64>,
    pub(crate) expiring: BTreeMap<(u8, u8), i64>,
    pub(crate) entries: BTreeMap<(u8, u64), ModelEntry>,
    pub(crate) last: u64,
}

impl Model {
    /// What the batch should do; the model is not used if it is refused.
    pub(crate) fn apply(&mut self, writes: &[Write]) -> Result<Committed, StoreError> {
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
            self.write_table(write, &mut outcome)?;
            self.write_log(write, &mut outcome)?;
            if let Write::DeleteOwner { owner } = write {
                self.cards.retain(|key, _| key.0 != *owner);
                self.counters.retain(|key, _| key.0 != *owner);
                self.expiring.retain(|key, _| key.0 != *owner);
                self.entries.retain(|key, _| key.0 != *owner);
            }
        }
        Ok(outcome)
    }

    fn write_table(&mut self, write: &Write, outcome: &mut Committed) -> Result<(), StoreError> {
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
            Write::Expire {
                owner, key, value, ..
            } => {
                self.expiring.insert((owner, key), value);
            }
            Write::AddExpiring { owner, key, delta } => {
                let sum = self.expiring.entry((owner, key)).or_default();
                *sum += delta;
                outcome.sums.push(*sum);
            }
            _ => {}
        }
        Ok(())
    }

    fn write_log(&mut self, write: &Write, outcome: &mut Committed) -> Result<(), StoreError> {
        match write.clone() {
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
            Write::Confirm { owner, ids } => {
                let mut changed = 0;
                for id in ids {
                    changed += u64::from(self.confirm(owner, id));
                }
                outcome.changed.push(changed);
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
            _ => {}
        }
        Ok(())
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

    fn confirm(&mut self, owner: u8, id: u64) -> bool {
        let Some(entry) = self.entries.get_mut(&(owner, id)) else {
            return false;
        };
        let had = entry.marks & 2 != 0;
        entry.marks &= !2;
        if entry.marks == 0 {
            self.entries.remove(&(owner, id));
        }
        had
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
