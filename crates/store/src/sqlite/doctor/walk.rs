//! Through every page: the trees from their roots, the free ones, and those that nothing leads to any more.

use std::ops::Range;

use super::super::ahead::be;
use super::image::{Image, Read};
use super::order::{in_order, is_right, lies_in};
use super::page::{self, Cell, Kind, Page};
use super::record::{self, Value};
use super::trees::{SCHEMA, TREES, Tree, root};
use crate::error::StoreError;

/// Levels of a tree: with the greatest number of pages it has fewer.
const DEPTH_MAX: usize = 40;
/// Damaged pages that are named; the others are counted.
pub(super) const PAGES_NAMED_MAX: usize = 8;
/// Pages in which a flipped bit is looked for: each takes a moment.
const PAGES_MENDED_MAX: usize = 64;

/// How a tree stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub(super) records: u64,
    /// Damaged pages, the first few, with what is wrong with each.
    pub(super) pages: Vec<(u32, &'static str)>,
    pub(super) pages_damaged: u64,
    /// Records that are there and cannot be read.
    pub(super) lost: u64,
    /// Records that stand where their keys do not belong.
    pub(super) misplaced: u64,
    /// Pages whose place is known and that cannot be reached, with what is below them.
    pub(super) cut_off: u64,
    /// Records of pages to which nothing led any more.
    pub(super) stray: u64,
}

impl Found {
    fn damaged(&mut self, page: u32, what: &'static str) {
        self.pages_damaged += 1;
        if self.pages.len() < PAGES_NAMED_MAX {
            self.pages.push((page, what));
        }
    }

    pub(super) fn is_whole(&self) -> bool {
        self.pages_damaged == 0 && self.lost == 0 && self.misplaced == 0 && self.cut_off == 0
    }
}

/// Takes the records of a tree by its place in [`TREES`].
pub(super) type Sink<'a> = dyn FnMut(usize, Option<i64>, &[Value]) -> Result<(), StoreError> + 'a;

/// Takes the records of one tree, with the numbers that they have.
type Take<'a> = dyn FnMut(Option<i64>, &[Value]) -> Result<(), StoreError> + 'a;

/// What was found in the pages.
pub(super) struct Walk<'a> {
    image: &'a Image,
    seen: Pages,
    /// Pages of trees. What a record says of where it goes on is believed only where they do not contradict.
    of_trees: Pages,
    pub(super) trees: Vec<Found>,
    /// The table of tables is as it was made.
    pub(super) schema_is_whole: bool,
    pub(super) free_is_whole: bool,
    /// Pages that belong to nothing.
    pub(super) unused: u64,
    /// Pages in which a flipped bit was looked for.
    mended: usize,
}

/// A set of pages: a bit for each.
struct Pages(Vec<u64>);

impl Pages {
    fn none(pages: u32) -> Self {
        Self(vec![0; pages as usize / 64 + 1])
    }

    fn has(&self, page: u32) -> bool {
        let word = self.0.get(page as usize / 64);
        word.is_some_and(|word| word >> (page % 64) & 1 == 1)
    }

    /// Whether it was not in it.
    fn add(&mut self, page: u32) -> bool {
        let is_new = !self.has(page);
        if let Some(word) = self.0.get_mut(page as usize / 64) {
            *word |= 1 << (page % 64);
        }
        is_new
    }
}

/// The key of a cell: the number of a row, or the record itself.
pub(super) type Key = Vec<Value>;

/// A page that is to be read, and between which keys it lies.
pub(super) struct Due {
    page: u32,
    pub(super) above: Option<Key>,
    pub(super) below: Option<Key>,
    depth: usize,
}

/// A cell with its key and its record.
pub(super) struct Keyed {
    pub(super) key: Key,
    pub(super) child: Option<u32>,
    /// `None` for an inner page of a table by number.
    values: Option<Vec<Value>>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(image: &'a Image) -> Self {
        Self {
            image,
            seen: Pages::none(image.pages),
            of_trees: Pages::none(image.pages),
            trees: vec![Found::default(); TREES.len()],
            schema_is_whole: false,
            free_is_whole: true,
            unused: 0,
            mended: 0,
        }
    }

    /// Reads everything; `schema` is what the table of tables holds in a new database.
    pub(super) fn run(&mut self, schema: &[Key], sink: &mut Sink<'_>) -> Result<(), StoreError> {
        self.schema(schema)?;
        for (place, tree) in TREES.iter().enumerate() {
            let mut found = Found::default();
            let mut take = |row, values: &[Value]| sink(place, row, values);
            self.tree(tree, root(place), &mut found, &mut take)?;
            self.trees[place] = found;
        }
        self.free();
        self.strays(sink)
    }

