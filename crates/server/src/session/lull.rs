//! What waits while nobody looks at a client (XEP-0352): what says something to nobody at the moment, so that a telephone can
//! sleep. It is sent, in its order, before the first thing that cannot wait.

use std::collections::VecDeque;

use waxwing_stanza::Payload;
use waxwing_stanza::xep::xep_0060_pubsub::event::Event;
use waxwing_stanza::xep::xep_0085_chat_states as chat_states;
use waxwing_stanza::xep::xep_0184_receipts as receipts;
use waxwing_stanza::xep::xep_0280_carbons as carbons;
use waxwing_stanza::xep::xep_0297_forward::Forwarded;
use waxwing_stanza::xep::xep_0333_markers as markers;
use waxwing_stanza::xep::xep_0334_hints as hints;
use waxwing_stanza::xep::xep_0359_stanza_ids as stanza_ids;
use waxwing_wire::{ChildView, Element, Stanza, ns};

use crate::server::read_again;
use crate::session::Out;

/// Most stanzas that wait for one client; with one more, all are sent.
pub(crate) const HELD_MAX: usize = 250;
/// Most bytes of them.
pub(crate) const HELD_BYTES_MAX: usize = 256 * 1024;

/// What waits for a client that nobody looks at.
#[derive(Default)]
pub(crate) struct Lull {
    held: VecDeque<Held>,
}

struct Held {
    /// What makes it superfluous: something newer of the same kind by the same sender.
    kind: Option<(Kind, String)>,
    out: Out,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Presence,
    ChatState,
}

/// How a stanza is treated.
enum Wait {
    /// It cannot wait.
    No,
    /// It can, and each of them counts.
    Each,
    /// It can, and the newest counts.
    Newest(Kind),
}

impl Lull {
    /// Takes a stanza, if it can wait; gives what is to be sent now.
    pub(super) fn take(&mut self, out: Out) -> Vec<Out> {
        let stanza = read_again(out.bytes.clone());
        let (wait, from) = match &stanza {
            Ok(stanza) if !out.answers => (wait(stanza), stanza.from()),
            _ => (Wait::No, None),
        };
        let kind = match wait {
            Wait::No => {
                let mut all = self.end();
                all.push(out);
                return all;
            }
            Wait::Each => None,
            // Each entry of the log counts.
            Wait::Newest(_) if out.mark.is_some() => None,
            Wait::Newest(kind) => Some((kind, from.unwrap_or_default().into_owned())),
        };
        if kind.is_some() {
            self.held.retain(|held| held.kind != kind);
        }
        self.held.push_back(Held { kind, out });
        let bytes: usize = self.held().map(|out| out.bytes.len()).sum();
        if self.held.len() > HELD_MAX || bytes > HELD_BYTES_MAX {
            return self.end();
        }
        Vec::new()
    }

    /// Everything that waits.
    pub(super) fn end(&mut self) -> Vec<Out> {
        self.held.drain(..).map(|held| held.out).collect()
    }

    /// What waits, in order.
    pub(super) fn held(&self) -> impl Iterator<Item = &Out> {
        self.held.iter().map(|held| &held.out)
    }

    /// Takes some of it out.
    pub(super) fn take_out(&mut self, is_one: impl Fn(&Out) -> bool) -> Vec<Out> {
        let (taken, left) = std::mem::take(&mut self.held)
            .into_iter()
            .partition(|held| is_one(&held.out));
        self.held = left;
        let taken: VecDeque<Held> = taken;
        taken.into_iter().map(|held| held.out).collect()
    }
}

fn wait(stanza: &Stanza) -> Wait {
    match (stanza.name(), stanza.kind().as_deref()) {
        ("presence", None | Some("unavailable")) => Wait::Newest(Kind::Presence),
        ("message", Some("error")) => Wait::No,
        ("message", _) => of_message(stanza),
        _ => Wait::No,
    }
}

/// Copies are treated as what they are copies of.
fn of_message(stanza: &Stanza) -> Wait {
    let is_copy = |child: &ChildView<'_>| {
        child.ns() == carbons::NS && matches!(child.name(), "received" | "sent")
    };
    // A copy is nothing else beside.
    let mut children = stanza.children();
    if let (Some(copy), None) = (children.next().filter(is_copy), children.next()) {
        let copied = Forwarded::find(&copy.element());
        return match copied.ok().flatten().and_then(|copied| copied.stanza) {
            Some(copied) => of_copied(&copied),
            None => Wait::No,
        };
    }
    let children = stanza.children();
    of_children(children.map(|child| says(child.ns(), child.name())))
}

/// Which session has typed is of no interest: each of them counts.
fn of_copied(message: &Element) -> Wait {
    match of_children(
        message
            .children()
            .map(|child| says(child.ns(), child.name())),
    ) {
        Wait::Newest(_) => Wait::Each,
        wait => wait,
    }
}

/// What a child says about waiting.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Says {
    Nothing,
    State,
    CanWait,
    CannotWait,
}

