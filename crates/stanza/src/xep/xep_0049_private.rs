//! [XEP-0049: Private XML Storage](https://xmpp.org/extensions/xep-0049.html)

use waxwing_wire::Element;

use crate::payload::{PayloadError, payload};

/// Namespace of private storage, and the name of the feature.
pub const NS: &str = "jabber:iq:private";

payload! {
    /// What is stored, or which element is asked for.
    pub struct Private(NS, "query") {
        /// The elements, as they were written; they are the client's own.
        elements: Vec<Element> = by(read_elements, write_elements),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the payload macro wants it")]
fn read_elements(query: &Element) -> Result<Vec<Element>, PayloadError> {
    Ok(query.children().cloned().collect())
}

fn write_elements(query: &mut Element, elements: &[Element]) {
    for element in elements {
        query.push(element.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::written;

    /// Examples 1 and 2.
    #[test]
    fn examples() {
        let stored = written::<Private>(
            "<query xmlns='jabber:iq:private'><exodus xmlns='exodus:prefs'>\
             <defaultnick>Hamlet</defaultnick></exodus></query>",
        );
        assert_eq!(stored.elements[0].ns(), "exodus:prefs");
        let nothing = written::<Private>("<query xmlns='jabber:iq:private'/>");
        assert!(nothing.elements.is_empty());
    }
}
