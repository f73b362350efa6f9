//! Whether a bucket can be used, found out by using it.

use bytes::Bytes;

use super::fault::ObjectFault;
use super::place::ObjectPlace;
use super::{claim, connected};
use crate::blob::BlobHash;
use crate::error::StoreError;

/// What is written, read and removed again.
const CONTENT: &[u8] = b"waxwing check\n";

impl ObjectPlace {
    /// Writes, reads and removes a small object. Whether files of a server lie there is said; nothing else is changed. Blocks.
    ///
    /// # Errors
    /// [`ObjectFault`]: the first that cannot be done.
    pub fn probe(&self) -> Result<bool, ObjectFault> {
        let (client, worker) = connected(self)?;
        let done = worker.wait(async {
            let is_used = client.text(claim::NAME).await?.is_some();
            // Nobody's file has this name: a hash of all ones.
            let key = client.blob(&BlobHash([0xff; 32]));
            client.put(&key, Bytes::from_static(CONTENT)).await?;
            let read = client.read(&key, 2, CONTENT.len() as u64).await;
            client.delete(&key).await?;
            match read? == CONTENT[2..] {
                true => Ok(is_used),
                false => Err(ObjectFault::Damaged),
            }
        });
        done.map_err(|error| match error {
            StoreError::Objects(fault) => fault,
            error => ObjectFault::Failed {
                reason: error.to_string(),
            },
        })
    }
}
