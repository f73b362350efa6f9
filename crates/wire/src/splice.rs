mod moved;

use crate::chars::{SPACE, is};
use crate::error::WireError;
use crate::escape::escape_value;
use crate::scope::{NsRef, Span};
use crate::stanza::{CHECKED, Stanza};
use crate::view::{AttrSpan, View};
use bytes::Bytes;
use moved::Copied;
use smallvec::SmallVec;

/// Changes to a stanza, made by copying its bytes once. See [`Stanza::splice`](crate::Stanza::splice).
pub struct Splice<'a> {
    bytes: &'a [u8],
    view: &'a View,
    edits: SmallVec<[Edit<'a>; 6]>,
    /// A default namespace for a root with a prefix.
    inherited: Option<&'a str>,
    removed: SmallVec<[usize; 4]>,
    appended: Vec<u8>,
    /// What was appended is one element of this namespace and name.
    known: Option<(&'static str, &'static str)>,
}

struct Edit<'a> {
    attr: &'static str,
    place: Option<AttrSpan>,
    value: Option<&'a str>,
}

impl<'a> Splice<'a> {
    pub(crate) fn new(bytes: &'a [u8], view: &'a View) -> Splice<'a> {
        Splice {
            bytes,
            view,
            edits: SmallVec::new(),
            inherited: None,
            removed: SmallVec::new(),
            appended: Vec::new(),
            known: None,
        }
    }

    /// Sets or removes `to`.
    #[must_use]
    pub fn to(self, to: Option<&'a str>) -> Splice<'a> {
        let place = self.view.to;
        self.edit("to", place, to)
    }

    /// Sets or removes `from`.
    #[must_use]
    pub fn from(self, from: Option<&'a str>) -> Splice<'a> {
        let place = self.view.from;
        self.edit("from", place, from)
    }

    /// Sets or removes `id`.
    #[must_use]
    pub fn id(self, id: Option<&'a str>) -> Splice<'a> {
        let place = self.view.id;
        self.edit("id", place, id)
    }

    /// Sets or removes `type`.
    #[must_use]
    pub fn kind(self, kind: Option<&'a str>) -> Splice<'a> {
        let place = self.view.kind;
        self.edit("type", place, kind)
    }

    /// Sets or removes `xml:lang`.
    #[must_use]
    pub fn lang(self, lang: Option<&'a str>) -> Splice<'a> {
        let place = self.view.lang;
        self.edit("xml:lang", place, lang)
    }

    /// Makes the stanza fit a stream whose default namespace is `ns`: the root, and all inside that
    /// inherit from the stream, are in `ns` there. The root's own declaration of its namespace goes,
    /// or names `ns` if the root has a prefix.
    #[must_use]
    pub fn ns(self, ns: &'a str) -> Splice<'a> {
        let value = self.prefixed().then_some(ns);
        self.inherited(None).root(value)
    }

    /// As [`Splice::ns`], but with a declaration at the root, for a place with another default
    /// namespace or none: a WebSocket frame, a wrapped stanza (XEP-0297), a store.
    #[must_use]
    pub fn declare_ns(self, ns: &'a str) -> Splice<'a> {
        let inherits = self.prefixed() && !self.view.declares_default;
        self.inherited(inherits.then_some(ns)).root(Some(ns))
    }

    /// Takes away the child of this number, counted as [`Stanza::children`](crate::Stanza::children)
    /// does before any change.
    #[must_use]
    pub fn remove_child(mut self, index: usize) -> Splice<'a> {
        self.removed.push(index);
        self
    }

    /// Appends complete elements after the last child. They are taken as they are, written for the
    /// root's default namespace ([`Element::to_bytes`](crate::Element::to_bytes)).
    #[must_use]
    pub fn append(mut self, elements: &[u8]) -> Splice<'a> {
        self.known = None;
        self.appended.extend_from_slice(elements);
        self
    }

    /// Appends one complete element, as [`Splice::append`] does, of which it is known what it is: it begins with this name
    /// and the declaration of this namespace in single quotes. [`Splice::stanza`] does not read it then.
    #[must_use]
    pub fn append_known(
        mut self,
        element: &[u8],
        ns: &'static str,
        name: &'static str,
    ) -> Splice<'a> {
        let is_first = self.appended.is_empty();
        self = self.append(element);
        self.known = is_first.then_some((ns, name));
        self
    }

    /// The changed stanza's bytes.
    #[must_use]
    pub fn finish(self) -> Bytes {
        Bytes::from(self.copy().bytes)
    }

    /// The changed stanza. Where its parts stand follows from the changes, as long as they leave namespaces alone:
    /// only what was appended is read.
    ///
    /// # Errors
    /// What was appended is not what an element may hold there.
    pub fn stanza(self) -> Result<Stanza, WireError> {
        let view = self.view;
        let leaves_namespaces =
            self.inherited.is_none() && self.edits.iter().all(|edit| edit.attr != "xmlns");
        let appended = leaves_namespaces.then(|| moved::read(&self.appended, self.known));
        let copied = self.copy();
        match appended.flatten() {
            Some(appended) => {
                let moved = copied.view(view, appended);
                let bytes = Bytes::from(copied.bytes);
                Ok(Stanza::assemble(bytes, moved, &view.outer_ns))
            }
            None => Stanza::parse_in(Bytes::from(copied.bytes), &view.outer_ns, &CHECKED),
        }
    }

    fn copy(mut self) -> Copied {
        self.removed.sort_unstable();
        self.removed.dedup();
        // Those that are there in order of place; new ones first, since they stand after the name.
        self.edits
            .sort_by_key(|edit| edit.place.map_or(0, |place| place.start));
        let added: usize = self
            .edits
            .iter()
            .map(|edit| edit.attr.len() + edit.value.map_or(0, str::len) + 16)
            .sum();
        let mut copy = Copying {
            from: self.bytes,
            at: 0,
            out: Vec::with_capacity(self.bytes.len() + self.appended.len() + added),
            moves: SmallVec::new(),
            set: SmallVec::new(),
        };
        copy.up_to(self.view.qname.end as usize);
        if self.inherited.is_some() {
            let value = self.inherited;
            copy.edit(&Edit {
                attr: "xmlns",
                place: None,
                value,
            });
        }
        for edit in &self.edits {
            copy.edit(edit);
        }
        let head_end = self.view.head_end as usize;
        for index in &self.removed {
            if let Some(child) = self.view.children.get(*index) {
                copy.up_to(child.span.start as usize);
                copy.go_on_at(child.span.end as usize);
            }
        }
        let mut appended_at = 0;
        if self.appended.is_empty() {
            copy.up_to(self.bytes.len());
        } else if self.bytes.get(head_end - 2..) == Some(b"/>") {
            copy.up_to(head_end - 2);
            copy.out.push(b'>');
            appended_at = copy.out.len();
            copy.out.extend_from_slice(&self.appended);
            copy.out.extend_from_slice(b"</");
            copy.out
                .extend_from_slice(&self.bytes[self.view.qname.range()]);
            copy.out.push(b'>');
        } else {
            copy.up_to(self.view.content_end as usize);
            appended_at = copy.out.len();
            copy.out.extend_from_slice(&self.appended);
            copy.up_to(self.bytes.len());
        }
        Copied {
            bytes: copy.out,
            moves: copy.moves,
            set: copy.set,
            removed: self.removed,
            appended: Span::new(appended_at, appended_at + self.appended.len()),
        }
    }

    fn prefixed(&self) -> bool {
        self.view.name != self.view.qname
    }

    fn root(self, ns: Option<&'a str>) -> Splice<'a> {
        if self.view.ns == NsRef::Xml {
            // A root called `xml:…`, which is no stanza, but an element that was accepted: that
            // prefix cannot be bound to anything else.
            return self;
        }
        let place = self.view.declaration;
        self.edit("xmlns", place, ns)
    }

    fn inherited(mut self, ns: Option<&'a str>) -> Splice<'a> {
        self.inherited = ns;
        self
    }

    fn edit(
        mut self,
        attr: &'static str,
        place: Option<AttrSpan>,
        value: Option<&'a str>,
    ) -> Splice<'a> {
        self.edits.retain(|edit| edit.attr != attr);
        if place.is_some() || value.is_some() {
            self.edits.push(Edit { attr, place, value });
        }
        self
    }
}

struct Copying<'a> {
    from: &'a [u8],
    at: usize,
    out: Vec<u8>,
    /// From which byte on what is copied stands how many bytes later.
    moves: SmallVec<[(u32, i64); 8]>,
    /// Attributes that were edited, and where they stand now.
    set: SmallVec<[(&'static str, Option<AttrSpan>); 6]>,
}

impl Copying<'_> {
    fn up_to(&mut self, end: usize) {
        self.out.extend_from_slice(&self.from[self.at..end]);
        self.at = end;
    }

    /// Leaves out what stands before.
    fn go_on_at(&mut self, at: usize) {
        self.at = at;
        let later = self.out.len() as i64 - at as i64;
        self.moves.push((at as u32, later));
    }

    fn edit(&mut self, edit: &Edit<'_>) {
        match (edit.place, edit.value) {
            (Some(place), Some(value)) => {
                let name_bytes = place.value.start - place.start;
                self.up_to(place.value.start as usize);
                self.value(edit.attr, name_bytes, value);
                self.go_on_at(place.value.end as usize);
            }
            (Some(place), None) => {
                let mut start = place.start as usize;
                while is(self.from[start - 1], SPACE) {
                    start -= 1;
                }
                self.up_to(start);
                self.go_on_at(place.value.end as usize + 1);
                self.set.push((edit.attr, None));
            }
            (None, Some(value)) => {
                self.out.push(b' ');
                self.out.extend_from_slice(edit.attr.as_bytes());
                self.out.extend_from_slice(b"='");
                self.value(edit.attr, edit.attr.len() as u32 + 2, value);
                self.out.push(b'\'');
                self.go_on_at(self.at);
            }
            (None, None) => {}
        }
    }

    /// Writes an attribute's value, and notes where. Its name, the sign and the quote took so many bytes before.
    fn value(&mut self, attr: &'static str, name_bytes: u32, value: &str) {
        let start = self.out.len();
        escape_value(&mut self.out, value);
        let span = AttrSpan {
            start: start as u32 - name_bytes,
            value: Span::new(start, self.out.len()),
            plain: self.out[start..] == *value.as_bytes(),
        };
        self.set.push((attr, Some(span)));
    }
}
