//! push: registering Web Push and UnifiedPush endpoints, `docs/protocols/push.md`
//!
//! Conversation: `xep_0357_push.md`

use crate::payload::payload;

/// Namespace of the protocol, and the name of the feature.
pub const NS: &str = "urn:waxwing:push:0";
/// Node of the ad-hoc command that shows an account's push services, and how they go.
pub const SERVICES: &str = "urn:waxwing:push:0#services";
/// Field of the publish options: where notifications are posted to.
pub const ENDPOINT: &str = "endpoint";
/// Field of the publish options: the client's public key.
pub const PUBLIC_KEY: &str = "p256dh";
/// Field of the publish options: what the client and the app server share.
pub const AUTH_SECRET: &str = "auth";

payload! {
    /// Asks for the key by which push services know the server (RFC 8292).
    pub struct AskKey(NS, "key") {}
}

payload! {
    /// That key, as `PushManager.subscribe` takes it.
    pub struct Key(NS, "key") {
        /// The point, uncompressed, in base64url.
        key: String = text(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::testing::written;

    #[test]
    fn asking_and_telling() {
        written::<AskKey>("<key xmlns='urn:waxwing:push:0'/>");
        let told = written::<Key>("<key xmlns='urn:waxwing:push:0'>BP4z9KsN6nGR</key>");
        assert_eq!(told.key, "BP4z9KsN6nGR");
    }
}
