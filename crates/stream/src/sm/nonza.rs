//! The top-level elements of XEP-0198, which are no stanzas and are not counted.

use bytes::Bytes;
use waxwing_stanza::Payload;
use waxwing_stanza::xep::xep_0198_sm::{
    Ack, Enable, Enabled, Failed, HandledCountTooHigh, NS, Request, Resume, Resumed,
};
use waxwing_wire::{Element, Stanza, ns};

use crate::error::{StreamCondition, StreamError};

/// A top-level element of stream management.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Nonza {
    /// `<enable/>`, of the client.
    Enable(Enable),
    /// `<enabled/>`, of the server.
    Enabled(Enabled),
    /// `<resume/>`, of the client.
    Resume(Resume),
    /// `<resumed/>`, of the server.
    Resumed(Resumed),
    /// `<failed/>`, of the server.
    Failed(Failed),
    /// `<r/>`: how many have you handled?
    Ask,
    /// `<a/>`: so many.
    Answer {
        /// Stanzas handled, modulo 2³².
        h: u32,
    },
}

impl Nonza {
    /// Reads a top-level element; `None` if it belongs to something else.
    ///
    /// # Errors
    ///
    /// `invalid-xml` if an attribute is missing or malformed, `unsupported-stanza-type` if the
    /// namespace has no such element.
    pub fn read(stanza: &Stanza) -> Result<Option<Nonza>, StreamError> {
        if stanza.ns() != NS {
            return Ok(None);
        }
        let element = stanza.element();
        let nonza = match stanza.name() {
            Request::NAME => Ok(Nonza::Ask),
            Ack::NAME => Ack::read(&element).map(|Ack { h }| Nonza::Answer { h }),
            Enable::NAME => Enable::read(&element).map(Nonza::Enable),
            Enabled::NAME => Enabled::read(&element).map(Nonza::Enabled),
            Resume::NAME => Resume::read(&element).map(Nonza::Resume),
            Resumed::NAME => Resumed::read(&element).map(Nonza::Resumed),
            Failed::NAME => Failed::read(&element).map(Nonza::Failed),
            _ => return Err(StreamCondition::UnsupportedStanzaType.into()),
        };
        nonza
            .map(Some)
            .map_err(|error| StreamError::new(StreamCondition::InvalidXml, error.to_string()))
    }

    /// The element, as a stream of clients carries it.
    pub fn to_bytes(&self) -> Bytes {
        let element = match self {
            Nonza::Ask => Request {}.write(),
            Nonza::Answer { h } => Ack { h: *h }.write(),
            Nonza::Enable(enable) => enable.write(),
            Nonza::Enabled(enabled) => enabled.write(),
            Nonza::Resume(resume) => resume.write(),
            Nonza::Resumed(resumed) => resumed.write(),
            Nonza::Failed(failed) => failed.write(),
        };
        element.to_bytes(ns::CLIENT)
    }
}

/// The application-specific condition for a peer that acknowledges too much.
pub(super) fn too_high(h: u32, send_count: u32) -> Element {
    HandledCountTooHigh { h, send_count }.write()
}
