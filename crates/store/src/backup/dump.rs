//! Writing a backup: the calls that a backend makes.

use std::io::Write;

use prost::Message;

use super::frames::FrameWriter;
use super::records::{BlobRecord, EntryRecord, Header, Kind, ReferenceRecord, RowRecord};
use super::{BackupAbout, BackupError, BackupShape, BackupSummary};
use crate::blob::BlobHash;
use crate::limits::BLOB_READ_BYTES_MAX;
use crate::log::LogId;
use crate::owner::Owner;

/// A backup on its way out. Owners come in order, each with all it has; then the blobs.
pub(crate) struct Dump<'a> {
    frames: FrameWriter<&'a mut dyn Write>,
    owner: Option<Owner>,
    owners: u64,
    blob_bytes: u64,
}

impl<'a> Dump<'a> {
    pub(crate) fn begin(out: &'a mut dyn Write, header: &Header) -> Result<Self, BackupError> {
        let mut frames = FrameWriter::begin(out)?;
        frames.frame(Kind::Header, &header.encode_to_vec())?;
        Ok(Self {
            frames,
            owner: None,
            owners: 0,
            blob_bytes: 0,
        })
    }

    pub(crate) fn row(&mut self, owner: &Owner, row: &RowRecord) -> Result<(), BackupError> {
        self.of(owner)?;
        self.frames.frame(Kind::Row, &row.encode_to_vec())
    }

    pub(crate) fn entry(&mut self, owner: &Owner, entry: &EntryRecord) -> Result<(), BackupError> {
        self.of(owner)?;
        self.frames.frame(Kind::Entry, &entry.encode_to_vec())
    }

    pub(crate) fn reference(
        &mut self,
        owner: &Owner,
        hash: &BlobHash,
        count: u64,
    ) -> Result<(), BackupError> {
        self.of(owner)?;
        let hash = hash.0.to_vec();
        let record = ReferenceRecord { hash, count };
        self.frames.frame(Kind::Reference, &record.encode_to_vec())
    }

    /// A blob of this length; `read` gives its content from an offset on, at most so many bytes.
    pub(crate) fn blob(
        &mut self,
        hash: &BlobHash,
        length: u64,
        read: impl Fn(u64, usize) -> Result<bytes::Bytes, crate::error::StoreError>,
    ) -> Result<(), BackupError> {
        use sha2::Digest;
        let record = BlobRecord {
            hash: hash.0.to_vec(),
            length,
        };
        self.frames.frame(Kind::Blob, &record.encode_to_vec())?;
        let (mut offset, mut content) = (0, sha2::Sha256::new());
        while offset < length {
            let part = read(offset, BLOB_READ_BYTES_MAX)?;
            if part.is_empty() {
                return Err(BackupError::Blob(*hash));
            }
            content.update(&part);
            self.frames.frame(Kind::Part, &part)?;
            offset += part.len() as u64;
        }
        if <[u8; 32]>::from(content.finalize()) != hash.0 {
            return Err(BackupError::Blob(*hash));
        }
        self.blob_bytes += length;
        Ok(())
    }

    /// Ends a backup that is whole.
    pub(crate) fn end(self, header: &Header) -> Result<BackupSummary, BackupError> {
        let (bytes, sha256) = self.frames.end()?;
        let (owners, blob_bytes) = (self.owners, self.blob_bytes);
        Ok(summary(header, owners, blob_bytes, bytes, sha256))
    }

    /// Says to whoever reads it that there is no more, and why.
    pub(crate) fn give_up(&mut self, error: &BackupError) -> Result<(), BackupError> {
        let text = error.to_string();
        self.frames.frame(Kind::GivenUp, text.as_bytes())?;
        self.frames.flush()
    }

    fn of(&mut self, owner: &Owner) -> Result<(), BackupError> {
        if self.owner.as_ref() == Some(owner) {
            return Ok(());
        }
        self.owner = Some(owner.clone());
        self.owners += 1;
        self.frames.frame(Kind::Owner, owner.as_bytes())
    }
}

pub(super) fn summary(
    header: &Header,
    owners: u64,
    blob_bytes: u64,
    bytes: u64,
    sha256: [u8; 32],
) -> BackupSummary {
    let shapes = header.shapes.iter().map(|shape| BackupShape {
        name: shape.name.clone(),
        version: shape.version,
        records: shape.records,
    });
    BackupSummary {
        about: BackupAbout {
            product: header.product.clone(),
            at_micros: header.at_micros,
        },
        shapes: shapes.collect(),
        last_log_id: LogId(header.last_log_id),
        owners,
        references: header.references,
        blobs: header.blobs,
        blob_bytes,
        bytes,
        sha256,
    }
}
