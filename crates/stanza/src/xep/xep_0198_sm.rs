//! [XEP-0198: Stream Management](https://xmpp.org/extensions/xep-0198.html)

use bytes::Bytes;
use waxwing_wire::{Element, ns};

use crate::Condition;
use crate::payload::{PayloadError, payload};

/// Namespace of stream management.
pub const NS: &str = "urn:xmpp:sm:3";

payload! {
    /// Stream feature: the server knows stream management (§2).
    pub struct Sm(NS, "sm") {}
}

payload! {
    /// Asks for stream management (§3).
    pub struct Enable(NS, "enable") {
        /// Whether the client wishes to resume the session later.
        resume: bool = attr("resume", false),
        /// How long the client wishes the session to be kept, in seconds.
        max: Option<u32> = known_attr("max"),
    }
}

payload! {
    /// Stream management works from here on (§3).
    pub struct Enabled(NS, "enabled") {
        /// Identifies the session when it is resumed; there if it can be.
        id: Option<String> = attr("id"),
        /// Whether the session can be resumed.
        resume: bool = attr("resume", false),
        /// How long the session is kept, in seconds.
        max: Option<u32> = known_attr("max"),
        /// Where to connect to resume, as `host:port`.
        location: Option<String> = attr("location"),
    }
}

payload! {
    /// Asks to resume a session (§5).
    pub struct Resume(NS, "resume") {
        /// How many stanzas the client has handled, modulo 2^32.
        h: u32 = attr("h"),
        /// Which session.
        previd: String = attr("previd"),
    }
}

payload! {
    /// The session goes on (§5).
    pub struct Resumed(NS, "resumed") {
        /// How many stanzas the server has handled, modulo 2^32.
        h: u32 = attr("h"),
        /// Which session.
        previd: String = attr("previd"),
    }
}

payload! {
    /// No stream management, or no such session (§3, §5).
    pub struct Failed(NS, "failed") {
        /// How many stanzas of the session the server had handled before it ended, if it knows.
        h: Option<u32> = known_attr("h"),
        /// Why. Unknown conditions are none.
        condition: Option<Condition> = by(read_condition, write_condition),
    }
}

payload! {
    /// Says how many stanzas were handled (§4).
    pub struct Ack(NS, "a") {
        /// How many, modulo 2^32.
        h: u32 = attr("h"),
    }
}

payload! {
    /// Asks how many stanzas were handled (§4).
    pub struct Request(NS, "r") {}
}

