//! Simulated network, clock and store; conversation runner; scripted peers.

mod dice;

pub use dice::{Dice, Seed, SharedDice};
