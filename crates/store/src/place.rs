//! Where a store is, whatever kind it is of.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::backup::{BackupError, BackupSummary};
use crate::error::OpenError;
use crate::postgres::{PostgresAddress, PostgresOptions};
use crate::shape::Shape;
use crate::sqlite::SqliteOptions;
use crate::store::Store;

/// A place that a store is opened at, with the options that fit most machines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorePlace {
    /// A data directory, with SQLite in it.
    Directory(PathBuf),
    /// A database of a PostgreSQL server.
    Database(PostgresAddress),
}

impl fmt::Display for StorePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => path.display().fmt(f),
            Self::Database(address) => address.fmt(f),
        }
    }
}

impl StorePlace {
    /// Opens it, creating what it needs where there is nothing. Blocks.
    ///
    /// # Errors
    /// As for [`Store::sqlite`] and [`Store::postgres`].
    pub fn open(&self, shapes: &[Shape]) -> Result<Store, OpenError> {
        match self {
            Self::Directory(path) => Store::sqlite(path, &SqliteOptions::default(), shapes),
            Self::Database(address) => {
                Store::postgres(address, &PostgresOptions::default(), shapes)
            }
        }
    }

    /// Whether [`open`](Self::open) would take it, as far as that can be known without a change: `false` where there is
    /// nothing yet. Blocks.
    ///
    /// # Errors
    /// As for [`Store::sqlite_look`] and [`Store::postgres_look`].
    pub fn look(&self, shapes: &[Shape]) -> Result<bool, OpenError> {
        match self {
            Self::Directory(path) => Store::sqlite_look(path, shapes),
            Self::Database(address) => {
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
            Self::Directory(path) => Store::sqlite_restore(backup, path, shapes),
            Self::Database(address) => {
                Store::postgres_restore(backup, address, &PostgresOptions::default(), shapes)
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
            Self::Directory(path) => crate::sqlite::restore_from(input, path, shapes),
            Self::Database(address) => {
                crate::postgres::restore_from(input, address, &PostgresOptions::default(), shapes)
            }
        }
    }
}
