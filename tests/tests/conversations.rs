//! Every conversation, in memory: a server in a simulated world, under several seeds each. With `--live`, over sockets
//! with the built server.

use std::process::ExitCode;

use waxwing_testkit::Seed;
use waxwing_testkit::conversation::{Failure, Section, run_in_memory};
use waxwing_tests::Plays;

/// Worlds that each section is played in: they cut bytes and order tasks differently.
const SEEDS: u64 = 20;

fn main() -> ExitCode {
    if std::env::args().any(|word| word == "--live") {
        return waxwing_tests::play_all(&waxwing_tests::live());
    }
    waxwing_tests::play_all(&Plays {
        name: "memory",
        play,
        leaves_out: |_| None,
    })
}

fn play(path: &str, section: &Section) -> Result<(), Failure> {
    (0..SEEDS).try_for_each(|seed| run_in_memory(path, section, Seed(seed)))
}
