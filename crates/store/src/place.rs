//! Where a store is, whatever kind it is of.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::backup::{BackupError, BackupSummary};
use crate::error::OpenError;
use crate::objects::ObjectPlace;
use crate::postgres::{PostgresAddress, PostgresOptions};
use crate::shape::Shape;
use crate::sqlite::SqliteOptions;
use crate::store::Store;

/// A place that a store is opened at, with the options that fit most machines; and the object store that has its blobs, if one
/// has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorePlace {
    /// A data directory, with SQLite in it.
    Directory(PathBuf, Option<ObjectPlace>),
    /// A database of a PostgreSQL server.
    Database(PostgresAddress, Option<ObjectPlace>),
}

impl fmt::Display for StorePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let objects = match self {
            Self::Directory(path, objects) => {
                path.display().fmt(f)?;
                objects
            }
            Self::Database(address, objects) => {
                address.fmt(f)?;
                objects
            }
        };
        match objects {
            Some(objects) => write!(f, ", with its files in {objects}"),
            None => Ok(()),
        }
    }
}

fn sqlite_options(objects: Option<&ObjectPlace>) -> SqliteOptions {
    SqliteOptions {
        objects: objects.cloned(),
        ..SqliteOptions::default()
    }
}

fn postgres_options(objects: Option<&ObjectPlace>) -> PostgresOptions {
    PostgresOptions {
        objects: objects.cloned(),
        ..PostgresOptions::default()
    }
}

impl StorePlace {
    /// Opens it, creating what it needs where there is nothing. Blocks.
    ///
    /// # Errors
    /// As for [`Store::sqlite`] and [`Store::postgres`].
    pub fn open(&self, shapes: &[Shape]) -> Result<Store, OpenError> {
        match self {
            Self::Directory(path, objects) => {
                Store::sqlite(path, &sqlite_options(objects.as_ref()), shapes)
            }
            Self::Database(address, objects) => {
                Store::postgres(address, &postgres_options(objects.as_ref()), shapes)
            }
        }
    }

    /// Whether [`open`](Self::open) would take it, as far as that can be known without a change: `false` where there is
    /// nothing yet. The object store is not looked at. Blocks.
    ///
    /// # Errors
    /// As for [`Store::sqlite_look`] and [`Store::postgres_look`].
    pub fn look(&self, shapes: &[Shape]) -> Result<bool, OpenError> {
        match self {
            Self::Directory(path, _) => Store::sqlite_look(path, shapes),
            Self::Database(address, _) => {
                Store::postgres_look(address, &PostgresOptions::default(), shapes)
            }
        }
    }

    /// Restores a backup into it, where there is nothing yet. Blocks.
    ///
    /// # Errors
    /// As for [`Store::sqlite_restore`] and [`Store::postgres_restore`].
    pub fn restore(&self, backup: &Path, shapes: &[Shape]) -> Result<BackupSummary, BackupError> {
        match self {
            Self::Directory(path, objects) => {
                Store::sqlite_restore(backup, path, objects.as_ref(), shapes)
            }
            Self::Database(address, objects) => {
                let options = postgres_options(objects.as_ref());
                Store::postgres_restore(backup, address, &options, shapes)
            }
        }
    }

    /// Restores what is read, which nobody has verified before: it takes effect when all of it was found to be right.
    pub(crate) fn restore_from(
        &self,
        input: impl std::io::Read,
        shapes: &[Shape],
    ) -> Result<BackupSummary, BackupError> {
        match self {
            Self::Directory(path, objects) => {
                crate::sqlite::restore_from(input, path, objects.as_ref(), shapes)
            }
            Self::Database(address, objects) => {
                let options = postgres_options(objects.as_ref());
                crate::postgres::restore_from(input, address, &options, shapes)
            }
        }
    }
}