    fn schema(&mut self, schema: &[Key]) -> Result<(), StoreError> {
        let mut found = Found::default();
        let mut stored = Vec::new();
        let mut take = |_, values: &[Value]| {
            stored.push(values.to_vec());
            Ok(())
        };
        self.tree(&SCHEMA, 1, &mut found, &mut take)?;
        self.schema_is_whole = found.is_whole() && stored == schema;
        Ok(())
    }

    fn tree(
        &mut self,
        tree: &Tree,
        root: u32,
        found: &mut Found,
        take: &mut Take<'_>,
    ) -> Result<(), StoreError> {
        let mut due = vec![Due {
            page: root,
            above: None,
            below: None,
            depth: 0,
        }];
        while let Some(next) = due.pop() {
            let reachable = next.page == root || self.image.is_page(next.page);
            if !reachable || next.depth > DEPTH_MAX || !self.of_trees.add(next.page) {
                found.cut_off += 1;
                found.damaged(next.page, "something else leads to it too, or it cannot be");
                continue;
            }
            self.seen.add(next.page);
            let header = if next.page == 1 { 100 } else { 0 };
            let bytes = match self.image.page(next.page) {
                Read::Whole(bytes) => bytes,
                Read::Missing => {
                    found.cut_off += 1;
                    found.damaged(next.page, "the file ends before its end");
                    continue;
                }
                Read::Unreadable => {
                    found.cut_off += 1;
                    found.damaged(next.page, "the disk does not give it");
                    continue;
                }
            };
            let read = page::read(&bytes, header, tree.kind);
            let (bytes, read) = match read {
                Some(page) if is_right(tree, &next, &bytes, &page) => (bytes, Some(page)),
                read if self.mended < PAGES_MENDED_MAX => {
                    self.mended += 1;
                    let right = |bytes: &[u8], page: &Page| is_right(tree, &next, bytes, page);
                    match page::mended(&bytes, header, tree.kind, right) {
                        Some((bytes, page)) => {
                            found.damaged(next.page, "one bit of it has flipped, and was mended");
                            (bytes, Some(page))
                        }
                        None => (bytes, read),
                    }
                }
                read => (bytes, read),
            };
            let Some(page) = read else {
                found.cut_off += 1;
                found.damaged(next.page, "it is no page of a table");
                continue;
            };
            self.page(tree, &bytes, page, next, found, &mut due, take)?;
        }
        Ok(())
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the state of one walk over a tree"
    )]
    fn page(
        &mut self,
        tree: &Tree,
        bytes: &[u8],
        page: Page,
        place: Due,
        found: &mut Found,
        due: &mut Vec<Due>,
        take: &mut Take<'_>,
    ) -> Result<(), StoreError> {
        let mut faults = page.fault;
        let mut lost = page.lost as u64;
        let mut cells = self.keyed(tree, bytes, &page.cells, &mut lost, due, &place);
        let misplaced = in_order(&mut cells, tree, &place, due);
        found.misplaced += misplaced;
        let rescued = self.keyed(tree, bytes, &page.found, &mut 0, due, &place);
        if lost > 0 {
            faults.get_or_insert("a record cannot be read");
        }
        if misplaced > 0 {
            faults.get_or_insert("its records are not in order");
        }
        found.lost += lost;
        if let Some(what) = faults {
            found.damaged(place.page, what);
        }
        let mut above = place.above.clone();
        for cell in &cells {
            if let Some(child) = cell.child {
                due.push(Due {
                    page: child,
                    above: above.take(),
                    below: Some(cell.key.clone()),
                    depth: place.depth + 1,
                });
                above = Some(cell.key.clone());
            }
        }
        if let Some(right) = page.right {
            due.push(Due {
                page: right,
                above,
                below: place.below.clone(),
                depth: place.depth + 1,
            });
        }
        let rescued = rescued.into_iter().filter(|cell| {
            lies_in(
                &cell.key,
                tree,
                place.above.as_deref(),
                place.below.as_deref(),
            )
        });
        for cell in cells.into_iter().chain(rescued) {
            if let Some(values) = cell.values {
                found.records += 1;
                take(row_of(tree, &cell.key), &values)?;
            }
        }
        Ok(())
    }

    /// Cells with their keys; those that cannot be read are counted, and what is below them is still to be read.
    fn keyed(
        &mut self,
        tree: &Tree,
        bytes: &[u8],
        cells: &[Cell],
        lost: &mut u64,
        due: &mut Vec<Due>,
        place: &Due,
    ) -> Vec<Keyed> {
        let mut all = Vec::new();
        for cell in cells {
            let values = match &cell.record {
                Some(record) => {
                    let whole = self.record(bytes, record);
                    match whole.and_then(|bytes| record::read(&bytes, tree.columns)) {
                        Some(values) => Some(values),
                        None => {
                            *lost += 1;
                            due.extend(cell.child.map(|child| place.below(child)));
                            continue;
                        }
                    }
                }
                None => None,
            };
            let key = match (cell.row, &values) {
                (Some(row), _) => vec![Value::Int(row)],
                (None, Some(values)) => values[..tree.key_columns.min(values.len())].to_vec(),
                (None, None) => continue,
            };
            all.push(Keyed {
                key,
                child: cell.child,
                values,
            });
        }
        all
    }

    /// A whole record, with what lies on other pages.
    fn record(
        &mut self,
        bytes: &[u8],
        (length, local, overflow): &(usize, Range<usize>, Option<u32>),
    ) -> Option<Vec<u8>> {
        let mut record = bytes.get(local.clone())?.to_vec();
        let mut next = *overflow;
        let mut used = Vec::new();
        while let Some(page) = next {
            if !self.image.is_page(page) || self.of_trees.has(page) {
                return None;
            }
            used.push(page);
            let Read::Whole(bytes) = self.image.page(page) else {
                return None;
            };
            let left = length - record.len();
            let part = &bytes[4..];
            record.extend_from_slice(&part[..part.len().min(left)]);
            next = match (be(&bytes, 0), length - record.len()) {
                (0, 0) => None,
                (0, _) | (_, 0) => return None,
                (page, _) => Some(page),
            };
        }
        let is_whole = record.len() == *length;
        if is_whole {
            used.into_iter().for_each(|page| {
                self.seen.add(page);
            });
        }
        is_whole.then_some(record)
    }

    /// The list of pages that are free.
    fn free(&mut self) {
        let (mut trunk, mut counted) = (self.image.free_first, 0_u64);
        while trunk != 0 {
            if !self.image.is_page(trunk) || !self.seen.add(trunk) {
                self.free_is_whole = false;
                break;
            }
            let Read::Whole(bytes) = self.image.page(trunk) else {
                self.free_is_whole = false;
                break;
            };
            counted += 1;
            let leaves = be(&bytes, 4) as usize;
            let most = bytes.len() / 4 - 2;
            self.free_is_whole &= leaves <= most;
            for number in 0..leaves.min(most) {
                let leaf = be(&bytes, 8 + number * 4);
                self.free_is_whole &= self.image.is_page(leaf) && self.seen.add(leaf);
                counted += 1;
            }
            trunk = be(&bytes, 0);
        }
        self.free_is_whole &= counted == u64::from(self.image.free_count);
    }

    /// Pages that nothing leads to: where a tree was cut off, they may be its.
    fn strays(&mut self, sink: &mut Sink<'_>) -> Result<(), StoreError> {
        let broken: Vec<bool> = self
            .trees
            .iter()
            .map(|found| found.cut_off > 0 || found.pages_damaged > 0)
            .collect();
        for number in 2..=self.image.pages {
            if self.seen.has(number) || !self.image.is_page(number) {
                continue;
            }
            self.unused += 1;
            let Read::Whole(bytes) = self.image.page(number) else {
                continue;
            };
            for kind in [Kind::Table, Kind::Index] {
                let Some(page) = page::read(&bytes, 0, kind).filter(|page| page.fault.is_none())
                else {
                    continue;
                };
                self.stray(kind, &bytes, &page, &broken, sink)?;
            }
        }
        Ok(())
    }

    /// Takes the records of a page into the first tree that was cut off and has such records.
    fn stray(
        &mut self,
        kind: Kind,
        bytes: &[u8],
        page: &Page,
        broken: &[bool],
        sink: &mut Sink<'_>,
    ) -> Result<(), StoreError> {
        for cell in &page.cells {
            let Some(whole) = cell
                .record
                .as_ref()
                .and_then(|record| self.record(bytes, record))
            else {
                continue;
            };
            let fits = |place: &usize| {
                broken[*place] && TREES[*place].kind == kind && !TREES[*place].is_index
            };
            let read = (0..TREES.len()).filter(fits).find_map(|place| {
                record::read(&whole, TREES[place].columns).map(|values| (place, values))
            });
            if let Some((place, values)) = read {
                self.trees[place].stray += 1;
                sink(place, cell.row, &values)?;
            }
        }
        Ok(())
    }
}

impl Due {
    /// A page below this one, whose neighbours' keys are not known.
    pub(super) fn below(&self, page: u32) -> Due {
        Due {
            page,
            above: self.above.clone(),
            below: self.below.clone(),
            depth: self.depth + 1,
        }
    }
}

fn row_of(tree: &Tree, key: &[Value]) -> Option<i64> {
    match (tree.kind, key) {
        (Kind::Table, [Value::Int(row)]) => Some(*row),
        _ => None,
    }
}
