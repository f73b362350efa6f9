//! What is to be pushed for an account, in memory: entries of its log, by their ids, for each of its push services.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_channel::oneshot;
use waxwing_store::LogId;

use super::stored::{Place, StoredPush};

/// Most entries that one notification counts.
pub(super) const COUNTED_MAX: usize = 1_000;
/// Most notifications of one account that are on their way at a time: whoever names services that hang takes no more of what
/// all accounts share.
pub(super) const SENT_AT_ONCE_MAX: usize = 4;

/// Most of them to services that failed when they were tried last: those that hang leave room for the others.
pub(super) const FAILING_AT_ONCE_MAX: usize = 2;

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
    /// Whether a notification is on its way.
    is_sent: bool,
    /// Whether the last one did not arrive.
    is_failing: bool,
    /// When its turn was last, by the count of all turns.
    turn: u64,
}

impl Progress {
    fn waits(&self) -> bool {
        !self.is_sent && !self.ids.is_empty()
    }
}

#[derive(Default)]
struct State {
    /// Who wants notifications; `None` until it is read, and whenever it has changed.
    services: Option<Vec<(Place, StoredPush)>>,
    /// How often it has changed: what was read before is not taken.
    changes: u64,
    /// How often something was made worthless that clients log in by, when it was read.
    withdrawals: u64,
    progress: BTreeMap<Place, Progress>,
    /// Entries that came since the last round.
    fresh: BTreeSet<LogId>,
    about: About,
    /// How many notifications are on their way, to services that were forgotten meanwhile, too.
    sent: usize,
    turns: u64,
    is_running: bool,
    /// Wakes the rounds, where they sleep until something is tried again.
    wake: Option<oneshot::Sender<()>>,
}

impl State {
    /// There is something to do; whether somebody has to begin the rounds.
    fn begin(&mut self) -> bool {
        // Whoever sleeps notices that nobody is left to wake him.
        drop(self.wake.take());
        !std::mem::replace(&mut self.is_running, true)
    }

    /// Whether one more notification may be sent, to a service that is failing, or to another.
    fn has_room(&self, to_failing: bool) -> bool {
        let failing = self.progress.values();
        let failing = failing.filter(|one| one.is_sent && one.is_failing).count();
        self.sent < SENT_AT_ONCE_MAX && !(to_failing && failing >= FAILING_AT_ONCE_MAX)
    }

    /// A notification is not on its way any more; whether somebody has to begin the rounds for what came meanwhile.
    fn settled(&mut self) -> bool {
        self.sent = self.sent.saturating_sub(1);
        let is_done = self.fresh.is_empty() && !self.progress.values().any(Progress::waits);
        !is_done && self.begin()
    }
}

impl State {
    /// What there is for a service goes on its way.
    fn send(&mut self, place: Place, stored: StoredPush) -> Option<Due> {
        self.turns += 1;
        let progress = self.progress.get_mut(&place)?;
        let until = progress.ids.last().copied()?;
        progress.turn = self.turns;
        progress.is_sent = true;
        self.sent += 1;
        Some(Due {
            count: progress.ids.len(),
            until,
            about: progress.about.clone(),
            place,
            stored,
        })
    }
}

