//! The types of the three stanzas, with what RFC 6120 and RFC 6121 say of missing and unknown ones.

use waxwing_wire::Stanza;

use crate::Condition;
use crate::payload::keywords;

keywords! {
    /// Type of a message (RFC 6121 §5.2.2).
    pub enum MessageType {
        /// Part of a conversation between two.
        Chat = "chat",
        /// Answer to a message that could not be delivered or processed.
        Error = "error",
        /// In a room.
        Groupchat = "groupchat",
        /// News, alerts: no answer is expected.
        Headline = "headline",
        /// A single message.
        Normal = "normal",
    }
}

keywords! {
    /// Type of a presence (RFC 6121 §4.7.1).
    pub enum PresenceType {
        /// The sender is available: no attribute at all.
        Available = "available",
        /// Answer to a presence that could not be delivered or processed.
        Error = "error",
        /// A server asks for an entity's current presence.
        Probe = "probe",
        /// The sender wishes to subscribe.
        Subscribe = "subscribe",
        /// The sender allows the recipient to receive its presence.
        Subscribed = "subscribed",
        /// The sender is no longer available.
        Unavailable = "unavailable",
        /// The sender unsubscribes.
        Unsubscribe = "unsubscribe",
        /// The sender denies or cancels a subscription.
        Unsubscribed = "unsubscribed",
    }
}

keywords! {
    /// Type of an IQ (RFC 6120 §8.2.3).
    pub enum IqType {
        /// The answer to a request that failed.
        Error = "error",
        /// A question.
        Get = "get",
        /// The answer to a request that succeeded.
        Result = "result",
        /// An order.
        Set = "set",
    }
}

impl MessageType {
    /// The type of a message. A missing or unknown one means *normal* (RFC 6121 §5.2.2).
    pub fn of(message: &Stanza) -> MessageType {
        MessageType::from_attr(message.kind().as_deref())
    }

    /// As [`MessageType::of`], from the attribute's value.
    pub fn from_attr(value: Option<&str>) -> MessageType {
        value
            .and_then(MessageType::from_keyword)
            .unwrap_or(MessageType::Normal)
    }

    /// The attribute's value; *normal* is written by leaving it out.
    pub fn to_attr(self) -> Option<&'static str> {
        (self != MessageType::Normal).then_some(self.as_str())
    }
}

impl PresenceType {
    /// The type of a presence; a missing one means *available*.
    ///
    /// # Errors
    ///
    /// [`Condition::BadRequest`] for a type that does not exist.
    pub fn of(presence: &Stanza) -> Result<PresenceType, Condition> {
        PresenceType::from_attr(presence.kind().as_deref())
    }

    /// As [`PresenceType::of`], from the attribute's value.
    ///
    /// # Errors
    ///
    /// [`Condition::BadRequest`] for a type that does not exist; `available` is none.
    pub fn from_attr(value: Option<&str>) -> Result<PresenceType, Condition> {
        let Some(value) = value else {
            return Ok(PresenceType::Available);
        };
        PresenceType::from_keyword(value)
            .filter(|kind| *kind != PresenceType::Available)
            .ok_or(Condition::BadRequest)
    }

    /// The attribute's value; *available* is written by leaving it out.
    pub fn to_attr(self) -> Option<&'static str> {
        (self != PresenceType::Available).then_some(self.as_str())
    }

    /// Whether it is one of the four that change or ask to change a subscription (RFC 6121 §3).
    pub fn is_subscription(self) -> bool {
        matches!(
            self,
            PresenceType::Subscribe
                | PresenceType::Subscribed
                | PresenceType::Unsubscribe
                | PresenceType::Unsubscribed
        )
    }
}

impl IqType {
    /// The type of an IQ.
    ///
    /// # Errors
    ///
    /// [`Condition::BadRequest`] when it is missing or does not exist (RFC 6120 §8.2.3).
    pub fn of(iq: &Stanza) -> Result<IqType, Condition> {
        IqType::from_attr(iq.kind().as_deref())
    }

    /// As [`IqType::of`], from the attribute's value.
    ///
    /// # Errors
    ///
    /// [`Condition::BadRequest`] when it is missing or does not exist.
    pub fn from_attr(value: Option<&str>) -> Result<IqType, Condition> {
        value
            .and_then(IqType::from_keyword)
            .ok_or(Condition::BadRequest)
    }

    /// Whether it wants an answer.
    pub fn is_request(self) -> bool {
        matches!(self, IqType::Get | IqType::Set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        assert_eq!(MessageType::from_attr(None), MessageType::Normal);
        assert_eq!(
            MessageType::from_attr(Some("carrier-pigeon")),
            MessageType::Normal
        );
        assert_eq!(MessageType::from_attr(Some("Chat")), MessageType::Normal);
        for kind in MessageType::ALL {
            assert_eq!(MessageType::from_attr(kind.to_attr()), kind);
            assert_eq!(MessageType::from_attr(Some(kind.as_str())), kind);
        }
    }

    #[test]
    fn presences() {
        assert_eq!(PresenceType::from_attr(None), Ok(PresenceType::Available));
        for wrong in ["", "available", "invisible"] {
            assert_eq!(
                PresenceType::from_attr(Some(wrong)),
                Err(Condition::BadRequest)
            );
        }
        for kind in PresenceType::ALL {
            assert_eq!(PresenceType::from_attr(kind.to_attr()), Ok(kind));
        }
    }

    #[test]
    fn iqs() {
        for wrong in [None, Some(""), Some("GET")] {
            assert_eq!(IqType::from_attr(wrong), Err(Condition::BadRequest));
        }
        for kind in IqType::ALL {
            assert_eq!(IqType::from_attr(Some(kind.as_str())), Ok(kind));
            assert_eq!(kind.is_request(), matches!(kind, IqType::Get | IqType::Set));
        }
    }
}
