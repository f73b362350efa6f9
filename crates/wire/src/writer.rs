use crate::chars::{NAME, NAME_START, is};
use crate::escape::{escape_text, escape_value};
use crate::name::Name;
use crate::ns;
use bytes::Bytes;
use std::ops::Range;

/// Writes XML into memory: escaped, with the namespace declarations that are needed, and
/// well-formed whatever it is given. Characters that XML cannot carry become U+FFFD; in names,
/// whatever a name cannot hold becomes `_`.
pub struct Writer {
    out: Vec<u8>,
    parent_ns: Name,
    open: Vec<Open>,
    /// Whether the start tag of the innermost element still lacks its `>`.
    in_tag: bool,
    /// Prefixes made up so far.
    prefixes: u32,
    /// Attributes of the start tag being written: namespace, and where the name stands.
    attrs: Vec<(Name, Range<usize>)>,
}

struct Open {
    /// Where its name stands in the output.
    name: Range<usize>,
    /// Default namespace inside of it.
    default_ns: Name,
}

impl Writer {
    /// A writer at a place where `parent_ns` is the default namespace.
    #[must_use]
    pub fn new(parent_ns: impl Into<Name>) -> Writer {
        Writer {
            out: Vec::new(),
            parent_ns: parent_ns.into(),
            open: Vec::new(),
            in_tag: false,
            prefixes: 0,
            attrs: Vec::new(),
        }
    }

    /// Begins an element, and declares its namespace if that is not the one around it.
    pub fn start(&mut self, ns: impl Into<Name>, name: &str) {
        self.close_tag();
        let ns = ns.into();
        self.out.push(b'<');
        let from = self.out.len();
        let around = self
            .open
            .last()
            .map_or(&self.parent_ns, |open| &open.default_ns);
        // No declaration may name either of these two; no element can be in the second.
        let default_ns = if matches!(&*ns, ns::XML | ns::XMLNS) {
            around.clone()
        } else {
            ns.clone()
        };
        let declare = *around != default_ns;
        if ns == ns::XML {
            self.out.extend_from_slice(b"xml:");
        }
        self.push_name(name);
        self.open.push(Open {
            name: from..self.out.len(),
            default_ns,
        });
        self.in_tag = true;
        self.attrs.clear();
        if declare {
            self.push_declaration("xmlns", &ns);
        }
    }

    /// Writes an attribute of the element just begun. Left out: one after its text or children, a
    /// second one of the same name, a namespace declaration (those are [`Writer::start`]'s).
    pub fn attr(&mut self, name: &str, value: &str) {
        match name.strip_prefix("xml:") {
            Some(local) => self.attr_ns(ns::XML, local, value),
            None => self.attr_ns("", name, value),
        }
    }

    /// Writes an attribute of a namespace, with a prefix made up for it.
    pub fn attr_ns(&mut self, ns: &str, name: &str, value: &str) {
        if !self.in_tag || ns == ns::XMLNS || (ns.is_empty() && name == "xmlns") {
            return;
        }
        let from = self.out.len();
        if ns.is_empty() || ns == ns::XML {
            self.out
                .extend_from_slice(if ns.is_empty() { b" " } else { b" xml:" });
        } else {
            let prefix = format!("ns{}", self.prefixes);
            self.prefixes += 1;
            self.push_declaration(&format!("xmlns:{prefix}"), ns);
            self.out.push(b' ');
            self.out.extend_from_slice(prefix.as_bytes());
            self.out.push(b':');
        }
        let local = self.out.len();
        self.push_name(name);
        let local = local..self.out.len();
        let same = |(other, range): &(Name, Range<usize>)| {
            *other == *ns && self.out[range.clone()] == self.out[local.clone()]
        };
        if self.attrs.iter().any(same) {
            self.out.truncate(from);
            return;
        }
        self.attrs.push((ns::name(ns), local));
        self.push_value(value);
    }

    /// Writes character data.
    pub fn text(&mut self, text: &str) {
        if !text.is_empty() {
            self.close_tag();
            escape_text(&mut self.out, text);
        }
    }

    /// Writes bytes as they are. They must be complete elements and character data, written for the
    /// default namespace that holds here: this is the one thing that the writer does not check.
    pub fn raw(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.close_tag();
            self.out.extend_from_slice(bytes);
        }
    }

    /// Ends the innermost element.
    pub fn end(&mut self) {
        let Some(open) = self.open.pop() else { return };
        if self.in_tag {
            self.in_tag = false;
            self.out.extend_from_slice(b"/>");
        } else {
            self.out.extend_from_slice(b"</");
            self.out.extend_from_within(open.name);
            self.out.push(b'>');
        }
    }

    /// Ends what is still open and gives the bytes.
    #[must_use]
    pub fn finish(self) -> Bytes {
        Bytes::from(self.finish_vec())
    }

    /// As [`Writer::finish`], to go on appending.
    #[must_use]
    pub fn finish_vec(mut self) -> Vec<u8> {
        while !self.open.is_empty() {
            self.end();
        }
        self.out
    }

    fn close_tag(&mut self) {
        if self.in_tag {
            self.in_tag = false;
            self.out.push(b'>');
        }
    }

    fn push_declaration(&mut self, name: &str, value: &str) {
        self.out.push(b' ');
        self.out.extend_from_slice(name.as_bytes());
        self.push_value(value);
    }

    fn push_value(&mut self, value: &str) {
        self.out.extend_from_slice(b"='");
        escape_value(&mut self.out, value);
        self.out.push(b'\'');
    }

    fn push_name(&mut self, name: &str) {
        let fits =
            |(index, b): (usize, u8)| b < 0x80 && is(b, if index == 0 { NAME_START } else { NAME });
        if name.is_empty() {
            self.out.push(b'_');
        }
        self.out.extend(
            name.bytes()
                .enumerate()
                .map(|byte| if fits(byte) { byte.1 } else { b'_' }),
        );
    }
}
