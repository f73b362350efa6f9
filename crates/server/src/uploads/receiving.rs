//! A file on its way in. It is written as it comes; what does not come whole leaves nothing.

use bytes::Bytes;
use waxwing_stanza::BareJid;
use waxwing_store::{Batch, BlobWriter, StoreError};

use crate::accounts;
use crate::metrics::{Brought, Limit};
use crate::server::Server;
use crate::uploads::room::{NoRoom, Place};
use crate::uploads::stored::{self, SLOTS, StoredFile};
use crate::uploads::terms::Terms;
use crate::uploads::{Bucket, media_type};

/// What a request that brings a file says of it.
#[derive(Clone, Copy, Debug)]
pub struct Offer<'a> {
    /// The id in its path.
    pub id: &'a str,
    /// What allows it.
    pub token: Option<&'a str>,
    /// Bytes of its content, if it says so.
    pub length: Option<u64>,
    /// Its media type, if it says so.
    pub content_type: Option<&'a str>,
}

/// Why a file is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UploadError {
    /// Nothing that this server has signed allows it.
    #[error("no slot allows this")]
    Unknown,
    /// It may be brought to another place.
    #[error("the slot is for another file")]
    Elsewhere,
    /// It was not begun in time.
    #[error("the slot is over; ask for another one")]
    Over,
    /// It was brought before.
    #[error("the slot was used")]
    Used,
    /// It is being brought.
    #[error("the slot is in use")]
    InUse,
    /// Whoever asked for the slot has no account any more, or may not log in.
    #[error("the account is gone")]
    NoAccount,
    /// It does not say how long it is.
    #[error("the length must be given")]
    NoLength,
    /// It is another length than was asked for.
    #[error("the slot is for {expected} bytes")]
    Length {
        /// Bytes that the slot is for.
        expected: u64,
        /// Whether there are more of them.
        is_more: bool,
    },
    /// It is something else than was asked for.
    #[error("the slot is for {expected}")]
    MediaType {
        /// The media type that the slot is for.
        expected: String,
    },
    /// There is no room for it.
    #[error("there is no room")]
    Full,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A file that is coming. Dropped before [`finish`](Self::finish), it leaves nothing.
pub struct Receiving {
    server: Server,
    terms: Terms,
    media_type: String,
    place: Place,
    writer: BlobWriter,
}

impl Server {
    /// Counts a file that somebody brought, by what came of it.
    pub fn note_upload(&self, brought: Brought) {
        self.metrics().brought(brought);
    }

    /// Begins to take a file.
    ///
    /// # Errors
    /// [`UploadError`]: it is not taken.
    pub async fn receive_upload(&self, offer: Offer<'_>) -> Result<Receiving, UploadError> {
        let token = offer.token.ok_or(UploadError::Unknown)?;
        let terms = self.uploads().signer.terms(token);
        let terms = terms.ok_or(UploadError::Unknown)?;
        if terms.id != offer.id {
            return Err(UploadError::Elsewhere);
        }
        let media_type = check(&terms, &offer)?;
        if terms.until_micros <= self.now_micros() {
            return Err(UploadError::Over);
        }
        let account: Result<BareJid, _> = terms.account.parse();
        let account = account.map_err(|_| UploadError::Unknown)?;
        let account = self.account(&account).await;
        // Where the store does not answer, the log says so.
        let account = account.map_err(|_| UploadError::Store(StoreError::Closed))?;
        let account = account.ok_or(UploadError::NoAccount)?;
        let place = self.place_for_upload(account.jid.domain(), &terms.id, terms.size);
        let place = place.await?.map_err(|reason| match reason {
            NoRoom::Coming => UploadError::InUse,
            NoRoom::Full => {
                self.note_limit(Limit::UploadRoom);
                UploadError::Full
            }
        })?;
        let slots = SLOTS.at(self.now_micros());
        let slot = self.store().get(&slots, &account.owner, &terms.id).await?;
        slot.ok_or(UploadError::Used)?;
        Ok(Receiving {
            writer: self.store().blob_writer().await?,
            server: self.clone(),
            terms,
            media_type,
            place,
        })
    }
}

/// Whether what is offered is what was asked for; its media type, if so.
fn check(terms: &Terms, offer: &Offer<'_>) -> Result<String, UploadError> {
    let length = offer.length.ok_or(UploadError::NoLength)?;
    if length != terms.size {
        return Err(UploadError::Length {
            expected: terms.size,
            is_more: length > terms.size,
        });
    }
    let expected = (!terms.media_type.is_empty()).then(|| terms.media_type.clone());
    match (offer.content_type.map(media_type::essence), expected) {
        // Who says nothing says nothing else.
        (None, expected) => Ok(expected.unwrap_or_else(|| media_type::UNKNOWN.to_owned())),
        (Some(offered), Some(expected)) if offered.as_ref() == Some(&expected) => Ok(expected),
        (Some(_), Some(expected)) => Err(UploadError::MediaType { expected }),
        (Some(offered), None) => Ok(offered.unwrap_or_else(|| media_type::UNKNOWN.to_owned())),
    }
}

impl Receiving {
    /// Bytes that are to come in all.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.terms.size
    }

    /// Bytes that have come.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.writer.length()
    }

    fn wrong_length(&self, is_more: bool) -> UploadError {
        UploadError::Length {
            expected: self.terms.size,
            is_more,
        }
    }

    /// Takes some of it; returns when it is written.
    ///
    /// # Errors
    /// [`UploadError`]: more comes than may, or it cannot be written; then it is over.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), UploadError> {
        let length = self.length().saturating_add(bytes.len() as u64);
        if length > self.terms.size {
            return Err(self.wrong_length(true));
        }
        self.server.metrics().upload_received(bytes.len() as u64);
        Ok(self.writer.write(bytes).await?)
    }

    /// Keeps it: once this returns, it can be fetched, and survives a power cut.
    ///
    /// # Errors
    /// [`UploadError`]: it did not come whole, or its slot is not there any more, or it cannot be kept.
    pub async fn finish(self) -> Result<(), UploadError> {
        if self.length() != self.terms.size {
            return Err(self.wrong_length(false));
        }
        let Receiving {
            server,
            terms,
            media_type,
            place,
            writer,
        } = self;
        let number = u8::try_from(terms.bucket).ok();
        let bucket = number.and_then(Bucket::numbered);
        let bucket = bucket.ok_or(UploadError::Unknown)?;
        let account: Result<BareJid, _> = terms.account.parse();
        let owner = accounts::owner(&account.map_err(|_| UploadError::Unknown)?);
        let blob = writer.finish().await?;
        let file = StoredFile {
            hash: blob.hash().0.to_vec(),
            size: terms.size,
            media_type,
            name: terms.name,
            end_micros: terms.end_micros,
        };
        let now = server.now_micros();
        let mut batch = Batch::new();
        accounts::require(&mut batch, &owner);
        // Once: who comes second finds no slot.
        let slots = SLOTS.at(now);
        batch.require_present(&slots, &owner, &terms.id);
        batch.delete(&slots, &owner, &terms.id);
        batch.blob_ref(&owner, &blob);
        let at = (bucket.number(), now, terms.id);
        stored::enter(&mut batch, &owner, &at, &file);
        match server.store().commit(batch).await {
            Ok(_) => {
                place.arrived();
                Ok(())
            }
            Err(StoreError::Refused { position: 0, .. }) => Err(UploadError::NoAccount),
            Err(StoreError::Refused { .. }) => Err(UploadError::Used),
            Err(error) => Err(error.into()),
        }
    }
}
