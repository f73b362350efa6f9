//! Blobs as objects, and the leases of one life.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use tokio::sync::OnceCell;

use super::claim::{self, Claim};
use super::client::Client;
use super::fault::ObjectFault;
use super::place::ObjectPlace;
use super::sending::{Spool, Spooled, remove};
use super::thread::Worker;
use super::{connected, refused};
use crate::backend::{BlobFiles, Contents, Upload};
use crate::blob::BlobHash;
use crate::error::{OpenError, StoreError};

/// Bytes of a file that are best asked for at a time: each question goes there and back.
const READ_BYTES_BEST: usize = 512 << 10;
/// Most blobs that are remembered because they could not be removed; a start looks for all of them.
const UNREMOVED_MAX: usize = 10_000;
/// How long a start waits for the object store before it goes on without it.
const START_SECS_MAX: u64 = 10;

/// Whether nothing refers to a blob, and the database is still ours.
pub(crate) type Removal = BoxFuture<'static, Result<bool, StoreError>>;
/// Has somebody look whether a blob is to be removed.
type Collect = Box<dyn Fn(BlobHash) + Send + Sync>;

/// Blobs in an object store.
pub(crate) struct ObjectBlobs {
    client: Client,
    worker: Worker,
    spool: Spool,
    claim: Claim,
    /// Set once the place was found to be ours.
    ours: OnceCell<()>,
    collect: Collect,
    again: Duration,
    held: Mutex<Held>,
    /// A blob has been removed, or stays after all.
    decided: Condvar,
}

#[derive(Default)]
struct Held {
    /// How many there are, and the blob's length where it is known.
    leases: HashMap<BlobHash, (u64, Option<u64>)>,
    /// Blobs that are being removed, and whether somebody asked for that again meanwhile.
    doomed: HashMap<BlobHash, bool>,
    /// Blobs whose removal failed. Whether they are there, or will be in a moment, nobody knows: they count as removed, and
    /// are removed once more before they are stored again.
    unremoved: HashSet<BlobHash>,
    /// While a backup reads: blobs to be removed after it.
    kept: Option<HashSet<BlobHash>>,
}

impl ObjectBlobs {
    /// Makes it ready, and looks whether the place is ours. Where it cannot be asked, the store opens without it.
    pub(crate) fn open(
        place: &ObjectPlace,
        spool: PathBuf,
        claim: Claim,
        collect: Collect,
    ) -> Result<Arc<Self>, OpenError> {
        let (client, worker) = connected(place).map_err(|fault| refused(place, fault))?;
        if spool.as_os_str().is_empty() {
            let reason = "there is no folder for files that come".to_owned();
            return Err(refused(place, ObjectFault::Failed { reason }));
        }
        let spool = Spool::open(spool.clone()).map_err(|error| OpenError::Environment {
            path: spool,
            error: crate::error::io_failed(&error),
        })?;
        let blobs = Arc::new(Self {
            client,
            worker,
            spool,
            claim,
            ours: OnceCell::new(),
            collect,
            again: Duration::from_millis(place.times.again_millis),
            held: Mutex::default(),
            decided: Condvar::new(),
        });
        let wait = Duration::from_secs(START_SECS_MAX);
        let ready = blobs.worker.wait_beside(async {
            let ready = tokio::time::timeout(wait, blobs.ready()).await;
            let millis = START_SECS_MAX * 1_000;
            ready.unwrap_or(Err(ObjectFault::Slow { millis }))
        });
        match ready {
            Ok(()) => {}
            Err(StoreError::Objects(
                fault @ (ObjectFault::Foreign { .. }
                | ObjectFault::NotOurs
                | ObjectFault::Unrestored),
            )) => return Err(refused(place, fault)),
            Err(error) => {
                tracing::warn!(%error, "files cannot be brought or fetched until the object store can be used");
            }
        }
        Ok(blobs)
    }

    /// Makes sure that the place is ours: nothing is read or written before.
    async fn ready(&self) -> Result<(), ObjectFault> {
        let held = self.ours.get_or_try_init(|| self.claim.hold(&self.client));
        held.await.map(|_| ())
    }

