//! Counts and queues, alone and two of them against each other.

use std::collections::VecDeque;

use bytes::Bytes;
use proptest::prelude::*;
use waxwing_stanza::Condition;
use waxwing_wire::{Element, Limits, Stanza, ns};

use super::*;

const LIMITS: SmLimits = SmLimits {
    unacked_stanzas_max: 4,
    unacked_bytes_max: 100,
    ask_every_stanzas: 3,
};

fn message(number: u32) -> Bytes {
    format!("<message id='{number}'/>").into()
}

fn read(bytes: &Bytes) -> Result<Option<Nonza>, StreamError> {
    Nonza::read(&Stanza::parse(bytes.clone(), ns::CLIENT, &Limits::CLIENT).unwrap())
}

/// What `poll` gives, read again.
fn polled<T>(sm: &mut Sm<T>) -> Vec<Nonza> {
    let mut nonzas = Vec::new();
    while let Some(bytes) = sm.poll() {
        nonzas.push(read(&bytes).unwrap().unwrap());
    }
    nonzas
}

fn tags<T>(acked: Acked<'_, T>) -> Vec<T> {
    acked.map(|unacked| unacked.tag).collect()
}

#[test]
fn nonzas_come_back_as_they_were() {
    let previd = "'<x>".to_owned();
    let nonzas = [
        Nonza::Ask,
        Nonza::Answer { h: u32::MAX },
        Nonza::Enable(Enable {
            resume: true,
            max: Some(1),
        }),
        Nonza::Enabled(Enabled {
            id: Some("a&b".into()),
            resume: true,
            max: Some(600),
            location: Some("[2001:db8::1]:5222".into()),
        }),
        Nonza::Resume(Resume {
            previd: previd.clone(),
            h: 0,
        }),
        Nonza::Resumed(Resumed { previd, h: 7 }),
        Nonza::Failed(Failed {
            h: Some(3),
            condition: Some(Condition::ItemNotFound),
        }),
    ];
    for nonza in nonzas {
        assert_eq!(read(&nonza.to_bytes()), Ok(Some(nonza)));
    }
}

#[test]
fn nonzas_are_read_as_their_schema_says() {
    let wrong = Err(StreamCondition::InvalidXml);
    let unexpected = Some(Condition::UnexpectedRequest);
    let enable = |resume| Ok(Some(Nonza::Enable(Enable { resume, max: None })));
    let failed = Nonza::Failed(Failed {
        h: None,
        condition: unexpected,
    });
    let table = [
        ("<a h='007'/>", Ok(Some(Nonza::Answer { h: 7 }))),
        ("<a h=' 7 '/>", Ok(Some(Nonza::Answer { h: 7 }))),
        ("<a/>", wrong.clone()),
        ("<a h=''/>", wrong.clone()),
        ("<a h='-1'/>", wrong.clone()),
        ("<a h='4294967296'/>", wrong.clone()),
        ("<resume h='1'/>", wrong.clone()),
        ("<resume previd='x'/>", wrong.clone()),
        ("<resumed h='1'/>", wrong),
        ("<enable resume='yes'/>", Err(StreamCondition::InvalidXml)),
        ("<b/>", Err(StreamCondition::UnsupportedStanzaType)),
        ("<a xmlns='urn:xmpp:sm:2' h='7'/>", Ok(None)),
        ("<message xmlns='jabber:client'/>", Ok(None)),
        ("<enable resume='1' max='-1'/>", enable(true)),
        ("<enable max='x'/>", enable(false)),
        (
            "<failed h='x'><unexpected-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>",
            Ok(Some(failed)),
        ),
    ];
    for (xml, expected) in table {
        let stanza = Stanza::parse(Bytes::from_static(xml.as_bytes()), SM, &Limits::CLIENT);
        let read = Nonza::read(&stanza.unwrap()).map_err(|error| error.condition);
        assert_eq!(read, expected, "{xml}");
    }
}

