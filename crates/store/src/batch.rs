//! Writes that are made together or not at all.

use std::ops::RangeInclusive;

use prost::Message;

use crate::blob::{Blob, BlobHash};
use crate::error::StoreError;
use crate::key::{AsKey, Key, KeyRange, encoded};
use crate::limits::Limit;
use crate::log::{Append, Log, LogId, Marks};
use crate::op::{Condition, NewEntry, Op, PutRow, Require};
use crate::owner::Owner;
use crate::table::{Expiring, Table};

/// Preconditions and writes over any number of shapes and owners, committed together or not at all.
///
/// Preconditions look at the state before the batch. Writes apply in the order of the calls. What is beyond a
/// limit is remembered and refuses the batch when it is submitted. An empty batch is a barrier: its commit says
/// that everything submitted before is on disk.
#[derive(Debug, Default)]
pub struct Batch {
    pub(crate) requires: Vec<Require>,
    pub(crate) ops: Vec<Op>,
    bytes: usize,
    misuse: Option<StoreError>,
    unhurried: bool,
}

/// What a committed batch did, each list in the order of its calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// For each [`Batch::append`].
    pub appended: Vec<Appended>,
    /// For each [`Batch::add`]: the sum.
    pub sums: Vec<i64>,
    /// For each [`Batch::delete_range`], [`Batch::clear_marks`], [`Batch::clear_marks_in`],
    /// [`Batch::replace`], [`Batch::delete_entries`] and [`Batch::purge_expired`]: how many rows or entries it
    /// changed.
    pub changed: Vec<u64>,
}

/// What became of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The entry is new.
    New(LogId),
    /// The log had an entry with the same unique key; this is its id.
    Known(LogId),
}

impl Appended {
    /// The id of the entry, new or known.
    #[must_use]
    pub const fn id(self) -> LogId {
        match self {
            Self::New(id) | Self::Known(id) => id,
        }
    }
}

