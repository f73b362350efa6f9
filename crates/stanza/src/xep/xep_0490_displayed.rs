//! [XEP-0490: Message Displayed Synchronization](https://xmpp.org/extensions/xep-0490.html)
//!
//! Conversation: `xep_0490_displayed.md`

/// Node where each item says how far a chat was read.
pub const NODE: &str = "urn:xmpp:mds:displayed:0";

/// Element that says how far a chat was read.
pub const DISPLAYED: &str = "displayed";

/// Feature of an account whose messages may bring their marker along.
pub const NS_ASSIST: &str = "urn:xmpp:mds:server-assist:0";
