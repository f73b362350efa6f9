//! Conversation, simulation and live tests, and what they need: the recorder for power cuts, the built server.

mod built;
mod caller;
mod ledger;
mod ordeal;
mod plays;
pub mod power;
mod scratch;
mod seeds;
mod sockets;
pub mod stored;

pub use built::{Built, BuiltError, BuiltOptions, real_store};
pub use ledger::{Ledger, Verdict};
pub use ordeal::{Blow, Ordeal, OrdealError, PowerError, Report};
pub use plays::{Plays, live, main as play_all};
pub use scratch::Scratch;
pub use seeds::{each_seed, with_seed};
pub use sockets::play_over_sockets;
