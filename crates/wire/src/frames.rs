use crate::element::Element;
use crate::error::{StreamFault, WireError};
use crate::escape::escape_value;
use crate::header::Header;
use crate::limits::Limits;
use crate::name::Name;
use crate::ns;
use crate::reader::Event;
use crate::stanza::Stanza;
use bytes::Bytes;
use std::collections::VecDeque;

/// Reader of a stream whose transport carries one element in each message, RFC 7395 §3.3.
///
/// Messages go in by [`FrameReader::push`], the same [`Event`]s as over TCP come out by
/// [`FrameReader::next`]: `<open/>` is told as the header that it stands for, with the namespace of
/// clients and the prefix `stream`; `<close/>` as the end. It holds what was pushed and not asked for.
#[derive(Debug)]
pub struct FrameReader {
    limits: Limits,
    frames: VecDeque<Bytes>,
    buffered: usize,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Header,
    Stanzas,
    Closed,
    Failed(WireError),
}

impl FrameReader {
    /// A reader that expects `<open/>`.
    #[must_use]
    pub fn new(limits: Limits) -> FrameReader {
        FrameReader {
            limits,
            frames: VecDeque::new(),
            buffered: 0,
            phase: Phase::Header,
        }
    }

    /// Changes the limits, from the next element on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Expects `<open/>` again, as after SASL (RFC 7395 §3.7). Elements not yet read are dropped; says
    /// whether there were any.
    pub fn restart(&mut self) -> bool {
        let dropped = !self.frames.is_empty();
        *self = FrameReader::new(self.limits);
        dropped
    }

    /// Takes the whole of one message.
    pub fn push(&mut self, frame: Bytes) {
        if !matches!(self.phase, Phase::Closed | Phase::Failed(_)) {
            self.buffered += frame.len();
            self.frames.push_back(frame);
        }
    }

    /// Bytes held that no event has been made of.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buffered
    }

    /// What the stream says next; `None` until more comes.
    ///
    /// # Errors
    /// The peer broke the rules of the stream; every later call says the same.
    #[expect(
        clippy::should_implement_trait,
        reason = "no iterator: it goes on after None"
    )]
    pub fn next(&mut self) -> Result<Option<Event>, WireError> {
        if let Phase::Failed(error) = &self.phase {
            return Err(*error);
        }
        let Some(frame) = self.frames.pop_front() else {
            return Ok(None);
        };
        self.buffered -= frame.len();
        let event = self.read(frame);
        self.phase = match &event {
            Ok(Event::Close) => Phase::Closed,
            Ok(_) => Phase::Stanzas,
            Err(error) => Phase::Failed(*error),
        };
        if !matches!(self.phase, Phase::Stanzas) {
            self.frames = VecDeque::new();
            self.buffered = 0;
        }
        event.map(Some)
    }

    fn read(&self, frame: Bytes) -> Result<Event, WireError> {
        // RFC 7395 §3.3.3: no white space, no declaration.
        if frame.first() != Some(&b'<') {
            return Err(StreamFault::Text.into());
        }
        let stanza = Stanza::parse(frame, "", &self.limits)?;
        match (stanza.ns(), stanza.name()) {
            (ns::FRAMING, "open") => Ok(Event::Header(header(&stanza.element()))),
            (ns::FRAMING, "close") => Ok(Event::Close),
            (ns::FRAMING, _) => Err(StreamFault::Root.into()),
            // It is forwarded to streams whose default namespace is another.
            _ if matches!(self.phase, Phase::Stanzas) => own_default_ns(stanza, &self.limits),
            // Before `<open/>` comes nothing (RFC 7395 §3.4).
            _ => Err(StreamFault::Root.into()),
        }
    }
}

/// What `<open/>` says, as a header of RFC 6120 would.
fn header(open: &Element) -> Header {
    let attr = |name| open.attr(name).map(str::to_owned);
    Header {
        to: attr("to"),
        from: attr("from"),
        id: attr("id"),
        version: attr("version"),
        lang: attr("xml:lang"),
        default_ns: ns::name(ns::CLIENT),
        prefixes: vec![(Name::copied("stream"), ns::name(ns::STREAMS))],
    }
}

fn own_default_ns(stanza: Stanza, limits: &Limits) -> Result<Event, WireError> {
    let declared = declare_default_ns(stanza.bytes(), "");
    if declared.len() == stanza.bytes().len() {
        return Ok(Event::Stanza(stanza));
    }
    // Ten bytes that we add do not make it too large.
    let limits = Limits {
        stanza_bytes_max: declared.len(),
        attributes_max: limits.attributes_max.saturating_add(1),
        ..*limits
    };
    Stanza::parse(declared, "", &limits).map(Event::Stanza)
}

/// The element with `default_ns` declared as its default namespace, unless it declares one itself.
/// An element that stands alone in a message has no stream to inherit that from (RFC 7395 §3.3.3).
/// `element` is valid: what was read by this crate, or written.
#[must_use]
pub fn declare_default_ns(element: &Bytes, default_ns: &str) -> Bytes {
    let Some(at) = undeclared(element) else {
        return element.clone();
    };
    let (head, rest) = element.split_at(at);
    let mut out = Vec::with_capacity(element.len() + default_ns.len() + " xmlns=''".len());
    out.extend_from_slice(head);
    out.extend_from_slice(b" xmlns='");
    escape_value(&mut out, default_ns);
    out.push(b'\'');
    out.extend_from_slice(rest);
    out.into()
}

