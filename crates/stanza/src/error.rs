//! Stanza errors ([RFC 6120 §8.3](https://www.rfc-editor.org/rfc/rfc6120#section-8.3)).

#[cfg(test)]
mod tests;

use waxwing_wire::{Element, Stanza, ns};

use crate::payload::{PayloadError, keywords};
use crate::{Jid, JidError};

keywords! {
    /// What the receiver of an error may do about it (RFC 6120 §8.3.2).
    pub enum ErrorType {
        /// Try again after presenting credentials.
        Auth = "auth",
        /// Do not try again.
        Cancel = "cancel",
        /// Go on: it was only a warning.
        Continue = "continue",
        /// Try again with other content.
        Modify = "modify",
        /// Try again later.
        Wait = "wait",
    }
}

keywords! {
    /// What went wrong (RFC 6120 §8.3.3).
    pub enum Condition {
        /// The stanza is malformed beyond its XML (§8.3.3.1).
        BadRequest = "bad-request",
        /// Something of that name is there already (§8.3.3.2).
        Conflict = "conflict",
        /// The feature is known but not implemented (§8.3.3.3).
        FeatureNotImplemented = "feature-not-implemented",
        /// The sender has not the permissions (§8.3.3.4).
        Forbidden = "forbidden",
        /// The addressee has moved (§8.3.3.5); [`StanzaError::alternate`] may say where to.
        Gone = "gone",
        /// The server failed (§8.3.3.6).
        InternalServerError = "internal-server-error",
        /// The addressed thing does not exist (§8.3.3.7).
        ItemNotFound = "item-not-found",
        /// An address is none (§8.3.3.8).
        JidMalformed = "jid-malformed",
        /// The content does not meet criteria that were agreed on (§8.3.3.9).
        NotAcceptable = "not-acceptable",
        /// Nobody may do this (§8.3.3.10).
        NotAllowed = "not-allowed",
        /// The sender has to log in first (§8.3.3.11).
        NotAuthorized = "not-authorized",
        /// The stanza violates a local policy, like its size (§8.3.3.12).
        PolicyViolation = "policy-violation",
        /// The addressee is not available for now (§8.3.3.13).
        RecipientUnavailable = "recipient-unavailable",
        /// Ask elsewhere for now (§8.3.3.14); [`StanzaError::alternate`] says where.
        Redirect = "redirect",
        /// Only registered entities may do this (§8.3.3.15).
        RegistrationRequired = "registration-required",
        /// The other server does not exist (§8.3.3.16).
        RemoteServerNotFound = "remote-server-not-found",
        /// The other server cannot be reached, or does not answer (§8.3.3.17).
        RemoteServerTimeout = "remote-server-timeout",
        /// The server lacks resources to do this now (§8.3.3.18).
        ResourceConstraint = "resource-constraint",
        /// The addressee does not offer this, or does not tell (§8.3.3.19).
        ServiceUnavailable = "service-unavailable",
        /// Only subscribers may do this (§8.3.3.20).
        SubscriptionRequired = "subscription-required",
        /// Something else (§8.3.3.21); [`StanzaError::app`] says what.
        UndefinedCondition = "undefined-condition",
        /// The right thing at a wrong time (§8.3.3.22).
        UnexpectedRequest = "unexpected-request",
    }
}

impl Condition {
    /// The type that RFC 6120 recommends for the condition, the first where it names two.
    pub fn default_type(self) -> ErrorType {
        use Condition as C;
        match self {
            C::Forbidden | C::NotAuthorized | C::RegistrationRequired | C::SubscriptionRequired => {
                ErrorType::Auth
            }
            C::BadRequest
            | C::JidMalformed
            | C::NotAcceptable
            | C::PolicyViolation
            | C::Redirect => ErrorType::Modify,
            C::RecipientUnavailable
            | C::RemoteServerTimeout
            | C::ResourceConstraint
            | C::UnexpectedRequest => ErrorType::Wait,
            C::Conflict
            | C::FeatureNotImplemented
            | C::Gone
            | C::InternalServerError
            | C::ItemNotFound
            | C::NotAllowed
            | C::RemoteServerNotFound
            | C::ServiceUnavailable
            | C::UndefinedCondition => ErrorType::Cancel,
        }
    }
}

/// A stanza error. Made from a [`Condition`], it has the type that RFC 6120 recommends.
///
/// Neither writes nor reads the numeric codes of before RFC 3920; [`Reply`](crate::Reply) adds one where it is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StanzaError {
    /// What the receiver may do about it.
    pub kind: ErrorType,
    /// What went wrong.
    pub condition: Condition,
    /// For people, in English.
    pub text: Option<String>,
    /// Who found the error, where that is not who the reply comes from.
    pub by: Option<Jid>,
    /// With [`Condition::Gone`] and [`Condition::Redirect`]: the other address, as a URI.
    pub alternate: Option<String>,
    /// The application's own condition.
    pub app: Option<Element>,
}

