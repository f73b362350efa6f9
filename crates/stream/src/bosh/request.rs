//! The `<body/>` of a request.

#[cfg(test)]
mod tests;

use bytes::Bytes;
use waxwing_wire::{Element, Limits, Stanza, WireError, ns};

use super::{HTTP_BIND, XBOSH};

/// Largest request id: what every language can count exactly (XEP-0124 §14.1).
const RID_MAX: u64 = (1 << 53) - 1;

/// Bytes of the second half of a content type (RFC 6838 §4.2).
const SUBTYPE_BYTES_MAX: usize = 127;
/// Bytes of a content type with all that belongs to it.
const CONTENT_BYTES_MAX: usize = 256;

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
    /// Text beside the elements.
    #[error("there is text beside the elements")]
    Text,
    /// `content` is none that responses can have.
    #[error("'content' is no type that responses can have")]
    Content,
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
    /// The content type that all responses must have; `None` for the usual one. A valid header, of UTF-8.
    pub content: Option<String>,
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
    /// What shows that the client is the one of the request before (XEP-0124 §15).
    pub key: Option<String>,
    /// What the next request's key comes from, if not from this one's.
    pub new_key: Option<String>,
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
        if !root.text().trim_ascii().is_empty() {
            return Err(RequestError::Text);
        }
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
            key: root.attr("key").map(str::to_owned),
            new_key: root.attr("newkey").map(str::to_owned),
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
            // Polling is asked for (XEP-0124 §12), not what comes of saying nothing.
            wait_secs: numeric(root, "wait")?.unwrap_or(u64::MAX),
            hold: numeric(root, "hold")?.unwrap_or(1),
            version,
            acks: root.attr("ack") == Some("1"),
            content: content(root)?,
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

/// The content type asked for: a text or an application's, of UTF-8 if it says of what. Nothing else can get into the
/// header that it becomes.
fn content(root: &Element) -> Result<Option<String>, RequestError> {
    let Some(content) = root.attr("content") else {
        return Ok(None);
    };
    let (media, parameter) = match content.split_once(';') {
        Some((media, parameter)) => (media.trim_ascii_end(), Some(parameter.trim_ascii_start())),
        None => (content, None),
    };
    // RFC 6838 §4.2, without what only parameters need.
    let names =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'-' | b'_');
    let is_media = media.split_once('/').is_some_and(|(kind, subtype)| {
        ["text", "application"]
            .iter()
            .any(|known| kind.eq_ignore_ascii_case(known))
            && (1..=SUBTYPE_BYTES_MAX).contains(&subtype.len())
            && subtype.bytes().all(names)
    });
    let is_utf_8 = parameter.is_none_or(|parameter| {
        ["charset=utf-8", "charset=\"utf-8\""]
            .iter()
            .any(|known| parameter.eq_ignore_ascii_case(known))
    });
    let blanks = content
        .bytes()
        .filter(u8::is_ascii_whitespace)
        .all(|byte| byte == b' ');
    match is_media && is_utf_8 && blanks && content.len() <= CONTENT_BYTES_MAX {
        true => Ok(Some(content.to_owned())),
        false => Err(RequestError::Content),
    }
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
