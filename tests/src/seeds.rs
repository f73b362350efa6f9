//! Runs that begin from a seed.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

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

/// Runs it once for each seed, on as many threads as there are processors; what came of each, in no order.
pub fn each_seed<T: Send>(seeds: Range<u64>, run: impl Fn(Seed) -> T + Sync) -> Vec<T> {
    let next = AtomicU64::new(seeds.start);
    let one = || {
        let numbers = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
        let mine = numbers.take_while(|number| *number < seeds.end);
        mine.map(|number| run(Seed(number))).collect::<Vec<T>>()
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        let done = all.into_iter().map(|thread| thread.join());
        done.flat_map(|done| done.unwrap_or_else(|failure| resume_unwind(failure)))
            .collect()
    })
}
