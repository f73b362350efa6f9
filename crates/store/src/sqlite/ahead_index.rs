//! The index of the write-ahead log, `waxwing.db-shm`: it knows how many frames were committed.
//!
//! SQLite raises that number when the commit that it counts is on the disk, and not before. So whenever the index was
//! written to the disk itself, be it long before a power cut, a log with the same salts has at least as many frames; one
//! that has fewer was cut short, or is not what was written. It proves nothing the other way: the index of a log that
//! was begun anew since has other salts, and one that is torn has a wrong sum.
//!
//! Format: <https://sqlite.org/walformat.html#the_wal_index_file_format>, numbers in the machine's own order.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;

use super::ahead::{Sum, be};
use super::open::beside;

/// Both copies of the header, and what checkpoints have done.
const BYTES: usize = 136;
const HEADER_BYTES: usize = 48;
/// What the header's sum is over.
const SUMMED_BYTES: usize = 40;
/// `iVersion`, which no version of SQLite has changed.
const FORMAT: u32 = 3_007_000;

/// What an index says of its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AheadIndex {
    /// Those of the log that it is of.
    pub(super) salts: (u32, u32),
    /// Frames that were committed, and are on the disk.
    pub(super) frames: u64,
    /// Those of them that the database has taken over.
    pub(super) copied: u64,
}

impl AheadIndex {
    /// Reads the index beside a database; `None` where there is none that is whole.
    pub(super) fn read(database: &Path, page_bytes: usize) -> Option<Self> {
        let path = beside(database, "-shm");
        if !fs::metadata(&path).ok()?.is_file() {
            return None;
        }
        let mut bytes = [0; BYTES];
        File::open(path).ok()?.read_exact(&mut bytes).ok()?;
        Self::parse(&bytes, page_bytes)
    }

    fn parse(bytes: &[u8; BYTES], page_bytes: usize) -> Option<Self> {
        let (header, second) = (
            &bytes[..HEADER_BYTES],
            &bytes[HEADER_BYTES..2 * HEADER_BYTES],
        );
        let number = |at: usize| {
            let word = bytes.get(at..at + 4)?.try_into().ok()?;
            Some(u32::from_ne_bytes(word))
        };
        let big_endian = cfg!(target_endian = "big");
        let sum = Sum(0, 0).over(&header[..SUMMED_BYTES], big_endian);
        let is_begun = header[12] == 1;
        let pages = u16::from_ne_bytes([header[14], header[15]]);
        let is_whole = header == second
            && is_begun
            && number(0)? == FORMAT
            && sum == Sum(number(40)?, number(44)?)
            // 65,536 is written as 1, which no page has otherwise.
            && (usize::from(pages) == page_bytes || (pages == 1 && page_bytes == 65_536));
        let frames = number(16)?;
        is_whole.then_some(Self {
            salts: (be(header, 32), be(header, 36)),
            frames: u64::from(frames),
            copied: u64::from(number(2 * HEADER_BYTES)?.min(frames)),
        })
    }

    /// What it says of a log that is not there, or too short to hold a frame.
    pub(super) fn of_none(&self, log: &Path, same_boot: bool) -> Waiting {
        let waiting = self.frames - self.copied;
        let mut header = [0; 24];
        let read = File::open(log).map(|mut file| file.read_exact(&mut header));
        match read {
            _ if waiting == 0 => Waiting::None,
            // The index goes before the log does.
            Err(error) if error.kind() == ErrorKind::NotFound => Waiting::Lost(waiting),
            // It was begun anew since.
            Ok(Ok(())) if (be(&header, 16), be(&header, 20)) != self.salts => Waiting::None,
            Ok(Ok(())) => Waiting::Lost(waiting),
            // Another program may have emptied it, and a power cut kept the index that knows of it from the disk.
            _ if same_boot => Waiting::Lost(waiting),
            _ => Waiting::Maybe(waiting),
        }
    }
}

/// Frames that were committed, that only the log held, and that are in no log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    None,
    /// Perhaps: the index may be older than what is left of the log.
    Maybe(u64),
    Lost(u64),
}

/// What the machine calls the time since it was started: an index from then is as it was written last, whatever became of
/// the process that wrote it. `None` where the machine does not say.
pub(super) fn boot() -> Option<Vec<u8>> {
    let id = fs::read("/proc/sys/kernel/random/boot_id").ok()?;
    let id = id.trim_ascii().to_vec();
    (!id.is_empty()).then_some(id)
}
