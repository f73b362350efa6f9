//! The `<body/>` of a response.

use bytes::Bytes;

use waxwing_wire::ns;

use super::HTTP_BIND;

/// Why a session ends, in BOSH's own words (XEP-0124 §17.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The request cannot be read.
    BadRequest,
    /// There is no such session, or no such place in it.
    ItemNotFound,
    /// The client asks too often, or for too much.
    PolicyViolation,
    /// The stream has ended with an error, which stands inside.
    RemoteStreamError,
    /// The server stops, or takes no more sessions.
    SystemShutdown,
}

impl Condition {
    fn as_str(self) -> &'static str {
        match self {
            Condition::BadRequest => "bad-request",
            Condition::ItemNotFound => "item-not-found",
            Condition::PolicyViolation => "policy-violation",
            Condition::RemoteStreamError => "remote-stream-error",
            Condition::SystemShutdown => "system-shutdown",
        }
    }
}

/// The response that ends a session, or says that there is none.
#[must_use]
pub fn terminate(condition: Option<Condition>) -> Bytes {
    end(condition, &[])
}

pub(super) fn end(condition: Option<Condition>, elements: &[Bytes]) -> Bytes {
    let condition = condition.map(|condition| format!(" condition='{}'", condition.as_str()));
    let condition = condition.unwrap_or_default();
    body(&format!(" type='terminate'{condition}"), elements)
}

/// A `<body/>` with these attributes, each with a blank before it.
pub(super) fn body(attributes: &str, elements: &[Bytes]) -> Bytes {
    // XEP-0206 §4 and §6: around the features and errors of a stream.
    let of_stream = elements
        .iter()
        .any(|element| element.starts_with(b"<stream:"));
    let stream = match of_stream {
        true => format!(" xmlns:stream='{}'", ns::STREAMS),
        false => String::new(),
    };
    let mut out = format!("<body xmlns='{HTTP_BIND}'{stream}{attributes}").into_bytes();
    if elements.is_empty() {
        out.extend_from_slice(b"/>");
        return out.into();
    }
    out.push(b'>');
    for element in elements {
        out.extend_from_slice(element);
    }
    out.extend_from_slice(b"</body>");
    out.into()
}
