//! Reading everything for a backup, from one snapshot on a connection of its own.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use tokio::runtime::Handle;
use tokio_postgres::{Error, Row};

use super::address::Address;
use super::blobs::PART_BYTES;
use super::closed;
use super::fault::{damaged, failed};
use super::fetch::marks;
use super::migrate::stored;
use super::session::{Given, Session};
use crate::backend::{BackupOut, BackupOutcome, Contents};
use crate::backup::{BackupAbout, BackupError, Dump, EntryRecord, Header, HeaderShape, RowRecord};
use crate::blob::BlobHash;
use crate::error::StoreError;
use crate::numbered::{Stored, kind_number};
use crate::objects::{ObjectBlobs, ObjectLook, ObjectPlace, ObjectReading};
use crate::owner::Owner;
use crate::shape::ShapeKind;

/// Owners that are read together: one question for all that have little.
const OWNERS_AT_A_TIME: i64 = 100;

const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
// What deleted owners had is on its way out, and is nobody's.
const ROWS_COUNT: &str = "SELECT r.shape, count(*) FROM waxwing.table_row r
    JOIN waxwing.owner o ON o.id = r.owner AND o.name IS NOT NULL GROUP BY 1";
const ENTRIES_COUNT: &str = "SELECT e.log, count(*) FROM waxwing.log_entry e
    JOIN waxwing.owner o ON o.id = e.owner AND o.name IS NOT NULL GROUP BY 1";
const REFERENCES_COUNT: &str = "SELECT count(*), count(DISTINCT b.hash) FROM waxwing.blob_ref b
    JOIN waxwing.owner o ON o.id = b.owner AND o.name IS NOT NULL";
const NAME: &str = "SELECT database::text FROM waxwing.state";
const LAST: &str = "SELECT last_log_id FROM waxwing.state";
const OWNERS: &str = "SELECT id, name FROM waxwing.owner WHERE name > $1 ORDER BY name LIMIT $2";
const ROWS: &str = "SELECT coalesce(long_key, key), value, expires FROM waxwing.table_row
    WHERE shape = $1 AND owner = $2 ORDER BY coalesce(long_key, key)";
const ENTRIES: &str = "SELECT e.id, e.archived, u.id IS NOT NULL, e.address, coalesce(e.long_unique, e.unique_key), e.payload
    FROM waxwing.log_entry e
    LEFT JOIN LATERAL (SELECT id FROM waxwing.log_undelivered
        WHERE log = e.log AND owner = e.owner AND id = e.id LIMIT 1) u ON true
    WHERE e.log = $1 AND e.owner = $2 ORDER BY e.id";
const REFERENCES: &str = "SELECT hash, count FROM waxwing.blob_ref WHERE owner = $1 ORDER BY hash";
/// Which of the shapes an owner has anything in, for some owners at once.
const HAS: &str = "SELECT o, s FROM unnest($1::bigint[]) o CROSS JOIN unnest($2::bigint[]) s
    WHERE EXISTS (SELECT FROM waxwing.table_row r WHERE r.shape = s AND r.owner = o)
    OR EXISTS (SELECT FROM waxwing.log_entry e WHERE e.log = s AND e.owner = o)";
const BLOBS: &str = "SELECT b.hash, b.id, b.bytes FROM waxwing.blob b WHERE EXISTS (SELECT FROM waxwing.blob_ref r
        JOIN waxwing.owner o ON o.id = r.owner AND o.name IS NOT NULL WHERE r.hash = b.hash) AND b.hash > $1
    ORDER BY b.hash LIMIT 100";
const REFERRED: &str = "SELECT DISTINCT r.hash FROM waxwing.blob_ref r
    JOIN waxwing.owner o ON o.id = r.owner AND o.name IS NOT NULL
    WHERE NOT EXISTS (SELECT FROM waxwing.blob b WHERE b.hash = r.hash) LIMIT 1";
const HASHES: &str = "SELECT DISTINCT r.hash FROM waxwing.blob_ref r
    JOIN waxwing.owner o ON o.id = r.owner AND o.name IS NOT NULL WHERE r.hash > $1 ORDER BY 1 LIMIT 100";
const PARTS: &str =
    "SELECT content FROM waxwing.blob_part WHERE blob = $1 AND part >= $2 AND part < $3
    ORDER BY part";

impl From<Error> for BackupError {
    fn from(error: Error) -> Self {
        Self::Store(failed(&error))
    }
}

/// What is needed to make one.
pub(super) struct Source {
    pub(super) address: Address,
    pub(super) runtime: Handle,
    /// Set when the store closes: the backup ends early.
    pub(super) closing: Arc<AtomicBool>,
    /// Where the blobs are.
    pub(super) blobs: Blobs,
}

/// Where the blobs are.
pub(super) enum Blobs {
    /// In the database.
    Here,
    /// In the object store of a store that is open.
    Open(Arc<ObjectBlobs>),
    /// In an object store.
    At(Box<ObjectPlace>),
}

