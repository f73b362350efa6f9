//! Encryption of what is posted to an endpoint, so that the push service between cannot read it.
//!
//! [RFC 8291](https://www.rfc-editor.org/rfc/rfc8291) with [RFC 8188](https://www.rfc-editor.org/rfc/rfc8188): one record.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{
    ECDH_P256, ParsedPublicKey, ParsedPublicKeyFormat, PrivateKey, UnparsedPublicKey, agree,
};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};

/// Bytes of a point of P-256, uncompressed.
pub(super) const POINT_BYTES: usize = 65;
/// Bytes of what the client and the server share (RFC 8291 §3.2).
pub(super) const AUTH_BYTES: usize = 16;
/// Bytes that make each message another one (RFC 8188 §2.1).
pub(super) const SALT_BYTES: usize = 16;
/// Bytes of a private key.
pub(super) const SCALAR_BYTES: usize = 32;
/// Size of a record, as it is said: there is one, and it is shorter.
const RECORD_BYTES: u32 = 4_096;
/// Most bytes of what is encrypted (RFC 8291 §4): what a push service has to take is 4,096 with all that is added.
pub(super) const PLAIN_BYTES_MAX: usize = 3_993;
/// Behind the text of the last record (RFC 8188 §2).
const LAST_RECORD: u8 = 2;

/// For whom it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Receiver {
    /// The client's public key.
    pub(super) point: [u8; POINT_BYTES],
    /// What only it and the server know.
    pub(super) auth: [u8; AUTH_BYTES],
}

/// Why there is nothing that could be posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SealError {
    /// The client's key is no point of the curve.
    Receiver,
    /// The key for this message is none; another one is (one of four thousand million is not).
    Sender,
    /// There is too much of it.
    Long,
}

/// Whether it is a point of P-256, uncompressed as `PushSubscription` gives it.
pub(super) fn is_point(point: &[u8; POINT_BYTES]) -> bool {
    let parsed = ParsedPublicKey::try_from(UnparsedPublicKey::new(&ECDH_P256, point));
    parsed.is_ok_and(|point| point.format() == ParsedPublicKeyFormat::Uncompressed)
}

/// Encrypts a text by a key and a salt for it alone; gives the body of the request.
pub(super) fn seal(
    text: &[u8],
    receiver: &Receiver,
    scalar: &[u8; SCALAR_BYTES],
    salt: &[u8; SALT_BYTES],
) -> Result<Vec<u8>, SealError> {
    if text.len() > PLAIN_BYTES_MAX {
        return Err(SealError::Long);
    }
    let private = PrivateKey::from_private_key(&ECDH_P256, scalar);
    let private = private.map_err(|_| SealError::Sender)?;
    let public = private.compute_public_key();
    let public = public.map_err(|_| SealError::Sender)?;
    let point = public.as_ref();
    let theirs = UnparsedPublicKey::new(&ECDH_P256, receiver.point);
    // §3.3 and §3.4: from the shared secret to the input of RFC 8188.
    let input = agree(&private, theirs, SealError::Receiver, |shared| {
        let first = hmac(&receiver.auth, &[shared]);
        let info: [&[u8]; 4] = [b"WebPush: info\0", &receiver.point, point, &[1]];
        Ok(hmac(&first, &info))
    })?;
    let key = hmac(salt, &[&input]);
    let content_key = hmac(&key, &[b"Content-Encoding: aes128gcm\0", &[1]]);
    let nonce = hmac(&key, &[b"Content-Encoding: nonce\0", &[1]]);
    let mut record = [text, &[LAST_RECORD]].concat();
    encrypt(&content_key, &nonce, &mut record).map_err(|Unspecified| SealError::Sender)?;
    let point_bytes = u8::try_from(point.len()).map_err(|_| SealError::Sender)?;
    let size = RECORD_BYTES.to_be_bytes();
    let all: [&[u8]; 5] = [salt, &size, &[point_bytes], point, &record];
    Ok(all.concat())
}

/// HMAC-SHA-256: both steps of HKDF (RFC 5869), whose outputs are no longer here.
fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let tag = sign(&Key::new(HMAC_SHA256, key), &parts.concat());
    let mut out = [0; 32];
    out.copy_from_slice(tag.as_ref());
    out
}

fn encrypt(key: &[u8; 32], nonce: &[u8; 32], record: &mut Vec<u8>) -> Result<(), Unspecified> {
    let (key, _) = key.split_at(16);
    let (nonce, _) = nonce.split_at(12);
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, key)?);
    let nonce = Nonce::try_assume_unique_for_key(nonce)?;
    key.seal_in_place_append_tag(nonce, Aad::empty(), record)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

    use super::*;

    fn bytes<const BYTES: usize>(text: &str) -> [u8; BYTES] {
        BASE64.decode(text).unwrap().try_into().unwrap()
    }

    fn receiver() -> Receiver {
        Receiver {
            point: bytes(
                "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
            ),
            auth: bytes("BTBZMqHH6r4Tts7J_aSIgg"),
        }
    }

    /// RFC 8291 §5 and appendix A.
    #[test]
    fn the_published_example() {
        let sealed = seal(
            b"When I grow up, I want to be a watermelon",
            &receiver(),
            &bytes("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"),
            &bytes("DGv6ra1nlYgDCS1FRnbzlw"),
        );
        let expected = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27ml\
            mlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPT\
            pK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN";
        assert_eq!(BASE64.encode(sealed.unwrap()), expected);
    }

    #[test]
    fn what_cannot_be_sealed() {
        let scalar = [1; SCALAR_BYTES];
        let salt = [2; SALT_BYTES];
        let long = vec![0; PLAIN_BYTES_MAX + 1];
        assert_eq!(
            seal(&long, &receiver(), &scalar, &salt),
            Err(SealError::Long)
        );
        let most = seal(&long[1..], &receiver(), &scalar, &salt).unwrap();
        assert!(most.len() <= 4_096, "{}", most.len());
        let mut wrong = receiver();
        assert!(is_point(&wrong.point));
        wrong.point[64] ^= 1;
        assert!(!is_point(&wrong.point) && !is_point(&[0; POINT_BYTES]));
        assert_eq!(seal(b"x", &wrong, &scalar, &salt), Err(SealError::Receiver));
        for none in [[0; SCALAR_BYTES], [0xff; SCALAR_BYTES]] {
            assert_eq!(
                seal(b"x", &receiver(), &none, &salt),
                Err(SealError::Sender)
            );
        }
    }
}
