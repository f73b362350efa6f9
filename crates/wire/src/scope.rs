//! Which namespaces are bound where.

use crate::error::{Fault, Limit};
use crate::escape::{Place, unescape};
use crate::name::Name;
use crate::ns;
use smallvec::SmallVec;

/// A range of a stanza's bytes. Stanzas are limited to 4 GiB.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    pub(crate) fn new(start: usize, end: usize) -> Span {
        debug_assert!(
            u32::try_from(end).is_ok(),
            "the parser refuses longer input"
        );
        Span {
            start: start as u32,
            end: end as u32,
        }
    }

    pub(crate) fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    pub(crate) fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.range()).unwrap_or_default()
    }
}

/// Where a namespace's name stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NsRef {
    /// The default namespace of what surrounds the parsed bytes.
    Inherited,
    /// No namespace.
    Empty,
    /// That of the prefix `xml`.
    Xml,
    /// By this number among the prefixes of what surrounds the parsed bytes.
    Outer(u16),
    /// As written.
    Raw(Span),
    /// By this number in [`Scope::unescaped`]: written with references.
    Unescaped(u16),
}

/// What surrounds parsed bytes: the stream's header, or a stanza's root around its child.
#[derive(Clone, Copy)]
pub(crate) struct Outer<'a> {
    pub(crate) default_ns: &'a str,
    pub(crate) prefixes: &'a [(Name, Name)],
}

impl<'a> Outer<'a> {
    pub(crate) fn bare(default_ns: &'a str) -> Outer<'a> {
        Outer {
            default_ns,
            prefixes: &[],
        }
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Binding {
    pub(crate) prefix: Span,
    pub(crate) ns: NsRef,
}

/// Bindings at one place of a stanza.
pub(crate) struct Scope<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) outer: Outer<'a>,
    pub(crate) bindings: SmallVec<[Binding; 4]>,
    /// Which of the outer prefixes were used, by bit; there are no more than 64.
    pub(crate) outer_used: u64,
    pub(crate) unescaped: Vec<Box<str>>,
}

impl<'a> Scope<'a> {
    pub(crate) fn new(bytes: &'a [u8], outer: Outer<'a>) -> Scope<'a> {
        Scope {
            bytes,
            outer,
            bindings: SmallVec::new(),
            outer_used: 0,
            unescaped: Vec::new(),
        }
    }

    /// Bytes of the parsed element that were read over, hence UTF-8.
    pub(crate) fn text(&self, span: Span) -> &'a str {
        std::str::from_utf8(span.of(self.bytes)).unwrap_or_default()
    }

    pub(crate) fn name(&self, ns: NsRef) -> &str {
        match ns {
            NsRef::Inherited => self.outer.default_ns,
            NsRef::Empty => "",
            NsRef::Xml => ns::XML,
            NsRef::Outer(index) => self
                .outer
                .prefixes
                .get(index as usize)
                .map_or("", |(_, ns)| ns),
            NsRef::Raw(span) => self.text(span),
            NsRef::Unescaped(index) => self.unescaped.get(index as usize).map_or("", |ns| ns),
        }
    }

    /// What a prefix means here; `xmlns` cannot be asked for.
    pub(crate) fn lookup(&mut self, prefix: &[u8]) -> Option<NsRef> {
        if prefix == b"xml" {
            return Some(NsRef::Xml);
        }
        let bytes = self.bytes;
        if let Some(inner) = self
            .bindings
            .iter()
            .rev()
            .find(|binding| binding.prefix.of(bytes) == prefix)
        {
            return Some(inner.ns);
        }
        let index = self
            .outer
            .prefixes
            .iter()
            .position(|(outer, _)| outer.as_bytes() == prefix)?;
        self.outer_used |= 1 << (index & 63);
        Some(NsRef::Outer(index as u16))
    }

    /// The namespace that a declaration's value names, checked as Namespaces in XML 1.0 §3 wants.
    /// `prefix` is `None` for `xmlns='…'`.
    pub(crate) fn declared(
        &mut self,
        prefix: Option<&[u8]>,
        value: Span,
        plain: bool,
    ) -> Result<(NsRef, Option<Limit>), Fault> {
        let raw = self.text(value);
        let unescaped;
        let name = if plain {
            raw
        } else {
            unescaped = unescape(raw, Place::Value);
            &*unescaped
        };
        if prefix == Some(b"xmlns")
            || name == ns::XMLNS
            || (prefix == Some(b"xml")) != (name == ns::XML)
        {
            return Err(Fault::ReservedNamespace);
        }
        if name.is_empty() {
            return if prefix.is_some() {
                Err(Fault::EmptyNamespace)
            } else {
                Ok((NsRef::Empty, None))
            };
        }
        let beyond = (!name.bytes().all(|b| crate::chars::is(b, crate::chars::URI)))
            .then_some(Limit::NamespaceName);
        if plain || name == raw {
            return Ok((NsRef::Raw(value), beyond));
        }
        let Ok(index) = u16::try_from(self.unescaped.len()) else {
            return Ok((NsRef::Empty, Some(Limit::Prefixes)));
        };
        let name = Box::from(name);
        self.unescaped.push(name);
        Ok((NsRef::Unescaped(index), beyond))
    }
}
