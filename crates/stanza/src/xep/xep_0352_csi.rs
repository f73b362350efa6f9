//! [XEP-0352: Client State Indication](https://xmpp.org/extensions/xep-0352.html)

use crate::payload::payload;

/// Namespace of client states.
pub const NS: &str = "urn:xmpp:csi:0";

payload! {
    /// The server does something about it (§3.1).
    pub struct Csi(NS, "csi") {}
}

payload! {
    /// Somebody looks at the client again (§3.2).
    pub struct Active(NS, "active") {}
}

payload! {
    /// Nobody looks at the client (§3.2).
    pub struct Inactive(NS, "inactive") {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::written;

    /// Examples 1 to 3.
    #[test]
    fn examples() {
        written::<Csi>("<csi xmlns='urn:xmpp:csi:0'/>");
        written::<Active>("<active xmlns='urn:xmpp:csi:0'/>");
        written::<Inactive>("<inactive xmlns='urn:xmpp:csi:0'/>");
    }
}
