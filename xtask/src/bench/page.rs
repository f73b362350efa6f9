//! `docs/benchmarks.md`.

use std::fmt::Write as _;

use super::machine::Machine;
use super::measured::{Results, Run};
use super::numbers::Spread;
use super::peer::Peer;
use super::targets::{TARGETS, Verdict, tried};
use super::works::{Kind, Shape, Work};

const HEAD: &str = "\
# Benchmarks

<!-- Written by `cargo xtask bench`; change that, not this. -->

Waxwing beside Prosody and ejabberd, in one run on one machine. Figures are of this machine; what is claimed is the
ratio. `cargo xtask bench` repeats it all in some 45 minutes and writes this page again, and a page of charts beside
what it builds.
";

const HOW: &str = "\
## How it is measured

- Each server is pinned to one processor, and the generator, `waxwing-load`, to another. Only one server runs at a time.
- Runs are interleaved: one server after the other does a work, then the next work, and all of it again. Tables show the
  median, and the lowest and the highest run where they differ. Idle connections, which take long and come out the same,
  are in the first round only.
- Processor time is that of all of a server's processes, user and system, PostgreSQL's with ejabberd's, divided by the
  messages that came or the log-ins that were done. Latencies count from when something was planned (no coordinated
  omission). Messages have a text of 64 bytes.
- Where latencies are judged (500 a second, and half of what the better peer carries), five seconds of 500 a second come
  first in the same process, and are not measured.
- Every run begins with a fresh copy of the same accounts, each with a roster. Nothing may be lost, doubled or out of
  order: a run in which it is fails the benchmark.
- Where nothing is stored, messages ask for that (XEP-0334) and clients do without stream management (XEP-0198), which
  is in use where messages are stored.
- What is stored of a message are two entries, the sender's and the receiver's: Waxwing's are on disk before the sender's
  acknowledgement; the peers' archives promise nothing of when theirs are, and are on their fastest store: Prosody's own files,
  and PostgreSQL with `synchronous_commit = off`.
- The certificate is the same: ECDSA P-256. Configurations, each line with its reason, are in
  [`bench/peers`](../bench/peers): whoever knows a faster one that stores as much is welcome to send it.
";

/// The whole page.
pub(super) fn text(machine: &Machine, shape: &Shape, works: &[Work], results: &Results) -> String {
    let mut text = HEAD.to_owned();
    text += "\n## What was to be reached\n\n";
    text += "| work (medians) | at most | measured | reached |\n|---|---|---|---|\n";
    for target in TARGETS {
        let outcome = target.judge(results);
        let (work, at_most, figures) = (target.work, target.at_most, outcome.figures);
        line(
            &mut text,
            &[work, at_most, &figures, outcome.verdict.word()],
        );
    }
    text += "\n";
    text += &missed(results);
    text += &wrong(results);
    text += "\n## All figures\n";
    for work in works {
        table(&mut text, work, results);
    }
    text += "\n";
    text += HOW;
    text += &surroundings(machine, shape);
    text
}

fn missed(results: &Results) -> String {
    let mut text = String::new();
    for target in TARGETS {
        if target.judge(results).verdict == Verdict::Missed {
            let _fits = writeln!(text, "- **{}**: {}", target.work, tried(target));
        }
    }
    match text.is_empty() {
        true => text,
        false => format!("## What was missed, and what was tried\n\n{text}\n"),
    }
}

/// What went wrong in runs: a figure that stands beside it is of fewer of them.
fn wrong(results: &Results) -> String {
    let complaints = results.complaints();
    if complaints.is_empty() {
        return String::new();
    }
    let lines = complaints
        .iter()
        .map(|complaint| format!("- {complaint}\n"));
    format!("## What went wrong\n\n{}\n", lines.collect::<String>())
}

fn line(text: &mut String, cells: &[&str]) {
    text.push('|');
    for cell in cells {
        let _fits = write!(text, " {cell} |");
    }
    text.push('\n');
}

type Figure = fn(&Run) -> Option<f64>;

