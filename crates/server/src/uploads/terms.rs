//! What a slot allows, signed: whoever has the token may bring that file, and none other, once.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use prost::Message as _;
use sha2::Sha256;

/// Bytes of a token, in base64: an address of 2 KiB and a name fit.
const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// Bytes of a signature (HMAC-SHA-256).
const SIGNATURE_BYTES: usize = 32;

/// What a slot allows.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct Terms {
    /// Whose file it will be: a bare address.
    #[prost(string, tag = "1")]
    pub(crate) account: String,
    /// The file's id.
    #[prost(string, tag = "2")]
    pub(crate) id: String,
    /// Its size in bytes.
    #[prost(uint64, tag = "3")]
    pub(crate) size: u64,
    /// Its media type; empty where that is left to who brings it.
    #[prost(string, tag = "4")]
    pub(crate) media_type: String,
    /// What it is called.
    #[prost(string, tag = "5")]
    pub(crate) name: String,
    /// Its kind, by number.
    #[prost(uint32, tag = "6")]
    pub(crate) bucket: u32,
    /// When it must be gone, in microseconds since 1970; 0 where nobody has said so.
    #[prost(uint64, tag = "7")]
    pub(crate) end_micros: u64,
    /// Until when it can be begun to bring it, in microseconds since 1970.
    #[prost(uint64, tag = "8")]
    pub(crate) until_micros: u64,
}

/// Signs terms and knows them again.
pub(crate) struct Signer([u8; 32]);

impl Signer {
    pub(crate) fn new(key: [u8; 32]) -> Signer {
        Signer(key)
    }

    /// A key of 32 bytes is one for HMAC, as one of any length is.
    fn mac(&self, terms: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(terms);
        Some(mac)
    }

    /// The terms as a client carries them.
    pub(crate) fn token(&self, terms: &Terms) -> String {
        let mut bytes = terms.encode_to_vec();
        if let Some(mac) = self.mac(&bytes) {
            bytes.extend_from_slice(&mac.finalize().into_bytes());
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The terms of a token; `None` where this server has not signed it.
    pub(crate) fn terms(&self, token: &str) -> Option<Terms> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let at = bytes.len().checked_sub(SIGNATURE_BYTES)?;
        let (terms, signature) = bytes.split_at(at);
        self.mac(terms)?.verify_slice(signature).ok()?;
        Terms::decode(terms).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms() -> Terms {
        Terms {
            account: "alice@example.org".to_owned(),
            id: "00ff".to_owned(),
            size: 7,
            media_type: "image/png".to_owned(),
            name: "a.png".to_owned(),
            bucket: 0,
            end_micros: 0,
            until_micros: 9,
        }
    }

    #[test]
    fn what_was_signed_is_known_again() {
        let signer = Signer::new([7; 32]);
        let token = signer.token(&terms());
        assert_eq!(signer.terms(&token), Some(terms()));
        // The same after a restart, and nothing to another server.
        assert_eq!(Signer::new([7; 32]).terms(&token), Some(terms()));
        assert_eq!(Signer::new([8; 32]).terms(&token), None);
    }

    #[test]
    fn what_was_changed_is_not() {
        let signer = Signer::new([7; 32]);
        let token = signer.token(&terms());
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let changed = URL_SAFE_NO_PAD.encode(changed);
            assert_eq!(signer.terms(&changed), None, "at {at}");
        }
        for cut in 0..token.len() {
            assert_eq!(signer.terms(&token[..cut]), None, "cut at {cut}");
        }
        let larger = Terms { size: 8, ..terms() };
        let unsigned = larger.encode_to_vec();
        let signature = &bytes[bytes.len() - SIGNATURE_BYTES..];
        let forged = URL_SAFE_NO_PAD.encode([&unsigned, signature].concat());
        assert_eq!(signer.terms(&forged), None);
        let long = "A".repeat(TOKEN_BYTES_MAX + 1);
        assert_eq!(signer.terms(&long), None);
        assert_eq!(signer.terms("\u{e9}"), None);
    }
}
