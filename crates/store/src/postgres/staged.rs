//! What a group of batches has changed and the database does not have yet, and the way back.

use std::collections::BTreeMap;
use std::collections::btree_map::Range;
use std::ops::RangeBounds;

/// Changes by key, of which those of the batch at hand can be taken back.
pub(super) struct Staged<K, V> {
    changed: BTreeMap<K, V>,
    /// What stood there before each change of the batch at hand.
    before: Vec<(K, Option<V>)>,
}

impl<K, V> Default for Staged<K, V> {
    fn default() -> Self {
        Self {
            changed: BTreeMap::new(),
            before: Vec::new(),
        }
    }
}

impl<K: Ord + Clone, V> Staged<K, V> {
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.changed.get(key)
    }

    pub(super) fn set(&mut self, key: K, value: V) {
        let before = self.changed.insert(key.clone(), value);
        self.before.push((key, before));
    }

    pub(super) fn range(&self, range: impl RangeBounds<K>) -> Range<'_, K, V> {
        self.changed.range(range)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.changed.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.changed.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.changed.is_empty()
    }

    /// The batch at hand stays.
    pub(super) fn keep(&mut self) {
        self.before.clear();
    }

    /// The batch at hand was refused.
    pub(super) fn take_back(&mut self) {
        while let Some((key, before)) = self.before.pop() {
            match before {
                Some(before) => self.changed.insert(key, before),
                None => self.changed.remove(&key),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_back_is_as_it_was() {
        let mut staged = Staged::default();
        staged.set(1, "kept");
        staged.keep();
        staged.set(1, "changed");
        staged.set(1, "again");
        staged.set(2, "new");
        staged.take_back();
        let left: Vec<_> = staged.iter().collect();
        assert_eq!(left, [(&1, &"kept")]);
        staged.take_back();
        assert_eq!(staged.get(&1), Some(&"kept"));
    }
}
