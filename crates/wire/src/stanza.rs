use crate::element::Element;
use crate::error::{Fault, Limit, WireError};
use crate::escape::{Place, unescape};
use crate::limits::Limits;
use crate::name::Name;
use crate::ns;
use crate::parser::Parser;
use crate::scope::{NsRef, Outer, Scope, Span};
use crate::splice::Splice;
use crate::tree;
use crate::view::{AttrSpan, Child, View};
use bytes::Bytes;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// One complete, valid element of a stream: its bytes as they came, and where its parts stand.
///
/// Every prefix that it uses is declared inside of it; its default namespace may be inherited from
/// the stream, see [`Stanza::ns`]. A clone shares everything.
#[derive(Clone)]
pub struct Stanza {
    bytes: Bytes,
    view: Arc<View>,
}

impl Stanza {
    /// Reads exactly one element, strictly. `default_ns` is the default namespace of the stream that
    /// it stands in; empty for WebSocket frames, which declare their own (RFC 7395 §3.3).
    ///
    /// # Errors
    /// The bytes are no such element, or it is beyond `limits`; what is ill-formed and beyond limits
    /// is called ill-formed, unless it is larger than `stanza_bytes_max` and hence not read at all.
    pub fn parse(bytes: Bytes, default_ns: &str, limits: &Limits) -> Result<Stanza, WireError> {
        Stanza::parse_in(bytes, &ns::name(default_ns), limits)
    }

    pub(crate) fn parse_in(
        bytes: Bytes,
        default_ns: &Name,
        limits: &Limits,
    ) -> Result<Stanza, WireError> {
        limits.admit(bytes.len())?;
        let checked = check(&bytes, Outer::bare(default_ns), limits)?;
        if checked.end != bytes.len() {
            return Err(Fault::Trailing.into());
        }
        if let Some(limit) = checked.beyond {
            return Err(limit.into());
        }
        let view = View {
            outer_ns: default_ns.clone(),
            ..checked.view
        };
        Ok(Stanza {
            bytes,
            view: Arc::new(view),
        })
    }

    pub(crate) fn assemble(bytes: Bytes, view: View, default_ns: &Name) -> Stanza {
        Stanza {
            bytes,
            view: Arc::new(View {
                outer_ns: default_ns.clone(),
                ..view
            }),
        }
    }

    /// The bytes as they came.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Local name of the root, like `message`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text(self.view.name)
    }

    /// Namespace of the root, like `jabber:client`; empty for none.
    #[must_use]
    pub fn ns(&self) -> &str {
        self.ns_name(self.view.ns)
    }

    /// The default namespace of the stream that the stanza stood in.
    #[must_use]
    pub fn outer_ns(&self) -> &str {
        &self.view.outer_ns
    }

    /// Attribute `to` of the root.
    #[must_use]
    pub fn to(&self) -> Option<Cow<'_, str>> {
        self.value(self.view.to)
    }

    /// Attribute `from` of the root.
    #[must_use]
    pub fn from(&self) -> Option<Cow<'_, str>> {
        self.value(self.view.from)
    }

    /// Attribute `id` of the root.
    #[must_use]
    pub fn id(&self) -> Option<Cow<'_, str>> {
        self.value(self.view.id)
    }

    /// Attribute `type` of the root.
    #[must_use]
    pub fn kind(&self) -> Option<Cow<'_, str>> {
        self.value(self.view.kind)
    }

    /// Attribute `xml:lang` of the root.
    #[must_use]
    pub fn lang(&self) -> Option<Cow<'_, str>> {
        self.value(self.view.lang)
    }

    /// The elements directly inside, in order.
    pub fn children(&self) -> impl DoubleEndedIterator<Item = ChildView<'_>> + ExactSizeIterator {
        self.view.children.iter().map(|child| ChildView {
            stanza: self,
            child,
        })
    }

    /// The first element directly inside with this namespace and name.
    #[must_use]
    pub fn child(&self, ns: &str, name: &str) -> Option<ChildView<'_>> {
        self.children().find(|child| child.is(ns, name))
    }

    /// Whether an element with this namespace and name stands directly inside.
    #[must_use]
    pub fn has_child(&self, ns: &str, name: &str) -> bool {
        self.child(ns, name).is_some()
    }

    /// The whole as a tree.
    #[must_use]
    pub fn element(&self) -> Element {
        read_again(&self.bytes, Outer::bare(&self.view.outer_ns))
    }

    /// The same stanza with other addresses, another namespace for the root, more or fewer
    /// children; everything else stays as it is, byte by byte.
    #[must_use]
    pub fn splice(&self) -> Splice<'_> {
        Splice::new(&self.bytes, &self.view)
    }

    fn raw(&self, span: Span) -> &[u8] {
        span.of(&self.bytes)
    }

    fn text(&self, span: Span) -> &str {
        std::str::from_utf8(self.raw(span)).unwrap_or_default()
    }

    fn value(&self, attr: Option<AttrSpan>) -> Option<Cow<'_, str>> {
        let attr = attr?;
        let raw = self.text(attr.value);
        Some(if attr.plain {
            Cow::Borrowed(raw)
        } else {
            unescape(raw, Place::Value)
        })
    }

    fn ns_name(&self, ns: NsRef) -> &str {
        match ns {
            NsRef::Inherited => &self.view.outer_ns,
            NsRef::Raw(span) => self.text(span),
            NsRef::Unescaped(index) => self.view.unescaped.get(index as usize).map_or("", |ns| ns),
            NsRef::Xml => ns::XML,
            // A stanza that used a prefix from outside was given its declaration.
            NsRef::Empty | NsRef::Outer(_) => "",
        }
    }
}

