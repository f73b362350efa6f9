//! Tokens of FAST: what a server keeps of them, and how one is used, replaced and ended.
//! [XEP-0484 §3 and §5](https://xmpp.org/extensions/xep-0484.html)
//!
//! A token is not stored. It is the HMAC, by a key that is not in the store, of whose it is and of what is
//! stored: who reads the store alone can log in as nobody, and who changes it makes tokens useless.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use waxwing_stanza::BareJid;
use zeroize::Zeroizing;

use super::failure::Failure;
use super::hash::{Hash, Secret};
use super::hashed_token::{initiator_hash, responder_hash};
use super::mechanism::Mechanism;

/// Random bytes that tell a token from all others.
pub const TOKEN_NONCE_BYTES: usize = 16;
/// Seconds for which a token is good: three weeks of holidays.
pub const TOKEN_SECS: u64 = 21 * 86_400;
/// Seconds before its end from which a token that is used is replaced: who comes each day gets one a week.
pub const TOKEN_ROTATE_SECS: u64 = 14 * 86_400;
/// Random-looking bytes of a resource that a client keeps.
const RESOURCE_BYTES: usize = 9;

/// The key that tokens are derived by. It is secret, kept over restarts, and kept elsewhere than what is
/// stored of tokens.
#[derive(Clone)]
pub struct TokenKey {
    /// The one for new tokens first.
    keys: Vec<Secret>,
}

/// Whose tokens they are: of one installation of a client, for one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The account.
    pub account: BareJid,
    /// The id of its user agent (XEP-0388 §2.3): a UUID in small letters.
    pub user_agent: String,
}

/// What is stored of one token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRecord {
    /// The only mechanism that it is good for (§3.4).
    pub mechanism: Mechanism,
    /// What makes it different from others.
    pub nonce: [u8; TOKEN_NONCE_BYTES],
    /// When it ends, in seconds since 1970.
    pub expires_secs: u64,
    /// The highest `count` that it was used with; zero before.
    pub count: u32,
}

/// What is stored for one device: two places (XEP-0484 §5.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// The one that was used last.
    pub current: Option<TokenRecord>,
    /// The one that was given out last and not used yet.
    pub newest: Option<TokenRecord>,
}

/// What the server's storage knows of the tokens of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KnownTokens {
    /// Of an account that may log in. None at all for accounts that do not exist.
    Active(Tokens),
    /// Of one that an administrator has disabled: who has a token is told so, nobody else.
    Disabled(Tokens),
    /// Of one whose password has to be changed first: told likewise.
    Expired(Tokens),
    /// The storage could not say.
    Unavailable,
}

/// What a server gives tokens for, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenPolicy {
    /// Mechanisms of [`Mechanism::TOKENS`] that policy allows. One that binds a channel is offered where
    /// TLS gives that binding.
    pub mechanisms: Vec<Mechanism>,
    /// Seconds for which a token is good.
    pub token_secs: u64,
    /// Seconds before its end from which a token that is used is replaced.
    pub rotate_secs: u64,
}

impl Default for TokenPolicy {
    fn default() -> TokenPolicy {
        TokenPolicy {
            mechanisms: Mechanism::TOKENS.to_vec(),
            token_secs: TOKEN_SECS,
            rotate_secs: TOKEN_ROTATE_SECS,
        }
    }
}

/// One log-in by a token.
pub(crate) struct Attempt<'a> {
    pub(crate) mechanism: Mechanism,
    /// The client's proof.
    pub(crate) hashed: &'a [u8],
    /// The data of the mechanism's channel binding; empty without.
    pub(crate) binding: &'a [u8],
    pub(crate) count: Option<u32>,
    pub(crate) now_secs: u64,
}

/// What a log-in by a token came to.
#[derive(Debug)]
pub(crate) struct Used {
    /// What is to be stored.
    pub(crate) after: Tokens,
    /// The server's proof.
    pub(crate) responder: Secret,
    pub(crate) expires_secs: u64,
}

impl TokenKey {
    /// Takes 32 bytes of a cryptographic random source.
    pub fn new(key: [u8; 32]) -> TokenKey {
        TokenKey {
            keys: vec![Secret::copy(&key)],
        }
    }

    /// The same, which still knows the tokens of a key that it replaces.
    #[must_use]
    pub fn with_former(mut self, key: [u8; 32]) -> TokenKey {
        self.keys.push(Secret::copy(&key));
        self
    }

    /// The token of a record, as the client gets it.
    pub(crate) fn token(&self, device: &Device, record: &TokenRecord) -> Zeroizing<String> {
        let newest = self.keys.first();
        newest.map_or_else(Zeroizing::default, |key| derive(key, device, record))
    }

    /// The token that this proof is of, by whichever key.
    fn proven(
        &self,
        device: &Device,
        record: &TokenRecord,
        attempt: &Attempt<'_>,
    ) -> Option<Zeroizing<String>> {
        let tokens = self.keys.iter().map(|key| derive(key, device, record));
        let is_proven = |token: &Zeroizing<String>| {
            let expected = initiator_hash(token, attempt.binding);
            bool::from(expected.equals(attempt.hashed))
        };
        tokens.into_iter().find(is_proven)
    }

