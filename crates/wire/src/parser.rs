//! The strict one-pass reader of one element.

mod attributes;
mod text;

pub(crate) use text::after_bang;

use crate::chars::{NAME, NAME_START, SPACE, is};
use crate::error::{Fault, Limit, Restricted, WireError};
use crate::limits::Limits;
use crate::scope::{NsRef, Outer, Scope, Span};
use smallvec::SmallVec;

/// A name as written, with the place of its colon.
#[derive(Clone, Copy)]
pub(crate) struct QName {
    pub(crate) whole: Span,
    /// Where the local part begins; `whole.start` when there is no prefix.
    pub(crate) local: u32,
}

impl QName {
    pub(crate) fn prefix(self) -> Option<Span> {
        (self.local != self.whole.start).then(|| Span {
            start: self.whole.start,
            end: self.local - 1,
        })
    }

    pub(crate) fn local(self) -> Span {
        Span {
            start: self.local,
            end: self.whole.end,
        }
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Attr {
    pub(crate) name: QName,
    pub(crate) value: Span,
    /// Whether the value means what is written: no reference, no tab, no end of line.
    pub(crate) plain: bool,
    /// Of the attribute; `Empty` without a prefix and for declarations.
    pub(crate) ns: NsRef,
    pub(crate) declares: bool,
}

/// A start tag, or a tag that is both.
pub(crate) struct Tag<'t> {
    pub(crate) name: QName,
    pub(crate) ns: NsRef,
    pub(crate) attrs: &'t [Attr],
    /// `<` and the byte after `>`.
    pub(crate) span: Span,
    /// Level of the element; the root's is 1.
    pub(crate) level: u32,
}

/// Takes what the parser finds, in order. Nothing comes any more after the first limit is passed.
pub(crate) trait Sink {
    fn start(&mut self, scope: &Scope<'_>, tag: &Tag<'_>);
    /// Character data; `cdata` says that it means what is written but for ends of lines.
    fn text(&mut self, scope: &Scope<'_>, raw: Span, cdata: bool);
    /// An element ended: the byte where its end tag begins, and the byte after the tag. Both are the
    /// same for a tag like `<a/>`. `level` is that of the element.
    fn end(&mut self, content_end: usize, end: usize, level: u32);
}

struct Open {
    name: Span,
    default_ns: NsRef,
    bindings: u16,
}

pub(crate) struct Parser<'a, S> {
    bytes: &'a [u8],
    at: usize,
    limits: &'a Limits,
    pub(crate) scope: Scope<'a>,
    pub(crate) sink: S,
    pub(crate) beyond: Option<Limit>,
    open: SmallVec<[Open; 12]>,
    attrs: SmallVec<[Attr; 12]>,
    default_ns: NsRef,
    /// Levels below the last that `open` may hold.
    too_deep: u32,
    elements: u32,
}

type Parsed<T> = Result<T, WireError>;

impl<'a, S: Sink> Parser<'a, S> {
    pub(crate) fn new(
        bytes: &'a [u8],
        outer: Outer<'a>,
        limits: &'a Limits,
        sink: S,
    ) -> Parser<'a, S> {
        Parser {
            bytes,
            at: 0,
            limits,
            scope: Scope::new(bytes, outer),
            sink,
            beyond: None,
            open: SmallVec::new(),
            attrs: SmallVec::new(),
            default_ns: NsRef::Inherited,
            too_deep: 0,
            elements: 0,
        }
    }

    /// Reads one element from the first byte and says where it ends.
    pub(crate) fn element(&mut self) -> Parsed<usize> {
        self.root_tag()?;
        while !self.open.is_empty() || self.too_deep > 0 {
            self.content()?;
        }
        Ok(self.at)
    }

    /// Reads the start tag at the first byte and says where it ends.
    pub(crate) fn root_tag(&mut self) -> Parsed<usize> {
        match (self.peek()?, self.bytes.get(self.at + 1)) {
            (b'<', Some(b'?')) => return Err(Restricted::ProcessingInstruction.into()),
            (b'<', Some(b'!')) => return Err(after_bang(self.bytes.get(self.at + 2).copied())),
            (b'<', _) => self.start_tag()?,
            _ => return Err(Fault::Tag.into()),
        }
        Ok(self.at)
    }

    fn content(&mut self) -> Parsed<()> {
        if self.peek()? != b'<' {
            return self.text();
        }
        match self.bytes.get(self.at + 1) {
            Some(b'/') => self.end_tag(),
            Some(b'!') => self.cdata(),
            Some(b'?') => Err(Restricted::ProcessingInstruction.into()),
            Some(_) => self.start_tag(),
            None => Err(Fault::Truncated.into()),
        }
    }