/// Where the root's name ends, if its start tag declares no default namespace.
fn undeclared(element: &[u8]) -> Option<usize> {
    const DECLARES: &[u8] = b"xmlns";
    let ends_name = |b: &u8| matches!(b, b' ' | b'\t' | b'\r' | b'\n' | b'=' | b'/' | b'>');
    let name_end = element.iter().position(ends_name)?;
    let mut rest = element.get(name_end..)?;
    loop {
        rest = rest.trim_ascii_start();
        let length = rest.iter().position(ends_name)?;
        if length == 0 {
            return Some(name_end);
        }
        let (name, after) = rest.split_at(length);
        if name == DECLARES {
            return None;
        }
        let open = after.iter().position(|b| matches!(b, b'\'' | b'"'))?;
        let quote = after.get(open)?;
        let value = after.get(open + 1..)?;
        let close = value.iter().position(|b| b == quote)?;
        rest = value.get(close + 1..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Fault;

    const OPEN: &str = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='a.example' version='1.0' xml:lang='de'/>";

    fn reader(frames: &[&str]) -> FrameReader {
        let mut reader = FrameReader::new(Limits::BEFORE_LOGIN);
        for frame in frames {
            reader.push(Bytes::copy_from_slice(frame.as_bytes()));
        }
        reader
    }

    #[test]
    fn open_is_a_header_and_close_the_end() {
        let close = "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>";
        let mut reader = reader(&[OPEN, "<iq xmlns='jabber:client'/>", close, "<more/>"]);
        let Ok(Some(Event::Header(header))) = reader.next() else {
            panic!("no header")
        };
        assert_eq!(header.to.as_deref(), Some("a.example"));
        assert_eq!(header.version.as_deref(), Some("1.0"));
        assert_eq!(header.lang.as_deref(), Some("de"));
        assert_eq!(&*header.default_ns, ns::CLIENT);
        let Ok(Some(Event::Stanza(stanza))) = reader.next() else {
            panic!("no stanza")
        };
        assert_eq!((stanza.ns(), stanza.name()), (ns::CLIENT, "iq"));
        assert_eq!(reader.next(), Ok(Some(Event::Close)));
        assert_eq!(reader.next(), Ok(None));
        assert_eq!(reader.buffered(), 0);
    }

    #[test]
    fn each_frame_is_exactly_one_element() {
        let table = [
            ("", StreamFault::Text.into()),
            (" ", StreamFault::Text.into()),
            (" <a xmlns='b'/>", StreamFault::Text.into()),
            ("<a xmlns='b'/> ", Fault::Trailing.into()),
            ("<a xmlns='b'/><a xmlns='b'/>", Fault::Trailing.into()),
            ("<a xmlns='b'>", Fault::Truncated.into()),
            (
                "<b xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>",
                WireError::from(StreamFault::Root),
            ),
        ];
        for (frame, error) in table {
            let mut reader = reader(&[OPEN, frame, "<a xmlns='b'/>"]);
            assert!(matches!(reader.next(), Ok(Some(Event::Header(_)))));
            assert_eq!(reader.next(), Err(error), "{frame:?}");
            assert_eq!(reader.next(), Err(error), "{frame:?}");
            assert_eq!(reader.buffered(), 0);
        }
    }

    #[test]
    fn nothing_comes_before_open() {
        assert_eq!(
            reader(&["<iq xmlns='jabber:client'/>"]).next(),
            Err(StreamFault::Root.into())
        );
        let mut reader = reader(&[OPEN, "<a xmlns='b'/>"]);
        assert!(matches!(reader.next(), Ok(Some(Event::Header(_)))));
        assert!(reader.restart());
        reader.push(Bytes::from_static(b"<a xmlns='b'/>"));
        assert_eq!(reader.next(), Err(StreamFault::Root.into()));
    }

    #[test]
    fn limits_hold_for_each_frame() {
        let long = format!("<a xmlns='b'>{}</a>", "x".repeat(16 * 1024));
        let mut reader = reader(&[OPEN, &long]);
        assert!(matches!(reader.next(), Ok(Some(Event::Header(_)))));
        assert_eq!(reader.next(), Err(crate::error::Limit::StanzaBytes.into()));
    }

    #[test]
    fn a_prefixed_root_keeps_the_namespaces_of_what_is_inside() {
        let mut reader = reader(&[OPEN, "<c:iq xmlns:c='jabber:client'><x/></c:iq>"]);
        assert!(matches!(reader.next(), Ok(Some(Event::Header(_)))));
        let Ok(Some(Event::Stanza(stanza))) = reader.next() else {
            panic!("no stanza")
        };
        assert_eq!(
            &**stanza.bytes(),
            b"<c:iq xmlns='' xmlns:c='jabber:client'><x/></c:iq>"
        );
        assert!(stanza.has_child("", "x"));
    }

    #[test]
    fn the_default_namespace_is_declared_once() {
        let table = [
            ("<iq/>", "<iq xmlns='n'/>"),
            ("<iq>x</iq>", "<iq xmlns='n'>x</iq>"),
            (
                "<iq a=\"' xmlns='\" b = '>'/>",
                "<iq xmlns='n' a=\"' xmlns='\" b = '>'/>",
            ),
            ("<iq\n\txmlns = 'b' />", "<iq\n\txmlns = 'b' />"),
            ("<iq a='1' xmlns=\"b\">", "<iq a='1' xmlns=\"b\">"),
            ("<c:iq xmlns:c='b' />", "<c:iq xmlns='n' xmlns:c='b' />"),
            ("<iq xmlnsx='b'></iq>", "<iq xmlns='n' xmlnsx='b'></iq>"),
        ];
        for (element, expected) in table {
            let element = Bytes::from_static(element.as_bytes());
            let declared = declare_default_ns(&element, "n");
            assert_eq!(std::str::from_utf8(&declared), Ok(expected));
        }
        let declared = declare_default_ns(&Bytes::from_static(b"<iq/>"), "a&'b");
        assert_eq!(&*declared, b"<iq xmlns='a&amp;&apos;b'/>");
    }
}
