//! The hash functions of the SCRAM family and the values they give.
//!
//! [RFC 5802](https://www.rfc-editor.org/rfc/rfc5802) ·
//! [RFC 7677](https://www.rfc-editor.org/rfc/rfc7677)

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroize;

/// Bytes of the longest output, SHA-512's.
const OUTPUT_BYTES_MAX: usize = 64;

/// A hash function that a SCRAM mechanism is named after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hash {
    /// SHA-1, of `SCRAM-SHA-1` (RFC 5802).
    Sha1,
    /// SHA-256, of `SCRAM-SHA-256` (RFC 7677).
    Sha256,
    /// SHA-512, of `SCRAM-SHA-512`.
    Sha512,
}

impl Hash {
    /// Every hash, weakest first.
    pub const ALL: [Hash; 3] = [Hash::Sha1, Hash::Sha256, Hash::Sha512];

    /// Length of the output in bytes.
    pub const fn output_bytes(self) -> usize {
        match self {
            Hash::Sha1 => 20,
            Hash::Sha256 => 32,
            Hash::Sha512 => 64,
        }
    }

    /// Name of the task by which an account gets keys of this hash (XEP-0480 §2.1).
    pub(crate) const fn upgrade_task(self) -> &'static str {
        match self {
            Hash::Sha1 => "UPGR-SCRAM-SHA-1",
            Hash::Sha256 => "UPGR-SCRAM-SHA-256",
            Hash::Sha512 => "UPGR-SCRAM-SHA-512",
        }
    }

    /// `H(data)`.
    pub(crate) fn digest(self, data: &[u8]) -> Secret {
        match self {
            Hash::Sha1 => Secret::copy(&Sha1::digest(data)),
            Hash::Sha256 => Secret::copy(&Sha256::digest(data)),
            Hash::Sha512 => Secret::copy(&Sha512::digest(data)),
        }
    }

    /// `HMAC(key, parts joined)`.
    pub(crate) fn hmac(self, key: &[u8], parts: &[&[u8]]) -> Secret {
        match self {
            Hash::Sha1 => hmac::<Hmac<Sha1>>(key, parts),
            Hash::Sha256 => hmac::<Hmac<Sha256>>(key, parts),
            Hash::Sha512 => hmac::<Hmac<Sha512>>(key, parts),
        }
    }

    /// `Hi(password, salt, iterations)`, which is PBKDF2 with one block of output.
    pub(crate) fn stretch(self, password: &[u8], salt: &[u8], iterations: u32) -> Secret {
        let mut out = Secret::zeros(self.output_bytes());
        let bytes = out.bytes_mut();
        match self {
            Hash::Sha1 => pbkdf2::pbkdf2_hmac::<Sha1>(password, salt, iterations, bytes),
            Hash::Sha256 => pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, bytes),
            Hash::Sha512 => pbkdf2::pbkdf2_hmac::<Sha512>(password, salt, iterations, bytes),
        }
        out
    }
}

#[expect(
    clippy::expect_used,
    reason = "HMAC takes a key of any length (RFC 2104 §3); the Result belongs to other MACs"
)]
fn hmac<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Secret {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("any length is a key");
    for part in parts {
        mac.update(part);
    }
    Secret::copy(&mac.finalize().into_bytes())
}

/// Output of a hash or a key derived from one: wiped when dropped, compared in constant time,
/// never printed.
#[derive(Clone)]
pub(crate) struct Secret {
    length: usize,
    bytes: [u8; OUTPUT_BYTES_MAX],
}

impl Secret {
    pub(crate) fn zeros(length: usize) -> Secret {
        Secret {
            length: length.min(OUTPUT_BYTES_MAX),
            bytes: [0; OUTPUT_BYTES_MAX],
        }
    }

    /// Copies at most [`OUTPUT_BYTES_MAX`] bytes; no hash here gives more.
    pub(crate) fn copy(source: &[u8]) -> Secret {
        let mut secret = Secret::zeros(source.len());
        let length = secret.length;
        secret.bytes_mut().copy_from_slice(&source[..length]);
        secret
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.length]
    }

    /// Bitwise exclusive or, over the length of the shorter.
    pub(crate) fn xor(&self, other: &[u8]) -> Secret {
        let mut out = Secret::copy(self.bytes());
        for (byte, with) in out.bytes_mut().iter_mut().zip(other) {
            *byte ^= with;
        }
        out
    }

    /// Equality whose time depends on nothing but the lengths.
    pub(crate) fn equals(&self, other: &[u8]) -> Choice {
        self.bytes().ct_eq(other)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Secret) -> bool {
        self.equals(other.bytes()).into()
    }
}

impl Eq for Secret {}

impl Drop for Secret {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} bytes, hidden]", self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// RFC 6070, test vectors 1 to 3 and 6 (the last has zero bytes inside).
    #[test]
    fn stretches_as_rfc_6070_says() {
        let vectors: [(&[u8], &[u8], u32, &str); 3] = [
            (
                b"password",
                b"salt",
                1,
                "0c60c80f961f0e71f3a9b524af6012062fe037a6",
            ),
            (
                b"password",
                b"salt",
                2,
                "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957",
            ),
            (
                b"password",
                b"salt",
                4096,
                "4b007901b765489abead49d926f721d065a429c1",
            ),
        ];
        for (password, salt, iterations, expected) in vectors {
            let out = Hash::Sha1.stretch(password, salt, iterations);
            assert_eq!(hex(out.bytes()), expected);
        }
        let out = Hash::Sha1.stretch(b"pass\0word", b"sa\0lt", 4096);
        assert!(hex(out.bytes()).starts_with("56fa6aa75548099dcc37d7f03425e0c3"));
    }

    /// RFC 4231, test case 2.
    #[test]
    fn authenticates_as_rfc_4231_says() {
        let parts: [&[u8]; 2] = [b"what do ya want ", b"for nothing?"];
        assert_eq!(
            hex(Hash::Sha256.hmac(b"Jefe", &parts).bytes()),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert!(
            hex(Hash::Sha512.hmac(b"Jefe", &parts).bytes())
                .starts_with("164b7a7bfcf819e2e395fbe73b56e0a3")
        );
    }

    #[test]
    fn compares_and_hides_its_bytes() {
        let secret = Secret::copy(b"opensesame");
        assert!(bool::from(secret.equals(b"opensesame")));
        assert!(!bool::from(secret.equals(b"opensesam")));
        assert!(!bool::from(secret.equals(b"opensesamE")));
        assert_eq!(format!("{secret:?}"), "[10 bytes, hidden]");
    }
}
