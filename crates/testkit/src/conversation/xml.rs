//! The XML of a conversation: what is sent, with holes to fill, and what is expected, with holes to
//! match.

use std::collections::BTreeMap;

use waxwing_stream::sasl::proof_of_token;
use waxwing_wire::{Beyond, Element, Event, Header, Limits, Node, Reader};

/// Names and what they stand for.
pub(super) type Bindings = BTreeMap<String, String>;

/// What is sent: bytes, and names whose values come in between.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    parts: Vec<Part>,
    /// Whether stanzas of ours may follow: not after bytes that need not be XML.
    pub(super) is_raw: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Bytes(Vec<u8>),
    Name(String),
    /// The proof, by this account, of the token that the name stands for.
    Proof(String, String),
}

/// What is expected, one thing at the first level of a stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Pattern {
    /// An element, in whose attributes and texts holes may stand.
    Element(Element),
    /// A stream header; whether it may say more.
    Header(Header, bool),
    /// The end of the stream.
    End,
}

/// A place in a value that is not known beforehand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hole {
    /// The name that it binds; none for `{any}`.
    pub name: Option<String>,
    /// What may stand there.
    pub kind: Kind,
}

/// What may stand in a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Anything but nothing.
    Text,
    /// A time, XEP-0082.
    Time,
    /// Digits.
    Number,
}

/// A piece of an expected value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Hole(Hole),
}

/// Says in an element that more attributes may stand there; `…` in its start tag.
pub(super) const MORE: &str = "conversation-more";

/// Conversations show what is too large, too.
const LIMITS: Limits = Limits {
    stanza_bytes_max: 64 * 1024 * 1024,
    header_bytes_max: 64 * 1024,
    depth_max: 4_096,
    attributes_max: 4_096,
    prefixes_max: 4_096,
    elements_max: 1_000_000,
    beyond: Beyond::Refuse,
};

/// Where what is written in a conversation stands, unless it begins with a header of its own.
const HEADER: &str = "<stream:stream xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";

/// Reads what is expected.
pub(super) fn patterns(text: &str) -> Result<Vec<Pattern>, String> {
    let marked = mark_more(text);
    let patterns: Result<Vec<Pattern>, String> = events(&marked)?
        .into_iter()
        .map(|event| match event {
            Event::Header(header) => {
                let more = marked.contains(MORE);
                Ok(Pattern::Header(header, more))
            }
            Event::Stanza(stanza) => {
                let element = stanza.element();
                check(&element)?;
                Ok(Pattern::Element(element))
            }
            Event::Close => Ok(Pattern::End),
            Event::Whitespace | Event::Skipped(_) => Err("this says nothing".to_owned()),
        })
        .collect();
    match patterns {
        Ok(patterns) if patterns.is_empty() => {
            Err("this expects nothing; is `> … gets nothing` meant?".to_owned())
        }
        other => other,
    }
}

/// Every hole can be read.
fn check(element: &Element) -> Result<(), String> {
    for attribute in element.attributes() {
        pieces(&attribute.value)?;
    }
    for node in element.nodes() {
        match node {
            Node::Text(text) => drop(pieces(text)?),
            Node::Element(child) => check(child)?,
        }
    }
    Ok(())
}

fn events(text: &str) -> Result<Vec<Event>, String> {
    let mut reader = Reader::new(LIMITS);
    let has_header = text.starts_with("<?xml") || text.starts_with("<stream:stream");
    if !has_header {
        reader.push(HEADER.as_bytes());
        reader.next().map_err(|error| error.to_string())?;
    }
    reader.push(text.as_bytes());
    let mut events = Vec::new();
    while let Some(event) = reader.next().map_err(|error| error.to_string())? {
        if event != Event::Whitespace {
            events.push(event);
        }
    }
    match reader.buffered() {
        0 => Ok(events),
        left => Err(format!("the last {left} bytes are no whole element")),
    }
}

/// Makes an attribute of every `…` in a start tag.
fn mark_more(text: &str) -> String {
    let mut marked = String::with_capacity(text.len());
    let (mut in_tag, mut quote) = (false, None);
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let more = ["…", "..."].into_iter().find(|dots| rest.starts_with(dots));
        if let (true, None, Some(dots)) = (in_tag, quote, more) {
            marked.push_str(MORE);
            marked.push_str("=''");
            rest = &rest[dots.len()..];
            continue;
        }
        match (in_tag, quote) {
            (true, Some(open)) if next == open => quote = None,
            (true, None) if next == '\'' || next == '"' => quote = Some(next),
            (true, None) if next == '>' => in_tag = false,
            (false, _) if next == '<' => in_tag = true,
            _ => {}
        }
        marked.push(next);
        rest = &rest[next.len_utf8()..];
    }
    marked
}

/// Reads what is sent. `{70000 × a}` is 70,000 times `a`, `{0xff}` a byte, `{name}` what was bound, `{alice by name}` how
/// alice proves the token that was bound (XEP-0484, HT-SHA-256-NONE).
pub(super) fn template(text: &str, raw: bool) -> Result<Template, String> {
    if text.is_empty() {
        return Err("this says nothing".to_owned());
    }
    let mut parts = Vec::new();
    for (literal, hole) in split(text)? {
        push_bytes(&mut parts, literal.as_bytes());
        let Some(hole) = hole else { continue };
        if let Some((count, what)) = hole.split_once(" × ").or_else(|| hole.split_once(" x ")) {
            let count: usize = count
                .parse()
                .map_err(|_| format!("`{count}` is no number"))?;
            push_bytes(&mut parts, what.repeat(count).as_bytes());
        } else if let Some(byte) = hole.strip_prefix("0x") {
            let byte = u8::from_str_radix(byte, 16).map_err(|_| format!("`{hole}` is no byte"))?;
            push_bytes(&mut parts, &[byte]);
        } else if let Some((user, token)) = hole.split_once(" by ") {
            parts.push(Part::Proof(name(user)?, name(token)?));
        } else {
            parts.push(Part::Name(name(&hole)?));
        }
    }
    let template = Template { parts, is_raw: raw };
    if !raw {
        let sample = template.fill_with(|_| Some("x".to_owned()))?;
        let sample = String::from_utf8(sample).map_err(|_| "bytes need `, raw`".to_owned())?;
        events(&sample).map_err(|error| format!("{error}; is `, raw` meant?"))?;
    }
    Ok(template)
}

