//! `waxwing-load` against the built server, as its users run it: what is counted, never how long it took.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::panic, reason = "a test fails by panicking")]

mod accounts;
mod false_server;
mod manual;
mod refusals;
mod rig;
mod scenarios;
mod stalls;
mod transports;
