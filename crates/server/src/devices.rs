//! Log-ins by what a device keeps (XEP-0388, XEP-0484, XEP-0386): its tokens, its session, its resource. What is said is the
//! core's (`waxwing_stream::server`); here it is looked up and stored.

mod binding;
pub(crate) mod clients;

pub(crate) use binding::{bind, bind_proven, note};

use waxwing_stanza::xep::xep_0198_sm::{Failed, Resume};
use waxwing_stanza::{BareJid, FullJid};
use waxwing_store::{Batch, Direction, Expiring, KeyRange, Owner, StoreError, Table};
use waxwing_stream::sasl::{
    Device, KnownTokens, Mechanism, ScramKeys, TOKEN_NONCE_BYTES, TokenRecord, Tokens,
};

use crate::accounts::{self, ACCOUNTS, StoredAccount, StoredKey};
use crate::connection::{Connection, Step};
use crate::login::{account, negotiate};
use crate::push;
use crate::server::Server;
use crate::throttle::{self, Network};
use crate::xep::xep_0198_sm as stream_management;

/// A token of a device, as stored: what it is made of beside the server's key, which is not here.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct StoredToken {
    /// What it is good for, by its name.
    #[prost(string, tag = "1")]
    mechanism: String,
    /// What makes it different from others.
    #[prost(bytes = "vec", tag = "2")]
    nonce: Vec<u8>,
    /// When it ends, in seconds since 1970.
    #[prost(uint64, tag = "3")]
    expires_secs: u64,
    /// The highest count that it was used with.
    #[prost(uint32, tag = "4")]
    count: u32,
}

/// The tokens of a device, as stored.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct StoredTokens {
    /// The one that was used last.
    #[prost(message, optional, tag = "1")]
    current: Option<StoredToken>,
    /// The one that was given out last, and not used yet.
    #[prost(message, optional, tag = "2")]
    newest: Option<StoredToken>,
}

/// Tokens of each account, by the id of its device, until they end.
pub(crate) static TOKENS: Expiring<String, StoredTokens> =
    Table::new("device-tokens", 1).expiring();

/// Most devices of an account that have tokens: one more takes the place of the one whose tokens end first.
pub(crate) const DEVICES_MAX: usize = 100;
/// Most rows that go at once with a password. There are [`DEVICES_MAX`], and as many more as log in for the first time at
/// the same moment.
const ROWS_MAX: usize = 1_000;

/// By what a client has proved who it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Nothing yet, or nothing that could be withdrawn.
    #[default]
    None,
    /// A password, or what is tried for one.
    Password {
        /// Of this account.
        account: BareJid,
        /// What changes with each password.
        salt: Vec<u8>,
        /// How many log-ins had been made worthless before, by another password or otherwise.
        changes: u64,
    },
    /// A token of this device.
    Token {
        /// Whose it is.
        device: Device,
        /// How many log-ins had been made worthless before, by another password or otherwise.
        changes: u64,
    },
    /// A token that ended with its use.
    LastToken {
        /// The same.
        changes: u64,
    },
}

impl Proof {
    /// Of an account's password as it is now.
    pub(crate) fn of_password(account: BareJid, stored: &StoredAccount, changes: u64) -> Proof {
        Proof::Password {
            account,
            salt: salt(stored),
            changes,
        }
    }

    /// Whether anything was made worthless since: seldom, so that nothing has to be read.
    fn may_be_outdated(&self, server: &Server) -> bool {
        match self {
            Proof::Password { changes, .. }
            | Proof::Token { changes, .. }
            | Proof::LastToken { changes } => *changes != server.withdrawals(),
            Proof::None => false,
        }
    }

    /// Whether it is still worth something, where that may not be so.
    async fn holds(&self, server: &Server) -> Result<bool, StoreError> {
        match self {
            Proof::None => Ok(true),
            Proof::LastToken { .. } => Ok(false),
            Proof::Token { device, .. } => {
                let owner = accounts::owner(&device.account);
                let table = TOKENS.at(server.now_micros());
                let stored = server.store().get(&table, &owner, &device.user_agent);
                Ok(stored.await?.is_some())
            }
            Proof::Password { account, .. } => {
                let stored = accounts::load(server.store(), account).await?;
                Ok(stored.is_some_and(|stored| !self.is_outdated(account, &stored)))
            }
        }
    }

    /// Whether it was a password of this account, which has changed since.
    fn is_outdated(&self, account: &BareJid, stored: &StoredAccount) -> bool {
        match self {
            Proof::Password {
                account: own, salt, ..
            } => own == account && *salt != self::salt(stored),
            Proof::None | Proof::Token { .. } | Proof::LastToken { .. } => false,
        }
    }
}

