//! XEP-0198: Stream Management, version 1.6.3: what both sides count and keep.
//! <https://xmpp.org/extensions/xep-0198.html>
//!
//! [`Sm`] belongs to a session, not to a stream: it stays while the session has no stream, and goes
//! on when the session is resumed. It sees every stanza (`message`, `presence`, `iq`) of either
//! direction, and nothing else of the stream.
//!
//! What came in is counted twice: when it is received, and when its owner says that it is handled,
//! which on a server means durable. Only the second count is ever told to the peer.

mod nonza;
mod queue;
#[cfg(test)]
mod tests;

use bytes::Bytes;

pub use nonza::Nonza;
pub use queue::{Acked, Full, Unacked};
pub use waxwing_stanza::xep::xep_0198_sm::{Enable, Enabled, Failed, NS as SM, Resume, Resumed};

use crate::error::{StreamCondition, StreamError};
use queue::Queue;

/// What one session may keep, and how often it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SmLimits {
    /// Stanzas that wait for their acknowledgement.
    pub unacked_stanzas_max: usize,
    /// Bytes of them.
    pub unacked_bytes_max: usize,
    /// Stanzas after which an acknowledgement is asked for, busy or not.
    pub ask_every_stanzas: u32,
}

impl SmLimits {
    /// A client's session: room for the catch-up of a telephone that was off for a week, and no more
    /// than four megabytes for who never acknowledges.
    pub const CLIENT: SmLimits = SmLimits {
        unacked_stanzas_max: 5_000,
        unacked_bytes_max: 4 * 1024 * 1024,
        ask_every_stanzas: 20,
    };
}

/// Counts and queue of one session. `T` is what its owner ties to a stanza sent, such as the log
/// entry that its acknowledgement settles.
#[derive(Debug)]
pub struct Sm<T> {
    limits: SmLimits,
    received: u32,
    handled: u32,
    /// An `<r/>` is to be answered once this many stanzas are handled.
    answer_at: Option<u32>,
    queue: Queue<T>,
    /// Stanzas sent since the last `<r/>`.
    unasked: u32,
    ask: Ask,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    Idle,
    Wanted,
    /// An `<r/>` is out.
    Sent,
}

/// Why a session cannot be resumed now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResumeError {
    /// This many stanzas of the old stream are not handled yet. Telling their count now would have
    /// the peer send them again, and them handled twice: the owner waits for them first.
    #[error("{0} stanzas of the former stream are not handled yet")]
    Unsettled(u32),
    /// The peer acknowledges what it was not sent.
    #[error(transparent)]
    Stream(#[from] StreamError),
}

impl<T> Sm<T> {
    /// Both counts at zero: right before `<enabled/>` is sent, or right after `<enable/>` was.
    pub fn new(limits: SmLimits) -> Sm<T> {
        Sm {
            limits,
            received: 0,
            handled: 0,
            answer_at: None,
            queue: Queue::new(),
            unasked: 0,
            ask: Ask::Idle,
        }
    }

    /// Counts a stanza that came in, and says its number.
    pub fn handle_stanza(&mut self) -> u32 {
        self.received = self.received.wrapping_add(1);
        self.received
    }

    /// The next `stanzas` of those received, in their order, are handled. More than were received
    /// are not counted.
    pub fn handled(&mut self, stanzas: u32) {
        self.handled = self.handled.wrapping_add(stanzas.min(self.unsettled()));
    }

    /// Stanzas received, modulo 2³².
    pub fn received_count(&self) -> u32 {
        self.received
    }

    /// Stanzas handled, modulo 2³²: the `h` that the peer is told.
    pub fn handled_count(&self) -> u32 {
        self.handled
    }

    /// Stanzas received and not handled yet.
    pub fn unsettled(&self) -> u32 {
        self.received.wrapping_sub(self.handled)
    }

    /// An `<r/>` came: [`poll`](Sm::poll) answers as soon as everything received until now is
    /// handled, so that the answer is about what was asked.
    pub fn handle_ask(&mut self) {
        self.answer_at = Some(self.received);
    }

    /// Tells the peer the count at the next [`poll`](Sm::poll), asked or not: before a graceful
    /// close, or when an answer was due for too long.
    pub fn answer_now(&mut self) {
        self.answer_at = Some(self.handled);
    }

