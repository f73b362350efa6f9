//! What stands between tags, and in values: characters, references, CDATA sections.

use super::{Parsed, Parser, Sink};
use crate::chars::{self, NAME, NAME_START, is};
use crate::error::{Fault, Restricted, WireError};
use crate::escape::referenced;
use crate::scope::Span;

impl<S: Sink> Parser<'_, S> {
    /// Reads over characters beyond ASCII.
    pub(super) fn beyond_ascii(&mut self) -> Parsed<()> {
        let mut rest = self.bytes.get(self.at..).unwrap_or_default();
        while rest.first().is_some_and(|b| *b >= 0x80) {
            rest = &rest[character(rest)?..];
        }
        self.at = self.bytes.len() - rest.len();
        Ok(())
    }

    pub(super) fn reference(&mut self) -> Parsed<()> {
        let start = self.at + 1;
        let mut end = start;
        while self
            .bytes
            .get(end)
            .is_some_and(|b| is(*b, NAME) || matches!(b, b'#' | b':'))
        {
            end += 1;
        }
        let Some(after) = self.bytes.get(end) else {
            return Err(Fault::Truncated.into());
        };
        let name = &self.bytes[start..end];
        if *after != b';' {
            return Err(Fault::Reference.into());
        }
        if referenced(name).is_none() {
            let entity = name.first().is_some_and(|b| is(*b, NAME_START));
            return Err(if entity {
                Restricted::Entity.into()
            } else {
                Fault::Reference.into()
            });
        }
        self.at = end + 1;
        Ok(())
    }

    pub(super) fn text(&mut self) -> Parsed<()> {
        let start = self.at;
        loop {
            self.at = chars::find_in_text(self.bytes, self.at);
            match self.peek()? {
                b'<' => break,
                b'&' => self.reference()?,
                b']' if self.bytes[self.at..].starts_with(b"]]>") => {
                    return Err(Fault::CdataEnd.into());
                }
                0x80.. => self.beyond_ascii()?,
                b']' | b'\t' | b'\n' | b'\r' => self.at += 1,
                _ => return Err(Fault::Character.into()),
            }
        }
        if self.beyond.is_none() {
            self.sink
                .text(&self.scope, Span::new(start, self.at), false);
        }
        Ok(())
    }

    pub(super) fn cdata(&mut self) -> Parsed<()> {
        self.at += 2;
        let rest = &self.bytes[self.at..];
        if !rest.starts_with(b"[CDATA[") {
            let truncated = b"[CDATA[".starts_with(rest);
            return Err(if truncated {
                Fault::Truncated.into()
            } else {
                after_bang(rest.first().copied())
            });
        }
        self.at += 7;
        let start = self.at;
        loop {
            self.at = chars::find_in_text(self.bytes, self.at);
            match self.peek()? {
                b']' if self.bytes[self.at..].starts_with(b"]]>") => break,
                0x80.. => self.beyond_ascii()?,
                b']' | b'<' | b'&' | b'\t' | b'\n' | b'\r' => self.at += 1,
                _ => return Err(Fault::Character.into()),
            }
        }
        if self.beyond.is_none() {
            self.sink.text(&self.scope, Span::new(start, self.at), true);
        }
        self.at += 3;
        Ok(())
    }
}

/// Bytes of the character beyond ASCII that comes first, RFC 3629 §4. Not U+FFFE and U+FFFF, which
/// XML 1.0 §2.2 excludes.
fn character(bytes: &[u8]) -> Result<usize, Fault> {
    const CONTINUATION: std::ops::RangeInclusive<u8> = 0x80..=0xBF;
    let (length, second) = match bytes[0] {
        0xC2..=0xDF => (2, CONTINUATION),
        0xE0 => (3, 0xA0..=0xBF),
        0xED => (3, 0x80..=0x9F),
        0xE1..=0xEF => (3, CONTINUATION),
        0xF0 => (4, 0x90..=0xBF),
        0xF1..=0xF3 => (4, CONTINUATION),
        0xF4 => (4, 0x80..=0x8F),
        _ => return Err(Fault::Utf8),
    };
    let found = &bytes[..length.min(bytes.len())];
    let mut after = found[1..].iter();
    if after.next().is_some_and(|b| !second.contains(b)) || !after.all(|b| CONTINUATION.contains(b))
    {
        return Err(Fault::Utf8);
    }
    match found {
        [0xEF, 0xBF, 0xBE | 0xBF] => Err(Fault::Character),
        _ if found.len() < length => Err(Fault::Truncated),
        _ => Ok(length),
    }
}

/// Judges what follows `<!` and is not `[CDATA[`. The first byte must do, since the rest may not have
/// come yet.
pub(crate) fn after_bang(first: Option<u8>) -> WireError {
    match first {
        Some(b'-') => Restricted::Comment.into(),
        Some(b'D') => Restricted::Doctype.into(),
        Some(_) => Fault::Markup.into(),
        None => Fault::Truncated.into(),
    }
}