/// Columns of works that start a server, and of those that put it under load.
const START: &[(&str, Figure)] = &[
    ("s to first open port", |run| run.start_secs),
    ("MiB resident", |run| {
        Some(run.resident_bytes? / 1_048_576.0)
    }),
];
const LOAD: &[(&str, Figure)] = &[
    ("µs each", Run::micros),
    ("of it in the kernel", |run| run.system_micros),
    ("a second", |run| run.per_second),
    ("p50, ms", |run| Some(run.p50_micros? / 1e3)),
    ("p99, ms", |run| Some(run.p99_micros? / 1e3)),
    ("generator, % of a core", |run| Some(run.own_share? * 100.0)),
];
const IDLE: &[(&str, Figure)] = &[
    ("KiB a connection", |run| Some(run.session_bytes? / 1_024.0)),
    ("MiB resident", |run| {
        Some(run.resident_bytes? / 1_048_576.0)
    }),
];

fn table(text: &mut String, work: &Work, results: &Results) {
    let columns = match work.kind {
        Kind::Start { .. } => START,
        Kind::Load(load) if load.scenario == "idle" => IDLE,
        Kind::Load(_) => LOAD,
    };
    let mut title: String = work.title.to_owned();
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    let _fits = write!(text, "\n### {title}\n\n");
    let mut head = vec!["server"];
    head.extend(columns.iter().map(|(name, _)| *name));
    line(text, &head);
    line(text, &vec!["---"; head.len()]);
    for peer in Peer::ALL {
        if work.own_only && peer != Peer::Waxwing {
            continue;
        }
        let mut cells = vec![peer.name().to_owned()];
        cells.extend(columns.iter().map(|(_, figure)| {
            let spread = results.spread(work.key, peer, figure);
            spread
                .as_ref()
                .map_or_else(|| "–".to_owned(), Spread::shown)
        }));
        let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
        line(text, &cells);
    }
}

fn surroundings(machine: &Machine, shape: &Shape) -> String {
    format!(
        "\n## On what\n\n{}, {} processors, {:.0} GiB, {}. {} rounds of {} seconds a run, {} accounts with {} contacts \
         each.\n\n{}\n",
        machine.processor,
        machine.processors,
        machine.memory_gib,
        machine.kernel,
        shape.rounds,
        shape.secs,
        shape.accounts,
        shape.roster,
        machine
            .versions
            .iter()
            .map(|version| format!("- {version}"))
            .collect::<Vec<_>>()
            .join("\n")
    )
}

#[cfg(test)]
mod tests {
    use super::super::works;
    use super::*;

    #[test]
    fn each_target_and_each_work_has_its_place() {
        let machine = Machine {
            processor: "AMD EPYC".to_owned(),
            processors: 2,
            memory_gib: 23.5,
            kernel: "Linux 6".to_owned(),
            versions: vec!["waxwing 0.1.0".to_owned()],
        };
        let mut results = Results::default();
        for (peer, micros) in Peer::ALL.into_iter().zip([2.0, 35.0, 56.0]) {
            for user in [micros, micros + 1.0, micros - 1.0] {
                let run = Run {
                    user_micros: Some(user),
                    system_micros: Some(0.0),
                    ..Run::default()
                };
                results.add(works::PLAIN, peer, run.clone());
                // Too little less than the peers' for a quarter.
                let user_micros = Some(user + 100.0);
                results.add(works::STORED_500, peer, Run { user_micros, ..run });
            }
        }
        let text = text(&machine, &Shape::FULL, &works::full(), &results);
        for line in [
            "| server CPU for a delivered chat message at saturation, plain TCP, nothing stored | 1/10 of the better peer's \
             | Waxwing 2.00 µs, Prosody 35.0 µs, ejabberd 56.0 µs: 1/17.5 | yes |",
            "### Chat messages as fast as they go, plain TCP, nothing stored",
            "| Waxwing | 2.00 (1.00 – 3.00) | 0 | – | – | – |",
            "- **the same at a fixed 500 messages a second, where little can be batched**: Three quarters",
            "- waxwing 0.1.0",
            "3 rounds of 20 seconds a run, 8000 accounts with 20 contacts each.",
        ] {
            assert!(
                text.lines().any(|there| there.contains(line)),
                "{line}\n{text}"
            );
        }
        assert_eq!(text.matches("\n### ").count(), works::full().len());
    }
}
