//! [XEP-0086: Error Condition Mappings](https://xmpp.org/extensions/xep-0086.html)
//!
//! Conversation: `xep_0077_registration.md`
//!
//! Of nodes: `xep_0384_omemo.md`.

use waxwing_wire::Stanza;

use super::xep_0060_pubsub::NS as PUBSUB;
use super::xep_0077_registration::NS as REGISTRATION;
use crate::Condition;

/// The number that stood for the condition before RFC 3920 (§3).
pub fn code(condition: Condition) -> u16 {
    use Condition as C;
    match condition {
        C::Gone | C::Redirect => 302,
        C::BadRequest | C::JidMalformed | C::UnexpectedRequest => 400,
        C::NotAuthorized => 401,
        C::Forbidden | C::PolicyViolation => 403,
        C::ItemNotFound | C::RecipientUnavailable | C::RemoteServerNotFound => 404,
        C::NotAllowed => 405,
        C::NotAcceptable => 406,
        C::RegistrationRequired | C::SubscriptionRequired => 407,
        C::Conflict => 409,
        C::InternalServerError | C::ResourceConstraint | C::UndefinedCondition => 500,
        C::FeatureNotImplemented => 501,
        C::ServiceUnavailable => 503,
        C::RemoteServerTimeout => 504,
    }
}

/// Whether an error about a stanza has a code beside its condition. XEP-0077 §9 is alone in wanting them; but Profanity knows
/// only by the code that a node is not there, and never tells of the first of its devices otherwise.
pub(crate) fn is_wanted(original: &Stanza, condition: Condition) -> bool {
    let is_read = || original.kind().as_deref() == Some("get");
    original.children().any(|child| match child.ns() {
        REGISTRATION => true,
        PUBSUB => condition == Condition::ItemNotFound && is_read(),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::stanza;
    use crate::{ErrorType, Reply, StanzaError};

    #[test]
    fn registration_and_missing_nodes_have_codes_and_nothing_else_has() {
        let answer = |kind: &str, payload: &str, error: &StanzaError| {
            let iq = stanza(&format!("<iq type='{kind}' id='1'>{payload}</iq>"));
            let said = Reply::new(&iq).error(error).unwrap();
            String::from_utf8(said.to_vec()).unwrap()
        };
        let said = |payload: &str, error: &StanzaError| answer("set", payload, error);
        let register = "<query xmlns='jabber:iq:register'/>";
        let conflict = StanzaError::from(Condition::Conflict);
        assert!(said(register, &conflict).contains("<error type='cancel' code='409'>"));
        assert!(said("<x xmlns='urn:x'/>", &conflict).contains("<error type='cancel'>"));
        let modify = StanzaError::from(Condition::NotAuthorized).with_type(ErrorType::Modify);
        assert!(said(register, &modify).contains("<error type='modify' code='401'>"));
        let node = "<pubsub xmlns='http://jabber.org/protocol/pubsub'/>";
        let missing = StanzaError::from(Condition::ItemNotFound);
        assert!(answer("get", node, &missing).contains("<error type='cancel' code='404'>"));
        assert!(answer("set", node, &missing).contains("<error type='cancel'>"));
        assert!(answer("get", node, &modify).contains("<error type='modify'>"));
    }
}
