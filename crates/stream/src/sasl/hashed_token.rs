//! The mechanisms of the HT family, which prove a token in one message and its answer:
//! [draft-schmaus-kitten-sasl-ht-09](https://datatracker.ietf.org/doc/draft-schmaus-kitten-sasl-ht/09/).
//!
//! `HT-SHA-256-UNIQ` is not among them: it binds to `tls-unique`, which TLS 1.3 does not have and our TLS
//! does not give for TLS 1.2, so that it never could be offered.

use zeroize::Zeroizing;

use super::base64;
use super::exchange::{ClientExchange, ClientStep, SaslError};
use super::failure::Failure;
use super::hash::{Hash, Secret};
use super::scram::MESSAGE_BYTES_MAX;

/// initiator-msg (§3.1): who logs in, and the proof.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Initiator {
    pub(crate) user: String,
    pub(crate) hashed: Vec<u8>,
}

impl Initiator {
    pub(crate) fn parse(message: &[u8]) -> Result<Initiator, Failure> {
        if message.len() > MESSAGE_BYTES_MAX {
            return Err(Failure::MalformedRequest);
        }
        // Only the name ends at a zero byte: the hash may have some.
        let mut parts = message.splitn(2, |byte| *byte == 0);
        let (Some(user), Some(hashed)) = (parts.next(), parts.next()) else {
            return Err(Failure::MalformedRequest);
        };
        let user = std::str::from_utf8(user).map_err(|_| Failure::MalformedRequest)?;
        if user.is_empty() || hashed.len() != Hash::Sha256.output_bytes() {
            return Err(Failure::MalformedRequest);
        }
        Ok(Initiator {
            user: user.to_owned(),
            hashed: hashed.to_vec(),
        })
    }
}

/// `HMAC(token, "Initiator" || cb-data)`: the client's proof.
pub(crate) fn initiator_hash(token: &str, binding: &[u8]) -> Secret {
    Hash::Sha256.hmac(token.as_bytes(), &[b"Initiator", binding])
}

/// `HMAC(token, "Responder" || cb-data)`: the server's.
pub(crate) fn responder_hash(token: &str, binding: &[u8]) -> Secret {
    Hash::Sha256.hmac(token.as_bytes(), &[b"Responder", binding])
}

/// How a client proves a token, as it stands in `<initial-response/>`; `binding` is the data of the mechanism's channel
/// binding, empty for [`Mechanism::HtSha256None`](super::Mechanism::HtSha256None). For peers that are scripted.
#[must_use]
pub fn proof_of_token(user: &str, token: &str, binding: &[u8]) -> String {
    let mut client = HashedTokenClient::new(user.to_owned(), token.to_owned(), binding.to_vec());
    base64::encode(&client.start())
}

/// The client's side.
pub(crate) struct HashedTokenClient {
    user: String,
    token: Zeroizing<String>,
    /// The data of the mechanism's channel binding; empty without.
    binding: Zeroizing<Vec<u8>>,
}

impl HashedTokenClient {
    pub(crate) fn new(user: String, token: String, binding: Vec<u8>) -> HashedTokenClient {
        HashedTokenClient {
            user,
            token: Zeroizing::new(token),
            binding: Zeroizing::new(binding),
        }
    }
}

impl ClientExchange for HashedTokenClient {
    fn start(&mut self) -> Vec<u8> {
        let mut message = self.user.clone().into_bytes();
        message.push(0);
        message.extend_from_slice(initiator_hash(&self.token, &self.binding).bytes());
        message
    }

    fn challenge(&mut self, _: &[u8]) -> Result<ClientStep, SaslError> {
        Err(SaslError::Malformed)
    }

    fn success(&mut self, data: Option<&[u8]>) -> Result<(), SaslError> {
        let expected = responder_hash(&self.token, &self.binding);
        match data {
            Some(data) if bool::from(expected.equals(data)) => Ok(()),
            _ => Err(SaslError::ServerUnproven),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_agree_and_differ_by_binding() {
        let mut client = HashedTokenClient::new("alice".into(), "secret".into(), vec![0, 7]);
        let message = Initiator::parse(&client.start()).unwrap();
        assert_eq!(message.user, "alice");
        let expected = |binding: &[u8]| initiator_hash("secret", binding);
        assert!(bool::from(expected(&[0, 7]).equals(&message.hashed)));
        assert!(!bool::from(expected(&[]).equals(&message.hashed)));
        let answer = responder_hash("secret", &[0, 7]);
        assert_eq!(client.success(Some(answer.bytes())), Ok(()));
        for wrong in [None, Some(&message.hashed[..]), Some(&[][..])] {
            assert_eq!(client.success(wrong), Err(SaslError::ServerUnproven));
        }
        assert!(client.challenge(b"").is_err());
    }

    /// RFC 4231, test case 2, of which a token and a binding can be made: `Initiator` is no part of it,
    /// so what is compared is that the parts are joined without anything between.
    #[test]
    fn hashes_what_the_draft_says() {
        let joined = Hash::Sha256.hmac(b"Jefe", &[b"Initiatorwhat do ya want"]);
        assert_eq!(initiator_hash("Jefe", b"what do ya want"), joined);
        let joined = Hash::Sha256.hmac(b"Jefe", &[b"Responder"]);
        assert_eq!(responder_hash("Jefe", b""), joined);
    }

    #[test]
    fn refuses_wrong_messages() {
        let long = [vec![b'u'; MESSAGE_BYTES_MAX], vec![0; 33]].concat();
        let table: [&[u8]; 7] = [
            b"",
            b"alice",
            b"alice\0",
            b"alice\0short",
            &[&b"\0"[..], &[1; 32]].concat(),
            &[&b"\xff\0"[..], &[1; 32]].concat(),
            &long,
        ];
        for message in table {
            let parsed = Initiator::parse(message);
            assert_eq!(parsed, Err(Failure::MalformedRequest), "{message:?}");
        }
        assert!(Initiator::parse(&[&b"alice\0"[..], &[0; 32]].concat()).is_ok());
    }
}
