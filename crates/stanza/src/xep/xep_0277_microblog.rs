//! [XEP-0277: Microblogging over XMPP](https://xmpp.org/extensions/xep-0277.html)
//!
//! Conversation: `xep_0277_microblog.md`

/// Node of an account's feed.
pub const NODE: &str = "urn:xmpp:microblog:0";
/// What a node of comments begins with, with the item's id behind it.
pub const NODE_COMMENTS: &str = "urn:xmpp:microblog:0:comments/";
