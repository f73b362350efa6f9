//! What is to be pushed for an account, in memory: entries of its log, by their ids, for each of its push services.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use waxwing_store::LogId;

use super::stored::{Place, StoredPush};

/// Most entries that one notification counts.
pub(super) const COUNTED_MAX: usize = 1_000;

/// The newest message of those that a notification is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct About {
    /// Who sent it.
    pub(super) sender: Option<String>,
    /// What it says.
    pub(super) body: Option<String>,
}

/// How far a push service is.
#[derive(Default)]
struct Progress {
    /// The newest entry that was pushed, if any was.
    pushed: Option<LogId>,
    /// Entries to be pushed.
    ids: BTreeSet<LogId>,
    about: About,
    /// Before this time nothing is sent, by the clock that nobody sets.
    not_before: u64,
}

#[derive(Default)]
struct State {
    /// Who wants notifications; `None` until it is read, and whenever it has changed.
    services: Option<Vec<(Place, StoredPush)>>,
    /// How often it has changed: what was read before is not taken.
    changes: u64,
    progress: BTreeMap<Place, Progress>,
    /// Entries that came since the last round.
    fresh: BTreeSet<LogId>,
    about: About,
    is_running: bool,
}

/// What is to be pushed for an account.
#[derive(Default)]
pub(crate) struct Pushing(Mutex<State>);

/// One notification.
pub(super) struct Due {
    pub(super) place: Place,
    pub(super) stored: StoredPush,
    pub(super) count: usize,
    /// The newest entry that it is about.
    pub(super) until: LogId,
    pub(super) about: About,
}

impl Pushing {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who wants notifications has changed.
    pub(crate) fn read_again(&self) {
        let mut state = self.state();
        state.services = None;
        state.changes += 1;
    }

    /// Whether nobody wants any, as far as is known.
    pub(super) fn is_idle(&self) -> bool {
        let state = self.state();
        let services = state.services.as_ref();
        services.is_some_and(|services| services.iter().all(|(_, push)| push.is_dead))
    }

    /// There is something to see; whether somebody has to begin the rounds.
    pub(super) fn note(&self, ids: impl IntoIterator<Item = LogId>, about: About) -> bool {
        let mut state = self.state();
        let before = state.fresh.len();
        for id in ids {
            state.fresh.insert(id);
            if state.fresh.len() > COUNTED_MAX {
                state.fresh.pop_first();
            }
        }
        if state.fresh.len() == before && before < COUNTED_MAX {
            return false;
        }
        state.about = about;
        !std::mem::replace(&mut state.is_running, true)
    }

    /// How often the services have changed, where they have to be read.
    pub(super) fn is_to_read(&self) -> Option<u64> {
        let state = self.state();
        state.services.is_none().then_some(state.changes)
    }

    /// Takes what was read after so many changes.
    pub(super) fn read(&self, services: Vec<(Place, StoredPush)>, changes: u64) {
        let mut state = self.state();
        if state.changes == changes {
            let places: BTreeSet<&Place> = services.iter().map(|(place, _)| place).collect();
            state.progress.retain(|place, _| places.contains(place));
            state.services = Some(services);
        }
    }

    /// Takes what is to be sent now. A device that somebody looks at has its messages.
    pub(super) fn take(&self, now: u64, is_awake: impl Fn(&StoredPush) -> bool) -> Vec<Due> {
        let mut state = self.state();
        let state = &mut *state;
        let mut due = Vec::new();
        let Some(services) = &state.services else {
            return due;
        };
        let fresh = std::mem::take(&mut state.fresh);
        for (place, stored) in services {
            if stored.is_dead {
                state.progress.remove(place);
                continue;
            }
            let progress = state.progress.entry(place.clone()).or_default();
            let pushed = progress.pushed;
            let new = fresh.iter().copied().filter(|id| Some(*id) > pushed);
            let before = progress.ids.len();
            progress.ids.extend(new);
            if progress.ids.len() > before {
                progress.about = state.about.clone();
            }
            while progress.ids.len() > COUNTED_MAX {
                progress.ids.pop_first();
            }
            if is_awake(stored) {
                progress.ids.clear();
            }
            if let Some(until) = progress.ids.last().copied()
                && progress.not_before <= now
            {
                due.push(Due {
                    place: place.clone(),
                    stored: stored.clone(),
                    count: progress.ids.len(),
                    until,
                    about: progress.about.clone(),
                });
            }
        }
        due
    }

