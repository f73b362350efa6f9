//! By what push services know the server: tokens that it signs (VAPID).
//!
//! [RFC 8292](https://www.rfc-editor.org/rfc/rfc8292) · [RFC 7515](https://www.rfc-editor.org/rfc/rfc7515)

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::{Map, Value};

use super::Endpoint;
use crate::settings::TokenSecret;

/// How long a token is good for; RFC 8292 §2 allows a day.
const TOKEN_SECS: u64 = 12 * 3_600;
/// How it is signed (§2).
const HEADER: &str = r#"{"typ":"JWT","alg":"ES256"}"#;

/// The server's key.
pub(crate) struct Vapid {
    key: EcdsaKeyPair,
    /// The public one, in base64url.
    public: String,
}

impl Vapid {
    /// The key of this secret; `None` for what is no key of P-256, as one of four thousand million is not.
    pub(crate) fn new(secret: &TokenSecret) -> Option<Vapid> {
        let scalar = secret.bytes();
        let private = PrivateKey::from_private_key(&ECDH_P256, &scalar).ok()?;
        let public = private.compute_public_key().ok()?;
        let key = EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            &scalar,
            public.as_ref(),
        );
        Some(Vapid {
            key: key.ok()?,
            public: BASE64.encode(public.as_ref()),
        })
    }

    /// The public key, as clients and push services have it.
    pub(crate) fn public(&self) -> &str {
        &self.public
    }

    /// The field `Authorization` of a request (§3).
    pub(super) fn authorization(
        &self,
        endpoint: &Endpoint,
        contact: &str,
        now_secs: u64,
    ) -> Option<String> {
        let signed = signed(&endpoint.origin(), contact, now_secs + TOKEN_SECS);
        let signature = self.key.sign_digest(&digest(&SHA256, signed.as_bytes()));
        let signature = BASE64.encode(signature.ok()?.as_ref());
        Some(format!("vapid t={signed}.{signature}, k={}", self.public))
    }
}

/// What a token says (RFC 7515 §5.1): for whom it is, by whom, and until when.
fn signed(origin: &str, contact: &str, until_secs: u64) -> String {
    let mut claims = Map::new();
    claims.insert("aud".to_owned(), origin.into());
    claims.insert("exp".to_owned(), until_secs.into());
    if !contact.is_empty() {
        claims.insert("sub".to_owned(), contact.into());
    }
    let claims = Value::from(claims).to_string();
    format!("{}.{}", BASE64.encode(HEADER), BASE64.encode(claims))
}

impl std::fmt::Debug for Vapid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vapid(…)")
    }
}

/// Whether a number is a key of P-256, by which push services can know a server.
pub fn is_push_key(key: &TokenSecret) -> bool {
    Vapid::new(key).is_some()
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
    use serde_json::json;

    use super::*;

    /// RFC 8292 §2.4: the same text, so that its signature is good for ours.
    #[test]
    fn the_published_example() {
        let ours = signed(
            "https://push.example.net",
            "mailto:push@example.com",
            1_453_523_768,
        );
        let expected = "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJhdWQiOiJodHRwczovL3B1c2guZXhhbXBsZS5uZXQiLCJleHAiOjE0NTM1\
            MjM3NjgsInN1YiI6Im1haWx0bzpwdXNoQGV4YW1wbGUuY29tIn0";
        assert_eq!(ours, expected);
        let decoded = |text: &str| BASE64.decode(text).unwrap();
        let key = decoded(
            "BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs",
        );
        let signature = decoded(
            "i3CYb7t4xfxCDquptFOepC9GAu_HLGkMlMuCGSK2rpiUfnK9ojFwDXb1JrErtmysazNjjvW2L9OkSSHzvoD1oA",
        );
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key);
        key.verify(ours.as_bytes(), &signature).unwrap();
    }

    #[test]
    fn a_token_is_signed_for_its_push_service() {
        let vapid = Vapid::new(&TokenSecret::new([7; 32])).unwrap();
        let endpoint = Endpoint::parse("https://push.example:8443/abc").unwrap();
        let field = vapid.authorization(&endpoint, "https://example.org/", 1_000);
        let field = field.unwrap();
        let (token, key) = field
            .strip_prefix("vapid t=")
            .unwrap()
            .split_once(", k=")
            .unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let decoded = |text: &str| BASE64.decode(text).unwrap();
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, decoded(key));
        public
            .verify(signed.as_bytes(), &decoded(signature))
            .unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        let read =
            |text: &str| serde_json::from_slice::<serde_json::Value>(&decoded(text)).unwrap();
        assert_eq!(read(header), json!({ "typ": "JWT", "alg": "ES256" }));
        let expected = json!({
            "aud": "https://push.example:8443",
            "exp": 1_000 + TOKEN_SECS,
            "sub": "https://example.org/",
        });
        assert_eq!(read(claims), expected);
    }

    #[test]
    fn what_is_no_key() {
        assert!(Vapid::new(&TokenSecret::new([0; 32])).is_none());
        assert!(Vapid::new(&TokenSecret::new([0xff; 32])).is_none());
    }
}
