//! What a run measures.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::ledger::{Came, Ledger, Mark, Tally};
use crate::process::Usage;

/// Significant digits of a latency.
const DIGITS: u8 = 3;

/// What took longer counts as this long: an hour.
const LONGEST_MICROS: u64 = 3_600_000_000;

/// What is timed. One time each, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timed {
    /// From when a message was to be sent until its receiver had it.
    Delivery,
    /// From when a log-in was to begin until a resource was bound.
    Login,
    /// From when a session was to be resumed until it was.
    Resumption,
    /// From available presence until the server had shown it to its sender.
    Presence,
}

impl Timed {
    /// Its name in reports.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Timed::Delivery => "delivery",
            Timed::Login => "log-in",
            Timed::Resumption => "resumption",
            Timed::Presence => "presence",
        }
    }
}

/// Times in few numbers, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// How many there were.
    pub count: u64,
    /// Half are not above.
    pub p50_micros: u64,
    /// 95 of 100 are not above.
    pub p95_micros: u64,
    /// 99 of 100 are not above.
    pub p99_micros: u64,
    /// 999 of 1,000 are not above.
    pub p999_micros: u64,
    /// None is above.
    pub max_micros: u64,
}

impl Latency {
    fn of(times: &Histogram<u64>) -> Latency {
        Latency {
            count: times.len(),
            p50_micros: times.value_at_quantile(0.50),
            p95_micros: times.value_at_quantile(0.95),
            p99_micros: times.value_at_quantile(0.99),
            p999_micros: times.value_at_quantile(0.999),
            max_micros: times.max(),
        }
    }
}

/// One second of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Second {
    /// Stanzas that came.
    pub delivered: u64,
    /// Times of what is timed most.
    pub latency: Latency,
    /// Sessions that were there at its end.
    pub sessions: u64,
    /// The server's processor time in it, in seconds, user and system.
    pub cpu: (f64, f64),
    /// The server's resident memory at its end, in bytes.
    pub rss_bytes: u64,
}

/// What is counted while a run goes on.
#[derive(Debug)]
pub struct Figures {
    /// Messages.
    pub ledger: Ledger,
    /// Whether what comes counts: after everybody is there, before everybody leaves.
    measuring: bool,
    /// When that began and ended, in microseconds since the run began.
    measured: Range<u64>,
    times: BTreeMap<Timed, Histogram<u64>>,
    of_second: Histogram<u64>,
    seconds: Vec<Second>,
    delivered: u64,
    delivered_before: u64,
    errors: BTreeMap<String, u64>,
    /// Sessions that are there: those who are counted have one of these each.
    sessions: Rc<()>,
}

/// One session that is there, as long as this is.
#[derive(Debug)]
pub struct Counted {
    _one: Rc<()>,
}

impl Default for Figures {
    fn default() -> Self {
        Figures {
            ledger: Ledger::default(),
            measuring: false,
            measured: u64::MAX..u64::MAX,
            times: BTreeMap::new(),
            of_second: histogram(),
            seconds: Vec::new(),
            delivered: 0,
            delivered_before: 0,
            errors: BTreeMap::new(),
            sessions: Rc::default(),
        }
    }
}

fn histogram() -> Histogram<u64> {
    #[expect(clippy::expect_used, reason = "these bounds are possible")]
    Histogram::new_with_bounds(1, LONGEST_MICROS, DIGITS).expect("a histogram of three digits")
}

impl Figures {
    /// Figures with this ledger.
    #[must_use]
    pub fn new(ledger: Ledger) -> Figures {
        Figures {
            ledger,
            ..Figures::default()
        }
    }

    /// From now on it counts.
    pub fn begin(&mut self, now_micros: u64) {
        self.measuring = true;
        self.measured = now_micros..u64::MAX;
    }

    /// From now on it counts no more.
    pub fn end(&mut self, now_micros: u64) {
        self.measuring = false;
        self.measured.end = now_micros;
    }

    /// How long it has counted, in microseconds; `None` before.
    #[must_use]
    pub fn measured_micros(&self, now_micros: u64) -> Option<u64> {
        let Range { start, end } = self.measured;
        (start < u64::MAX).then(|| end.min(now_micros).saturating_sub(start))
    }

    /// A message came to `to`, so long after the run began. Its time counts by when it was planned: without the last ones,
    /// which are waited for, the slowest would be left out.
    pub fn came(&mut self, to: u32, mark: Mark, now_micros: u64) {
        if matches!(self.ledger.came(to, mark), Came::InOrder | Came::Overtaken) {
            self.delivered();
            if self.measured.contains(&mark.planned_micros) {
                let took = now_micros.saturating_sub(mark.planned_micros);
                self.record(Timed::Delivery, took);
            }
        }
    }

