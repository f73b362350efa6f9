//! Stream headers: [RFC 6120 §4.7](https://www.rfc-editor.org/rfc/rfc6120#section-4.7).

use bytes::Bytes;
use waxwing_wire::{Element, Header, ns};

/// The stream's end tag.
pub const CLOSE: &[u8] = b"</stream:stream>";

/// What one side writes at the beginning of its stream; the prefix `stream` and version 1.0 are
/// given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OwnHeader<'a> {
    pub(crate) to: Option<&'a str>,
    pub(crate) from: Option<&'a str>,
    pub(crate) id: Option<&'a str>,
    pub(crate) lang: Option<&'a str>,
}

impl OwnHeader<'_> {
    /// What is said, as an element without content.
    pub(crate) fn element(&self, namespace: &'static str, name: &'static str) -> Element {
        let mut root = Element::new(namespace, name).with_attr("version", "1.0");
        let attributes = [
            ("from", self.from),
            ("to", self.to),
            ("id", self.id),
            ("xml:lang", self.lang),
        ];
        for (name, value) in attributes {
            if let Some(value) = value {
                root.set_attr(name, value);
            }
        }
        root
    }

    pub(crate) fn to_bytes(&self) -> Bytes {
        opening(&self.element(ns::CLIENT, "stream"))
    }
}

/// The start tag of a stream that says what `root` says, an element called `stream` without content.
pub(crate) fn opening(root: &Element) -> Bytes {
    // The writer writes whole elements without prefix; the header is half of one with a prefix.
    let whole = root.to_bytes("");
    let attributes = whole
        .strip_prefix(b"<stream")
        .and_then(|rest| rest.strip_suffix(b"/>"));
    let mut out = Vec::from(b"<?xml version='1.0'?><stream:stream xmlns:stream='");
    out.extend_from_slice(ns::STREAMS.as_bytes());
    out.push(b'\'');
    out.extend_from_slice(attributes.unwrap_or_default());
    out.push(b'>');
    out.into()
}

/// Whether a header speaks XMPP 1: RFC 6120 §4.7.5. Without version it is older than that. A higher
/// minor version is answered with ours.
pub(crate) fn is_version_1(header: &Header) -> bool {
    major(header) == Some("1")
}

/// Whether a header speaks XMPP 1 or later, which is answered with ours: the lower one counts (§4.7.5).
pub(crate) fn is_version_1_or_later(header: &Header) -> bool {
    major(header).is_some_and(|major| !major.is_empty())
}

/// The major version, without zeros before it.
fn major(header: &Header) -> Option<&str> {
    let (major, minor) = header.version.as_deref()?.split_once('.')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(major) && is_number(minor)).then(|| major.trim_start_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use waxwing_wire::{Event, Limits, Reader};

    #[test]
    fn a_header_says_what_it_was_given() {
        let own = OwnHeader {
            to: Some("a&b"),
            from: Some("example.org"),
            id: Some("'<i>\""),
            lang: Some("en"),
        };
        let mut reader = Reader::new(Limits::BEFORE_LOGIN);
        reader.push(&own.to_bytes());
        let Ok(Some(Event::Header(header))) = reader.next() else {
            panic!("no header")
        };
        assert_eq!(header.to.as_deref(), Some("a&b"));
        assert_eq!(header.from.as_deref(), Some("example.org"));
        assert_eq!(header.id.as_deref(), Some("'<i>\""));
        assert_eq!(header.lang.as_deref(), Some("en"));
        assert_eq!(&*header.default_ns, ns::CLIENT);
        assert!(is_version_1(&header));
        reader.push(CLOSE);
        assert_eq!(reader.next(), Ok(Some(Event::Close)));
    }

    #[test]
    fn versions_are_compared_by_number() {
        let table = [
            (Some("1.0"), true, true),
            (Some("1.1"), true, true),
            (Some("01.00"), true, true),
            (Some("1.42"), true, true),
            (None, false, false),
            (Some(""), false, false),
            (Some("0.9"), false, false),
            (Some("00.9"), false, false),
            (Some("2.0"), false, true),
            (Some("10.0"), false, true),
            (Some("1"), false, false),
            (Some("1."), false, false),
            (Some("+1.0"), false, false),
            (Some("1.0.0"), false, false),
        ];
        for (version, one, later) in table {
            let header = Header {
                version: version.map(str::to_owned),
                ..Header::default()
            };
            assert_eq!(is_version_1(&header), one, "{version:?}");
            assert_eq!(is_version_1_or_later(&header), later, "{version:?}");
        }
    }
}
