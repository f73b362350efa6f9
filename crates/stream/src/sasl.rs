//! SASL, both sides: what is kept of passwords, the mechanisms, and what they exchange.
//!
//! [RFC 4422](https://www.rfc-editor.org/rfc/rfc4422) ·
//! [RFC 6120 §6](https://www.rfc-editor.org/rfc/rfc6120#section-6)

mod anonymous;
pub(crate) mod base64;
mod binding;
mod credentials;
mod end_point;
mod exchange;
mod failure;
mod hash;
mod hashed_token;
mod mechanism;
mod password;
mod plain;
mod scram;
mod scram_client;
mod scram_server;
#[cfg(test)]
mod scram_tests;
mod stretch;
mod token;
mod xep_0474_downgrade;
mod xep_0515_tls_version;

pub use binding::{BindingKind, TlsBinding};
pub use credentials::{
    Credentials, FakeSalts, ITERATIONS, KeysError, SALT_BYTES, SALT_BYTES_MAX, ScramKeys,
};
pub use end_point::server_end_point;
pub use exchange::{Account, SaslError};
pub use failure::Failure;
pub use hash::Hash;
pub use hashed_token::proof_of_token;
pub use mechanism::Mechanism;
pub use password::{PASSWORD_BYTES_MAX, Password, PasswordError};
pub use scram_client::{ITERATIONS_MAX, ITERATIONS_MIN};
pub use stretch::{Stretch, Stretched};
pub use token::{
    Device, KnownTokens, TOKEN_NONCE_BYTES, TOKEN_ROTATE_SECS, TOKEN_SECS, TokenKey, TokenPolicy,
    TokenRecord, Tokens,
};

pub(crate) use anonymous::AnonymousServer;
pub(crate) use exchange::{ClientExchange, ClientStep, ServerExchange, Step};
pub(crate) use hash::Secret;
pub(crate) use hashed_token::{HashedTokenClient, Initiator};
pub(crate) use mechanism::Family;
pub(crate) use plain::{PlainClient, PlainServer};
pub(crate) use scram::BindingFlag;
pub(crate) use scram_client::{ScramClient, ScramLogin};
pub(crate) use scram_server::ScramServer;
pub(crate) use token::{Attempt, Used};
pub(crate) use xep_0474_downgrade::Offer;
