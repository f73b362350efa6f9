//! What this server and another program both know: an external component, or a TURN server.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::sasl::{Hash, base64};

/// Longest secret in bytes: far above what programs generate.
pub const SECRET_BYTES_MAX: usize = 1_024;

/// A secret, wiped when dropped and never printed. XEP-0114 hashes it together with what is new in each stream, and TURN
/// servers have passwords made of it, so that both sides need it as it is.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

/// Why a text is no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// There is nothing.
    #[error("the secret is empty")]
    Empty,
    /// Longer than [`SECRET_BYTES_MAX`].
    #[error("the secret is longer than {SECRET_BYTES_MAX} bytes")]
    TooLong,
}

impl Secret {
    /// Takes a secret as it is.
    ///
    /// # Errors
    /// It is empty, or too long.
    pub fn new(text: &str) -> Result<Secret, SecretError> {
        match text.len() {
            0 => Err(SecretError::Empty),
            length if length > SECRET_BYTES_MAX => Err(SecretError::TooLong),
            _ => Ok(Secret(Zeroizing::new(text.to_owned()))),
        }
    }

    /// The secret itself, for a service that signs by it in its own way.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What `<handshake/>` says: SHA-1 of the stream's id and the secret, in lower-case hexadecimal.
    pub(crate) fn digest(&self, stream_id: &str) -> String {
        let mut whole = Zeroizing::new(String::with_capacity(stream_id.len() + self.0.len()));
        whole.push_str(stream_id);
        whole.push_str(&self.0);
        let digest = Hash::Sha1.digest(whole.as_bytes());
        let digits = digest
            .bytes()
            .iter()
            .flat_map(|byte| [byte >> 4, byte & 15]);
        digits
            .filter_map(|digit| char::from_digit(u32::from(digit), 16))
            .collect()
    }

    /// The password that a TURN server which shares this secret expects of somebody who goes by this name:
    /// base64 of HMAC-SHA-1 over the name (draft-uberti-behave-turn-rest-00 §2.2).
    pub fn turn_password(&self, username: &str) -> Zeroizing<String> {
        let code = Hash::Sha1.hmac(self.0.as_bytes(), &[username.as_bytes()]);
        Zeroizing::new(base64::encode(code.bytes()))
    }

    /// Whether somebody said what only this secret gives; in a time that does not depend on what was said.
    pub(crate) fn gives(&self, stream_id: &str, said: &str) -> bool {
        let digest = self.digest(stream_id);
        digest.as_bytes().ct_eq(said.as_bytes()).into()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Secret) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret, hidden]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed by coreutils: `printf '3BF96D32secret' | sha1sum`.
    #[test]
    fn the_digest_is_that_of_the_stream_and_the_secret() {
        let secret = Secret::new("secret").unwrap();
        assert_eq!(
            secret.digest("3BF96D32"),
            "b09ea9b3b7f586be8a08d0a3dd7466f110aeb136"
        );
        assert!(secret.gives("3BF96D32", &secret.digest("3BF96D32")));
        assert!(!secret.gives("3BF96D33", &secret.digest("3BF96D32")));
        assert!(!secret.gives("3BF96D32", ""));
    }

    /// Computed by openssl: `printf '1700000000:anon' | openssl dgst -sha1 -hmac north -binary | base64`.
    #[test]
    fn a_password_for_turn() {
        let secret = Secret::new("north").unwrap();
        let password = secret.turn_password("1700000000:anon");
        assert_eq!(*password, "ZNbscPUWDUMz/op4zCxq/Srdmt0=");
    }

    #[test]
    fn what_is_no_secret_and_what_none_shows() {
        assert_eq!(Secret::new(""), Err(SecretError::Empty));
        let long = "x".repeat(SECRET_BYTES_MAX + 1);
        assert_eq!(Secret::new(&long), Err(SecretError::TooLong));
        assert!(Secret::new(&long[1..]).is_ok());
        let secret = Secret::new("hunter2").unwrap();
        assert_eq!(format!("{secret:?}"), "[secret, hidden]");
        assert_ne!(secret, Secret::new("hunter3").unwrap());
    }
}
