//! Large content by its hash.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::backend::{Backend, BlobFiles, Upload};
use crate::error::StoreError;
use crate::limits::Limit;
use crate::reply::reply;

/// The SHA-256 of a blob's content: its name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlobHash(pub [u8; 32]);

impl BlobHash {
    /// Reads 64 lower-case hexadecimal digits; `None` where that is not what it is.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let text: &[u8; 64] = text.as_bytes().try_into().ok()?;
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(text.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self(hash))
    }
}

impl fmt::Display for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A stored blob. As long as one of these lives, the content stays, whether or not something refers to it; to
/// keep it longer, commit a [`Batch::blob_ref`](crate::Batch::blob_ref).
#[derive(Clone)]
pub struct Blob {
    backend: Arc<dyn Backend>,
    lease: Arc<Lease>,
    length: u64,
}

impl Blob {
    /// Its name.
    #[must_use]
    pub fn hash(&self) -> &BlobHash {
        &self.lease.hash
    }

    /// Its length in bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Bytes that are best read at a time, by whoever reads it to its end: what one question costs differs.
    #[must_use]
    pub fn read_bytes_best(&self) -> usize {
        self.lease.files.read_bytes_best()
    }

    /// Reads from `offset` on, at most `bytes_max` bytes; fewer only at the end.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] beyond [`BLOB_READ_BYTES_MAX`](crate::limits::BLOB_READ_BYTES_MAX); an error of
    /// the environment.
    pub async fn read(&self, offset: u64, bytes_max: usize) -> Result<Bytes, StoreError> {
        Limit::BlobReadBytes.check(bytes_max)?;
        let (reply, answer) = reply();
        let lease = self.lease();
        self.backend.offload(Box::new(move || {
            reply.send(lease.files.read(&lease.hash, offset, bytes_max));
        }));
        answer.await
    }

    /// What keeps it from being removed.
    pub(crate) fn lease(&self) -> Arc<Lease> {
        Arc::clone(&self.lease)
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blob")
            .field("hash", &self.lease.hash)
            .field("length", &self.length)
            .finish()
    }
}

/// Keeps a blob from being removed. It does not keep the store open: a batch that is on its way has one.
pub(crate) struct Lease {
    files: Arc<dyn BlobFiles>,
    hash: BlobHash,
}

impl Lease {
    /// Leases first: whether the blob is there is looked up afterwards.
    fn new(files: Arc<dyn BlobFiles>, hash: BlobHash) -> Arc<Self> {
        files.lease(&hash);
        Arc::new(Self { files, hash })
    }

    pub(crate) fn hash(&self) -> &BlobHash {
        &self.hash
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.files.release(&self.hash);
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.hash.fmt(f)
    }
}

/// Opens a stored blob; `None` where there is none.
pub(crate) async fn open(
    backend: &Arc<dyn Backend>,
    hash: BlobHash,
) -> Result<Option<Blob>, StoreError> {
    let (reply, answer) = reply();
    let lease = Lease::new(backend.blobs(), hash);
    let held = Arc::clone(&lease);
    backend.offload(Box::new(move || reply.send(held.files.length(&held.hash))));
    let length = answer.await?;
    Ok(length.map(|length| Blob {
        backend: Arc::clone(backend),
        lease,
        length,
    }))
}

/// A blob that is being written. Dropped before [`finish`](Self::finish), it leaves nothing.
pub struct BlobWriter {
    backend: Arc<dyn Backend>,
    /// Not there while a write is under way, and after one that failed.
    state: Option<Writing>,
    length: u64,
}

struct Writing {
    upload: Box<dyn Upload>,
    hash: Sha256,
}

impl BlobWriter {
    pub(crate) async fn create(backend: &Arc<dyn Backend>) -> Result<Self, StoreError> {
        let (reply, answer) = reply();
        let files = backend.blobs();
        backend.offload(Box::new(move || reply.send(files.create())));
        let state = Some(Writing {
            upload: answer.await?,
            hash: Sha256::new(),
        });
        Ok(Self {
            backend: Arc::clone(backend),
            state,
            length: 0,
        })
    }

    /// Bytes written so far.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// An error of the environment; the blob cannot be finished then.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        let mut state = self.state.take().ok_or(StoreError::Closed)?;
        self.length += bytes.len() as u64;
        let (reply, answer) = reply();
        self.backend.offload(Box::new(move || {
            state.hash.update(&bytes);
            reply.send(state.upload.write(&bytes).map(|()| state));
        }));
        self.state = Some(answer.await?);
        Ok(())
    }

    /// Makes the blob durable under its hash.
    ///
    /// # Errors
    /// An error of the environment.
    pub async fn finish(mut self) -> Result<Blob, StoreError> {
        let state = self.state.take().ok_or(StoreError::Closed)?;
        let hash = BlobHash(state.hash.finalize().into());
        let lease = Lease::new(self.backend.blobs(), hash);
        let (reply, answer) = reply();
        self.backend
            .offload(Box::new(move || reply.send(state.upload.finish(&hash))));
        answer.await?;
        Ok(Blob {
            backend: self.backend,
            lease,
            length: self.length,
        })
    }
}

impl fmt::Debug for BlobWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobWriter")
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}
