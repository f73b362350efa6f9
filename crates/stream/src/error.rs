//! Stream errors: [RFC 6120 §4.9](https://www.rfc-editor.org/rfc/rfc6120#section-4.9).

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use waxwing_wire::{Element, WireError, ns};

use crate::header::CLOSE;

/// Why a stream ends: sent before its end tag, or read from there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamError {
    /// The defined condition.
    pub condition: StreamCondition,
    /// English text for whoever debugs the other side.
    pub text: Option<Cow<'static, str>>,
    /// Application-specific condition (RFC 6120 §4.9.4).
    pub app: Option<Box<Element>>,
}

/// The conditions of RFC 6120 §4.9.3.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StreamCondition {
    /// XML that cannot be processed (§4.9.3.1).
    BadFormat,
    /// A prefix that is not supported, or none where one is needed (§4.9.3.2).
    BadNamespacePrefix,
    /// A newer stream of the same session takes over (§4.9.3.3).
    Conflict,
    /// The peer was silent for too long (§4.9.3.4).
    ConnectionTimeout,
    /// The domain is no longer served here (§4.9.3.5).
    HostGone,
    /// The domain was never served here (§4.9.3.6).
    HostUnknown,
    /// An address is missing or malformed (§4.9.3.7).
    ImproperAddressing,
    /// Our own fault (§4.9.3.8).
    InternalServerError,
    /// `from` is not who the stream was authorized for (§4.9.3.9).
    InvalidFrom,
    /// A wrong namespace for the stream or its content (§4.9.3.10).
    InvalidNamespace,
    /// An element that its schema does not allow (§4.9.3.11).
    InvalidXml,
    /// Something that needs a log-in first (§4.9.3.12).
    NotAuthorized,
    /// Not XML (§4.9.3.13).
    NotWellFormed,
    /// Against this server's rules, such as its limits (§4.9.3.14).
    PolicyViolation,
    /// A server that this one depends on cannot be reached (§4.9.3.15).
    RemoteConnectionFailed,
    /// The stream must be negotiated again (§4.9.3.16).
    Reset,
    /// The server lacks what it takes to serve the stream (§4.9.3.17).
    ResourceConstraint,
    /// XML that XMPP forbids: comments, processing instructions, DTDs (§4.9.3.18).
    RestrictedXml,
    /// Another host serves the domain: its address, with a port if it is a special one (§4.9.3.19).
    SeeOtherHost(String),
    /// The server stops (§4.9.3.20).
    SystemShutdown,
    /// None of these; see [`StreamError::app`] (§4.9.3.21).
    UndefinedCondition,
    /// Not UTF-8 (§4.9.3.22).
    UnsupportedEncoding,
    /// A mandatory feature that this side does not know (§4.9.3.23).
    UnsupportedFeature,
    /// A top-level element that this side does not know (§4.9.3.24).
    UnsupportedStanzaType,
    /// A version of XMPP that this side does not speak (§4.9.3.25).
    UnsupportedVersion,
}

/// Names of all conditions; that of `see-other-host` with an empty address.
static CONDITIONS: [(StreamCondition, &str); 25] = [
    (StreamCondition::BadFormat, "bad-format"),
    (StreamCondition::BadNamespacePrefix, "bad-namespace-prefix"),
    (StreamCondition::Conflict, "conflict"),
    (StreamCondition::ConnectionTimeout, "connection-timeout"),
    (StreamCondition::HostGone, "host-gone"),
    (StreamCondition::HostUnknown, "host-unknown"),
    (StreamCondition::ImproperAddressing, "improper-addressing"),
    (
        StreamCondition::InternalServerError,
        "internal-server-error",
    ),
    (StreamCondition::InvalidFrom, "invalid-from"),
    (StreamCondition::InvalidNamespace, "invalid-namespace"),
    (StreamCondition::InvalidXml, "invalid-xml"),
    (StreamCondition::NotAuthorized, "not-authorized"),
    (StreamCondition::NotWellFormed, "not-well-formed"),
    (StreamCondition::PolicyViolation, "policy-violation"),
    (
        StreamCondition::RemoteConnectionFailed,
        "remote-connection-failed",
    ),
    (StreamCondition::Reset, "reset"),
    (StreamCondition::ResourceConstraint, "resource-constraint"),
    (StreamCondition::RestrictedXml, "restricted-xml"),
    (
        StreamCondition::SeeOtherHost(String::new()),
        "see-other-host",
    ),
    (StreamCondition::SystemShutdown, "system-shutdown"),
    (StreamCondition::UndefinedCondition, "undefined-condition"),
    (StreamCondition::UnsupportedEncoding, "unsupported-encoding"),
    (StreamCondition::UnsupportedFeature, "unsupported-feature"),
    (
        StreamCondition::UnsupportedStanzaType,
        "unsupported-stanza-type",
    ),
    (StreamCondition::UnsupportedVersion, "unsupported-version"),
];

impl StreamCondition {
    /// Every condition, that of `see-other-host` with an empty address.
    pub fn all() -> impl Iterator<Item = StreamCondition> {
        CONDITIONS.iter().map(|(condition, _)| condition.clone())
    }

