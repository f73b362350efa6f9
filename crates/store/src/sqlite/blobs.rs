//! Blobs as files: `blobs/ab/ab01…` by hash, `blobs/new/` for what is being written or removed.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::fault::io_failed;
use super::pool::Pool;
use super::queue::Queue;
use crate::backend::{BlobFiles, Upload};
use crate::blob::BlobHash;
use crate::error::StoreError;

/// Work on files.
pub(super) type Work = Box<dyn FnOnce() + Send>;

/// Where blobs lie.
pub(super) struct BlobPlace {
    directory: PathBuf,
}

impl BlobPlace {
    pub(super) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    fn path(&self, hash: &BlobHash) -> PathBuf {
        let name = hash.to_string();
        self.directory.join(&name[..2]).join(name)
    }

    pub(super) fn length(&self, hash: &BlobHash) -> Result<Option<u64>, StoreError> {
        match fs::metadata(self.path(hash)) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_failed(&error)),
        }
    }

    /// At most so many bytes from an offset on; none at the end.
    pub(super) fn read_part(
        &self,
        hash: &BlobHash,
        offset: u64,
        bytes_max: usize,
    ) -> std::io::Result<Bytes> {
        let mut file = File::open(self.path(hash))?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.take(bytes_max as u64).read_to_end(&mut bytes)?;
        Ok(Bytes::from(bytes))
    }
}

pub(super) struct FileBlobs {
    place: BlobPlace,
    leases: Mutex<HashMap<BlobHash, u64>>,
    /// While a backup reads: blobs to be removed after it. It may be about to read them.
    kept: Mutex<Option<HashSet<BlobHash>>>,
    queue: Arc<Queue>,
    workers: Arc<Pool<Work>>,
    next_name: Arc<AtomicU64>,
}

impl FileBlobs {
    /// Makes the directory ready, and removes what a former life had not finished.
    pub(super) fn open(
        directory: PathBuf,
        queue: Arc<Queue>,
        workers: Arc<Pool<Work>>,
    ) -> std::io::Result<Self> {
        let new = directory.join("new");
        if new.exists() {
            fs::remove_dir_all(&new)?;
        }
        create_synced(&directory)?;
        create_synced(&new)?;
        Ok(Self {
            place: BlobPlace::new(directory),
            leases: Mutex::default(),
            kept: Mutex::default(),
            queue,
            workers,
            next_name: Arc::default(),
        })
    }

    /// Asks the writer to remove each file to which nothing refers: what was written, or lost its last
    /// reference, just before a crash.
    pub(super) fn collect_orphans(
        &self,
        is_referenced: impl Fn(&BlobHash) -> bool,
    ) -> std::io::Result<()> {
        for shard in fs::read_dir(&self.place.directory)? {
            let shard = shard?;
            if !shard.file_type()?.is_dir() {
                continue;
            }
            for file in fs::read_dir(shard.path())? {
                let name = file?.file_name();
                if let Some(hash) = name.to_str().and_then(BlobHash::from_hex)
                    && !is_referenced(&hash)
                {
                    self.queue.collect(hash);
                }
            }
        }
        Ok(())
    }

    /// Removes a blob that nothing refers to, unless it is leased. The file loses its name at once, and its
    /// content beside everything else.
    pub(super) fn remove(&self, hash: &BlobHash) {
        if let Some(kept) = &mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner) {
            kept.insert(*hash);
            return;
        }
        let leases = self.lock();
        if leases.contains_key(hash) {
            return;
        }
        let doomed = self.new_path();
        let renamed = fs::rename(self.place.path(hash), &doomed);
        drop(leases);
        match renamed {
            Ok(()) => {
                let unlink: Work = Box::new(move || remove_file(&doomed));
                if let Some(unlink) = self.workers.push(unlink) {
                    unlink();
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => tracing::warn!(%error, "a blob without references could not be removed"),
        }
    }

    /// Removes no blob until [`keep_no_longer`](Self::keep_no_longer).
    pub(super) fn keep_all(&self) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(HashSet::new());
    }

    pub(super) fn keep_no_longer(&self) {
        let kept = self
            .kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        for hash in kept.into_iter().flatten() {
            self.queue.collect(hash);
        }
    }

    pub(super) fn place(&self) -> &BlobPlace {
        &self.place
    }

    fn new_path(&self) -> PathBuf {
        let number = self.next_name.fetch_add(1, Ordering::Relaxed);
        self.place.directory.join("new").join(number.to_string())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<BlobHash, u64>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BlobFiles for FileBlobs {
    fn create(&self) -> Result<Box<dyn Upload>, StoreError> {
        let path = self.new_path();
        let file = File::create_new(&path).map_err(|error| io_failed(&error))?;
        Ok(Box::new(FileUpload {
            file,
            path,
            directory: self.place.directory.clone(),
        }))
    }

    fn length(&self, hash: &BlobHash) -> Result<Option<u64>, StoreError> {
        self.place.length(hash)
    }

    fn read(&self, hash: &BlobHash, offset: u64, bytes_max: usize) -> Result<Bytes, StoreError> {
        let read = self.place.read_part(hash, offset, bytes_max);
        read.map_err(|error| io_failed(&error))
    }

    fn lease(&self, hash: &BlobHash) {
        *self.lock().entry(*hash).or_default() += 1;
    }

    fn release(&self, hash: &BlobHash) {
        let mut leases = self.lock();
        if let Some(count) = leases.get_mut(hash) {
            *count -= 1;
            if *count == 0 {
                leases.remove(hash);
                drop(leases);
                self.queue.collect(*hash);
            }
        }
    }
}

/// A blob on its way to its name.
struct FileUpload {
    file: File,
    path: PathBuf,
    directory: PathBuf,
}

impl Upload for FileUpload {
    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file
            .write_all(bytes)
            .map_err(|error| io_failed(&error))
    }

    fn finish(self: Box<Self>, hash: &BlobHash) -> Result<(), StoreError> {
        let name = hash.to_string();
        let shard = self.directory.join(&name[..2]);
        let finish = || {
            self.file.sync_all()?;
            create_synced(&shard)?;
            // Another upload of the same content may have given it the name, and not synced it yet.
            fs::rename(&self.path, shard.join(&name))?;
            sync_directory(&shard)
        };
        finish().map_err(|error| io_failed(&error))
    }
}

impl Drop for FileUpload {
    fn drop(&mut self) {
        // Where it was finished it has another name.
        remove_file(&self.path);
    }
}

fn remove_file(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != ErrorKind::NotFound
    {
        tracing::warn!(%error, "a file that is not needed any more could not be removed");
    }
}

/// Creates a directory, if it is not there, so that it is there after a power cut.
pub(super) fn create_synced(directory: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(directory) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    match directory.parent() {
        Some(parent) => sync_directory(parent),
        None => Ok(()),
    }
}

/// Makes the names in a directory durable.
pub(super) fn sync_directory(directory: &Path) -> std::io::Result<()> {
    File::open(directory)?.sync_all()
}
