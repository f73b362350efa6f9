use crate::chars::{SPACE, is};
use crate::escape::escape_value;
use crate::scope::NsRef;
use crate::view::{AttrSpan, View};
use bytes::Bytes;
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
        self.appended.extend_from_slice(elements);
        self
    }

    /// The changed stanza's bytes.
    #[must_use]
    pub fn finish(mut self) -> Bytes {
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
                copy.at = child.span.end as usize;
            }
        }
        if self.appended.is_empty() {
            copy.up_to(self.bytes.len());
        } else if self.bytes.get(head_end - 2..) == Some(b"/>") {
            copy.up_to(head_end - 2);
            copy.out.push(b'>');
            copy.out.extend_from_slice(&self.appended);
            copy.out.extend_from_slice(b"</");
            copy.out
                .extend_from_slice(&self.bytes[self.view.qname.range()]);
            copy.out.push(b'>');
        } else {
            copy.up_to(self.view.content_end as usize);
            copy.out.extend_from_slice(&self.appended);
            copy.up_to(self.bytes.len());
        }
        Bytes::from(copy.out)
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
}

impl Copying<'_> {
    fn up_to(&mut self, end: usize) {
        self.out.extend_from_slice(&self.from[self.at..end]);
        self.at = end;
    }

    fn edit(&mut self, edit: &Edit<'_>) {
        match (edit.place, edit.value) {
            (Some(place), Some(value)) => {
                self.up_to(place.value.start as usize);
                escape_value(&mut self.out, value);
                self.at = place.value.end as usize;
            }
            (Some(place), None) => {
                let mut start = place.start as usize;
                while is(self.from[start - 1], SPACE) {
                    start -= 1;
                }
                self.up_to(start);
                self.at = place.value.end as usize + 1;
            }
            (None, Some(value)) => {
                self.out.push(b' ');
                self.out.extend_from_slice(edit.attr.as_bytes());
                self.out.extend_from_slice(b"='");
                escape_value(&mut self.out, value);
                self.out.push(b'\'');
            }
            (None, None) => {}
        }
    }
}
