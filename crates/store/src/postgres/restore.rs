//! Restoring a backup: one transaction, so that a database holds all of it or nothing.

use std::io::Read;
use std::path::Path;

use tokio::runtime::{Builder, Runtime};
use tokio_postgres::types::ToSql;

use super::PostgresOptions;
use super::address::Address;
use super::blobs::PART_BYTES;
use super::fault::{damaged, failed};
use super::key::{form, long};
use super::lock;
use super::migrate;
use super::open::{Refusal, begin_empty, unreachable};
use super::read::address_number;
use super::session::Session;
use super::url::PostgresAddress;
use crate::backup::{
    BackupError, BackupSummary, EntryRecord, Header, Reader, Record, RowRecord, verify_backup,
};
use crate::blob::BlobHash;
use crate::log::Marks;
use crate::numbered::kind_number;
use crate::objects::{ObjectPlace, ObjectRestore};
use crate::owner::Owner;
use crate::shape::{Shape, ShapeKind, declared};
use crate::store::Store;

/// Records of a kind that are written together.
const RECORDS_AT_A_TIME: usize = 1_000;
/// Their bytes, after which they are written though there are fewer: they are held in memory twice meanwhile.
const BYTES_AT_A_TIME: usize = 4 << 20;
/// Bytes read from the file at a time.
const READ_BYTES: usize = 1 << 20;

const NAME: &str = "SELECT database::text FROM waxwing.state";
const LAST: &str = "UPDATE waxwing.state SET last_log_id = $1";
const OWNERS: &str =
    "INSERT INTO waxwing.owner (id, name) SELECT * FROM unnest($1::bigint[], $2::bytea[])";
const ROWS: &str =
    "INSERT INTO waxwing.table_row (shape, owner, key, long_key, value, expires) SELECT * FROM
    unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bytea[], $5::bytea[], $6::bigint[])";
const ENTRIES: &str = "INSERT INTO waxwing.log_entry
    (log, owner, id, archived, address_number, address, unique_key, long_unique, payload)
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::boolean[], $5::bigint[], $6::bytea[], $7::bytea[],
        $8::bytea[], $9::bytea[])";
const UNDELIVERED: &str = "INSERT INTO waxwing.log_undelivered (log, owner, id)
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[])";
const REFERENCES: &str = "INSERT INTO waxwing.blob_ref (owner, hash, count)
    SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bigint[])";
const BLOB: &str = "INSERT INTO waxwing.blob (hash, bytes) VALUES ($1, 0) RETURNING id";
const BLOB_BYTES: &str = "UPDATE waxwing.blob SET bytes = $2 WHERE id = $1";
const PART: &str = "INSERT INTO waxwing.blob_part (blob, part, content) VALUES ($1, $2, $3)";

impl Store {
    /// Restores a backup into a database that is empty, for [`Store::postgres`] to open. The backup is read to its end and
    /// checked before anything is written. After an error, and after a crash too, the database is as empty as it was.
    /// Blocks.
    ///
    /// # Errors
    /// [`BackupError`]. Where the connection is lost in the very end, the database may hold all of it.
    pub fn postgres_restore(
        backup: &Path,
        address: &PostgresAddress,
        options: &PostgresOptions,
        shapes: &[Shape],
    ) -> Result<BackupSummary, BackupError> {
        let open = || {
            let file = std::fs::File::open(backup);
            file.map(|file| std::io::BufReader::with_capacity(READ_BYTES, file))
        };
        verify_backup(open()?, shapes)?;
        restore_from(open()?, address, options, shapes)
    }
}

/// Restores what is read, which nobody has verified before: it takes effect when all of it was found to be right.
pub(crate) fn restore_from(
    input: impl Read,
    address: &PostgresAddress,
    options: &PostgresOptions,
    shapes: &[Shape],
) -> Result<BackupSummary, BackupError> {
    let declared = declared(shapes)?;
    let address = Address::new(address, options)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let session = runtime
        .block_on(Session::connect(&address))
        .map_err(|error| unreachable(&address, &error))?;
    let objects = options.objects.as_ref();
    let restored = fill(&runtime, &session, &address, objects, input, &declared);
    // What is not committed is gone with the connection.
    runtime.block_on(session.close());
    restored
}

