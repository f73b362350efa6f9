//! The parsers, each doing the same work.

use bytes::Bytes;
use quick_xml::NsReader;
use quick_xml::events::{BytesStart, Event as QuickEvent};
use quick_xml::name::{Namespace, ResolveResult};
use std::hint::black_box;
use waxwing_oracle::Record;
use waxwing_wire::{Event, Limits, Reader, Stanza, ns};

const HEADER: &[u8] =
    b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

pub(crate) trait Contender {
    fn name(&self) -> &'static str;
    /// Reads one stanza and says how many elements (for ours: first-level children and root) it saw.
    fn read(&mut self, stanza: &[u8]) -> usize;
}

/// What a connection does: bytes pushed, framed, validated, viewed.
pub(crate) struct Whole(Reader);

impl Whole {
    pub(crate) fn new() -> Whole {
        let mut reader = Reader::new(Limits::CLIENT);
        reader.push(HEADER);
        assert!(matches!(reader.next(), Ok(Some(Event::Header(_)))));
        Whole(reader)
    }
}

impl Contender for Whole {
    fn name(&self) -> &'static str {
        "ours: frame, validate, view"
    }

    fn read(&mut self, stanza: &[u8]) -> usize {
        self.0.push(stanza);
        match self.0.next() {
            Ok(Some(Event::Stanza(stanza))) => black_box(stanza).children().len() + 1,
            other => unreachable!("{other:?}"),
        }
    }
}

/// The same when every stanza comes in two pieces, so that the framer has to find its end.
pub(crate) struct Pieces(Whole);

impl Pieces {
    pub(crate) fn new() -> Pieces {
        Pieces(Whole::new())
    }
}

impl Contender for Pieces {
    fn name(&self) -> &'static str {
        "ours: the same, in two pieces"
    }

    fn read(&mut self, stanza: &[u8]) -> usize {
        let (one, two) = stanza.split_at(stanza.len() / 2);
        self.0.0.push(one);
        assert!(matches!(self.0.0.next(), Ok(None)));
        self.0.read(two)
    }
}

/// The same without the framer, as for WebSocket frames.
pub(crate) struct Framed;

impl Contender for Framed {
    fn name(&self) -> &'static str {
        "ours: validate, view"
    }

    fn read(&mut self, stanza: &[u8]) -> usize {
        let stanza = Stanza::parse(Bytes::copy_from_slice(stanza), ns::CLIENT, &Limits::CLIENT);
        black_box(stanza.expect("a stanza")).children().len() + 1
    }
}

/// quick-xml with the checks that it has, and those added that it lacks: characters, ASCII names,
/// unbound prefixes, attributes that are the same once namespaces are applied. It need not find the
/// ends of stanzas by itself.
pub(crate) struct QuickXml;

impl Contender for QuickXml {
    fn name(&self) -> &'static str {
        "quick-xml with all checks, no framing"
    }

    fn read(&mut self, stanza: &[u8]) -> usize {
        let text = std::str::from_utf8(stanza).expect("UTF-8");
        let mut reader = NsReader::from_str(text);
        let mut elements = 0;
        loop {
            match reader.read_event().expect("well-formed") {
                QuickEvent::Start(tag) => {
                    check_tag(&reader, &tag);
                    elements += 1;
                }
                QuickEvent::Empty(tag) => {
                    check_tag(&reader, &tag);
                    elements += 1;
                }
                QuickEvent::Text(text) => check_text(&text),
                QuickEvent::CData(text) => check_chars(&text),
                QuickEvent::GeneralRef(reference) => {
                    let char = reference.resolve_char_ref().expect("a reference");
                    let known = char.is_some()
                        || matches!(&*reference, "amp" | "lt" | "gt" | "quot" | "apos");
                    assert!(known);
                }
                QuickEvent::End(_) => {}
                QuickEvent::Eof => return elements,
                other => unreachable!("{other:?}"),
            }
        }
    }
}

