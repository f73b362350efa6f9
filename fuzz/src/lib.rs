//! Fuzz targets as plain functions: each takes any bytes, panics where a promise is broken, and says
//! whether we accept the bytes.
//!
//! `tests/replay.rs` runs them over the committed corpora, `tests/mutations.rs` over a million
//! inputs made from those; both on a stable toolchain, as tests.

#![allow(
    clippy::panic,
    reason = "a panic is how a target says that a promise is broken"
)]

pub mod campaign;
pub mod corpus;
mod expat;
mod jid;
pub mod mutate;
mod negotiation;
mod ours;
mod rxml_oracle;
mod stanza_types;
mod stream_management;
mod wire_splice;
mod wire_stanza;
mod wire_stream;

pub use jid::jid;
pub use negotiation::{
    Transcript, client_stream, scram_client, scram_server, server_stream, transcripts,
};
pub use stanza_types::{TYPES, stanza_types};
pub use stream_management::stream_management;
pub use wire_splice::wire_splice;
pub use wire_stanza::wire_stanza;
pub use wire_stream::{wire_stream, wire_stream_split};

/// A target: its name, which is its corpus's too, and the function.
pub type Target = (&'static str, fn(&[u8]) -> bool);

/// All targets.
pub const TARGETS: &[Target] = &[
    ("client_stream", client_stream),
    ("jid", jid),
    ("scram_client", scram_client),
    ("scram_server", scram_server),
    ("server_stream", server_stream),
    ("stanza_types", stanza_types),
    ("stream_management", stream_management),
    ("wire_splice", wire_splice),
    ("wire_stanza", wire_stanza),
    ("wire_stream", wire_stream),
];
