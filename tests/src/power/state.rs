//! A directory tree as the power cut left it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::{Base, Disk, DiskError, Journal, Syncs};

/// A directory tree as the power cut left it: paths below the root; `None` is a directory.
#[derive(Debug, PartialEq, Eq)]
pub struct State(pub(super) BTreeMap<PathBuf, Option<Vec<u8>>>);

impl State {
    /// Writes the tree into `root`, which is made and must be empty.
    ///
    /// # Errors
    /// [`DiskError::Io`].
    pub fn write(&self, root: &Path) -> Result<(), DiskError> {
        // Ordered, so a directory comes before what is in it.
        for (path, content) in &self.0 {
            let path = root.join(path);
            match content {
                None => fs::create_dir_all(&path),
                Some(bytes) => fs::write(&path, bytes),
            }
            .map_err(|source| DiskError::Io { path, source })?;
        }
        Ok(())
    }

    /// What a directory holds now, to compare with [`Disk::written`]. Files of SQLite's shared memory are left out, as
    /// the recorder leaves them out.
    ///
    /// # Errors
    /// [`DiskError::Io`].
    pub fn of(root: &Path) -> Result<State, DiskError> {
        let base = Base::read(root)?;
        let empty = Journal::default();
        Ok(Disk::new(&base, &empty, Syncs::Honoured)?.written())
    }

    /// The content of one file, by its path below the root.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&[u8]> {
        self.0.get(Path::new(path))?.as_deref()
    }

    /// The paths in which two states differ.
    #[must_use]
    pub fn difference(&self, other: &State) -> Vec<PathBuf> {
        let paths: BTreeSet<_> = self.0.keys().chain(other.0.keys()).collect();
        paths
            .into_iter()
            .filter(|path| self.0.get(*path) != other.0.get(*path))
            .cloned()
            .collect()
    }
}
