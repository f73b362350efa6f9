//! [XEP-0455: Service Outage Status](https://xmpp.org/extensions/xep-0455.html)

/// Name of the form in a domain's disco#info that says where its outages are told ("Discovery").
pub const FORM_TYPE: &str = "urn:xmpp:sos:0";

/// Its field with the addresses.
pub const ADDRESSES: &str = "external-status-addresses";
