//! Restoring a backup: built in a directory inside the data directory, which takes effect by renames.
//!
//! The database is renamed last. Before that, the directory is refused by a server and taken by another restore, so
//! a crash leaves all or nothing.

use std::fs::{self, File};
use std::io::{BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;

use rusqlite::{Connection, params};

use super::apply::high_water;
use super::blobs::{create_synced, sync_directory};
use super::kept::new_name;
use super::open::{Directory, beside_connection, create_database, io};
use super::read::address_number;
use super::shapes::kind_number;
use super::vacant::BESIDE;
use super::word_index;
use crate::backup::{
    BackupError, BackupSummary, EntryRecord, Header, Reader, Record, RowRecord, verify_backup,
};
use crate::blob::BlobHash;
use crate::error::{OpenError, StoreError};
use crate::objects::{ObjectPlace, ObjectRestore};
use crate::shape::{Shape, ShapeKind, declared};
use crate::store::Store;

/// Records that are committed together: what SQLite holds in memory.
const RECORDS_AT_A_TIME: u64 = 10_000;
/// What a first start gives its own name when it is whole.
const NEW: &str = "waxwing.db.new";
/// Bytes read from the file at a time.
const READ_BYTES: usize = 1 << 20;
/// Pages of the write-ahead log after which it is copied: nobody works beside us.
const LOG_PAGES: u32 = 4_000;

impl Store {
    /// Restores a backup into a data directory that is empty or not there, for [`Store::sqlite`] to open; its blobs into an
    /// object store, if one is named, where nothing may lie either. The backup is
    /// read to its end and checked before anything is written. After an error, and after a crash too, the directory
    /// holds nothing that a server would start on. What is made belongs to whom the directory belongs. Blocks.
    ///
    /// # Errors
    /// [`BackupError`].
    pub fn sqlite_restore(
        backup: &Path,
        directory: &Path,
        objects: Option<&ObjectPlace>,
        shapes: &[Shape],
    ) -> Result<BackupSummary, BackupError> {
        let open = || File::open(backup).map(|file| BufReader::with_capacity(READ_BYTES, file));
        check_empty(&Directory::new(directory))?;
        verify_backup(open()?, shapes)?;
        restore_from(open()?, directory, objects, shapes)
    }
}

/// Restores what is read, which nobody has verified before: the directory gets its database when all of it was found to
/// be right.
pub(crate) fn restore_from(
    input: impl Read,
    directory: &Path,
    objects: Option<&ObjectPlace>,
    shapes: &[Shape],
) -> Result<BackupSummary, BackupError> {
    let place = Directory::new(directory);
    check_empty(&place)?;
    place.create()?;
    let lock = place.lock()?;
    give(&place.path.join("waxwing.lock"), &place.path)?;
    // Nobody else is here now; and nobody was in between.
    check_empty(&place)?;
    clear(&place)?;
    let restored = build(&place, input, objects, shapes).and_then(|(summary, content)| {
        take_effect(&place)?;
        if let Content::Object(restore) = content {
            restore.end();
        }
        Ok(summary)
    });
    if restored.is_err() && !place.database.exists() {
        // What stays behind is refused by a server and cleared by the next restore.
        let _left = clear(&place);
    }
    drop(lock);
    restored.map_err(|error| match error {
        // Nothing else is written to.
        BackupError::Store(error @ (StoreError::DiskFull | StoreError::Unwritable { .. })) => {
            let path = place.path;
            BackupError::Open(OpenError::Environment { path, error })
        }
        error => error,
    })
}

/// Refuses a directory that has anything but what an unfinished restore left.
fn check_empty(place: &Directory) -> Result<(), BackupError> {
    let files = match fs::read_dir(&place.path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        files => files.map_err(|error| io(&place.path, &error))?,
    };
    let unfinished = place.is_unfinished_restore();
    for file in files {
        let file_name = file?.file_name();
        let ours = match file_name.to_str() {
            Some(name) if BESIDE.contains(&name) => true,
            // What a first start left that was cut short.
            Some(name) if name.starts_with(NEW) => place.is_part(&file_name),
            Some("restoring") => unfinished,
            Some("blobs") => unfinished || fs::read_dir(&place.blobs)?.next().is_none(),
            _ => false,
        };
        if !ours {
            return Err(BackupError::NotEmpty(place.path.clone()));
        }
    }
    Ok(())
}

/// Removes what an unfinished restore left, or an unfinished first start.
fn clear(place: &Directory) -> Result<(), BackupError> {
    for ending in ["", "-wal", "-shm", "-journal"] {
        match fs::remove_file(place.path.join(format!("{NEW}{ending}"))) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    for old in [&place.blobs, &place.restoring] {
        match fs::remove_dir_all(old) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

/// Builds everything in `restoring`, and makes it durable there.
fn build(
    place: &Directory,
    input: impl Read,
    objects: Option<&ObjectPlace>,
    shapes: &[Shape],
) -> Result<(BackupSummary, Content), BackupError> {
    let declared = declared(shapes)?;
    let mut reader = Reader::open(input, &declared)?;
    create_synced(&place.restoring)?;
    let new = Directory::new(&place.restoring);
    create_database(&new.database)?;
    let mut db = beside_connection(&new.database)?;
    db.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    let content = match objects {
        Some(objects) => {
            let name = new_name(objects)?;
            new.note_objects(objects, &name)?;
            Content::Object(Box::new(ObjectRestore::begin(
                objects,
                new.blobs.clone(),
                name,
            )?))
        }
        None => Content::File(None),
    };
    let mut fill = Fill::begin(&mut db, &new, content, &reader.header)?;
    while let Some(record) = reader.next()? {
        fill.record(record)?;
    }
    let content = fill.end()?;
    db.close().map_err(|(_, error)| error)?;
    // Brings older shapes to what is declared, and fills the indexes, which are not in a backup.
    let (lock, db, _) = new.open(None, &declared)?;
    db.close().map_err(|(_, error)| error)?;
    drop(lock);
    fs::remove_file(place.restoring.join("waxwing.lock"))?;
    File::open(&new.database)?.sync_all()?;
    give(&place.restoring, &place.path)?;
    sync_directory(&place.restoring)?;
    Ok((reader.summary()?, content))
}

/// Gives what was built to whom the data directory belongs: a restore may be run by root.
fn give(path: &Path, to: &Path) -> Result<(), BackupError> {
    let (owner, ours) = (fs::metadata(to)?, fs::metadata(path)?);
    if (owner.uid(), owner.gid()) == (ours.uid(), ours.gid()) {
        return Ok(());
    }
    chown(path, Some(owner.uid()), Some(owner.gid()))?;
    if path.is_dir() {
        for file in fs::read_dir(path)? {
            give(&file?.path(), to)?;
        }
    }
    Ok(())
}

fn take_effect(place: &Directory) -> Result<(), BackupError> {
    let new = Directory::new(&place.restoring);
    if new.blobs.exists() {
        fs::rename(&new.blobs, &place.blobs)?;
        sync_directory(&place.path)?;
    }
    // An index of words that was left here is of another database; a server makes one.
    word_index::remove(&word_index::words_path(&place.database))?;
    fs::rename(&new.database, &place.database)?;
    sync_directory(&place.path)?;
    fs::remove_dir_all(&place.restoring)?;
    Ok(sync_directory(&place.path)?)
}

/// Puts records as they are into a database that nobody uses yet.
struct Fill<'a> {
    db: &'a Connection,
    blobs: &'a Directory,
    owner: i64,
    payload: i64,
    records: u64,
    content: Content,
}

/// Where blobs go.
enum Content {
    /// Into files: the one that is being written.
    File(Option<File>),
    Object(Box<ObjectRestore>),
}

impl<'a> Fill<'a> {
    fn begin(
        db: &'a mut Connection,
        blobs: &'a Directory,
        content: Content,
        header: &Header,
    ) -> Result<Self, BackupError> {
        let (_, payload) = high_water(db)?;
        db.execute_batch("BEGIN")?;
        for (place, shape) in header.shapes.iter().enumerate() {
            let kind = if shape.is_log {
                ShapeKind::Log
            } else {
                ShapeKind::Table
            };
            db.execute(
                "INSERT INTO shape (id, name, kind, version) VALUES (?1, ?2, ?3, ?4)",
                params![place + 1, shape.name, kind_number(kind), shape.version],
            )?;
        }
        db.execute("UPDATE high_water SET log_id = ?1", [header.last_log_id])?;
        Ok(Self {
            db,
            blobs,
            owner: 0,
            payload,
            records: 0,
            content,
        })
    }

    fn record(&mut self, record: Record) -> Result<(), BackupError> {
        self.records += 1;
        if self.records.is_multiple_of(RECORDS_AT_A_TIME) {
            self.db.execute_batch("COMMIT; BEGIN")?;
        }
        match record {
            Record::Owner(owner) => {
                self.owner += 1;
                self.db
                    .prepare_cached("INSERT INTO owner (id, name) VALUES (?1, ?2)")?
                    .execute(params![self.owner, owner.as_bytes()])?;
            }
            Record::Row(row) => self.row(&row)?,
            Record::Entry(entry) => self.entry(&entry)?,
            Record::Reference(hash, count) => {
                self.db
                    .prepare_cached(
                        "INSERT INTO blob_ref (owner, hash, count) VALUES (?1, ?2, ?3)",
                    )?
                    .execute(params![self.owner, hash.0, count])?;
            }
            Record::Blob(hash) => self.begin_blob(&hash)?,
            Record::Part(bytes) => match &mut self.content {
                Content::File(Some(file)) => file.write_all(&bytes)?,
                Content::File(None) => {}
                Content::Object(restore) => restore.part(&bytes)?,
            },
        }
        Ok(())
    }

    fn row(&self, row: &RowRecord) -> Result<(), BackupError> {
        let mut insert = self.db.prepare_cached(
            "INSERT INTO table_row (shape, owner, key, value, expires) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        insert.execute(params![
            row.shape + 1,
            self.owner,
            row.key,
            row.value,
            row.expires_micros
        ])?;
        Ok(())
    }

    fn entry(&mut self, entry: &EntryRecord) -> Result<(), BackupError> {
        let (log, owner) = (entry.shape + 1, self.owner);
        let address = address_number(entry.address.as_deref());
        self.db
            .prepare_cached(
                "INSERT INTO log_entry (log, owner, id, payload, marks, address) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![log, owner, entry.id, self.payload, entry.marks, address])?;
        self.db
            .prepare_cached(
                "INSERT INTO log_payload (id, log, owner, entry, address, unique_key, payload)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                self.payload,
                log,
                owner,
                entry.id,
                entry.address,
                entry.unique,
                entry.payload
            ])?;
        if let Some(unique) = &entry.unique {
            self.db
                .prepare_cached(
                    "INSERT INTO log_unique (log, owner, key, id) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![log, owner, unique, entry.id])?;
        }
        self.payload += 1;
        Ok(())
    }

    fn begin_blob(&mut self, hash: &BlobHash) -> Result<(), BackupError> {
        self.end_blob()?;
        let file = match &mut self.content {
            Content::File(file) => file,
            Content::Object(restore) => return restore.blob(hash),
        };
        let name = hash.to_string();
        let shard = self.blobs.blobs.join(&name[..2]);
        create_synced(&self.blobs.blobs)?;
        create_synced(&shard)?;
        *file = Some(File::create_new(shard.join(name))?);
        Ok(())
    }

    fn end_blob(&mut self) -> Result<(), BackupError> {
        match &mut self.content {
            Content::File(file) => match file.take() {
                Some(file) => Ok(file.sync_all()?),
                None => Ok(()),
            },
            Content::Object(restore) => restore.end_blobs(),
        }
    }

    fn end(mut self) -> Result<Content, BackupError> {
        self.end_blob()?;
        self.db
            .execute("UPDATE high_water SET payload = ?1", [self.payload])?;
        // The names of the blobs are durable before the database that knows them.
        if matches!(self.content, Content::File(_)) && self.blobs.blobs.exists() {
            for shard in fs::read_dir(&self.blobs.blobs)? {
                sync_directory(&shard?.path())?;
            }
        }
        self.db.execute_batch("COMMIT")?;
        Ok(self.content)
    }
}
