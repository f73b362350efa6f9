//! Opening a data directory: first everything that can be a reason not to, without a byte written.
//!
//! Length: each question has those before it answered, and they are read in that order.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::ahead_index::{Waiting, boot};
use super::blobs::sync_directory;
use super::doctor::{Image, PAGE_BYTES, damages};
use super::fault::{failed, io_failed};
use super::migrate::{self, check};
use super::probe::{WEIGHED_BYTES_MAX, probe};
use super::shapes::{self, Shapes};
use crate::error::{OpenError, StoreError};
use crate::examination::{Damage, DamagedPart};
use crate::shape::Shape;

/// Attempts to lock a directory. A program that is being started has all that its parent had open, for the moment until it
/// runs, and a lock that was let go of meanwhile is held by that.
const LOCK_ATTEMPTS: u32 = 5;
/// Time between two of them.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// `Waxw`: SQLite's `application_id`, which says whose file it is.
pub(super) const APPLICATION_ID: u32 = u32::from_be_bytes(*b"Waxw");
/// The layout of `schema.sql`: SQLite's `user_version`.
pub(super) const LAYOUT: u32 = 1;
/// The write-ahead log is cut to this length when it starts from its beginning.
const LOG_BYTES_KEPT: u32 = 64 << 20;
/// Statements of a connection that are kept prepared: more than there are.
const STATEMENTS_KEPT: usize = 128;
/// Nobody holds a lock for long: this is for a process that is just closing.
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// The year 2200, in microseconds since 1970: no clock says a later time. One that was years ahead, and was set right,
/// has damaged nothing.
const CLOCK_MICROS_MAX: u64 = 7_258_118_400 * 1_000_000;

/// The files of a data directory.
pub(super) struct Directory {
    pub(super) database: PathBuf,
    pub(super) blobs: PathBuf,
    /// What a restore builds before it takes effect.
    pub(super) restoring: PathBuf,
    pub(super) path: PathBuf,
}

/// Keeps other processes out as long as it lives. What its file holds is the [`boot`] of who had it last.
pub(super) struct Lock {
    file: File,
}

impl Lock {
    /// Notes that what lies beside it was written since the machine was started. Without room for that it is not noted.
    fn note_boot(&self) -> Option<()> {
        let boot = boot()?;
        let mut noted = Vec::new();
        (&self.file).read_to_end(&mut noted).ok()?;
        if noted != boot {
            self.file.set_len(0).ok()?;
            self.file.write_all_at(&boot, 0).ok()?;
        }
        Some(())
    }
}

