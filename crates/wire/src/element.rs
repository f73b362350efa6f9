use crate::error::WireError;
use crate::limits::Limits;
use crate::name::Name;
use crate::ns;
use crate::scope::Outer;
use crate::tree;
use crate::writer::Writer;
use bytes::Bytes;
use std::fmt;

/// An element with all that is in it, namespaces resolved and references replaced.
///
/// Nothing here recurses: a tree of any depth is cloned, compared, written and dropped in a fixed
/// amount of stack.
#[derive(Default)]
pub struct Element {
    pub(crate) ns: Name,
    pub(crate) name: Name,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) children: Vec<Node>,
}

/// What an element holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Node {
    /// An element.
    Element(Element),
    /// Character data, never empty, never next to other character data.
    Text(String),
}

/// An attribute; namespace declarations are none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attribute {
    /// Namespace; empty for an attribute without prefix.
    pub ns: Name,
    /// Local name.
    pub name: Name,
    /// Meaning of the value: references replaced, whitespace normalised (XML 1.0 §3.3.3).
    pub value: String,
}

impl Attribute {
    fn is(&self, name: &str) -> bool {
        if self.ns.is_empty() {
            self.name == *name
        } else {
            self.ns == ns::XML && name.strip_prefix("xml:") == Some(&self.name)
        }
    }
}

impl Element {
    /// An empty element.
    #[must_use]
    pub fn new(ns: impl Into<Name>, name: impl Into<Name>) -> Element {
        Element {
            ns: ns.into(),
            name: name.into(),
            attributes: Vec::new(),
            children: Vec::new(),
        }
    }

    /// Reads exactly one element, strictly, within [`Limits::SERVER`].
    ///
    /// # Errors
    /// The bytes are no such element.
    pub fn parse(bytes: impl AsRef<[u8]>) -> Result<Element, WireError> {
        Element::parse_within(bytes, "", &Limits::SERVER)
    }

    /// Reads exactly one element as it stands where `default_ns` is the default namespace.
    ///
    /// # Errors
    /// The bytes are no such element, or it is beyond `limits`.
    pub fn parse_within(
        bytes: impl AsRef<[u8]>,
        default_ns: &str,
        limits: &Limits,
    ) -> Result<Element, WireError> {
        let bytes = bytes.as_ref();
        limits.admit(bytes.len())?;
        tree::build(bytes, Outer::bare(default_ns), limits)
    }

    /// Namespace; empty for none.
    #[must_use]
    pub fn ns(&self) -> &str {
        &self.ns
    }

    /// Local name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it has this namespace and name.
    #[must_use]
    pub fn is(&self, ns: &str, name: &str) -> bool {
        self.name == *name && self.ns == *ns
    }

