//! A million inputs that nobody thought of, the same in every run.

#![allow(
    clippy::panic,
    clippy::print_stdout,
    reason = "this is a test and says its counts"
)]

use waxwing_fuzz::campaign::{self, Outcome};
use waxwing_fuzz::{Target, wire_splice, wire_stanza, wire_stream};

fn run(target: Target, seed: u64, inputs: usize) {
    match campaign::run(target, seed, inputs).expect("a corpus") {
        Outcome::Kept(accepted) => {
            println!("{}: {accepted} of {inputs} inputs accepted", target.0);
            // Or else the test looks at nothing but the refusal of noise.
            assert!(
                (inputs / 10..inputs * 9 / 10).contains(&accepted),
                "{accepted} of {inputs}"
            );
        }
        Outcome::Broken(number, input) => {
            panic!(
                "{}: input {number} of seed {seed}: {}",
                target.0,
                input.escape_ascii()
            );
        }
    }
}

#[test]
fn stanzas() {
    run(("wire_stanza", wire_stanza), 1, 600_000);
}

#[test]
fn streams() {
    run(("wire_stream", wire_stream), 2, 300_000);
}

#[test]
fn splices() {
    run(("wire_splice", wire_splice), 3, 100_000);
}