    /// Removes a blob, unless it is leased, beside everything else, if nothing refers to it. Whoever asks for it from now on
    /// waits until that is decided.
    pub(crate) fn remove(self: &Arc<Self>, hash: BlobHash, is_unreferenced: Removal) {
        let mut held = self.lock();
        if let Some(kept) = &mut held.kept {
            kept.insert(hash);
            return;
        }
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
        self.worker.spawn(async move {
            let removed = blobs.remove_now(&hash, is_unreferenced).await;
            let mut held = blobs.lock();
            match removed {
                Ok(true) => {
                    held.unremoved.remove(&hash);
                }
                Ok(false) => {}
                Err(error) => {
                    if held.unremoved.len() < UNREMOVED_MAX {
                        held.unremoved.insert(hash);
                    }
                    tracing::warn!(%error, "a file without references could not be removed; it is tried again");
                }
            }
            let again = held.doomed.remove(&hash);
            drop(held);
            blobs.decided.notify_all();
            if again == Some(true) {
                (blobs.collect)(hash);
            }
        });
    }

    async fn remove_now(
        &self,
        hash: &BlobHash,
        is_unreferenced: Removal,
    ) -> Result<bool, StoreError> {
        if !is_unreferenced.await? {
            return Ok(false);
        }
        let removed = async {
            self.ready().await?;
            self.client.delete(&self.client.blob(hash)).await
        };
        removed.await.map_err(StoreError::Objects)?;
        Ok(true)
    }

    /// Removes no blob until [`keep_no_longer`](Self::keep_no_longer).
    pub(crate) fn keep_all(&self) {
        self.lock().kept = Some(HashSet::new());
    }

    pub(crate) fn keep_no_longer(&self) {
        let kept = self.lock().kept.take();
        for hash in kept.into_iter().flatten() {
            (self.collect)(hash);
        }
    }

    /// Forgets what former lives began to send, and looks for blobs to which nothing refers, until both have been done. Where
    /// the store cannot be asked, it is tried again; and so is from then on what could not be removed. Returns when all stops.
    pub(crate) fn clean(&self, is_referenced: impl Fn(&BlobHash) -> bool) {
        let mut is_cleaned = false;
        loop {
            if !is_cleaned {
                match self
                    .forget_parts()
                    .and_then(|()| self.sweep(&is_referenced))
                {
                    Ok(()) => is_cleaned = true,
                    Err(StoreError::Closed) => return,
                    Err(error) => {
                        tracing::warn!(%error, "files without references could not be looked for; it is tried again");
                    }
                }
            }
            if !self.worker.pause(self.again) {
                return;
            }
            let unremoved: Vec<BlobHash> = self.lock().unremoved.iter().copied().collect();
            for hash in unremoved {
                (self.collect)(hash);
            }
        }
    }

    fn sweep(&self, is_referenced: &impl Fn(&BlobHash) -> bool) -> Result<(), StoreError> {
        self.worker.wait(self.ready())?;
        let mut all = self.client.blobs();
        while let Some(hash) = self.worker.wait(async { all.next().await.transpose() })? {
            if !is_referenced(&hash) {
                (self.collect)(hash);
            }
        }
        Ok(())
    }

    fn forget_parts(&self) -> Result<(), StoreError> {
        let unfinished = self.spool.unfinished();
        for (note, begun) in unfinished.map_err(|error| crate::error::io_failed(&error))? {
            // One that was cut short names nothing.
            if let Some((key, id)) = begun {
                self.worker.wait(self.client.abort(&key, &id))?;
            }
            remove(&note);
        }
        Ok(())
    }

    /// Waits until it is decided whether a blob goes.
    fn decided(&self, hash: &BlobHash) -> MutexGuard<'_, Held> {
        let undecided = |held: &mut Held| held.doomed.contains_key(hash);
        self.decided
            .wait_while(self.lock(), undecided)
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing is waited for any more: what is under way fails.
    pub(crate) fn stop(&self) {
        self.worker.stop();
        // Removals are given up, and nobody decides any more.
        self.lock().doomed.clear();
        self.decided.notify_all();
    }

