//! What is to be reached, and whether it is.

use super::measured::{Results, Run};
use super::numbers::shown;
use super::peer::Peer;
use super::works::{
    EMPTY, IDLE, LOGIN, PLAIN, START_MANY, STEADY_FEW, STEADY_MANY, STEADY_OLD, STORED, STORED_500,
    STORED_HALF, TLS,
};

/// One line of the table.
pub(super) struct Target {
    pub(super) work: &'static str,
    pub(super) at_most: &'static str,
    /// The works whose runs it is judged by.
    of: &'static [&'static str],
    judge: fn(&Results) -> Outcome,
}

/// What a target came to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outcome {
    /// The figures that it is judged by.
    pub(super) figures: String,
    pub(super) verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Reached,
    Missed,
    /// It cannot be asked yet, or its runs came to nothing.
    Open,
}

impl Verdict {
    pub(super) fn word(self) -> &'static str {
        match self {
            Verdict::Reached => "yes",
            Verdict::Missed => "**no**",
            Verdict::Open => "not asked yet",
        }
    }

    fn of(reached: bool) -> Verdict {
        if reached {
            Verdict::Reached
        } else {
            Verdict::Missed
        }
    }
}

impl Target {
    /// Whether it is reached: not by runs in which something went wrong.
    pub(super) fn judge(&self, results: &Results) -> Outcome {
        let outcome = (self.judge)(results);
        let works = self.of.iter();
        match works.map(|work| results.unclean(work, Peer::Waxwing)).sum() {
            0_usize => outcome,
            count => Outcome {
                figures: format!("{}; in {count} runs something went wrong", outcome.figures),
                verdict: Verdict::Missed,
            },
        }
    }
}

const KIB: f64 = 1_024.0;
const MIB: f64 = 1_048_576.0;

/// What was tried for a line that is missed, and where it is written.
pub(super) fn tried(missed: &Target) -> &'static str {
    match missed.work {
        TWO_ENTRIES => {
            "Nine tenths of the time are SQLite's, with statements, pages and its log, or the worker's, with reading and \
             writing stanzas. What made both cheaper is in [decision 0017](decisions/0017-way-of-a-message.md), what the \
             second entry costs in [decision 0022](decisions/0022-archive.md)."
        }
        FIXED_RATE => {
            "Three quarters of a message that comes alone are the kernel's: the wait for the disk, the wakes around it, and \
             the sockets. What was tried, what it brought, and what was left is in [decision \
             0017](decisions/0017-way-of-a-message.md)."
        }
        P99_AT_500 => {
            "A message that comes alone waits for a commit of its own, and that for the disk. What was made shorter around it is in \
             [decision 0017](decisions/0017-way-of-a-message.md)."
        }
        LOG_IN => {
            "What it consists of, what was made cheaper, and what had no effect, is in [decision \
             0016](decisions/0016-log-ins-and-idle-connections.md)."
        }
        _ => "What was tried is not written down yet.",
    }
}

const TWO_ENTRIES: &str = "two durable entries a message (sender's and receiver's log), each acknowledged after its commit, \
                           against the peers' archives on their fastest store";
const FIXED_RATE: &str = "the same at a fixed 500 messages a second, where little can be batched";
const P99_AT_500: &str = "p99 latency at 500 a second, everything durable";
const LOG_IN: &str = "server CPU for a log-in by SCRAM-SHA-256 over TLS 1.3, ECDSA P-256";

