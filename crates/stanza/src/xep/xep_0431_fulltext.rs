//! [XEP-0431: Full Text Search in MAM](https://xmpp.org/extensions/xep-0431.html)

/// Name of the feature.
pub const NS: &str = "urn:xmpp:fulltext:0";

/// Field of a query of an archive: what is looked for (§3.1).
pub const FIELD: &str = "{urn:xmpp:fulltext:0}fulltext";
