//! SCRAM against published exchanges, and its two sides against each other.

mod both_sides;
mod vectors;

use super::binding::BindingKind;
use super::credentials::{Credentials, FakeSalts, ScramKeys};
use super::exchange::{Account, ClientExchange, ClientStep, SaslError, ServerExchange, Step};
use super::failure::Failure;
use super::hash::Hash;
use super::password::Password;
use super::scram::BindingFlag;
use super::scram_client::{ScramClient, ScramLogin};
use super::scram_server::ScramServer;
use super::xep_0474_downgrade::Offer;

pub(super) const NAME: &str = "user@example.org";
pub(super) const END_POINT: BindingFlag<'static> = BindingFlag::Used("tls-server-end-point");

pub(super) fn password(text: &str) -> Password {
    Password::prepare(text).unwrap()
}

pub(super) fn fake() -> FakeSalts {
    FakeSalts::new([9; 32], 4096)
}

pub(super) fn offer(mechanisms: &[&str], bindings: &[&str]) -> Offer {
    let owned = |names: &[&str]| {
        names
            .iter()
            .map(|&name| name.to_owned())
            .collect::<Vec<_>>()
    };
    Offer {
        mechanisms: owned(mechanisms),
        bindings: (!bindings.is_empty()).then(|| owned(bindings)),
    }
}

pub(super) fn account(hash: Hash, salt: &[u8]) -> Account {
    let keys = ScramKeys::derive(hash, &password("pencil"), salt, 4096);
    Account::Active(Credentials::new([keys]))
}

pub(super) fn respond(client: &mut ScramClient, challenge: &[u8]) -> Result<Vec<u8>, SaslError> {
    match client.challenge(challenge)? {
        ClientStep::Response(response) => Ok(response),
        ClientStep::Stretch(stretch) => client.stretched(stretch.run()),
    }
}
