//! What batches will have to know, told before they are applied: it is asked in one round trip.

use std::collections::{BTreeSet, HashMap};

use super::between::Between;
use super::fetch::Wanted;
use super::read::sql_id;
use super::stage::Found;
use crate::backend::Query;
use crate::batch::Batch;
use crate::log::LogId;
use crate::numbered::Shapes;
use crate::op::{NewEntry, Op, PutRow};
use crate::owner::Owner;

/// The owners whose numbers have to be asked for.
pub(super) fn unknown_owners<'a>(
    batches: impl Iterator<Item = &'a Batch>,
    questions: &[Between],
    known: &HashMap<Owner, i64>,
) -> BTreeSet<Owner> {
    let owners = batches.flat_map(|batch| {
        let required = batch.requires.iter().map(|require| &require.owner);
        required.chain(batch.owners())
    });
    let asked = questions.iter().filter_map(|between| between.point_owner());
    owners
        .chain(asked)
        .filter(|owner| !known.contains_key(*owner))
        .cloned()
        .collect()
}

/// Looks through batches. What it misses is asked for when it is met.
pub(super) struct Ahead<'a> {
    pub(super) shapes: &'a Shapes,
    pub(super) known: &'a HashMap<Owner, i64>,
    pub(super) found: &'a Found,
    pub(super) last_log_id: LogId,
    pub(super) wanted: Wanted,
}

impl Ahead<'_> {
    pub(super) fn batch(&mut self, batch: &Batch) {
        for require in &batch.requires {
            if let (Ok(shape), Some(owner)) =
                (self.shapes.table(require.shape), self.owner(&require.owner))
            {
                self.wanted
                    .rows
                    .insert((shape.id, owner, require.key.clone()));
            }
        }
        for op in &batch.ops {
            self.op(op);
        }
    }

    /// A question that can be answered from the stage.
    pub(super) fn question(&mut self, question: &Between) {
        match &question.query {
            Some(Query::Get(query, _)) => {
                if let Some(owner) = self.owner(&query.owner) {
                    self.row(query.shape, owner, &query.key, false);
                }
            }
            Some(Query::IdOf(query, _)) => {
                if let (Some(owner), Ok(log)) =
                    (self.owner(&query.owner), self.shapes.log(query.shape))
                {
                    let at = (log, owner, query.unique.clone());
                    self.wanted.uniques.insert(at);
                }
            }
            _ => {}
        }
    }

    /// An owner's number. One that has none has nothing that could be asked for.
    fn owner(&self, owner: &Owner) -> Option<i64> {
        match self.found.owners.get(owner) {
            Some(found) => *found,
            None => self.known.get(owner).copied(),
        }
    }

    fn op(&mut self, op: &Op) {
        let Some(owner) = op.owner().and_then(|owner| self.owner(owner)) else {
            // Whose unique keys a new owner's row must not have.
            if let Op::Put { shape, row, .. } = op {
                self.unique_keys(shape, row);
            }
            return;
        };
        match op {
            Op::Put { shape, row, .. } => {
                self.unique_keys(shape, row);
                self.row(shape, owner, &row.key, true);
            }
            Op::Delete { shape, key, .. } => self.row(shape, owner, key, true),
            Op::Add { shape, key, .. } => self.row(shape, owner, key, false),
            Op::Append { shape, entry, .. } => self.append(shape, owner, entry),
            Op::ClearMarks { shape, ids, .. } => {
                for id in ids {
                    self.entry(shape, owner, *id);
                }
            }
            Op::Replace { shape, id, .. } => self.entry(shape, owner, *id),
            Op::BlobRef { lease, .. } => {
                self.wanted.references.insert((owner, lease.hash().0));
            }
            Op::BlobUnref { hash, .. } => {
                self.wanted.references.insert((owner, hash.0));
            }
            // What is in a range depends on what is done before.
            Op::DeleteRange { .. }
            | Op::ClearMarksIn { .. }
            | Op::DeleteEntries { .. }
            | Op::DeleteOwner { .. }
            | Op::PurgeExpired { .. } => {}
        }
    }

    fn row(&mut self, shape: &'static str, owner: i64, key: &[u8], only_if_indexed: bool) {
        if let Ok(shape) = self.shapes.table(shape)
            && !(only_if_indexed && shape.indexes.is_empty())
        {
            self.wanted.rows.insert((shape.id, owner, key.to_vec()));
        }
    }

    fn unique_keys(&mut self, shape: &'static str, row: &PutRow) {
        let Ok(shape) = self.shapes.table(shape) else {
            return;
        };
        for (name, key) in &row.index_keys {
            if let Ok(index) = shape.index(name)
                && index.unique
            {
                self.wanted.holders.insert((index.id, key.clone()));
            }
        }
    }

    fn append(&mut self, shape: &'static str, owner: i64, entry: &NewEntry) {
        let Ok(log) = self.shapes.log(shape) else {
            return;
        };
        if let Some(unique) = &entry.unique {
            self.wanted.uniques.insert((log, owner, unique.clone()));
        }
        if entry.id <= self.last_log_id {
            self.entry(shape, owner, entry.id);
        }
    }

    fn entry(&mut self, shape: &'static str, owner: i64, id: LogId) {
        if let Ok(log) = self.shapes.log(shape) {
            self.wanted.entries.insert((log, owner, sql_id(id)));
        }
    }
}