    /// Ends its thread, when nobody asks any more.
    pub(crate) fn end(&self) {
        self.worker.end();
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_length(&self, hash: &BlobHash, bytes: u64) {
        if let Some(lease) = self.lock().leases.get_mut(hash) {
            lease.1 = Some(bytes);
        }
    }

    /// Its length, as it is known of a lease, or as the store says.
    fn length(&self, hash: &BlobHash) -> Result<Option<u64>, StoreError> {
        let held = self.decided(hash);
        if held.unremoved.contains(hash) {
            return Ok(None);
        }
        if let Some((_, Some(bytes))) = held.leases.get(hash) {
            return Ok(Some(*bytes));
        }
        drop(held);
        let length = self.worker.wait(async {
            self.ready().await?;
            let length = self.client.length(&self.client.blob(hash)).await?;
            if length.is_none() {
                // Whether there is no such object, or no such bucket, an answer without a body does not say.
                let whose = self.client.text(claim::NAME).await?;
                whose.ok_or(ObjectFault::NotOurs)?;
            }
            Ok(length)
        })?;
        if let Some(bytes) = length {
            self.note_length(hash, bytes);
        }
        Ok(length)
    }

    fn read(&self, hash: &BlobHash, offset: u64, bytes_max: usize) -> Result<Bytes, StoreError> {
        let length = self.length(hash)?;
        let length = length.ok_or(StoreError::Objects(ObjectFault::Gone))?;
        self.worker
            .wait(self.client.part(hash, length, offset, bytes_max))
    }

    /// Stores what came. The caller holds a lease.
    fn store(&self, hash: &BlobHash, spooled: &mut Spooled) -> Result<(), StoreError> {
        let is_unremoved = self.decided(hash).unremoved.contains(hash);
        let key = self.client.blob(hash);
        self.worker.wait(async {
            self.ready().await?;
            if is_unremoved {
                // Once it was answered, none of the requests that were not can come later.
                self.client.delete(&key).await?;
            }
            self.spool.send(&self.client, &key, spooled).await
        })?;
        self.lock().unremoved.remove(hash);
        self.note_length(hash, spooled.bytes);
        Ok(())
    }
}

/// [`BlobFiles`] hands out uploads, which need the blobs themselves.
pub(crate) struct SharedObjects(pub(crate) Arc<ObjectBlobs>);

impl BlobFiles for SharedObjects {
    fn create(&self) -> Result<Box<dyn Upload>, StoreError> {
        Ok(Box::new(ObjectUpload {
            spooled: self.0.spool.create()?,
            blobs: Arc::clone(&self.0),
        }))
    }

    fn length(&self, hash: &BlobHash) -> Result<Option<u64>, StoreError> {
        self.0.length(hash)
    }

    fn read(&self, hash: &BlobHash, offset: u64, bytes_max: usize) -> Result<Bytes, StoreError> {
        self.0.read(hash, offset, bytes_max)
    }

    fn read_bytes_best(&self) -> usize {
        READ_BYTES_BEST
    }

    fn lease(&self, hash: &BlobHash) {
        self.0.lock().leases.entry(*hash).or_default().0 += 1;
    }

    fn release(&self, hash: &BlobHash) {
        let mut held = self.0.lock();
        if let Some((count, _)) = held.leases.get_mut(hash) {
            *count -= 1;
            if *count == 0 {
                held.leases.remove(hash);
                drop(held);
                (self.0.collect)(*hash);
            }
        }
    }
}

/// Reads blobs to their ends, one after another. The last one is leased, so that its length is asked for once.
pub(crate) struct ObjectReading {
    blobs: SharedObjects,
    last: Cell<Option<BlobHash>>,
}

impl ObjectReading {
    pub(crate) fn new(blobs: &Arc<ObjectBlobs>) -> Self {
        Self {
            blobs: SharedObjects(Arc::clone(blobs)),
            last: Cell::new(None),
        }
    }

    fn turn(&self, next: Option<BlobHash>) {
        if let Some(hash) = &next {
            self.blobs.lease(hash);
        }
        if let Some(hash) = self.last.replace(next) {
            self.blobs.release(&hash);
        }
    }
}

impl Contents for ObjectReading {
    fn length(&self, hash: &BlobHash) -> Result<Option<u64>, StoreError> {
        self.turn(Some(*hash));
        self.blobs.length(hash)
    }

    fn part(&self, hash: &BlobHash, offset: u64, bytes_max: usize) -> Result<Bytes, StoreError> {
        self.blobs.read(hash, offset, bytes_max)
    }
}

impl Drop for ObjectReading {
    fn drop(&mut self) {
        self.turn(None);
    }
}

/// A blob on its way to its name.
struct ObjectUpload {
    blobs: Arc<ObjectBlobs>,
    spooled: Spooled,
}

impl Upload for ObjectUpload {
    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.spooled.write(bytes)
    }

    fn finish(mut self: Box<Self>, hash: &BlobHash) -> Result<(), StoreError> {
        self.blobs.store(hash, &mut self.spooled)
    }
}
