//! Publish-subscribe by its tables: every error of XEP-0060, what each affiliation may do, and what strangers learn.
//!
//! <https://xmpp.org/extensions/xep-0060.html>

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod attached;
mod bookmarks;
mod errors;
mod floods;
mod forms;
mod large;
mod many_subscribers;
mod ownership;
mod pending;
mod privileges;
mod reach;
#[path = "../rfc6121/rig.rs"]
#[allow(dead_code, reason = "other tests need more of it")]
mod rig;
mod service;
mod strangers;
