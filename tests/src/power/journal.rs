//! The recorder's journal.

use std::fs;
use std::io;
use std::path::Path;

/// What `recorder.c` wrote, in the order of the effects.
#[derive(Debug, Default)]
pub struct Journal {
    bytes: Vec<u8>,
}

/// One effect on the recorded directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Where the record ends: the length that the journal had when it was written.
    pub end: u64,
    /// What happened.
    pub kind: Kind<'a>,
}

/// What happened to a file or a directory. Paths are absolute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of the fields say what they are")]
pub enum Kind<'a> {
    Create {
        inode: u64,
        path: &'a str,
    },
    Write {
        inode: u64,
        offset: u64,
        bytes: &'a [u8],
    },
    Resize {
        inode: u64,
        length: u64,
    },
    Rename {
        from: &'a str,
        to: &'a str,
    },
    Unlink {
        path: &'a str,
    },
    MakeDirectory {
        inode: u64,
        path: &'a str,
    },
    RemoveDirectory {
        path: &'a str,
    },
    Link {
        from: &'a str,
        to: &'a str,
    },
    SyncBegin {
        inode: u64,
        number: u64,
    },
    SyncEnd {
        inode: u64,
        number: u64,
    },
}

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file could not be read.
    #[error("the journal cannot be read: {0}")]
    Read(#[from] io::Error),
    /// The journal ends or breaks inside a record.
    #[error("the journal is broken at byte {at}")]
    Broken {
        /// Where the record begins.
        at: u64,
    },
    /// The process changed its files in a way that the recorder does not follow.
    #[error("the process used {call}, which the recorder does not follow")]
    Unfollowed {
        /// The call.
        call: String,
    },
}

impl Journal {
    /// Reads a whole journal.
    ///
    /// # Errors
    /// [`JournalError::Read`] if the file cannot be read.
    pub fn read(path: &Path) -> Result<Journal, JournalError> {
        Ok(Journal {
            bytes: fs::read(path)?,
        })
    }

    /// Reads what a journal held when it was `position` bytes long. A record that had been written in part is left out:
    /// what it tells of was still under way.
    ///
    /// # Errors
    /// [`JournalError::Read`] if the file cannot be read.
    pub fn read_until(path: &Path, position: u64) -> Result<Journal, JournalError> {
        let mut bytes = fs::read(path)?;
        bytes.truncate(usize::try_from(position).unwrap_or(usize::MAX));
        let mut whole = 0;
        while let Some(length) = bytes.get(whole..).and_then(record_length)
            && whole + length <= bytes.len()
        {
            whole += length;
        }
        bytes.truncate(whole);
        Ok(Journal { bytes })
    }

    /// The journal's length in bytes, which is the place after its last record.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Whether nothing was recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The records in order.
    ///
    /// # Errors
    /// [`JournalError::Broken`] and [`JournalError::Unfollowed`].
    pub fn records(&self) -> Result<Vec<Record<'_>>, JournalError> {
        let mut rest = self.bytes.as_slice();
        let mut records = Vec::new();
        while !rest.is_empty() {
            let at = self.len() - rest.len() as u64;
            let (kind, after) = read_record(rest).ok_or(JournalError::Broken { at })?;
            rest = after;
            match kind {
                Ok(kind) => records.push(Record {
                    end: self.len() - rest.len() as u64,
                    kind,
                }),
                Err(call) => {
                    return Err(JournalError::Unfollowed {
                        call: call.to_owned(),
                    });
                }
            }
        }
        Ok(records)
    }
}

/// How long the first record of `bytes` is, all of it there or not.
fn record_length(bytes: &[u8]) -> Option<usize> {
    let (head, lengths) = bytes.split_at_checked(1 + 8 + 8)?;
    let (a_len, lengths) = read_len(lengths)?;
    let (b_len, _) = read_len(lengths)?;
    Some(head.len() + 4 + 4 + a_len + b_len)
}

/// The first record of `bytes` and what follows it. The inner error is the name of a call that is not followed.
fn read_record(bytes: &[u8]) -> Option<(Result<Kind<'_>, &str>, &[u8])> {
    let (kind, bytes) = bytes.split_first()?;
    let (inode, bytes) = read_u64(bytes)?;
    let (offset, bytes) = read_u64(bytes)?;
    let (a_len, bytes) = read_len(bytes)?;
    let (b_len, bytes) = read_len(bytes)?;
    let (a, bytes) = bytes.split_at_checked(a_len)?;
    let (b, rest) = bytes.split_at_checked(b_len)?;
    let path = std::str::from_utf8(a).ok()?;
    let kind = match kind {
        1 => Kind::Create { inode, path },
        2 => Kind::Write {
            inode,
            offset,
            bytes: b,
        },
        3 => Kind::Resize {
            inode,
            length: offset,
        },
        4 => Kind::Rename {
            from: path,
            to: std::str::from_utf8(b).ok()?,
        },
        5 => Kind::Unlink { path },
        6 => Kind::MakeDirectory { inode, path },
        7 => Kind::RemoveDirectory { path },
        8 => Kind::Link {
            from: path,
            to: std::str::from_utf8(b).ok()?,
        },
        9 => Kind::SyncBegin {
            inode,
            number: offset,
        },
        10 => Kind::SyncEnd {
            inode,
            number: offset,
        },
        11 => return Some((Err(path), rest)),
        _ => return None,
    };
    Some((Ok(kind), rest))
}

fn read_u64(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<8>()?;
    Some((u64::from_le_bytes(*head), rest))
}

fn read_len(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*head)).ok()?, rest))
}
