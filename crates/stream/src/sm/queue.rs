//! Stanzas sent and not acknowledged.

use std::collections::VecDeque;
use std::collections::vec_deque::Drain;

use bytes::Bytes;

use super::SmLimits;

/// A stanza that was sent, with what its owner ties to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unacked<T> {
    /// The stanza as sent.
    pub bytes: Bytes,
    /// The owner's.
    pub tag: T,
}

/// The queue is full; the stanza comes back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many stanzas wait for their acknowledgement")]
pub struct Full<T>(pub Unacked<T>);

/// Stanzas that an acknowledgement settled, oldest first. Those that are not taken are settled too.
#[derive(Debug)]
pub struct Acked<'a, T>(Drain<'a, Unacked<T>>);

impl<T> Iterator for Acked<'_, T> {
    type Item = Unacked<T>;

    fn next(&mut self) -> Option<Unacked<T>> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<T> ExactSizeIterator for Acked<'_, T> {}

#[derive(Debug)]
pub(super) struct Queue<T> {
    stanzas: VecDeque<Unacked<T>>,
    bytes: usize,
    /// Acknowledged since the beginning, modulo 2³²: the number of the stanza before the first here.
    acked: u32,
    /// Whether anything before `acked` exists at all, for counts that go back past zero.
    wrapped: bool,
}

impl<T> Queue<T> {
    pub(super) fn new() -> Queue<T> {
        Queue {
            stanzas: VecDeque::new(),
            bytes: 0,
            acked: 0,
            wrapped: false,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.stanzas.len()
    }

    /// Acknowledged and open together, modulo 2³².
    pub(super) fn sent_count(&self) -> u32 {
        self.acked.wrapping_add(self.stanzas.len() as u32)
    }

    pub(super) fn has_room(&self, bytes: usize, limits: &SmLimits) -> bool {
        // One stanza alone always has room: no limit of bytes makes a session unusable.
        let fits = self.bytes.saturating_add(bytes) <= limits.unacked_bytes_max;
        (fits || self.stanzas.is_empty()) && self.stanzas.len() < limits.unacked_stanzas_max
    }

    pub(super) fn push(&mut self, stanza: Unacked<T>, limits: &SmLimits) -> Result<(), Full<T>> {
        if !self.has_room(stanza.bytes.len(), limits) {
            return Err(Full(stanza));
        }
        self.bytes += stanza.bytes.len();
        self.stanzas.push_back(stanza);
        Ok(())
    }

    /// How many of the open stanzas the count `h` settles: none where it is an old count (two
    /// acknowledgements may cross), `None` where it is one that was never sent.
    fn settled_by(&self, h: u32) -> Option<usize> {
        let ahead = h.wrapping_sub(self.acked) as usize;
        if ahead <= self.stanzas.len() {
            return Some(ahead);
        }
        let behind = self.acked.wrapping_sub(h);
        let old = behind <= u32::MAX / 2 && (self.wrapped || behind <= self.acked);
        old.then_some(0)
    }

    pub(super) fn can_settle(&self, h: u32) -> bool {
        self.settled_by(h).is_some()
    }

    pub(super) fn settle(&mut self, h: u32) -> Option<Acked<'_, T>> {
        let count = self.settled_by(h)?;
        let acked = self.acked.wrapping_add(count as u32);
        self.wrapped |= acked < self.acked;
        self.acked = acked;
        self.bytes -= self
            .stanzas
            .iter()
            .take(count)
            .map(|stanza| stanza.bytes.len())
            .sum::<usize>();
        Some(Acked(self.stanzas.drain(..count)))
    }

    /// Takes out those that are not to be kept; the count of what was sent goes down with them.
    pub(super) fn take_out(
        &mut self,
        mut keep: impl FnMut(&Unacked<T>) -> bool,
    ) -> Vec<Unacked<T>> {
        let mut out = Vec::new();
        for stanza in std::mem::take(&mut self.stanzas) {
            if keep(&stanza) {
                self.stanzas.push_back(stanza);
            } else {
                self.bytes -= stanza.bytes.len();
                out.push(stanza);
            }
        }
        out
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &Unacked<T>> {
        self.stanzas.iter()
    }

    pub(super) fn into_iter(self) -> impl ExactSizeIterator<Item = Unacked<T>> {
        self.stanzas.into_iter()
    }

    /// A queue whose count stands at `acked`, to reach the wrap in a test.
    #[cfg(test)]
    pub(super) fn set_acked(&mut self, acked: u32) {
        self.acked = acked;
    }
}
