//! What is left of a run: a file for programs, a page for people.

mod chart;
mod page;

use serde::{Deserialize, Serialize};

use crate::figures::Sum;
use crate::run::Readings;

pub use page::page;

/// A run and what it came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Whose it is, where several are compared.
    pub label: String,
    /// What clients did.
    pub scenario: String,
    /// The server, as it was named.
    pub server: String,
    /// How clients connected.
    pub transport: String,
    /// How many they were.
    pub clients: usize,
    /// What was asked for, each second; none for as fast as it went.
    pub rate_per_second: Option<f64>,
    /// What was measured.
    pub sum: Sum,
    /// What the server used.
    pub readings: Readings,
}

/// Processor time of the server for what it delivered, in microseconds each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// In its own code.
    pub user_micros: f64,
    /// In the kernel.
    pub system_micros: f64,
}

/// Memory of the server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memory {
    /// Resident in all, in bytes.
    pub rss_bytes: u64,
    /// Resident for each session above what it was empty, in bytes.
    pub session_rss_bytes: f64,
    /// The same of its proportional share, in bytes.
    pub session_pss_bytes: f64,
}

/// Above this share of one core this program, which has one thread but for the hashes of log-ins, is no longer in time.
const OWN_SHARE_MAX: f64 = 0.85;

impl Report {
    /// What came in a second.
    #[must_use]
    pub fn throughput(&self) -> f64 {
        if self.readings.secs > 0.0 {
            self.sum.delivered as f64 / self.readings.secs
        } else {
            0.0
        }
    }

    /// Whether the server's processes were looked at.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.readings.empty.is_some()
    }

    /// What each of what came cost the server, where it was looked at.
    #[must_use]
    pub fn cost(&self) -> Option<Cost> {
        let used = self.readings.used()?;
        let each = |secs: f64| secs * 1e6 / self.sum.delivered as f64;
        (self.sum.delivered > 0).then(|| Cost {
            user_micros: each(used.user_secs),
            system_micros: each(used.system_secs),
        })
    }

    /// What the server held, where it was looked at and somebody was there.
    #[must_use]
    pub fn memory(&self) -> Option<Memory> {
        let (empty, end) = (self.readings.empty?, self.readings.end?);
        let sessions = self.readings.sessions;
        let each = |end: u64, empty: u64| (end as f64 - empty as f64) / sessions as f64;
        (sessions > 0).then(|| Memory {
            rss_bytes: end.rss_bytes,
            session_rss_bytes: each(end.rss_bytes, empty.rss_bytes),
            session_pss_bytes: each(end.pss_bytes, empty.pss_bytes),
        })
    }

    /// Processor time of this program while it was measured, of one core's.
    #[must_use]
    pub fn own_share(&self) -> Option<f64> {
        let secs = self.readings.secs;
        let own = self.readings.own.filter(|_| secs > 0.0)?;
        Some(own.cpu_secs() / secs)
    }

    /// Whether this program was so busy that times say as much of it as of the server.
    #[must_use]
    pub fn is_own_limit(&self) -> bool {
        self.own_share().is_some_and(|share| share > OWN_SHARE_MAX)
    }

    /// Whether everything that was sent came once and in order, and nothing failed.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.sum.messages.is_clean() && self.sum.errors.is_empty()
    }
}

#[cfg(test)]
mod tests;
