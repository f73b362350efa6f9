//! The write-ahead log as it lies on the disk: which of its frames are what was written.
//!
//! SQLite ends a log at the first frame that is not right, and says nothing: after a power cut that is the write that
//! did not reach the disk. When one bit flips in the middle, everything behind it was acknowledged, and would be lost
//! in silence. Each frame's check sum goes on from that of the one before, so that those behind a damaged one can still
//! be told to be right; and one flipped bit can be found by it.
//!
//! Format: <https://sqlite.org/fileformat2.html#the_write_ahead_log>

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::ahead_index::AheadIndex;
use super::open::beside;

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
/// `377f0682`, and with check sums over big-endian words `377f0683`.
const MAGIC: u32 = 0x377f_0682;
/// Pages with a mended bit that are held in memory; more damage than that is no flipped bit.
const MENDED_PAGES_MAX: usize = 256;
/// Frames at the beginning in which a log without header is recognised.
const FIRST_FRAMES: u64 = 8;

/// A sum over 8 bytes at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sum(pub(super) u32, pub(super) u32);

impl Sum {
    pub(super) fn over(self, bytes: &[u8], big_endian: bool) -> Self {
        let Sum(mut a, mut b) = self;
        for (first, second) in pairs(bytes, big_endian) {
            a = a.wrapping_add(first).wrapping_add(b);
            b = b.wrapping_add(second).wrapping_add(a);
        }
        Sum(a, b)
    }
}

fn pairs(
    bytes: &[u8],
    big_endian: bool,
) -> impl DoubleEndedIterator<Item = (u32, u32)> + ExactSizeIterator + '_ {
    bytes
        .as_chunks::<8>()
        .0
        .iter()
        .map(move |&[a, b, c, d, e, f, g, h]| {
            let (first, second) = ([a, b, c, d], [e, f, g, h]);
            match big_endian {
                true => (u32::from_be_bytes(first), u32::from_be_bytes(second)),
                false => (u32::from_le_bytes(first), u32::from_le_bytes(second)),
            }
        })
}

/// The bits without any one of which these bytes would have this sum: one for low bits of a word, several for high
/// ones. Each word counts in the sum by a weight that its place gives it, so that they are found without trying every bit
/// on all of them.
fn flipped_bits(sum: Sum, found: Sum, bytes: &[u8], big_endian: bool) -> Vec<usize> {
    let mut bits = Vec::new();
    let wanted = (sum.0.wrapping_sub(found.0), sum.1.wrapping_sub(found.1));
    let (mut first_weight, mut second_weight) = ((1_u32, 1_u32), (0_u32, 1_u32));
    let on = |(a, b): (u32, u32)| (a.wrapping_add(b), a.wrapping_add(b).wrapping_add(b));
    for (place, (first, second)) in pairs(bytes, big_endian).enumerate().rev() {
        let words = [(first, first_weight), (second, second_weight)];
        for (half, (word, (a, b))) in words.into_iter().enumerate() {
            for bit in 0..32 {
                let step = match word >> bit & 1 {
                    0 => 1_u32 << bit,
                    _ => (1_u32 << bit).wrapping_neg(),
                };
                if (step.wrapping_mul(a), step.wrapping_mul(b)) == wanted {
                    let byte = if big_endian { 3 - bit / 8 } else { bit / 8 };
                    bits.push((place * 8 + half * 4 + byte) * 8 + bit % 8);
                }
            }
        }
        (first_weight, second_weight) = (on(first_weight), on(second_weight));
    }
    bits.sort_unstable();
    bits
}

pub(super) fn be(bytes: &[u8], at: usize) -> u32 {
    let word = bytes.get(at..at + 4).and_then(|word| word.try_into().ok());
    word.map_or(0, u32::from_be_bytes)
}

/// What the beginning of the log says.
struct Header {
    big_endian: bool,
    salts: (u32, u32),
    /// What the first frame's sum goes on from; `None` where that is lost.
    sum: Option<Sum>,
}

/// How a frame stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Right,
    /// Its page is right; a bit of its own header is not. The sum that it should have.
    Flipped(Sum),
    /// It is right with one bit flipped back.
    Mended,
    /// One bit is wrong, and which one cannot be told.
    Odd,
    Lost,
}

