//! A million inputs that nobody thought of, the same in every run.

#![allow(
    clippy::panic,
    clippy::print_stdout,
    reason = "this is a test and says its counts"
)]

use waxwing_fuzz::mutate::Population;
use waxwing_fuzz::{Target, corpus, wire_splice, wire_stanza, wire_stream};

fn run((target, run): Target, seed: u64, inputs: usize) {
    let corpus = corpus::load(target).expect("a corpus");
    let mut population =
        Population::new(seed, corpus.into_iter().map(|(_, bytes)| bytes).collect());
    let mut accepted = 0;
    for number in 0..inputs {
        let input = population.mutated();
        match std::panic::catch_unwind(|| run(&input)) {
            Ok(true) => {
                accepted += 1;
                population.keep(input);
            }
            Ok(false) => {}
            Err(_) => panic!(
                "{target}: input {number} of seed {seed}: {}",
                input.escape_ascii()
            ),
        }
    }
    println!("{target}: {accepted} of {inputs} inputs accepted");
    // Or else the test looks at nothing but the refusal of noise.
    assert!(
        (inputs / 10..inputs * 9 / 10).contains(&accepted),
        "{accepted} of {inputs}"
    );
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
