//! Files that people leave here, under a simulated clock: how long they stay, how much there may be of them, and that each
//! slot is good for one file, once.
//!
//! <https://xmpp.org/extensions/xep-0363.html>

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod keeping;
mod rig;
mod room;
mod slots;