impl Header {
    fn read(bytes: &[u8; HEADER_BYTES], page_bytes: usize) -> Option<Self> {
        let big_endian = be(bytes, 0) & 1 == 1;
        let sum = Sum(0, 0).over(&bytes[..24], big_endian);
        let right = be(bytes, 0) & !1 == MAGIC
            && sum == Sum(be(bytes, 24), be(bytes, 28))
            && be(bytes, 8) as usize == page_bytes;
        right.then(|| Self {
            big_endian,
            salts: (be(bytes, 16), be(bytes, 20)),
            sum: Some(sum),
        })
    }

    /// The header that this one was before a bit of it flipped; the frames have the salts too.
    fn mended(bytes: &[u8; HEADER_BYTES], page_bytes: usize, salts: (u32, u32)) -> Option<Self> {
        let mut all = (0..HEADER_BYTES * 8).filter_map(|bit| {
            let mut bytes = *bytes;
            bytes[bit / 8] ^= 1 << (bit % 8);
            Self::read(&bytes, page_bytes)
        });
        all.find(|header| header.salts == salts)
    }
}

/// Where the newest content of a page is.
enum Place {
    /// At this offset of the log.
    Log(u64),
    Mended(Vec<u8>),
}

/// What a write-ahead log adds to its database.
pub(super) struct WriteAhead {
    file: File,
    page_bytes: usize,
    places: HashMap<u32, Place>,
    /// How many pages the database has by the last commit in it; `None` where no commit is in it.
    pub(super) pages: Option<u32>,
    /// Frames up to the end of the last commit, or of what was begun after it.
    pub(super) frames: u64,
    /// Frames that are not what was written.
    pub(super) damaged: Vec<u64>,
    /// Those of them in which one bit is wrong, nobody knows which.
    pub(super) odd: u64,
    /// Those of them that could not be mended.
    pub(super) lost: u64,
    pub(super) header_damaged: bool,
    /// Frames behind the last commit: a write that was not finished.
    pub(super) unfinished: u64,
    /// Frames that were committed, as its index says, and that are missing at its end or not what was written.
    pub(super) missing: u64,
    /// The database itself is newer than what is left of the log, which is not read then.
    pub(super) is_overtaken: bool,
    /// A power cut does not leave it so.
    pub(super) is_damaged: bool,
}

/// A frame as it was read.
struct Frame {
    bytes: Vec<u8>,
}

impl Frame {
    fn page(&self) -> u32 {
        be(&self.bytes, 0)
    }

    /// The number of pages after the commit that it ends; 0 where it ends none.
    fn commit(&self) -> u32 {
        be(&self.bytes, 4)
    }

    fn salts(&self) -> (u32, u32) {
        (be(&self.bytes, 8), be(&self.bytes, 12))
    }

    fn stored(&self) -> Sum {
        Sum(be(&self.bytes, 16), be(&self.bytes, 20))
    }

    /// What its sum is over: the first half of its header and the page.
    fn summed(&self) -> Vec<u8> {
        [&self.bytes[..8], &self.bytes[FRAME_HEADER_BYTES..]].concat()
    }

    fn sum(&self, before: Sum, big_endian: bool) -> Sum {
        let head = before.over(&self.bytes[..8], big_endian);
        head.over(&self.bytes[FRAME_HEADER_BYTES..], big_endian)
    }

    /// Flips the one bit that is wrong, if it is one and it is known which.
    fn mend(&mut self, before: Sum, big_endian: bool) -> Verdict {
        let found = self.sum(before, big_endian);
        let bits = flipped_bits(self.stored(), found, &self.summed(), big_endian);
        let Some((bit, more)) = bits.split_first() else {
            return Verdict::Lost;
        };
        // The number of a page is never so great that its high bits are set.
        let is_number = *bit < 64 && self.bytes[bit / 8] >> (bit % 8) & 1 == 1;
        // A bit of the last word has the weight of the sum itself.
        if !(is_number || more.is_empty()) || *bit >= (self.bytes.len() - 16 - 4) * 8 {
            return Verdict::Odd;
        }
        let byte = if *bit < 64 { bit / 8 } else { bit / 8 + 16 };
        self.bytes[byte] ^= 1 << (bit % 8);
        Verdict::Mended
    }
}

/// What was read and has not taken effect yet.
#[derive(Default)]
struct Open {
    /// Of the transaction that is being read.
    begun: Vec<(u32, Place)>,
    /// Of transactions behind something that is not right: a power cut tears the last one, and what an earlier one tore
    /// may lie behind it. Only what goes on from a commit shows that this one was on the disk.
    committed: Vec<(u32, Place)>,
    pages: Option<u32>,
    after_commit: bool,
    /// Frames up to the last commit.
    commit: u64,
    damaged: Vec<u64>,
    odd: u64,
    lost: u64,
    mended: usize,
}