    fn peek(&self) -> Parsed<u8> {
        self.bytes
            .get(self.at)
            .copied()
            .ok_or(Fault::Truncated.into())
    }

    fn exceed(&mut self, limit: Limit) {
        self.beyond.get_or_insert(limit);
    }

    /// Whether there was any.
    fn space(&mut self) -> bool {
        let from = self.at;
        while self.bytes.get(self.at).is_some_and(|b| is(*b, SPACE)) {
            self.at += 1;
        }
        self.at != from
    }

    fn name(&mut self) -> Parsed<QName> {
        let start = self.at;
        self.name_part()?;
        let mut local = start;
        if self.bytes.get(self.at) == Some(&b':') {
            self.at += 1;
            local = self.at;
            self.name_part()?;
        }
        Ok(QName {
            whole: Span::new(start, self.at),
            local: local as u32,
        })
    }

    fn name_part(&mut self) -> Parsed<()> {
        if !is(self.peek()?, NAME_START) {
            return Err(Fault::Name.into());
        }
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        self.at += rest
            .iter()
            .position(|b| !is(*b, NAME))
            .unwrap_or(rest.len());
        if self.bytes.get(self.at).is_some_and(|b| *b >= 0x80) {
            return self.non_ascii_name();
        }
        Ok(())
    }

    #[cold]
    fn non_ascii_name(&mut self) -> Parsed<()> {
        self.exceed(Limit::NonAsciiName);
        while let Some(&byte) = self.bytes.get(self.at) {
            match byte {
                0x80.. => self.beyond_ascii()?,
                _ if is(byte, NAME) => self.at += 1,
                _ => break,
            }
        }
        Ok(())
    }

    fn start_tag(&mut self) -> Parsed<()> {
        let start = self.at;
        self.at += 1;
        let name = self.name()?;
        self.elements += 1;
        if self.elements > self.limits.elements_max {
            self.exceed(Limit::Elements);
        }
        let before = (self.default_ns, self.scope.bindings.len() as u16);
        let empty = self.attributes()?;
        let ns = match name.prefix() {
            None => self.default_ns,
            Some(prefix) => self.resolve(prefix)?,
        };
        let level = self.open.len() as u32 + self.too_deep + 1;
        if level > u32::from(self.limits.depth_max) {
            self.exceed(Limit::Depth);
        }
        if self.beyond.is_none() {
            let tag = Tag {
                name,
                ns,
                attrs: &self.attrs,
                span: Span::new(start, self.at),
                level,
            };
            self.sink.start(&self.scope, &tag);
        }
        if empty {
            self.leave(before);
            self.ended(self.at, level);
        } else if level > u32::from(self.limits.depth_max) {
            self.leave(before);
            self.too_deep += 1;
        } else {
            self.open.push(Open {
                name: name.whole,
                default_ns: before.0,
                bindings: before.1,
            });
        }
        Ok(())
    }

    fn leave(&mut self, (default_ns, bindings): (NsRef, u16)) {
        self.default_ns = default_ns;
        self.scope.bindings.truncate(bindings as usize);
    }

    fn ended(&mut self, content_end: usize, level: u32) {
        if self.beyond.is_none() {
            self.sink.end(content_end, self.at, level);
        }
    }

    fn end_tag(&mut self) -> Parsed<()> {
        let start = self.at;
        self.at += 2;
        if self.too_deep > 0 {
            // The name of the start tag was not kept.
            self.name()?;
            self.end_of_end_tag()?;
            self.too_deep -= 1;
            return Ok(());
        }
        let Some(open) = self.open.pop() else {
            return Err(Fault::EndTag.into());
        };
        let name = &self.bytes[open.name.range()];
        let rest = &self.bytes[self.at..];
        if !rest.starts_with(name) {
            return Err(if name.starts_with(rest) {
                Fault::Truncated.into()
            } else {
                Fault::EndTag.into()
            });
        }
        self.at += name.len();
        self.end_of_end_tag()?;
        self.leave((open.default_ns, open.bindings));
        self.ended(start, self.open.len() as u32 + 1);
        Ok(())
    }

    fn end_of_end_tag(&mut self) -> Parsed<()> {
        self.space();
        if self.peek()? != b'>' {
            return Err(Fault::EndTag.into());
        }
        self.at += 1;
        Ok(())
    }
}
