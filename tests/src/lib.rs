//! Conversation, simulation and live tests, and what they need: the recorder for power cuts, the built server.

pub mod power;
mod scratch;

pub use scratch::Scratch;
