//! Blobs of the double.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::backend::{BlobFiles, Upload};
use crate::blob::BlobHash;
use crate::error::StoreError;

/// What would be files: there once they are finished, whatever becomes of the references to them.
#[derive(Clone, Default)]
pub(super) struct MemoryBlobs(Arc<Mutex<Content>>);

#[derive(Default)]
struct Content {
    blobs: BTreeMap<BlobHash, Bytes>,
    leases: BTreeMap<BlobHash, u64>,
}

impl MemoryBlobs {
    pub(super) fn contains(&self, hash: &BlobHash) -> bool {
        self.lock().blobs.contains_key(hash)
    }

    /// Removes what has neither lease nor reference.
    pub(super) fn collect(&self, is_referenced: impl Fn(&BlobHash) -> bool) {
        let mut content = self.lock();
        let Content { blobs, leases } = &mut *content;
        blobs.retain(|hash, _| leases.contains_key(hash) || is_referenced(hash));
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BlobFiles for MemoryBlobs {
    fn create(&self) -> Result<Box<dyn Upload>, StoreError> {
        Ok(Box::new(MemoryUpload {
            blobs: self.clone(),
            bytes: Vec::new(),
        }))
    }

    fn length(&self, hash: &BlobHash) -> Result<Option<u64>, StoreError> {
        Ok(self.lock().blobs.get(hash).map(|bytes| bytes.len() as u64))
    }

    fn read(&self, hash: &BlobHash, offset: u64, bytes_max: usize) -> Result<Bytes, StoreError> {
        let content = self.lock();
        let bytes = content.blobs.get(hash).ok_or(StoreError::NoSuchBlob)?;
        let start = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        let end = start.saturating_add(bytes_max).min(bytes.len());
        Ok(bytes.slice(start..end))
    }

    fn lease(&self, hash: &BlobHash) {
        *self.lock().leases.entry(*hash).or_default() += 1;
    }

    fn release(&self, hash: &BlobHash) {
        let mut content = self.lock();
        if let Some(count) = content.leases.get_mut(hash) {
            *count -= 1;
            if *count == 0 {
                content.leases.remove(hash);
            }
        }
    }
}

struct MemoryUpload {
    blobs: MemoryBlobs,
    bytes: Vec<u8>,
}

impl Upload for MemoryUpload {
    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(self: Box<Self>, hash: &BlobHash) -> Result<(), StoreError> {
        self.blobs.lock().blobs.insert(*hash, self.bytes.into());
        Ok(())
    }
}