/// A snapshot, read from a thread that is not the runtime's.
struct Snapshot<'a> {
    source: &'a Source,
    session: Session,
}

/// Writes everything that one snapshot has.
pub(super) fn run(source: &Source, mut out: BackupOut, about: BackupAbout) -> BackupOutcome {
    let session = source.runtime.block_on(Session::connect(&source.address))?;
    let snapshot = Snapshot { source, session };
    // From before the snapshot, so that each blob that it knows stays.
    if let Blobs::Open(objects) = &source.blobs {
        objects.keep_all();
    }
    let outcome = snapshot.write(&mut out, about);
    if let Blobs::Open(objects) = &source.blobs {
        objects.keep_no_longer();
    }
    source.runtime.block_on(snapshot.session.close());
    outcome
}

impl Snapshot<'_> {
    fn write(&self, out: &mut BackupOut, about: BackupAbout) -> BackupOutcome {
        self.wait(self.session.client.batch_execute(BEGIN))?;
        let stored = self.wait(stored(&self.session))?;
        let header = self.header(&stored, about)?;
        let mut dump = Dump::begin(out, &header)?;
        match self
            .owners(&stored, &mut dump)
            .and_then(|()| self.blobs(&mut dump))
        {
            Ok(()) => dump.end(&header),
            Err(error) => {
                // Where it could not be written, this cannot either: the reader finds it cut short.
                let _told = dump.give_up(&error);
                Err(error)
            }
        }
    }

    fn wait<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, BackupError> {
        if self.source.closing.load(Ordering::Relaxed) {
            return Err(closed());
        }
        Ok(self.source.runtime.block_on(work)?)
    }

    fn query(&self, sql: &'static str, given: Given<'_>) -> Result<Vec<Row>, BackupError> {
        self.wait(self.session.query(sql, given))
    }

    /// Calls for each row, of which only some are held in memory at a time.
    fn each(
        &self,
        sql: &'static str,
        given: [i64; 2],
        mut call: impl FnMut(&Row) -> Result<(), BackupError>,
    ) -> Result<(), BackupError> {
        let rows = self.wait(self.session.client.query_raw(sql, given))?;
        let mut rows = pin!(rows);
        while let Some(row) = self.wait(async { rows.next().await.transpose() })? {
            call(&row)?;
        }
        Ok(())
    }

    fn header(
        &self,
        stored: &BTreeMap<String, Stored>,
        about: BackupAbout,
    ) -> Result<Header, BackupError> {
        let mut counts = BTreeMap::new();
        for sql in [ROWS_COUNT, ENTRIES_COUNT] {
            for row in self.query(sql, &[])? {
                counts.insert(row.try_get::<_, i64>(0)?, row.try_get::<_, i64>(1)?);
            }
        }
        let shapes = stored.iter().map(|(name, shape)| HeaderShape {
            name: name.clone(),
            is_log: shape.kind == kind_number(ShapeKind::Log),
            version: shape.version,
            records: counts.get(&shape.id).copied().unwrap_or(0).unsigned_abs(),
        });
        let references = self.query(REFERENCES_COUNT, &[])?;
        let last = self.query(LAST, &[])?;
        let (Some(references), Some(last)) = (references.first(), last.first()) else {
            return Err(damaged().into());
        };
        Ok(Header {
            product: about.product,
            at_micros: about.at_micros,
            last_log_id: last.try_get::<_, i64>(0)?.unsigned_abs(),
            shapes: shapes.collect(),
            references: references.try_get::<_, i64>(0)?.unsigned_abs(),
            blobs: references.try_get::<_, i64>(1)?.unsigned_abs(),
        })
    }

    fn owners(
        &self,
        stored: &BTreeMap<String, Stored>,
        dump: &mut Dump<'_>,
    ) -> Result<(), BackupError> {
        let shapes: Vec<i64> = stored.values().map(|shape| shape.id).collect();
        let mut after: Vec<u8> = Vec::new();
        loop {
            let owners = self.query(OWNERS, &[&after, &OWNERS_AT_A_TIME])?;
            let Some(last) = owners.last() else {
                return Ok(());
            };
            after = last.try_get(1)?;
            let numbers: Vec<i64> = owners
                .iter()
                .map(|row| row.try_get(0))
                .collect::<Result<_, _>>()?;
            let mut has = std::collections::HashSet::new();
            for row in self.query(HAS, &[&numbers, &shapes])? {
                has.insert((row.try_get::<_, i64>(0)?, row.try_get::<_, i64>(1)?));
            }
            for row in &owners {
                let number: i64 = row.try_get(0)?;
                let owner = Owner::from_bytes(row.try_get(1)?).ok_or_else(damaged)?;
                // There are as many shapes as declarations in the program.
                for (place, shape) in (0_u32..).zip(stored.values()) {
                    if has.contains(&(number, shape.id)) {
                        self.owned(&owner, number, (place, shape), dump)?;
                    }
                }
                for row in self.query(REFERENCES, &[&number])? {
                    let count: i64 = row.try_get(1)?;
                    dump.reference(&owner, &hash(&row, 0)?, count.unsigned_abs())?;
                }
            }
        }
    }

    /// What an owner has in a shape.
    fn owned(
        &self,
        owner: &Owner,
        number: i64,
        (place, shape): (u32, &Stored),
        dump: &mut Dump<'_>,
    ) -> Result<(), BackupError> {
        if shape.kind == kind_number(ShapeKind::Log) {
            return self.each(ENTRIES, [shape.id, number], |row| {
                let address: Option<Vec<u8>> = row.try_get(3)?;
                let address = address.map(String::from_utf8).transpose();
                let record = EntryRecord {
                    shape: place,
                    id: row.try_get::<_, i64>(0)?.unsigned_abs(),
                    marks: u32::from(marks(row.try_get(1)?, row.try_get(2)?).bits()),
                    address: address.map_err(|_| damaged())?,
                    unique: row.try_get(4)?,
                    payload: row.try_get(5)?,
                };
                dump.entry(owner, &record)
            });
        }
        self.each(ROWS, [shape.id, number], |row| {
            let expires: Option<i64> = row.try_get(2)?;
            let record = RowRecord {
                shape: place,
                key: row.try_get(0)?,
                value: row.try_get(1)?,
                expires_micros: expires.map(i64::unsigned_abs),
            };
            dump.row(owner, &record)
        })
    }

    /// As many whole parts of a blob as may be asked for, from an offset on, which is where one begins.
    fn parts(&self, blob: i64, offset: u64, bytes_max: usize) -> Result<Bytes, BackupError> {
        let part = |bytes: u64| i64::try_from(bytes / PART_BYTES as u64).unwrap_or(i64::MAX);
        let (first, end) = (part(offset), part(offset.saturating_add(bytes_max as u64)));
        let mut content = BytesMut::new();
        for row in self.query(PARTS, &[&blob, &first, &end])? {
            content.extend_from_slice(row.try_get(0)?);
        }
        Ok(content.freeze())
    }

    fn blobs(&self, dump: &mut Dump<'_>) -> Result<(), BackupError> {
        match &self.source.blobs {
            Blobs::Here => self.parts_of_all(dump),
            Blobs::Open(objects) => self.contents(&ObjectReading::new(objects), dump),
            Blobs::At(place) => {
                let rows = self.query(NAME, &[])?;
                let row = rows.first().ok_or_else(damaged)?;
                let look = ObjectLook::at(place, row.try_get(0)?)?;
                self.contents(&look, dump)
            }
        }
    }

    /// Blobs that are in the database.
    fn parts_of_all(&self, dump: &mut Dump<'_>) -> Result<(), BackupError> {
        if let Some(row) = self.query(REFERRED, &[])?.first() {
            return Err(BackupError::Blob(hash(row, 0)?));
        }
        let mut after: Vec<u8> = Vec::new();
        loop {
            let blobs = self.query(BLOBS, &[&after])?;
            let Some(last) = blobs.last() else {
                return Ok(());
            };
            after = last.try_get(0)?;
            for row in &blobs {
                let number: i64 = row.try_get(1)?;
                let length: i64 = row.try_get(2)?;
                dump.blob(
                    &hash(row, 0)?,
                    length.unsigned_abs(),
                    |offset, bytes_max| self.parts(number, offset, bytes_max).map_err(store_error),
                )?;
            }
        }
    }
}

impl Snapshot<'_> {
    /// Blobs that are in an object store.
    fn contents(&self, from: &dyn Contents, dump: &mut Dump<'_>) -> Result<(), BackupError> {
        let mut after: Vec<u8> = Vec::new();
        loop {
            let hashes = self.query(HASHES, &[&after])?;
            let Some(last) = hashes.last() else {
                return Ok(());
            };
            after = last.try_get(0)?;
            for row in &hashes {
                if self.source.closing.load(Ordering::Relaxed) {
                    return Err(closed());
                }
                let hash = hash(row, 0)?;
                let length = from.length(&hash)?.ok_or(BackupError::Blob(hash))?;
                dump.blob(&hash, length, |offset, bytes_max| {
                    from.part(&hash, offset, bytes_max)
                })?;
            }
        }
    }
}

fn store_error(error: BackupError) -> StoreError {
    match error {
        BackupError::Store(error) => error,
        _ => StoreError::Closed,
    }
}

fn hash(row: &Row, column: usize) -> Result<BlobHash, BackupError> {
    let bytes: &[u8] = row.try_get(column)?;
    let hash = bytes.try_into().map_err(|_| damaged())?;
    Ok(BlobHash(hash))
}
