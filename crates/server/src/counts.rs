//! Counts that are forgotten evenly in time, by whom they are of: so many in a window, and then one more for
//! each that is forgotten.

use std::collections::HashMap;
use std::hash::Hash;

/// Whom it is counted for at a time. More push out those with the least.
const COUNTED_MAX: usize = 50_000;

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    /// In occurrences times the window, so that forgetting is exact.
    level: u128,
    at_micros: u64,
}

impl Count {
    /// What is left now. `limit` occurrences are forgotten in a window.
    fn now(self, now_micros: u64, limit: u64) -> u128 {
        let passed = now_micros.saturating_sub(self.at_micros);
        let forgotten = u128::from(passed) * u128::from(limit);
        self.level.saturating_sub(forgotten)
    }
}

/// Counts by whom.
#[derive(Debug)]
pub(crate) struct Counts<K> {
    /// In which as many are forgotten as are allowed.
    window_micros: u64,
    counts: HashMap<K, Count>,
}

impl<K: Eq + Hash> Counts<K> {
    pub(crate) fn new(window_micros: u64) -> Counts<K> {
        Counts {
            window_micros,
            counts: HashMap::new(),
        }
    }

    /// One more.
    pub(crate) fn add(&mut self, key: K, now_micros: u64, limit: u64) {
        let window = u128::from(self.window_micros);
        if self.counts.len() >= COUNTED_MAX {
            self.counts
                .retain(|_, count| count.now(now_micros, limit) > 0);
        }
        if self.counts.len() >= COUNTED_MAX {
            // Many with one each: those with most are the ones to remember.
            let half = u128::from(limit) * window / 2;
            self.counts
                .retain(|_, count| count.now(now_micros, limit) > half);
        }
        if self.counts.len() >= COUNTED_MAX {
            return;
        }
        let count = self.counts.entry(key).or_default();
        let level = count.now(now_micros, limit) + window;
        *count = Count {
            level,
            at_micros: now_micros,
        };
    }

    /// Whether one more would be beyond the limit.
    pub(crate) fn is_full(&self, key: &K, now_micros: u64, limit: u64) -> bool {
        let window = u128::from(self.window_micros);
        let count = self.counts.get(key);
        count
            .is_some_and(|count| count.now(now_micros, limit) + window > u128::from(limit) * window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60 * 1_000_000;

    #[test]
    fn they_are_forgotten_evenly() {
        let mut counts = Counts::new(5 * MINUTE);
        for _ in 0..5 {
            assert!(!counts.is_full(&1, 0, 5));
            counts.add(1, 0, 5);
        }
        assert!(counts.is_full(&1, 0, 5));
        assert!(!counts.is_full(&2, 0, 5));
        // One a minute is forgotten.
        assert!(counts.is_full(&1, MINUTE - 1, 5));
        assert!(!counts.is_full(&1, MINUTE, 5));
        counts.add(1, MINUTE, 5);
        assert!(counts.is_full(&1, MINUTE, 5));
        assert!(!counts.is_full(&1, 6 * MINUTE, 5));
        // A clock that goes back forgets nothing, and forgives nothing.
        assert!(counts.is_full(&1, 0, 5));
    }

    #[test]
    fn who_has_most_is_remembered_longest() {
        let mut counts = Counts::new(5 * MINUTE);
        for _ in 0..5 {
            counts.add(usize::MAX, 0, 5);
        }
        for other in 0..2 * COUNTED_MAX {
            counts.add(other, 1, 5);
        }
        assert!(counts.counts.len() <= COUNTED_MAX);
        assert!(counts.is_full(&usize::MAX, 1, 5));
    }
}