/// The salt of the first keys: XEP-0480 adds some, and leaves these.
fn salt(stored: &StoredAccount) -> Vec<u8> {
    let first = stored.keys.first();
    first.map_or_else(Vec::new, |keys| keys.salt.clone())
}

/// With a new password nothing is good that was given for the old one (XEP-0484 §8).
pub(crate) fn forget_all(batch: &mut Batch, owner: &Owner) {
    let all = KeyRange::all();
    batch.delete_range(&TOKENS.at(0), owner, &all, ROWS_MAX);
    batch.delete_range(&clients::CLIENTS.at(0), owner, &all, ROWS_MAX);
    push::forget_all(batch, owner);
}

impl StoredToken {
    fn of(record: &TokenRecord) -> StoredToken {
        StoredToken {
            mechanism: record.mechanism.name().to_owned(),
            nonce: record.nonce.to_vec(),
            expires_secs: record.expires_secs,
            count: record.count,
        }
    }

    /// What cannot be read is no token.
    fn record(self) -> Option<TokenRecord> {
        Some(TokenRecord {
            mechanism: Mechanism::from_name(&self.mechanism)?,
            nonce: <[u8; TOKEN_NONCE_BYTES]>::try_from(self.nonce).ok()?,
            expires_secs: self.expires_secs,
            count: self.count,
        })
    }
}

impl StoredTokens {
    fn of(tokens: &Tokens) -> StoredTokens {
        StoredTokens {
            current: tokens.current.as_ref().map(StoredToken::of),
            newest: tokens.newest.as_ref().map(StoredToken::of),
        }
    }

    fn tokens(self) -> Tokens {
        Tokens {
            current: self.current.and_then(StoredToken::record),
            newest: self.newest.and_then(StoredToken::record),
        }
    }

    fn is_empty(&self) -> bool {
        self.current.is_none() && self.newest.is_none()
    }

    fn ends_secs(&self) -> u64 {
        let tokens = self.current.iter().chain(&self.newest);
        tokens.map(|token| token.expires_secs).max().unwrap_or(0)
    }
}

/// Looks up the tokens of a device. Guesses are slowed down as those at passwords are.
pub(crate) fn look_up(connection: &mut Connection, device: Device) {
    let server = connection.server.clone();
    let network = Network::of(connection.peer);
    if account(connection).is_none() {
        connection.proof = Proof::Token {
            device: device.clone(),
            changes: server.withdrawals(),
        };
    }
    connection.wait_for(async move {
        let known = match throttle::allows(&server, network, &device.account).await {
            Ok(true) => known(&server, &device).await,
            Ok(false) => {
                server.metrics().login_throttled();
                Ok(KnownTokens::Unavailable)
            }
            Err(error) => Err(error),
        };
        let known = known.unwrap_or_else(|error| {
            tracing::error!(%error, "the tokens of a device could not be read");
            KnownTokens::Unavailable
        });
        let now_secs = server.now_micros() / 1_000_000;
        Box::new(move |connection: &mut Connection| {
            negotiate(connection, |negotiation| {
                negotiation.provide_tokens(known, now_secs);
            });
        }) as Step
    });
}

/// The same reads, whether there is such an account.
async fn known(server: &Server, device: &Device) -> Result<KnownTokens, StoreError> {
    let account = accounts::load(server.store(), &device.account).await?;
    let owner = accounts::owner(&device.account);
    // One that has ended is still there for a while: whoever proves it is told so.
    let table = TOKENS.at(0);
    let stored = server.store().get(&table, &owner, &device.user_agent);
    let tokens = stored.await?.unwrap_or_default().tokens();
    Ok(match account {
        Some(account) if account.disabled => KnownTokens::Disabled(tokens),
        Some(_) => KnownTokens::Active(tokens),
        None => KnownTokens::Active(Tokens::default()),
    })
}

/// Stores the tokens of a device, if they are still as they were: of two log-ins by the same count one fails.
pub(crate) fn store(connection: &mut Connection, device: Device, before: Tokens, after: Tokens) {
    let server = connection.server.clone();
    let proof = connection.proof.clone();
    if let Proof::Token { changes, .. } = proof
        && after == Tokens::default()
    {
        connection.proof = Proof::LastToken { changes };
    }
    connection.wait_for(async move {
        let change = Change {
            device,
            before,
            after,
        };
        let is_stored = match save(&server, &proof, &change).await {
            Ok(is_stored) => is_stored,
            // Another log-in was faster, or the account or its password has changed meanwhile.
            Err(StoreError::Refused { .. }) => false,
            Err(error) => {
                tracing::error!(%error, "the tokens of a device could not be stored");
                false
            }
        };
        Box::new(move |connection: &mut Connection| {
            negotiate(connection, |negotiation| {
                negotiation.tokens_stored(is_stored);
            });
        }) as Step
    });
}

