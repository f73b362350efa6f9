//! Where the server stores: a data directory, or a database, and then a directory for the socket for commands alone.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use waxwing_server::Server;
use waxwing_store::{ObjectPlace, ObjectPlaceError, OpenError, Store, StoreError, StorePlace};

use crate::config::{At, Blobs, Config, Database};
use crate::data_dir::mend;
use crate::files;

/// Longest password in a file, in bytes.
const PASSWORD_BYTES_MAX: u64 = 1_024;
/// What keeps two servers from one directory; with SQLite, the store has it.
const LOCK: &str = "waxwing.lock";
/// Where files lie in the data directory while they come.
const SPOOL: &str = "blobs";
/// The file in the data directory that says how many commits of the database were acknowledged.
const COMMITS: &str = "database-commits";
/// The database that SQLite would use.
const SQLITE: &str = "waxwing.db";

/// Why the server's store cannot be opened, or is of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StorageError {
    /// The file with the database's password.
    #[error("{at}{}: {reason}", .path.display())]
    Password {
        /// The key that names it.
        at: At,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The data directory.
    #[error("the data directory {} cannot be opened: {error}{}", .path.display(), mended(.error))]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        error: OpenError,
    },
    /// The database, or the object store for files.
    #[error("{at}{error}{}", mended(.error))]
    Database {
        /// The key that names it.
        at: At,
        /// Why.
        error: OpenError,
    },
    /// The key of the object store for files.
    #[error("{at}{error}")]
    Blobs {
        /// The key that names it.
        at: At,
        /// What is wrong with it.
        error: ObjectPlaceError,
    },
    /// What is stored, when the server looks for what it needs.
    #[error("{place} cannot be used: {error}{}", lost(.error))]
    Data {
        /// The data directory or the database.
        place: String,
        /// Why.
        error: StoreError,
    },
}

fn mended(error: &OpenError) -> String {
    mend(error).map_or_else(String::new, |mend| format!("; {mend}"))
}

fn lost(error: &StoreError) -> &'static str {
    match error {
        StoreError::Damaged { .. } => "; `waxwing doctor` says what is damaged, and saves the rest",
        _ => "",
    }
}

/// A store, and what keeps other servers away from its directory as long as it is open.
pub(crate) struct Opened {
    /// The store.
    pub store: Store,
    /// Held as long as the server runs; with SQLite, the store has it.
    pub lock: Option<File>,
}

/// Opens what the configuration names.
pub(crate) fn open(config: &Config) -> Result<Opened, StorageError> {
    let place = place(config)?;
    let lock = match &config.store {
        Some(_) => Some(hold(&config.data_dir)?),
        None => None,
    };
    if let Some(left) = left_behind(config) {
        tracing::warn!("{left}");
    }
    let store = place.open(&Server::shapes());
    let store = store.map_err(|error| refused(config, error))?;
    Ok(Opened { store, lock })
}

/// Where the configuration has the store; a database's password is read now.
pub(crate) fn place(config: &Config) -> Result<StorePlace, StorageError> {
    let objects = objects(config)?;
    let Some(database) = &config.store else {
        return Ok(StorePlace::Directory(config.data_dir.clone(), objects));
    };
    let Database {
        address,
        password_file,
    } = database.clone();
    let address = address.with_notes(config.data_dir.join(COMMITS));
    let Some(path) = password_file else {
        return Ok(StorePlace::Database(address, objects));
    };
    match read_password(&path) {
        Ok(password) => {
            let address = address.with_password(&password);
            Ok(StorePlace::Database(address, objects))
        }
        Err(reason) => Err(StorageError::Password {
            at: config.places.at(&["store.password_file".to_owned()]),
            path,
            reason,
        }),
    }
}

/// The object store for files, if the configuration names one. What comes lies in the data directory until it is whole.
pub(crate) fn objects(config: &Config) -> Result<Option<ObjectPlace>, StorageError> {
    let place = |blobs: &Blobs| {
        let place = blobs.place().map_err(|error| StorageError::Blobs {
            at: config.places.at(&["blobs.secret_file".to_owned()]),
            error,
        })?;
        Ok(place.with_spool(config.data_dir.join(SPOOL)))
    };
    config.blobs.as_ref().map(place).transpose()
}

