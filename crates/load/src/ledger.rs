//! Which messages were sent, which came, and in what order.
//!
//! Every message carries its sender's number, its own number among those from that sender to that receiver, and when it
//! was to be sent. So a receiver knows of each whether it is new, whether another overtook it, and how late it is.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

/// A message's name, which stands in its `id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// In which run: servers keep what an earlier one left.
    pub run: u32,
    /// Who sent it.
    pub from: u32,
    /// Its number among those from `from` to its receiver, from zero.
    pub number: u64,
    /// When it was to be sent, in microseconds since the run began.
    pub planned_micros: u64,
}

impl Mark {
    /// Reads what [`fmt::Display`] wrote.
    #[must_use]
    pub fn read(id: &str) -> Option<Mark> {
        let mut parts = id.strip_prefix("load-")?.split('-');
        let mut next = || u64::from_str_radix(parts.next()?, 16).ok();
        let (run, from, number, planned_micros) = (next()?, next()?, next()?, next()?);
        Some(Mark {
            run: u32::try_from(run).ok()?,
            from: u32::try_from(from).ok()?,
            number,
            planned_micros,
        })
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mark {
            run,
            from,
            number,
            planned_micros,
        } = self;
        write!(f, "load-{run:x}-{from:x}-{number:x}-{planned_micros:x}")
    }
}

/// What became of the messages from one sender to one receiver.
#[derive(Debug, Default)]
struct Line {
    sent: u64,
    /// Every number below has come, but for those that are missing.
    next: u64,
    missing: BTreeSet<u64>,
}

/// What is wrong with a message that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// Nothing.
    InOrder,
    /// One that was sent after it had come before it.
    Overtaken,
    /// It had come before.
    Again,
    /// It was not sent in this run.
    Foreign,
}

/// All messages of a run.
#[derive(Debug, Default)]
pub struct Ledger {
    run: u32,
    lines: HashMap<(u32, u32), Line>,
    tally: Tally,
}

/// Messages by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Tally {
    /// Sent.
    pub sent: u64,
    /// Came, each counted once.
    pub delivered: u64,
    /// Sent, and never came.
    pub lost: u64,
    /// Sent, and came back as an error.
    #[serde(default)]
    pub refused: u64,
    /// Came once more.
    pub doubled: u64,
    /// Came after one that was sent later.
    pub reordered: u64,
}

impl Tally {
    /// Whether everything came once and in order.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.lost == 0 && self.doubled == 0 && self.reordered == 0
    }
}

impl Ledger {
    /// Of a run with this number, which others do not have.
    #[must_use]
    pub fn new(run: u32) -> Ledger {
        Ledger {
            run,
            ..Ledger::default()
        }
    }

    /// The name of the next message from one to the other, which counts as sent.
    pub fn send(&mut self, from: u32, to: u32, planned_micros: u64) -> Mark {
        let line = self.lines.entry((from, to)).or_default();
        let number = line.sent;
        line.sent += 1;
        self.tally.sent += 1;
        Mark {
            run: self.run,
            from,
            number,
            planned_micros,
        }
    }

    /// So many of those that count as sent, the last ones of their lines, are not sent after all.
    pub fn unsent(&mut self, messages: u64) {
        self.tally.sent -= messages;
    }

    /// A message came to `to`.
    pub fn came(&mut self, to: u32, mark: Mark) -> Came {
        let line = self.lines.get_mut(&(mark.from, to));
        let line = line.filter(|line| mark.run == self.run && mark.number < line.sent);
        let Some(line) = line else {
            return Came::Foreign;
        };
        let came = if mark.number >= line.next {
            line.missing.extend(line.next..mark.number);
            line.next = mark.number + 1;
            Came::InOrder
        } else if line.missing.remove(&mark.number) {
            self.tally.reordered += 1;
            Came::Overtaken
        } else {
            self.tally.doubled += 1;
            Came::Again
        };
        self.tally.delivered += u64::from(came != Came::Again);
        came
    }

