//! Blobs, in parts of the database.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio_postgres::{Error, Row};

use super::fault::failed;
use super::queue::Queue;
use super::readers::Readers;
use super::session::{Given, Session};
use crate::backend::{BlobFiles, Upload};
use crate::blob::BlobHash;
use crate::error::{OpenError, StoreError};
use crate::objects::{Claim, ObjectBlobs, ObjectPlace};

/// Bytes of each part but the last. Stored: never change it.
pub(super) const PART_BYTES: usize = 256 << 10;

/// Each write looks whether the database is still ours: these connections do not hold the lock.
const OURS: &str = "EXISTS (SELECT FROM waxwing.state WHERE starts = $1)";
const UNFINISHED: &str = "WITH gone AS (DELETE FROM waxwing.blob WHERE hash IS NULL RETURNING id)
    DELETE FROM waxwing.blob_part p USING gone WHERE p.blob = gone.id";
const ORPHANS: &str = "SELECT b.hash FROM waxwing.blob b WHERE b.hash IS NOT NULL
    AND NOT EXISTS (SELECT FROM waxwing.blob_ref r WHERE r.hash = b.hash)";
const PARTS: &str = "SELECT p.content FROM waxwing.blob_part p
    WHERE p.blob = (SELECT id FROM waxwing.blob WHERE hash = $1) AND p.part BETWEEN $2 AND $3 ORDER BY p.part";
const WHERE: &str = "SELECT EXISTS (SELECT FROM waxwing.blob_ref),
    EXISTS (SELECT FROM waxwing.blob WHERE hash IS NOT NULL)";
const NAMED: &str = "SELECT FROM waxwing.blob WHERE hash = $1";

/// The blobs, and the leases of one life.
pub(super) struct DatabaseBlobs {
    readers: Readers,
    queue: Arc<Queue>,
    /// Which life of the database it is.
    starts: i64,
    /// Where blobs are, if not in the database.
    objects: OnceLock<Arc<ObjectBlobs>>,
    held: Mutex<Held>,
    /// A blob has been removed, or stays after all.
    decided: Condvar,
}

#[derive(Default)]
struct Held {
    leases: HashMap<BlobHash, u64>,
    /// Blobs that are being removed, and whether somebody asked for that again meanwhile.
    doomed: HashMap<BlobHash, bool>,
}

/// Removes what a former life had not finished.
pub(super) async fn remove_unfinished(session: &Session) -> Result<(), Error> {
    session.execute(UNFINISHED, &[]).await.map(|_| ())
}

impl DatabaseBlobs {
    pub(super) fn new(readers: Readers, queue: Arc<Queue>, starts: i64) -> Arc<Self> {
        Arc::new(Self {
            readers,
            queue,
            starts,
            objects: OnceLock::new(),
            held: Mutex::default(),
            decided: Condvar::new(),
        })
    }

    /// Looks for blobs to which nothing refers, beside everything else: what was written, or lost its last reference,
    /// just before a former life ended.
    pub(super) async fn collect_orphans(self: Arc<Self>) {
        let orphans = self.readers.rows(ORPHANS, &[]).await;
        let orphans = orphans.map(|rows| {
            let hashes = rows.iter().map(|row| row.try_get::<_, Vec<u8>>(0));
            hashes.flatten().collect::<Vec<_>>()
        });
        match orphans {
            Ok(hashes) => {
                for hash in hashes {
                    if let Ok(hash) = hash.try_into() {
                        self.queue.collect(BlobHash(hash));
                    }
                }
            }
            Err(error) => {
                tracing::warn!(%error, "blobs without references could not be looked for");
            }
        }
    }

    /// Removes a blob that nothing refers to, unless it is leased, beside everything else. Whoever asks for it from now on
    /// waits until that is decided.
    pub(super) fn collect(self: &Arc<Self>, hash: BlobHash) {
        if let Some(objects) = self.objects.get() {
            objects.remove(hash, Box::pin(Arc::clone(self).is_unreferenced(hash)));
            return;
        }
        let mut held = self.lock();
        if held.leases.contains_key(&hash) {
            return;
        }
        if let Some(again) = held.doomed.get_mut(&hash) {
            *again = true;
            return;
        }
        held.doomed.insert(hash, false);
        drop(held);
        let blobs = Arc::clone(self);
        drop(self.readers.runtime().spawn(async move {
            if let Err(error) = blobs.remove(&hash).await {
                tracing::warn!(%error, "a blob without references could not be removed; the next start does it");
            }
            let again = blobs.lock().doomed.remove(&hash);
            blobs.decided.notify_all();
            if again == Some(true) {
                blobs.collect(hash);
            }
        }));
    }

