//! Character data between its written form and its meaning.

use crate::chars::is_xml_char;
use std::borrow::Cow;

/// Which rules of normalisation apply, XML 1.0 §2.11 and §3.3.3.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Between tags: CR LF and CR mean LF.
    Text,
    /// In an attribute's value: each of tab, LF, CR and CR LF means a space.
    Value,
}

/// What validated character data means.
pub(crate) fn unescape(raw: &str, place: Place) -> Cow<'_, str> {
    let special = |b: u8| match place {
        Place::Text => matches!(b, b'&' | b'\r'),
        Place::Value => matches!(b, b'&' | b'\r' | b'\n' | b'\t'),
    };
    let Some(first) = raw.bytes().position(special) else {
        return Cow::Borrowed(raw);
    };
    let mut out = String::with_capacity(raw.len());
    out.push_str(&raw[..first]);
    let mut rest = &raw[first..];
    while let Some(byte) = rest.bytes().next() {
        let used = match byte {
            b'&' => {
                let end = rest.find(';').unwrap_or(rest.len() - 1);
                out.extend(referenced(&rest.as_bytes()[1..end]));
                end + 1
            }
            b'\r' => {
                out.push(if place == Place::Text { '\n' } else { ' ' });
                if rest.as_bytes().get(1) == Some(&b'\n') {
                    2
                } else {
                    1
                }
            }
            b'\n' | b'\t' if place == Place::Value => {
                out.push(' ');
                1
            }
            _ => {
                let run = rest.bytes().position(special).unwrap_or(rest.len());
                out.push_str(&rest[..run]);
                run
            }
        };
        rest = &rest[used..];
    }
    Cow::Owned(out)
}

/// What stands between `&` and `;`: one of the five of XML 1.0 §4.6 or a character's number.
pub(crate) fn referenced(name: &[u8]) -> Option<char> {
    match name {
        b"amp" => Some('&'),
        b"lt" => Some('<'),
        b"gt" => Some('>'),
        b"quot" => Some('"'),
        b"apos" => Some('\''),
        _ => {
            let digits = name.strip_prefix(b"#")?;
            let code = match digits.strip_prefix(b"x") {
                Some(hex) => number(hex, 16)?,
                None => number(digits, 10)?,
            };
            char::from_u32(code).filter(|_| is_xml_char(code))
        }
    }
}

// Not `from_str_radix`: it accepts a sign. Any count of leading zeros is legal.
fn number(digits: &[u8], radix: u32) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    let mut code: u32 = 0;
    for digit in digits {
        code = code
            .checked_mul(radix)?
            .checked_add(char::from(*digit).to_digit(radix)?)?;
    }
    Some(code)
}

/// Appends text so that it reads back the same. What XML cannot carry becomes U+FFFD.
pub(crate) fn escape_text(out: &mut Vec<u8>, text: &str) {
    escape(out, text, |c| match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '\r' => Some("&#13;"),
        _ => None,
    });
}

/// Appends an attribute's value, for either quote, so that it reads back the same.
pub(crate) fn escape_value(out: &mut Vec<u8>, value: &str) {
    escape(out, value, |c| match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '\'' => Some("&apos;"),
        '"' => Some("&quot;"),
        '\t' => Some("&#9;"),
        '\n' => Some("&#10;"),
        '\r' => Some("&#13;"),
        _ => None,
    });
}

/// First byte of the characters among which U+FFFE and U+FFFF are, which XML cannot carry.
const LAST_OF_PLANE: u8 = 0xEF;

fn escape(out: &mut Vec<u8>, text: &str, special: impl Fn(char) -> Option<&'static str>) {
    // Nearly all that is written needs nothing: bytes of which no character can begin that does are passed over.
    let may_need = |byte: &u8| {
        matches!(
            *byte,
            0..0x20 | b'&' | b'<' | b'>' | b'\'' | b'"' | LAST_OF_PLANE
        )
    };
    let (mut plain, mut from) = (0, 0);
    while let Some(found) = text.as_bytes()[from..].iter().position(may_need) {
        let at = from + found;
        let Some(c) = text[at..].chars().next() else {
            break;
        };
        from = at + c.len_utf8();
        let written = match special(c) {
            Some(written) => written,
            None if is_xml_char(c as u32) => continue,
            None => "\u{FFFD}",
        };
        out.extend_from_slice(&text.as_bytes()[plain..at]);
        out.extend_from_slice(written.as_bytes());
        plain = from;
    }
    out.extend_from_slice(&text.as_bytes()[plain..]);
}