    /// Whether a stanza of that many bytes can be kept.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.queue.has_room(bytes, &self.limits)
    }

    /// Keeps a stanza that is about to be sent.
    ///
    /// # Errors
    ///
    /// [`Full`] gives it back uncounted when the queue is beyond its limits: the peer has to acknowledge
    /// first.
    pub fn send(&mut self, bytes: Bytes, tag: T) -> Result<(), Full<T>> {
        self.queue.push(Unacked { bytes, tag }, &self.limits)?;
        self.unasked = self.unasked.wrapping_add(1);
        if self.unasked >= self.limits.ask_every_stanzas {
            self.ask();
        }
        Ok(())
    }

    /// The owner has nothing more to send for now: a good moment to ask, if anything is open.
    pub fn handle_idle(&mut self) {
        if self.unasked > 0 {
            self.ask();
        }
    }

    /// One question at a time: the answer to it says everything.
    fn ask(&mut self) {
        if self.ask == Ask::Idle && self.queue.len() > 0 {
            self.ask = Ask::Wanted;
        }
    }

    /// Whether an `<r/>` is out that was not answered.
    pub fn awaits_answer(&self) -> bool {
        self.ask == Ask::Sent
    }

    /// An `<a/>` came: gives the stanzas that are settled by it, oldest first. What was sent after the
    /// question, and is open, is a question of its own at the next [`poll`](Sm::poll): who waits for
    /// it may have nothing to send before it is answered.
    ///
    /// # Errors
    ///
    /// The stream error for a peer that acknowledges more than it was sent.
    pub fn handle_answer(&mut self, h: u32) -> Result<Acked<'_, T>, StreamError> {
        self.ask = Ask::Idle;
        let sent = self.queue.sent_count();
        if h != sent {
            self.handle_idle();
        }
        self.queue.settle(h).ok_or_else(|| too_high(h, sent))
    }

    /// What to send now: an answer, then a question.
    pub fn poll(&mut self) -> Option<Bytes> {
        if self
            .answer_at
            .is_some_and(|at| self.handled.wrapping_sub(at) <= u32::MAX / 2)
        {
            self.answer_at = None;
            return Some(Nonza::Answer { h: self.handled }.to_bytes());
        }
        if self.ask == Ask::Wanted {
            self.ask = Ask::Sent;
            self.unasked = 0;
            return Some(Nonza::Ask.to_bytes());
        }
        None
    }

    /// The session goes on in a new stream, whose peer has handled `h` of our stanzas: gives those
    /// that are settled by it. Afterwards `<resume/>` or `<resumed/>` tells
    /// [`handled_count`](Sm::handled_count), and everything in [`unacked`](Sm::unacked) is sent
    /// again, without being counted again.
    ///
    /// # Errors
    ///
    /// [`ResumeError`]; the session is unchanged.
    pub fn resume(&mut self, h: u32) -> Result<Acked<'_, T>, ResumeError> {
        match self.unsettled() {
            0 => {}
            unsettled => return Err(ResumeError::Unsettled(unsettled)),
        }
        let sent = self.queue.sent_count();
        if !self.queue.can_settle(h) {
            return Err(too_high(h, sent).into());
        }
        self.answer_at = None;
        self.ask = Ask::Idle;
        // What is sent again is to be asked for again.
        self.unasked = u32::try_from(self.queue.len()).unwrap_or(u32::MAX);
        self.queue.settle(h).ok_or_else(|| too_high(h, sent).into())
    }

    /// Takes stanzas that are not to be sent again out of [`unacked`](Sm::unacked), as if they never had been sent.
    /// Right after [`resume`](Sm::resume) only: before, the peer may have counted them, and after, it will.
    pub fn take_out(&mut self, keep: impl FnMut(&Unacked<T>) -> bool) -> Vec<Unacked<T>> {
        let out = self.queue.take_out(keep);
        self.unasked = u32::try_from(self.queue.len()).unwrap_or(u32::MAX);
        out
    }

    /// What was sent and not acknowledged, oldest first.
    pub fn unacked(&self) -> impl ExactSizeIterator<Item = &Unacked<T>> {
        self.queue.iter()
    }

    /// The same at the end of the session, to be delivered in other ways.
    pub fn into_unacked(self) -> impl ExactSizeIterator<Item = Unacked<T>> {
        self.queue.into_iter()
    }

    /// Stanzas sent, modulo 2³².
    pub fn sent_count(&self) -> u32 {
        self.queue.sent_count()
    }
}

fn too_high(h: u32, sent: u32) -> StreamError {
    let text = format!("you acknowledged {h} stanzas, but were sent {sent}");
    StreamError::new(StreamCondition::UndefinedCondition, text).with_app(nonza::too_high(h, sent))
}