impl StanzaError {
    /// An error with the condition's default type.
    pub fn new(condition: Condition) -> StanzaError {
        StanzaError {
            kind: condition.default_type(),
            condition,
            text: None,
            by: None,
            alternate: None,
            app: None,
        }
    }

    /// The error with another type.
    #[must_use]
    pub fn with_type(self, kind: ErrorType) -> StanzaError {
        StanzaError { kind, ..self }
    }

    /// The error with a text for people, in English.
    #[must_use]
    pub fn with_text(self, text: impl Into<String>) -> StanzaError {
        StanzaError {
            text: Some(text.into()),
            ..self
        }
    }

    /// The error with the application's own condition.
    #[must_use]
    pub fn with_app(self, app: Element) -> StanzaError {
        StanzaError {
            app: Some(app),
            ..self
        }
    }

    /// An error of an application: of this type, with a condition of its own beside the defined one (RFC 6120 §8.3.4).
    pub fn specific(
        condition: Condition,
        kind: ErrorType,
        ns: &'static str,
        name: &'static str,
    ) -> StanzaError {
        StanzaError::new(condition)
            .with_type(kind)
            .with_app(Element::new(ns, name))
    }

    /// The error, found by another entity than the one that replies.
    #[must_use]
    pub fn with_by(self, by: impl Into<Jid>) -> StanzaError {
        StanzaError {
            by: Some(by.into()),
            ..self
        }
    }

    /// Writes `<error/>` in the namespace of the stanza that it goes into.
    pub fn to_element(&self, stanza_ns: &str) -> Element {
        let stanza_ns = match stanza_ns {
            ns::SERVER => ns::SERVER,
            _ => ns::CLIENT,
        };
        let mut error = Element::new(stanza_ns, "error");
        if let Some(by) = &self.by {
            error.set_attr("by", by.as_str());
        }
        error.set_attr("type", self.kind.as_str());
        let mut condition = Element::new(ns::STANZA_ERRORS, self.condition.as_str());
        if let Some(alternate) = &self.alternate {
            condition.push_text(alternate);
        }
        error.push(condition);
        if let Some(text) = &self.text {
            let text = Element::new(ns::STANZA_ERRORS, "text").with_text(text);
            error.push(text.with_attr("xml:lang", "en"));
        }
        if let Some(app) = &self.app {
            error.push(app.clone());
        }
        error
    }

    /// Reads `<error/>`. What is missing or unknown is filled in, so that an error of whatever sender
    /// remains an error: no condition is [`Condition::UndefinedCondition`], no type the condition's
    /// default.
    pub fn from_element(error: &Element) -> StanzaError {
        let defined = |child: &&Element| child.ns() == ns::STANZA_ERRORS;
        let condition_and_element = error
            .children()
            .filter(defined)
            .find_map(|child| Some((Condition::from_keyword(child.name())?, child)));
        let condition =
            condition_and_element.map_or(Condition::UndefinedCondition, |(condition, _)| condition);
        let alternate = condition_and_element
            .filter(|_| matches!(condition, Condition::Gone | Condition::Redirect))
            .map(|(_, element)| element.text())
            .filter(|text| !text.is_empty());
        StanzaError {
            kind: error
                .attr("type")
                .and_then(ErrorType::from_keyword)
                .unwrap_or(condition.default_type()),
            condition,
            text: error.child(ns::STANZA_ERRORS, "text").map(Element::text),
            by: error.attr("by").and_then(|by| Jid::new(by).ok()),
            alternate,
            app: error
                .children()
                .find(|child| !defined(child) && child.ns() != error.ns())
                .cloned(),
        }
    }

    /// Reads the error of a stanza of type *error*.
    pub fn find_in(stanza: &Stanza) -> Option<StanzaError> {
        let error = stanza.child(stanza.ns(), "error")?;
        Some(StanzaError::from_element(&error.element()))
    }
}

impl From<Condition> for StanzaError {
    fn from(condition: Condition) -> StanzaError {
        StanzaError::new(condition)
    }
}

impl From<PayloadError> for StanzaError {
    fn from(error: PayloadError) -> StanzaError {
        StanzaError::new(error.condition()).with_text(error.to_string())
    }
}

impl From<JidError> for StanzaError {
    fn from(error: JidError) -> StanzaError {
        StanzaError::new(Condition::JidMalformed).with_text(error.to_string())
    }
}