#[test]
fn tells_only_what_is_handled() {
    let mut sm = Sm::<()>::new(LIMITS);
    assert_eq!(sm.handle_stanza(), 1);
    assert_eq!(sm.handle_stanza(), 2);
    sm.handle_ask();
    assert_eq!(polled(&mut sm), [], "nothing is durable yet");
    sm.handled(1);
    assert_eq!(polled(&mut sm), [], "the question was about two");
    assert_eq!(sm.handle_stanza(), 3);
    sm.handled(1);
    assert_eq!(polled(&mut sm), [Nonza::Answer { h: 2 }]);
    sm.answer_now();
    assert_eq!(polled(&mut sm), [Nonza::Answer { h: 2 }]);
    sm.handled(5);
    assert_eq!(
        (sm.handled_count(), sm.received_count()),
        (3, 3),
        "no more than came in"
    );
    sm.handle_ask();
    sm.handle_ask();
    assert_eq!(
        polled(&mut sm),
        [Nonza::Answer { h: 3 }],
        "one answer for both"
    );
}

#[test]
fn asks_after_some_stanzas_and_when_idle_but_once_at_a_time() {
    let mut sm = Sm::new(LIMITS);
    sm.handle_idle();
    assert_eq!(polled(&mut sm), [], "nothing to ask about");
    for number in 0..2 {
        sm.send(message(number), number).unwrap();
        assert_eq!(polled(&mut sm), []);
    }
    sm.send(message(2), 2).unwrap();
    assert_eq!(polled(&mut sm), [Nonza::Ask]);
    assert!(sm.awaits_answer());
    sm.send(message(3), 3).unwrap();
    sm.handle_idle();
    assert_eq!(polled(&mut sm), [], "one question is out");
    assert_eq!(tags(sm.handle_answer(3).unwrap()), [0, 1, 2]);
    assert!(!sm.awaits_answer());
    sm.handle_idle();
    assert_eq!(polled(&mut sm), [Nonza::Ask]);
    assert_eq!(tags(sm.handle_answer(4).unwrap()), [3]);
    sm.handle_idle();
    assert_eq!(polled(&mut sm), [], "nothing is open");
}

/// Who waits until little is open would wait for ever for an answer that nobody asked for.
#[test]
fn asks_again_when_an_answer_leaves_what_was_sent_after_the_question() {
    let mut sm = Sm::new(LIMITS);
    sm.send(message(0), 0).unwrap();
    sm.handle_idle();
    assert_eq!(polled(&mut sm), [Nonza::Ask]);
    sm.send(message(1), 1).unwrap();
    sm.send(message(2), 2).unwrap();
    assert_eq!(tags(sm.handle_answer(1).unwrap()), [0]);
    assert_eq!(polled(&mut sm), [Nonza::Ask]);
    // The answer to it leaves one that it was about: the peer has not handled it yet, and says no
    // more for being asked at once.
    assert_eq!(tags(sm.handle_answer(2).unwrap()), [1]);
    assert_eq!(polled(&mut sm), []);
    sm.send(message(3), 3).unwrap();
    assert_eq!(tags(sm.handle_answer(4).unwrap()), [2, 3]);
    assert_eq!(polled(&mut sm), [], "nothing is open");
}

#[test]
fn settles_each_stanza_once() {
    let mut sm = Sm::new(LIMITS);
    for number in 0..4 {
        sm.send(message(number), number).unwrap();
    }
    assert_eq!(tags(sm.handle_answer(1).unwrap()), [0]);
    assert_eq!(tags(sm.handle_answer(1).unwrap()), [0; 0]);
    assert_eq!(
        tags(sm.handle_answer(0).unwrap()),
        [0; 0],
        "an old answer that was overtaken"
    );
    // Settled even if nobody looks.
    drop(sm.handle_answer(3).unwrap());
    assert_eq!(
        sm.unacked().map(|unacked| unacked.tag).collect::<Vec<_>>(),
        [3]
    );
    assert_eq!(sm.sent_count(), 4);
    assert_eq!(
        sm.into_unacked()
            .map(|unacked| unacked.bytes)
            .collect::<Vec<_>>(),
        [message(3)]
    );
}

