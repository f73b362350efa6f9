//! Reading a backup: record by record, each checked, and at the end all together.

use std::collections::BTreeMap;
use std::io::Read;

use prost::Message;
use sha2::{Digest, Sha256};

use super::dump::summary;
use super::frames::FrameReader;
use super::records::{BlobRecord, EntryRecord, Header, Kind, ReferenceRecord, RowRecord};
use super::{BackupError, BackupSummary};
use crate::blob::BlobHash;
use crate::log::LogId;
use crate::owner::Owner;
use crate::shape::{Shape, ShapeKind};

/// What a backup holds, in its order.
pub(crate) enum Record {
    /// Whose the following is.
    Owner(Owner),
    Row(RowRecord),
    Entry(EntryRecord),
    Reference(BlobHash, u64),
    /// A blob, whose content follows.
    Blob(BlobHash),
    /// A part of that content.
    Part(Vec<u8>),
}

/// A blob whose content is being read.
struct Content {
    hash: BlobHash,
    left: u64,
    sum: Sha256,
}

pub(crate) struct Reader<R> {
    frames: FrameReader<R>,
    pub(crate) header: Header,
    /// Records that are to come, by shape.
    left: Vec<u64>,
    references_left: u64,
    blobs_left: u64,
    owner: Option<Owner>,
    owners: u64,
    content: Option<Content>,
    blob_bytes: u64,
    ended: Option<(u64, [u8; 32])>,
}

impl<R: Read> Reader<R> {
    /// Reads the header, and refuses what this program could not restore.
    pub(crate) fn open(
        input: R,
        declared: &BTreeMap<&'static str, Shape>,
    ) -> Result<Self, BackupError> {
        let mut frames = FrameReader::open(input)?;
        let (kind, body) = frames.next()?;
        let header = Header::decode(body.as_slice())
            .ok()
            .filter(|_| kind == Kind::Header)
            .ok_or_else(|| frames.damaged("it is not a header"))?;
        for stored in &header.shapes {
            check_shape(stored, declared)?;
        }
        if !header.shapes.is_sorted_by(|a, b| a.name < b.name) {
            return Err(frames.damaged("its shapes are not in order"));
        }
        if header.last_log_id > LogId::MAX.0 {
            return Err(frames.damaged("a log id is too great"));
        }
        Ok(Self {
            left: header.shapes.iter().map(|shape| shape.records).collect(),
            references_left: header.references,
            blobs_left: header.blobs,
            frames,
            header,
            owner: None,
            owners: 0,
            content: None,
            blob_bytes: 0,
            ended: None,
        })
    }

    /// The next record; `None` at the end, when all of it has been found to be right.
    pub(crate) fn next(&mut self) -> Result<Option<Record>, BackupError> {
        if self.ended.is_some() {
            return Ok(None);
        }
        let (kind, body) = self.frames.next()?;
        if self.content.is_some() != (kind == Kind::Part) && kind != Kind::GivenUp {
            return Err(self.frames.damaged("the content of a blob is not whole"));
        }
        match kind {
            Kind::Owner => self.owner(&body).map(Some),
            Kind::Row => {
                let row: RowRecord = self.decoded(&body)?;
                self.count(row.shape, false)?;
                Ok(Some(Record::Row(row)))
            }
            Kind::Entry => {
                let entry: EntryRecord = self.decoded(&body)?;
                self.count(entry.shape, true)?;
                if entry.id > self.header.last_log_id {
                    return Err(self.frames.damaged("its id is beyond the last one"));
                }
                Ok(Some(Record::Entry(entry)))
            }
            Kind::Reference => self.reference(&body).map(Some),
            Kind::Blob => self.blob(&body).map(Some),
            Kind::Part => self.part(body).map(Some),
            Kind::End => self.end().map(|()| None),
            Kind::GivenUp => {
                let words = String::from_utf8_lossy(&body).into_owned();
                Err(BackupError::GivenUp(words))
            }
            Kind::Header => Err(self.frames.damaged("there is a second header")),
        }
    }

    /// What was in it, once [`next`](Self::next) has given `None`.
    pub(crate) fn summary(&self) -> Result<BackupSummary, BackupError> {
        let (bytes, sha256) = self
            .ended
            .ok_or_else(|| self.frames.damaged("it has not been read to its end"))?;
        Ok(summary(
            &self.header,
            self.owners,
            self.blob_bytes,
            bytes,
            sha256,
        ))
    }

