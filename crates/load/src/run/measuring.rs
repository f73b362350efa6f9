//! What the server's processes use, and this one, and when it counts.

use std::rc::Rc;
use std::time::Duration;

use super::Run;
use crate::figures::{Second, Sum};
use crate::process::Usage;

/// What the server's processes used, at the points that matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Readings {
    /// Before the first client came.
    pub empty: Option<Usage>,
    /// When it began to be measured.
    pub begin: Option<Usage>,
    /// When it ended.
    pub end: Option<Usage>,
    /// What this program used while it was measured, and held when it ended.
    #[serde(default)]
    pub own: Option<Usage>,
    /// How long it was measured, in seconds.
    pub secs: f64,
    /// Sessions that were there when it ended.
    pub sessions: u64,
}

impl Readings {
    /// What was used while it was measured.
    #[must_use]
    pub fn used(&self) -> Option<Usage> {
        Some(self.end?.since(&self.begin?))
    }
}

impl Run {
    pub(super) fn read_usage(&self) -> Option<Usage> {
        let mut processes = self.shared.processes.borrow_mut();
        processes.read(|process, error| {
            self.figures(|figures| {
                figures.error(format!(
                    "server's process {process} has ended, what was read last of it counts: {error}"
                ));
            });
        })
    }

    pub(super) fn note(&self, with: impl FnOnce(&mut Readings)) {
        let mut readings = self.shared.usage.get();
        with(&mut readings);
        self.shared.usage.set(readings);
    }

    /// From now on it counts.
    pub async fn begin_measuring(&self) {
        self.shared.ready.wait().await;
        let parts = self.shared.measuring.get();
        self.shared.measuring.set(parts + 1);
        if parts > 0 {
            return;
        }
        let begin = self.read_usage();
        let now = self.now_micros();
        self.note(|readings| {
            readings.begin = begin;
            readings.own = own();
            readings.secs = -(now as f64) / 1e6;
        });
        self.figures(|figures| figures.begin(now));
    }

    /// From now on it counts no more.
    pub fn end_measuring(&self) {
        let others = self.shared.measuring.get() - 1;
        self.shared.measuring.set(others);
        if others > 0 {
            return;
        }
        let now = self.now_micros();
        let sessions = self.figures(|figures| {
            figures.end(now);
            figures.sessions()
        });
        let end = self.read_usage();
        self.note(|readings| {
            readings.end = end;
            let used = own().zip(readings.own);
            readings.own = used.map(|(end, begin)| end.since(&begin));
            readings.secs += now as f64 / 1e6;
            readings.sessions = sessions;
        });
    }

    /// How much is done: of the log-ins first, then of the time that is measured.
    #[must_use]
    pub fn progress(&self) -> f64 {
        let now = self.now_micros();
        self.figures(|figures| match figures.measured_micros(now) {
            Some(micros) => micros as f64 / 1e6 / self.plan.duration.as_secs_f64(),
            None => figures.sessions() as f64 / self.plan.clients as f64,
        })
    }

    /// Nobody waits for the end: what there is counts.
    pub fn interrupt(&self) {
        if self.shared.measuring.get() > 0 {
            self.shared.measuring.set(1);
            self.end_measuring();
        }
        let error = "interrupted: what was on its way counts as lost";
        self.figures(|figures| figures.error(error));
    }

    /// What it came to.
    #[must_use]
    pub fn sum(&self) -> (Sum, Readings) {
        (
            self.figures(|figures| figures.sum()),
            self.shared.usage.get(),
        )
    }

    /// Ends each second until the run is over, and tells of it.
    pub async fn watch(self: Rc<Self>, mut tell: impl FnMut(&Run, Second)) {
        let mut before = self.read_usage().unwrap_or_default();
        let mut every = tokio::time::interval(Duration::from_secs(1));
        every.tick().await;
        loop {
            every.tick().await;
            let now = self.read_usage().unwrap_or_default();
            let used = now.since(&before);
            before = now;
            let second = self.figures(|figures| figures.end_second(&used));
            tell(&self, second);
        }
    }
}

/// What this program has used.
fn own() -> Option<Usage> {
    Usage::of(&[std::process::id()]).ok()
}
