//! The inside of a start tag: attributes, declarations, namespaces.

use super::{Attr, Parsed, Parser, QName, Sink};
use crate::chars;
use crate::error::{Fault, Limit};
use crate::scope::{Binding, NsRef, Span};

impl<S: Sink> Parser<'_, S> {
    /// Reads attributes and the end of the tag; says whether the element is empty.
    pub(super) fn attributes(&mut self) -> Parsed<bool> {
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
        let whole = name.whole.of(self.bytes);
        if !whole.starts_with(b"xmlns") {
            return Ok(false);
        }
        let prefix = match name.prefix() {
            None if whole.len() == 5 => None,
            Some(prefix) if prefix.end - prefix.start == 5 => Some(name.local()),
            _ => return Ok(false),
        };
        let bytes = self.bytes;
        let (ns, beyond) =
            self.scope
                .declared(prefix.map(|prefix| prefix.of(bytes)), value, plain)?;
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

    pub(super) fn resolve(&mut self, prefix: Span) -> Parsed<NsRef> {
        match self.scope.lookup(prefix.of(self.bytes)) {
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
            let bytes = self.bytes;
            let same = |earlier: &Attr| {
                earlier.ns != NsRef::Empty
                    && earlier.name.local().of(bytes) == attr.name.local().of(bytes)
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
                0x80.. => {
                    self.beyond_ascii()?;
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
}
