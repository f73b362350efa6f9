//! Frames: what makes damage visible.

use std::io::{ErrorKind, Read, Write};

use sha2::{Digest, Sha256};

use super::records::Kind;
use super::{BACKUP_FORMAT, BACKUP_MAGIC, BackupError};

/// Longest body: a value with its key, or a header with every shape, fits several times.
const FRAME_BYTES_MAX: u32 = 4 << 20;
const CHECK_BYTES: usize = 8;

fn check(number: u64, head: [u8; 5], body: &[u8]) -> [u8; CHECK_BYTES] {
    let mut hash = Sha256::new();
    hash.update(number.to_be_bytes());
    hash.update(head);
    hash.update(body);
    let mut check = [0; CHECK_BYTES];
    check.copy_from_slice(&hash.finalize()[..CHECK_BYTES]);
    check
}

/// Writes frames.
pub(super) struct FrameWriter<W> {
    out: W,
    hash: Sha256,
    number: u64,
    bytes: u64,
}

impl<W: Write> FrameWriter<W> {
    pub(super) fn begin(out: W) -> Result<Self, BackupError> {
        let mut writer = Self {
            out,
            hash: Sha256::new(),
            number: 0,
            bytes: 0,
        };
        writer.put(BACKUP_MAGIC)?;
        writer.put(&BACKUP_FORMAT.to_be_bytes())?;
        Ok(writer)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), BackupError> {
        self.out.write_all(bytes)?;
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    pub(super) fn frame(&mut self, kind: Kind, body: &[u8]) -> Result<(), BackupError> {
        // Bodies are bounded by the store's own limits, far below four bytes' worth.
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes();
        let head = [kind as u8, length[0], length[1], length[2], length[3]];
        let check = check(self.number, head, body);
        self.put(&head)?;
        self.put(body)?;
        self.put(&check)?;
        self.number += 1;
        Ok(())
    }

    /// Writes the last frame; gives the file's length and SHA-256.
    pub(super) fn end(mut self) -> Result<(u64, [u8; 32]), BackupError> {
        let all: [u8; 32] = self.hash.clone().finalize().into();
        self.frame(Kind::End, &all)?;
        self.out.flush()?;
        Ok((self.bytes, self.hash.finalize().into()))
    }

    pub(super) fn flush(&mut self) -> Result<(), BackupError> {
        Ok(self.out.flush()?)
    }
}

/// Reads frames, and finds whatever was changed.
pub(super) struct FrameReader<R> {
    input: R,
    hash: Sha256,
    number: u64,
    bytes: u64,
}

impl<R: Read> FrameReader<R> {
    pub(super) fn open(input: R) -> Result<Self, BackupError> {
        let mut reader = Self {
            input,
            hash: Sha256::new(),
            number: 0,
            bytes: 0,
        };
        let mut magic = [0; 16];
        match reader.fill(&mut magic) {
            Err(BackupError::CutShort { bytes, .. })
                if !BACKUP_MAGIC.starts_with(&magic[..bytes as usize]) =>
            {
                return Err(BackupError::Foreign);
            }
            Err(error) => return Err(error),
            Ok(()) if magic != *BACKUP_MAGIC => return Err(BackupError::Foreign),
            Ok(()) => {}
        }
        let mut format = [0; 4];
        reader.fill(&mut format)?;
        match u32::from_be_bytes(format) {
            BACKUP_FORMAT => Ok(reader),
            0 => Err(reader.damaged("there is no format 0")),
            stored => Err(BackupError::NewerFormat { stored }),
        }
    }

    pub(super) fn damaged(&self, reason: &'static str) -> BackupError {
        // The number is already that of the next one when a frame's content is looked at.
        BackupError::Damaged {
            record: self.number.saturating_sub(1),
            reason,
        }
    }

    fn fill(&mut self, mut bytes: &mut [u8]) -> Result<(), BackupError> {
        while !bytes.is_empty() {
            match self.input.read(bytes) {
                Ok(0) => {
                    return Err(BackupError::CutShort {
                        bytes: self.bytes,
                        record: self.number,
                    });
                }
                Ok(length) => {
                    let (read, rest) = bytes.split_at_mut(length);
                    self.hash.update(&*read);
                    self.bytes += length as u64;
                    bytes = rest;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The next frame, checked.
    pub(super) fn next(&mut self) -> Result<(Kind, Vec<u8>), BackupError> {
        let wrong = |record, reason| Err(BackupError::Damaged { record, reason });
        let before: [u8; 32] = self.hash.clone().finalize().into();
        let mut head = [0; 5];
        self.fill(&mut head)?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        if length > FRAME_BYTES_MAX {
            return wrong(self.number, "it is longer than any record");
        }
        let mut body = vec![0; length as usize];
        self.fill(&mut body)?;
        let mut stored = [0; CHECK_BYTES];
        self.fill(&mut stored)?;
        if stored != check(self.number, head, &body) {
            return wrong(self.number, "its content is not what was written");
        }
        let Some(kind) = Kind::from_byte(head[0]) else {
            return wrong(self.number, "there is no such kind of record");
        };
        if kind == Kind::End && body != before {
            return wrong(self.number, "the sum over all does not fit");
        }
        self.number += 1;
        Ok((kind, body))
    }

    /// Behind the last frame: makes sure that nothing follows; gives the file's length and SHA-256.
    pub(super) fn end(&mut self) -> Result<(u64, [u8; 32]), BackupError> {
        match self.fill(&mut [0]) {
            Err(BackupError::CutShort { .. }) => {
                Ok((self.bytes, self.hash.clone().finalize().into()))
            }
            Err(error) => Err(error),
            Ok(()) => Err(self.damaged("something follows behind its end")),
        }
    }
}
