//! Every committed input through its target, and streams cut at every byte.

use waxwing_fuzz::{TARGETS, corpus, wire_stream_split};

#[test]
fn committed_inputs_keep_every_promise() {
    for (target, run) in TARGETS {
        let inputs = corpus::load(target).expect("a corpus");
        assert!(
            inputs.len() >= 10,
            "{target} has only {} inputs",
            inputs.len()
        );
        for (name, bytes) in inputs {
            println!("{target}/{name}");
            run(&bytes);
        }
    }
}

#[test]
fn streams_read_the_same_cut_at_every_byte() {
    for (name, bytes) in corpus::load("wire_stream").expect("a corpus") {
        println!("{name}");
        let cuts: Vec<usize> = (0..bytes.len()).collect();
        wire_stream_split(&bytes, &cuts);
    }
}
