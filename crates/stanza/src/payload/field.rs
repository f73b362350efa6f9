//! How fields of payload types stand in elements. A field is a `T` (it must be there), an `Option<T>`
//! (it may be) or, where more than one can stand, a `Vec<T>`.

use waxwing_wire::Element;

use super::{Payload, PayloadError, Text};

/// Items that are written as text.
pub(crate) enum AsText {}
/// Items that are written as elements.
pub(crate) enum AsPayload {}

/// The type of a field: one item that must be there, one that may be, or many. `Kind` keeps the types
/// that are items as text apart from those that are items as elements.
pub(crate) trait Field<Kind>: Sized {
    /// What there is one or many of.
    type Item;

    /// Takes what was read; `None` when an item is missing that must be there.
    fn collect<E>(items: impl Iterator<Item = Result<Self::Item, E>>) -> Result<Option<Self>, E>;

    /// What to write.
    fn items(&self) -> &[Self::Item];
}

macro_rules! field {
    ($kind:ident of $bound:ident) => {
        impl<T: $bound> Field<$kind> for T {
            type Item = T;

            fn collect<E>(mut items: impl Iterator<Item = Result<T, E>>) -> Result<Option<T>, E> {
                items.next().transpose()
            }

            fn items(&self) -> &[T] {
                std::slice::from_ref(self)
            }
        }

        impl<T: $bound> Field<$kind> for Option<T> {
            type Item = T;

            fn collect<E>(
                mut items: impl Iterator<Item = Result<T, E>>,
            ) -> Result<Option<Option<T>>, E> {
                items.next().transpose().map(Some)
            }

            fn items(&self) -> &[T] {
                self.as_slice()
            }
        }

        impl<T: $bound> Field<$kind> for Vec<T> {
            type Item = T;

            fn collect<E>(items: impl Iterator<Item = Result<T, E>>) -> Result<Option<Vec<T>>, E> {
                items.collect::<Result<Vec<T>, E>>().map(Some)
            }

            fn items(&self) -> &[T] {
                self
            }
        }
    };
}

field!(AsText of Text);
field!(AsPayload of Payload);

/// Checks namespace and name.
pub(crate) fn expect_element<P: Payload>(element: &Element) -> Result<(), PayloadError> {
    if P::is(element) {
        Ok(())
    } else {
        Err(PayloadError::OtherElement {
            ns: P::NS,
            name: P::NAME,
        })
    }
}

/// Reads an attribute of `P`'s element.
pub(crate) fn read_attr<P: Payload, F>(
    element: &Element,
    attribute: &'static str,
) -> Result<F, PayloadError>
where
    F: Field<AsText, Item: Text>,
{
    let value = element
        .attr(attribute)
        .map(|value| read_value::<P, F::Item>(value, attribute));
    F::collect(value.into_iter())?.ok_or(PayloadError::NoAttribute {
        element: P::NAME,
        attribute,
    })
}

/// Reads an attribute of `P`'s element that has a default.
pub(crate) fn read_attr_or<P: Payload, T: Text>(
    element: &Element,
    attribute: &'static str,
    default: T,
) -> Result<T, PayloadError> {
    match element.attr(attribute) {
        Some(value) => read_value::<P, T>(value, attribute),
        None => Ok(default),
    }
}

fn read_value<P: Payload, T: Text>(
    value: &str,
    attribute: &'static str,
) -> Result<T, PayloadError> {
    T::from_text(value).map_err(|fault| PayloadError::Attribute {
        element: P::NAME,
        attribute,
        fault,
    })
}

/// Reads the element's own text.
pub(crate) fn read_text<P: Payload, T: Text>(element: &Element) -> Result<T, PayloadError> {
    T::from_text(&element.text()).map_err(|fault| PayloadError::Text {
        element: P::NAME,
        fault,
    })
}

/// Reads children that are payloads.
pub(crate) fn read_child<P: Payload, F>(element: &Element) -> Result<F, PayloadError>
where
    F: Field<AsPayload, Item: Payload>,
{
    let children = element
        .children()
        .filter(|child| F::Item::is(child))
        .map(F::Item::read);
    F::collect(children)?.ok_or(PayloadError::NoChild {
        element: P::NAME,
        child: F::Item::NAME,
    })
}

/// Reads children that hold nothing but text.
pub(crate) fn read_text_child<P: Payload, F>(
    element: &Element,
    name: &'static str,
) -> Result<F, PayloadError>
where
    F: Field<AsText, Item: Text>,
{
    let children = element
        .children()
        .filter(|child| child.is(P::NS, name))
        .map(|child| {
            F::Item::from_text(&child.text()).map_err(|fault| PayloadError::Text {
                element: name,
                fault,
            })
        });
    F::collect(children)?.ok_or(PayloadError::NoChild {
        element: P::NAME,
        child: name,
    })
}

/// Reads whether an empty child is there.
#[expect(
    clippy::unnecessary_wraps,
    reason = "the macro treats all places alike"
)]
pub(crate) fn read_flag<P: Payload>(
    element: &Element,
    name: &'static str,
) -> Result<bool, PayloadError> {
    Ok(element.child(P::NS, name).is_some())
}

/// Writes an attribute, unless it has its default value.
pub(crate) fn write_attr<F>(
    element: &mut Element,
    attribute: &'static str,
    field: &F,
    default: Option<&F>,
) where
    F: Field<AsText, Item: Text> + PartialEq,
{
    if default == Some(field) {
        return;
    }
    if let Some(value) = field.items().first() {
        element.set_attr(attribute, value.to_text());
    }
}

/// Writes the element's own text.
pub(crate) fn write_text<T: Text>(element: &mut Element, value: &T) {
    element.push_text(&value.to_text());
}

/// Writes children that are payloads.
pub(crate) fn write_child<F: Field<AsPayload, Item: Payload>>(element: &mut Element, field: &F) {
    for item in field.items() {
        element.push(item.write());
    }
}

/// Writes children that hold nothing but text.
pub(crate) fn write_text_child<P: Payload, F: Field<AsText, Item: Text>>(
    element: &mut Element,
    name: &'static str,
    field: &F,
) {
    for item in field.items() {
        element.push(Element::new(P::NS, name).with_text(&item.to_text()));
    }
}

/// Writes an empty child, or nothing.
pub(crate) fn write_flag<P: Payload>(element: &mut Element, name: &'static str, present: bool) {
    if present {
        element.push(Element::new(P::NS, name));
    }
}
