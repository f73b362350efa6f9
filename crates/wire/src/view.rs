//! Where the parts of a stanza stand that routing looks at.

use crate::name::Name;
use crate::parser::{Sink, Tag};
use crate::scope::{NsRef, Scope, Span};
use smallvec::SmallVec;

/// An attribute of the root: from its name's first byte to its closing quote.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AttrSpan {
    pub(crate) start: u32,
    pub(crate) value: Span,
    pub(crate) plain: bool,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Child {
    pub(crate) span: Span,
    pub(crate) name: Span,
    pub(crate) ns: NsRef,
}

#[derive(Debug)]
pub(crate) struct View {
    pub(crate) name: Span,
    /// The root's name as written, with its prefix.
    pub(crate) qname: Span,
    pub(crate) ns: NsRef,
    pub(crate) to: Option<AttrSpan>,
    pub(crate) from: Option<AttrSpan>,
    pub(crate) id: Option<AttrSpan>,
    pub(crate) kind: Option<AttrSpan>,
    pub(crate) lang: Option<AttrSpan>,
    /// The root's own declaration of its namespace.
    pub(crate) declaration: Option<AttrSpan>,
    /// Whether the root has a declaration without prefix.
    pub(crate) declares_default: bool,
    /// The byte after the root's start tag.
    pub(crate) head_end: u32,
    /// The byte where the root's end tag begins; the end when the root is one tag.
    pub(crate) content_end: u32,
    pub(crate) children: SmallVec<[Child; 4]>,
    pub(crate) unescaped: Vec<Box<str>>,
    /// The default namespace where the stanza stood.
    pub(crate) outer_ns: Name,
}

impl View {
    pub(crate) fn new() -> View {
        View {
            name: Span::default(),
            qname: Span::default(),
            ns: NsRef::Inherited,
            to: None,
            from: None,
            id: None,
            kind: None,
            lang: None,
            declaration: None,
            declares_default: false,
            head_end: 0,
            content_end: 0,
            children: SmallVec::new(),
            unescaped: Vec::new(),
            outer_ns: Name::EMPTY,
        }
    }

    fn root(&mut self, scope: &Scope<'_>, tag: &Tag<'_>) {
        self.qname = tag.name.whole;
        self.name = tag.name.local();
        self.ns = tag.ns;
        self.head_end = tag.span.end;
        let prefix = tag.name.prefix().map(|prefix| prefix.of(scope.bytes));
        for attr in tag.attrs {
            let span = AttrSpan {
                start: attr.name.whole.start,
                value: attr.value,
                plain: attr.plain,
            };
            if attr.declares {
                let declared = attr
                    .name
                    .prefix()
                    .map(|_| attr.name.local().of(scope.bytes));
                self.declares_default |= declared.is_none();
                if declared == prefix {
                    self.declaration = Some(span);
                }
                continue;
            }
            let slot = match attr.name.whole.of(scope.bytes) {
                b"to" => &mut self.to,
                b"from" => &mut self.from,
                b"id" => &mut self.id,
                b"type" => &mut self.kind,
                b"xml:lang" => &mut self.lang,
                _ => continue,
            };
            *slot = Some(span);
        }
    }
}

impl Sink for View {
    #[inline]
    fn start(&mut self, scope: &Scope<'_>, tag: &Tag<'_>) {
        match tag.level {
            1 => self.root(scope, tag),
            2 => self.children.push(Child {
                span: tag.span,
                name: tag.name.local(),
                ns: tag.ns,
            }),
            _ => {}
        }
    }

    #[inline]
    fn text(&mut self, _: &Scope<'_>, _: Span, _: bool) {}

    #[inline]
    fn end(&mut self, content_end: usize, end: usize, level: u32) {
        if level == 2 {
            if let Some(child) = self.children.last_mut() {
                child.span.end = end as u32;
            }
        } else if level == 1 {
            self.content_end = content_end as u32;
        }
    }
}
