//! SCRAM on the server: [RFC 5802 §3](https://www.rfc-editor.org/rfc/rfc5802#section-3),
//! [RFC 7677](https://www.rfc-editor.org/rfc/rfc7677).

use std::sync::Arc;

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use super::base64;
use super::binding::BindingKind;
use super::credentials::FakeSalts;
use super::exchange::{Account, Keys, ServerExchange, Step};
use super::failure::Failure;
use super::hash::Hash;
use super::scram::{BindingFlag, ClientFinal, ClientFirst};
use super::xep_0474_downgrade::Offer;
use super::xep_0515_tls_version;

/// One log-in by a SCRAM mechanism.
pub(crate) struct ScramServer {
    hash: Hash,
    plus: bool,
    bindings: Vec<(BindingKind, Vec<u8>)>,
    offer: Arc<Offer>,
    tls_version: Option<u16>,
    /// Our part of the nonce.
    nonce: String,
    state: State,
}

enum State {
    Start,
    /// Waits for the account.
    Account(First),
    /// Waits for the proof.
    Proof(Box<Challenged>),
    Done,
}

/// What is kept of the client's first message.
struct First {
    bare: String,
    nonce: String,
    /// GS2 header and binding data, as the client must repeat them.
    binding: Vec<u8>,
}

struct Challenged {
    first: First,
    server_first: String,
    keys: Keys,
}

impl ScramServer {
    /// `bindings` are those of this connection, `offer` is what this stream's features said, `nonce`
    /// is fresh and unpredictable.
    pub(crate) fn new(
        hash: Hash,
        plus: bool,
        bindings: Vec<(BindingKind, Vec<u8>)>,
        offer: impl Into<Arc<Offer>>,
        nonce: String,
    ) -> ScramServer {
        ScramServer {
            hash,
            plus,
            bindings,
            offer: offer.into(),
            tls_version: None,
            nonce,
            state: State::Start,
        }
    }

    /// The same in a connection of this version of TLS, which the client is told (XEP-0515).
    pub(crate) fn in_tls(mut self, version: Option<u16>) -> ScramServer {
        self.tls_version = version;
        self
    }

    fn first(&mut self, message: &[u8]) -> Result<Step, Failure> {
        let first = ClientFirst::parse(message)?;
        let mut binding = first.gs2_header.as_bytes().to_vec();
        binding.extend_from_slice(self.binding_data(first.flag)?);
        self.state = State::Account(First {
            bare: first.bare.to_owned(),
            nonce: format!("{}{}", first.nonce, self.nonce),
            binding,
        });
        Ok(Step::Account {
            user: first.user,
            authzid: first.authzid,
        })
    }

    /// The data that the client's flag binds to. A `-PLUS` mechanism needs a binding, the others
    /// must not have one, and who says that we did not offer any although we did has been lied to
    /// (RFC 5802 §6).
    fn binding_data(&self, flag: BindingFlag<'_>) -> Result<&[u8], Failure> {
        let offered = self
            .offer
            .mechanisms
            .iter()
            .any(|name| name.ends_with("-PLUS"));
        match (flag, self.plus) {
            (BindingFlag::Used(name), true) => self
                .bindings
                .iter()
                .find(|(kind, _)| kind.name() == name)
                .map(|(_, data)| data.as_slice())
                .ok_or(Failure::MalformedRequest),
            (BindingFlag::Unsupported, false) => Ok(&[]),
            (BindingFlag::NotOffered, false) if !offered => Ok(&[]),
            _ => Err(Failure::MalformedRequest),
        }
    }

    fn last(&self, challenged: &Challenged, message: &[u8]) -> Result<Step, Failure> {
        let Challenged {
            first,
            server_first,
            keys: Keys { keys, verdict },
        } = challenged;
        let last = ClientFinal::parse(message)?;
        let signed: [&[u8]; 5] = [
            first.bare.as_bytes(),
            b",",
            server_first.as_bytes(),
            b",",
            last.without_proof.as_bytes(),
        ];
        let client_signature = self.hash.hmac(keys.stored_key(), &signed);
        let client_key = client_signature.xor(&last.proof);
        let proven = self
            .hash
            .digest(client_key.bytes())
            .equals(keys.stored_key());
        let whole = last.proof.len().ct_eq(&self.hash.output_bytes());
        let bound = last.binding.ct_eq(&first.binding);
        let fresh = last.nonce.as_bytes().ct_eq(first.nonce.as_bytes());
        if !bool::from(proven & whole & bound & fresh) {
            return Err(Failure::NotAuthorized);
        }
        (*verdict)?;
        let signature = self.hash.hmac(keys.server_key(), &signed);
        let message = format!("v={}", base64::encode(signature.bytes()));
        Ok(Step::Success(Some(message.into_bytes())))
    }
}

impl Drop for ScramServer {
    fn drop(&mut self) {
        for (_, data) in &mut self.bindings {
            data.zeroize();
        }
    }
}

impl ServerExchange for ScramServer {
    fn receive(&mut self, message: &[u8]) -> Result<Step, Failure> {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Start => self.first(message),
            State::Proof(challenged) => self.last(&challenged, message),
            State::Account(_) | State::Done => Err(Failure::MalformedRequest),
        }
    }

    fn account(&mut self, name: &str, account: Account, fake: &FakeSalts) -> Result<Step, Failure> {
        let State::Account(first) = std::mem::replace(&mut self.state, State::Done) else {
            return Err(Failure::MalformedRequest);
        };
        let keys = account.keys(self.hash, name, fake)?;
        let mut server_first = format!(
            "r={},s={},i={},h={}",
            first.nonce,
            base64::encode(keys.keys.salt()),
            keys.keys.iterations(),
            self.offer.hash(self.hash),
        );
        if let Some(version) = self.tls_version {
            server_first.push_str(&xep_0515_tls_version::attribute(version));
        }
        let challenge = server_first.clone().into_bytes();
        self.state = State::Proof(Box::new(Challenged {
            first,
            server_first,
            keys,
        }));
        Ok(Step::Challenge(challenge))
    }
}
