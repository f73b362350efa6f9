//! SCRAM on the client: [RFC 5802 §3](https://www.rfc-editor.org/rfc/rfc5802#section-3),
//! [RFC 7677](https://www.rfc-editor.org/rfc/rfc7677).

use std::ops::RangeInclusive;

use super::base64;
use super::credentials::{client_key, server_key};
use super::exchange::{ClientExchange, ClientStep, SaslError};
use super::hash::{Hash, Secret};
use super::password::Password;
use super::scram::{BindingFlag, ServerFirst, encode_name, server_signature};
use super::stretch::{Stretch, Stretched};
use super::xep_0474_downgrade::Offer;
use super::xep_0515_tls_version;

/// Fewest rounds that a client computes by default: RFC 7677 §4's minimum. Fewer would let a false
/// server search for the password cheaply.
pub const ITERATIONS_MIN: u32 = 4096;
/// Most rounds that a client computes by default: some seconds on a telephone.
pub const ITERATIONS_MAX: u32 = 5_000_000;

/// What a SCRAM log-in needs to begin.
pub(crate) struct ScramLogin {
    pub(crate) hash: Hash,
    pub(crate) flag: BindingFlag<'static>,
    /// The data of the binding that `flag` names; empty without.
    pub(crate) binding: Vec<u8>,
    pub(crate) user: String,
    pub(crate) password: Password,
    pub(crate) nonce: String,
    /// What the server's features said, as received.
    pub(crate) offer: Offer,
    /// Whether the server has to prove its offer (XEP-0474).
    pub(crate) offer_hash_required: bool,
    /// The version of our TLS.
    pub(crate) tls_version: Option<u16>,
    pub(crate) iterations: RangeInclusive<u32>,
}

/// One log-in by a SCRAM mechanism.
pub(crate) struct ScramClient {
    login: ScramLogin,
    state: State,
}

enum State {
    Start,
    Stretching {
        server_first: String,
        nonce: String,
    },
    /// Waits for the server's signature.
    Signature(Secret),
    Done,
    Failed,
}

impl ScramClient {
    pub(crate) fn new(login: ScramLogin) -> ScramClient {
        ScramClient {
            login,
            state: State::Start,
        }
    }

    fn bare(&self) -> String {
        format!("n={},r={}", encode_name(&self.login.user), self.login.nonce)
    }

    fn gs2_header(&self) -> String {
        match self.login.flag {
            BindingFlag::Unsupported => "n,,".to_owned(),
            BindingFlag::NotOffered => "y,,".to_owned(),
            BindingFlag::Used(name) => format!("p={name},,"),
        }
    }

    fn first(&mut self, message: &[u8]) -> Result<ClientStep, SaslError> {
        let first = ServerFirst::parse(message).map_err(|_| SaslError::Malformed)?;
        let own = &self.login.nonce;
        if !first.nonce.starts_with(own.as_str()) || first.nonce.len() == own.len() {
            return Err(SaslError::Malformed);
        }
        if first.iterations < *self.login.iterations.start() {
            return Err(SaslError::IterationsTooFew(first.iterations));
        }
        if first.iterations > *self.login.iterations.end() {
            return Err(SaslError::IterationsTooMany(first.iterations));
        }
        let arrived = self.login.offer.hash(self.login.hash);
        let is_proven = first
            .offer_hash
            .map_or(!self.login.offer_hash_required, |sent| sent == arrived);
        if !is_proven {
            return Err(SaslError::Downgraded);
        }
        if !xep_0515_tls_version::agrees(first.tls_version, self.login.tls_version) {
            return Err(SaslError::OtherTls);
        }
        self.state = State::Stretching {
            server_first: String::from_utf8_lossy(message).into_owned(),
            nonce: first.nonce.to_owned(),
        };
        Ok(ClientStep::Stretch(Stretch {
            hash: self.login.hash,
            password: self.login.password.clone(),
            salt: first.salt,
            iterations: first.iterations,
        }))
    }

    /// Takes the server's signature; anything but the right one means that this is not our server.
    fn verify(&mut self, message: &[u8]) -> Result<(), SaslError> {
        let State::Signature(expected) = std::mem::replace(&mut self.state, State::Failed) else {
            return Err(SaslError::ServerUnproven);
        };
        let signature = server_signature(message).map_err(|_| SaslError::ServerUnproven)?;
        if !bool::from(expected.equals(&signature)) {
            return Err(SaslError::ServerUnproven);
        }
        self.state = State::Done;
        Ok(())
    }
}

impl ClientExchange for ScramClient {
    fn start(&mut self) -> Vec<u8> {
        format!("{}{}", self.gs2_header(), self.bare()).into_bytes()
    }

    fn challenge(&mut self, message: &[u8]) -> Result<ClientStep, SaslError> {
        match self.state {
            State::Start => self.first(message),
            // Servers may send the signature as a challenge and wait for an empty response.
            State::Signature(_) => self
                .verify(message)
                .map(|()| ClientStep::Response(Vec::new())),
            _ => Err(SaslError::Malformed),
        }
    }

    fn stretched(&mut self, Stretched(salted): Stretched) -> Result<Vec<u8>, SaslError> {
        let State::Stretching {
            server_first,
            nonce,
        } = std::mem::replace(&mut self.state, State::Failed)
        else {
            return Err(SaslError::Malformed);
        };
        let hash = self.login.hash;
        let mut binding = self.gs2_header().into_bytes();
        binding.extend_from_slice(&self.login.binding);
        let without_proof = format!("c={},r={nonce}", base64::encode(&binding));
        let signed = format!("{},{server_first},{without_proof}", self.bare());
        let client_key = client_key(hash, &salted);
        let stored_key = hash.digest(client_key.bytes());
        let proof = client_key.xor(hash.hmac(stored_key.bytes(), &[signed.as_bytes()]).bytes());
        let server_key = server_key(hash, &salted);
        self.state = State::Signature(hash.hmac(server_key.bytes(), &[signed.as_bytes()]));
        Ok(format!("{without_proof},p={}", base64::encode(proof.bytes())).into_bytes())
    }

    fn success(&mut self, data: Option<&[u8]>) -> Result<(), SaslError> {
        match (&self.state, data) {
            (State::Done, None) => Ok(()),
            (State::Signature(_), Some(message)) => self.verify(message),
            _ => Err(SaslError::ServerUnproven),
        }
    }
}