/// When the next round is.
pub(super) enum Next {
    /// After messages were gathered.
    Soon,
    /// At this time, or when this comes to an end.
    Later(u64, oneshot::Receiver<()>),
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
        // What was to be tried late may have been asked for anew.
        drop(state.wake.take());
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
        state.begin()
    }

    /// How often the services have changed, where they have to be read: what a password or a device was taken back with is
    /// gone, too.
    pub(super) fn is_to_read(&self, withdrawals: u64) -> Option<u64> {
        let mut state = self.state();
        let is_as_read = state.services.is_some() && state.withdrawals == withdrawals;
        state.withdrawals = withdrawals;
        (!is_as_read).then_some(state.changes)
    }

    /// Takes what was read after so many changes.
    pub(super) fn read(&self, services: Vec<(Place, StoredPush)>, changes: u64) {
        let mut state = self.state();
        if state.changes == changes {
            let by_place: BTreeMap<&Place, &StoredPush> =
                services.iter().map(|(place, push)| (place, push)).collect();
            state.progress.retain(|place, progress| {
                let push = by_place.get(place);
                // Nothing is held against a service that was asked for anew.
                if push.is_some_and(|push| push.errors == 0) {
                    progress.not_before = 0;
                }
                push.is_some()
            });
            state.services = Some(services);
        }
    }

    /// Takes what is to be sent now, as far as there is room. A device that somebody looks at has its messages.
    pub(super) fn take(&self, now: u64, is_awake: impl Fn(&StoredPush) -> bool) -> Vec<Due> {
        let mut state = self.state();
        let state = &mut *state;
        let mut due = Vec::new();
        let Some(services) = &state.services else {
            return due;
        };
        let fresh = std::mem::take(&mut state.fresh);
        let mut waiting = Vec::new();
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
            progress.is_failing = stored.errors > 0;
            if progress.waits() && progress.not_before <= now {
                waiting.push((
                    progress.is_failing,
                    progress.turn,
                    place.clone(),
                    stored.clone(),
                ));
            }
        }
        // Whose turn was longest ago comes first.
        waiting.sort_by_key(|(_, turn, ..)| *turn);
        for (is_failing, _, place, stored) in waiting {
            if state.has_room(is_failing) {
                due.extend(state.send(place, stored));
            }
        }
        due
    }

    /// Notes that a notification arrived; whether somebody has to begin the rounds.
    pub(super) fn arrived(&self, due: &Due) -> bool {
        let mut state = self.state();
        if let Some(progress) = state.progress.get_mut(&due.place) {
            progress.pushed = progress.pushed.max(Some(due.until));
            progress.ids.retain(|id| *id > due.until);
            progress.not_before = 0;
            progress.is_sent = false;
        }
        state.settled()
    }

    /// Notes that it did not, and is to be tried again at this time, if ever; whether somebody has to begin the rounds.
    pub(super) fn failed(&self, due: &Due, again: Option<u64>) -> bool {
        let mut state = self.state();
        if let Some(progress) = state.progress.get_mut(&due.place) {
            match again {
                Some(at) => progress.not_before = at,
                None => progress.ids.clear(),
            }
            progress.is_sent = false;
        }
        state.settled()
    }

    /// When the next round is, if there is one; otherwise whoever comes next begins.
    pub(super) fn next(&self, now: u64) -> Option<Next> {
        let mut state = self.state();
        if !state.fresh.is_empty() {
            return Some(Next::Soon);
        }
        // Where there is no room, whatever is settled first makes some, and begins.
        let waiting = state.progress.values().filter(|one| one.waits());
        let waiting = waiting.filter(|one| state.has_room(one.is_failing));
        let at = waiting.map(|one| one.not_before).min();
        state.is_running = at.is_some();
        let at = at?;
        if at <= now {
            return Some(Next::Soon);
        }
        let (wake, woken) = oneshot::channel();
        state.wake = Some(wake);
        Some(Next::Later(at, woken))
    }

    /// Gives up: nothing can be read at the moment.
    pub(super) fn give_up(&self) {
        let mut state = self.state();
        state.fresh.clear();
        for progress in state.progress.values_mut() {
            progress.ids.clear();
        }
        state.wake = None;
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
        let counts = due.iter().map(|due| (due.place.1.as_str(), due.count));
        counts.collect()
    }

    /// When the next round is: 0 for soon.
    fn next(pushing: &Pushing, now: u64) -> Option<u64> {
        pushing.next(now).map(|next| match next {
            Next::Soon => 0,
            Next::Later(at, _) => at,
        })
    }

    #[test]
    fn an_entry_is_pushed_once_to_each() {
        let pushing = pushing(&[("a", false), ("b", false), ("dead", true)]);
        assert!(pushing.note([LogId(1), LogId(2)], About::default()));
        assert!(!pushing.note([LogId(2), LogId(3)], About::default()));
        let due = pushing.take(0, |_| false);
        assert_eq!(counts(&due), [("a", 3), ("b", 3)]);
        assert!(!pushing.arrived(&due[0]), "the rounds go on");
        assert!(!pushing.failed(&due[1], Some(50)));
        assert_eq!(next(&pushing, 10), Some(50));
        // A stream breaks, and what was on its way is told once more.
        pushing.note([LogId(3), LogId(4)], About::default());
        assert_eq!(next(&pushing, 10), Some(0));
        let due = pushing.take(10, |_| false);
        assert_eq!(counts(&due), [("a", 1)]);
        pushing.arrived(&due[0]);
        let due = pushing.take(50, |_| false);
        assert_eq!(counts(&due), [("b", 4)]);
        pushing.arrived(&due[0]);
        assert_eq!(next(&pushing, 60), None);
        assert!(
            pushing.note([LogId(5)], About::default()),
            "somebody begins"
        );
    }

    #[test]
    fn one_that_hangs_or_fails_holds_up_no_other() {
        let pushing = pushing(&[("a", false), ("b", false)]);
        assert!(pushing.note([LogId(1)], About::default()));
        let first = pushing.take(0, |_| false);
        assert_eq!(counts(&first), [("a", 1), ("b", 1)]);
        pushing.arrived(&first[0]);
        assert_eq!(next(&pushing, 0), None, "what is on its way begins again");
        assert!(pushing.note([LogId(2)], About::default()));
        let second = pushing.take(0, |_| false);
        assert_eq!(counts(&second), [("a", 1)]);
        pushing.arrived(&second[0]);
        assert_eq!(next(&pushing, 0), None);
        assert!(pushing.failed(&first[1], Some(1_000)), "somebody begins");
        let Some(Next::Later(1_000, mut woken)) = pushing.next(0) else {
            panic!("it is to be tried again");
        };
        assert_eq!(woken.try_recv(), Ok(None));
        assert!(!pushing.note([LogId(3)], About::default()), "woken instead");
        assert!(woken.try_recv().is_err());
        assert_eq!(counts(&pushing.take(0, |_| false)), [("a", 1)]);
    }

    #[test]
    fn few_are_on_their_way_at_a_time() {
        let names: Vec<String> = (0..9).map(|number| format!("n{number}")).collect();
        let services: Vec<(&str, bool)> = names.iter().map(|name| (&**name, false)).collect();
        let pushing = pushing(&services);
        pushing.note([LogId(1)], About::default());
        let first = pushing.take(0, |_| false);
        assert_eq!(first.len(), SENT_AT_ONCE_MAX);
        assert!(pushing.take(0, |_| false).is_empty());
        assert_eq!(next(&pushing, 0), None);
        // Whoever asks for others meanwhile has no more room by it.
        pushing.read_again();
        pushing.read(Vec::new(), pushing.is_to_read(0).unwrap());
        let renamed = ("app".to_owned(), "new".to_owned());
        pushing.read_again();
        let changes = pushing.is_to_read(0).unwrap();
        pushing.read(vec![(renamed, StoredPush::default())], changes);
        pushing.note([LogId(2)], About::default());
        assert!(pushing.take(0, |_| false).is_empty());
        assert_eq!(next(&pushing, 0), None);
        assert!(pushing.arrived(&first[0]));
        assert_eq!(counts(&pushing.take(0, |_| false)), [("new", 1)]);
    }

    #[test]
    fn everybody_has_a_turn() {
        let names: Vec<String> = (0..8).map(|number| format!("n{number}")).collect();
        let services: Vec<(&str, bool)> = names.iter().map(|name| (&**name, false)).collect();
        let pushing = pushing(&services);
        let mut told = BTreeMap::new();
        for id in 1..=20 {
            // Something comes before those who were late had their turn.
            pushing.note([LogId(id)], About::default());
            for due in pushing.take(0, |_| false) {
                *told.entry(due.place.1.clone()).or_insert(0) += 1;
                pushing.arrived(&due);
            }
        }
        assert!(told.values().all(|times| *times == 10), "{told:?}");
    }

    #[test]
    fn those_that_fail_leave_room() {
        let pushing = Pushing::default();
        let service = |node: &str, errors| {
            let stored = StoredPush {
                errors,
                ..StoredPush::default()
            };
            (("app".to_owned(), node.to_owned()), stored)
        };
        let hanging = ["a", "b", "c", "d"].map(|node| service(node, 1));
        let services = hanging.into_iter().chain([service("z", 0)]);
        pushing.read(services.collect(), 0);
        pushing.note([LogId(1)], About::default());
        let first = pushing.take(0, |_| false);
        assert_eq!(counts(&first), [("a", 1), ("b", 1), ("z", 1)]);
        assert_eq!(next(&pushing, 0), None, "nothing is to be done in vain");
        assert!(pushing.arrived(&first[0]), "somebody begins");
        assert_eq!(counts(&pushing.take(0, |_| false)), [("c", 1)]);
    }

    #[test]
    fn who_asks_anew_waits_no_longer() {
        let pushing = pushing(&[("a", false)]);
        pushing.note([LogId(1)], About::default());
        let due = pushing.take(0, |_| false);
        pushing.failed(&due[0], Some(1_000));
        let Some(Next::Later(1_000, mut woken)) = pushing.next(0) else {
            panic!("it is to be tried again");
        };
        pushing.read_again();
        assert!(woken.try_recv().is_err());
        let service = (("app".to_owned(), "a".to_owned()), StoredPush::default());
        pushing.read(vec![service], pushing.is_to_read(0).unwrap());
        assert_eq!(counts(&pushing.take(0, |_| false)), [("a", 1)]);
    }

    #[test]
    fn who_looks_is_told_nothing() {
        let pushing = pushing(&[("a", false)]);
        pushing.note([LogId(1)], About::default());
        assert!(pushing.take(0, |_| true).is_empty());
        assert_eq!(next(&pushing, 1), None);
    }

    #[test]
    fn what_changed_meanwhile_is_read_again() {
        let pushing = Pushing::default();
        let changes = pushing.is_to_read(0).unwrap();
        pushing.read_again();
        pushing.read(Vec::new(), changes);
        assert!(pushing.is_to_read(0).is_some() && !pushing.is_idle());
        pushing.read(Vec::new(), pushing.is_to_read(0).unwrap());
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
