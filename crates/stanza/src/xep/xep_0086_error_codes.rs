//! [XEP-0086: Error Condition Mappings](https://xmpp.org/extensions/xep-0086.html)
//!
//! Conversation: `xep_0077_registration.md`

use waxwing_wire::Stanza;

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

/// Whether errors about a stanza have codes beside their conditions: XEP-0077 §9 is alone in wanting them.
pub(crate) fn are_wanted(original: &Stanza) -> bool {
    original.children().any(|child| child.ns() == REGISTRATION)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::stanza;
    use crate::{ErrorType, Reply, StanzaError};

    #[test]
    fn registration_has_codes_and_nothing_else_has() {
        let said = |payload: &str, error: &StanzaError| {
            let iq = stanza(&format!("<iq type='set' id='1'>{payload}</iq>"));
            let said = Reply::new(&iq).error(error).unwrap();
            String::from_utf8(said.to_vec()).unwrap()
        };
        let register = "<query xmlns='jabber:iq:register'/>";
        let conflict = StanzaError::from(Condition::Conflict);
        assert!(said(register, &conflict).contains("<error type='cancel' code='409'>"));
        assert!(said("<x xmlns='urn:x'/>", &conflict).contains("<error type='cancel'>"));
        let modify = StanzaError::from(Condition::NotAuthorized).with_type(ErrorType::Modify);
        assert!(said(register, &modify).contains("<error type='modify' code='401'>"));
    }
}
