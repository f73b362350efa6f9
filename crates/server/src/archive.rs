//! An account's archive (XEP-0313): the entries of its log with the mark *archived*.
//!
//! What is archived is decided in `keep.rs` by what a message is, and in `preferences.rs` by with whom it is exchanged; it
//! enters the log with its delivery (`delivery.rs`). `question.rs` reads what somebody wants of it, `pages.rs` finds that,
//! and `retention.rs` lets the oldest go.

mod pages;
mod preferences;
pub mod queries;
mod question;
mod retention;
mod retraction;
mod timers;

pub(crate) use pages::{Found, Message, ends, find};
pub(crate) use preferences::{
    BY_DEFAULT, PREFERENCES, PREFERENCES_BYTES_MAX, Preferences, by_default, load, save, wants,
};
pub(crate) use question::{Question, form};
pub(crate) use retention::{BYTES_MAX, DAYS_MAX, SIZES, sweep};
pub(crate) use retraction::retract;
pub(crate) use timers::{NextTimer, TIMERS, fire, set as set_timer};

use waxwing_store::Marks;

/// Mark of an entry that belongs to the archive.
pub(crate) const ARCHIVED: Marks = Marks::ARCHIVED;
