//! JIDs, stanza errors and payload types, one file a specification.
//!
//! What is read here has been through [`waxwing_wire`]: it is well-formed and within limits. What is
//! written here is for a [`waxwing_wire::Writer`] or for splicing into a stanza.

pub mod error;
pub mod jid;
mod kind;
pub mod payload;
mod reply;
pub mod xep;

pub use error::{Condition, ErrorType, StanzaError};
pub use jid::{BareJid, FullJid, Jid, JidError};
pub use kind::{IqType, MessageType, PresenceType};
pub use payload::{Payload, PayloadError};
pub use reply::{Reply, error_reply};