fn says(ns: &str, name: &str) -> Says {
    match (ns, name) {
        (hints::NS | stanza_ids::NS, _) | (ns::CLIENT, "thread") => Says::Nothing,
        (chat_states::NS, _) => Says::State,
        // Whoever asks for a receipt has something to say beside it.
        (receipts::NS, "request") | (markers::NS, "markable") => Says::Nothing,
        (receipts::NS | markers::NS, _) | (Event::NS, Event::NAME) => Says::CanWait,
        _ => Says::CannotWait,
    }
}

fn of_children(says: impl Iterator<Item = Says>) -> Wait {
    match says.max() {
        None | Some(Says::CannotWait) => Wait::No,
        Some(Says::State) => Wait::Newest(Kind::ChatState),
        Some(Says::Nothing | Says::CanWait) => Wait::Each,
    }
}

#[cfg(test)]
mod tests {
    use waxwing_store::LogId;

    use super::*;

    fn stanza(xml: &str) -> Out {
        Out::stanza(xml.to_owned().into())
    }

    fn texts(outs: &[Out]) -> Vec<String> {
        let text = |out: &Out| String::from_utf8_lossy(&out.bytes).into_owned();
        outs.iter().map(text).collect()
    }

    #[test]
    fn what_waits() {
        let event = "<event xmlns='http://jabber.org/protocol/pubsub#event'/>";
        let state = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
        let copy = |inside: &str| {
            format!(
                "<message><received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>\
                 <message xmlns='jabber:client'>{inside}</message></forwarded></received></message>"
            )
        };
        for (xml, waits) in [
            ("<presence from='a@b/c'/>".to_owned(), true),
            (
                "<presence from='a@b/c' type='unavailable'/>".to_owned(),
                true,
            ),
            ("<presence from='a@b' type='subscribe'/>".to_owned(), false),
            ("<presence from='a@b' type='error'/>".to_owned(), false),
            ("<iq type='get' id='1'/>".to_owned(), false),
            ("<message/>".to_owned(), false),
            ("<message><body>x</body></message>".to_owned(), false),
            (format!("<message>{state}<body>x</body></message>"), false),
            (
                "<message><x xmlns='urn:example'/></message>".to_owned(),
                false,
            ),
            (
                format!("<message>{state}<thread>1</thread></message>"),
                true,
            ),
            (
                format!("<message>{state}<thread xmlns='urn:example'>1</thread></message>"),
                false,
            ),
            (copy(&format!("{state}<thread>1</thread>")), true),
            (format!("<message type='error'>{state}</message>"), false),
            (format!("<message type='headline'>{event}</message>"), true),
            (
                "<message><received xmlns='urn:xmpp:receipts' id='1'/></message>".to_owned(),
                true,
            ),
            (
                "<message><displayed xmlns='urn:xmpp:chat-markers:0' id='1'/></message>".to_owned(),
                true,
            ),
            (copy("<body>x</body>"), false),
            (
                copy(state).replace("<received", "<body>x</body><received"),
                false,
            ),
            (copy(state), true),
            (copy("<received xmlns='urn:xmpp:receipts' id='1'/>"), true),
        ] {
            let mut lull = Lull::default();
            assert_eq!(lull.take(stanza(&xml)).is_empty(), waits, "{xml}");
            assert_eq!(lull.held().count(), usize::from(waits), "{xml}");
        }
    }

    #[test]
    fn it_comes_before_what_cannot_wait() {
        let mut lull = Lull::default();
        for xml in [
            "<presence from='a@b/c'/>",
            "<message from='a@b/c'><received xmlns='urn:xmpp:receipts' id='1'/></message>",
            "<presence from='a@b/d'/>",
            "<presence from='a@b/c' type='unavailable'/>",
        ] {
            assert!(lull.take(stanza(xml)).is_empty());
        }
        let sent = lull.take(stanza("<message><body>x</body></message>"));
        assert_eq!(
            texts(&sent),
            [
                "<message from='a@b/c'><received xmlns='urn:xmpp:receipts' id='1'/></message>",
                "<presence from='a@b/d'/>",
                "<presence from='a@b/c' type='unavailable'/>",
                "<message><body>x</body></message>",
            ]
        );
        assert!(lull.end().is_empty());
    }

    #[test]
    fn what_the_log_has_counts_each() {
        let mut lull = Lull::default();
        for id in 1..4 {
            let state = "<message from='a@b/c'><active xmlns='http://jabber.org/protocol/chatstates'/></message>";
            let out = Out::logged(state.to_owned().into(), LogId(id));
            assert!(lull.take(out).is_empty());
        }
        assert_eq!(lull.end().len(), 3);
    }

    #[test]
    fn too_much_does_not_wait() {
        let mut lull = Lull::default();
        let mut sent = 0;
        for number in 0..HELD_MAX {
            sent += lull
                .take(stanza(&format!("<presence from='a@b/{number}'/>")))
                .len();
        }
        assert_eq!(sent, 0);
        assert_eq!(
            lull.take(stanza("<presence from='a@b/more'/>")).len(),
            HELD_MAX + 1
        );
        let large = format!(
            "<presence from='a@b/c'><status>{}</status></presence>",
            "x".repeat(HELD_BYTES_MAX)
        );
        assert_eq!(lull.take(stanza(&large)).len(), 1);
    }
}
