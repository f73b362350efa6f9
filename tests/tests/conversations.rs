//! Every conversation, in memory: a server in a simulated world, under several seeds each; with `WAXWING_TEST_STORE`, under one,
//! on a real database. With `--live`, over sockets with the built server.

use std::process::ExitCode;

use waxwing_testkit::Seed;
use waxwing_testkit::conversation::{Failure, Section, run_in_memory, run_on};
use waxwing_tests::{Plays, real_store};

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
    let real = real_store().map_err(|error| Failure {
        path: path.to_owned(),
        line: section.line,
        what: error.to_string(),
    })?;
    match real {
        // What stores makes no difference to how bytes are cut.
        Some(store) => run_on(path, section, Seed(0), store),
        None => (0..SEEDS).try_for_each(|seed| run_in_memory(path, section, Seed(seed))),
    }
}
