//! Reading an object store without a store that is open.

use std::cell::Cell;

use bytes::Bytes;

use super::claim::Claim;
use super::client::Client;
use super::connected;
use super::fault::ObjectFault;
use super::place::ObjectPlace;
use super::thread::Worker;
use crate::backend::Contents;
use crate::blob::BlobHash;
use crate::error::{OpenError, StoreError};

/// Files of a store, as they lie there; nothing is changed.
pub(crate) struct ObjectLook {
    client: Client,
    worker: Worker,
    /// The one that is read, and its length.
    last: Cell<Option<(BlobHash, u64)>>,
}

impl ObjectLook {
    /// Looks whether they are those of the store of this name.
    pub(crate) fn at(place: &ObjectPlace, store: &str) -> Result<Self, OpenError> {
        let refused = |fault| super::refused(place, fault);
        let (client, worker) = connected(place).map_err(refused)?;
        match worker.wait(Claim::is_of(&client, store)) {
            Ok(true) => {}
            Ok(false) => return Err(refused(ObjectFault::NotOurs)),
            Err(StoreError::Objects(fault)) => return Err(refused(fault)),
            Err(error) => {
                let reason = error.to_string();
                return Err(refused(ObjectFault::Failed { reason }));
            }
        }
        Ok(Self {
            client,
            worker,
            last: Cell::new(None),
        })
    }
}

impl Contents for ObjectLook {
    fn length(&self, hash: &BlobHash) -> Result<Option<u64>, StoreError> {
        let length = self
            .worker
            .wait(self.client.length(&self.client.blob(hash)))?;
        self.last.set(length.map(|length| (*hash, length)));
        Ok(length)
    }

    fn part(&self, hash: &BlobHash, offset: u64, bytes_max: usize) -> Result<Bytes, StoreError> {
        let length = match self.last.get() {
            Some((last, length)) if last == *hash => Some(length),
            _ => self.length(hash)?,
        };
        let length = length.ok_or(StoreError::Objects(ObjectFault::Gone))?;
        self.worker
            .wait(self.client.part(hash, length, offset, bytes_max))
    }
}
