//! Tokens of the HTTP API: by which programs run admin commands from afar.
//!
//! A token is shown once, to whoever makes it on the machine. Stored is a hash of it: who has the store alone can use none.
//! It says what it is good for, by kinds that the commands name, and may be bound to a domain and to a time.

mod commands;

use std::collections::BTreeSet;
use std::net::IpAddr;

use futures_util::FutureExt;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use waxwing_store::{Batch, Direction, Index, KeyRange, Owner, StoreError, Table};

pub(crate) use commands::COMMANDS;

use crate::metrics::Limit;
use crate::options::{OptionDefault, OptionSpec};
use crate::server::Server;
use crate::settings::LOG_FAILED_LOGINS;
use crate::throttle;

/// Requests with one token.
pub const REQUESTS_PER_TOKEN: OptionSpec = OptionSpec {
    name: "api_requests_per_token_max",
    default: OptionDefault::Number {
        value: 600,
        min: 1,
        max: 1_000_000,
    },
    unit: "requests in a minute",
    doc: "Requests of the HTTP API with one token; one more has to wait.",
};

/// What every token begins with, so that it is known where it should not be.
const BEGINNING: &str = "waxwing_";
/// Bytes of the part by which it is found.
const ID_BYTES: usize = 8;
/// Bytes of the part that nobody can guess.
const SECRET_BYTES: usize = 32;
/// Most tokens.
pub(crate) const TOKENS_MAX: usize = 1_000;
/// How old what is known of the last use must be to be written anew.
const RENEW_MICROS: u64 = 60 * 1_000_000;

/// A token as stored.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct StoredToken {
    /// What people call it.
    #[prost(string, tag = "1")]
    pub name: String,
    /// What it is good for.
    #[prost(string, repeated, tag = "2")]
    pub scopes: Vec<String>,
    /// The domain that it is bound to; none where it is for the whole server.
    #[prost(string, optional, tag = "3")]
    pub domain: Option<String>,
    /// The hash of the token.
    #[prost(bytes = "vec", tag = "4")]
    pub hash: Vec<u8>,
    /// When it was made, in microseconds since 1970.
    #[prost(uint64, tag = "5")]
    pub created_micros: u64,
    /// Until when it is good; 0 where it has no end.
    #[prost(uint64, tag = "6")]
    pub expires_micros: u64,
    /// When it was last used, to the minute; 0 for never.
    #[prost(uint64, tag = "7")]
    pub used_micros: u64,
}

impl StoredToken {
    /// Whether its time is over.
    fn is_over(&self, now_micros: u64) -> bool {
        self.expires_micros != 0 && self.expires_micros <= now_micros
    }
}

/// Tokens by their names.
static BY_NAME: Index<String, StoredToken, String> =
    Index::unique("by-name", |_, token| vec![token.name.clone()]);

/// Tokens by the part of them that is no secret.
pub(crate) static TOKENS: Table<String, StoredToken> = Table::new("api-tokens", 1).index(&BY_NAME);

/// A token that was shown, and is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiToken {
    /// By which it is found.
    id: String,
    stored: StoredToken,
}

impl ApiToken {
    /// What people call it.
    pub fn name(&self) -> &str {
        &self.stored.name
    }

    /// The domain that it is bound to.
    pub fn domain(&self) -> Option<&str> {
        self.stored.domain.as_deref()
    }

    /// Whether it is good for this.
    pub fn has(&self, scope: &str) -> bool {
        self.stored.scopes.iter().any(|own| own == scope)
    }
}

/// All tokens, by the part of them that is no secret.
async fn all(server: &Server) -> Result<Vec<(String, StoredToken)>, StoreError> {
    let owner = Owner::server();
    let (range, first) = (KeyRange::all(), Direction::Forward);
    let rows = server
        .store()
        .scan(&TOKENS, &owner, &range, first, TOKENS_MAX);
    rows.await
}

/// Whether there is a token that is good: where there is none, there is no API.
///
/// # Errors
/// [`StoreError`].
pub async fn any(server: &Server) -> Result<bool, StoreError> {
    let now = server.now_micros();
    let all = all(server).await?;
    Ok(all.iter().any(|(_, token)| !token.is_over(now)))
}

/// The parts of what may be a token: by which it is found, and the secret.
fn parts(text: &str) -> Option<(&str, &str)> {
    let is_hex = |text: &str, bytes: usize| {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        text.len() == 2 * bytes && text.bytes().all(is_digit)
    };
    let (id, secret) = text.strip_prefix(BEGINNING)?.split_once('_')?;
    (is_hex(id, ID_BYTES) && is_hex(secret, SECRET_BYTES)).then_some((id, secret))
}