#[test]
fn an_answer_about_what_was_never_sent_ends_the_stream() {
    let mut sm = Sm::new(LIMITS);
    for number in 0..2 {
        sm.send(message(number), number).unwrap();
    }
    for h in [3, 1000, u32::MAX] {
        let error = sm.handle_answer(h).map(tags).unwrap_err();
        assert_eq!(error.condition, StreamCondition::UndefinedCondition);
        let app = Element::new(SM, "handled-count-too-high")
            .with_attr("h", h.to_string())
            .with_attr("send-count", "2");
        assert_eq!(error.app.as_deref(), Some(&app));
        assert!(
            matches!(sm.resume(h).map(tags), Err(ResumeError::Stream(found)) if found == error)
        );
    }
    assert_eq!(
        tags(sm.handle_answer(2).unwrap()),
        [0, 1],
        "the session is unchanged"
    );
}

#[test]
fn counts_wrap() {
    let mut sm = Sm::new(LIMITS);
    sm.queue.set_acked(u32::MAX - 1);
    for number in 0..4 {
        sm.send(message(number), number).unwrap();
    }
    assert_eq!(sm.sent_count(), 2);
    assert_eq!(tags(sm.handle_answer(u32::MAX).unwrap()), [0]);
    assert!(sm.handle_answer(3).is_err());
    assert_eq!(tags(sm.handle_answer(1).unwrap()), [1, 2]);
    assert_eq!(
        tags(sm.handle_answer(u32::MAX).unwrap()),
        [0; 0],
        "old, from before the wrap"
    );
    assert_eq!(tags(sm.handle_answer(2).unwrap()), [3]);

    sm.received = u32::MAX;
    sm.handled = u32::MAX;
    assert_eq!(sm.handle_stanza(), 0);
    sm.handle_ask();
    assert_eq!(polled(&mut sm), []);
    sm.handled(1);
    assert_eq!(polled(&mut sm), [Nonza::Answer { h: 0 }]);
}

#[test]
fn the_queue_is_bounded() {
    let mut sm = Sm::new(LIMITS);
    for number in 0..4 {
        sm.send(message(number), number).unwrap();
    }
    assert_eq!(sm.send(message(4), 4).unwrap_err().0.tag, 4);
    assert_eq!(sm.sent_count(), 4, "what was given back is not counted");
    assert_eq!(tags(sm.handle_answer(4).unwrap()), [0, 1, 2, 3]);

    let big = Bytes::from(vec![b' '; 101]);
    sm.send(big.clone(), 5).unwrap();
    assert!(sm.send(message(6), 6).is_err());
    assert_eq!(tags(sm.handle_answer(5).unwrap()), [5]);
    sm.send(message(6), 6).unwrap();
    assert!(sm.send(big, 7).is_err());
    // What is settled takes no room.
    for number in 7..40 {
        sm.send(message(number), number).unwrap();
        assert_eq!(sm.handle_answer(number - 1).unwrap().len(), 1);
    }
}

#[test]
fn resumes_only_when_everything_is_settled() {
    let mut sm = Sm::new(LIMITS);
    for number in 0..2 {
        sm.send(message(number), number).unwrap();
    }
    sm.handle_stanza();
    sm.handle_idle();
    assert_eq!(polled(&mut sm), [Nonza::Ask]);
    assert!(matches!(
        sm.resume(1).map(tags),
        Err(ResumeError::Unsettled(1))
    ));
    assert_eq!(sm.unacked().len(), 2);
    sm.handled(1);
    assert_eq!(sm.resume(1).map(tags), Ok(vec![0]));
    assert_eq!(sm.handled_count(), 1);
    assert!(
        !sm.awaits_answer(),
        "the question went down with the old stream"
    );
    sm.handle_idle();
    assert_eq!(
        polled(&mut sm),
        [Nonza::Ask],
        "what is sent again is asked for again"
    );
}