    /// A message to `to` came back as an error, once.
    pub fn came_back(&mut self, to: u32, mark: Mark) {
        let line = self.lines.get_mut(&(mark.from, to));
        let line = line.filter(|line| mark.run == self.run && mark.number < line.sent);
        let Some(line) = line else { return };
        let is_open = if mark.number >= line.next {
            line.missing.extend(line.next..mark.number);
            line.next = mark.number + 1;
            true
        } else {
            line.missing.remove(&mark.number)
        };
        self.tally.refused += u64::from(is_open);
    }

    /// Sent, and neither here nor back yet.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.tally.sent - self.tally.delivered - self.tally.refused
    }

    /// Everything so far; what is still on its way counts as lost.
    #[must_use]
    pub fn tally(&self) -> Tally {
        Tally {
            lost: self.open(),
            ..self.tally
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written() {
        let mark = Mark {
            run: u32::MAX,
            from: 15_000,
            number: u64::MAX,
            planned_micros: 60_000_000,
        };
        assert_eq!(Mark::read(&mark.to_string()), Some(mark));
        for other in [
            "",
            "load-",
            "load-1-2",
            "load-1-2-3-x",
            "load-1-2-3",
            "m1",
            "load-1ffffffff-0-0-0",
        ] {
            assert_eq!(Mark::read(other), None, "{other}");
        }
    }

    /// Numbers as they come, of four that were sent, and the tally in the end.
    #[test]
    fn what_is_lost_doubled_and_overtaken_is_counted() {
        for (order, lost, doubled, reordered) in [
            (&[0, 1, 2, 3][..], 0, 0, 0),
            (&[], 4, 0, 0),
            (&[0, 1, 3], 1, 0, 0),
            (&[1, 0, 2, 3], 0, 0, 1),
            (&[3, 2, 1, 0], 0, 0, 3),
            (&[0, 1, 1, 2, 3, 3], 0, 2, 0),
            (&[2, 0, 0, 3], 1, 1, 1),
        ] {
            let mut ledger = Ledger::default();
            let marks: Vec<Mark> = (0..4).map(|_| ledger.send(7, 8, 0)).collect();
            for &number in order {
                ledger.came(8, marks[number]);
            }
            let tally = ledger.tally();
            assert_eq!(
                (tally.lost, tally.doubled, tally.reordered),
                (lost, doubled, reordered),
                "{order:?}"
            );
            assert_eq!(tally.is_clean(), lost + doubled + reordered == 0);
        }
    }

    #[test]
    fn what_came_back_is_not_lost() {
        let mut ledger = Ledger::default();
        let marks: Vec<Mark> = (0..4).map(|_| ledger.send(7, 8, 0)).collect();
        ledger.came(8, marks[1]);
        for mark in [marks[0], marks[0], marks[3]] {
            ledger.came_back(8, mark);
        }
        assert_eq!(ledger.open(), 1);
        let tally = ledger.tally();
        assert_eq!((tally.lost, tally.refused, tally.doubled), (1, 2, 0));
        // What is said to have failed, and comes all the same, is there twice.
        assert_eq!(ledger.came(8, marks[0]), Came::Again);
    }

    #[test]
    fn what_another_run_left_is_not_of_this_one() {
        let mut ledger = Ledger::new(1);
        let mark = ledger.send(7, 8, 0);
        for foreign in [
            Mark { run: 2, ..mark },
            Mark { number: 1, ..mark },
            Mark { from: 9, ..mark },
        ] {
            assert_eq!(ledger.came(8, foreign), Came::Foreign);
        }
        assert_eq!(ledger.open(), 1);
        assert_eq!(ledger.came(8, mark), Came::InOrder);
        assert!(ledger.tally().is_clean());
    }

    #[test]
    fn each_pair_counts_for_itself() {
        let mut ledger = Ledger::default();
        let (one, other) = (ledger.send(1, 2, 0), ledger.send(2, 1, 0));
        assert_eq!((one.number, other.number), (0, 0));
        assert_eq!(ledger.came(1, other), Came::InOrder);
        assert_eq!(ledger.came(2, one), Came::InOrder);
        assert!(ledger.tally().is_clean());
    }
}
