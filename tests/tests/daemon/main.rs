//! The built server over sockets, as its users meet it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::panic, reason = "a test fails by panicking")]

mod api;
mod backup;
mod bosh;
mod bosh_hostile;
mod bytestreams;
mod calls;
mod check;
mod commands;
mod components;
mod devices;
mod doctor;
mod domains;
mod hb;
mod hostile;
mod http;
mod invitations;
mod leaks;
mod life;
mod login;
mod machine;
mod messages;
mod metrics;
mod migration;
mod notices;
mod objects;
mod one_port;
mod postgresql;
mod proxies;
mod push;
mod refusals;
mod relay;
mod reload;
mod reports;
mod rig;
mod terminal;
mod upgrade;
mod upload;
mod way;
mod web;
mod websocket;
mod websocket_dial;
mod websocket_frames;
mod websocket_hostile;
mod ws;