/// Other tokens for a device.
struct Change {
    device: Device,
    before: Tokens,
    after: Tokens,
}

async fn save(server: &Server, proof: &Proof, change: &Change) -> Result<bool, StoreError> {
    let account = &change.device.account;
    let owner = accounts::owner(account);
    let Some(stored) = accounts::load(server.store(), account).await? else {
        return Ok(false);
    };
    if proof.is_outdated(account, &stored) {
        return Ok(false);
    }
    let name = &change.device.user_agent;
    let table = TOKENS.at(0);
    let before = StoredTokens::of(&change.before);
    let after = StoredTokens::of(&change.after);
    let mut batch = Batch::new();
    // A token is worth as much as the password that it was given for.
    batch.require_equals(&ACCOUNTS, &owner, &accounts::key(), &stored);
    match before.is_empty() {
        true => batch.require_absent(&table, &owner, name),
        false => batch.require_equals(&table, &owner, name, &before),
    }
    match after.is_empty() {
        true => batch.delete(&table, &owner, name),
        false => {
            let ends_micros = after.ends_secs().saturating_mul(1_000_000);
            batch.put_expiring(&TOKENS, &owner, name, &after, ends_micros);
        }
    }
    if before.is_empty() {
        make_room(server, &owner, &mut batch).await?;
    }
    server.store().commit(batch).await.map(|_| true)
}

/// Nobody fills up an account with devices that never come back.
async fn make_room(server: &Server, owner: &Owner, batch: &mut Batch) -> Result<(), StoreError> {
    let table = TOKENS.at(server.now_micros());
    let store = server.store();
    let mut devices = store
        .scan(
            &table,
            owner,
            &KeyRange::all(),
            Direction::Forward,
            ROWS_MAX,
        )
        .await?;
    if devices.len() >= DEVICES_MAX {
        devices.sort_by_key(|(_, tokens)| tokens.ends_secs());
        let most = devices.len() + 1 - DEVICES_MAX;
        for (name, _) in devices.into_iter().take(most) {
            batch.delete(&table, owner, &name);
        }
    }
    Ok(())
}

/// Gives an account keys of a stronger hash (XEP-0480).
pub(crate) fn upgrade(connection: &mut Connection, account: BareJid, keys: ScramKeys) {
    let server = connection.server.clone();
    let proof = connection.proof.clone();
    connection.wait_for(async move {
        let is_stored = match add_keys(&server, &account, &proof, &keys).await {
            Ok(is_stored) => is_stored,
            Err(error) => {
                tracing::error!(%error, "the keys of an account could not be stored");
                false
            }
        };
        Box::new(move |connection: &mut Connection| {
            negotiate(connection, |negotiation| {
                negotiation.upgrade_stored(is_stored);
            });
        }) as Step
    });
}

async fn add_keys(
    server: &Server,
    account: &BareJid,
    proof: &Proof,
    keys: &ScramKeys,
) -> Result<bool, StoreError> {
    let owner = accounts::owner(account);
    let Some(before) = accounts::load(server.store(), account).await? else {
        return Ok(false);
    };
    // They are of the password that was shown.
    if proof.is_outdated(account, &before) {
        return Ok(false);
    }
    let added = StoredKey::new(keys);
    let mut after = before.clone();
    after.keys.retain(|known| known.hash != added.hash);
    after.keys.push(added);
    let mut batch = Batch::new();
    // A password that was changed meanwhile has keys of its own.
    batch.require_equals(&ACCOUNTS, &owner, &accounts::key(), &before);
    accounts::save(&mut batch, account, &after);
    match server.store().commit(batch).await {
        Err(StoreError::Refused { .. }) => Ok(false),
        done => done.map(|_| true),
    }
}

/// Goes on with a session, together with the log-in (XEP-0198 §6.1 of SASL2's inline features).
pub(crate) fn resume(connection: &mut Connection, account: BareJid, resume: Resume) {
    stream_management::resume_inline(connection, account, resume);
}

/// What a resumption was answered with.
pub(crate) fn resumed(
    connection: &mut Connection,
    outcome: Result<(FullJid, waxwing_stanza::xep::xep_0198_sm::Resumed), Failed>,
) {
    negotiate(connection, |negotiation| {
        negotiation.provide_resume(outcome);
    });
}