payload! {
    /// The application's condition of a stream error: more was acknowledged than had been sent (§4).
    pub struct HandledCountTooHigh(NS, "handled-count-too-high") {
        /// How many were acknowledged.
        h: u32 = attr("h"),
        /// How many had been sent.
        send_count: u32 = attr("send-count"),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the payload macro wants it")]
fn read_condition(failed: &Element) -> Result<Option<Condition>, PayloadError> {
    let mut conditions = failed
        .children()
        .filter(|child| child.ns() == ns::STANZA_ERRORS);
    Ok(conditions.find_map(|child| Condition::from_keyword(child.name())))
}

fn write_condition(failed: &mut Element, condition: &Option<Condition>) {
    if let Some(condition) = condition {
        failed.push(Element::new(ns::STANZA_ERRORS, condition.as_str()));
    }
}

/// One of both comes with nearly every message: no tree for what mostly looks the same.
impl Request {
    /// The element, without a tree in between.
    pub fn bytes() -> Bytes {
        Bytes::from_static(b"<r xmlns='urn:xmpp:sm:3'/>")
    }
}

impl Ack {
    /// The element, without a tree in between.
    pub fn bytes(&self) -> Bytes {
        format!("<a xmlns='urn:xmpp:sm:3' h='{}'/>", self.h).into()
    }

    /// Reads one that is written as nearly everybody writes it.
    pub fn read_usual(bytes: &[u8]) -> Option<Ack> {
        let text = std::str::from_utf8(bytes).ok()?;
        let rest = text.strip_prefix("<a xmlns=")?;
        let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        let rest = rest[1..].strip_prefix(NS)?.strip_prefix(quote)?;
        let rest = rest.strip_prefix(" h=")?.strip_prefix(quote)?;
        let digits = rest.strip_suffix("/>")?.strip_suffix(quote)?;
        let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let h = is_number.then(|| digits.parse().ok()).flatten()?;
        Some(Ack { h })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::{read, written};
    use crate::payload::{Payload, TextFault};

    #[test]
    fn usual_ones_are_what_their_types_write() {
        assert_eq!(Request::bytes(), Request {}.write().to_bytes(ns::CLIENT));
        for h in [0, 17, u32::MAX] {
            let ack = Ack { h };
            assert_eq!(ack.bytes(), ack.write().to_bytes(ns::CLIENT));
            assert_eq!(Ack::read_usual(&ack.bytes()), Some(ack));
        }
    }

    #[test]
    fn enabling() {
        assert_eq!(written::<Sm>("<sm xmlns='urn:xmpp:sm:3'/>"), Sm {});
        let plain = written::<Enable>("<enable xmlns='urn:xmpp:sm:3'/>");
        assert_eq!(
            plain,
            Enable {
                resume: false,
                max: None
            }
        );
        let resume = read::<Enable>("<enable xmlns='urn:xmpp:sm:3' resume='1' max='-5'/>");
        assert_eq!(
            resume,
            Ok(Enable {
                resume: true,
                max: None
            })
        );
        let enabled = written::<Enabled>(
            "<enabled xmlns='urn:xmpp:sm:3' id='some-long-sm-id' \
             location='[2001:41D0:1:A49b::1]:9222' resume='true' max='600'/>",
        );
        assert_eq!(enabled.id.as_deref(), Some("some-long-sm-id"));
        assert_eq!(enabled.max, Some(600));
    }

    #[test]
    fn resuming() {
        let resume = written::<Resume>(
            "<resume xmlns='urn:xmpp:sm:3' h='4294967295' previd='some-long-sm-id'/>",
        );
        assert_eq!(
            (resume.h, resume.previd.as_str()),
            (u32::MAX, "some-long-sm-id")
        );
        let resumed = written::<Resumed>("<resumed xmlns='urn:xmpp:sm:3' h='7' previd='x'/>");
        assert_eq!(resumed.h, 7);
        let failed = written::<Failed>(
            "<failed xmlns='urn:xmpp:sm:3' h='7'>\
             <item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>",
        );
        assert_eq!(
            failed,
            Failed {
                h: Some(7),
                condition: Some(Condition::ItemNotFound)
            }
        );
        let bare = written::<Failed>("<failed xmlns='urn:xmpp:sm:3'/>");
        assert_eq!(
            bare,
            Failed {
                h: None,
                condition: None
            }
        );
    }

    #[test]
    fn acknowledging() {
        assert_eq!(written::<Request>("<r xmlns='urn:xmpp:sm:3'/>"), Request {});
        assert_eq!(
            written::<Ack>("<a xmlns='urn:xmpp:sm:3' h='1'/>"),
            Ack { h: 1 }
        );
        assert_eq!(
            read::<Ack>("<a xmlns='urn:xmpp:sm:3'/>"),
            Err(PayloadError::NoAttribute {
                element: "a",
                attribute: "h"
            })
        );
        for wrong in ["4294967296", "-1", "many"] {
            assert_eq!(
                read::<Ack>(&format!("<a xmlns='urn:xmpp:sm:3' h='{wrong}'/>")),
                Err(PayloadError::Attribute {
                    element: "a",
                    attribute: "h",
                    fault: TextFault::Number
                })
            );
        }
        let too_high = written::<HandledCountTooHigh>(
            "<handled-count-too-high xmlns='urn:xmpp:sm:3' h='10' send-count='8'/>",
        );
        assert_eq!(
            too_high,
            HandledCountTooHigh {
                h: 10,
                send_count: 8
            }
        );
    }
}
