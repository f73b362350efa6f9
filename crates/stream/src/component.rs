//! The stream of an external component, both sides:
//! [XEP-0114](https://xmpp.org/extensions/xep-0114.html), the method "accept".
//!
//! Events of the [`Reader`](waxwing_wire::Reader) go in, outputs come out of `poll` until there is none left. There are no
//! features and no versions here: a header each way, and a `<handshake/>` each way.

mod acceptor;
mod connector;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use waxwing_wire::{Element, ns};

pub use acceptor::{Acceptor, Output};
pub use connector::{Connector, ConnectorError, ConnectorOutput};

use crate::header::opening;
pub use crate::secret::{SECRET_BYTES_MAX, Secret, SecretError};

/// The element by which a component proves that it knows the secret, and by which it is let in.
const HANDSHAKE: &str = "handshake";

/// A header with these attributes.
fn header(attributes: &[(&'static str, &str)]) -> Bytes {
    let mut root = Element::new(ns::COMPONENT, "stream");
    for (name, value) in attributes {
        root.set_attr(*name, *value);
    }
    opening(&root)
}

/// `<handshake/>` as it stands in the stream.
fn handshake(digest: &str) -> Bytes {
    Element::new(ns::COMPONENT, HANDSHAKE)
        .with_text(digest)
        .to_bytes(ns::COMPONENT)
}
