//! Where the parts of a stanza stand after changes to it.

use crate::scope::{NsRef, Outer, Span};
use crate::stanza::{CHECKED, check};
use crate::view::{AttrSpan, Child, View};
use smallvec::SmallVec;

/// A stanza's changed bytes, and what was done to them.
pub(super) struct Copied {
    pub(super) bytes: Vec<u8>,
    /// From which byte of the original on it stands how many bytes later, in order.
    pub(super) moves: SmallVec<[(u32, i64); 8]>,
    /// Attributes of the root that were set or removed.
    pub(super) set: SmallVec<[(&'static str, Option<AttrSpan>); 6]>,
    /// Children that were left out, in order.
    pub(super) removed: SmallVec<[usize; 4]>,
    /// Where the appended elements stand now; empty without any.
    pub(super) appended: Span,
}

/// Elements that are to be appended, if each says its own namespace as it is: then it is the same wherever they stand.
///
/// Of `known` namespace and name, it is one, which need not be read.
pub(super) fn read(elements: &[u8], known: Option<(&str, &str)>) -> Option<SmallVec<[Child; 4]>> {
    let mut children = SmallVec::new();
    if let Some(child) = known.and_then(|(ns, name)| begins(elements, ns, name)) {
        children.push(child);
        return Some(children);
    }
    let mut at = 0;
    while at < elements.len() {
        let checked = check(&elements[at..], Outer::bare(""), &CHECKED).ok()?;
        let (view, end) = (checked.view, at + checked.end);
        let NsRef::Raw(ns) = view.ns else {
            return None;
        };
        children.push(Child {
            span: Span::new(at, end),
            name: later(view.name, at as i64),
            ns: NsRef::Raw(later(ns, at as i64)),
        });
        at = end;
    }
    Some(children)
}

/// The element that all of the bytes are, if they begin with this name and the declaration of this namespace.
fn begins(element: &[u8], ns: &str, name: &str) -> Option<Child> {
    let rest = element.strip_prefix(b"<")?.strip_prefix(name.as_bytes())?;
    let rest = rest
        .strip_prefix(b" xmlns='")?
        .strip_prefix(ns.as_bytes())?;
    let ns_end = element.len() - rest.len();
    rest.starts_with(b"'").then(|| Child {
        span: Span::new(0, element.len()),
        name: Span::new(1, 1 + name.len()),
        ns: NsRef::Raw(Span::new(ns_end - ns.len(), ns_end)),
    })
}

fn later(span: Span, by: i64) -> Span {
    Span {
        start: (i64::from(span.start) + by) as u32,
        end: (i64::from(span.end) + by) as u32,
    }
}

impl Copied {
    /// The view of the changed stanza, from that of the original and the appended elements.
    pub(super) fn view(&self, before: &View, appended: SmallVec<[Child; 4]>) -> View {
        let slot = |attr, place: Option<AttrSpan>| {
            let set = self.set.iter().find(|(name, _)| *name == attr);
            set.map_or_else(|| place.map(|place| self.attr(place)), |(_, place)| *place)
        };
        let kept = before.children.iter().enumerate();
        let kept = kept.filter(|(number, _)| self.removed.binary_search(number).is_err());
        let mut children: SmallVec<[Child; 4]> = kept.map(|(_, child)| self.child(child)).collect();
        let was_one_tag = before.head_end == before.content_end;
        let has_more = !appended.is_empty();
        children.extend(appended.into_iter().map(|child| Child {
            span: later(child.span, i64::from(self.appended.start)),
            name: later(child.name, i64::from(self.appended.start)),
            ns: match child.ns {
                NsRef::Raw(span) => NsRef::Raw(later(span, i64::from(self.appended.start))),
                other => other,
            },
        }));
        let (head_end, content_end) = match (was_one_tag, has_more) {
            (true, true) => (self.appended.start, self.appended.end),
            (false, true) => (self.place(before.head_end), self.appended.end),
            (_, false) => (self.place(before.head_end), self.place(before.content_end)),
        };
        View {
            name: before.name,
            qname: before.qname,
            ns: self.ns(before.ns),
            to: slot("to", before.to),
            from: slot("from", before.from),
            id: slot("id", before.id),
            kind: slot("type", before.kind),
            lang: slot("xml:lang", before.lang),
            declaration: before.declaration.map(|place| self.attr(place)),
            declares_default: before.declares_default,
            head_end,
            content_end,
            children,
            unescaped: before.unescaped.clone(),
            outer_ns: before.outer_ns.clone(),
        }
    }

    fn place(&self, before: u32) -> u32 {
        let passed = self.moves.iter().rev().find(|(from, _)| *from <= before);
        (i64::from(before) + passed.map_or(0, |(_, later)| *later)) as u32
    }

    fn span(&self, before: Span) -> Span {
        // Nothing was changed inside of it, so that its end is as far from its start as before, whatever begins there.
        let start = self.place(before.start);
        Span {
            start,
            end: start + (before.end - before.start),
        }
    }

    fn attr(&self, before: AttrSpan) -> AttrSpan {
        let start = self.place(before.start);
        AttrSpan {
            start,
            value: later(before.value, i64::from(start) - i64::from(before.start)),
            plain: before.plain,
        }
    }

    fn child(&self, before: &Child) -> Child {
        Child {
            span: self.span(before.span),
            name: self.span(before.name),
            ns: self.ns(before.ns),
        }
    }

    fn ns(&self, before: NsRef) -> NsRef {
        match before {
            NsRef::Raw(span) => NsRef::Raw(self.span(span)),
            other => other,
        }
    }
}
