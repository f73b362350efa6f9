//! The top-level elements of XEP-0198, which are no stanzas and are not counted.

use bytes::Bytes;
use waxwing_stanza::Condition;
use waxwing_wire::{Element, Stanza, ns};

use crate::error::{StreamCondition, StreamError};

/// Namespace of XEP-0198.
pub const SM: &str = "urn:xmpp:sm:3";

/// A top-level element of stream management.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Nonza {
    /// `<enable/>`, of the client.
    Enable {
        /// Whether it would like to resume.
        resume: bool,
        /// For how many seconds, if it says so.
        max_secs: Option<u32>,
    },
    /// `<enabled/>`, of the server.
    Enabled(Enabled),
    /// `<resume/>`, of the client.
    Resume {
        /// Id of the session.
        previd: String,
        /// Stanzas of the server that it has handled.
        h: u32,
    },
    /// `<resumed/>`, of the server.
    Resumed {
        /// Id of the session.
        previd: String,
        /// Stanzas of the client that it has handled.
        h: u32,
    },
    /// `<failed/>`, of the server.
    Failed(Failed),
    /// `<r/>`: how many have you handled?
    Ask,
    /// `<a/>`: so many.
    Answer {
        /// Stanzas handled, modulo 2³².
        h: u32,
    },
}

/// What the server grants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Enabled {
    /// Id to resume by.
    pub id: Option<String>,
    /// Whether the session can be resumed.
    pub resume: bool,
    /// For how many seconds after its stream ended.
    pub max_secs: Option<u32>,
    /// Where to reconnect to: host or address, perhaps with port.
    pub location: Option<String>,
}

/// Why the server grants nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failed {
    /// For a session that is over: stanzas of the client that it has handled.
    pub h: Option<u32>,
    /// The reason. `item-not-found` for an unknown session.
    pub condition: Option<Condition>,
}

impl Nonza {
    /// Reads a top-level element; `None` if it belongs to something else.
    ///
    /// # Errors
    ///
    /// `invalid-xml` if an attribute is missing or malformed, `unsupported-stanza-type` if the
    /// namespace has no such element.
    pub fn read(stanza: &Stanza) -> Result<Option<Nonza>, StreamError> {
        if stanza.ns() != SM {
            return Ok(None);
        }
        let element = stanza.element();
        let text = |name| element.attr(name).map(str::to_owned);
        let nonza = match stanza.name() {
            "r" => Nonza::Ask,
            "a" => Nonza::Answer {
                h: required_count(&element)?,
            },
            "enable" => Nonza::Enable {
                resume: flag(&element, "resume"),
                max_secs: seconds(&element),
            },
            "enabled" => Nonza::Enabled(Enabled {
                id: text("id"),
                resume: flag(&element, "resume"),
                max_secs: seconds(&element),
                location: text("location"),
            }),
            "resume" => Nonza::Resume {
                previd: previd(&element)?,
                h: required_count(&element)?,
            },
            "resumed" => Nonza::Resumed {
                previd: previd(&element)?,
                h: required_count(&element)?,
            },
            "failed" => Nonza::Failed(Failed {
                h: element.attr("h").and_then(count),
                condition: element
                    .children()
                    .filter(|child| child.ns() == ns::STANZA_ERRORS)
                    .find_map(|child| Condition::from_keyword(child.name())),
            }),
            _ => {
                return Err(StreamError::new(
                    StreamCondition::UnsupportedStanzaType,
                    "unknown in urn:xmpp:sm:3",
                ));
            }
        };
        Ok(Some(nonza))
    }

    /// The element, as a stream of clients carries it.
    pub fn to_bytes(&self) -> Bytes {
        let element = match self {
            Nonza::Ask => Element::new(SM, "r"),
            Nonza::Answer { h } => Element::new(SM, "a").with_attr("h", h.to_string()),
            Nonza::Enable { resume, max_secs } => with_some(
                with_flag(Element::new(SM, "enable"), *resume),
                "max",
                max_secs.as_ref(),
            ),
            Nonza::Enabled(Enabled {
                id,
                resume,
                max_secs,
                location,
            }) => {
                let enabled = with_some(Element::new(SM, "enabled"), "id", id.as_ref());
                let enabled = with_some(with_flag(enabled, *resume), "max", max_secs.as_ref());
                with_some(enabled, "location", location.as_ref())
            }
            Nonza::Resume { previd, h } => with_session("resume", previd, *h),
            Nonza::Resumed { previd, h } => with_session("resumed", previd, *h),
            Nonza::Failed(Failed { h, condition }) => {
                let failed = with_some(Element::new(SM, "failed"), "h", h.as_ref());
                match condition {
                    Some(condition) => {
                        failed.with_child(Element::new(ns::STANZA_ERRORS, condition.as_str()))
                    }
                    None => failed,
                }
            }
        };
        element.to_bytes(ns::CLIENT)
    }
}

/// The application-specific condition for a peer that acknowledges too much.
pub(super) fn too_high(h: u32, sent: u32) -> Element {
    Element::new(SM, "handled-count-too-high")
        .with_attr("h", h.to_string())
        .with_attr("send-count", sent.to_string())
}

fn with_session(name: &'static str, previd: &str, h: u32) -> Element {
    Element::new(SM, name)
        .with_attr("h", h.to_string())
        .with_attr("previd", previd)
}

fn with_flag(element: Element, resume: bool) -> Element {
    if resume {
        element.with_attr("resume", "true")
    } else {
        element
    }
}

fn with_some(element: Element, name: &'static str, value: Option<&impl ToString>) -> Element {
    match value {
        Some(value) => element.with_attr(name, value.to_string()),
        None => element,
    }
}

fn required_count(element: &Element) -> Result<u32, StreamError> {
    let text = "the attribute 'h' must be a number below 2^32";
    let h = element.attr("h").and_then(count);
    h.ok_or_else(|| StreamError::new(StreamCondition::InvalidXml, text))
}

fn previd(element: &Element) -> Result<String, StreamError> {
    let text = "the attribute 'previd' is missing";
    let previd = element.attr("previd").map(str::to_owned);
    previd.ok_or_else(|| StreamError::new(StreamCondition::InvalidXml, text))
}

/// `xs:unsignedInt`, without sign.
fn count(text: &str) -> Option<u32> {
    let text = text.trim_matches([' ', '\t', '\r', '\n']);
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

/// `xs:boolean`; what is none is as if it were not there.
fn flag(element: &Element, name: &str) -> bool {
    matches!(element.attr(name), Some("true" | "1"))
}

/// A preference, so that a malformed one is none.
fn seconds(element: &Element) -> Option<u32> {
    element.attr("max").and_then(count).filter(|secs| *secs > 0)
}
