//! Payload types, one file a specification.

pub mod rfc6121_roster;
