use std::collections::VecDeque;

use bytes::Bytes;
use waxwing_stream::sm::{ResumeError, Sm, SmLimits};

const LIMITS: SmLimits = SmLimits {
    unacked_stanzas_max: 12,
    unacked_bytes_max: 64,
    ask_every_stanzas: 3,
};

/// A session's counts: each byte is something that happens, the high bits what, the low ones how
/// much.
///
/// A queue beside it, as simple as can be, says what has to come of it: every stanza is settled once,
/// in order, and by nothing but an acknowledgement; a count that was never sent is refused and changes
/// nothing; a question is answered once all that came before it is handled, with a count that never
/// goes back. Says whether nothing was refused.
///
/// # Panics
/// It is not so.
pub fn stream_management(bytes: &[u8]) -> bool {
    let mut session = Session {
        sm: Sm::new(LIMITS),
        model: Model::default(),
        refused: false,
    };
    for byte in bytes {
        session.happens(byte >> 5, u32::from(byte & 0x1F));
        session.agrees();
    }
    let left: Vec<u32> = session.sm.into_unacked().map(|stanza| stanza.tag).collect();
    assert!(
        left.iter()
            .eq(session.model.unacked.iter().map(|(tag, _)| tag))
    );
    !session.refused
}

#[derive(Default)]
struct Model {
    sent: u32,
    /// Tags and lengths.
    unacked: VecDeque<(u32, usize)>,
    received: u32,
    handled: u32,
    /// What the peer was told last.
    told: u32,
}

struct Session {
    sm: Sm<u32>,
    model: Model,
    refused: bool,
}

impl Session {
    fn happens(&mut self, what: u8, much: u32) {
        match what {
            0 => self.send(much as usize),
            1 => {
                self.sm.handle_stanza();
                self.model.received += 1;
            }
            2 => {
                self.sm.handled(much);
                self.model.handled = self.model.received.min(self.model.handled + much);
            }
            3 => self.sm.handle_ask(),
            // Mostly what was sent, sometimes what never was.
            4 => self.answer((self.model.sent + 3).wrapping_sub(much)),
            5 => self.resume((self.model.sent + 3).wrapping_sub(much)),
            6 => self.answer(u32::MAX.wrapping_shr(much)),
            _ if much.is_multiple_of(2) => self.sm.handle_idle(),
            _ => self.sm.answer_now(),
        }
    }

    fn send(&mut self, length: usize) {
        let queued: usize = self.model.unacked.iter().map(|(_, length)| length).sum();
        let fits = self.model.unacked.is_empty() || queued + length <= LIMITS.unacked_bytes_max;
        let room = self.model.unacked.len() < LIMITS.unacked_stanzas_max;
        let sent = self
            .sm
            .send(Bytes::from(vec![b'x'; length]), self.model.sent);
        assert_eq!(sent.is_ok(), fits && room);
        if sent.is_ok() {
            self.model.unacked.push_back((self.model.sent, length));
            self.model.sent += 1;
        }
        self.refused |= sent.is_err();
    }

    fn answer(&mut self, h: u32) {
        let expected = self.model.settle(h);
        let settled = self.sm.handle_answer(h);
        let settled = settled.map(|acked| acked.map(|stanza| stanza.tag).collect::<Vec<_>>());
        assert_eq!(settled.ok(), expected);
        self.refused |= expected.is_none();
    }

    fn resume(&mut self, h: u32) {
        let unsettled = self.model.received - self.model.handled;
        let resumed = self.sm.resume(h);
        let resumed = resumed.map(|acked| acked.map(|stanza| stanza.tag).collect::<Vec<_>>());
        match resumed {
            Err(ResumeError::Unsettled(count)) => assert_eq!((count, count > 0), (unsettled, true)),
            resumed => {
                assert_eq!(unsettled, 0);
                let expected = self.model.settle(h);
                assert_eq!(resumed.ok(), expected);
                self.refused |= expected.is_none();
            }
        }
    }

    fn agrees(&mut self) {
        assert_eq!(self.sm.sent_count(), self.model.sent);
        assert_eq!(self.sm.received_count(), self.model.received);
        assert_eq!(self.sm.handled_count(), self.model.handled);
        let tags = self.sm.unacked().map(|stanza| stanza.tag);
        assert!(tags.eq(self.model.unacked.iter().map(|(tag, _)| *tag)));
        while let Some(said) = self.sm.poll() {
            if said.starts_with(b"<a ") {
                let text = String::from_utf8_lossy(&said);
                let h = text
                    .split("h='")
                    .nth(1)
                    .and_then(|rest| rest.split('\'').next());
                let h = h.and_then(|h| h.parse::<u32>().ok());
                assert_eq!(h, Some(self.model.handled), "{text}");
                assert!(h >= Some(self.model.told));
                self.model.told = self.model.handled;
            } else {
                assert!(said.starts_with(b"<r "));
                assert!(!self.model.unacked.is_empty(), "asks about nothing");
            }
        }
    }
}

impl Model {
    /// Tags that this count settles; none for an old count, `None` for one that was never sent.
    fn settle(&mut self, h: u32) -> Option<Vec<u32>> {
        if h > self.sent {
            return None;
        }
        let count = self.unacked.iter().filter(|(tag, _)| *tag < h).count();
        Some(self.unacked.drain(..count).map(|(tag, _)| tag).collect())
    }
}
