//! Many inputs for one target.

use crate::mutate::Population;
use crate::{Target, corpus};
use std::io;

/// What came of it.
#[derive(Debug)]
pub enum Outcome {
    /// Every promise was kept; that many inputs were accepted.
    Kept(usize),
    /// A promise was broken by this input, the one of this number.
    Broken(usize, Vec<u8>),
}

/// Runs a target on inputs made from its corpus, the same for the same seed and corpus. Stops at the
/// first broken promise.
///
/// # Errors
/// The corpus cannot be read.
pub fn run((target, run): Target, seed: u64, inputs: usize) -> io::Result<Outcome> {
    let seeds = corpus::load(target)?
        .into_iter()
        .map(|(_, bytes)| bytes)
        .collect();
    let mut population = Population::new(seed, seeds);
    let mut accepted = 0;
    for number in 0..inputs {
        let input = population.mutated();
        match std::panic::catch_unwind(|| run(&input)) {
            Ok(true) => {
                accepted += 1;
                population.keep(input);
            }
            Ok(false) => {}
            Err(_) => return Ok(Outcome::Broken(number, input)),
        }
    }
    Ok(Outcome::Kept(accepted))
}
