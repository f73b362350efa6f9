//! What a store has done, for operators.

/// Bounds of the sizes that [`Figures::sizes`] counts: powers of two.
pub(crate) const SIZES: usize = 12;

/// What a store has done since it was opened, and what waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Batches that were submitted and are not settled.
    pub waiting: u64,
    /// Batches that are settled: durable, refused or failed.
    pub settled: u64,
    /// Groups of batches that were settled together, by one commit, by how many batches they had: the first number
    /// counts groups of one, the next those of two, the next up to four, and so on; the last all that were larger.
    pub sizes: [u64; SIZES],
}

impl Figures {
    /// The greatest size that each number of [`sizes`](Self::sizes) counts; none for the last one.
    pub fn bounds() -> impl Iterator<Item = Option<u64>> {
        (0..SIZES).map(|at| (at + 1 < SIZES).then(|| 1 << at))
    }

    /// Counts a group that was settled.
    pub(crate) fn settle(&mut self, batches: u64) {
        self.settled += batches;
        let at = batches.max(1).next_power_of_two().trailing_zeros();
        let at = usize::try_from(at).unwrap_or(SIZES).min(SIZES - 1);
        if let Some(count) = self.sizes.get_mut(at) {
            *count += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_counted_by_size() {
        let mut figures = Figures::default();
        for batches in [1, 2, 3, 4, 5, 8, 1_024, 1_025, 1 << 40] {
            figures.settle(batches);
        }
        assert_eq!(figures.sizes, [1, 1, 2, 2, 0, 0, 0, 0, 0, 0, 1, 2]);
        let bounds: Vec<_> = Figures::bounds().collect();
        assert_eq!(
            (bounds[0], bounds[3], bounds[10], bounds[11]),
            (Some(1), Some(8), Some(1_024), None)
        );
    }
}