    fn decoded<T: Message + Default>(&self, body: &[u8]) -> Result<T, BackupError> {
        T::decode(body).map_err(|_| self.frames.damaged("it cannot be read"))
    }

    fn owner(&mut self, body: &[u8]) -> Result<Record, BackupError> {
        let owner = Owner::from_bytes(body).ok_or_else(|| self.frames.damaged("it is no owner"))?;
        if self.owner.as_ref().is_some_and(|last| *last >= owner) {
            return Err(self.frames.damaged("owners are not in order"));
        }
        self.owner = Some(owner.clone());
        self.owners += 1;
        Ok(Record::Owner(owner))
    }

    /// Counts one record of a shape down.
    fn count(&mut self, shape: u32, is_log: bool) -> Result<(), BackupError> {
        let shape = shape as usize;
        let fits = self.owner.is_some()
            && self
                .header
                .shapes
                .get(shape)
                .is_some_and(|stored| stored.is_log == is_log);
        match self.left.get_mut(shape).filter(|left| fits && **left > 0) {
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Err(self.frames.damaged("the header knows of no such record")),
        }
    }

    fn reference(&mut self, body: &[u8]) -> Result<Record, BackupError> {
        let record: ReferenceRecord = self.decoded(body)?;
        let hash = self.hash(&record.hash)?;
        if self.owner.is_none() || self.references_left == 0 {
            return Err(self.frames.damaged("the header knows of no such reference"));
        }
        self.references_left -= 1;
        Ok(Record::Reference(hash, record.count))
    }

    fn blob(&mut self, body: &[u8]) -> Result<Record, BackupError> {
        let record: BlobRecord = self.decoded(body)?;
        let hash = self.hash(&record.hash)?;
        if self.blobs_left == 0 {
            return Err(self.frames.damaged("the header knows of no such blob"));
        }
        self.blobs_left -= 1;
        self.blob_bytes = self.blob_bytes.saturating_add(record.length);
        self.content = Some(Content {
            hash,
            left: record.length,
            sum: Sha256::new(),
        });
        // An empty one has no parts.
        self.settle_content()?;
        Ok(Record::Blob(hash))
    }

    fn part(&mut self, body: Vec<u8>) -> Result<Record, BackupError> {
        let damaged = self.frames.damaged("the content of a blob is too long");
        if let Some(content) = &mut self.content {
            content.left = content
                .left
                .checked_sub(body.len() as u64)
                .filter(|_| !body.is_empty())
                .ok_or(damaged)?;
            content.sum.update(&body);
        }
        self.settle_content()?;
        Ok(Record::Part(body))
    }

    /// Where the content of a blob is whole, checks that it is the right one.
    fn settle_content(&mut self) -> Result<(), BackupError> {
        let whole = self.content.take_if(|content| content.left == 0);
        if let Some(content) = whole
            && <[u8; 32]>::from(content.sum.finalize()) != content.hash.0
        {
            return Err(self.frames.damaged("the content of a blob is another"));
        }
        Ok(())
    }

    fn hash(&self, bytes: &[u8]) -> Result<BlobHash, BackupError> {
        bytes
            .try_into()
            .map(BlobHash)
            .map_err(|_| self.frames.damaged("a hash has 32 bytes"))
    }

    fn end(&mut self) -> Result<(), BackupError> {
        let all_there = self.left.iter().all(|left| *left == 0)
            && self.references_left == 0
            && self.blobs_left == 0;
        if !all_there {
            return Err(self
                .frames
                .damaged("the header knows of more records than there are"));
        }
        self.ended = Some(self.frames.end()?);
        Ok(())
    }
}

/// Refuses a shape that this program cannot bring to what it declares.
fn check_shape(
    stored: &super::HeaderShape,
    declared: &BTreeMap<&'static str, Shape>,
) -> Result<(), BackupError> {
    let is_kind = |shape: &&Shape| (shape.kind == ShapeKind::Log) == stored.is_log;
    let Some(shape) = declared.get(stored.name.as_str()).filter(is_kind) else {
        return Err(BackupError::UnknownShape(stored.name.clone()));
    };
    if stored.version > shape.version {
        return Err(BackupError::NewerShape {
            shape: stored.name.clone(),
            stored: stored.version,
            known: shape.version,
        });
    }
    shape
        .steps_from(stored.version)
        .map(|_| ())
        .map_err(|_| BackupError::TooOld {
            shape: shape.name,
            stored: stored.version,
        })
}
