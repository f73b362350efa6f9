//! [XEP-0352: Client State Indication](https://xmpp.org/extensions/xep-0352.html)

use crate::payload::payload;

/// Namespace of client states.
pub const NS: &str = "urn:xmpp:csi:0";

payload! {
    /// Stream feature: the server knows client states.
    pub struct Csi(NS, "csi") {}
}

payload! {
    /// Nonza of a client: somebody looks at it.
    pub struct Active(NS, "active") {}
}

payload! {
    /// Nonza of a client: nobody looks at it, what is not urgent can wait.
    pub struct Inactive(NS, "inactive") {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::written;

    #[test]
    fn examples() {
        assert_eq!(written::<Csi>("<csi xmlns='urn:xmpp:csi:0'/>"), Csi {});
        assert_eq!(
            written::<Active>("<active xmlns='urn:xmpp:csi:0'/>"),
            Active {}
        );
        assert_eq!(
            written::<Inactive>("<inactive xmlns='urn:xmpp:csi:0'/>"),
            Inactive {}
        );
    }
}
