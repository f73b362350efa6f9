//! Fuzz targets as plain functions: each takes any bytes, panics where a promise is broken, and says
//! whether we accept the bytes.
//!
//! `tests/replay.rs` runs them over the committed corpora, `tests/mutations.rs` over a million
//! inputs made from those; both on a stable toolchain, as tests.

#![allow(
    clippy::panic,
    reason = "a panic is how a target says that a promise is broken"
)]

mod archive_queries;
mod bosh;
pub mod campaign;
mod component_stream;
mod configuration;
pub mod corpus;
mod data_forms;
mod expat;
mod jid;
pub mod mutate;
mod negotiation;
mod ours;
mod proxy_protocol;
mod rxml_oracle;
mod stanza_types;
mod stream_management;
mod upload_request;
mod web_form;
mod websocket;
mod wire_splice;
mod wire_stanza;
mod wire_stream;

pub use archive_queries::archive_queries;
pub use bosh::bosh;
pub use component_stream::component_stream;
pub use configuration::configuration;
pub use data_forms::data_forms;
pub use jid::jid;
pub use negotiation::{
    Transcript, client_stream, scram_client, scram_server, server_stream, transcripts,
};
pub use proxy_protocol::proxy_protocol;
pub use stanza_types::{TYPES, stanza_types};
pub use stream_management::stream_management;
pub use upload_request::upload_request;
pub use web_form::web_form;
pub use websocket::websocket;
pub use wire_splice::wire_splice;
pub use wire_stanza::wire_stanza;
pub use wire_stream::{wire_stream, wire_stream_split};

/// A target: its name, which is its corpus's too, and the function.
pub type Target = (&'static str, fn(&[u8]) -> bool);

/// All targets.
pub const TARGETS: &[Target] = &[
    ("archive_queries", archive_queries),
    ("bosh", bosh),
    ("client_stream", client_stream),
    ("component_stream", component_stream),
    ("configuration", configuration),
    ("data_forms", data_forms),
    ("jid", jid),
    ("proxy_protocol", proxy_protocol),
    ("scram_client", scram_client),
    ("scram_server", scram_server),
    ("server_stream", server_stream),
    ("stanza_types", stanza_types),
    ("stream_management", stream_management),
    ("upload_request", upload_request),
    ("web_form", web_form),
    ("websocket", websocket),
    ("wire_splice", wire_splice),
    ("wire_stanza", wire_stanza),
    ("wire_stream", wire_stream),
];