    /// Name of the element that says it.
    pub fn name(&self) -> &'static str {
        let same =
            |known: &StreamCondition| std::mem::discriminant(known) == std::mem::discriminant(self);
        let found = CONDITIONS.iter().find(|(known, _)| same(known));
        found.map_or("undefined-condition", |(_, name)| name)
    }

    /// The condition of that name; `None` if RFC 6120 does not define it.
    pub fn from_name(name: &str) -> Option<StreamCondition> {
        CONDITIONS
            .iter()
            .find(|(_, known)| *known == name)
            .map(|(condition, _)| condition.clone())
    }
}

impl StreamError {
    /// An error with a text that tells the peer's developers what was wrong.
    pub fn new(condition: StreamCondition, text: impl Into<Cow<'static, str>>) -> StreamError {
        StreamError {
            condition,
            text: Some(text.into()),
            app: None,
        }
    }

    /// The same with an application-specific condition.
    #[must_use]
    pub fn with_app(self, app: Element) -> StreamError {
        StreamError {
            app: Some(Box::new(app)),
            ..self
        }
    }

    /// `<stream:error/>` and the stream's end tag: the last bytes of an open stream.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = Vec::from(b"<stream:error>");
        self.write_inside(&mut out);
        out.extend_from_slice(b"</stream:error>");
        out.extend_from_slice(CLOSE);
        out.into()
    }

    /// Writes what stands inside of `<stream:error/>`.
    pub(crate) fn write_inside(&self, out: &mut Vec<u8>) {
        let mut condition = Element::new(ns::STREAM_ERRORS, self.condition.name());
        if let StreamCondition::SeeOtherHost(address) = &self.condition {
            condition.push_text(address);
        }
        out.extend_from_slice(&condition.to_bytes(ns::CLIENT));
        if let Some(text) = &self.text {
            let text = Element::new(ns::STREAM_ERRORS, "text")
                .with_attr("xml:lang", "en")
                .with_text(text);
            out.extend_from_slice(&text.to_bytes(ns::CLIENT));
        }
        if let Some(app) = &self.app {
            out.extend_from_slice(&app.to_bytes(ns::CLIENT));
        }
    }

    /// Reads `<stream:error/>`. A condition that is missing or unknown is `undefined-condition`, as
    /// who reads it can do nothing else with it.
    pub fn read(error: &Element) -> StreamError {
        let defined = || {
            error
                .children()
                .filter(|child| child.ns() == ns::STREAM_ERRORS)
        };
        let condition =
            defined().find_map(|child| match StreamCondition::from_name(child.name())? {
                StreamCondition::SeeOtherHost(_) => {
                    Some(StreamCondition::SeeOtherHost(child.text()))
                }
                condition => Some(condition),
            });
        let text = defined()
            .find(|child| child.name() == "text")
            .map(Element::text);
        StreamError {
            condition: condition.unwrap_or(StreamCondition::UndefinedCondition),
            text: text.map(Cow::Owned),
            app: error
                .children()
                .find(|child| child.ns() != ns::STREAM_ERRORS)
                .cloned()
                .map(Box::new),
        }
    }
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.text {
            Some(text) => write!(f, "{}: {text}", self.condition.name()),
            None => f.write_str(self.condition.name()),
        }
    }
}

impl std::error::Error for StreamError {}

impl From<StreamCondition> for StreamError {
    fn from(condition: StreamCondition) -> StreamError {
        StreamError {
            condition,
            text: None,
            app: None,
        }
    }
}

impl From<WireError> for StreamError {
    fn from(error: WireError) -> StreamError {
        let condition = StreamCondition::from_name(error.condition());
        StreamError::new(
            condition.unwrap_or(StreamCondition::BadFormat),
            error.to_string(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(error: &StreamError) -> StreamError {
        let bytes = error.to_bytes();
        let text = std::str::from_utf8(&bytes).unwrap();
        let element = text.strip_suffix("</stream:stream>").unwrap();
        let element = element.replacen(
            "<stream:error",
            &format!("<stream:error xmlns:stream='{}'", ns::STREAMS),
            1,
        );
        StreamError::read(&Element::parse(element).unwrap())
    }

    #[test]
    fn every_condition_comes_back() {
        for condition in StreamCondition::all() {
            assert_eq!(
                StreamCondition::from_name(condition.name()),
                Some(condition.clone())
            );
            assert_eq!(round(&condition.clone().into()).condition, condition);
            let error = StreamError::new(condition, "a < b & c")
                .with_app(Element::new("urn:example", "thing").with_attr("n", "1"));
            assert_eq!(round(&error), error);
        }
        let other = StreamCondition::SeeOtherHost("[2001:db8::1]:5222".into());
        assert_eq!(round(&other.clone().into()).condition, other);
    }

    #[test]
    fn what_is_unknown_is_undefined() {
        let element =
            Element::new(ns::STREAMS, "error").with_child(Element::new(ns::STREAM_ERRORS, "tired"));
        assert_eq!(
            StreamError::read(&element),
            StreamCondition::UndefinedCondition.into()
        );
        assert_eq!(
            StreamError::read(&Element::new(ns::STREAMS, "error")),
            StreamCondition::UndefinedCondition.into()
        );
    }
}
