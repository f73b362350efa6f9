//! [XEP-0480: SASL Upgrade Tasks](https://xmpp.org/extensions/xep-0480.html)
//!
//! Conversation: `rfc6120_sasl.md`

use crate::payload::{Secret, payload};

/// Namespace of upgrades.
pub const NS: &str = "urn:xmpp:sasl:upgrade:0";

/// Namespace of upgrades to mechanisms of the SCRAM family.
pub const SCRAM: &str = "urn:xmpp:scram-upgrade:0";

payload! {
    /// An upgrade that a server can do, or that a client asks for (§2.1, §2.2).
    pub struct Upgrade(NS, "upgrade") {
        /// Name of the task.
        task: String = text(),
    }
}

payload! {
    /// What the client needs to compute its salted password (§3).
    pub struct Salt(SCRAM, "salt") {
        /// Rounds.
        iterations: u32 = attr("iterations"),
        /// The salt, in base64.
        salt: String = text(),
    }
}

payload! {
    /// The salted password (§3): as good as the password, for this hash.
    pub struct Hash(SCRAM, "hash") {
        /// In base64.
        hash: Secret = text(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::{read, written};

    /// Example 5.
    #[test]
    fn upgrading() {
        let upgrade = written::<Upgrade>(
            "<upgrade xmlns='urn:xmpp:sasl:upgrade:0'>UPGR-SCRAM-SHA-256</upgrade>",
        );
        assert_eq!(upgrade.task, "UPGR-SCRAM-SHA-256");
        let salt = written::<Salt>(
            "<salt xmlns='urn:xmpp:scram-upgrade:0' iterations='4096'>QV9TWENSWFE2c2VrOGJmX1o=</salt>",
        );
        assert_eq!(salt.iterations, 4096);
        let hash = written::<Hash>(
            "<hash xmlns='urn:xmpp:scram-upgrade:0'>BzOnw3Pc5H4bOLlPZ/8JAy6wnTpH05aH21KW2+Xfpaw=</hash>",
        );
        assert!(!format!("{hash:?}").contains("BzOnw3"));
        assert!(read::<Salt>("<salt xmlns='urn:xmpp:scram-upgrade:0'>QQ==</salt>").is_err());
    }
}
