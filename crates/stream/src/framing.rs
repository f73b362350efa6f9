//! How a stream's beginning, its end and what is its own are written, by transport.

use bytes::Bytes;
use waxwing_wire::{Element, declare_default_ns, ns};

use crate::error::StreamError;
use crate::header::{CLOSE, OwnHeader};

/// How a stream is framed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// One XML document for the stream: TCP (RFC 6120 §4).
    #[default]
    Document,
    /// Each element is a document of its own, and `<open/>` and `<close/>` stand for the tags of the
    /// stream: WebSocket ([RFC 7395 §3.3](https://www.rfc-editor.org/rfc/rfc7395#section-3.3)).
    Elements,
}

impl Framing {
    pub(crate) fn header(self, own: &OwnHeader<'_>) -> Bytes {
        match self {
            Framing::Document => own.to_bytes(),
            Framing::Elements => own.element(ns::FRAMING, "open").to_bytes(""),
        }
    }

    pub(crate) fn features(self, elements: &[Element]) -> Bytes {
        let mut out = self.start("features");
        for element in elements {
            out.extend_from_slice(&element.to_bytes(ns::CLIENT));
        }
        out.extend_from_slice(b"</stream:features>");
        out.into()
    }

    /// A start tag whose prefix is that of the stream's header, if there is one.
    fn start(self, name: &str) -> Vec<u8> {
        let declaration = match self {
            Framing::Document => String::new(),
            Framing::Elements => {
                format!(" xmlns='{}' xmlns:stream='{}'", ns::CLIENT, ns::STREAMS)
            }
        };
        format!("<stream:{name}{declaration}>").into_bytes()
    }

    /// What ends a stream for `error`, its end included.
    pub fn error(self, error: &StreamError) -> Vec<Bytes> {
        let mut out = self.start("error");
        error.write_inside(&mut out);
        out.extend_from_slice(b"</stream:error>");
        match self {
            // In one piece: who closes at the end tag must not miss the reason.
            Framing::Document => {
                out.extend_from_slice(CLOSE);
                vec![out.into()]
            }
            Framing::Elements => vec![out.into(), self.close()],
        }
    }

    /// What ends a stream.
    pub fn close(self) -> Bytes {
        match self {
            Framing::Document => Bytes::from_static(CLOSE),
            Framing::Elements => Element::new(ns::FRAMING, "close").to_bytes(""),
        }
    }

    /// A stanza as it is written: what it inherits from a stream is declared where there is none
    /// (RFC 7395 §3.3.3).
    pub fn element(self, element: Bytes) -> Bytes {
        match self {
            Framing::Document => element,
            Framing::Elements => declare_default_ns(&element, ns::CLIENT),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::StreamCondition;
    use waxwing_wire::{Event, FrameReader, Limits, Reader};

    fn error() -> StreamError {
        StreamError::new(StreamCondition::Conflict, "a < b")
    }

    #[test]
    fn a_stream_of_elements_stands_without_context() {
        let own = OwnHeader {
            to: Some("a@b.example"),
            from: Some("b.example"),
            id: Some("'i'"),
            lang: Some("en"),
        };
        let mut reader = FrameReader::new(Limits::BEFORE_LOGIN);
        reader.push(Framing::Elements.header(&own));
        let Ok(Some(Event::Header(header))) = reader.next() else {
            panic!("no header")
        };
        assert_eq!(header.to.as_deref(), Some("a@b.example"));
        assert_eq!(header.id.as_deref(), Some("'i'"));
        assert_eq!(header.lang.as_deref(), Some("en"));
        assert_eq!(header.version.as_deref(), Some("1.0"));
        reader.push(Framing::Elements.features(&[Element::new(ns::BIND, "bind")]));
        for frame in Framing::Elements.error(&error()) {
            reader.push(frame);
        }
        let Ok(Some(Event::Stanza(features))) = reader.next() else {
            panic!("no features")
        };
        assert_eq!((features.ns(), features.name()), (ns::STREAMS, "features"));
        assert!(features.has_child(ns::BIND, "bind"));
        let Ok(Some(Event::Stanza(said))) = reader.next() else {
            panic!("no error")
        };
        assert_eq!(StreamError::read(&said.element()), error());
        assert_eq!(reader.next(), Ok(Some(Event::Close)));
    }

    #[test]
    fn a_document_ends_with_its_error_in_one_piece() {
        let mut reader = Reader::new(Limits::BEFORE_LOGIN);
        reader.push(&Framing::Document.header(&OwnHeader::default()));
        assert!(matches!(reader.next(), Ok(Some(Event::Header(_)))));
        let [bytes] = &Framing::Document.error(&error())[..] else {
            panic!("not in one piece")
        };
        reader.push(bytes);
        let Ok(Some(Event::Stanza(said))) = reader.next() else {
            panic!("no error")
        };
        assert_eq!(StreamError::read(&said.element()), error());
        assert_eq!(reader.next(), Ok(Some(Event::Close)));
    }

    #[test]
    fn only_elements_without_stream_are_declared() {
        let stanza = Bytes::from_static(b"<iq id='1'/>");
        assert_eq!(Framing::Document.element(stanza.clone()), stanza);
        assert_eq!(
            Framing::Elements.element(stanza),
            "<iq xmlns='jabber:client' id='1'/>"
        );
    }
}