impl Open {
    fn note(&mut self, number: u64, verdict: Verdict) {
        if verdict != Verdict::Right {
            self.damaged.push(number);
        }
        self.odd += u64::from(verdict == Verdict::Odd);
        self.lost += u64::from(verdict == Verdict::Lost);
        self.mended += usize::from(verdict == Verdict::Mended);
    }
}

impl WriteAhead {
    /// Reads the log beside a database to its end; `None` where there is none, or it has no page.
    pub(super) fn read(
        database: &Path,
        page_bytes: usize,
        index: Option<&AheadIndex>,
    ) -> io::Result<Option<Self>> {
        let file = match File::open(beside(database, "-wal")) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let length = file.metadata()?.len();
        let mut header = [0; HEADER_BYTES];
        if length < (HEADER_BYTES + FRAME_HEADER_BYTES + page_bytes) as u64 {
            return Ok(None);
        }
        file.read_exact_at(&mut header, 0)?;
        let mut ahead = Self {
            file,
            page_bytes,
            places: HashMap::new(),
            pages: None,
            frames: 0,
            damaged: Vec::new(),
            odd: 0,
            lost: 0,
            header_damaged: false,
            unfinished: 0,
            missing: 0,
            is_overtaken: false,
            is_damaged: false,
        };
        let written = (length - HEADER_BYTES as u64) / ahead.frame_bytes();
        let header = match Header::read(&header, page_bytes) {
            Some(header) => header,
            None => {
                ahead.header_damaged = true;
                ahead.is_damaged = true;
                let Some(salts) = ahead.salts(written)? else {
                    ahead.give_up(written);
                    return Ok(Some(ahead));
                };
                let mended = Header::mended(&header, page_bytes, salts);
                // Where it is lost, what the sums start from is lost too.
                mended.unwrap_or(Header {
                    big_endian: false,
                    salts,
                    sum: None,
                })
            }
        };
        ahead.frames = ahead.last_of(&header, written)?;
        let index = index.filter(|index| index.salts == header.salts);
        ahead.follow(&header, index)?;
        if ahead.header_damaged && ahead.pages.is_none() {
            ahead.give_up(written);
        }
        Ok(Some(ahead))
    }

    /// Nothing in it can be told to be right.
    fn give_up(&mut self, written: u64) {
        self.frames = written;
        self.lost = written;
        self.damaged = (0..written).collect();
    }

    fn frame_bytes(&self) -> u64 {
        (FRAME_HEADER_BYTES + self.page_bytes) as u64
    }

    fn offset(&self, frame: u64) -> u64 {
        HEADER_BYTES as u64 + frame * self.frame_bytes()
    }

    fn frame(&self, number: u64) -> io::Result<Frame> {
        let mut bytes = vec![0; FRAME_HEADER_BYTES + self.page_bytes];
        self.file.read_exact_at(&mut bytes, self.offset(number))?;
        Ok(Frame { bytes })
    }

    /// The salts of a log whose header does not say them: those of the first frame whose sum goes on from the one before
    /// it. That is looked for at the beginning only, since what an older log has left stands behind it.
    fn salts(&self, written: u64) -> io::Result<Option<(u32, u32)>> {
        let mut before = self.frame(0)?;
        for number in 1..written.min(FIRST_FRAMES) {
            let frame = self.frame(number)?;
            // Every machine that SQLite runs on here writes little-endian sums.
            let is_empty = frame.stored() == Sum(0, 0);
            if !is_empty && frame.sum(before.stored(), false) == frame.stored() {
                return Ok(Some(frame.salts()));
            }
            before = frame;
        }
        Ok(None)
    }

    /// How many frames belong to this log, and not to an older one that it overwrites.
    fn last_of(&self, header: &Header, written: u64) -> io::Result<u64> {
        let mut last = 0;
        for number in 0..written {
            let mut salts = [0; 8];
            self.file
                .read_exact_at(&mut salts, self.offset(number) + 8)?;
            if (be(&salts, 0), be(&salts, 4)) == header.salts {
                last = number + 1;
            }
        }
        Ok(last)
    }

