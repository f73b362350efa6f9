//! A backup's files on their way to the object store.

use std::path::PathBuf;

use super::client::Client;
use super::fault::ObjectFault;
use super::place::ObjectPlace;
use super::sending::{Spool, Spooled};
use super::thread::Worker;
use super::{claim, connected, refused};
use crate::backup::BackupError;
use crate::blob::BlobHash;
use crate::error::{OpenError, StoreError};

/// A restore into a place where nothing is. Until it has ended, a server refuses the place.
pub(crate) struct ObjectRestore {
    place: String,
    /// The store's name from then on.
    name: String,
    client: Client,
    worker: Worker,
    spool: Spool,
    coming: Option<(BlobHash, Spooled)>,
}

impl ObjectRestore {
    /// Looks whether nothing is there, and says there that a restore has begun.
    pub(crate) fn begin(
        place: &ObjectPlace,
        spool: PathBuf,
        name: String,
    ) -> Result<Self, BackupError> {
        let (client, worker) = connected(place).map_err(|fault| refused(place, fault))?;
        let spool = Spool::open(spool)?;
        let restore = Self {
            place: place.to_string(),
            name,
            client,
            worker,
            spool,
            coming: None,
        };
        restore.ask(claim::begin_restore(&restore.client, &restore.name))?;
        Ok(restore)
    }

    fn ask<T>(&self, work: impl Future<Output = Result<T, ObjectFault>>) -> Result<T, BackupError> {
        self.worker.wait(work).map_err(|error| match error {
            StoreError::Objects(fault) => BackupError::Open(OpenError::Objects {
                place: self.place.clone(),
                fault,
            }),
            error => error.into(),
        })
    }

    /// A file comes; the one before it is whole.
    pub(crate) fn blob(&mut self, hash: &BlobHash) -> Result<(), BackupError> {
        self.send()?;
        self.coming = Some((*hash, self.spool.create()?));
        Ok(())
    }

    pub(crate) fn part(&mut self, bytes: &[u8]) -> Result<(), BackupError> {
        match &mut self.coming {
            Some((_, spooled)) => Ok(spooled.write(bytes)?),
            None => Ok(()),
        }
    }

    fn send(&mut self) -> Result<(), BackupError> {
        let Some((hash, mut spooled)) = self.coming.take() else {
            return Ok(());
        };
        let key = self.client.blob(&hash);
        self.ask(self.spool.send(&self.client, &key, &mut spooled))
    }

    /// All files have come.
    pub(crate) fn end_blobs(&mut self) -> Result<(), BackupError> {
        self.send()
    }

    /// Says whose the files are, when the database that knows them has taken effect. Where it cannot be said, the first start
    /// says it.
    pub(crate) fn end(self) {
        if let Err(error) = self.ask(claim::end_restore(&self.client, &self.name)) {
            tracing::warn!(%error, "the first start will say whose the files are");
        }
    }
}