fn fill(
    runtime: &Runtime,
    session: &Session,
    address: &Address,
    objects: Option<&ObjectPlace>,
    input: impl Read,
    declared: &super::start::Declared,
) -> Result<BackupSummary, BackupError> {
    if !runtime.block_on(begin_empty(session, address))? {
        return Err(BackupError::DatabaseNotEmpty(address.name().to_owned()));
    }
    let mut reader = Reader::open(input, declared)?;
    let mut fill = Fill::new(runtime, session);
    if let Some(objects) = objects {
        fill.restore_into(objects)?;
    }
    fill.shapes(&reader.header)?;
    while let Some(record) = reader.next()? {
        fill.record(record)?;
    }
    fill.end()?;
    let summary = reader.summary()?;
    // Brings older shapes to what is declared, and fills the indexes, which are not in a backup.
    let migrated = runtime.block_on(migrate::migrate(session, declared));
    migrated.map_err(|refusal: Refusal| refusal.explained(address))?;
    fill.ask(session.client.batch_execute("COMMIT"))?;
    if let Some(objects) = fill.objects.take() {
        objects.end();
    }
    fill.ask(lock::give_back(session))?;
    Ok(summary)
}

/// Values of a statement's columns.
type Column = Box<dyn ToSql + Sync>;

/// Records that are written together.
#[derive(Default)]
struct Gathered {
    owners: (Vec<i64>, Vec<Vec<u8>>),
    rows: Vec<(i64, RowRecord)>,
    entries: Vec<(i64, EntryRecord)>,
    references: (Vec<i64>, Vec<Vec<u8>>, Vec<i64>),
    bytes: usize,
}

impl Gathered {
    fn is_enough(&self) -> bool {
        let records =
            self.owners.0.len() + self.rows.len() + self.entries.len() + self.references.0.len();
        records >= RECORDS_AT_A_TIME || self.bytes >= BYTES_AT_A_TIME
    }
}

/// A blob whose content comes.
struct Content {
    id: i64,
    parts: i64,
    bytes: u64,
    /// The part that is not full yet.
    part: Vec<u8>,
}

/// Puts records as they are into tables that nobody uses yet.
struct Fill<'a> {
    runtime: &'a Runtime,
    session: &'a Session,
    owner: i64,
    gathered: Gathered,
    content: Option<Content>,
    /// Where blobs go, if not into the database.
    objects: Option<ObjectRestore>,
}

impl<'a> Fill<'a> {
    fn new(runtime: &'a Runtime, session: &'a Session) -> Self {
        Self {
            runtime,
            session,
            owner: 0,
            gathered: Gathered::default(),
            content: None,
            objects: None,
        }
    }

    /// Has blobs go into an object store, under the name that the database has.
    fn restore_into(&mut self, place: &ObjectPlace) -> Result<(), BackupError> {
        let rows = self.ask(self.session.query(NAME, &[]))?;
        let row = rows.first().ok_or_else(damaged)?;
        let name: String = row.try_get(0).map_err(|error| failed(&error))?;
        self.objects = Some(ObjectRestore::begin(place, place.spool.clone(), name)?);
        Ok(())
    }

