//! Conversation, simulation and live tests, and what they need: the recorder for power cuts, the built server.

mod built;
mod ledger;
pub mod power;
mod scratch;

pub use built::{Built, BuiltError, BuiltOptions};
pub use ledger::{Ledger, Verdict};
pub use scratch::Scratch;
