//! What may stand in a data directory without a database: nothing that belongs to somebody else.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::open::{Directory, beside, io};
use crate::error::OpenError;

/// What stands beside the data and is none of it: the file system's, the daemon's socket, which stays behind when it is
/// killed, and the keys of tokens and of push, which are kept outside what is stored.
pub(super) const BESIDE: [&str; 9] = [
    "waxwing.lock",
    "admin.sock",
    "token-keys",
    "token-keys.new",
    "database-commits",
    "database-commits.new",
    "push-key",
    "push-key.new",
    "lost+found",
];
/// Names that are quoted in an error.
const NAMED_MAX: usize = 3;

impl Directory {
    /// Refuses a directory without a database that is anything but empty. What a first start leaves that was cut
    /// short is nothing, and so is what a file system keeps for itself.
    ///
    /// Parts without the database mean that it was moved or lost; starting anew would remove them.
    pub(super) fn check_vacant(&self) -> Result<(), OpenError> {
        let files = match fs::read_dir(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == ErrorKind::NotADirectory => {
                return Err(OpenError::NoDirectory(self.path.clone()));
            }
            files => files.map_err(|error| io(&self.path, &error))?,
        };
        let mut names = Vec::new();
        for file in files {
            names.push(file.map_err(|error| io(&self.path, &error))?.file_name());
        }
        names.sort_unstable();
        if self.is_unfinished_restore() {
            return Err(OpenError::Unrestored(self.path.clone()));
        }
        for found in [
            beside(&self.database, "-wal"),
            beside(&self.database, "-shm"),
            self.blobs.clone(),
        ] {
            if found.exists() && !is_empty_directory(&found) {
                return Err(OpenError::Incomplete {
                    found,
                    missing: self.database.clone(),
                });
            }
        }
        let mut foreign = names.iter().filter(|name| !self.is_part(name)).peekable();
        if foreign.peek().is_some() {
            return Err(OpenError::Occupied {
                path: self.path.clone(),
                found: quoted(foreign),
            });
        }
        Ok(())
    }

    /// Whether a name is one that we give, or the file system.
    pub(super) fn is_part(&self, name: &OsStr) -> bool {
        match name.to_str() {
            Some(name) if BESIDE.contains(&name) => true,
            Some("blobs") => self.blobs.is_dir(),
            Some(name) => {
                // Which is created under another name, with files of SQLite's beside it.
                let of_database = name
                    .strip_prefix("waxwing.db")
                    .or_else(|| name.strip_prefix("waxwing-words.db"));
                of_database.is_some_and(|ending| {
                    let ending = ending.strip_prefix(".new").unwrap_or(ending);
                    matches!(ending, "" | "-wal" | "-shm" | "-journal")
                })
            }
            None => false,
        }
    }

    /// Whether a restore was begun here: what it builds has no other names than a data directory.
    pub(super) fn is_unfinished_restore(&self) -> bool {
        let new = Directory::new(&self.restoring);
        let Ok(files) = fs::read_dir(&self.restoring) else {
            return false;
        };
        files
            .map_while(Result::ok)
            .all(|file| new.is_part(&file.file_name()))
    }
}

fn is_empty_directory(path: &Path) -> bool {
    fs::read_dir(path).is_ok_and(|mut files| files.next().is_none())
}

/// Some of the names, so that a person sees what it is.
fn quoted<'a>(names: impl Iterator<Item = &'a std::ffi::OsString>) -> String {
    let all: Vec<_> = names.map(|name| format!("{name:?}")).collect();
    let (named, rest) = all.split_at(all.len().min(NAMED_MAX));
    match rest.len() {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}
