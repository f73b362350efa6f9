//! Pages of B-trees: <https://sqlite.org/fileformat2.html#b_tree_pages>. What is damaged is read as far as it goes.

use std::ops::Range;

use super::super::ahead::be;
use super::record::varint;

/// Longest record: the largest value and its keys in every index fit several times.
const RECORD_BYTES_MAX: u64 = 16 << 20;
/// A child, two numbers, and what a record's head begins with.
const CELL_HEAD_BYTES: usize = 24;
const OVERLAP: &str = "its cells overlap";
/// No cell takes less room.
const CELL_BYTES_MIN: usize = 4;

/// The two kinds of B-trees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Rows by their number.
    Table,
    /// Records by themselves.
    Index,
}

impl Kind {
    /// The first byte of its pages: inner ones and leaves.
    fn bytes(self) -> [u8; 2] {
        match self {
            Kind::Table => [0x05, 0x0D],
            Kind::Index => [0x02, 0x0A],
        }
    }
}

/// One cell of a page.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    /// Where it lies in the page.
    place: Range<usize>,
    pub(super) child: Option<u32>,
    pub(super) row: Option<i64>,
    /// Length of the record, the part of it in this page, and the page where it goes on.
    pub(super) record: Option<(usize, Range<usize>, Option<u32>)>,
}

/// What can be read of a page.
pub(super) struct Page {
    /// In the order of the page.
    pub(super) cells: Vec<Cell>,
    /// Found where no pointer leads.
    pub(super) found: Vec<Cell>,
    pub(super) right: Option<u32>,
    /// Cells that it should have and that cannot be read.
    pub(super) lost: usize,
    /// What is wrong with it.
    pub(super) fault: Option<&'static str>,
}

fn short(bytes: &[u8], at: usize) -> usize {
    bytes.get(at..at + 2).map_or(0, |pair| {
        usize::from(u16::from_be_bytes([pair[0], pair[1]]))
    })
}

/// Reads a page of a tree of this kind; `header` is where its content begins. `None` where nothing says that it is one.
pub(super) fn read(bytes: &[u8], header: usize, kind: Kind) -> Option<Page> {
    let [inner, leaf] = kind.bytes();
    let said = bytes.get(header).copied().unwrap_or_default();
    let page = |byte| Reading::new(bytes, header, kind, byte == leaf).page();
    if said == inner || said == leaf {
        let first = page(said);
        if first.fault.is_none() {
            return Some(first);
        }
        let mut other = page(inner ^ leaf ^ said);
        if other.fault.is_none() && !other.cells.is_empty() {
            other.fault = Some("its kind is not what it says");
            return Some(other);
        }
        return Some(first);
    }
    let whole = [leaf, inner].map(page).into_iter().find(|page| {
        // Nothing reads as an empty page too.
        page.fault.is_none() && !page.cells.is_empty()
    });
    whole.map(|mut page| {
        page.fault = Some("its kind is not what it says");
        page
    })
}

/// The page as it was before one bit of it flipped, if that is the only thing that is wrong with it: every byte of a page
/// belongs to something, so that hardly anything else makes the sum right. `is_right` looks at the records too.
pub(super) fn mended(
    bytes: &[u8],
    header: usize,
    kind: Kind,
    is_right: impl Fn(&[u8], &Page) -> bool,
) -> Option<(Vec<u8>, Page)> {
    let heads = header..header + 12;
    let count = (short(bytes, header + 3) & 0x3ff).min(bytes.len() / 8);
    let pointers = header + 8..(header + 12 + count * 2).min(bytes.len());
    let cells = pointers.clone().step_by(2).flat_map(|at| {
        let cell = short(bytes, at);
        cell..(cell + CELL_HEAD_BYTES).min(bytes.len())
    });
    let mut tried = vec![false; bytes.len()];
    let mut bytes = bytes.to_vec();
    for at in heads.chain(pointers.clone()).chain(cells) {
        if std::mem::replace(&mut tried[at], true) {
            continue;
        }
        for bit in 0..8 {
            bytes[at] ^= 1 << bit;
            let said = bytes[header];
            if let Some(leaf) = kind.bytes().iter().position(|byte| *byte == said) {
                let page = Reading::new(&bytes, header, kind, leaf == 1).page();
                if page.fault.is_none() && is_right(&bytes, &page) {
                    return Some((bytes, page));
                }
            }
            bytes[at] ^= 1 << bit;
        }
    }
    None
}

struct Reading<'a> {
    bytes: &'a [u8],
    header: usize,
    kind: Kind,
    is_leaf: bool,
}

impl<'a> Reading<'a> {
    fn new(bytes: &'a [u8], header: usize, kind: Kind, is_leaf: bool) -> Self {
        Self {
            bytes,
            header,
            kind,
            is_leaf,
        }
    }

    fn pointers(&self) -> usize {
        self.header + if self.is_leaf { 8 } else { 12 }
    }

