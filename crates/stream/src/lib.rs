//! Stream negotiation for both sides, without I/O.

pub mod sasl;
mod seed;

pub use seed::Seed;