    /// Notes that a notification arrived.
    pub(super) fn arrived(&self, due: &Due) {
        if let Some(progress) = self.state().progress.get_mut(&due.place) {
            progress.pushed = progress.pushed.max(Some(due.until));
            progress.ids.retain(|id| *id > due.until);
            progress.not_before = 0;
        }
    }

    /// Notes that it did not, and is to be tried again at this time, if ever.
    pub(super) fn failed(&self, due: &Due, again: Option<u64>) {
        if let Some(progress) = self.state().progress.get_mut(&due.place) {
            match again {
                Some(at) => progress.not_before = at,
                None => progress.ids.clear(),
            }
        }
    }

    /// When the next round is, if there is one; otherwise whoever comes next begins.
    pub(super) fn next(&self, soon: u64) -> Option<u64> {
        let mut state = self.state();
        let waiting = state.progress.values().filter(|one| !one.ids.is_empty());
        let later = waiting.map(|one| one.not_before.max(soon)).min();
        let next = match state.fresh.is_empty() {
            true => later,
            false => Some(soon),
        };
        state.is_running = next.is_some();
        next
    }

    /// Gives up: nothing can be read at the moment.
    pub(super) fn give_up(&self) {
        let mut state = self.state();
        state.fresh.clear();
        state.is_running = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pushing(services: &[(&str, bool)]) -> Pushing {
        let pushing = Pushing::default();
        let service = |(node, is_dead): &(&str, bool)| {
            let stored = StoredPush {
                is_dead: *is_dead,
                ..StoredPush::default()
            };
            (("app".to_owned(), (*node).to_owned()), stored)
        };
        pushing.read(services.iter().map(service).collect(), 0);
        pushing
    }

    fn counts(due: &[Due]) -> Vec<(&str, usize)> {
        let count = |due| {
            let Due { place, count, .. } = due;
            (place.1.as_str(), *count)
        };
        due.iter().map(count).collect()
    }

    #[test]
    fn an_entry_is_pushed_once_to_each() {
        let pushing = pushing(&[("a", false), ("b", false), ("dead", true)]);
        assert!(pushing.note([LogId(1), LogId(2)], About::default()));
        assert!(!pushing.note([LogId(2), LogId(3)], About::default()));
        let due = pushing.take(0, |_| false);
        assert_eq!(counts(&due), [("a", 3), ("b", 3)]);
        pushing.arrived(&due[0]);
        pushing.failed(&due[1], Some(50));
        assert_eq!(pushing.next(10), Some(50));
        // A stream breaks, and what was on its way is told once more.
        pushing.note([LogId(3), LogId(4)], About::default());
        assert_eq!(pushing.next(10), Some(10));
        let due = pushing.take(10, |_| false);
        assert_eq!(counts(&due), [("a", 1)]);
        pushing.arrived(&due[0]);
        let due = pushing.take(50, |_| false);
        assert_eq!(counts(&due), [("b", 4)]);
        pushing.arrived(&due[0]);
        assert_eq!(pushing.next(60), None);
        assert!(
            pushing.note([LogId(5)], About::default()),
            "somebody begins"
        );
    }

    #[test]
    fn who_looks_is_told_nothing() {
        let pushing = pushing(&[("a", false)]);
        pushing.note([LogId(1)], About::default());
        assert!(pushing.take(0, |_| true).is_empty());
        assert_eq!(pushing.next(1), None);
    }

    #[test]
    fn what_changed_meanwhile_is_read_again() {
        let pushing = Pushing::default();
        let changes = pushing.is_to_read().unwrap();
        pushing.read_again();
        pushing.read(Vec::new(), changes);
        assert!(pushing.is_to_read().is_some() && !pushing.is_idle());
        pushing.read(Vec::new(), pushing.is_to_read().unwrap());
        assert!(pushing.is_idle());
    }

    #[test]
    fn no_more_is_counted_than_there_is_room_for() {
        let pushing = pushing(&[("a", false)]);
        for id in 1..=2_000 {
            pushing.note([LogId(id)], About::default());
        }
        let due = pushing.take(0, |_| false);
        assert_eq!((due[0].count, due[0].until), (COUNTED_MAX, LogId(2_000)));
    }
}
