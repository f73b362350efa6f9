//! [RFC 6121 §5: Exchanging Messages](https://www.rfc-editor.org/rfc/rfc6121#section-5)

use std::borrow::Cow;

use waxwing_wire::Stanza;

/// A text in a language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LanguageText {
    /// `xml:lang`: the element's own, else that of the stanza.
    pub lang: Option<String>,
    /// The text.
    pub text: String,
}

/// What a message says: the children that RFC 6121 defines (§5.2.3 to §5.2.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// What to read, once for each language.
    pub bodies: Vec<LanguageText>,
    /// The topic, once for each language.
    pub subjects: Vec<LanguageText>,
    /// The conversation that the message belongs to.
    pub thread: Option<Thread>,
}

/// A conversation's identifier (§5.2.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// The conversation.
    pub id: String,
    /// The conversation that it branched off from.
    pub parent: Option<String>,
}

impl Content {
    /// Reads the content of a message.
    pub fn of(message: &Stanza) -> Content {
        let thread = message.child(message.ns(), "thread").map(|child| {
            let element = child.element();
            Thread {
                id: element.text(),
                parent: element.attr("parent").map(str::to_owned),
            }
        });
        Content {
            bodies: language_texts(message, "body"),
            subjects: language_texts(message, "subject"),
            thread,
        }
    }
}

/// What a message says, in every language: its subjects, and its bodies.
pub fn texts(message: &Stanza) -> Vec<Cow<'_, str>> {
    let named = |name| {
        let children = message.children();
        children.filter(move |child| child.is(message.ns(), name))
    };
    let texts = named("subject").chain(named("body"));
    texts.map(|child| child.text()).collect()
}

/// Whether a message has something to read.
pub fn has_body(message: &Stanza) -> bool {
    message.has_child(message.ns(), "body")
}

/// The children of this name in the stanza's own namespace.
pub(crate) fn language_texts(stanza: &Stanza, name: &str) -> Vec<LanguageText> {
    let outer = stanza.lang().map(std::borrow::Cow::into_owned);
    let children = stanza
        .children()
        .filter(|child| child.is(stanza.ns(), name));
    let texts = children.map(|child| {
        let element = child.element();
        let lang = element
            .attr("xml:lang")
            .map(str::to_owned)
            .or_else(|| outer.clone());
        LanguageText {
            lang,
            text: element.text(),
        }
    });
    texts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::stanza;

    /// §5.2.3, §5.2.4, §5.2.5.
    #[test]
    fn content() {
        let message = stanza(
            "<message from='juliet@example.com/balcony' to='romeo@example.net' type='chat' xml:lang='en'>
               <subject>I implore you!</subject>
               <subject xml:lang='cs'>&#xDA;p&#x11B;nliv&#x11B; prosim!</subject>
               <body>Wherefore art thou, Romeo?</body>
               <body xmlns='urn:other'>not this</body>
               <thread parent='7edac73ab41e45c4aafa7b2d7b749080'>e0ffe42b28561960c6b12b944a092794b9683a38</thread>
             </message>",
        );
        assert!(has_body(&message));
        let content = Content::of(&message);
        let text = |lang: &str, text: &str| LanguageText {
            lang: Some(lang.to_owned()),
            text: text.to_owned(),
        };
        assert_eq!(content.bodies, [text("en", "Wherefore art thou, Romeo?")]);
        let czech = text("cs", "\u{DA}p\u{11B}nliv\u{11B} prosim!");
        assert_eq!(content.subjects, [text("en", "I implore you!"), czech]);
        let thread = content.thread.unwrap();
        assert_eq!(thread.id, "e0ffe42b28561960c6b12b944a092794b9683a38");
        assert_eq!(
            thread.parent.as_deref(),
            Some("7edac73ab41e45c4aafa7b2d7b749080")
        );
    }

    #[test]
    fn no_body() {
        let message = stanza("<message><body xmlns='urn:other'>x</body></message>");
        assert!(!has_body(&message));
        assert_eq!(
            Content::of(&message),
            Content {
                bodies: vec![],
                subjects: vec![],
                thread: None
            }
        );
    }
}
