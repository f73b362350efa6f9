//! XMPP over HTTP: [XEP-0124](https://xmpp.org/extensions/xep-0124.html), version 1.11.2, and
//! [XEP-0206](https://xmpp.org/extensions/xep-0206.html), version 1.4, the server's side.
//!
//! A [`Request`] is the `<body/>` of one HTTP request. A [`Session`] takes requests in any order and
//! hands their elements on in theirs, as a stream of [`Framing::Elements`](crate::Framing::Elements)
//! would have them; what that stream says goes back as responses. Neither knows HTTP, nor what time it is.
//!
//! Of XEP-0124, what is optional and not offered: more streams in a session (§16), `accept` and `charsets` (§7.2), reports of
//! responses that were not acknowledged (§9.2). `requests` is one more than the `hold` that is told, not than the one that
//! was asked for (§7.2), and `polling` is told to those who poll. Whatever ends the stream is `remote-stream-error`, a domain
//! that is not served too (§17.2 for XMPP).

mod keys;
mod request;
mod response;
mod session;
#[cfg(test)]
mod tests;

pub use request::{Create, Request, RequestError, Task};
pub use response::{Condition, terminate};
pub use session::{Handle, Output, Session, Terms};

pub(crate) use waxwing_wire::ns::{HTTP_BIND, XBOSH};
