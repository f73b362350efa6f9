//! Answers to a stanza: the same id, the addresses swapped.

use std::borrow::Cow;

use bytes::Bytes;
use waxwing_wire::{Element, Stanza, Writer, ns};

use crate::StanzaError;
use crate::xep::xep_0086_error_codes as codes;

/// An answer to a stanza (RFC 6120 §8.1.3, §8.2.3, §8.3.1): of the same name and id, from its
/// addressee to its sender.
///
/// Errors are never answered, nor are results: for these, every method that writes gives `None`.
#[derive(Clone, Debug)]
pub struct Reply<'a> {
    original: &'a Stanza,
    to: Option<Cow<'a, str>>,
    from: Option<Cow<'a, str>>,
}

impl<'a> Reply<'a> {
    /// An answer to this stanza.
    pub fn new(original: &'a Stanza) -> Reply<'a> {
        Reply {
            original,
            to: original.from(),
            from: original.to(),
        }
    }

    /// The answer, going to this address instead of the original's sender.
    #[must_use]
    pub fn to(self, to: Option<&'a str>) -> Reply<'a> {
        Reply {
            to: to.map(Cow::Borrowed),
            ..self
        }
    }

    /// The answer, coming from this address instead of the original's addressee.
    #[must_use]
    pub fn from(self, from: Option<&'a str>) -> Reply<'a> {
        Reply {
            from: from.map(Cow::Borrowed),
            ..self
        }
    }

    /// Writes an error. Of the original it keeps name, namespace and id, not the payload.
    pub fn error(&self, error: &StanzaError) -> Option<Bytes> {
        let mut element = error.to_element(self.original.ns());
        if codes::is_wanted(self.original, error.condition) {
            element.set_attr("code", codes::code(error.condition).to_string());
        }
        self.write("error", &[&element])
    }

    /// Writes an error behind what of the original it is about, where the protocol asks for that.
    pub fn error_about(&self, payload: &Element, error: &StanzaError) -> Option<Bytes> {
        let error = error.to_element(self.original.ns());
        self.write("error", &[payload, &error])
    }

    /// Writes the result of an IQ, with a payload or empty.
    pub fn result(&self, payload: Option<&Element>) -> Option<Bytes> {
        self.write("result", payload.as_slice())
    }

    fn write(&self, kind: &str, payloads: &[&Element]) -> Option<Bytes> {
        if matches!(self.original.kind().as_deref(), Some("error" | "result")) {
            return None;
        }
        let stanza_ns = match self.original.ns() {
            ns::SERVER => ns::SERVER,
            _ => ns::CLIENT,
        };
        let mut writer = Writer::new(stanza_ns);
        writer.start(stanza_ns, self.original.name());
        writer.attr("type", kind);
        let id = self.original.id();
        for (name, value) in [("id", &id), ("to", &self.to), ("from", &self.from)] {
            if let Some(value) = value {
                writer.attr(name, value);
            }
        }
        for payload in payloads {
            payload.write(&mut writer);
        }
        writer.end();
        Some(writer.finish())
    }
}

/// Answers a stanza with an error, addresses swapped. `None` when it is one that is never answered:
/// see [`Reply`], which also sets other addresses.
pub fn error_reply(original: &Stanza, error: &StanzaError) -> Option<Bytes> {
    Reply::new(original).error(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Condition;
    use crate::payload::testing::stanza;

    #[test]
    fn keeps_the_id_and_swaps_the_addresses() {
        let message = stanza(
            "<message from='a@b/c' to='d@e' id='&lt;1' type='chat' xml:lang='de'><body>x</body></message>",
        );
        assert_eq!(
            error_reply(&message, &Condition::ServiceUnavailable.into()).unwrap(),
            "<message type='error' id='&lt;1' to='a@b/c' from='d@e'><error type='cancel'>\
             <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
        );
    }

    #[test]
    fn addresses_and_ids_may_be_missing() {
        let iq = stanza("<iq type='set'><x xmlns='y'/></iq>");
        assert_eq!(Reply::new(&iq).result(None).unwrap(), "<iq type='result'/>");
        assert_eq!(
            Reply::new(&iq)
                .to(Some("a@b/c"))
                .from(Some("b"))
                .result(Some(&Element::new("y", "x")))
                .unwrap(),
            "<iq type='result' to='a@b/c' from='b'><x xmlns='y'/></iq>"
        );
    }

    #[test]
    fn between_servers() {
        let presence =
            stanza("<presence xmlns='jabber:server' from='a@b' to='c@d' type='subscribe'/>");
        assert_eq!(
            error_reply(&presence, &Condition::ItemNotFound.into()).unwrap(),
            "<presence type='error' to='a@b' from='c@d'><error type='cancel'>\
             <item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>"
        );
    }

    #[test]
    fn errors_and_results_are_not_answered() {
        for xml in [
            "<message type='error' from='a@b'/>",
            "<presence type='error' from='a@b'/>",
            "<iq type='error' id='1' from='a@b'/>",
            "<iq type='result' id='1' from='a@b'/>",
        ] {
            let original = stanza(xml);
            assert_eq!(error_reply(&original, &Condition::BadRequest.into()), None);
            assert_eq!(Reply::new(&original).result(None), None);
        }
    }
}