    /// The part of a resource that stays the same for a device and tells nothing of its id
    /// (XEP-0386 §3.2.1).
    pub fn resource(&self, device: &Device) -> String {
        let Some(key) = self.keys.first() else {
            return String::new();
        };
        let whole = keyed(key, b"waxwing resource", device, &[]);
        URL_SAFE_NO_PAD.encode(&whole.bytes()[..RESOURCE_BYTES])
    }
}

fn derive(key: &Secret, device: &Device, record: &TokenRecord) -> Zeroizing<String> {
    let (expires, mechanism) = (record.expires_secs.to_be_bytes(), record.mechanism.name());
    let parts: [&[u8]; 3] = [&record.nonce, &expires, mechanism.as_bytes()];
    let whole = keyed(key, b"waxwing token", device, &parts);
    Zeroizing::new(URL_SAFE_NO_PAD.encode(whole.bytes()))
}

/// HMAC by a key of its own for each purpose; an address and a UUID have no zero byte, so that parts cannot
/// be moved from one to the other.
fn keyed(key: &Secret, purpose: &[u8], device: &Device, more: &[&[u8]]) -> Secret {
    let own = Hash::Sha256.hmac(key.bytes(), &[purpose]);
    let account = device.account.as_str().as_bytes();
    let whose: [&[u8]; 4] = [account, b"\0", device.user_agent.as_bytes(), b"\0"];
    Hash::Sha256.hmac(own.bytes(), &[&whose[..], more].concat())
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[token key, hidden]")
    }
}

impl TokenRecord {
    fn admit(&self, attempt: &Attempt<'_>) -> Result<TokenRecord, Failure> {
        // §4.2: what is not trusted any more is told to be so; the client takes its password then.
        if self.expires_secs <= attempt.now_secs {
            return Err(Failure::CredentialsExpired);
        }
        // §3.4: a count that was there already is a log-in that somebody plays again.
        match attempt.count {
            Some(count) if count <= self.count => Err(Failure::NotAuthorized),
            count => Ok(TokenRecord {
                count: count.unwrap_or(self.count),
                ..self.clone()
            }),
        }
    }
}

impl Tokens {
    /// Uses a token: what is in the place for new ones moves to the other when it is used, so that none with
    /// an earlier end is good any more (§5.1).
    pub(crate) fn used(
        &self,
        key: &TokenKey,
        device: &Device,
        attempt: &Attempt<'_>,
    ) -> Result<Used, Failure> {
        // Where there are none, there is nothing to guess: they have ended, or were taken back (§4.2). As much work all the
        // same, so that the time tells nothing.
        let has_none = self.newest.is_none() && self.current.is_none();
        let fake = TokenRecord {
            mechanism: attempt.mechanism,
            nonce: [0; TOKEN_NONCE_BYTES],
            expires_secs: 0,
            count: 0,
        };
        let fits = |record: &&TokenRecord| record.mechanism == attempt.mechanism;
        for (record, is_new) in [(&self.newest, true), (&self.current, false)] {
            let record = record.as_ref().filter(fits);
            let token = key.proven(device, record.unwrap_or(&fake), attempt);
            let (Some(record), Some(token)) = (record, token) else {
                continue;
            };
            // §3.5: one that ends earlier than the one that is used is good for nothing any more.
            let is_left = |new: &TokenRecord| !is_new && new.expires_secs >= record.expires_secs;
            let newest = self.newest.clone().filter(is_left);
            return Ok(Used {
                after: Tokens {
                    current: Some(record.admit(attempt)?),
                    newest,
                },
                responder: responder_hash(&token, attempt.binding),
                expires_secs: record.expires_secs,
            });
        }
        match has_none {
            true => Err(Failure::CredentialsExpired),
            false => Err(Failure::NotAuthorized),
        }
    }
}