    /// So many messages that were planned are not sent, since the server took no more.
    pub fn unsent(&mut self, messages: u64) {
        if messages > 0 {
            self.ledger.unsent(messages);
            let error = "message: not sent, the server took no more of its sender";
            *self.errors.entry(error.to_owned()).or_default() += messages;
        }
    }

    /// A stanza came that somebody was meant to get.
    pub fn delivered(&mut self) {
        self.delivered += u64::from(self.measuring);
    }

    /// Something took so long.
    pub fn timed(&mut self, what: Timed, micros: u64) {
        if self.measuring {
            self.record(what, micros);
        }
    }

    fn record(&mut self, what: Timed, micros: u64) {
        self.of_second.saturating_record(micros);
        let times = self.times.entry(what).or_insert_with(histogram);
        times.saturating_record(micros);
    }

    /// Something went wrong.
    pub fn error(&mut self, kind: impl Into<String>) {
        *self.errors.entry(kind.into()).or_default() += 1;
    }

    /// Stanzas that came while it was measured.
    #[must_use]
    pub fn delivered_count(&self) -> u64 {
        self.delivered
    }

    /// How many errors there were.
    #[must_use]
    pub fn errors_count(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Counts a session until what this gives is dropped.
    #[must_use]
    pub fn count(&self) -> Counted {
        Counted {
            _one: self.sessions.clone(),
        }
    }

    /// How many sessions are there.
    #[must_use]
    pub fn sessions(&self) -> u64 {
        Rc::strong_count(&self.sessions) as u64 - 1
    }

    /// A message that was sent came back: it is on its way no more.
    pub fn came_back(&mut self, to: u32, mark: Mark) {
        self.error("a message came back as an error");
        self.ledger.came_back(to, mark);
    }

    /// A second is over.
    pub fn end_second(&mut self, used: &Usage) -> Second {
        let second = Second {
            delivered: self.delivered - self.delivered_before,
            latency: Latency::of(&self.of_second),
            sessions: self.sessions(),
            cpu: (used.user_secs, used.system_secs),
            rss_bytes: used.rss_bytes,
        };
        self.delivered_before = self.delivered;
        self.of_second.reset();
        self.seconds.push(second);
        second
    }

    /// Everything in few numbers.
    #[must_use]
    pub fn sum(&self) -> Sum {
        let times = self.times.iter();
        Sum {
            messages: self.ledger.tally(),
            delivered: self.delivered,
            latency: times
                .map(|(what, times)| (*what, Latency::of(times)))
                .collect(),
            errors: self.errors.clone(),
            seconds: self.seconds.clone(),
        }
    }
}

/// What a run has measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sum {
    /// Messages of the whole run, by what became of them.
    pub messages: Tally,
    /// Stanzas that came while it was measured.
    pub delivered: u64,
    /// Times, by what was timed.
    pub latency: BTreeMap<Timed, Latency>,
    /// How often what went wrong.
    pub errors: BTreeMap<String, u64>,
    /// Second by second.
    pub seconds: Vec<Second>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_comes_while_it_is_measured_counts() {
        let mut figures = Figures::default();
        let marks: Vec<Mark> = (0..4)
            .map(|at| figures.ledger.send(1, 2, at * 10))
            .collect();
        figures.came(2, marks[0], 1_000);
        figures.begin(10);
        figures.came(2, marks[1], 1_010);
        figures.came(2, marks[1], 1_020);
        figures.came(2, marks[2], 3_020);
        let second = figures.end_second(&Usage::default());
        assert_eq!(second.delivered, 2);
        // Three digits of it.
        assert!(
            (2_990..=3_010).contains(&second.latency.max_micros),
            "{second:?}"
        );
        figures.end(2_000);
        let late = figures.ledger.send(1, 2, 1_999);
        let after = figures.ledger.send(1, 2, 2_000);
        figures.came(2, late, 3_000);
        figures.came(2, after, 3_000);
        assert_eq!(figures.end_second(&Usage::default()).delivered, 0);
        let sum = figures.sum();
        assert_eq!(sum.delivered, 2);
        assert_eq!(
            (
                sum.messages.delivered,
                sum.messages.lost,
                sum.messages.doubled
            ),
            (5, 1, 1)
        );
        assert_eq!(sum.latency[&Timed::Delivery].count, 3);
    }
}
