//! When things are due: the plan of an open-loop run.
//!
//! A plan does not wait for anybody. What could not be sent in time, because the server or this machine was busy, is
//! sent late and counts from when it was planned; a run that waited for answers before it went on would leave out just the
//! times at which the server was slow (coordinated omission).

use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{Receiver, channel};

use crate::units::Rate;

/// Something is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    /// The how-manieth, from zero.
    pub number: u64,
    /// Since when, in microseconds after the run began.
    pub planned_micros: u64,
}

/// Sleeps end this much before something is due at the earliest, in real time.
const SLACK: Duration = Duration::from_micros(60);

/// How often something is due at a rate in so much time.
#[must_use]
pub fn count(rate: Rate, duration: Duration) -> u64 {
    // What falls upon the end, but for rounding, is not begun.
    (rate.per_second() * duration.as_secs_f64() - 1e-6).ceil() as u64
}

/// Most ticks that are due and wait to be taken; the others are counted when there is room again, from when they were due.
const WAITING_MAX: usize = 65_536;

/// Ticks of a rate from now on, each as soon as it is due; they end when so much time is over. They are counted by a thread
/// of their own: timers of the runtime are a thousandth of a second apart.
pub fn ticks(began: Instant, rate: Rate, duration: Duration) -> Receiver<Tick> {
    let (send, receive) = channel(WAITING_MAX);
    let start = Instant::now();
    let per_second = rate.per_second();
    let count = count(rate, duration);
    thread::spawn(move || {
        let wait = |due: Instant| {
            let wait = due.saturating_duration_since(Instant::now());
            if wait > SLACK {
                thread::sleep(wait - SLACK);
            }
        };
        for number in 0..count {
            let due = start + Duration::from_secs_f64(number as f64 / per_second);
            wait(due);
            let planned_micros = micros(due.saturating_duration_since(began));
            let tick = Tick {
                number,
                planned_micros,
            };
            if send.blocking_send(tick).is_err() {
                return;
            }
        }
        wait(start + duration);
    });
    receive
}

/// Whole microseconds.
#[must_use]
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_times_a_time_is_how_many_come() {
        for (rate, millis, count) in [("3000/s", 12, 36), ("300/s", 21, 7), ("7/s", 1, 1)] {
            let rate = crate::units::rate(rate).unwrap();
            let mut ticks = ticks(Instant::now(), rate, Duration::from_millis(millis));
            let mut got = 0;
            while ticks.blocking_recv().is_some() {
                got += 1;
            }
            assert_eq!(got, count);
        }
    }

    #[test]
    fn nobody_who_is_late_changes_the_plan() {
        let rate = crate::units::rate("10000000/s").unwrap();
        let mut ticks = ticks(Instant::now(), rate, Duration::from_millis(20));
        // Until all of them are due, and more than can wait.
        thread::sleep(Duration::from_millis(60));
        assert!(ticks.len() <= WAITING_MAX);
        let mut last = None;
        while let Some(tick) = ticks.blocking_recv() {
            last = Some(tick);
        }
        let last = last.unwrap();
        assert_eq!(last.number, 199_999);
        assert!((19_900..=20_100).contains(&last.planned_micros));
    }

    #[test]
    fn all_that_is_planned_comes_in_order() {
        let rate = crate::units::rate("2000/s").unwrap();
        let mut ticks = ticks(Instant::now(), rate, Duration::from_millis(50));
        let mut got = Vec::new();
        while let Some(tick) = ticks.blocking_recv() {
            got.push(tick);
        }
        assert_eq!(got.len(), 100);
        assert!(got.windows(2).all(|pair| {
            let apart = pair[1].planned_micros - pair[0].planned_micros;
            pair[1].number == pair[0].number + 1 && (499..=501).contains(&apart)
        }));
    }
}
