//! Where the blobs of a data directory are: in files beside the database, or in an object store.
//!
//! For the latter, `blobs/objects` says so: the place as people read it, and the store's name, by which the object store
//! knows whose its files are.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use rusqlite::Connection;

use super::blobs::{BlobPlace, FileBlobs, Work, create_synced, sync_directory};
use super::open::{Directory, beside, io};
use super::pool::Pool;
use super::queue::Queue;
use crate::backend::{BlobFiles, Contents};
use crate::blob::BlobHash;
use crate::error::{OpenError, StoreError};
use crate::objects::{Claim, ObjectBlobs, ObjectLook, ObjectPlace, ObjectReading, SharedObjects};

/// The file that says that blobs are elsewhere.
const OBJECTS: &str = "objects";
/// What it is called when they have been, and none was there.
const FORMER: &str = "objects.former";
/// Bytes of a store's name, before they are written as digits.
const NAME_BYTES: usize = 16;

/// What a data directory's blobs are.
#[derive(Clone)]
pub(super) enum Kept {
    Files(Arc<FileBlobs>),
    Objects(Arc<ObjectBlobs>),
}

impl Contents for BlobPlace {
    fn length(&self, hash: &BlobHash) -> Result<Option<u64>, StoreError> {
        BlobPlace::length(self, hash)
    }

    fn part(&self, hash: &BlobHash, offset: u64, bytes_max: usize) -> Result<Bytes, StoreError> {
        let part = self.read_part(hash, offset, bytes_max);
        part.map_err(|error| crate::error::io_failed(&error))
    }
}

impl Kept {
    /// Makes ready what a directory's blobs are in; refuses what would lose those that there are.
    pub(super) fn open(
        place: &Directory,
        objects: Option<&ObjectPlace>,
        db: &Connection,
        queue: &Arc<Queue>,
        workers: &Arc<Pool<Work>>,
    ) -> Result<Self, OpenError> {
        let has_files = db
            .prepare("SELECT 1 FROM blob_ref LIMIT 1")
            .and_then(|mut select| select.exists([]))
            .map_err(|error| place.refused(&error))?;
        let noted = place.noted_objects(OBJECTS)?;
        let failed = |error: std::io::Error| io(&place.blobs, &error);
        let Some(objects) = objects else {
            if let Some((files, _)) = noted {
                if has_files {
                    let store = place.path.display().to_string();
                    return Err(OpenError::FilesElsewhere { store, files });
                }
                // Whoever names it again is still the one whose place it is.
                let former = place.blobs.join(FORMER);
                fs::rename(place.blobs.join(OBJECTS), former).map_err(failed)?;
                fs::remove_dir_all(place.blobs.join("parts"))
                    .or_else(|error| match error.kind() {
                        ErrorKind::NotFound => Ok(()),
                        _ => Err(error),
                    })
                    .map_err(failed)?;
            }
            let (queue, workers) = (Arc::clone(queue), Arc::clone(workers));
            let files = FileBlobs::open(place.blobs.clone(), queue, workers).map_err(failed)?;
            return Ok(Self::Files(Arc::new(files)));
        };
        let name = match noted {
            Some((_, name)) => name,
            None if has_files => {
                return Err(OpenError::FilesElsewhere {
                    store: place.path.display().to_string(),
                    files: place.blobs.display().to_string(),
                });
            }
            None => match place.noted_objects(FORMER)? {
                Some((_, name)) => name,
                None => new_name(objects)?,
            },
        };
        place.note_objects(objects, &name)?;
        let claim = Claim {
            store: name,
            has_files,
        };
        let queue = Arc::clone(queue);
        let collect = Box::new(move |hash| queue.collect(hash));
        let blobs = ObjectBlobs::open(objects, place.blobs.clone(), claim, collect)?;
        Ok(Self::Objects(blobs))
    }

    pub(super) fn shared(&self) -> Arc<dyn BlobFiles> {
        match self {
            Self::Files(files) => Arc::<FileBlobs>::clone(files),
            Self::Objects(objects) => Arc::new(SharedObjects(Arc::clone(objects))),
        }
    }

