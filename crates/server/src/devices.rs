//! Log-ins by what a device keeps (XEP-0388, XEP-0484, XEP-0386): its tokens, its session, its resource. What is said is the
//! core's (`waxwing_stream::server`); here it is looked up and stored.

pub(crate) mod clients;

use std::sync::Arc;

use waxwing_stanza::xep::xep_0198_sm::{Failed, Resume};
use waxwing_stanza::{BareJid, Condition, FullJid, StanzaError};
use waxwing_store::{Batch, Direction, Expiring, KeyRange, Owner, StoreError, Table};
use waxwing_stream::sasl::{
    Device, KnownTokens, Mechanism, ScramKeys, TOKEN_NONCE_BYTES, TokenRecord, Tokens,
};
use waxwing_stream::server::{Bind2Request, Bound2};
use waxwing_wire::Element;

use crate::accounts::{self, ACCOUNTS, StoredAccount, StoredKey};
use crate::connection::{Connection, Step};
use crate::lifecycle;
use crate::login::negotiate;
use crate::server::{Server, unavailable};
use crate::session::Session;
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
        /// How many passwords of the server had been changed before.
        changes: u64,
    },
    /// A token.
    Token,
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

    /// Whether any password has changed since: seldom, so that nothing has to be read.
    fn may_be_outdated(&self, server: &Server) -> bool {
        match self {
            Proof::Password { changes, .. } => *changes != server.password_changes(),
            Proof::None | Proof::Token => false,
        }
    }

    /// Whether the password has changed since.
    fn is_outdated(&self, account: &BareJid, stored: &StoredAccount) -> bool {
        match self {
            Proof::Password {
                account: own, salt, ..
            } => own == account && *salt != self::salt(stored),
            Proof::None | Proof::Token => false,
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
    let table = TOKENS.at(server.now_micros());
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
    let table = TOKENS.at(server.now_micros());
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
    connection.wait_for(async move {
        let is_stored = match add_keys(&server, &account, &keys).await {
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
    keys: &ScramKeys,
) -> Result<bool, StoreError> {
    let owner = accounts::owner(account);
    let Some(before) = accounts::load(server.store(), account).await? else {
        return Ok(false);
    };
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

/// Binds a resource with everything that was asked for (XEP-0386 §3).
pub(crate) fn bind(connection: &mut Connection, request: Bind2Request) {
    let (server, number) = (connection.server.clone(), connection.number);
    let proof = connection.proof.clone();
    if let Some(pass) = connection.guest.take() {
        server.directory().note_guest(&request.jid.bare(), pass);
    }
    connection.wait_for(async move {
        let bound = bind_proven(&server, request.jid, number, &proof).await;
        let (session, results) = match bound {
            Ok(session) => {
                let results = results(&server, &session, &request.features).await;
                if let Some(agent) = request.user_agent {
                    clients::note(&server, &session, agent, &proof).await;
                }
                (Some(session), results)
            }
            Err(error) => {
                tracing::debug!(condition = ?error.condition, "no resource was bound");
                (None, Vec::new())
            }
        };
        Box::new(move |connection: &mut Connection| {
            let bound = session.as_ref().map(|session| Bound2 {
                jid: session.jid.clone(),
                results,
            });
            connection.adopted = session;
            negotiate(connection, |negotiation| negotiation.provide_bind2(bound));
        }) as Step
    });
}

/// Binds a resource for whoever has proved who they are. A password that was changed while it was proved is none: whoever
/// knew it is out with those who were in by it.
pub(crate) async fn bind_proven(
    server: &Server,
    jid: FullJid,
    connection: u64,
    proof: &Proof,
) -> Result<Arc<Session>, StanzaError> {
    let account = server.account(&jid.bare()).await?;
    let account = account.ok_or(Condition::NotAuthorized)?;
    let session = lifecycle::bind(server, &account, jid, connection)?;
    // Where one changes from here on, this session is seen by whoever changes it.
    if !proof.may_be_outdated(server) {
        return Ok(session);
    }
    let refusal = match accounts::load(server.store(), &account.jid).await {
        Ok(Some(stored)) if !proof.is_outdated(&account.jid, &stored) => return Ok(session),
        Ok(_) => Condition::NotAuthorized.into(),
        Err(error) => unavailable(&error),
    };
    lifecycle::end(server, &session);
    Err(refusal)
}

/// What the client is told of what it asked for, and of its archive.
async fn results(server: &Server, session: &Arc<Session>, features: &[Element]) -> Vec<Element> {
    let mut results = Vec::new();
    for asked in features {
        let feature = server.registry().bind2_feature(asked.ns());
        results.extend(feature.and_then(|feature| feature(server, session, asked)));
    }
    for told in server.registry().bind2_results() {
        match told(server.clone(), session.clone()).await {
            Ok(result) => results.extend(result),
            // It can be asked for.
            Err(error) => {
                tracing::warn!(condition = ?error.condition, "a client was not told all together with its resource");
            }
        }
    }
    results
}
