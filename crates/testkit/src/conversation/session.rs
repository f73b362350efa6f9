//! One who takes part, and what comes to them.

use std::collections::VecDeque;

use waxwing_stanza::Reply;
use waxwing_wire::{Element, Header, Limits, Stanza, ns};

use super::xml::Bindings;
use super::{Pattern, Who, diff, matching};
use crate::stream::{ClientStream, Said};

/// One who takes part: a stream, and what came over it.
#[derive(Debug)]
pub(super) struct Session<L> {
    pub(super) link: L,
    pub(super) stream: ClientStream,
    pub(super) inbox: VecDeque<Came>,
    pub(super) state: State,
    pub(super) open: bool,
    /// Whether a ping of ours would disturb it: bytes that need not be XML were sent, or what
    /// stream management counts, or what can wait is waiting.
    pub(super) undisturbed: bool,
    /// The ping that has no answer yet.
    pub(super) barrier: Option<String>,
    /// Whether it is a component's. What comes to it is compared as if it stood in the stream of a client.
    pub(super) is_component: bool,
    /// Whether its conversation answers the pings by which the server learns what a component has read.
    pub(super) confirms_itself: bool,
}

/// What ids of those pings have in common.
const CONFIRM: &str = "confirm-";

/// How far its stream is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum State {
    Negotiating,
    Ready,
    Refused(String),
}

/// What came to a session.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Came {
    Element(Element),
    Header(Header),
    End,
    Broken(String),
    Disconnected,
}

impl<L> Session<L> {
    /// Takes in what the stream says.
    pub(super) fn take(&mut self, said: Said) {
        let came = match said {
            Said::Header(header) => Came::Header(header),
            Said::Element(stanza) => {
                let id = stanza.id();
                if id.is_some() && id.as_deref() == self.barrier.as_deref() {
                    self.barrier = None;
                    return;
                }
                if self.is_component && !self.confirms_itself && is_confirmation(&stanza) {
                    if let Some(answer) = Reply::new(&stanza).result(None) {
                        self.stream.send(answer);
                    }
                    return;
                }
                match self.is_component {
                    true => of_component(&stanza),
                    false => Came::Element(stanza.element()),
                }
            }
            Said::End => Came::End,
            Said::Encrypted | Said::Authenticated | Said::Bound(..) | Said::Resumed(_) => {
                self.state = State::Ready;
                return;
            }
            Said::Refused(error) => {
                self.state = State::Refused(error.to_string());
                return;
            }
            Said::Garbled(error) => Came::Broken(error.to_string()),
            // What a scripted client keeps, its conversation binds.
            Said::Token(_) | Said::TokenRefused(_) => return,
            Said::ResumeFailed(failed) => Came::Broken(format!("{failed:?}")),
        };
        self.inbox.push_back(came);
    }
}

/// Whether the server asks a component what it has read.
fn is_confirmation(stanza: &Stanza) -> bool {
    stanza.name() == "iq" && stanza.id().is_some_and(|id| id.starts_with(CONFIRM))
}

/// What came over the stream of a component, which is in its namespace, in that of clients.
fn of_component(stanza: &Stanza) -> Came {
    if stanza.ns() == ns::STREAMS {
        return Came::Element(stanza.element());
    }
    if stanza.ns() != ns::COMPONENT {
        return Came::Broken(format!("<{}> is in {}", stanza.name(), stanza.ns()));
    }
    let bytes = stanza.splice().ns(ns::CLIENT).finish();
    match Stanza::parse(bytes, ns::CLIENT, &Limits::SERVER.with_room()) {
        Ok(stanza) => Came::Element(stanza.element()),
        Err(error) => Came::Broken(error.to_string()),
    }
}

/// Whether it is what was expected.
///
/// # Errors
/// The first difference.
pub(super) fn matches(
    pattern: &Pattern,
    came: &Came,
    any_order: bool,
    bindings: &mut Bindings,
) -> Result<(), String> {
    match (pattern, came) {
        (Pattern::Element(pattern), Came::Element(came)) => {
            matching::element(pattern, came, any_order, bindings)
        }
        (Pattern::Header(pattern, open), Came::Header(came)) => {
            matching::header(pattern, *open, came, bindings)
        }
        (Pattern::End, Came::End) => Ok(()),
        (Pattern::Element(pattern), _) => Err(format!("<{}> was to come", pattern.name())),
        (Pattern::Header(..), _) => Err("a stream header was to come".to_owned()),
        (Pattern::End, _) => Err("the end of the stream was to come".to_owned()),
    }
}

/// Whether somebody may have meant it.
pub(super) fn is_alike(pattern: &Pattern, came: &Came) -> bool {
    match (pattern, came) {
        (Pattern::Element(pattern), Came::Element(came)) => {
            let from = |element: &Element| element.attr("from").map(str::to_owned);
            pattern.is(came.ns(), came.name()) && from(pattern) == from(came)
        }
        _ => false,
    }
}

/// Says what came, and that it should not have.
pub(super) fn unexpected(who: &Who, came: &Came) -> String {
    match came {
        Came::Element(came) => {
            let shown = diff::shown(came);
            format!("{who} got what nobody expected\n{}", shown.trim_end())
        }
        Came::Header(header) => {
            format!("{who} got a stream header that nobody expected: {header:?}")
        }
        Came::End => format!("the server closed {who}'s stream, which nobody expected"),
        Came::Broken(what) => format!("{who}'s stream is broken: {what}"),
        Came::Disconnected => {
            format!("the server closed {who}'s connection, which nobody expected")
        }
    }
}
