//! [XEP-0501: Pubsub Stories](https://xmpp.org/extensions/xep-0501.html)
//!
//! Conversation: `xep_0501_stories.md`

/// Node of an account's stories, and the type of such nodes.
pub const NODE: &str = "urn:xmpp:pubsub-social-feed:stories:0";