/// What is stored in the place of a token. It has too many bits to be found by trying, so no key is needed.
fn hash_of(id: &str, secret: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"waxwing api token\0");
    hash.update(id.as_bytes());
    hash.update(b"\0");
    hash.update(secret.as_bytes());
    hash.finalize().into()
}

/// The token that was shown, if it is good now.
///
/// # Errors
/// [`StoreError`].
pub async fn find(server: &Server, text: &str) -> Result<Option<ApiToken>, StoreError> {
    let Some((id, secret)) = parts(text) else {
        return Ok(None);
    };
    let (id, hash) = (id.to_owned(), hash_of(id, secret));
    let stored = server.store().get(&TOKENS, &Owner::server(), &id).await?;
    let own = stored.as_ref().map_or(&[][..], |stored| &stored.hash);
    let is_own = bool::from(own.ct_eq(&hash[..]));
    let now = server.now_micros();
    let stored = stored.filter(|stored| is_own && !stored.is_over(now));
    Ok(stored.map(|stored| ApiToken { id, stored }))
}

/// Notes that a token was used. Nobody waits for it.
pub fn note_use(server: &Server, token: &ApiToken) {
    let now = server.now_micros();
    if now.abs_diff(token.stored.used_micros) < RENEW_MICROS {
        return;
    }
    let after = StoredToken {
        used_micros: now,
        ..token.stored.clone()
    };
    let owner = Owner::server();
    let mut batch = Batch::new();
    // A token that was revoked meanwhile stays so.
    batch.require_equals(&TOKENS, &owner, &token.id, &token.stored);
    batch.put(&TOKENS, &owner, &token.id, &after);
    let commit = server.store().commit(batch);
    let note = async move {
        match commit.await {
            Ok(_) | Err(StoreError::Refused { .. }) => {}
            Err(error) => {
                tracing::warn!(%error, "when an API token was used could not be noted");
            }
        }
    };
    server.outside().tasks.spawn(note.boxed());
}

/// How long whoever has shown too many wrong tokens from there has to wait, in seconds, if they have to.
pub fn wait_secs(server: &Server, from: IpAddr) -> Option<u64> {
    let wait = throttle::api_wait_secs(server, throttle::Network::of(from));
    if wait.is_some() {
        server.metrics().limit(Limit::LoginFailures);
    }
    wait
}

/// A wrong token was shown from there.
pub fn failed(server: &Server, from: IpAddr) {
    throttle::api_failed(server, throttle::Network::of(from));
    if server.options().flag(&LOG_FAILED_LOGINS) {
        tracing::warn!(peer = %from, "an API token was refused");
    }
}

/// Counts a request with this token; how long it has to wait, in seconds, if it has to.
pub fn request_wait_secs(server: &Server, token: &ApiToken) -> Option<u64> {
    let wait = throttle::api_request_wait_secs(server, &token.id);
    if wait.is_some() {
        server.metrics().limit(Limit::ApiRequests);
    }
    wait
}

/// What tokens can be good for.
fn unknown(server: &Server, wanted: &BTreeSet<String>) -> Option<String> {
    let known = server.registry().scopes();
    wanted.difference(&known).next().cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_token() {
        let (id, secret) = ("0123456789abcdef", "0123456789abcdef".repeat(4));
        let token = format!("waxwing_{id}_{secret}");
        assert_eq!(parts(&token), Some((id, secret.as_str())));
        for wrong in [
            String::new(),
            format!("waxwing_{id}"),
            format!("waxwing_{id}_"),
            format!("waxwing__{secret}"),
            format!("waxwing_{id}_{secret}0"),
            format!("waxwing_{id}_{secret}_"),
            format!("Waxwing_{id}_{secret}"),
            token.to_uppercase(),
            format!(" {token}"),
            format!("waxwing_{id}_{}", "\u{e4}".repeat(32)),
        ] {
            assert_eq!(parts(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_stored_is_another_for_each_token() {
        let hash = hash_of("ab", "cd");
        assert_ne!(hash, hash_of("ab", "ce"));
        assert_ne!(hash, hash_of("abc", "d"));
    }

    #[test]
    fn a_token_without_an_end_has_none() {
        let token = |expires_micros| StoredToken {
            expires_micros,
            ..StoredToken::default()
        };
        assert!(!token(0).is_over(u64::MAX));
        assert!(!token(2).is_over(1));
        assert!(token(2).is_over(2));
    }
}