impl fmt::Debug for Stanza {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.bytes))
    }
}

/// Compares bytes and what they inherit, not meaning.
impl PartialEq for Stanza {
    fn eq(&self, other: &Stanza) -> bool {
        self.bytes == other.bytes && self.view.outer_ns == other.view.outer_ns
    }
}

impl Eq for Stanza {}

/// An element directly inside of a stanza.
#[derive(Clone, Copy)]
pub struct ChildView<'a> {
    stanza: &'a Stanza,
    child: &'a Child,
}

impl<'a> ChildView<'a> {
    /// Local name.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.stanza.text(self.child.name)
    }

    /// Namespace; empty for none.
    #[must_use]
    pub fn ns(&self) -> &'a str {
        self.stanza.ns_name(self.child.ns)
    }

    /// Whether it has this namespace and name.
    #[must_use]
    pub fn is(&self, ns: &str, name: &str) -> bool {
        self.stanza.raw(self.child.name) == name.as_bytes() && self.is_in(ns)
    }

    fn is_in(&self, ns: &str) -> bool {
        match self.child.ns {
            NsRef::Raw(span) => self.stanza.raw(span) == ns.as_bytes(),
            other => self.stanza.ns_name(other) == ns,
        }
    }

    /// The text directly inside, that of its children not counted.
    #[must_use]
    pub fn text(&self) -> Cow<'a, str> {
        match self.only_text() {
            Some(raw) => unescape(raw, Place::Text),
            None => Cow::Owned(self.element().text()),
        }
    }

    /// What is between its tags, where nothing but text is.
    fn only_text(&self) -> Option<&'a str> {
        let text = std::str::from_utf8(self.bytes()).ok()?;
        let end = text.rfind('<')?;
        if end == 0 {
            return Some("");
        }
        // No value of an attribute has a '<', but some have a '>'.
        let inside = text.get(1..end).filter(|inside| !inside.contains('<'))?;
        let mut quote = None;
        let is_end = |c: char| match quote {
            None if matches!(c, '\'' | '"') => {
                quote = Some(c);
                false
            }
            None => c == '>',
            Some(open) => {
                quote = Some(open).filter(|open| *open != c);
                false
            }
        };
        let start = inside.find(is_end)?;
        inside.get(start + 1..)
    }

    /// The bytes as they stand in the stanza; namespaces may be inherited from there.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.stanza.raw(self.child.span)
    }

    /// The child without its context: what it inherits of it is declared by itself. Where it inherits the default
    /// namespace of its parent's own name, it gets `default_ns` instead: what is wrapped is not of the wrapper's kind.
    #[must_use]
    pub fn unwrapped(&self, default_ns: &str) -> Bytes {
        let (outer_ns, prefixes) = self.inherited();
        let outer = Outer {
            default_ns: &outer_ns,
            prefixes: &prefixes,
        };
        let bytes = self.bytes();
        let checked = check(bytes, outer, &CHECKED);
        debug_assert!(checked.is_ok(), "the same parser has accepted these bytes");
        let Ok(checked) = checked else {
            return Bytes::copy_from_slice(bytes);
        };
        let name_end = checked.view.qname.end as usize;
        let declared = crate::header::declare(&prefixes, bytes, name_end, checked.outer_used);
        let wrapper = *outer_ns == *self.stanza.ns();
        let inherited = if wrapper { default_ns } else { &outer_ns };
        crate::frames::declare_default_ns(&declared, inherited)
    }

    /// The default namespace and the prefixes that the stanza's start tag leaves to the child.
    fn inherited(&self) -> (Name, Vec<(Name, Name)>) {
        let head = self.stanza.raw(Span {
            start: 0,
            end: self.stanza.view.head_end,
        });
        crate::header::bindings(head, &self.stanza.view.outer_ns)
    }

    /// The child as a tree.
    #[must_use]
    pub fn element(&self) -> Element {
        let stanza = self.stanza;
        let (default_ns, prefixes) = self.inherited();
        let outer = Outer {
            default_ns: &default_ns,
            prefixes: &prefixes,
        };
        read_again(stanza.raw(self.child.span), outer)
    }
}

/// Limits for what was already found within limits.
pub(crate) const CHECKED: Limits = Limits {
    stanza_bytes_max: usize::MAX,
    header_bytes_max: usize::MAX,
    depth_max: u16::MAX,
    attributes_max: u16::MAX,
    prefixes_max: u16::MAX,
    elements_max: u32::MAX,
    beyond: crate::limits::Beyond::Refuse,
};

fn read_again(bytes: &[u8], outer: Outer<'_>) -> Element {
    let element = tree::build(bytes, outer, &CHECKED);
    debug_assert!(
        element.is_ok(),
        "the same parser has accepted these bytes: {element:?}"
    );
    element.unwrap_or_default()
}

pub(crate) struct Checked {
    pub(crate) view: View,
    pub(crate) beyond: Option<Limit>,
    pub(crate) outer_used: u64,
    /// Where the element ends.
    pub(crate) end: usize,
}

/// Reads the element that begins the bytes; what is beyond limits is no error here.
pub(crate) fn check(bytes: &[u8], outer: Outer<'_>, limits: &Limits) -> Result<Checked, WireError> {
    let mut parser = Parser::new(bytes, outer, limits, View::new());
    let end = parser.element()?;
    let Parser {
        sink: mut view,
        beyond,
        scope: Scope {
            outer_used,
            unescaped,
            ..
        },
        ..
    } = parser;
    view.unescaped = unescaped;
    Ok(Checked {
        view,
        beyond,
        outer_used,
        end,
    })
}
