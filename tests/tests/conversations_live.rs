//! Every conversation, over sockets with the built server; but for those in which more time passes
//! than a test can wait.

use std::process::ExitCode;

use waxwing_testkit::conversation::Section;
use waxwing_tests::Plays;

/// Longest time that a test waits because a conversation says so.
const PASSING_SECS_MAX: u64 = 3;

fn main() -> ExitCode {
    waxwing_tests::play_all(&Plays {
        name: "live",
        play: waxwing_tests::play_over_sockets,
        leaves_out,
    })
}

fn leaves_out(section: &Section) -> Option<String> {
    let too_long = section.too_long_for(PASSING_SECS_MAX * 1_000_000);
    too_long.then(|| format!("more than {PASSING_SECS_MAX} seconds pass; it is played in memory"))
}