/// One end of a connection that may be cut.
struct End {
    sm: Sm<u32>,
    /// On the way to this end.
    inbox: VecDeque<Bytes>,
    next: u32,
    received: VecDeque<u32>,
    handled: Vec<u32>,
    acked: Vec<u32>,
}

impl End {
    fn new() -> End {
        End {
            sm: Sm::new(SmLimits {
                unacked_stanzas_max: 50,
                ..LIMITS
            }),
            inbox: VecDeque::new(),
            next: 0,
            received: VecDeque::new(),
            handled: Vec::new(),
            acked: Vec::new(),
        }
    }

    fn send(&mut self, peer: &mut End) {
        if self.sm.send(message(self.next), self.next).is_ok() {
            peer.inbox.push_back(message(self.next));
            self.next += 1;
        }
    }

    fn flush(&mut self, peer: &mut End) {
        while let Some(bytes) = self.sm.poll() {
            peer.inbox.push_back(bytes);
        }
    }

    fn receive(&mut self) {
        let Some(bytes) = self.inbox.pop_front() else {
            return;
        };
        let stanza = Stanza::parse(bytes, ns::CLIENT, &Limits::CLIENT).unwrap();
        match Nonza::read(&stanza).unwrap() {
            Some(Nonza::Ask) => self.sm.handle_ask(),
            Some(Nonza::Answer { h }) => self.acked.extend(tags(self.sm.handle_answer(h).unwrap())),
            Some(other) => panic!("{other:?}"),
            None => {
                self.sm.handle_stanza();
                self.received
                    .push_back(stanza.id().unwrap().parse().unwrap());
            }
        }
    }

    /// Commits the oldest of what came in.
    fn handle_one(&mut self) {
        if let Some(number) = self.received.pop_front() {
            self.handled.push(number);
            self.sm.handled(1);
        }
    }

    /// A new stream: the peer has handled `h`, and gets the rest again.
    fn resume(&mut self, peer: &mut End) {
        let acked = self.sm.resume(peer.sm.handled_count()).unwrap();
        self.acked.extend(acked.map(|unacked| unacked.tag));
        peer.inbox
            .extend(self.sm.unacked().map(|unacked| unacked.bytes.clone()));
    }
}

fn cut(one: &mut End, two: &mut End) {
    for end in [&mut *one, &mut *two] {
        end.inbox.clear();
        while !end.received.is_empty() {
            end.handle_one();
        }
    }
    one.resume(two);
    two.resume(one);
}

proptest! {
    /// Whatever is cut, and whenever: each stanza is handled once, in order, and acknowledged only
    /// when it was handled.
    #[test]
    fn nothing_is_lost_and_nothing_comes_twice(steps in prop::collection::vec((0u8..6, any::<bool>()), 0..300)) {
        let (mut one, mut two) = (End::new(), End::new());
        for (step, side) in steps {
            let (end, peer) = if side { (&mut one, &mut two) } else { (&mut two, &mut one) };
            match step {
                0 | 1 => end.send(peer),
                2 => end.receive(),
                3 => end.handle_one(),
                4 => {
                    end.sm.handle_idle();
                    end.flush(peer);
                }
                _ => cut(end, peer),
            }
            prop_assert!(peer.acked.len() <= end.handled.len());
        }
        cut(&mut one, &mut two);
        while !(one.inbox.is_empty() && two.inbox.is_empty()) {
            for _ in 0..2 {
                one.receive();
                one.handle_one();
                one.flush(&mut two);
                std::mem::swap(&mut one, &mut two);
            }
        }
        cut(&mut one, &mut two);
        for (end, peer) in [(&one, &two), (&two, &one)] {
            prop_assert_eq!(&end.handled, &(0..peer.next).collect::<Vec<_>>());
            prop_assert_eq!(&peer.acked, &end.handled);
            prop_assert_eq!(peer.sm.unacked().len(), 0);
        }
    }
}
