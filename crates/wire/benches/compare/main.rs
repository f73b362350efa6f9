//! Our reader beside others, on one corpus: `cargo bench -p waxwing-wire`.
//!
//! Each contender reads the same stanzas to the same end: complete, well-formed XML 1.0 with
//! namespaces, attributes unique, characters legal. Rounds are interleaved and the best of each
//! counts, since noise only ever adds.

mod contenders;
mod corpus;

use contenders::{Contender, Expat, Framed, Pieces, QuickXml, Rxml, Whole};
use std::time::{Duration, Instant};

/// Stanzas of one round.
const STANZAS: usize = 2000;
/// Rounds of each contender.
const ROUNDS: usize = 60;

#[allow(clippy::print_stdout, reason = "the table is what the bench is for")]
fn main() {
    let corpus = corpus::stanzas(STANZAS);
    let bytes: usize = corpus.iter().map(Vec::len).sum();
    let mut contenders: Vec<Box<dyn Contender>> = vec![
        Box::new(Whole::new()),
        Box::new(Pieces::new()),
        Box::new(Framed),
        Box::new(QuickXml),
        Box::new(Rxml::new()),
        Box::new(Expat::new()),
    ];
    let mut best = vec![Duration::MAX; contenders.len()];
    let mut elements = vec![0; contenders.len()];
    for _ in 0..ROUNDS {
        for (index, contender) in contenders.iter_mut().enumerate() {
            let begin = Instant::now();
            let mut count = 0;
            for stanza in &corpus {
                count += contender.read(std::hint::black_box(stanza));
            }
            best[index] = best[index].min(begin.elapsed());
            elements[index] = count;
        }
    }
    println!(
        "{STANZAS} stanzas of {} bytes on average, best of {ROUNDS} rounds",
        bytes / STANZAS
    );
    println!(
        "{:<44} {:>10} {:>8} {:>10} {:>9}",
        "", "ns/stanza", "MB/s", "elements", "of ours"
    );
    for (index, contender) in contenders.iter().enumerate() {
        let nanos = best[index].as_nanos() as f64;
        println!(
            "{:<44} {:>10.0} {:>8.0} {:>10} {:>8.2}×",
            contender.name(),
            nanos / STANZAS as f64,
            bytes as f64 * 1000.0 / nanos,
            elements[index],
            nanos / best[0].as_nanos() as f64,
        );
    }
}
