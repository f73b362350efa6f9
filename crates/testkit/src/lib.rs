//! Simulated network, clock and store; conversation runner; scripted peers.

pub mod conversation;
mod crowd;
mod dice;
mod executor;
mod peer;
mod push_service;
mod stream;
mod world;

pub use crowd::{Crowd, NeverComes};
pub use dice::{Dice, Seed, SharedDice};
pub use executor::{Executor, START_MICROS};
pub use peer::{Counts, Peer, PeerError, Tag};
pub use push_service::{Post, PostError, Posted, PushClient};
pub use stream::{ClientStream, Said, Until, Wants};
pub use world::{Cut, Direction, Happening, LinkId, OpenStore, RealStore, World, WorldError};
