//! [RFC 6121 §4: Exchanging Presence Information](https://www.rfc-editor.org/rfc/rfc6121#section-4)

use waxwing_wire::Stanza;

use super::rfc6121_message::{LanguageText, language_texts};
use crate::payload::{PayloadError, Text, TextFault, keywords};

keywords! {
    /// How available somebody is (§4.7.2.1). Simply *available* is none of these: it ranks after
    /// [`Show::Chat`] and before the others.
    pub enum Show {
        /// Interested in chatting.
        Chat = "chat",
        /// Away for a while.
        Away = "away",
        /// Away for longer.
        Xa = "xa",
        /// Busy: do not disturb.
        Dnd = "dnd",
    }
}

/// What a presence says: the children that RFC 6121 defines (§4.7.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// How available the sender is. Unknown values are as none.
    pub show: Option<Show>,
    /// What the sender says of that, once for each language.
    pub statuses: Vec<LanguageText>,
    /// The session's priority (§4.7.2.3): with a negative one it receives no messages that were sent to
    /// the bare address.
    pub priority: i8,
}

impl Content {
    /// Reads the content of a presence.
    ///
    /// # Errors
    ///
    /// [`PayloadError`] when the priority is no number from -128 to 127.
    pub fn of(presence: &Stanza) -> Result<Content, PayloadError> {
        let show = presence
            .child(presence.ns(), "show")
            .map(|child| child.element().text());
        Ok(Content {
            show: show.and_then(|word| Show::from_keyword(word.trim_ascii())),
            statuses: language_texts(presence, "status"),
            priority: priority(presence)?,
        })
    }
}

/// The priority of a presence; 0 if it gives none.
///
/// # Errors
///
/// [`PayloadError`] when it is no number from -128 to 127.
pub fn priority(presence: &Stanza) -> Result<i8, PayloadError> {
    match presence.child(presence.ns(), "priority") {
        Some(child) => {
            i8::from_text(&child.element().text()).map_err(|fault: TextFault| PayloadError::Text {
                element: "priority",
                fault,
            })
        }
        None => Ok(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::stanza;

    /// §4.7.2.
    #[test]
    fn content() {
        let presence = stanza(
            "<presence from='romeo@example.net/orchard' xml:lang='en'>
               <show>dnd</show>
               <status>Wooing Juliet</status>
               <status xml:lang='cs'>Dvo&#x159;&#xED;m se Julii</status>
               <priority>1</priority>
             </presence>",
        );
        let content = Content::of(&presence).unwrap();
        assert_eq!(content.show, Some(Show::Dnd));
        assert_eq!(content.priority, 1);
        assert_eq!(content.statuses[0].text, "Wooing Juliet");
        assert_eq!(content.statuses[1].lang.as_deref(), Some("cs"));
    }

    #[test]
    fn defaults() {
        for xml in [
            "<presence/>",
            "<presence><show>busy</show><x xmlns='y'/></presence>",
        ] {
            let content = Content::of(&stanza(xml)).unwrap();
            assert_eq!(
                content,
                Content {
                    show: None,
                    statuses: vec![],
                    priority: 0
                }
            );
        }
    }

    #[test]
    fn priorities() {
        for (text, expected) in [("-128", -128), (" 5\n", 5), ("+127", 127), ("-0", 0)] {
            let xml = format!("<presence><priority>{text}</priority></presence>");
            assert_eq!(priority(&stanza(&xml)), Ok(expected));
        }
        for wrong in ["128", "-129", "", "high", "1.5"] {
            let xml = format!("<presence><priority>{wrong}</priority></presence>");
            assert_eq!(
                priority(&stanza(&xml)),
                Err(PayloadError::Text {
                    element: "priority",
                    fault: TextFault::Number
                })
            );
        }
    }
}