    fn page(&self) -> Page {
        let count = short(self.bytes, self.header + 3);
        let start = self.content_start();
        let mut fault = None;
        let mut wrong = |what| {
            fault.get_or_insert(what);
        };
        let room = start.saturating_sub(self.pointers()) / 2;
        if count > room {
            wrong("it counts more cells than it has room for");
        }
        let count = count.min(self.bytes.len().saturating_sub(self.pointers()) / 2);
        let (mut cells, mut lost) = (Vec::new(), 0_usize);
        for number in 0..count {
            let at = short(self.bytes, self.pointers() + number * 2);
            match self.cell(at) {
                Some(cell) => cells.push(cell),
                None => {
                    wrong("a cell cannot be read");
                    lost += 1;
                }
            }
        }
        let (gaps, account) = self.account(&cells, start);
        if let Err(what) = account {
            wrong(what);
        }
        let mut found = Vec::new();
        if fault.is_some() {
            let misled = lost > 0 || account == Err(OVERLAP);
            let more = self.pointers() + count * 2..start.min(self.bytes.len());
            found = gaps.into_iter().flat_map(|gap| self.in_gap(gap)).collect();
            // What was removed may still lie there too: it counts if a pointer leads to it that is not counted, or
            // if one that is counted leads nowhere.
            found.retain(|cell: &Cell| {
                let mut pointers = more.clone().step_by(2);
                misled || pointers.any(|at| short(self.bytes, at) == cell.place.start)
            });
            lost = lost.saturating_sub(found.len());
        }
        let right = (!self.is_leaf).then(|| be(self.bytes, self.header + 8));
        Page {
            cells,
            found,
            right,
            lost,
            fault,
        }
    }

    fn content_start(&self) -> usize {
        match short(self.bytes, self.header + 5) {
            0 => 1 << 16,
            start => start,
        }
    }

    /// The cell at a place of the page.
    fn cell(&self, at: usize) -> Option<Cell> {
        if at < self.pointers() {
            return None;
        }
        let start = self.bytes.get(at..)?;
        let mut rest = start;
        let mut child = None;
        if !self.is_leaf {
            let (bytes, behind) = rest.split_at_checked(4)?;
            child = Some(be(bytes, 0));
            rest = behind;
        }
        let (mut row, mut length) = (None, None);
        if self.kind == Kind::Index || self.is_leaf {
            let number;
            (number, rest) = varint(rest)?;
            length = Some(number);
        }
        if self.kind == Kind::Table {
            let number;
            (number, rest) = varint(rest)?;
            row = Some(number.cast_signed());
        }
        let head = start.len() - rest.len();
        let Some(length) = length else {
            return Some(Cell {
                place: at..at + head.max(CELL_BYTES_MIN),
                child,
                row,
                record: None,
            });
        };
        if length == 0 || length > RECORD_BYTES_MAX {
            return None;
        }
        let length = usize::try_from(length).ok()?;
        let local = self.local(length);
        let (_, behind) = rest.split_at_checked(local)?;
        let mut taken = head + local;
        let mut overflow = None;
        if local < length {
            overflow = Some(be(behind.get(..4)?, 0));
            taken += 4;
        }
        Some(Cell {
            place: at..at + taken.max(CELL_BYTES_MIN),
            child,
            row,
            record: Some((length, at + head..at + head + local, overflow)),
        })
    }

    /// How much of a record lies in the page itself.
    fn local(&self, length: usize) -> usize {
        let usable = self.bytes.len();
        let most = match self.kind {
            Kind::Table => usable - 35,
            Kind::Index => (usable - 12) * 64 / 255 - 23,
        };
        let least = (usable - 12) * 32 / 255 - 23;
        if length <= most {
            return length;
        }
        match least + (length - least) % (usable - 4) {
            local if local <= most => local,
            _ => least,
        }
    }

    /// Every byte behind the pointers belongs to a cell or is counted as free: what belongs to nothing, and what is
    /// wrong with the sum.
    fn account(
        &self,
        cells: &[Cell],
        start: usize,
    ) -> (Vec<Range<usize>>, Result<(), &'static str>) {
        let mut result = Ok(());
        let mut taken: Vec<Range<usize>> = cells.iter().map(|cell| cell.place.clone()).collect();
        match self.free_blocks(start) {
            Ok(blocks) => taken.extend(blocks),
            Err(what) => result = Err(what),
        }
        taken.sort_by_key(|place| (place.start, place.end));
        let mut gaps = Vec::new();
        let (mut at, mut unused) = (start.min(self.bytes.len()), 0);
        for place in taken {
            if place.start < at {
                result = result.and(Err(OVERLAP));
            } else if place.start > at {
                unused += place.start - at;
                gaps.push(at..place.start);
            }
            at = at.max(place.end);
        }
        if at < self.bytes.len() {
            unused += self.bytes.len() - at;
            gaps.push(at..self.bytes.len());
        }
        if at > self.bytes.len() || start > self.bytes.len() {
            result = result.and(Err("its content goes beyond its end"));
        }
        let counted = self.bytes.get(self.header + 7).copied().unwrap_or_default();
        if unused != usize::from(counted) {
            result = result.and(Err("its free room is not what it counts"));
        }
        (gaps, result)
    }

    fn free_blocks(&self, start: usize) -> Result<Vec<Range<usize>>, &'static str> {
        const WRONG: &str = "its list of free room is broken";
        let mut blocks = Vec::new();
        let mut at = short(self.bytes, self.header + 1);
        while at != 0 {
            let length = short(self.bytes, at + 2);
            let after_last = blocks
                .last()
                .is_none_or(|last: &Range<usize>| last.end < at);
            if at < start || at + length.max(4) > self.bytes.len() || !after_last || length < 4 {
                return Err(WRONG);
            }
            blocks.push(at..at + length);
            at = short(self.bytes, at);
        }
        Ok(blocks)
    }

    /// Cells that lie one behind another where nothing else does.
    fn in_gap(&self, gap: Range<usize>) -> Vec<Cell> {
        let mut cells = Vec::new();
        let mut at = gap.start;
        while at + CELL_BYTES_MIN <= gap.end {
            match self.cell(at) {
                Some(cell) if cell.place.end <= gap.end => {
                    at = cell.place.end;
                    cells.push(cell);
                }
                // It may begin a few bytes later: fragments are smaller than a cell.
                _ => at += 1,
            }
        }
        cells
    }
}
