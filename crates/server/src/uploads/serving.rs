//! Files that are fetched.

use waxwing_store::{Blob, KeyRange, StoreError};

use crate::server::Server;
use crate::uploads::retention::gone_micros_at;
use crate::uploads::stored::{BY_ID, FILES, damaged};

/// A file as it can be served.
#[derive(Clone, Debug)]
pub struct Served {
    /// Its content.
    pub blob: Blob,
    /// Its media type, as `media_type::essence` gives it.
    pub media_type: String,
    /// What it is called.
    pub name: String,
    /// In how many seconds it will be gone, if that is known.
    pub secs_left: Option<u64>,
}

impl Server {
    /// Counts bytes of a file that were fetched.
    pub fn note_upload_sent(&self, bytes: u64) {
        self.metrics().upload_sent(bytes);
    }

    /// The file of an id, if there is one and it has not gone.
    ///
    /// # Errors
    /// Of the store.
    pub async fn served_upload(&self, id: &str) -> Result<Option<Served>, StoreError> {
        let range = KeyRange::exactly(id);
        let mut found = self.store().find(&FILES, &BY_ID, &range, 1).await?;
        let Some(file) = found.pop() else {
            return Ok(None);
        };
        let now = self.now_micros();
        let end = gone_micros_at(self, &file.owner, &file.key, &file.value);
        // XEP-0363, "Ephemeral": not a moment longer, whether the clean-up has come by or not.
        let left = match end.map(|end| end.checked_sub(now).filter(|left| *left > 0)) {
            None => None,
            Some(Some(left)) => Some(left / 1_000_000),
            Some(None) => return Ok(None),
        };
        let blob = self.store().blob(&file.value.hash()?).await?;
        let blob = blob.filter(|blob| blob.length() == file.value.size);
        Ok(Some(Served {
            blob: blob.ok_or_else(damaged)?,
            media_type: file.value.media_type,
            name: file.value.name,
            secs_left: left,
        }))
    }
}
