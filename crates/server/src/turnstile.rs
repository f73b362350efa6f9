//! A place that one passes at a time, in the order of coming: who waits for many places is not overtaken for ever by those
//! who need one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_channel::oneshot;

/// The place.
#[derive(Default)]
pub(crate) struct Turnstile(Mutex<Line>);

#[derive(Default)]
struct Line {
    taken: bool,
    waiting: VecDeque<oneshot::Sender<Pass>>,
}

/// The right to be there, until it is dropped.
pub struct Pass(Option<Arc<Turnstile>>);

impl Turnstile {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for one's turn. Who gives up waiting loses it.
    pub(crate) async fn pass(self: &Arc<Self>) -> Pass {
        loop {
            let turn = {
                let mut line = self.line();
                if !std::mem::replace(&mut line.taken, true) {
                    return Pass(Some(self.clone()));
                }
                let (tell, turn) = oneshot::channel();
                line.waiting.push_back(tell);
                turn
            };
            // Who holds the place tells the next, however it goes.
            if let Ok(pass) = turn.await {
                return pass;
            }
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let Some(place) = self.0.take() else { return };
        loop {
            let next = {
                let mut line = place.line();
                let next = line.waiting.pop_front();
                line.taken = next.is_some();
                next
            };
            match next.map(|next| next.send(Pass(Some(place.clone())))) {
                None | Some(Ok(())) => return,
                // That one has given up.
                Some(Err(mut pass)) => drop(pass.0.take()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn first_come_first_served_and_who_gives_up_is_passed_over() {
        let place = Arc::new(Turnstile::default());
        let mut first = Box::pin(place.pass());
        let held = first.as_mut().now_or_never().unwrap();
        let mut second = Box::pin(place.pass());
        let mut gone = Box::pin(place.pass());
        let mut third = Box::pin(place.pass());
        for waiting in [&mut second, &mut gone, &mut third] {
            assert!(waiting.as_mut().now_or_never().is_none());
        }
        drop(held);
        // Whoever comes now comes after those who wait.
        let mut late = Box::pin(place.pass());
        assert!(late.as_mut().now_or_never().is_none());
        assert!(third.as_mut().now_or_never().is_none());
        let held = second.as_mut().now_or_never().unwrap();
        drop(gone);
        drop(held);
        let held = third.as_mut().now_or_never().unwrap();
        // Told, and gone before it looked.
        drop(held);
        drop(late);
        assert!(place.pass().now_or_never().is_some());
    }
}