fn push_bytes(parts: &mut Vec<Part>, bytes: &[u8]) {
    match parts.last_mut() {
        Some(Part::Bytes(last)) => last.extend_from_slice(bytes),
        _ => parts.push(Part::Bytes(bytes.to_vec())),
    }
}

impl Template {
    /// The bytes, names replaced by what they stand for.
    pub(super) fn fill(&self, bindings: &Bindings) -> Result<Vec<u8>, String> {
        self.fill_with(|name| bindings.get(name).cloned())
    }

    fn fill_with(&self, value: impl Fn(&str) -> Option<String>) -> Result<Vec<u8>, String> {
        let bound =
            |name: &String| value(name).ok_or_else(|| format!("nothing is called {{{name}}} yet"));
        let mut bytes = Vec::new();
        for part in &self.parts {
            match part {
                Part::Bytes(literal) => bytes.extend_from_slice(literal),
                Part::Proof(user, token) => {
                    let proof = proof_of_token(user, &bound(token)?, &[]);
                    bytes.extend_from_slice(proof.as_bytes());
                }
                Part::Name(name) => {
                    let value = bound(name)?;
                    let escaped = value
                        .replace('&', "&amp;")
                        .replace('<', "&lt;")
                        .replace('\'', "&apos;");
                    bytes.extend_from_slice(escaped.as_bytes());
                }
            }
        }
        Ok(bytes)
    }
}

/// Reads an expected value.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    for (literal, hole) in split(text)? {
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal));
        }
        let Some(hole) = hole else { continue };
        let (word, kind) = match hole.split_once(':') {
            None => (hole.as_str(), Kind::Text),
            Some((word, "time")) => (word, Kind::Time),
            Some((word, "number")) => (word, Kind::Number),
            Some((_, other)) => return Err(format!("a hole holds time or number, not `{other}`")),
        };
        let name = name(word)?;
        pieces.push(Piece::Hole(Hole {
            name: (name != "any").then_some(name),
            kind,
        }));
    }
    Ok(pieces)
}

fn name(word: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if word.is_empty() || !word.bytes().all(plain) {
        return Err(format!(
            "`{{{word}}}` is no name; a brace is written `{{{{`"
        ));
    }
    Ok(word.to_owned())
}

/// Texts and what stands in braces after them. `{{` is a brace.
fn split(text: &str) -> Result<Vec<(String, Option<String>)>, String> {
    let mut found = Vec::new();
    let (mut literal, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('{') {
        literal.push_str(before);
        if let Some(after) = after.strip_prefix('{') {
            literal.push('{');
            rest = after;
            continue;
        }
        let Some((inside, after)) = after.split_once('}') else {
            return Err("a brace is open; one that is meant so is written `{{`".to_owned());
        };
        found.push((std::mem::take(&mut literal), Some(inside.to_owned())));
        rest = after;
    }
    literal.push_str(rest);
    found.push((literal, None));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_in_a_tag_become_an_attribute_and_nowhere_else() {
        let marked = mark_more("<a x='…' …><b ...>…</b></a>");
        assert_eq!(marked, format!("<a x='…' {MORE}=''><b {MORE}=''>…</b></a>"));
    }

    #[test]
    fn what_is_sent_is_spelled_out() {
        let filled = |text: &str, raw| {
            let bindings = Bindings::from([("id".to_owned(), "a&b".to_owned())]);
            template(text, raw).and_then(|template| template.fill(&bindings))
        };
        assert_eq!(
            filled("<a id='{id}'/>", false).unwrap(),
            b"<a id='a&amp;b'/>"
        );
        assert_eq!(filled("{3 × <a>}{0xff}", true).unwrap(), b"<a><a><a>\xff");
        assert_eq!(filled("<a>{{}</a>", false).unwrap(), b"<a>{}</a>");
        for wrong in [
            "",
            "<a>",
            "<a/><",
            "<a id='{Id}'/>",
            "{0xff}",
            "<a>{</a>",
            "a",
        ] {
            assert!(filled(wrong, false).is_err(), "{wrong}");
        }
        assert!(
            filled("<a id='{other}'/>", false)
                .unwrap_err()
                .contains("other")
        );
    }

    #[test]
    fn headers_elements_and_the_end_are_expected() {
        let read = patterns("<stream:features …/> <message/></stream:stream>").unwrap();
        assert!(matches!(
            read[..],
            [Pattern::Element(_), Pattern::Element(_), Pattern::End]
        ));
        let header = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
            xmlns:stream='http://etherx.jabber.org/streams' id='{id}' …>";
        assert!(matches!(
            patterns(header).unwrap()[..],
            [Pattern::Header(_, true)]
        ));
        for wrong in ["", "<a>", "<a b='{'/>", "<a>{b:colour}</a>", "<b:a/>"] {
            assert!(patterns(wrong).is_err(), "{wrong}");
        }
    }
}
