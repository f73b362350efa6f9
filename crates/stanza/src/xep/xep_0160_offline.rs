//! [XEP-0160: Best Practices for Handling Offline Messages](https://xmpp.org/extensions/xep-0160.html)

/// Name of the feature: the server keeps messages for accounts without a session. There is no element.
pub const FEATURE: &str = "msgoffline";
