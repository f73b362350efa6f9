//! RFC 6121 by its tables: every state of a subscription and every request, every type of message to every kind of
//! address, every type of IQ; and what the server does not know, byte for byte.
//!
//! <https://www.rfc-editor.org/rfc/rfc6121>

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod iqs;
mod large;
mod messages;
mod payloads;
mod rig;
mod rosters;
mod subscriptions;