/// All lines.
pub(super) const TARGETS: &[Target] = &[
    Target {
        work: "server CPU for a delivered chat message at saturation, plain TCP, nothing stored",
        at_most: "1/10 of the better peer's",
        of: &[PLAIN],
        judge: |results| share(results, PLAIN, Run::micros, 1.0, "µs", 10.0),
    },
    Target {
        work: "the same over TLS 1.3",
        at_most: "1/8 of the better peer's",
        of: &[TLS],
        judge: |results| share(results, TLS, Run::micros, 1.0, "µs", 8.0),
    },
    Target {
        work: TWO_ENTRIES,
        at_most: "1/30 of the better peer's, and 30,000 messages a second",
        of: &[STORED],
        judge: |results| {
            let mut outcome = share(results, STORED, Run::micros, 1.0, "µs", 30.0);
            if let Some(rate) = results.median(STORED, Peer::Waxwing, |run| run.per_second) {
                outcome.figures += &format!("; {} messages a second", shown(rate));
            }
            outcome
        },
    },
    Target {
        work: FIXED_RATE,
        at_most: "1/4 of the better peer's",
        of: &[STORED_500],
        judge: |results| share(results, STORED_500, Run::micros, 1.0, "µs", 4.0),
    },
    Target {
        work: P99_AT_500,
        at_most: "below both peers' with archive, and under 1.5 ms",
        of: &[STORED_500],
        judge: |results| p99(results, STORED_500, Some(1.5)),
    },
    Target {
        work: "p99 latency at half the better peer's saturation rate, everything durable",
        at_most: "below both peers' with archive",
        of: &[STORED_HALF],
        judge: |results| p99(results, STORED_HALF, None),
    },
    Target {
        work: LOG_IN,
        at_most: "1/5 of the better peer's",
        of: &[LOGIN],
        judge: |results| share(results, LOGIN, Run::micros, 1.0, "µs", 5.0),
    },
    Target {
        work: "memory of an idle TLS connection, bound, presence sent, roster of 20, at 8,000",
        at_most: "1/6 of the better peer's, and under 8 KiB",
        of: &[IDLE],
        judge: |results| {
            let bytes = |run: &Run| run.session_bytes;
            let share = share(results, IDLE, bytes, KIB, "KiB", 6.0);
            below(share, results.median(IDLE, Peer::Waxwing, bytes), 8.0 * KIB)
        },
    },
    Target {
        work: "resident memory, empty",
        at_most: "15 MiB",
        of: &[EMPTY],
        judge: |results| {
            let bytes = |run: &Run| run.resident_bytes;
            let outcome = beside(results, EMPTY, bytes, MIB, "MiB");
            below(
                outcome,
                results.median(EMPTY, Peer::Waxwing, bytes),
                15.0 * MIB,
            )
        },
    },
    Target {
        work: "start to first open port, empty",
        at_most: "0.1 s",
        of: &[EMPTY],
        judge: |results| {
            let secs = |run: &Run| run.start_secs;
            let outcome = beside(results, EMPTY, secs, 1.0, "s");
            below(outcome, results.median(EMPTY, Peer::Waxwing, secs), 0.1)
        },
    },
    Target {
        work: "start to first open port with 100,000 accounts",
        at_most: "0.3 s",
        of: &[START_MANY],
        judge: |results| {
            let secs = |run: &Run| run.start_secs;
            let outcome = beside(results, START_MANY, secs, 1.0, "s");
            let ours = results.median(START_MANY, Peer::Waxwing, secs);
            below(outcome, ours, 0.3)
        },
    },
    Target {
        work: "CPU for a message at a fixed rate as connections grow from 100 to 8,000",
        at_most: "grows by less than a fifth",
        of: &[STEADY_FEW, STEADY_MANY],
        judge: |results| growth(results, STEADY_MANY),
    },
    Target {
        work: "the same after 20,000 log-ins in the same process",
        at_most: "grows by less than a fifth",
        of: &[STEADY_FEW, STEADY_OLD],
        judge: |results| growth(results, STEADY_OLD),
    },
];

fn open() -> Outcome {
    Outcome {
        figures: "no figures".to_owned(),
        verdict: Verdict::Open,
    }
}

/// Ours and the peers', side by side.
fn beside(
    results: &Results,
    work: &'static str,
    figure: impl Fn(&Run) -> Option<f64>,
    unit: f64,
    name: &str,
) -> Outcome {
    let each = Peer::ALL.into_iter().filter_map(|peer| {
        let median = results.median(work, peer, &figure)? / unit;
        Some(format!("{} {} {name}", peer.name(), shown(median)))
    });
    let figures: Vec<String> = each.collect();
    Outcome {
        figures: figures.join(", "),
        verdict: Verdict::Open,
    }
}

/// Whether ours is at most such a part of the better peer's.
fn share(
    results: &Results,
    work: &'static str,
    figure: impl Fn(&Run) -> Option<f64>,
    unit: f64,
    name: &str,
    part: f64,
) -> Outcome {
    let ours = results.median(work, Peer::Waxwing, &figure);
    let (Some(ours), Some(better)) = (ours, results.better_cost(work, &figure)) else {
        return open();
    };
    let outcome = beside(results, work, figure, unit, name);
    Outcome {
        figures: format!("{}: 1/{}", outcome.figures, shown(better / ours)),
        verdict: Verdict::of(ours * part <= better),
    }
}

/// Also asks that ours is below a bound.
fn below(outcome: Outcome, ours: Option<f64>, bound: f64) -> Outcome {
    let Some(ours) = ours else {
        return open();
    };
    let verdict = match outcome.verdict {
        Verdict::Missed => Verdict::Missed,
        Verdict::Reached | Verdict::Open => Verdict::of(ours < bound),
    };
    Outcome { verdict, ..outcome }
}

fn p99(results: &Results, work: &'static str, millis_max: Option<f64>) -> Outcome {
    let figure = |run: &Run| Some(run.p99_micros? / 1e3);
    let ours = results.median(work, Peer::Waxwing, figure);
    let (Some(ours), Some(better)) = (ours, results.better_cost(work, figure)) else {
        return open();
    };
    let outcome = beside(results, work, figure, 1.0, "ms");
    let is_short = millis_max.is_none_or(|bound| ours < bound);
    Outcome {
        verdict: Verdict::of(ours < better && is_short),
        ..outcome
    }
}

