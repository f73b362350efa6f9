//! Payload types: what stands inside of stanzas, one type an element.
//!
//! A type is written with `payload!`, which says where each field stands:
//!
//! ```text
//! payload! {
//!     /// One contact.
//!     pub struct Item(NS, "item") {
//!         /// Whose entry it is.
//!         jid: BareJid = attr("jid"),                      // T: must be there, Option<T>: may be
//!         /// What the owner calls it.
//!         name: Option<String> = attr("name"),
//!         /// The subscription.
//!         subscription: Subscription = attr("subscription", Subscription::None), // with a default
//!         /// What was asked; unknown values are read as `Default::default()`.
//!         ask: Option<Ask> = known_attr("ask"),
//!         /// The groups that it is in.
//!         groups: Vec<String> = text_child("group"),       // also T, Option<T>
//!         /// Everything below.
//!         entries: Vec<Entry> = child(),                   // also T, Option<T>; T is a payload
//!         /// Whether it was approved: an empty element that is there or not.
//!         approved: bool = flag("approved"),
//!         /// What the element itself says, the empty text included.
//!         note: String = text(),
//!         /// Anything else: `fn(&Element) -> Result<T, PayloadError>`, `fn(&mut Element, &T)`.
//!         content: Option<Element> = by(read_content, write_content),
//!     }
//! }
//! ```
//!
//! All fields are public. Attributes and children that the type does not know are ignored when read
//! (RFC 6120 §8.4); forwarding works on bytes and keeps them. Each type brings its own property test:
//! what was written is read back as it was, and nothing that is read panics.

mod error;
mod field;
mod keywords;
mod parts;
mod structs;
mod text;

#[cfg(test)]
pub(crate) mod testing;

use waxwing_wire::{Element, Stanza};

pub use error::PayloadError;
pub(crate) use field::{
    expect_element, read_attr, read_attr_or, read_child, read_flag, read_text, read_text_child,
    write_attr, write_child, write_flag, write_text, write_text_child,
};
pub(crate) use keywords::keywords;
pub(crate) use parts::parts;
pub(crate) use structs::payload;
pub use text::{Secret, Text, TextFault};

/// A type that is written as one element.
pub trait Payload: Sized {
    /// The element's namespace.
    const NS: &'static str;
    /// The element's name.
    const NAME: &'static str;

    /// Reads the element. Attributes and children that the type does not know are ignored.
    ///
    /// # Errors
    ///
    /// [`PayloadError`] when it is another element, or something in it is missing or wrong.
    fn read(element: &Element) -> Result<Self, PayloadError>;

    /// Writes the element.
    fn write(&self) -> Element;

    /// Whether the element has this type's namespace and name.
    fn is(element: &Element) -> bool {
        element.is(Self::NS, Self::NAME)
    }

    /// Reads the first child that is of this type.
    ///
    /// # Errors
    ///
    /// [`PayloadError`] when there is one, but something in it is missing or wrong.
    fn find(parent: &Element) -> Result<Option<Self>, PayloadError> {
        parent
            .child(Self::NS, Self::NAME)
            .map(Self::read)
            .transpose()
    }

    /// Reads the first payload of a stanza that is of this type.
    ///
    /// # Errors
    ///
    /// [`PayloadError`] when there is one, but something in it is missing or wrong.
    fn find_in(stanza: &Stanza) -> Result<Option<Self>, PayloadError> {
        let child = stanza.child(Self::NS, Self::NAME);
        child.map(|child| Self::read(&child.element())).transpose()
    }

    /// Whether the stanza has a payload of this type, right or wrong.
    fn is_in(stanza: &Stanza) -> bool {
        stanza.has_child(Self::NS, Self::NAME)
    }
}
