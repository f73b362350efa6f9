//! The errors of a service: the condition of RFC 6120, the type, and the condition of the service's own that belongs to
//! both, as §6 to §8 pair them.

use waxwing_wire::Element;

use super::NS_ERRORS as NS;
use crate::payload::keywords;
use crate::{Condition, ErrorType, StanzaError};

macro_rules! faults {
    ($($(#[$meta:meta])* $name:ident = $word:literal: $condition:ident, $kind:ident;)+) => {
        keywords! {
            /// What a service finds wrong with a request, in its own words.
            pub enum Fault { $($(#[$meta])* $name = $word,)+ }
        }

        impl Fault {
            fn pair(self) -> (Condition, ErrorType) {
                match self { $(Fault::$name => (Condition::$condition, ErrorType::$kind),)+ }
            }
        }
    };
}

faults! {
    /// Only those on the node's list may (§6.1.3.4).
    ClosedNode = "closed-node": NotAllowed, Cancel;
    /// The form is none of the service's (§6.3.6.2).
    InvalidOptions = "invalid-options": BadRequest, Modify;
    /// More or less than one payload, or one of another namespace (§7.1.3.6).
    InvalidPayload = "invalid-payload": BadRequest, Modify;
    /// The subscriber is somebody else (§6.1.3.1).
    InvalidJid = "invalid-jid": BadRequest, Modify;
    /// No such subscription (§6.2.3.5).
    InvalidSubid = "invalid-subid": NotAcceptable, Modify;
    /// The node takes no items (§7.1.3.7).
    ItemForbidden = "item-forbidden": BadRequest, Modify;
    /// The node takes nothing but items (§7.1.3.7, §7.2.3.4).
    ItemRequired = "item-required": BadRequest, Modify;
    /// It is not said who is subscribed (§6.3.4.3).
    JidRequired = "jid-required": BadRequest, Modify;
    /// There is room for no more items (§7.1.3.4).
    NodeFull = "node-full": Conflict, Cancel;
    /// It is not said which node (§7.2.3.3).
    NodeidRequired = "nodeid-required": BadRequest, Modify;
    /// Whoever asks is in none of the groups (§6.1.3.3).
    NotInRosterGroup = "not-in-roster-group": NotAuthorized, Auth;
    /// There is no subscription (§6.2.3.2); where items are asked for, see [`not_subscribed_to_read`].
    NotSubscribed = "not-subscribed": UnexpectedRequest, Cancel;
    /// The payload is larger than the node's limit or the service's (§7.1.3.5).
    PayloadTooBig = "payload-too-big": NotAcceptable, Modify;
    /// The node takes nothing without a payload (§7.1.3.7).
    PayloadRequired = "payload-required": BadRequest, Modify;
    /// An owner has yet to approve the subscription (§6.1.3.7).
    PendingSubscription = "pending-subscription": NotAuthorized, Auth;
    /// The node is not as the publisher wants it (§7.1.5).
    PreconditionNotMet = "precondition-not-met": Conflict, Cancel;
    /// Only those who see the owner's presence may (§6.1.3.2).
    PresenceSubscriptionRequired = "presence-subscription-required": NotAuthorized, Auth;
    /// There are several subscriptions (§6.2.3.1).
    SubidRequired = "subid-required": BadRequest, Modify;
    /// More than the service allows (§6.1.3.9).
    TooManySubscriptions = "too-many-subscriptions": PolicyViolation, Wait;
    /// A model that the service does not have (§8.1.2).
    UnsupportedAccessModel = "unsupported-access-model": NotAcceptable, Modify;
}

impl Fault {
    /// The error.
    pub fn error(self) -> StanzaError {
        let (condition, kind) = self.pair();
        StanzaError::specific(condition, kind, NS, self.as_str())
    }
}

impl From<Fault> for StanzaError {
    fn from(fault: Fault) -> StanzaError {
        fault.error()
    }
}

/// The node or the service does not do this; `feature` is named as in §10.
pub fn unsupported(feature: &str) -> StanzaError {
    let app = Element::new(NS, "unsupported").with_attr("feature", feature);
    StanzaError::new(Condition::FeatureNotImplemented).with_app(app)
}

/// Who is not subscribed may not read (§6.5.9.3): the same word as [`Fault::NotSubscribed`], of another condition.
pub fn not_subscribed_to_read() -> StanzaError {
    StanzaError::new(Condition::NotAuthorized)
        .with_app(Element::new(NS, Fault::NotSubscribed.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use waxwing_wire::ns;

    fn written(error: &StanzaError) -> String {
        let bytes = error.to_element(ns::CLIENT).to_bytes(ns::CLIENT);
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    /// §6.1.3.4 and §6.1.3.10.
    #[test]
    fn examples() {
        assert_eq!(
            written(&Fault::ClosedNode.error()),
            "<error type='cancel'><not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
             <closed-node xmlns='http://jabber.org/protocol/pubsub#errors'/></error>"
        );
        assert_eq!(
            written(&unsupported("subscribe")),
            "<error type='cancel'>\
             <feature-not-implemented xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
             <unsupported xmlns='http://jabber.org/protocol/pubsub#errors' feature='subscribe'/></error>"
        );
    }
}
