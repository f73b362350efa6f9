//! Blobs of the double.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::backend::{BlobFiles, Upload};
use crate::blob::BlobHash;
use crate::error::StoreError;

/// What would be files: there once they are finished, whatever becomes of the references to them.
type Content = Arc<Mutex<BTreeMap<BlobHash, Bytes>>>;

/// The blobs, and the leases of one life.
#[derive(Default)]
pub(super) struct MemoryBlobs {
    content: Content,
    leases: Mutex<BTreeMap<BlobHash, u64>>,
    /// A lease has ended since somebody looked for blobs that nothing refers to.
    released: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryBlobs {
    /// The same blobs for another life: nobody has leased any yet.
    pub(super) fn next_life(&self) -> Self {
        Self {
            content: Arc::clone(&self.content),
            ..Self::default()
        }
    }

    pub(super) fn contains(&self, hash: &BlobHash) -> bool {
        lock(&self.content).contains_key(hash)
    }

    /// Whether a lease has ended since [`collect`](Self::collect) was called last.
    pub(super) fn has_released(&self) -> bool {
        self.released.load(Ordering::Relaxed)
    }

    /// Removes what has neither lease nor reference.
    pub(super) fn collect(&self, is_referenced: impl Fn(&BlobHash) -> bool) {
        self.released.store(false, Ordering::Relaxed);
        let leases = lock(&self.leases);
        lock(&self.content).retain(|hash, _| leases.contains_key(hash) || is_referenced(hash));
    }
}

impl BlobFiles for MemoryBlobs {
    fn create(&self) -> Result<Box<dyn Upload>, StoreError> {
        Ok(Box::new(MemoryUpload {
            content: Arc::clone(&self.content),
            bytes: Vec::new(),
        }))
    }

    fn length(&self, hash: &BlobHash) -> Result<Option<u64>, StoreError> {
        Ok(lock(&self.content)
            .get(hash)
            .map(|bytes| bytes.len() as u64))
    }

    fn read(&self, hash: &BlobHash, offset: u64, bytes_max: usize) -> Result<Bytes, StoreError> {
        let content = lock(&self.content);
        let bytes = content.get(hash).ok_or(StoreError::NoSuchBlob)?;
        let start = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        let end = start.saturating_add(bytes_max).min(bytes.len());
        Ok(bytes.slice(start..end))
    }

    fn lease(&self, hash: &BlobHash) {
        *lock(&self.leases).entry(*hash).or_default() += 1;
    }

    fn release(&self, hash: &BlobHash) {
        let mut leases = lock(&self.leases);
        if let Some(count) = leases.get_mut(hash) {
            *count -= 1;
            if *count == 0 {
                leases.remove(hash);
                self.released.store(true, Ordering::Relaxed);
            }
        }
    }
}

struct MemoryUpload {
    content: Content,
    bytes: Vec<u8>,
}

impl Upload for MemoryUpload {
    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(self: Box<Self>, hash: &BlobHash) -> Result<(), StoreError> {
        lock(&self.content).insert(*hash, self.bytes.into());
        Ok(())
    }
}
