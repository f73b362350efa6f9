//! [XEP-0054: vcard-temp](https://xmpp.org/extensions/xep-0054.html)

use waxwing_wire::Element;

use crate::payload::{Payload, PayloadError};

/// Namespace of vCards, and the name of the feature.
pub const NS: &str = "vcard-temp";

/// A vCard as its owner wrote it, which nobody else changes. Empty, it is a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VCard(Element);

impl VCard {
    /// A question for somebody's vCard.
    pub fn question() -> VCard {
        VCard(Element::new(NS, VCard::NAME))
    }

    /// Whether nothing stands in it.
    pub fn is_empty(&self) -> bool {
        self.0.nodes().is_empty()
    }
}

impl Payload for VCard {
    const NS: &'static str = NS;
    const NAME: &'static str = "vCard";

    fn read(element: &Element) -> Result<VCard, PayloadError> {
        crate::payload::expect_element::<VCard>(element)?;
        Ok(VCard(element.clone()))
    }

    fn write(&self) -> Element {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::{read, written};

    /// Examples 1 and 2; attributes are kept, as clients of old write them.
    #[test]
    fn examples() {
        assert_eq!(
            written::<VCard>("<vCard xmlns='vcard-temp'/>"),
            VCard::question()
        );
        let card = written::<VCard>(
            "<vCard xmlns='vcard-temp' version='2.0'><FN>Peter Saint-Andre</FN><N>\
             <FAMILY>Saint-Andre</FAMILY><MIDDLE/></N></vCard>",
        );
        assert!(!card.is_empty());
    }

    #[test]
    fn another_element_is_none() {
        assert_eq!(
            read::<VCard>("<vCard xmlns='urn:ietf:params:xml:ns:vcard-4.0'/>"),
            Err(PayloadError::OtherElement {
                ns: NS,
                name: "vCard"
            })
        );
    }
}