fn growth(results: &Results, work: &'static str) -> Outcome {
    let micros = |work| results.median(work, Peer::Waxwing, Run::micros);
    let (Some(before), Some(after)) = (micros(STEADY_FEW), micros(work)) else {
        return open();
    };
    let percent = (after / before - 1.0) * 100.0;
    Outcome {
        figures: format!(
            "{} µs, then {} µs: {percent:+.0} %",
            shown(before),
            shown(after)
        ),
        verdict: Verdict::of(after < before * 1.2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(work: &'static str, micros: [f64; 3]) -> Results {
        let mut results = Results::default();
        for (peer, micros) in Peer::ALL.into_iter().zip(micros) {
            let run = Run {
                user_micros: Some(micros),
                system_micros: Some(0.0),
                p99_micros: Some(micros),
                session_bytes: Some(micros * KIB),
                ..Run::default()
            };
            results.add(work, peer, run);
        }
        results
    }

    fn judge(work: &str, results: &Results) -> Outcome {
        let target = TARGETS.iter().find(|target| target.work.starts_with(work));
        target.unwrap().judge(results)
    }

    #[test]
    fn a_share_is_of_the_better_peer() {
        let name = "server CPU for a delivered";
        let outcome = judge(name, &results(PLAIN, [3.0, 30.0, 60.0]));
        assert_eq!(outcome.verdict, Verdict::Reached);
        assert_eq!(
            outcome.figures,
            "Waxwing 3.00 µs, Prosody 30.0 µs, ejabberd 60.0 µs: 1/10.0"
        );
        let missed = judge(name, &results(PLAIN, [3.1, 60.0, 30.0]));
        assert_eq!(missed.verdict, Verdict::Missed);
        assert_eq!(judge(name, &Results::default()), open());
    }

    #[test]
    fn nothing_is_reached_by_runs_that_went_wrong() {
        let mut results = results(PLAIN, [3.0, 30.0, 60.0]);
        results.add(PLAIN, Peer::Prosody, Run::failed("it fell over".to_owned()));
        let name = "server CPU for a delivered";
        assert_eq!(judge(name, &results).verdict, Verdict::Reached);
        results.add(
            PLAIN,
            Peer::Waxwing,
            Run::failed("1 messages lost".to_owned()),
        );
        let outcome = judge(name, &results);
        assert_eq!(outcome.verdict, Verdict::Missed);
        assert!(
            outcome
                .figures
                .ends_with("; in 1 runs something went wrong")
        );
    }

    #[test]
    fn a_bound_counts_beside_the_share() {
        let name = "memory of an idle";
        for (micros, verdict) in [
            ([7.9, 60.0, 90.0], Verdict::Reached),
            ([8.1, 60.0, 90.0], Verdict::Missed),
            ([7.9, 40.0, 90.0], Verdict::Missed),
        ] {
            assert_eq!(
                judge(name, &results(IDLE, micros)).verdict,
                verdict,
                "{micros:?}"
            );
        }
    }

    #[test]
    fn what_is_stored_is_judged_by_its_share_and_its_latency() {
        let name = "two durable entries";
        for (micros, verdict) in [
            ([4.0, 100.0, 200.0], Verdict::Missed),
            ([1.0, 100.0, 200.0], Verdict::Reached),
        ] {
            assert_eq!(judge(name, &results(STORED, micros)).verdict, verdict);
        }
        assert!(
            p99(&results(STORED_500, [1.0, 2.0, 3.0]), STORED_500, None).verdict
                == Verdict::Reached
        );
        assert!(
            p99(&results(STORED_500, [2.0, 3.0, 1.0]), STORED_500, None).verdict == Verdict::Missed
        );
    }

    #[test]
    fn growth_is_judged_by_a_fifth() {
        for (after, verdict, text) in [
            (11.0, Verdict::Reached, "10.0 µs, then 11.0 µs: +10 %"),
            (12.0, Verdict::Missed, "10.0 µs, then 12.0 µs: +20 %"),
            (9.0, Verdict::Reached, "10.0 µs, then 9.00 µs: -10 %"),
        ] {
            let mut results = results(STEADY_FEW, [10.0, 0.0, 0.0]);
            let run = Run {
                user_micros: Some(after),
                system_micros: Some(0.0),
                ..Run::default()
            };
            results.add(STEADY_MANY, Peer::Waxwing, run);
            let outcome = growth(&results, STEADY_MANY);
            assert_eq!((outcome.verdict, &*outcome.figures), (verdict, text));
        }
    }
}