fn check_tag(reader: &NsReader<&[u8]>, tag: &BytesStart<'_>) {
    check_name(tag.name().as_ref());
    let (ns, _) = reader.resolver().resolve_element(tag.name());
    assert!(!matches!(ns, ResolveResult::Unknown(_)));
    let mut prefixed: Vec<(Namespace<'_>, &str)> = Vec::new();
    for attribute in tag.attributes() {
        let attribute = attribute.expect("unique and well-formed");
        check_name(attribute.key.as_ref());
        let value = &*attribute.value;
        assert!(!value.contains('<'));
        check_chars(&quick_xml::escape::unescape(value).expect("references"));
        if attribute.key.as_namespace_binding().is_some() {
            continue;
        }
        match reader.resolver().resolve_attribute(attribute.key) {
            (ResolveResult::Bound(ns), local) => {
                let name = (ns, local.into_inner());
                assert!(!prefixed.contains(&name));
                prefixed.push(name);
            }
            (ResolveResult::Unbound, _) => {}
            (ResolveResult::Unknown(_), _) => unreachable!("an unbound prefix"),
        }
    }
}

fn check_name(name: &str) {
    let name = name.as_bytes();
    let first = |b: u8| b.is_ascii_alphabetic() || b == b'_';
    let fits = |b: u8| first(b) || b.is_ascii_digit() || matches!(b, b'-' | b'.' | b':');
    assert!(name.first().is_some_and(|b| first(*b)) && name.iter().all(|b| fits(*b)));
}

fn check_text(text: &str) {
    assert!(memchr::memmem::find(text.as_bytes(), b"]]>").is_none());
    check_chars(text);
}

/// As fast as we know to write it without tricks: most characters are decided by one comparison.
fn check_chars(text: &str) {
    let fits = |(at, b): (usize, u8)| match b {
        0..0x20 => matches!(b, b'\t' | b'\n' | b'\r'),
        0xEF => !matches!(
            text.as_bytes().get(at + 1..at + 3),
            Some([0xBF, 0xBE | 0xBF])
        ),
        _ => true,
    };
    assert!(text.bytes().enumerate().all(fits));
}

/// rxml, one parser for the whole stream.
pub(crate) struct Rxml(rxml::Parser);

impl Rxml {
    pub(crate) fn new() -> Rxml {
        let mut contender = Rxml(rxml::Parser::new());
        contender.read(HEADER);
        contender
    }
}

impl Contender for Rxml {
    fn name(&self) -> &'static str {
        "rxml"
    }

    fn read(&mut self, stanza: &[u8]) -> usize {
        use rxml::Parse;
        use rxml::error::EndOrError;
        let mut rest = stanza;
        let mut elements = 0;
        loop {
            match self.0.parse(&mut rest, false) {
                Ok(Some(event)) => {
                    let start = matches!(black_box(event), rxml::Event::StartElement(..));
                    elements += usize::from(start);
                }
                Ok(None) | Err(EndOrError::NeedMoreData) => return elements,
                Err(EndOrError::Error(error)) => unreachable!("{error}"),
            }
        }
    }
}

/// libexpat with namespaces, one parser for the whole stream; its handlers only count.
pub(crate) struct Expat {
    parser: waxwing_oracle::Expat,
    events: u64,
}

impl Expat {
    pub(crate) fn new() -> Expat {
        let mut parser = waxwing_oracle::Expat::new(1, Record::Counts);
        parser.feed(HEADER, false).expect("a header");
        let events = parser.events();
        Expat { parser, events }
    }
}

impl Contender for Expat {
    fn name(&self) -> &'static str {
        "libexpat with namespaces"
    }

    fn read(&mut self, stanza: &[u8]) -> usize {
        self.parser.feed(stanza, false).expect("well-formed");
        let before = std::mem::replace(&mut self.events, self.parser.events());
        (self.events - before) as usize
    }
}