    /// Whether nothing refers to a blob, and the database is still ours. It is asked on the database's runtime, whichever it
    /// is waited for on.
    async fn is_unreferenced(self: Arc<Self>, hash: BlobHash) -> Result<bool, StoreError> {
        let asked = self.readers.asked();
        let runtime = self.readers.runtime().clone();
        let looked = runtime.spawn(async move {
            let sql = format!(
                "SELECT WHERE {OURS} AND NOT EXISTS (SELECT FROM waxwing.blob_ref WHERE hash = $2)"
            );
            let hash = hash.0.as_slice();
            let rows = self.readers.rows(&sql, &[&self.starts, &hash]).await;
            drop(asked);
            rows.map(|rows| !rows.is_empty())
        });
        looked.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Whether something refers to a blob. Asks on this thread, which is not the runtime's; where it cannot be known, something
    /// does.
    fn is_referenced(&self, hash: &BlobHash) -> bool {
        let _asked = self.readers.asked();
        let sql = "SELECT FROM waxwing.blob_ref WHERE hash = $1 LIMIT 1";
        let rows = self.rows(sql, &[&hash.0.as_slice()]);
        rows.map_or(true, |rows| !rows.is_empty())
    }

    /// Has blobs in an object store from now on, if one is named; refuses what would lose those that there are.
    pub(super) fn keep_in(
        self: &Arc<Self>,
        place: Option<&ObjectPlace>,
        database: (&str, String),
    ) -> Result<(), OpenError> {
        let (shown, name) = database;
        let unreachable = |error: StoreError| OpenError::Unreachable {
            database: shown.to_owned(),
            reason: error.to_string(),
        };
        let rows = self.rows(WHERE, &[]).map_err(unreachable)?;
        let seen = |column| {
            let row = rows.first().ok_or(StoreError::Closed)?;
            row.try_get::<_, bool>(column)
                .map_err(|error| failed(&error))
        };
        let has_files = seen(0).map_err(unreachable)?;
        let are_here = seen(1).map_err(unreachable)?;
        if has_files && place.is_some() == are_here {
            return Err(OpenError::FilesElsewhere {
                store: shown.to_owned(),
                files: match are_here {
                    true => "the database itself",
                    false => "an object store",
                }
                .to_owned(),
            });
        }
        if let Some(place) = place {
            let claim = Claim {
                store: name,
                has_files,
            };
            let queue = Arc::clone(&self.queue);
            let collect = Box::new(move |hash| queue.collect(hash));
            let spool = place.spool.clone();
            let objects = ObjectBlobs::open(place, spool, claim, collect)?;
            let _only = self.objects.set(objects);
        }
        Ok(())
    }

    /// The object store that has the blobs.
    pub(super) fn objects(&self) -> Option<&Arc<ObjectBlobs>> {
        self.objects.get()
    }

    /// What looks for objects without references, as long as the store is open; nothing where there are no objects.
    pub(super) fn cleaning(self: &Arc<Self>) -> Option<impl FnOnce() + Send + use<>> {
        let objects = Arc::clone(self.objects.get()?);
        let blobs = Arc::clone(self);
        Some(move || objects.clean(|hash| blobs.is_referenced(hash)))
    }

    async fn remove(&self, hash: &BlobHash) -> Result<(), StoreError> {
        let sql = format!(
            "WITH gone AS (DELETE FROM waxwing.blob WHERE hash = $2 AND {OURS}
                AND NOT EXISTS (SELECT FROM waxwing.blob_ref WHERE hash = $2) RETURNING id)
             DELETE FROM waxwing.blob_part p USING gone WHERE p.blob = gone.id"
        );
        let hash = hash.0.as_slice();
        self.readers.rows(&sql, &[&self.starts, &hash]).await?;
        Ok(())
    }

    /// Waits until it is decided whether a blob goes.
    fn wait_decided(&self, hash: &BlobHash) {
        let held = self.lock();
        let undecided = |held: &mut Held| held.doomed.contains_key(hash);
        drop(
            self.decided
                .wait_while(held, undecided)
                .unwrap_or_else(PoisonError::into_inner),
        );
    }

