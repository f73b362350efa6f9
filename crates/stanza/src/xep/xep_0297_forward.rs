//! [XEP-0297: Stanza Forwarding](https://xmpp.org/extensions/xep-0297.html)
//!
//! Conversation: `xep_0280_carbons.md`

use bytes::Bytes;
use waxwing_wire::{Element, Stanza, Writer, ns};

use super::xep_0203_delay::Delay;
use crate::payload::{Payload, PayloadError, payload};

/// Namespace of forwarding, and the name of the feature.
pub const NS: &str = "urn:xmpp:forward:0";

payload! {
    /// A stanza within a stanza (§3). To forward one without changing a byte of its payloads, see
    /// [`forward`].
    pub struct Forwarded(NS, "forwarded") {
        /// When the stanza was sent.
        delay: Option<Delay> = child(),
        /// The stanza, whole.
        stanza: Option<Element> = by(read_stanza, write_stanza),
    }
}

/// Writes `<forwarded/>` around a stanza of which only the root's start tag is touched, where its
/// namespace must be declared (§3.2 point 3).
pub fn forward(stanza: &Stanza, delay: Option<&Delay>) -> Bytes {
    let mut writer = Writer::new("");
    writer.start(NS, Forwarded::NAME);
    if let Some(delay) = delay {
        delay.write().write(&mut writer);
    }
    writer.raw(&stanza.splice().declare_ns(stanza.ns()).finish());
    writer.end();
    writer.finish()
}

#[expect(clippy::unnecessary_wraps, reason = "the payload macro wants it")]
pub(super) fn read_stanza(forwarded: &Element) -> Result<Option<Element>, PayloadError> {
    let is_stanza = |child: &&Element| {
        matches!(child.ns(), ns::CLIENT | ns::SERVER)
            && matches!(child.name(), "message" | "presence" | "iq")
    };
    Ok(forwarded.children().find(is_stanza).cloned())
}

pub(super) fn write_stanza(forwarded: &mut Element, stanza: &Option<Element>) {
    if let Some(stanza) = stanza {
        forwarded.push(stanza.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::{read, stanza, written};

    /// Example 2.
    #[test]
    fn example() {
        let forwarded = written::<Forwarded>(
            "<forwarded xmlns='urn:xmpp:forward:0'>\
             <delay xmlns='urn:xmpp:delay' stamp='2010-07-10T23:08:25Z'/>\
             <message xmlns='jabber:client' from='juliet@capulet.lit/orchard' id='0202197' \
             to='romeo@montague.lit' type='chat'><body>Yet I should kill thee.</body></message>\
             </forwarded>",
        );
        let delay = forwarded.delay.unwrap();
        assert_eq!(delay.stamp.to_string(), "2010-07-10T23:08:25Z");
        assert_eq!(forwarded.stanza.unwrap().attr("id"), Some("0202197"));
    }

    #[test]
    fn payloads_stay_as_they_are() {
        let message = stanza(
            "<message  to='a@b' ><p:x  xmlns:p='urn:x' p:b=\"&#x31;'\">&gt;<body/></p:x >\n</message>",
        );
        let stamp = "2010-07-10T23:08:25Z".parse().unwrap();
        let delay = Delay {
            from: None,
            stamp,
            reason: String::new(),
        };
        assert_eq!(
            forward(&message, Some(&delay)),
            "<forwarded xmlns='urn:xmpp:forward:0'>\
             <delay xmlns='urn:xmpp:delay' stamp='2010-07-10T23:08:25Z'/>\
             <message xmlns='jabber:client'  to='a@b' >\
             <p:x  xmlns:p='urn:x' p:b=\"&#x31;'\">&gt;<body/></p:x >\n</message></forwarded>"
        );
        let again = Forwarded::read(&Element::parse(forward(&message, None)).unwrap()).unwrap();
        assert_eq!(
            again,
            Forwarded {
                delay: None,
                stanza: Some(message.element())
            }
        );
    }

    /// §3.2 point 3: what inherits the wrong namespace is no stanza.
    #[test]
    fn the_namespace_must_be_declared() {
        let wrong = "<forwarded xmlns='urn:xmpp:forward:0'><message to='a@b'/></forwarded>";
        assert_eq!(read::<Forwarded>(wrong).unwrap().stanza, None);
    }
}