    fn ask<T>(
        &self,
        work: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, BackupError> {
        let done = self.runtime.block_on(work);
        done.map_err(|error| failed(&error).into())
    }

    fn put(&self, sql: &str, columns: &[Column]) -> Result<(), BackupError> {
        let given: Vec<&(dyn ToSql + Sync)> = columns.iter().map(AsRef::as_ref).collect();
        self.ask(self.session.execute(sql, &given)).map(drop)
    }

    fn shapes(&self, header: &Header) -> Result<(), BackupError> {
        for (place, shape) in (1_i64..).zip(&header.shapes) {
            let kind = if shape.is_log {
                ShapeKind::Log
            } else {
                ShapeKind::Table
            };
            let (kind, version) = (kind_number(kind), i64::from(shape.version));
            self.ask(
                self.session
                    .execute(migrate::NEW_SHAPE, &[&place, &shape.name, &kind, &version]),
            )?;
        }
        let last = sql_number(header.last_log_id)?;
        self.ask(self.session.execute(LAST, &[&last])).map(drop)
    }

    fn record(&mut self, record: Record) -> Result<(), BackupError> {
        match record {
            Record::Owner(owner) => self.owner(&owner),
            Record::Row(row) => {
                self.gathered.bytes += row.key.len() + row.value.len();
                self.gathered.rows.push((self.owner, row));
            }
            Record::Entry(entry) => {
                self.gathered.bytes += entry.payload.len();
                self.gathered.entries.push((self.owner, entry));
            }
            Record::Reference(hash, count) => {
                self.gathered.references.0.push(self.owner);
                self.gathered.references.1.push(hash.0.to_vec());
                self.gathered.references.2.push(sql_number(count)?);
            }
            Record::Blob(hash) => self.begin_blob(&hash)?,
            Record::Part(bytes) => self.part(&bytes)?,
        }
        if self.gathered.is_enough() {
            self.write()?;
        }
        Ok(())
    }

    fn owner(&mut self, owner: &Owner) {
        self.owner += 1;
        self.gathered.owners.0.push(self.owner);
        self.gathered.owners.1.push(owner.as_bytes().to_vec());
    }

    /// Writes what was gathered.
    fn write(&mut self) -> Result<(), BackupError> {
        let gathered = std::mem::take(&mut self.gathered);
        let (ids, names) = gathered.owners;
        if !ids.is_empty() {
            self.put(OWNERS, &[Box::new(ids), Box::new(names)])?;
        }
        if !gathered.rows.is_empty() {
            self.put(ROWS, &rows(gathered.rows)?)?;
        }
        if !gathered.entries.is_empty() {
            let undelivered = undelivered(&gathered.entries)?;
            self.put(ENTRIES, &entries(gathered.entries)?)?;
            self.put(UNDELIVERED, &undelivered)?;
        }
        let (owners, hashes, counts) = gathered.references;
        if !owners.is_empty() {
            let columns: [Column; 3] = [Box::new(owners), Box::new(hashes), Box::new(counts)];
            self.put(REFERENCES, &columns)?;
        }
        Ok(())
    }

    fn begin_blob(&mut self, hash: &BlobHash) -> Result<(), BackupError> {
        if let Some(objects) = &mut self.objects {
            return objects.blob(hash);
        }
        self.end_blob()?;
        let hash = hash.0.as_slice();
        let rows = self.ask(self.session.query(BLOB, &[&hash]))?;
        let row = rows.first().ok_or_else(damaged)?;
        self.content = Some(Content {
            id: row.try_get(0).map_err(|error| failed(&error))?,
            parts: 0,
            bytes: 0,
            part: Vec::new(),
        });
        Ok(())
    }

    fn part(&mut self, mut bytes: &[u8]) -> Result<(), BackupError> {
        if let Some(objects) = &mut self.objects {
            return objects.part(bytes);
        }
        while let Some(content) = &mut self.content
            && !bytes.is_empty()
        {
            let room = PART_BYTES - content.part.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            content.part.extend_from_slice(now);
            bytes = later;
            if content.part.len() == PART_BYTES {
                self.write_part()?;
            }
        }
        Ok(())
    }

    fn write_part(&mut self) -> Result<(), BackupError> {
        let Some(content) = &mut self.content else {
            return Ok(());
        };
        let (id, number) = (content.id, content.parts);
        let part = std::mem::take(&mut content.part);
        content.parts += 1;
        content.bytes += part.len() as u64;
        self.ask(self.session.execute(PART, &[&id, &number, &part]))
            .map(drop)
    }

    fn end_blob(&mut self) -> Result<(), BackupError> {
        if self
            .content
            .as_ref()
            .is_some_and(|content| !content.part.is_empty())
        {
            self.write_part()?;
        }
        let Some(content) = self.content.take() else {
            return Ok(());
        };
        let bytes = sql_number(content.bytes)?;
        self.ask(self.session.execute(BLOB_BYTES, &[&content.id, &bytes]))
            .map(drop)
    }

    fn end(&mut self) -> Result<(), BackupError> {
        self.write()?;
        match &mut self.objects {
            Some(objects) => objects.end_blobs(),
            None => self.end_blob(),
        }
    }
}

/// A number that must fit the database's.
fn sql_number(number: u64) -> Result<i64, BackupError> {
    i64::try_from(number).map_err(|_| damaged().into())
}

/// The number of a shape, by its place in the header.
fn number(place: u32) -> i64 {
    i64::from(place) + 1
}

fn rows(rows: Vec<(i64, RowRecord)>) -> Result<[Column; 6], BackupError> {
    let (mut shapes, mut owners, mut expires) = (Vec::new(), Vec::new(), Vec::new());
    let (mut keys, mut long_keys, mut values) = (Vec::new(), Vec::new(), Vec::new());
    for (owner, row) in rows {
        shapes.push(number(row.shape));
        owners.push(owner);
        keys.push(form(&row.key).into_owned());
        long_keys.push(long(&row.key).map(<[u8]>::to_vec));
        values.push(row.value);
        expires.push(row.expires_micros.map(sql_number).transpose()?);
    }
    Ok([
        Box::new(shapes),
        Box::new(owners),
        Box::new(keys),
        Box::new(long_keys),
        Box::new(values),
        Box::new(expires),
    ])
}

fn marks(entry: &EntryRecord) -> Marks {
    Marks::from_bits(u8::try_from(entry.marks & 0xff).unwrap_or_default())
}

fn undelivered(entries: &[(i64, EntryRecord)]) -> Result<[Column; 3], BackupError> {
    let (mut logs, mut owners, mut ids) = (Vec::new(), Vec::new(), Vec::new());
    for (owner, entry) in entries {
        if marks(entry).contains(Marks::UNDELIVERED) {
            logs.push(number(entry.shape));
            owners.push(*owner);
            ids.push(sql_number(entry.id)?);
        }
    }
    Ok([Box::new(logs), Box::new(owners), Box::new(ids)])
}

fn entries(entries: Vec<(i64, EntryRecord)>) -> Result<[Column; 9], BackupError> {
    let (mut logs, mut owners, mut ids) = (Vec::new(), Vec::new(), Vec::new());
    let (mut archived, mut numbers) = (Vec::new(), Vec::new());
    let (mut addresses, mut payloads) = (Vec::new(), Vec::new());
    let (mut uniques, mut long_uniques) = (Vec::new(), Vec::new());
    for (owner, entry) in entries {
        logs.push(number(entry.shape));
        owners.push(owner);
        ids.push(sql_number(entry.id)?);
        archived.push(marks(&entry).contains(Marks::ARCHIVED));
        numbers.push(address_number(entry.address.as_deref()));
        addresses.push(entry.address.map(String::into_bytes));
        let unique = entry.unique.as_deref();
        uniques.push(unique.map(|key| form(key).into_owned()));
        long_uniques.push(unique.and_then(long).map(<[u8]>::to_vec));
        payloads.push(entry.payload);
    }
    Ok([
        Box::new(logs),
        Box::new(owners),
        Box::new(ids),
        Box::new(archived),
        Box::new(numbers),
        Box::new(addresses),
        Box::new(uniques),
        Box::new(long_uniques),
        Box::new(payloads),
    ])
}