impl KnownTokens {
    /// The tokens, and the outcome for who proves one.
    pub(crate) fn verdict(self) -> Result<(Tokens, Result<(), Failure>), Failure> {
        match self {
            KnownTokens::Active(tokens) => Ok((tokens, Ok(()))),
            KnownTokens::Disabled(tokens) => Ok((tokens, Err(Failure::AccountDisabled))),
            KnownTokens::Expired(tokens) => Ok((tokens, Err(Failure::CredentialsExpired))),
            KnownTokens::Unavailable => Err(Failure::TemporaryAuthFailure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000;

    fn device(account: &str, user_agent: &str) -> Device {
        Device {
            account: account.parse().unwrap(),
            user_agent: user_agent.into(),
        }
    }

    fn ours() -> Device {
        device("alice@example.org", "d4565fa7-4d72-4749-b3d3-740edbf87770")
    }

    fn record(nonce: u8) -> TokenRecord {
        TokenRecord {
            mechanism: Mechanism::HtSha256Expr,
            nonce: [nonce; TOKEN_NONCE_BYTES],
            expires_secs: NOW + 1,
            count: 5,
        }
    }

    fn key() -> TokenKey {
        TokenKey::new([1; 32])
    }

    fn tokens() -> Tokens {
        Tokens {
            current: Some(record(1)),
            newest: Some(record(2)),
        }
    }

    fn attempt(hashed: &[u8], count: Option<u32>) -> Attempt<'_> {
        Attempt {
            mechanism: Mechanism::HtSha256Expr,
            hashed,
            binding: b"cb",
            count,
            now_secs: NOW,
        }
    }

    fn proof(record: &TokenRecord) -> Secret {
        initiator_hash(&key().token(&ours(), record), b"cb")
    }

    #[test]
    fn a_new_token_takes_the_place_of_the_current_when_it_is_used() {
        let proof = proof(&record(2));
        let used = tokens().used(&key(), &ours(), &attempt(proof.bytes(), Some(6)));
        let used = used.unwrap();
        let expected = TokenRecord {
            count: 6,
            ..record(2)
        };
        assert_eq!(
            (used.after.current, used.after.newest),
            (Some(expected), None)
        );
    }

    #[test]
    fn the_current_token_stays_good_until_the_new_one_is_used() {
        let proof = proof(&record(1));
        let used = tokens().used(&key(), &ours(), &attempt(proof.bytes(), None));
        assert_eq!(used.unwrap().after, tokens(), "no count changes none");
    }

    /// As it is where tokens were made to end sooner meanwhile.
    #[test]
    fn a_token_that_ends_earlier_goes_with_the_use_of_another() {
        let sooner = TokenRecord {
            expires_secs: NOW,
            ..record(2)
        };
        let tokens = Tokens {
            newest: Some(sooner),
            ..tokens()
        };
        let proof = proof(&record(1));
        let used = tokens.used(&key(), &ours(), &attempt(proof.bytes(), None));
        assert_eq!(used.unwrap().after.newest, None);
    }

    #[test]
    fn a_count_is_good_once() {
        let proof = proof(&record(1));
        for (count, outcome) in [
            (0, false),
            (4, false),
            (5, false),
            (6, true),
            (u32::MAX, true),
        ] {
            let used = tokens().used(&key(), &ours(), &attempt(proof.bytes(), Some(count)));
            assert_eq!(used.is_ok(), outcome, "{count}");
        }
    }

    #[test]
    fn tokens_end_and_are_for_one_mechanism() {
        let proof = proof(&record(1));
        let judged = |change: fn(&mut Attempt<'_>)| {
            let mut attempt = attempt(proof.bytes(), None);
            change(&mut attempt);
            tokens().used(&key(), &ours(), &attempt).err()
        };
        assert_eq!(judged(|_| ()), None);
        let late = judged(|attempt| attempt.now_secs = NOW + 1);
        assert_eq!(late, Some(Failure::CredentialsExpired));
        let other = judged(|attempt| attempt.mechanism = Mechanism::HtSha256None);
        assert_eq!(other, Some(Failure::NotAuthorized));
        let unbound = judged(|attempt| attempt.binding = b"");
        assert_eq!(unbound, Some(Failure::NotAuthorized));
        let short = judged(|attempt| attempt.hashed = b"");
        assert_eq!(short, Some(Failure::NotAuthorized));
    }

    /// Nothing that is stored can be changed without making the token another.
    #[test]
    fn tokens_are_of_one_device_and_one_record() {
        let token = |key: &TokenKey, device: &Device, record: &TokenRecord| {
            key.token(device, record).to_string()
        };
        let own = token(&key(), &ours(), &record(1));
        assert_eq!(own.len(), 43);
        assert_eq!(own, token(&key(), &ours(), &record(1)));
        let later = TokenRecord {
            expires_secs: NOW + 2,
            ..record(1)
        };
        let unbound = TokenRecord {
            mechanism: Mechanism::HtSha256None,
            ..record(1)
        };
        for other in [
            token(&TokenKey::new([2; 32]), &ours(), &record(1)),
            token(
                &key(),
                &device("bob@example.org", &ours().user_agent),
                &record(1),
            ),
            token(&key(), &device("alice@example.org", "x"), &record(1)),
            token(&key(), &ours(), &record(2)),
            token(&key(), &ours(), &later),
            token(&key(), &ours(), &unbound),
        ] {
            assert_ne!(own, other);
        }
    }

    #[test]
    fn a_new_key_knows_the_tokens_of_the_former() {
        let proof = proof(&record(1));
        let replaced = TokenKey::new([9; 32]);
        let attempt = attempt(proof.bytes(), None);
        let of_new = tokens().used(&replaced, &ours(), &attempt);
        assert_eq!(of_new.err(), Some(Failure::NotAuthorized));
        let both = replaced.with_former([1; 32]);
        assert!(tokens().used(&both, &ours(), &attempt).is_ok());
    }

    #[test]
    fn a_resource_tells_nothing_of_the_id() {
        let own = key().resource(&ours());
        assert_eq!((own.len(), key().resource(&ours())), (12, own.clone()));
        assert_ne!(
            own,
            key().resource(&device("bob@example.org", &ours().user_agent))
        );
        assert_eq!(format!("{:?}", key()), "[token key, hidden]");
    }
}
