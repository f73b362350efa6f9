//! The strict one-pass reader of one element.

use crate::chars::{self, NAME, NAME_START, SPACE, is};
use crate::error::{Fault, Limit, Restricted, WireError};
use crate::escape::referenced;
use crate::limits::Limits;
use crate::scope::{Binding, NsRef, Outer, Scope, Span};
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
        text: &'a str,
        outer: Outer<'a>,
        limits: &'a Limits,
        sink: S,
    ) -> Parser<'a, S> {
        Parser {
            bytes: text.as_bytes(),
            at: 0,
            limits,
            scope: Scope::new(text, outer),
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
        match self.peek()? {
            b'<' => self.start_tag()?,
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
        let first = self.peek()?;
        if !is(first, NAME_START) {
            return Err(Fault::Name.into());
        }
        let mut seen = first;
        self.at += 1;
        while let Some(&byte) = self.bytes.get(self.at)
            && is(byte, NAME)
        {
            seen |= byte;
            self.at += 1;
        }
        if seen >= 0x80 {
            self.exceed(Limit::NonAsciiName);
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

    /// Reads attributes and the end of the tag; says whether the element is empty.
    fn attributes(&mut self) -> Parsed<bool> {
        self.attrs.clear();
        let mut seen = 0;
        let mut prefixed = false;
        loop {
            let space = self.space();
            match self.peek()? {
                b'>' => {
                    self.at += 1;
                    break self.attribute_namespaces(prefixed).map(|()| false);
                }
                b'/' => {
                    self.at += 1;
                    if self.peek()? != b'>' {
                        return Err(Fault::Tag.into());
                    }
                    self.at += 1;
                    break self.attribute_namespaces(prefixed).map(|()| true);
                }
                _ if !space => return Err(Fault::Tag.into()),
                _ => prefixed |= self.attribute(&mut seen)?,
            }
        }
    }

    /// Says whether the attribute has a prefix that must be looked up.
    fn attribute(&mut self, seen: &mut u64) -> Parsed<bool> {
        let name = self.name()?;
        self.space();
        if self.peek()? != b'=' {
            return Err(Fault::Tag.into());
        }
        self.at += 1;
        self.space();
        let (value, plain) = self.value()?;
        self.unique(name.whole, seen)?;
        let declares = self.declaration(name, value, plain)?;
        if self.attrs.len() < self.limits.attributes_max as usize {
            self.attrs.push(Attr {
                name,
                value,
                plain,
                ns: NsRef::Empty,
                declares,
            });
        } else {
            self.exceed(Limit::Attributes);
        }
        Ok(!declares && name.prefix().is_some())
    }

    // A set of hashes in one word spares the comparison of all names with all.
    fn unique(&self, name: Span, seen: &mut u64) -> Parsed<()> {
        let written = &self.bytes[name.range()];
        let last = written.last().copied().unwrap_or_default();
        let bit = 1 << ((written.len() * 5 + written[0] as usize * 7 + last as usize) & 63);
        if *seen & bit != 0
            && self
                .attrs
                .iter()
                .any(|attr| self.bytes[attr.name.whole.range()] == *written)
        {
            return Err(Fault::DuplicateAttribute.into());
        }
        *seen |= bit;
        Ok(())
    }

    /// Binds what the attribute binds; says whether it is a declaration.
    fn declaration(&mut self, name: QName, value: Span, plain: bool) -> Parsed<bool> {
        let whole = name.whole.of(self.scope.text);
        if !whole.starts_with("xmlns") {
            return Ok(false);
        }
        let prefix = match name.prefix() {
            None if whole.len() == 5 => None,
            Some(prefix) if prefix.end - prefix.start == 5 => Some(name.local()),
            _ => return Ok(false),
        };
        let text = self.scope.text;
        let (ns, beyond) =
            self.scope
                .declared(prefix.map(|prefix| prefix.of(text)), value, plain)?;
        if let Some(limit) = beyond {
            self.exceed(limit);
        }
        match prefix {
            None => self.default_ns = ns,
            Some(prefix) if self.scope.bindings.len() < self.limits.prefixes_max as usize => {
                self.scope.bindings.push(Binding { prefix, ns });
            }
            Some(_) => self.exceed(Limit::Prefixes),
        }
        Ok(true)
    }

    fn resolve(&mut self, prefix: Span) -> Parsed<NsRef> {
        match self.scope.lookup(prefix.of(self.scope.text)) {
            Some(ns) => Ok(ns),
            // Declarations beyond limits were not kept: it may have been among them.
            None if self.beyond.is_some() => Ok(NsRef::Empty),
            None => Err(Fault::UnboundPrefix.into()),
        }
    }

    fn attribute_namespaces(&mut self, prefixed: bool) -> Parsed<()> {
        if !prefixed {
            return Ok(());
        }
        for index in 0..self.attrs.len() {
            let attr = self.attrs[index];
            let Some(prefix) = attr.name.prefix().filter(|_| !attr.declares) else {
                continue;
            };
            let ns = self.resolve(prefix)?;
            self.attrs[index].ns = ns;
            let text = self.scope.text;
            let same = |earlier: &Attr| {
                earlier.ns != NsRef::Empty
                    && earlier.name.local().of(text) == attr.name.local().of(text)
                    && self.scope.name(earlier.ns) == self.scope.name(ns)
            };
            if ns != NsRef::Empty && self.attrs[..index].iter().any(same) {
                return Err(Fault::DuplicateAttribute.into());
            }
        }
        Ok(())
    }

    fn value(&mut self) -> Parsed<(Span, bool)> {
        let quote = self.peek()?;
        if quote != b'"' && quote != b'\'' {
            return Err(Fault::Tag.into());
        }
        self.at += 1;
        let start = self.at;
        let mut plain = true;
        loop {
            self.at = chars::find_in_value(self.bytes, self.at, quote);
            match self.peek()? {
                b if b == quote => break,
                b'<' => return Err(Fault::LessThan.into()),
                b'&' => self.reference()?,
                chars::LEAD_EF => {
                    self.beyond_ef()?;
                    continue;
                }
                b'\t' | b'\n' | b'\r' => self.at += 1,
                _ => return Err(Fault::Character.into()),
            }
            plain = false;
        }
        self.at += 1;
        Ok((Span::new(start, self.at - 1), plain))
    }

    /// Excludes U+FFFE and U+FFFF, at the first byte of a character from U+F000 on.
    fn beyond_ef(&mut self) -> Parsed<()> {
        if matches!(
            self.bytes.get(self.at + 1..self.at + 3),
            Some([0xBF, 0xBE | 0xBF])
        ) {
            return Err(Fault::Character.into());
        }
        self.at += 3;
        Ok(())
    }

    fn reference(&mut self) -> Parsed<()> {
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
        let name = Span::new(start, end).of(self.scope.text);
        if *after != b';' {
            return Err(Fault::Reference.into());
        }
        if referenced(name).is_none() {
            let entity = name.bytes().next().is_some_and(|b| is(b, NAME_START));
            return Err(if entity {
                Restricted::Entity.into()
            } else {
                Fault::Reference.into()
            });
        }
        self.at = end + 1;
        Ok(())
    }

    fn text(&mut self) -> Parsed<()> {
        let start = self.at;
        loop {
            self.at = chars::find_in_text(self.bytes, self.at);
            match self.peek()? {
                b'<' => break,
                b'&' => self.reference()?,
                b']' if self.bytes[self.at..].starts_with(b"]]>") => {
                    return Err(Fault::CdataEnd.into());
                }
                chars::LEAD_EF => self.beyond_ef()?,
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

    fn cdata(&mut self) -> Parsed<()> {
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
                chars::LEAD_EF => self.beyond_ef()?,
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
