//! What a store is opened with: the declared shapes, without their types.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use prost::Message;

use crate::error::{OpenError, StoreError};
use crate::key::{AsKey, Key, decoded, encoded};
use crate::limits::Limit;

/// One declared table or log, as [`Table::shape`](crate::Table::shape) and [`Log::shape`](crate::Log::shape)
/// give it.
///
/// The name and the version are stored. A store that holds a shape which the program does not declare, or in
/// a newer version, is refused.
#[derive(Clone, Debug)]
pub struct Shape {
    pub(crate) name: &'static str,
    pub(crate) version: u32,
    pub(crate) kind: ShapeKind,
    /// The last of them leads to `version`.
    pub(crate) migrations: &'static [Migration],
    pub(crate) indexes: Vec<IndexShape>,
    /// Whether a key and a value are of the declared types. The entry of a log has an empty key.
    pub(crate) reads: fn(&[u8], &[u8]) -> bool,
    /// Whether this program would write that value with these bytes: many a value reads as another type too.
    pub(crate) writes: fn(&[u8]) -> bool,
    /// What of a log's payloads can be searched for.
    pub(crate) text: Option<TextShape>,
}

/// Gives the text of an encoded payload; `None` where it has none, or cannot be read.
pub(crate) type TextOf = dyn Fn(&[u8]) -> Option<String> + Send + Sync;

/// What of a payload can be searched for.
#[derive(Clone)]
pub(crate) struct TextShape(pub(crate) Arc<TextOf>);

impl fmt::Debug for TextShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TextShape")
    }
}

impl Shape {
    /// Its stored name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What can be searched for in a payload.
    pub(crate) fn text_of(&self, payload: &[u8]) -> Option<String> {
        self.text.as_ref().and_then(|text| (text.0)(payload))
    }

    /// The steps that lead from a stored version to the declared one.
    pub(crate) fn steps_from(&self, stored: u32) -> Result<&'static [Migration], OpenError> {
        let Some(missing) = self.version.checked_sub(stored) else {
            return Err(OpenError::Newer {
                what: self.name.to_owned(),
                stored,
                known: self.version,
            });
        };
        match self.migrations.len().checked_sub(missing as usize) {
            Some(first) => Ok(&self.migrations[first..]),
            None => Err(OpenError::TooOld {
                shape: self.name,
                stored,
                declared: self.version,
            }),
        }
    }

    /// Takes a row through steps of a migration.
    pub(crate) fn step(&self, row: &mut Row, steps: &[Migration]) -> Result<Verdict, OpenError> {
        for step in steps {
            match step(row) {
                Ok(Verdict::Keep) => {}
                Ok(Verdict::Drop) => return Ok(Verdict::Drop),
                Err(error) => {
                    return Err(OpenError::Migration {
                        shape: self.name,
                        error,
                    });
                }
            }
        }
        Ok(Verdict::Keep)
    }

    /// The keys of a stored row in each index, sorted.
    pub(crate) fn index_keys(
        &self,
        key: &[u8],
        value: &[u8],
    ) -> Result<Vec<(&'static str, Vec<u8>)>, StoreError> {
        let mut all = Vec::new();
        for index in &self.indexes {
            let keys = (index.keys)(key, value).ok_or(StoreError::Damaged { shape: self.name })?;
            Limit::IndexKeys.check(keys.len())?;
            for key in keys {
                Limit::KeyBytes.check(key.len())?;
                all.push((index.name, key));
            }
        }
        all.sort_unstable();
        all.dedup();
        Ok(all)
    }

    /// The keys of a migrated row in each index, sorted.
    pub(crate) fn migrated_index_keys(
        &self,
        row: &Row,
    ) -> Result<Vec<(&'static str, Vec<u8>)>, OpenError> {
        self.index_keys(&row.key, &row.value)
            .map_err(|_| OpenError::Migration {
                shape: self.name,
                error: RowError::Value,
            })
    }
}

/// Table or log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShapeKind {
    Table,
    Log,
}

/// Gives the index keys of an encoded key and value; `None` where these cannot be read.
pub(crate) type IndexKeys = dyn Fn(&[u8], &[u8]) -> Option<Vec<Vec<u8>>> + Send + Sync;

/// One declared index.
#[derive(Clone)]
pub(crate) struct IndexShape {
    pub(crate) name: &'static str,
    pub(crate) unique: bool,
    pub(crate) keys: Arc<IndexKeys>,
}

impl fmt::Debug for IndexShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IndexShape")
            .field("name", &self.name)
            .field("unique", &self.unique)
            .finish()
    }
}

/// One step of a migration: brings a row from one version of its shape to the next.
///
/// All steps of all shapes run in one transaction when the store is opened; an error leaves the store as it
/// was, and the store is not opened.
pub type Migration = fn(&mut Row) -> Result<Verdict, RowError>;

/// What becomes of a row in a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It stays, with the key and value that it has now.
    Keep,
    /// It goes.
    Drop,
}

/// A row that a migration cannot bring to the next version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// The key is not of the type that it was read as.
    #[error("the key is not of the declared type")]
    Key,
    /// The value is not of the type that it was read as.
    #[error("the value is not of the declared type")]
    Value,
    /// The value is well-formed, and has no place in the next version.
    #[error("the value has no place in the next version: {0}")]
    Unfit(&'static str),
}

/// A stored row in a migration. The entry of a log has an empty key, and its payload for a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

impl Row {
    /// Reads the key as it was declared in the version that it comes from.
    ///
    /// # Errors
    /// [`RowError::Key`] where it is of another type.
    pub fn key<K: Key>(&self) -> Result<K, RowError> {
        decoded(&self.key).ok_or(RowError::Key)
    }

    /// Reads the value as it was declared in the version that it comes from.
    ///
    /// # Errors
    /// [`RowError::Value`] where it is of another type.
    pub fn value<V: Message + Default>(&self) -> Result<V, RowError> {
        V::decode(self.value.as_slice()).map_err(|_| RowError::Value)
    }

    /// Sets the key of the next version. No effect on the entry of a log.
    pub fn set_key<K, Q: AsKey<K> + ?Sized>(&mut self, key: &Q) {
        self.key = encoded(key);
    }

    /// Sets the value of the next version.
    pub fn set_value<V: Message>(&mut self, value: &V) {
        self.value = value.encode_to_vec();
    }
}

/// The declared shapes by name, refused where they cannot be told apart.
pub(crate) fn declared(shapes: &[Shape]) -> Result<BTreeMap<&'static str, Shape>, OpenError> {
    let mut all = BTreeMap::new();
    for shape in shapes {
        let refuse = |reason| {
            Err(OpenError::Declared {
                shape: shape.name,
                reason,
            })
        };
        let mut indexes: Vec<_> = shape.indexes.iter().map(|index| index.name).collect();
        indexes.sort_unstable();
        if ![shape.name]
            .iter()
            .chain(&indexes)
            .all(|name| is_name(name))
        {
            return refuse("a name is made of lower-case letters, digits and -");
        }
        if indexes.windows(2).any(|pair| pair[0] == pair[1]) {
            return refuse("two indexes have one name");
        }
        if (shape.version as usize) <= shape.migrations.len() {
            return refuse("there are more migrations than versions");
        }
        if all.insert(shape.name, shape.clone()).is_some() {
            return refuse("two shapes have one name");
        }
    }
    Ok(all)
}

fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty() && name.bytes().all(fits)
}
