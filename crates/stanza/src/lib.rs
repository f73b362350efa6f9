//! JIDs, stanza errors and payload types, one file a specification.

pub mod jid;

pub use jid::{BareJid, FullJid, Jid, JidError};