/// What is said of a store that cannot be opened.
pub(crate) fn refused(config: &Config, error: OpenError) -> StorageError {
    if let OpenError::Objects { .. } = error {
        return StorageError::Database {
            at: config.places.at(&["blobs.url".to_owned()]),
            error,
        };
    }
    match &config.store {
        None => StorageError::Directory {
            path: config.data_dir.clone(),
            error,
        },
        Some(_) => StorageError::Database {
            at: config.places.at(&["store.url".to_owned()]),
            error,
        },
    }
}

/// What is said of a store that was opened, and has not what the server needs.
pub(crate) fn unusable(config: &Config, error: StoreError) -> StorageError {
    let place = match &config.store {
        None => format!("the data directory {}", config.data_dir.display()),
        Some(_) => shown(config),
    };
    StorageError::Data { place, error }
}

/// Where everything is, as it is shown.
pub(crate) fn shown(config: &Config) -> String {
    let store = match &config.store {
        None => config.data_dir.display().to_string(),
        Some(database) => database.address.to_string(),
    };
    match &config.blobs {
        None => store,
        Some(blobs) => format!("{store}, with files in {}", blobs.shown()),
    }
}

/// What a directory holds that once was the store, and is not any more.
pub(crate) fn left_behind(config: &Config) -> Option<String> {
    let database = config.store.as_ref()?;
    let dir = config.data_dir.display();
    config.data_dir.join(SQLITE).exists().then(|| {
        format!(
            "{dir} holds a SQLite database, which is not used: everything is in {}; `waxwing store copy --from {dir}` moves it there",
            database.address
        )
    })
}

/// The first line of a file, which is all that it holds.
fn read_password(path: &Path) -> Result<String, String> {
    // With the end of its line.
    let bytes = files::read(path, PASSWORD_BYTES_MAX + 2).map_err(|error| error.to_string())?;
    let text = String::from_utf8(bytes).map_err(|_| "it is no UTF-8 text".to_owned())?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        return Err("it is empty; a password was expected".to_owned());
    }
    if line.contains(['\n', '\0']) {
        return Err("it holds more than one line, which is the password".to_owned());
    }
    Ok(line.to_owned())
}

/// Makes the directory where it is not there, and keeps other servers out of it.
fn hold(dir: &Path) -> Result<File, StorageError> {
    let failed = |error: io::Error| StorageError::Directory {
        path: dir.to_owned(),
        error: match error.kind() {
            io::ErrorKind::ReadOnlyFilesystem => OpenError::ReadOnly(dir.to_owned()),
            io::ErrorKind::PermissionDenied => OpenError::Denied(dir.to_owned()),
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                OpenError::NoDirectory(dir.to_owned())
            }
            _ => OpenError::Environment {
                path: dir.to_owned(),
                error: StoreError::Failed {
                    code: error.raw_os_error().unwrap_or(-1),
                    text: error.to_string(),
                },
            },
        },
    };
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(failed)?;
    let lock = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(dir.join(LOCK))
        .map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StorageError::Directory {
            path: dir.to_owned(),
            error: OpenError::InUse(dir.to_owned()),
        }),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_one_line() {
        let path = std::env::temp_dir().join(format!("waxwing-password-{}", std::process::id()));
        let read = |text: &[u8]| {
            fs::write(&path, text).unwrap();
            read_password(&path)
        };
        for text in [&b"se cret"[..], b"se cret\n", b"se cret\r\n"] {
            assert_eq!(read(text).as_deref(), Ok("se cret"));
        }
        for text in [&b""[..], b"\n", b"a\nb\n", b"a\0b", b"\xff", &[b'a'; 2_000]] {
            assert!(read(text).is_err(), "{text:?}");
        }
        fs::remove_file(&path).unwrap();
        assert!(read_password(&path).unwrap_err().contains("No such file"));
    }

    #[test]
    fn a_directory_has_one_server_and_is_its_own() {
        use std::os::unix::fs::PermissionsExt;
        let dir = std::env::temp_dir().join(format!("waxwing-hold-{}/a/b", std::process::id()));
        let held = hold(&dir).unwrap();
        let mode = fs::metadata(&dir).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let second = hold(&dir).unwrap_err();
        assert!(second.to_string().contains("in use"), "{second}");
        drop(held);
        hold(&dir).unwrap();
        let file = dir.join(LOCK);
        assert!(hold(&file).is_err());
        fs::remove_dir_all(dir.ancestors().nth(2).unwrap()).unwrap();
    }
}