    /// Value of an attribute without prefix, or of one in the namespace of `xml` (`xml:lang`).
    #[must_use]
    pub fn attr(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|attribute| attribute.is(name))
            .map(|attribute| attribute.value.as_str())
    }

    /// All attributes, in order.
    pub fn attributes(&self) -> impl Iterator<Item = &Attribute> {
        self.attributes.iter()
    }

    /// Sets an attribute without prefix, or `xml:lang` and the like.
    pub fn set_attr(&mut self, name: impl Into<Name>, value: impl Into<String>) {
        let name = name.into();
        if let Some(attribute) = self
            .attributes
            .iter_mut()
            .find(|attribute| attribute.is(&name))
        {
            attribute.value = value.into();
            return;
        }
        let (ns, name) = match name.strip_prefix("xml:") {
            Some(local) => (Name::fixed(ns::XML), Name::copied(local)),
            None => (Name::EMPTY, name),
        };
        self.attributes.push(Attribute {
            ns,
            name,
            value: value.into(),
        });
    }

    /// Sets an attribute of a namespace; it is written with a prefix that the writer makes up.
    pub fn set_attr_ns(
        &mut self,
        ns: impl Into<Name>,
        name: impl Into<Name>,
        value: impl Into<String>,
    ) {
        let attribute = Attribute {
            ns: ns.into(),
            name: name.into(),
            value: value.into(),
        };
        self.attributes
            .retain(|earlier| earlier.ns != attribute.ns || earlier.name != attribute.name);
        self.attributes.push(attribute);
    }

    /// Takes an attribute away, named as for [`Element::attr`].
    pub fn remove_attr(&mut self, name: &str) -> Option<String> {
        let index = self
            .attributes
            .iter()
            .position(|attribute| attribute.is(name))?;
        Some(self.attributes.remove(index).value)
    }

    /// The element with an attribute set, see [`Element::set_attr`].
    #[must_use]
    pub fn with_attr(mut self, name: impl Into<Name>, value: impl Into<String>) -> Element {
        self.set_attr(name, value);
        self
    }

    /// The element with a child appended.
    #[must_use]
    pub fn with_child(mut self, child: Element) -> Element {
        self.push(child);
        self
    }

    /// The element with text appended.
    #[must_use]
    pub fn with_text(mut self, text: &str) -> Element {
        self.push_text(text);
        self
    }

    /// Appends a child.
    pub fn push(&mut self, child: Element) {
        self.children.push(Node::Element(child));
    }

    /// Appends text.
    pub fn push_text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        match self.children.last_mut() {
            Some(Node::Text(last)) => last.push_str(text),
            _ => self.children.push(Node::Text(text.to_owned())),
        }
    }

    /// Everything inside, in order.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.children
    }

    /// Keeps those children, elements and text, that `keep` wants. Texts that come to stand next to
    /// each other become one.
    pub fn retain(&mut self, keep: impl FnMut(&Node) -> bool) {
        self.children.retain(keep);
        self.children.dedup_by(|next, last| match (next, last) {
            (Node::Text(next), Node::Text(last)) => {
                last.push_str(next);
                true
            }
            _ => false,
        });
    }

    /// Child elements, in order.
    pub fn children(&self) -> impl DoubleEndedIterator<Item = &Element> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(child) => Some(child),
            Node::Text(_) => None,
        })
    }

    /// Child elements, in order, to change them.
    pub fn children_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut Element> {
        self.children.iter_mut().filter_map(|node| match node {
            Node::Element(child) => Some(child),
            Node::Text(_) => None,
        })
    }

    /// The first child with this namespace and name.
    #[must_use]
    pub fn child(&self, ns: &str, name: &str) -> Option<&Element> {
        self.children().find(|child| child.is(ns, name))
    }

    /// The text directly inside, that of children not counted.
    #[must_use]
    pub fn text(&self) -> String {
        let texts = self.children.iter().filter_map(|node| match node {
            Node::Text(text) => Some(text.as_str()),
            Node::Element(_) => None,
        });
        texts.collect()
    }

    /// The element as it is written where `parent_ns` is the default namespace.
    #[must_use]
    pub fn to_bytes(&self, parent_ns: &str) -> Bytes {
        let mut writer = Writer::new(ns::name(parent_ns));
        self.write(&mut writer);
        writer.finish()
    }

    /// Appends the element to what is being written.
    pub fn write(&self, writer: &mut Writer) {
        let mut open = vec![(self.write_start(writer), self.children.iter())];
        while let Some((_, nodes)) = open.last_mut() {
            match nodes.next() {
                Some(Node::Text(text)) => writer.text(text),
                Some(Node::Element(child)) => {
                    open.push((child.write_start(writer), child.children.iter()));
                }
                None => {
                    writer.end();
                    open.pop();
                }
            }
        }
    }

    fn write_start(&self, writer: &mut Writer) {
        writer.start(&self.ns, &self.name);
        for attribute in &self.attributes {
            writer.attr_ns(&attribute.ns, &attribute.name, &attribute.value);
        }
    }

    fn without_children(&self) -> Element {
        Element {
            ns: self.ns.clone(),
            name: self.name.clone(),
            attributes: self.attributes.clone(),
            children: Vec::with_capacity(self.children.len()),
        }
    }

    fn same_tag(&self, other: &Element) -> bool {
        self.name == other.name
            && self.ns == other.ns
            && self.children.len() == other.children.len()
            && self.attributes.len() == other.attributes.len()
            && self
                .attributes
                .iter()
                .all(|attribute| other.attributes.contains(attribute))
    }
}

impl Clone for Element {
    fn clone(&self) -> Element {
        let mut open = vec![(self.without_children(), self.children.iter())];
        loop {
            let Some((copy, nodes)) = open.last_mut() else {
                return Element::default();
            };
            match nodes.next() {
                Some(Node::Text(text)) => copy.children.push(Node::Text(text.clone())),
                Some(Node::Element(child)) => {
                    open.push((child.without_children(), child.children.iter()));
                }
                None => {
                    let copy = std::mem::take(copy);
                    open.pop();
                    match open.last_mut() {
                        Some((parent, _)) => parent.children.push(Node::Element(copy)),
                        None => return copy,
                    }
                }
            }
        }
    }
}

/// The order of attributes means nothing, XML 1.0 §3.1; that of children does.
impl PartialEq for Element {
    fn eq(&self, other: &Element) -> bool {
        let mut left = vec![(self, other)];
        while let Some((one, two)) = left.pop() {
            if !one.same_tag(two) {
                return false;
            }
            for pair in one.children.iter().zip(&two.children) {
                match pair {
                    (Node::Element(one), Node::Element(two)) => left.push((one, two)),
                    (Node::Text(one), Node::Text(two)) if one == two => {}
                    _ => return false,
                }
            }
        }
        true
    }
}

impl Eq for Element {}

impl Drop for Element {
    fn drop(&mut self) {
        let mut left = std::mem::take(&mut self.children);
        while let Some(node) = left.pop() {
            if let Node::Element(mut element) = node {
                left.append(&mut element.children);
            }
        }
    }
}

impl fmt::Debug for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.to_bytes("")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_lose_what_is_between_become_one() {
        let mut element = Element::parse("<a>b<c/>d<e/>f</a>").expect("an element");
        element.retain(|node| matches!(node, Node::Text(_)));
        assert_eq!(element, Element::parse("<a>bdf</a>").expect("an element"));
    }
}
