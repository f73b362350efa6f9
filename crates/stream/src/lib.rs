//! Stream negotiation for both sides, without I/O.
//!
//! Plain structs: `handle_*` takes the outside in, `poll` gives it out, randomness ([`Seed`]) and time
//! are arguments. One rule for draining: after any call, poll until nothing is left.
//!
//! - [`server::Negotiation`] and [`client::Negotiation`] take a stream from its header to a bound
//!   resource;
//! - [`component::Acceptor`] and [`component::Connector`] do the same for an external component;
//! - [`sm::Sm`] counts and keeps stanzas for acknowledgement and resumption, on both sides;
//! - [`bosh`] carries a stream in requests and responses of HTTP;
//! - [`proxy_protocol`] says whom a reverse proxy speaks for;
//! - [`sasl`] holds what is kept of passwords and tokens, and the mechanisms.

pub mod bosh;
#[cfg(test)]
mod both_sides;
pub mod client;
pub mod component;
mod error;
mod framing;
mod header;
pub mod proxy_protocol;
pub mod sasl;
mod secret;
mod seed;
pub mod server;
pub mod sm;
mod transport;

pub use error::{StreamCondition, StreamError};
pub use framing::Framing;
pub use header::CLOSE;
pub use secret::{SECRET_BYTES_MAX, Secret, SecretError};
pub use seed::Seed;