    /// Removes a blob that nothing refers to, unless it is leased.
    pub(super) fn remove(&self, hash: &BlobHash) {
        match self {
            Self::Files(files) => files.remove(hash),
            Self::Objects(objects) => {
                let unreferenced = Box::pin(std::future::ready(Ok(true)));
                objects.remove(*hash, unreferenced);
            }
        }
    }

    /// Removes no blob until [`keep_no_longer`](Self::keep_no_longer).
    pub(super) fn keep_all(&self) {
        match self {
            Self::Files(files) => files.keep_all(),
            Self::Objects(objects) => objects.keep_all(),
        }
    }

    pub(super) fn keep_no_longer(&self) {
        match self {
            Self::Files(files) => files.keep_no_longer(),
            Self::Objects(objects) => objects.keep_no_longer(),
        }
    }

    /// Gives what reads their content.
    pub(super) fn contents(&self) -> Box<dyn Contents + '_> {
        match self {
            Self::Files(files) => Box::new(files.place()),
            Self::Objects(objects) => Box::new(ObjectReading::new(objects)),
        }
    }

    /// Waits for no object store any more.
    pub(super) fn stop(&self) {
        if let Self::Objects(objects) = self {
            objects.stop();
        }
    }

    /// Ends what asks one, when nobody waits any more.
    pub(super) fn end(&self) {
        if let Self::Objects(objects) = self {
            objects.end();
        }
    }
}

impl Contents for &BlobPlace {
    fn length(&self, hash: &BlobHash) -> Result<Option<u64>, StoreError> {
        Contents::length(*self, hash)
    }

    fn part(&self, hash: &BlobHash, offset: u64, bytes_max: usize) -> Result<Bytes, StoreError> {
        Contents::part(*self, hash, offset, bytes_max)
    }
}

/// A name that no other store has.
pub(super) fn new_name(objects: &ObjectPlace) -> Result<String, OpenError> {
    let mut bytes = [0; NAME_BYTES];
    let random = rustls::crypto::aws_lc_rs::default_provider().secure_random;
    random.fill(&mut bytes).map_err(|_| OpenError::Objects {
        place: objects.to_string(),
        fault: crate::objects::ObjectFault::Failed {
            reason: "there is no randomness".to_owned(),
        },
    })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

impl Directory {
    /// What reads the blobs of a store that is not open.
    pub(super) fn look_at_blobs(
        &self,
        objects: Option<&ObjectPlace>,
    ) -> Result<Box<dyn Contents>, OpenError> {
        match (self.noted_objects(OBJECTS)?, objects) {
            (None, _) => Ok(Box::new(BlobPlace::new(self.blobs.clone()))),
            (Some((_, name)), Some(objects)) => Ok(Box::new(ObjectLook::at(objects, &name)?)),
            (Some((files, _)), None) => Err(OpenError::FilesElsewhere {
                store: self.path.display().to_string(),
                files,
            }),
        }
    }

    /// Where the blobs are, if they are in an object store, and the store's name there.
    fn noted_objects(&self, file: &str) -> Result<Option<(String, String)>, OpenError> {
        let path = self.blobs.join(file);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == ErrorKind::NotADirectory => return Ok(None),
            text => text.map_err(|error| io(&path, &error))?,
        };
        let lines: Vec<&str> = text.lines().collect();
        match lines[..] {
            [place, name] if text.ends_with('\n') && !name.is_empty() => {
                Ok(Some((place.to_owned(), name.to_owned())))
            }
            _ => Err(OpenError::Damaged {
                path,
                detail: "it does not say which object store has the files".to_owned(),
            }),
        }
    }

    /// Writes down where the blobs are; it is on the disk then.
    pub(super) fn note_objects(&self, objects: &ObjectPlace, name: &str) -> Result<(), OpenError> {
        let path = self.blobs.join(OBJECTS);
        let new = beside(&path, ".new");
        let write = |new: &Path| {
            create_synced(&self.blobs)?;
            let mut file = File::create(new)?;
            write!(file, "{objects}\n{name}\n")?;
            file.sync_all()?;
            fs::rename(new, &path)?;
            sync_directory(&self.blobs)
        };
        write(&new).map_err(|error| io(&path, &error))
    }
}