impl Batch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether nothing was put into it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.requires.is_empty() && self.ops.is_empty()
    }

    /// Nobody waits for it: it is on disk with the next batch that somebody waits for, and after
    /// [`UNHURRIED_MILLIS_MAX`](crate::limits::UNHURRIED_MILLIS_MAX) at the latest. What comes before and after it sees it
    /// in its place all the same. A commit of its own is a write to the disk that nobody has asked for.
    pub fn unhurried(&mut self) {
        self.unhurried = true;
    }

    /// Whether nobody waits for it.
    pub(crate) fn is_unhurried(&self) -> bool {
        self.unhurried
    }

    /// Adds the preconditions and writes of another one behind those that are there.
    pub fn extend(&mut self, other: Batch) {
        self.unhurried = other.unhurried && (self.unhurried || self.is_empty());
        self.requires.extend(other.requires);
        self.ops.extend(other.ops);
        self.bytes += other.bytes;
        self.misuse = self.misuse.take().or(other.misuse);
        self.check_ops();
    }

    /// Bytes of keys and values in it, against [`BATCH_BYTES_MAX`](crate::limits::BATCH_BYTES_MAX).
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Stores a value, in the place of what is there.
    pub fn put<K, V, Q>(&mut self, table: &Table<K, V>, owner: &Owner, key: &Q, value: &V)
    where
        K: Key,
        V: Message + Default,
        Q: AsKey<K> + ?Sized,
    {
        self.put_row(table, owner, encoded(key), value, None);
    }

    /// Stores a value that is there until a time, in microseconds since 1970.
    pub fn put_expiring<K, V, Q>(
        &mut self,
        table: &Expiring<K, V>,
        owner: &Owner,
        key: &Q,
        value: &V,
        expires_micros: u64,
    ) where
        K: Key,
        V: Message + Default,
        Q: AsKey<K> + ?Sized,
    {
        self.check_micros(expires_micros);
        self.put_row(&table.0, owner, encoded(key), value, Some(expires_micros));
    }

    fn put_row<K: Key, V: Message + Default>(
        &mut self,
        table: &Table<K, V>,
        owner: &Owner,
        key: Vec<u8>,
        value: &V,
        expires_micros: Option<u64>,
    ) {
        let index_keys = table.index_keys(&key, value).unwrap_or_else(|error| {
            self.refuse(error);
            Vec::new()
        });
        let row = PutRow {
            key,
            value: value.encode_to_vec(),
            expires_micros,
            index_keys,
        };
        self.check(Limit::ValueBytes, row.value.len());
        self.count(owner, &row.key, row.value.len());
        self.bytes += row
            .index_keys
            .iter()
            .map(|(_, key)| key.len())
            .sum::<usize>();
        self.push(Op::Put {
            shape: table.name,
            owner: owner.clone(),
            row,
        });
    }

    /// Removes a value, if it is there.
    pub fn delete<K, V, Q: AsKey<K> + ?Sized>(
        &mut self,
        table: &Table<K, V>,
        owner: &Owner,
        key: &Q,
    ) {
        let key = encoded(key);
        self.count(owner, &key, 0);
        self.push(Op::Delete {
            shape: table.name,
            owner: owner.clone(),
            key,
        });
    }

    /// Removes the first values of a range, at most `limit`. Where [`Committed::changed`] says `limit`, there
    /// may be more.
    pub fn delete_range<K, V>(
        &mut self,
        table: &Table<K, V>,
        owner: &Owner,
        range: &KeyRange<K>,
        limit: usize,
    ) {
        let range = range.bytes.clone();
        self.check(Limit::Rows, limit);
        self.check(Limit::KeyBytes, range.bytes());
        self.count(owner, &[], range.bytes());
        self.push(Op::DeleteRange {
            shape: table.name,
            owner: owner.clone(),
            range,
            limit,
        });
    }

    /// Adds to a counter, which is 0 where it is not there. Stops at the bounds of `i64`.
    pub fn add<K, Q: AsKey<K> + ?Sized>(
        &mut self,
        table: &Table<K, i64>,
        owner: &Owner,
        key: &Q,
        delta: i64,
    ) {
        let key = encoded(key);
        self.count(owner, &key, 8);
        self.push(Op::Add {
            shape: table.name,
            owner: owner.clone(),
            key,
            now_micros: table.now_micros,
            delta,
        });
    }

    /// Refuses the batch where the key has a value.
    pub fn require_absent<K, V, Q>(&mut self, table: &Table<K, V>, owner: &Owner, key: &Q)
    where
        Q: AsKey<K> + ?Sized,
    {
        self.require(table, owner, encoded(key), Condition::Absent);
    }

    /// Refuses the batch where the key has no value.
    pub fn require_present<K, V, Q>(&mut self, table: &Table<K, V>, owner: &Owner, key: &Q)
    where
        Q: AsKey<K> + ?Sized,
    {
        self.require(table, owner, encoded(key), Condition::Present);
    }

    /// Refuses the batch where the key has another value or none. Values are compared as they are encoded.
    pub fn require_equals<K, V, Q>(
        &mut self,
        table: &Table<K, V>,
        owner: &Owner,
        key: &Q,
        value: &V,
    ) where
        V: Message,
        Q: AsKey<K> + ?Sized,
    {
        self.require(
            table,
            owner,
            encoded(key),
            Condition::Equals(value.encode_to_vec()),
        );
    }

    fn require<K, V>(
        &mut self,
        table: &Table<K, V>,
        owner: &Owner,
        key: Vec<u8>,
        condition: Condition,
    ) {
        let wanted = if let Condition::Equals(value) = &condition {
            value.len()
        } else {
            0
        };
        self.count(owner, &key, wanted);
        self.requires.push(Require {
            shape: table.name,
            owner: owner.clone(),
            key,
            now_micros: table.now_micros,
            condition,
        });
        self.check_ops();
    }

    /// Appends an entry, or finds the one that has its unique key. Without any mark nothing is stored.
    pub fn append<T: Message>(&mut self, log: &Log<T>, owner: &Owner, append: Append<'_, T>) {
        let entry = NewEntry {
            id: append.id,
            marks: append.marks,
            unique: append.unique.map(<[u8]>::to_vec),
            address: append.address.map(str::to_owned),
            payload: append.payload.encode_to_vec(),
        };
        self.check_micros(entry.id.0);
        self.check(Limit::ValueBytes, entry.payload.len());
        let address_bytes = entry.address.as_ref().map_or(0, String::len);
        self.check(Limit::KeyBytes, address_bytes);
        self.count(
            owner,
            entry.unique.as_deref().unwrap_or_default(),
            entry.payload.len() + address_bytes,
        );
        self.push(Op::Append {
            shape: log.name,
            owner: owner.clone(),
            entry,
        });
    }

    /// Clears marks of entries, of those that are there. An entry that has none left goes.
    pub fn clear_marks<T>(&mut self, log: &Log<T>, owner: &Owner, ids: &[LogId], marks: Marks) {
        self.check(Limit::Rows, ids.len());
        self.count(owner, &[], size_of_val(ids));
        self.push(Op::ClearMarks {
            shape: log.name,
            owner: owner.clone(),
            ids: ids.to_vec(),
            marks,
        });
    }

    /// Clears marks of the first entries of a range that have any of them, at most `limit`. Where
    /// [`Committed::changed`] says `limit`, there may be more.
    pub fn clear_marks_in<T>(
        &mut self,
        log: &Log<T>,
        owner: &Owner,
        ids: RangeInclusive<LogId>,
        marks: Marks,
        limit: usize,
    ) {
        self.check(Limit::Rows, limit);
        self.count(owner, &[], 0);
        self.push(Op::ClearMarksIn {
            shape: log.name,
            owner: owner.clone(),
            ids,
            marks,
            limit,
        });
    }

    /// Puts another payload in the place of an entry's, if the entry is there: a tombstone. Id, marks, unique
    /// key and address stay.
    pub fn replace<T: Message>(&mut self, log: &Log<T>, owner: &Owner, id: LogId, payload: &T) {
        let payload = payload.encode_to_vec();
        self.check(Limit::ValueBytes, payload.len());
        self.count(owner, &[], payload.len());
        self.push(Op::Replace {
            shape: log.name,
            owner: owner.clone(),
            id,
            payload,
        });
    }

    /// Removes the first entries of a range, whatever their marks, at most `limit`. Where
    /// [`Committed::changed`] says `limit`, there may be more.
    pub fn delete_entries<T>(
        &mut self,
        log: &Log<T>,
        owner: &Owner,
        ids: RangeInclusive<LogId>,
        limit: usize,
    ) {
        self.check(Limit::Rows, limit);
        self.count(owner, &[], 0);
        self.push(Op::DeleteEntries {
            shape: log.name,
            owner: owner.clone(),
            ids,
            limit,
        });
    }

    /// Removes everything of an owner, in all shapes, and its references to blobs. Nothing of it is seen from
    /// then on; the room that it took is given back in steps, so that nobody waits behind a large account.
    pub fn delete_owner(&mut self, owner: &Owner) {
        self.count(owner, &[], 0);
        self.push(Op::DeleteOwner {
            owner: owner.clone(),
        });
    }

    /// Removes rows of all tables that have expired by `now_micros`, at most `limit`. Where
    /// [`Committed::changed`] says `limit`, there may be more.
    pub fn purge_expired(&mut self, now_micros: u64, limit: usize) {
        self.check(Limit::Rows, limit);
        self.check_micros(now_micros);
        self.push(Op::PurgeExpired { now_micros, limit });
    }

    /// Adds a reference of an owner to a blob: it stays as long as it has one.
    pub fn blob_ref(&mut self, owner: &Owner, blob: &Blob) {
        self.count(owner, &[], 0);
        self.push(Op::BlobRef {
            owner: owner.clone(),
            lease: blob.lease(),
        });
    }

    /// Gives one reference back. Where the owner holds none, the batch is refused.
    pub fn blob_unref(&mut self, owner: &Owner, hash: &BlobHash) {
        self.count(owner, &[], 0);
        self.push(Op::BlobUnref {
            owner: owner.clone(),
            hash: *hash,
        });
    }

    /// The first limit that was passed while it was built.
    pub(crate) fn checked(&self) -> Result<(), StoreError> {
        match &self.misuse {
            Some(error) => Err(error.clone()),
            None => Limit::BatchBytes.check(self.bytes),
        }
    }

    /// Every owner that it writes to, maybe several times.
    pub(crate) fn owners(&self) -> impl Iterator<Item = &Owner> {
        self.ops.iter().filter_map(Op::owner)
    }

    /// Whether a reference to a blob may end by it.
    pub(crate) fn may_free_blobs(&self) -> bool {
        let frees = |op: &Op| matches!(op, Op::BlobUnref { .. } | Op::DeleteOwner { .. });
        self.ops.iter().any(frees)
    }

    fn push(&mut self, op: Op) {
        self.ops.push(op);
        self.check_ops();
    }

    fn check_ops(&mut self) {
        self.check(Limit::BatchOps, self.ops.len() + self.requires.len());
    }

    fn check_micros(&mut self, micros: u64) {
        self.check(Limit::Micros, usize::try_from(micros).unwrap_or(usize::MAX));
    }

    /// Checks owner and key, and counts their bytes and those of the value.
    fn count(&mut self, owner: &Owner, key: &[u8], value_bytes: usize) {
        self.check(Limit::OwnerBytes, owner.as_bytes().len());
        self.check(Limit::KeyBytes, key.len());
        self.bytes += owner.as_bytes().len() + key.len() + value_bytes;
    }

    fn check(&mut self, limit: Limit, asked: usize) {
        if let Err(error) = limit.check(asked) {
            self.refuse(error);
        }
    }

    fn refuse(&mut self, error: StoreError) {
        self.misuse.get_or_insert(error);
    }
}
