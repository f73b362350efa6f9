//! [XEP-0199: XMPP Ping](https://xmpp.org/extensions/xep-0199.html)

use crate::payload::payload;

/// Namespace of pings, and the name of the feature.
pub const NS: &str = "urn:xmpp:ping";

payload! {
    /// A question whose only answer is that there is one.
    pub struct Ping(NS, "ping") {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::written;

    #[test]
    fn example() {
        assert_eq!(written::<Ping>("<ping xmlns='urn:xmpp:ping'/>"), Ping {});
    }
}
