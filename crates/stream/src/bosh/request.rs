//! The `<body/>` of a request.

#[cfg(test)]
mod tests;

use bytes::Bytes;
use waxwing_wire::{Element, Limits, Stanza, WireError, ns};

use super::{HTTP_BIND, XBOSH};

/// Largest request id: what every language can count exactly (XEP-0124 §14.1).
const RID_MAX: u64 = (1 << 53) - 1;

/// Why a request is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// No XML, or more than there may be.
    #[error(transparent)]
    Xml(#[from] WireError),
    /// Another element.
    #[error("the request is no <body/> of {HTTP_BIND}")]
    Root,
    /// `rid` is missing, or no number that can be counted on.
    #[error("the request has no valid rid")]
    Rid,
    /// Another attribute that should be a number.
    #[error("'{0}' is no number")]
    Number(&'static str),
}

/// What is asked for when a session begins (XEP-0124 §7.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Create {
    /// Longest time to hold a request, in seconds.
    pub wait_secs: u64,
    /// Most requests to hold.
    pub hold: u64,
    /// The client's version; `None` for clients older than 1.6.
    pub version: Option<(u64, u64)>,
    /// Whether the client says what it has received.
    pub acks: bool,
    /// The stream's beginning.
    pub open: Bytes,
}

/// What a request is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// A session, being the only request without `sid`.
    Create(Create),
    /// The stream's beginning after SASL (XEP-0206 §5).
    Restart(Bytes),
    /// The end, after its elements.
    Terminate,
    /// Silence for so many seconds.
    Pause(u64),
    /// Its elements, or a place for the answer.
    Carry,
}

/// A `<body/>` that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Place in the session's order.
    pub rid: u64,
    /// The session.
    pub sid: Option<String>,
    /// Up to where the client has received responses.
    pub ack: Option<u64>,
    /// What it is for.
    pub task: Task,
    /// Elements, each without context.
    pub elements: Vec<Bytes>,
}

impl Request {
    /// Reads the content of an HTTP request. Limits for single elements are those of the stream.
    ///
    /// # Errors
    /// [`RequestError`]: `bad-request` for the client.
    pub fn parse(bytes: &Bytes, limits: &Limits) -> Result<Request, RequestError> {
        let body = bytes.slice_ref(bytes.trim_ascii());
        let body = Stanza::parse(body, "", limits)?;
        if (body.ns(), body.name()) != (HTTP_BIND, "body") {
            return Err(RequestError::Root);
        }
        let root = body.element();
        let rid = root.attr("rid").and_then(number);
        let rid = rid
            .filter(|rid| (1..=RID_MAX).contains(rid))
            .ok_or(RequestError::Rid)?;
        let sid = root.attr("sid").map(str::to_owned);
        let task = task(&root, sid.is_some())?;
        let elements = match task {
            Task::Create(_) | Task::Restart(_) => Vec::new(),
            _ => body
                .children()
                .map(|child| child.unwrapped(ns::CLIENT))
                .collect(),
        };
        Ok(Request {
            rid,
            sid,
            ack: numeric(&root, "ack")?,
            task,
            elements,
        })
    }

    /// Whether there is nothing in it.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self.task, Task::Carry) && self.elements.is_empty()
    }

    /// Whether it may come on top of those that are allowed at a time (XEP-0124 §11).
    pub(crate) fn is_extra(&self) -> bool {
        matches!(self.task, Task::Terminate | Task::Pause(_))
    }
}

fn task(root: &Element, has_session: bool) -> Result<Task, RequestError> {
    if !has_session {
        let version = root.attr("ver").and_then(|text| text.split_once('.'));
        let version = version.and_then(|(major, minor)| Some((number(major)?, number(minor)?)));
        return Ok(Task::Create(Create {
            wait_secs: numeric(root, "wait")?.unwrap_or(0),
            hold: numeric(root, "hold")?.unwrap_or(0),
            version,
            acks: root.attr("ack") == Some("1"),
            open: open(root),
        }));
    }
    let terminates = root.attr("type") == Some("terminate");
    Ok(match numeric(root, "pause")? {
        _ if terminates => Task::Terminate,
        Some(secs) => Task::Pause(secs),
        None if restarts(root) => Task::Restart(open(root)),
        None => Task::Carry,
    })
}

/// A boolean of XML Schema, in both of its styles.
fn restarts(root: &Element) -> bool {
    root.attributes().any(|attribute| {
        *attribute.ns == *XBOSH
            && *attribute.name == *"restart"
            && matches!(attribute.value.as_str(), "true" | "1")
    })
}

/// What would begin the stream over WebSocket. All clients here speak XMPP 1.0: without `version` they are older than
/// the attribute (XEP-0206 §4).
fn open(root: &Element) -> Bytes {
    let mut open = Element::new(ns::FRAMING, "open").with_attr("version", "1.0");
    for name in ["to", "from", "xml:lang"] {
        if let Some(value) = root.attr(name) {
            open.set_attr(name, value);
        }
    }
    open.to_bytes("")
}

fn numeric(root: &Element, name: &'static str) -> Result<Option<u64>, RequestError> {
    root.attr(name)
        .map(|text| number(text).ok_or(RequestError::Number(name)))
        .transpose()
}

/// Digits alone: no sign.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}
