//! Every limit of the store: a name, a unit and a reason.

use std::fmt;

use crate::error::StoreError;

/// Longest owner: kind and a bare JID (RFC 6122: 1,023 bytes each part).
pub const OWNER_BYTES_MAX: usize = 2_048;
/// Longest encoded key or index key: two full JIDs of 3,071 bytes and a node name fit.
pub const KEY_BYTES_MAX: usize = 8_192;
/// Longest encoded value or log payload: twice the largest stanza that a server stream may carry.
pub const VALUE_BYTES_MAX: usize = 1 << 20;
/// Most writes and preconditions in one batch: what is applied without a look at other batches.
pub const BATCH_OPS_MAX: usize = 10_000;
/// Most bytes of keys and values in one batch: it is held in memory until it is committed.
pub const BATCH_BYTES_MAX: usize = 16 << 20;
/// Most rows that one read returns, or that one write over a range changes: more is done in steps, so that
/// nobody waits long behind it.
pub const ROWS_MAX: usize = 10_000;
/// Where a page of a log ends early, in bytes of payload: it is held in memory.
pub const PAGE_BYTES_MAX: usize = 8 << 20;
/// Entries that one page of a log looks at in search of those that fit its filter, before it returns what it
/// has and says where to go on.
pub const PAGE_STEP_ENTRIES_MAX: usize = 20_000;
/// Entries whose text one page looks at in search of what fits, where no index finds it: to make words of a text takes a
/// few microseconds.
pub const PAGE_STEP_TEXTS_MAX: usize = 2_000;
/// Times that one page of PostgreSQL's looks up a word in the index, before it returns what it has: a few microseconds each.
pub const PAGE_STEP_SEEKS_MAX: usize = 20_000;
/// Most secondary indexes of one table: each costs every write.
pub const INDEXES_MAX: usize = 4;
/// Most keys that one value has in one index.
pub const INDEX_KEYS_MAX: usize = 256;
/// How long a batch that nobody waits for is kept for the next commit that somebody does wait for.
pub const UNHURRIED_MILLIS_MAX: u64 = 100;
/// Batches that nobody waits for, after which they are committed all the same: they are held in memory.
pub const UNHURRIED_MAX: usize = 1_000;
/// Most bytes that one read of a blob returns: they are held in memory.
pub const BLOB_READ_BYTES_MAX: usize = 1 << 20;

/// The limits that a caller can pass, for [`StoreError::TooLarge`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// [`OWNER_BYTES_MAX`]
    OwnerBytes,
    /// [`KEY_BYTES_MAX`]
    KeyBytes,
    /// [`VALUE_BYTES_MAX`]
    ValueBytes,
    /// [`BATCH_OPS_MAX`]
    BatchOps,
    /// [`BATCH_BYTES_MAX`]
    BatchBytes,
    /// [`ROWS_MAX`]
    Rows,
    /// [`INDEX_KEYS_MAX`]
    IndexKeys,
    /// [`BLOB_READ_BYTES_MAX`]
    BlobReadBytes,
    /// Log ids and times are microseconds that fit 63 bits, as SQL integers do.
    Micros,
}

impl Limit {
    /// Its value, in the unit of its name.
    #[must_use]
    pub const fn max(self) -> usize {
        match self {
            Self::OwnerBytes => OWNER_BYTES_MAX,
            Self::KeyBytes => KEY_BYTES_MAX,
            Self::ValueBytes => VALUE_BYTES_MAX,
            Self::BatchOps => BATCH_OPS_MAX,
            Self::BatchBytes => BATCH_BYTES_MAX,
            Self::Rows => ROWS_MAX,
            Self::IndexKeys => INDEX_KEYS_MAX,
            Self::BlobReadBytes => BLOB_READ_BYTES_MAX,
            Self::Micros => i64::MAX as usize,
        }
    }

    /// Refuses what is beyond the limit.
    pub(crate) fn check(self, asked: usize) -> Result<(), StoreError> {
        if asked > self.max() {
            return Err(StoreError::TooLarge {
                limit: self,
                max: self.max(),
                asked,
            });
        }
        Ok(())
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OwnerBytes => "the length of an owner in bytes",
            Self::KeyBytes => "the length of a key in bytes",
            Self::ValueBytes => "the length of a value in bytes",
            Self::BatchOps => "the number of writes in a batch",
            Self::BatchBytes => "the size of a batch in bytes",
            Self::Rows => "the number of rows at a time",
            Self::IndexKeys => "the number of index keys of a value",
            Self::BlobReadBytes => "the number of bytes of a blob at a time",
            Self::Micros => "a time in microseconds",
        })
    }
}