    fn follow(&mut self, header: &Header, index: Option<&AheadIndex>) -> io::Result<()> {
        let mut before = header.sum;
        let mut after_lost = false;
        let mut open = Open::default();
        let mut applied = 0;
        for number in 0..self.frames {
            let mut frame = self.frame(number)?;
            let may_mend = open.mended < MENDED_PAGES_MAX;
            let verdict = match self.judge(number, &mut frame, before, header, may_mend)? {
                // The sum of the frame before may be what is lost of it: only the next one can speak for this.
                Verdict::Lost
                    if after_lost
                        && frame.salts() == header.salts
                        && self.goes_on_from(number, frame.stored(), header)? =>
                {
                    Verdict::Right
                }
                verdict => verdict,
            };
            after_lost = verdict == Verdict::Lost;
            before = match verdict {
                Verdict::Flipped(sum) => Some(sum),
                _ => Some(frame.stored()),
            };
            if verdict == Verdict::Right && open.after_commit && !open.damaged.is_empty() {
                // It was begun when all before that commit was on the disk.
                self.confirm(&mut open);
                applied = number;
            }
            open.after_commit = false;
            open.note(number, verdict);
            if verdict == Verdict::Lost {
                continue;
            }
            let place = match verdict {
                Verdict::Mended => Place::Mended(frame.bytes[FRAME_HEADER_BYTES..].to_vec()),
                _ => Place::Log(self.offset(number) + FRAME_HEADER_BYTES as u64),
            };
            open.begun.push((frame.page(), place));
            if frame.commit() != 0 {
                open.after_commit = true;
                open.commit = number + 1;
                open.pages = Some(frame.commit());
                open.committed.append(&mut open.begun);
                if open.damaged.is_empty() {
                    self.confirm(&mut open);
                    applied = number + 1;
                }
            }
        }
        let committed = index.map_or(0, |index| index.frames);
        if open.commit > applied && open.commit <= committed {
            // Nothing behind it can speak for it, and its index does.
            self.confirm(&mut open);
            applied = open.commit;
        }
        self.missing = committed.saturating_sub(applied);
        self.is_damaged |= self.missing > 0;
        if self.missing > 0 && index.is_some_and(|index| index.copied >= applied) {
            // What the database has taken over is newer than this.
            self.is_overtaken = true;
            self.places.clear();
            self.pages = None;
        }
        // The write that a power cut cut short, or what is left of one: nothing of it was acknowledged.
        self.unfinished = self.frames.saturating_sub(applied.max(committed));
        Ok(())
    }

    /// Lets what was committed take effect.
    fn confirm(&mut self, open: &mut Open) {
        self.places.extend(open.committed.drain(..));
        self.pages = open.pages;
        self.is_damaged |= !open.damaged.is_empty();
        self.damaged.append(&mut open.damaged);
        self.odd += std::mem::take(&mut open.odd);
        self.lost += std::mem::take(&mut open.lost);
    }

    /// How a frame stands, given the sum before it.
    fn judge(
        &self,
        number: u64,
        frame: &mut Frame,
        before: Option<Sum>,
        header: &Header,
        may_mend: bool,
    ) -> io::Result<Verdict> {
        let Some(before) = before else {
            // Behind a header that is lost nothing says whether the first one is right, but the next one.
            let right = frame.salts() == header.salts
                && self.goes_on_from(number, frame.stored(), header)?;
            return Ok(if right { Verdict::Right } else { Verdict::Lost });
        };
        let found = frame.sum(before, header.big_endian);
        if found == frame.stored() {
            let same = frame.salts() == header.salts;
            return Ok(if same {
                Verdict::Right
            } else {
                Verdict::Flipped(found)
            });
        }
        if self.goes_on_from(number, found, header)? {
            return Ok(Verdict::Flipped(found));
        }
        Ok(match may_mend {
            true => frame.mend(before, header.big_endian),
            false => Verdict::Lost,
        })
    }

    /// Whether the next frame is right if this is the sum before it.
    fn goes_on_from(&self, number: u64, sum: Sum, header: &Header) -> io::Result<bool> {
        if number + 1 >= self.frames {
            return Ok(false);
        }
        let next = self.frame(number + 1)?;
        Ok(next.sum(sum, header.big_endian) == next.stored())
    }

    /// The content of a page, if it stands in the log.
    pub(super) fn page(&self, number: u32) -> io::Result<Option<Vec<u8>>> {
        match self.places.get(&number) {
            None => Ok(None),
            Some(Place::Mended(bytes)) => Ok(Some(bytes.clone())),
            Some(Place::Log(offset)) => {
                let mut bytes = vec![0; self.page_bytes];
                self.file.read_exact_at(&mut bytes, *offset)?;
                Ok(Some(bytes))
            }
        }
    }
}
