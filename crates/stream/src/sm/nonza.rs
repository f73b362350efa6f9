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
        // One of both comes with nearly every message: no tree for what mostly looks the same.
        if stanza.name() == Request::NAME {
            return Ok(Some(Nonza::Ask));
        }
        if let Some(Ack { h }) = Ack::read_usual(stanza.bytes()) {
            return Ok(Some(Nonza::Answer { h }));
        }
        let element = stanza.element();
        let nonza = match stanza.name() {
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
            Nonza::Ask => return Request::bytes(),
            Nonza::Answer { h } => return Ack { h: *h }.bytes(),
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

#[cfg(test)]
mod tests {
    use waxwing_wire::Limits;

    use super::*;

    fn read(text: &str) -> Result<Option<Nonza>, StreamError> {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        Nonza::read(&Stanza::parse(bytes, ns::CLIENT, &Limits::CLIENT).unwrap())
    }

    /// However it is written, it is the same.
    #[test]
    fn answers_are_read_in_every_form() {
        for text in [
            "<a xmlns='urn:xmpp:sm:3' h='5'/>",
            "<a xmlns=\"urn:xmpp:sm:3\" h=\"5\"/>",
            "<a h='5' xmlns='urn:xmpp:sm:3'/>",
            "<a xmlns='urn:xmpp:sm:3' h='5' />",
            "<a xmlns='urn:xmpp:sm:3' h='5'></a>",
            "<a xmlns='urn:xmpp:sm:3' x='1' h='5'/>",
            "<s:a xmlns:s='urn:xmpp:sm:3' h='5'/>",
        ] {
            assert_eq!(read(text), Ok(Some(Nonza::Answer { h: 5 })), "{text}");
        }
        for text in [
            "<a xmlns='urn:xmpp:sm:3'/>",
            "<a xmlns='urn:xmpp:sm:3' h=''/>",
            "<a xmlns='urn:xmpp:sm:3' h='-5'/>",
            "<a xmlns='urn:xmpp:sm:3' h='4294967296'/>",
            "<a xmlns='urn:xmpp:sm:3' h='5&#49;x'/>",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        assert_eq!(read("<a xmlns='urn:xmpp:sm:2' h='5'/>"), Ok(None));
    }
}
