//! Builds an element tree from what the parser finds.

use crate::element::{Attribute, Element, Node};
use crate::error::WireError;
use crate::escape::{Place, unescape};
use crate::limits::Limits;
use crate::name::Name;
use crate::ns;
use crate::parser::{Parser, Sink, Tag};
use crate::scope::{NsRef, Outer, Scope, Span};

struct Builder {
    open: Vec<Element>,
    root: Option<Element>,
    /// Names of namespaces seen lately: most elements share theirs with a neighbour.
    names: Vec<(NsRef, Name)>,
}

/// Namespaces remembered while building; a stanza seldom has more.
const NAMES_MAX: usize = 8;

impl Builder {
    fn ns(&mut self, scope: &Scope<'_>, ns: NsRef) -> Name {
        if let Some((_, name)) = self.names.iter().find(|(known, _)| *known == ns) {
            return name.clone();
        }
        let name = ns::name(scope.name(ns));
        if self.names.len() == NAMES_MAX {
            self.names.remove(0);
        }
        self.names.push((ns, name.clone()));
        name
    }
}

impl Sink for Builder {
    fn start(&mut self, scope: &Scope<'_>, tag: &Tag<'_>) {
        let ns = self.ns(scope, tag.ns);
        let mut element = Element::new(ns, Name::copied(scope.text(tag.name.local())));
        for attr in tag.attrs.iter().filter(|attr| !attr.declares) {
            let raw = scope.text(attr.value);
            let value = if attr.plain {
                raw.to_owned()
            } else {
                unescape(raw, Place::Value).into_owned()
            };
            let ns = if attr.ns == NsRef::Empty {
                Name::EMPTY
            } else {
                self.ns(scope, attr.ns)
            };
            element.attributes.push(Attribute {
                ns,
                name: Name::copied(scope.text(attr.name.local())),
                value,
            });
        }
        self.open.push(element);
    }

    fn text(&mut self, scope: &Scope<'_>, raw: Span, cdata: bool) {
        let raw = scope.text(raw);
        let Some(parent) = self.open.last_mut() else {
            return;
        };
        if cdata && raw.contains('&') {
            // No references in here, only ends of lines.
            parent.push_text(&raw.replace("\r\n", "\n").replace('\r', "\n"));
        } else {
            parent.push_text(&unescape(raw, Place::Text));
        }
    }

    fn end(&mut self, _: usize, _: usize, _: u32) {
        let Some(element) = self.open.pop() else {
            return;
        };
        match self.open.last_mut() {
            Some(parent) => parent.children.push(Node::Element(element)),
            None => self.root = Some(element),
        }
    }
}

/// Reads exactly one element.
pub(crate) fn build(bytes: &[u8], outer: Outer<'_>, limits: &Limits) -> Result<Element, WireError> {
    let builder = Builder {
        open: Vec::new(),
        root: None,
        names: Vec::new(),
    };
    let mut parser = Parser::new(bytes, outer, limits, builder);
    let end = parser.element()?;
    if end != bytes.len() {
        return Err(crate::Fault::Trailing.into());
    }
    match (parser.beyond, parser.sink.root) {
        (Some(limit), _) => Err(limit.into()),
        (None, Some(root)) => Ok(root),
        (None, None) => Err(crate::Fault::Truncated.into()),
    }
}
