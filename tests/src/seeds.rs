//! Runs that begin from a seed.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use waxwing_testkit::Seed;

/// Runs it, and names the seed where it fails, with what it was about.
#[expect(clippy::print_stderr, reason = "a failure names its seed")]
pub fn with_seed<T>(seed: Seed, what: &str, run: impl FnOnce() -> T) -> T {
    // Caught to name the seed, and thrown on as it was: nobody looks at what the run had in hand.
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|failure| {
        eprintln!("failed with seed {seed}, {what}");
        resume_unwind(failure)
    })
}
