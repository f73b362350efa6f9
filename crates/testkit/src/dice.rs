//! Randomness from one seed.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Mutex;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What a simulated run is reproduced from. A failing test prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seed(pub u64);

impl Seed {
    /// The seed of one part of a run, independent of how much the other parts have drawn.
    #[must_use]
    pub fn of(self, part: u64) -> Seed {
        let mut rng = ChaCha8Rng::seed_from_u64(self.0);
        rng.set_stream(part.wrapping_add(1));
        Seed(rng.next_u64())
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for Seed {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Seed, Self::Err> {
        text.parse().map(Seed)
    }
}

/// A stream of random numbers that depends on its seed alone.
#[derive(Clone, Debug)]
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// Starts the stream of `seed`.
    #[must_use]
    pub fn new(seed: Seed) -> Dice {
        Dice(ChaCha8Rng::seed_from_u64(seed.0))
    }

    /// A number below `bound`, or 0 if `bound` is 0. The bias is below 2⁻³² for the bounds that tests use.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 {
            0
        } else {
            self.0.next_u64() % bound
        }
    }

    /// A number in `range`, or its start if it is empty.
    pub fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.below(range.end.saturating_sub(range.start))
    }

    /// True in `of_thousand` cases of a thousand.
    pub fn chance(&mut self, of_thousand: u64) -> bool {
        self.below(1000) < of_thousand
    }

    /// One of `items`, or `None` if there are none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        usize::try_from(self.below(items.len() as u64))
            .ok()
            .and_then(|at| items.get(at))
    }

    /// Fills `out`.
    pub fn fill(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }
}

/// [`Dice`] behind a shared reference, as the server takes its randomness.
#[derive(Debug)]
pub struct SharedDice(Mutex<Dice>);

impl SharedDice {
    /// Starts the stream of `seed`.
    #[must_use]
    pub fn new(seed: Seed) -> SharedDice {
        SharedDice(Mutex::new(Dice::new(seed)))
    }

    /// Fills `out` with the next bytes.
    pub fn fill_bytes(&self, out: &mut [u8]) {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .fill(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_stream() {
        let draw = |seed| {
            let mut dice = Dice::new(seed);
            (0..8).map(|_| dice.below(1 << 40)).collect::<Vec<_>>()
        };
        assert_eq!(draw(Seed(7)), draw(Seed(7)));
        assert_ne!(draw(Seed(7)), draw(Seed(8)));
        assert_ne!(draw(Seed(7).of(0)), draw(Seed(7).of(1)));
    }

    #[test]
    fn bounds_hold_at_their_edges() {
        let mut dice = Dice::new(Seed(1));
        assert_eq!(dice.below(0), 0);
        assert_eq!(dice.within(5..5), 5);
        assert!((0..1000).all(|_| (3..9).contains(&dice.within(3..9))));
        assert!(!dice.chance(0) && dice.chance(1000));
        assert_eq!(dice.pick::<u8>(&[]), None);
    }
}