    /// Asks on this thread, which is not the runtime's.
    fn rows(&self, sql: &str, given: Given<'_>) -> Result<Vec<Row>, StoreError> {
        self.readers
            .runtime()
            .block_on(self.readers.rows(sql, given))
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn number(row: &Row) -> Result<i64, StoreError> {
    row.try_get(0).map_err(|error| failed(&error))
}

/// What is said where a write was about nothing.
fn not_ours() -> StoreError {
    StoreError::Unreachable {
        reason: "another Waxwing server has opened the database meanwhile".to_owned(),
    }
}

/// [`BlobFiles`] hands out uploads, which need the blobs themselves.
pub(super) struct SharedBlobs(pub(super) Arc<DatabaseBlobs>);

impl BlobFiles for SharedBlobs {
    fn create(&self) -> Result<Box<dyn Upload>, StoreError> {
        let blobs = Arc::clone(&self.0);
        let sql = format!("INSERT INTO waxwing.blob (bytes) SELECT 0 WHERE {OURS} RETURNING id");
        let rows = blobs.rows(&sql, &[&blobs.starts])?;
        let id = number(rows.first().ok_or_else(not_ours)?)?;
        Ok(Box::new(DatabaseUpload {
            blobs,
            id,
            parts: 0,
            bytes: 0,
            part: BytesMut::new(),
        }))
    }

    fn length(&self, hash: &BlobHash) -> Result<Option<u64>, StoreError> {
        self.0.wait_decided(hash);
        let hash = hash.0.as_slice();
        let rows = self
            .0
            .rows("SELECT bytes FROM waxwing.blob WHERE hash = $1", &[&hash])?;
        let length = rows.first().map(number).transpose()?;
        Ok(length.map(i64::unsigned_abs))
    }

    fn read(&self, hash: &BlobHash, offset: u64, bytes_max: usize) -> Result<Bytes, StoreError> {
        let parts = |bytes: u64| i64::try_from(bytes / PART_BYTES as u64).unwrap_or(i64::MAX);
        let end = offset.saturating_add(bytes_max as u64);
        let (first, last) = (parts(offset), parts(end.saturating_sub(1)));
        let hash = hash.0.as_slice();
        let rows = self.0.rows(PARTS, &[&hash, &first, &last])?;
        let mut read = BytesMut::new();
        for row in &rows {
            let content = row.try_get(0).map_err(|error| failed(&error))?;
            read.extend_from_slice(content);
        }
        let read = read.freeze();
        // Less than a part.
        let start = usize::try_from(offset % PART_BYTES as u64).unwrap_or(usize::MAX);
        let start = start.min(read.len());
        let end = start.saturating_add(bytes_max).min(read.len());
        Ok(read.slice(start..end))
    }

    fn lease(&self, hash: &BlobHash) {
        *self.0.lock().leases.entry(*hash).or_default() += 1;
    }

    fn release(&self, hash: &BlobHash) {
        let mut held = self.0.lock();
        if let Some(count) = held.leases.get_mut(hash) {
            *count -= 1;
            if *count == 0 {
                held.leases.remove(hash);
                drop(held);
                self.0.queue.collect(*hash);
            }
        }
    }
}

/// A blob on its way to its name.
struct DatabaseUpload {
    blobs: Arc<DatabaseBlobs>,
    id: i64,
    parts: i64,
    bytes: u64,
    /// The part that is not full yet.
    part: BytesMut,
}

impl DatabaseUpload {
    fn write_part(&mut self, content: &[u8]) -> Result<(), StoreError> {
        let sql = format!(
            "INSERT INTO waxwing.blob_part (blob, part, content) SELECT b.id, $3, $4 FROM waxwing.blob b
             WHERE b.id = $2 AND b.hash IS NULL AND {OURS}
             ON CONFLICT (blob, part) DO UPDATE SET content = excluded.content RETURNING part"
        );
        let (starts, id, part) = (self.blobs.starts, self.id, self.parts);
        let written = self.blobs.rows(&sql, &[&starts, &id, &part, &content])?;
        if written.is_empty() {
            return Err(not_ours());
        }
        self.parts += 1;
        Ok(())
    }

    /// Gives the blob its name, unless another of the same content has it.
    fn name(&self, hash: &BlobHash) -> Result<(), StoreError> {
        let sql = format!(
            "UPDATE waxwing.blob SET hash = $3, bytes = $4 WHERE id = $2 AND hash IS NULL AND {OURS}
             AND NOT EXISTS (SELECT FROM waxwing.blob WHERE hash = $3)"
        );
        let (starts, id, bytes) = (self.blobs.starts, self.id, self.bytes.cast_signed());
        let hash = hash.0.as_slice();
        let named = self.blobs.rows(&sql, &[&starts, &id, &hash, &bytes]);
        // Whatever came of that: another upload of the same content may have been named meanwhile.
        let there = self.blobs.rows(NAMED, &[&hash])?;
        match named {
            _ if !there.is_empty() => Ok(()),
            Ok(_) => Err(not_ours()),
            Err(error) => Err(error),
        }
    }
}

impl Upload for DatabaseUpload {
    fn write(&mut self, mut bytes: &[u8]) -> Result<(), StoreError> {
        self.bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            let room = PART_BYTES - self.part.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.part.extend_from_slice(now);
            bytes = later;
            if self.part.len() == PART_BYTES {
                let full = self.part.split();
                self.write_part(&full)?;
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, hash: &BlobHash) -> Result<(), StoreError> {
        if !self.part.is_empty() {
            let rest = self.part.split();
            self.write_part(&rest)?;
        }
        self.blobs.wait_decided(hash);
        self.name(hash)
    }
}

impl Drop for DatabaseUpload {
    /// Where it was finished it has a name, or another has it. What is not removed here goes with the next start.
    fn drop(&mut self) {
        let (blobs, id) = (Arc::clone(&self.blobs), self.id);
        drop(self.blobs.readers.runtime().spawn(async move {
            let sql = "WITH gone AS (DELETE FROM waxwing.blob WHERE id = $1 AND hash IS NULL RETURNING id)
                DELETE FROM waxwing.blob_part p USING gone WHERE p.blob = gone.id";
            if let Err(error) = blobs.readers.rows(sql, &[&id]).await {
                tracing::debug!(%error, "an unfinished blob could not be removed");
            }
        }));
    }
}
