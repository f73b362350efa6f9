//! Which records stand where their keys belong.

use super::page::{Kind, Page};
use super::record::{self, Value, compare};
use super::trees::Tree;
use super::walk::{Due, Key, Keyed};

/// Whether a page is whole, and so is every record in it, as far as it lies there, in its order.
pub(super) fn is_right(tree: &Tree, place: &Due, bytes: &[u8], page: &Page) -> bool {
    let mut last: Option<Key> = None;
    page.fault.is_none()
        && page.cells.iter().all(|cell| {
            let values = match &cell.record {
                Some((length, local, _)) if local.len() == *length => {
                    match record::read(&bytes[local.clone()], tree.columns) {
                        Some(values) => Some(values),
                        None => return false,
                    }
                }
                _ => None,
            };
            let key = match (cell.row, values) {
                (Some(row), _) => vec![Value::Int(row)],
                (None, Some(values)) => values,
                // It goes on elsewhere.
                (None, None) => return true,
            };
            let columns = tree.key_columns.max(1);
            let in_order = last
                .as_ref()
                .is_none_or(|last| compare(last, &key, columns).is_lt());
            let fits =
                in_order && lies_in(&key, tree, place.above.as_deref(), place.below.as_deref());
            last = Some(key);
            fits
        })
}

/// Whether a key lies between two others. In a table by number, the one below may be the same.
pub(super) fn lies_in(
    key: &[Value],
    tree: &Tree,
    above: Option<&[Value]>,
    below: Option<&[Value]>,
) -> bool {
    let columns = tree.key_columns.max(1);
    let over = above.is_none_or(|above| compare(above, key, columns).is_lt());
    let under = below.is_none_or(|below| {
        let order = compare(key, below, columns);
        order.is_lt() || (tree.kind == Kind::Table && order.is_eq())
    });
    over && under
}

/// Keeps as many cells as are in order, between the keys that the page lies between; how many are not. What is below
/// those is still to be read.
pub(super) fn in_order(
    cells: &mut Vec<Keyed>,
    tree: &Tree,
    place: &Due,
    due: &mut Vec<Due>,
) -> u64 {
    let columns = tree.key_columns.max(1);
    let inside = |cell: &Keyed| {
        lies_in(
            &cell.key,
            tree,
            place.above.as_deref(),
            place.below.as_deref(),
        )
    };
    // The longest run: for each length the place of the least last cell, and before each cell its predecessor.
    let mut ends: Vec<usize> = Vec::new();
    let mut before = vec![None; cells.len()];
    for (number, cell) in cells.iter().enumerate().filter(|(_, cell)| inside(cell)) {
        let at = ends.partition_point(|end| compare(&cells[*end].key, &cell.key, columns).is_lt());
        before[number] = at.checked_sub(1).map(|last| ends[last]);
        match ends.get_mut(at) {
            Some(end) => *end = number,
            None => ends.push(number),
        }
    }
    let mut kept = vec![false; cells.len()];
    let mut next = ends.last().copied();
    while let Some(number) = next {
        kept[number] = true;
        next = before[number];
    }
    let mut misplaced = 0;
    let mut number = 0;
    cells.retain(|cell| {
        let keep = kept[number];
        number += 1;
        if !keep {
            misplaced += 1;
            due.extend(cell.child.map(|child| place.below(child)));
        }
        keep
    });
    misplaced
}
