//! Values by key.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use prost::Message;

use crate::error::StoreError;
use crate::key::{AsKey, Key, decoded, encoded};
use crate::limits::{INDEXES_MAX, Limit};
use crate::shape::{IndexShape, Migration, Shape, ShapeKind};

/// A table: values of type `V` by owner and key of type `K`, scanned in the order of their keys.
///
/// ```
/// # use waxwing_store::{Index, Table};
/// #[derive(Clone, PartialEq, prost::Message)]
/// struct Invite {
///     #[prost(string, tag = "1")]
///     token: String,
/// }
/// static BY_TOKEN: Index<String, Invite, String> = Index::unique("by-token", |_, invite| vec![invite.token.clone()]);
/// static INVITES: Table<String, Invite> = Table::new("invites", 1).index(&BY_TOKEN);
/// assert_eq!(INVITES.shape().name(), "invites");
/// ```
///
/// Values are encoded with tags (protobuf), so a field that is added is no migration. A counter is a
/// `Table<K, i64>`.
pub struct Table<K: 'static, V: 'static> {
    pub(crate) name: &'static str,
    version: u32,
    indexes: [Option<&'static dyn IndexOf<K, V>>; INDEXES_MAX],
    migrations: &'static [Migration],
    /// Rows that expire at or before this time are not there. Microseconds since 1970.
    pub(crate) now_micros: Option<u64>,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V> Clone for Table<K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for Table<K, V> {}

impl<K, V> fmt::Debug for Table<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("name", &self.name)
            .field("version", &self.version)
            .finish()
    }
}

impl<K, V> Table<K, V> {
    /// Declares a table. The name is stored and says which table it is: lower-case ASCII letters, digits and
    /// `-`. The version is 1 at first, and one more for each step of [`migrations`](Self::migrations).
    #[must_use]
    pub const fn new(name: &'static str, version: u32) -> Self {
        Self {
            name,
            version,
            indexes: [None; INDEXES_MAX],
            migrations: &[],
            now_micros: None,
            types: PhantomData,
        }
    }

    /// Adds an index. One that is added later is filled when the store is opened.
    #[must_use]
    pub const fn index(mut self, index: &'static dyn IndexOf<K, V>) -> Self {
        let mut at = 0;
        while self.indexes[at].is_some() {
            at += 1;
        }
        // Beyond INDEXES_MAX this does not compile: statics are evaluated then.
        self.indexes[at] = Some(index);
        self
    }

    /// The steps from older versions; the last of them leads to the declared version.
    #[must_use]
    pub const fn migrations(mut self, migrations: &'static [Migration]) -> Self {
        self.migrations = migrations;
        self
    }

    /// Makes its rows able to expire.
    #[must_use]
    pub const fn expiring(self) -> Expiring<K, V> {
        Expiring(self)
    }
}

impl<K: Key, V: Message + Default> Table<K, V> {
    /// What the store is opened with.
    #[must_use]
    pub fn shape(&self) -> Shape {
        let indexes = self.indexes.iter().flatten().map(|index| {
            let index: &'static dyn IndexOf<K, V> = *index;
            IndexShape {
                name: index.name(),
                unique: index.is_unique(),
                keys: Arc::new(move |key, value| {
                    Some(index.keys(&decoded(key)?, &V::decode(value).ok()?))
                }),
            }
        });
        Shape {
            name: self.name,
            version: self.version,
            kind: ShapeKind::Table,
            migrations: self.migrations,
            indexes: indexes.collect(),
            reads: |key, value| decoded::<K>(key).is_some() && V::decode(value).is_ok(),
            writes: |value| V::decode(value).is_ok_and(|read| read.encode_to_vec() == value),
            text: None,
        }
    }

    /// The keys of a row in each index.
    pub(crate) fn index_keys(
        &self,
        key: &[u8],
        value: &V,
    ) -> Result<Vec<(&'static str, Vec<u8>)>, StoreError> {
        let mut all = Vec::new();
        if self.indexes[0].is_none() {
            return Ok(all);
        }
        let key = self.decode_key(key)?;
        for index in self.indexes.iter().flatten() {
            let keys = index.keys(&key, value);
            Limit::IndexKeys.check(keys.len())?;
            for key in keys {
                Limit::KeyBytes.check(key.len())?;
                all.push((index.name(), key));
            }
        }
        all.sort_unstable();
        all.dedup();
        Ok(all)
    }

    pub(crate) fn decode_key(&self, key: &[u8]) -> Result<K, StoreError> {
        decoded(key).ok_or(StoreError::Damaged { shape: self.name })
    }

    pub(crate) fn decode_value(&self, value: &[u8]) -> Result<V, StoreError> {
        V::decode(value).map_err(|_| StoreError::Damaged { shape: self.name })
    }
}

/// A table whose rows can expire. It is read [`at`](Self::at) a time, and then says nothing of a row that had
/// expired by then; such rows are removed by [`Batch::purge_expired`](crate::Batch::purge_expired), and keep
/// their places in unique indexes until then.
pub struct Expiring<K: 'static, V: 'static>(pub(crate) Table<K, V>);

impl<K, V> Expiring<K, V> {
    /// The table as of a time, in microseconds since 1970.
    #[must_use]
    pub const fn at(&self, now_micros: u64) -> Table<K, V> {
        let mut table = self.0;
        table.now_micros = Some(now_micros);
        table
    }
}

impl<K: Key, V: Message + Default> Expiring<K, V> {
    /// What the store is opened with.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.0.shape()
    }
}

impl<K, V> fmt::Debug for Expiring<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A secondary index of a table: finds rows of all owners by keys of type `I`, in their order.
///
/// The function gives the keys of a row, none, one or several. If it changes, give the index another name: it
/// is then filled anew.
pub struct Index<K, V, I> {
    name: &'static str,
    unique: bool,
    keys: fn(&K, &V) -> Vec<I>,
}

impl<K, V, I> Index<K, V, I> {
    /// Rows may share a key of the index.
    #[must_use]
    pub const fn ordered(name: &'static str, keys: fn(&K, &V) -> Vec<I>) -> Self {
        Self {
            name,
            unique: false,
            keys,
        }
    }

    /// No two rows, of whatever owners, share a key of the index: a batch that would is refused.
    #[must_use]
    pub const fn unique(name: &'static str, keys: fn(&K, &V) -> Vec<I>) -> Self {
        Self {
            name,
            unique: true,
            keys,
        }
    }

    /// Its stored name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl<K, V, I> fmt::Debug for Index<K, V, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index")
            .field("name", &self.name)
            .field("unique", &self.unique)
            .finish()
    }
}

/// An [`Index`] of whatever key type; nothing else is one.
pub trait IndexOf<K, V>: Sync + sealed::Sealed {
    /// Its stored name.
    fn name(&self) -> &'static str;
    /// Whether no two rows share a key.
    fn is_unique(&self) -> bool;
    /// The encoded keys of a row.
    fn keys(&self, key: &K, value: &V) -> Vec<Vec<u8>>;
}

impl<K, V, I: AsKey<I>> IndexOf<K, V> for Index<K, V, I> {
    fn name(&self) -> &'static str {
        self.name
    }
    fn is_unique(&self) -> bool {
        self.unique
    }
    fn keys(&self, key: &K, value: &V) -> Vec<Vec<u8>> {
        (self.keys)(key, value).iter().map(encoded).collect()
    }
}

mod sealed {
    pub trait Sealed {}
    impl<K, V, I> Sealed for super::Index<K, V, I> {}
}