impl Directory {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            database: path.join("waxwing.db"),
            blobs: path.join("blobs"),
            restoring: path.join("restoring"),
            path: path.to_owned(),
        }
    }

    /// Takes the directory, creating what is missing, or says why not.
    pub(super) fn open(
        &self,
        bytes_max: Option<u64>,
        declared: &BTreeMap<&'static str, Shape>,
    ) -> Result<(Lock, Connection, Shapes), OpenError> {
        let exists = self.check_files()?;
        self.create()?;
        let lock = self.lock()?;
        // Somebody may have created it meanwhile.
        if exists || self.check_files()? {
            self.check_writable()?;
            self.inspect(declared)?;
        } else {
            create_database(&self.database)?;
        }
        let _without = lock.note_boot();
        let (db, shapes) = self.migrate(bytes_max, declared)?;
        Ok((lock, db, shapes))
    }

    /// What is there under the names of our files is a file: who opens a pipe waits for what comes through it.
    pub(super) fn check_regular(&self) -> Result<(), OpenError> {
        for path in [self.database.clone(), beside(&self.database, "-wal")] {
            if fs::metadata(&path).is_ok_and(|found| !found.is_file()) {
                return Err(OpenError::Foreign(path));
            }
        }
        Ok(())
    }

    /// Whether there is a database, as far as its first bytes say.
    fn check_files(&self) -> Result<bool, OpenError> {
        self.check_regular()?;
        let header = match File::open(&self.database) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
                return Err(OpenError::NoDirectory(self.path.clone()));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return self.check_vacant().map(|()| false);
            }
            Err(error) => return Err(io(&self.database, &error)),
        };
        let mut bytes = Vec::new();
        header
            .take(100)
            .read_to_end(&mut bytes)
            .map_err(|error| io(&self.database, &error))?;
        let Ok(header) = <[u8; 100]>::try_from(bytes) else {
            return Err(OpenError::Foreign(self.database.clone()));
        };
        let number = |at: usize| {
            u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        if !header.starts_with(b"SQLite format 3\0") || number(68) != APPLICATION_ID {
            return Err(OpenError::Foreign(self.database.clone()));
        }
        if number(60) > LAYOUT {
            return Err(newer_layout(number(60)));
        }
        let page_bytes = u64::from(number(16) >> 16);
        if page_bytes != PAGE_BYTES as u64 {
            return Err(self.damaged("its first bytes do not say the size of its pages"));
        }
        let length = fs::metadata(&self.database)
            .map_err(|error| io(&self.database, &error))?
            .len();
        if length < page_bytes * u64::from(number(28)) && !beside(&self.database, "-wal").exists() {
            return Err(self.damaged("it is shorter than it says"));
        }
        if beside(&self.database, "-journal").exists() {
            return Err(self.damaged("there is a rollback journal, which it never has"));
        }
        Ok(true)
    }

    /// Looks at what there is, and writes nothing: whether there is a database that [`open`](Self::open) would take.
    pub(super) fn look(&self, declared: &BTreeMap<&'static str, Shape>) -> Result<bool, OpenError> {
        // Who has it open has found it good, and would be disturbed.
        let lock = self.path.join("waxwing.lock");
        let _held = match File::open(&lock) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => None,
            Err(error) => return Err(io(&lock, &error)),
            Ok(file) => Some(self.locked(file)?),
        };
        let exists = self.check_files()?;
        if exists {
            self.check_writable()?;
            self.inspect(declared)?;
        }
        Ok(exists)
    }

    /// Whether what is there could be written to; nothing is.
    fn check_writable(&self) -> Result<(), OpenError> {
        for path in [self.database.clone(), beside(&self.database, "-wal")] {
            match OpenOptions::new().write(true).open(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(io(&path, &error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn create(&self) -> Result<(), OpenError> {
        if self.path.is_dir() {
            return Ok(());
        }
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        let created = builder
            .create(&self.path)
            .and_then(|()| match self.path.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => sync_directory(parent),
                _ => Ok(()),
            });
        created.map_err(|error| io(&self.path, &error))
    }

    pub(super) fn lock(&self) -> Result<Lock, OpenError> {
        let path = self.path.join("waxwing.lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path);
        self.locked(file.map_err(|error| io(&path, &error))?)
    }

    pub(super) fn locked(&self, file: File) -> Result<Lock, OpenError> {
        for attempt in 1..=LOCK_ATTEMPTS {
            match file.try_lock() {
                Ok(()) => return Ok(Lock { file }),
                Err(TryLockError::WouldBlock) if attempt < LOCK_ATTEMPTS => {
                    thread::sleep(LOCK_PAUSE);
                }
                Err(TryLockError::WouldBlock) => break,
                Err(TryLockError::Error(error)) => return Err(io(&self.path, &error)),
            }
        }
        Err(OpenError::InUse(self.path.clone()))
    }

    /// Looks into the database, and writes nothing.
    fn inspect(&self, declared: &BTreeMap<&'static str, Shape>) -> Result<(), OpenError> {
        let image = Image::open(&self.database).map_err(|error| io(&self.database, &error))?;
        self.check_ahead(&image)?;
        if image.layout > LAYOUT {
            return Err(newer_layout(image.layout));
        }
        if let Some(detail) = image.wrong_header() {
            return Err(self.damaged(&detail));
        }
        if let Some((there, counted)) = image.wrong_length() {
            let detail = format!("it has {there} pages and counts {counted}");
            return Err(self.damaged(&detail));
        }
        let db = inspecting_connection(&self.database).map_err(|error| self.refused(&error))?;
        let detail = probe(&db, &image).map_err(|error| self.refused(&error))?;
        if detail != "ok" {
            // The line before says only which of its databases SQLite speaks of.
            return Err(self.damaged(detail.lines().last().unwrap_or(&detail)));
        }
        let stored = shapes::stored(&db).map_err(|error| self.refused(&error))?;
        check(&stored, declared)?;
        drop(db);
        if image.bytes() > WEIGHED_BYTES_MAX {
            return Ok(());
        }
        let damages = self.weigh(&image, declared)?;
        // Of a row that a migration cannot read, that says more.
        let is_due = |name: &String| {
            let both = declared.get(name.as_str()).zip(stored.get(name));
            both.is_some_and(|(shape, stored)| !migrate::is_same(shape, stored))
        };
        let mut damages = damages
            .iter()
            .filter(|damage| !matches!(&damage.part, DamagedPart::Shape(name) if is_due(name)));
        damages.next().map_or(Ok(()), |damage| {
            Err(self.damaged(&format!("{}: {}", damage.part, damage.text)))
        })
    }

    /// What an examination finds damaged.
    fn weigh(
        &self,
        image: &Image,
        declared: &BTreeMap<&'static str, Shape>,
    ) -> Result<Vec<Damage>, OpenError> {
        damages(image, declared, CLOCK_MICROS_MAX).map_err(|error| match error {
            StoreError::Damaged { .. } => self.damaged(&error.to_string()),
            error => OpenError::Environment {
                path: self.database.clone(),
                error,
            },
        })
    }

    /// Refuses a write-ahead log that SQLite would read only to its first damage: what stands behind it was acknowledged.
    fn check_ahead(&self, image: &Image) -> Result<(), OpenError> {
        let path = beside(&self.database, "-wal");
        let missing = match (&image.ahead, image.index) {
            (Some(ahead), _) => ahead.missing,
            (None, Some(index)) => match index.of_none(&path, self.is_same_boot()) {
                Waiting::Lost(frames) => frames,
                Waiting::Maybe(_) | Waiting::None => 0,
            },
            (None, None) => 0,
        };
        let detail = if missing > 0 {
            format!("{missing} pages that were committed to it are missing")
        } else if (image.ahead.as_ref()).is_some_and(|ahead| ahead.is_damaged) {
            "it is not what was written".to_owned()
        } else {
            return Ok(());
        };
        Err(OpenError::Damaged { path, detail })
    }

    /// Whether what lies here was written since the machine was started.
    pub(super) fn is_same_boot(&self) -> bool {
        let noted = fs::read(self.path.join("waxwing.lock")).ok();
        boot().is_some_and(|boot| noted == Some(boot))
    }

    /// Has what was committed to the log on the disk before anybody reads it. A process that was killed in the middle
    /// of a commit may have left one that only the machine's memory holds; its index counts it from now on.
    fn sync_ahead(&self) -> Result<(), OpenError> {
        let path = beside(&self.database, "-wal");
        match File::open(&path).and_then(|log| log.sync_all()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io(&path, &error)),
            _ => Ok(()),
        }
    }

    /// Opens the database for writing, with every shape as it is declared.
    fn migrate(
        &self,
        bytes_max: Option<u64>,
        declared: &BTreeMap<&'static str, Shape>,
    ) -> Result<(Connection, Shapes), OpenError> {
        self.sync_ahead()?;
        let open = || {
            let db = writer_connection(&self.database, bytes_max)?;
            // Until the migration is through, closing leaves the database as it is.
            db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
            Ok(db)
        };
        let mut db = open().map_err(|error| self.refused(&error))?;
        let shapes = migrate::migrate(&mut db, declared).map_err(|error| match error {
            migrate::Error::Refused(error) => error,
            migrate::Error::Database(error) => self.refused(&error),
        })?;
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)
            .map_err(|error| self.refused(&error))?;
        Ok((db, shapes))
    }

    pub(super) fn refused(&self, error: &rusqlite::Error) -> OpenError {
        match failed(error) {
            StoreError::Damaged { .. } => self.damaged(&error.to_string()),
            error => OpenError::Environment {
                path: self.database.clone(),
                error,
            },
        }
    }

    fn damaged(&self, detail: &str) -> OpenError {
        OpenError::Damaged {
            path: self.database.clone(),
            detail: detail.to_owned(),
        }
    }
}

/// An error of the file system while opening.
pub(super) fn io(path: &Path, error: &std::io::Error) -> OpenError {
    let path = path.to_owned();
    match error.kind() {
        std::io::ErrorKind::ReadOnlyFilesystem => OpenError::ReadOnly(path),
        std::io::ErrorKind::PermissionDenied => OpenError::Denied(path),
        _ => OpenError::Environment {
            path,
            error: io_failed(error),
        },
    }
}

pub(super) fn newer_layout(stored: u32) -> OpenError {
    OpenError::Newer {
        what: "the layout of the database".to_owned(),
        stored,
        known: LAYOUT,
    }
}

/// The file beside the database whose name ends so.
pub(super) fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(database);
    name.push(ending);
    PathBuf::from(name)
}

/// Creates the database under another name and then gives it its own: it is never there half.
pub(super) fn create_database(path: &Path) -> Result<(), OpenError> {
    let new = beside(path, ".new");
    let fresh = || {
        for old in [
            new.clone(),
            beside(&new, "-wal"),
            beside(&new, "-shm"),
            beside(&new, "-journal"),
        ] {
            match fs::remove_file(old) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&new)
    };
    let file = fresh().map_err(|error| io(&new, &error))?;
    let fill = || {
        let mut db = Connection::open_with_flags(&new, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        // Nobody reads it before it has its name, which it gets when the whole of it is on the disk.
        db.pragma_update(None, "synchronous", "OFF")?;
        db.pragma_update(None, "journal_mode", "MEMORY")?;
        let all = db.transaction()?;
        all.execute_batch(include_str!("schema.sql"))?;
        all.pragma_update(None, "application_id", APPLICATION_ID)?;
        all.pragma_update(None, "user_version", LAYOUT)?;
        all.commit()?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        db.close().map_err(|(_, error)| error)
    };
    fill().map_err(|error: rusqlite::Error| OpenError::Environment {
        path: new.clone(),
        error: failed(&error),
    })?;
    let name = || {
        file.sync_all()?;
        fs::rename(&new, path)?;
        path.parent().map_or(Ok(()), sync_directory)
    };
    name().map_err(|error| io(path, &error))
}

/// A connection that looks, and leaves every byte as it is: without a log it takes the file for immutable; with
/// one it reads the log, keeps its index in memory instead of a file, and does not clean up when it is closed.
fn inspecting_connection(path: &Path) -> rusqlite::Result<Connection> {
    if !beside(path, "-wal").exists() {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        return Connection::open_with_flags(immutable_uri(path), flags);
    }
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    Ok(db)
}

fn immutable_uri(path: &Path) -> OsString {
    let mut uri = OsString::from("file:");
    // What means something in a URI; paths that are not UTF-8 have none of it after the first such byte.
    match path.to_str() {
        Some(text) => uri.push(
            text.replace('%', "%25")
                .replace('?', "%3f")
                .replace('#', "%23"),
        ),
        None => uri.push(path),
    }
    uri.push("?immutable=1");
    uri
}

/// The connection that writes.
pub(super) fn writer_connection(
    path: &Path,
    bytes_max: Option<u64>,
) -> rusqlite::Result<Connection> {
    let db = beside_connection(path)?;
    if let Some(bytes) = bytes_max {
        let page_bytes: u64 = db.query_row("PRAGMA page_size", [], |row| row.get(0))?;
        db.pragma_update(None, "max_page_count", bytes / page_bytes)?;
    }
    db.pragma_update(None, "synchronous", "FULL")?;
    // What somebody has removed is not left in the file's free room.
    db.pragma_update(None, "secure_delete", true)?;
    db.pragma_update(None, "cache_size", -16_384)?;
    db.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT)?;
    Ok(db)
}

/// A connection beside the writer.
pub(super) fn beside_connection(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    db.busy_timeout(BUSY_WAIT)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    db.pragma_update(None, "wal_autocheckpoint", 0)?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    db.pragma_update(None, "trusted_schema", false)?;
    Ok(db)
}

/// A connection that reads.
pub(super) fn reader_connection(path: &Path) -> rusqlite::Result<Connection> {
    let db = beside_connection(path)?;
    db.pragma_update(None, "query_only", true)?;
    Ok(db)
}
