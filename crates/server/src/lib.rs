//! The server without its sockets: routing, sessions, the message pipeline, hooks and features.
//!
//! A newcomer reads `pipeline.rs` (the way of a message), `release.rs` (why acknowledged means
//! durable), `xep.rs` (the list of features) and one feature, `xep/xep_0280_carbons.rs`.

pub mod account_commands;
pub mod accounts;
pub mod addressee;
pub mod admin;
pub mod admission;
pub mod archive;
pub mod asks;
mod blocking;
mod capabilities;
mod confirmed;
pub mod connection;
mod counts;
pub mod cx;
pub mod delivery;
pub mod directory;
pub mod effects;
pub mod generate;
mod greeting;
pub mod hooks;
pub mod hosts;
mod housekeeping;
mod inbound;
mod interests;
pub mod keep;
mod lifecycle;
pub mod link;
mod live;
mod login;
mod metrics;
pub mod options;
pub mod outside;
mod pipeline;
mod presence;
pub mod pubsub;
pub mod registry;
mod release;
mod roster;
mod roster_turns;
mod route;
mod server;
pub mod session;
pub mod settings;
mod sharers;
mod source;
mod stamp;
mod stanza_id;
pub mod subscription;
pub mod throttle;
pub mod transports;
mod turnstile;
mod undelivered;
mod waiting;
pub mod xep;

pub use admin::AdminError;
pub use connection::{Action, Connection};
pub use link::{Link, Security, Transport};
pub use metrics::Limit;
pub use options::OptionValue;
pub use outside::{Clock, Outside, Random, Tasks};
pub use server::{Server, StartError};
pub use settings::{Registration, Settings};
pub use waxwing_stream::Framing;
pub use waxwing_stream::sasl::TlsBinding;
