//! [XEP-0157: Contact Addresses for XMPP Services](https://xmpp.org/extensions/xep-0157.html)

/// Name of the form in a domain's disco#info that says whom to write to (§2).
pub const FORM_TYPE: &str = "http://jabber.org/network/serverinfo";
