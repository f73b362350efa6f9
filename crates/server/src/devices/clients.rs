//! Which clients an account has, and how one is kept out (XEP-0494): what they said of themselves when they logged in, for a
//! named time, beside their tokens and the sessions that there are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use waxwing_stanza::xep::xep_0082_datetime::DateTime;
use waxwing_stanza::xep::xep_0388_sasl2 as sasl2;
use waxwing_stanza::xep::xep_0494_clients::{Auth, Client, Kind, Permission, Status, UserAgent};
use waxwing_stanza::{BareJid, StanzaError};
use waxwing_store::{Batch, Direction, Expiring, KeyRange, StoreError, Table};
use waxwing_stream::StreamCondition;
use waxwing_stream::sasl::Device;

use super::{ROWS_MAX, TOKENS};
use crate::accounts;
use crate::directory::Account;
use crate::lifecycle;
use crate::options::{OptionDefault, OptionSpec};
use crate::push;
use crate::server::{Server, unavailable};
use crate::session::Session;

/// For how long is kept what a client said of itself.
pub(crate) const CLIENT_DAYS: OptionSpec = OptionSpec {
    name: "client_days",
    default: OptionDefault::Number {
        value: 60,
        min: 0,
        max: 3_650,
    },
    unit: "days",
    doc: "How long after a log-in is kept which client it was, by its own words, and when it first came: its owner is shown that. With 0 owners see the clients that are there, and nothing of them is kept.",
};

/// Most clients of an account of which something is kept: one more takes the place of the one that was seen first of all
/// to be gone.
pub(crate) const CLIENTS_MAX: usize = 100;
/// How exact it is when a client was last seen: so seldom it is written.
const SEEN_SECS: u64 = 3_600;
const DAY_SECS: u64 = 86_400;

/// What is kept of a client.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct StoredClient {
    /// When it first logged in, in seconds since 1970.
    #[prost(uint64, tag = "1")]
    first_seen_secs: u64,
    /// When it last did.
    #[prost(uint64, tag = "2")]
    last_seen_secs: u64,
    /// What it calls its software.
    #[prost(string, optional, tag = "3")]
    software: Option<String>,
    /// What it calls its device.
    #[prost(string, optional, tag = "4")]
    device: Option<String>,
}

/// The clients of each account, by the id of the device.
pub(crate) static CLIENTS: Expiring<String, StoredClient> =
    Table::new("device-clients", 1).expiring();

/// Which client has a session.
pub(crate) struct Agent {
    /// The id of the device.
    id: String,
    seen: StoredClient,
}

impl Agent {
    /// The id of the device.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }
}

/// Notes which client has a session, for as long as that lasts. What the same client had before ends (XEP-0386 §3.2).
pub(crate) fn begin(
    server: &Server,
    session: &Arc<Session>,
    agent: sasl2::UserAgent,
) -> Option<Seen> {
    let id = agent.id.filter(|_| !session.account.is_guest())?;
    let now_secs = server.now_micros() / 1_000_000;
    let seen = StoredClient {
        first_seen_secs: now_secs,
        last_seen_secs: now_secs,
        software: agent.software,
        device: agent.device,
    };
    session.state().agent = Some(Box::new(Agent {
        id: id.clone(),
        seen: seen.clone(),
    }));
    for other in sessions_of(&session.account, &id) {
        if other.number != session.number {
            lifecycle::dismiss(server, &other, StreamCondition::Conflict);
        }
    }
    Some(Seen { id, seen })
}

/// A client that has begun a session.
pub(crate) struct Seen {
    id: String,
    seen: StoredClient,
}

impl Seen {
    /// Keeps which client it was. It has its session whether that works or not.
    pub(crate) async fn keep(self, server: &Server, account: &Account) {
        if let Err(error) = keep(server, account, &self.id, self.seen).await {
            tracing::error!(%error, "which client has logged in could not be stored");
        }
    }
}

fn sessions_of(account: &Account, device: &str) -> Vec<Arc<Session>> {
    let mut sessions = account.sessions();
    sessions.retain(|session| {
        let state = session.state();
        state.agent.as_ref().is_some_and(|agent| agent.id == device)
    });
    sessions
}

async fn keep(
    server: &Server,
    account: &Account,
    id: &String,
    seen: StoredClient,
) -> Result<(), StoreError> {
    let days = server.options().number(&CLIENT_DAYS);
    if days == 0 {
        return Ok(());
    }
    let table = CLIENTS.at(server.now_micros());
    let before = server.store().get(&table, &account.owner, id).await?;
    let after = match &before {
        Some(before) => StoredClient {
            first_seen_secs: before.first_seen_secs,
            ..seen
        },
        None => seen,
    };
    if before
        .as_ref()
        .is_some_and(|before| says_the_same(before, &after))
    {
        return Ok(());
    }
    let mut batch = Batch::new();
    accounts::require(&mut batch, &account.owner);
    let until_secs = after.last_seen_secs.saturating_add(days * DAY_SECS);
    let until_micros = until_secs.saturating_mul(1_000_000);
    batch.put_expiring(&CLIENTS, &account.owner, id, &after, until_micros);
    if before.is_none() {
        let mut known = all(server, account, &table).await?;
        known.sort_by_key(|(_, client)| client.last_seen_secs);
        let most = (known.len() + 1).saturating_sub(CLIENTS_MAX);
        for (id, _) in known.into_iter().take(most) {
            batch.delete(&table, &account.owner, &id);
        }
    }
    server.store().commit(batch).await.map(|_| ())
}

fn says_the_same(before: &StoredClient, after: &StoredClient) -> bool {
    let is_recent = after.last_seen_secs < before.last_seen_secs.saturating_add(SEEN_SECS);
    let rest = |client: &StoredClient| StoredClient {
        last_seen_secs: 0,
        ..client.clone()
    };
    is_recent && rest(before) == rest(after)
}

async fn all(
    server: &Server,
    account: &Account,
    table: &Table<String, StoredClient>,
) -> Result<Vec<(String, StoredClient)>, StoreError> {
    let store = server.store();
    store
        .scan(
            table,
            &account.owner,
            &KeyRange::all(),
            Direction::Forward,
            ROWS_MAX,
        )
        .await
}

/// A client, and what it is known by in the store.
struct Known {
    /// The id of the device; none of one that did not say it.
    device: Option<String>,
    shown: Client,
}

/// Everything that has access to the account (XEP-0494 §3.1).
pub(crate) async fn list(
    server: &Server,
    account: &Arc<Account>,
) -> Result<Vec<Client>, StanzaError> {
    let known = known(server, account).await;
    let known = known.map_err(|error| unavailable(&error))?;
    Ok(known.into_iter().map(|known| known.shown).collect())
}

async fn known(server: &Server, account: &Arc<Account>) -> Result<Vec<Known>, StoreError> {
    let now_micros = server.now_micros();
    let mut clients = BTreeMap::new();
    // What was kept before the operator wanted nothing kept is not shown either.
    if server.options().number(&CLIENT_DAYS) > 0 {
        clients.extend(all(server, account, &CLIENTS.at(now_micros)).await?);
    }
    let mut found = Vec::new();
    let mut connected = BTreeSet::new();
    for session in account.sessions() {
        let state = session.state();
        match &state.agent {
            Some(agent) => {
                clients
                    .entry(agent.id.clone())
                    .or_insert_with(|| agent.seen.clone());
                connected.insert(agent.id.clone());
            }
            None => found.push(unnamed(&session)),
        }
    }
    let tokens = server.store().scan(
        &TOKENS.at(now_micros),
        &account.owner,
        &KeyRange::all(),
        Direction::Forward,
        ROWS_MAX,
    );
    let mut has_tokens = BTreeSet::new();
    for (id, _) in tokens.await? {
        clients.entry(id.clone()).or_default();
        has_tokens.insert(id);
    }
    for (id, client) in clients {
        let is_connected = connected.contains(&id);
        let auth = Auth {
            // Tokens are given to whoever has shown the password, and go with it: so every client has.
            password: true,
            grant: false,
            fast: has_tokens.contains(&id),
        };
        let mut shown = shown(server.client_id(&account.jid, &id), is_connected, auth);
        let time = |secs: u64| {
            let micros = secs.saturating_mul(1_000_000);
            (secs > 0).then(|| DateTime::from_unix_micros(micros))
        };
        shown.first_seen = time(client.first_seen_secs);
        let now = is_connected.then(|| DateTime::from_unix_micros(now_micros));
        shown.last_seen = now.or_else(|| time(client.last_seen_secs));
        let is_named = client.software.is_some() || client.device.is_some();
        shown.user_agent = is_named.then_some(UserAgent {
            software: client.software,
            uri: None,
            device: client.device,
        });
        found.push(Known {
            device: Some(id),
            shown,
        });
    }
    Ok(found)
}

/// A client that did not say which it is: its session is all that there is of it, and the password how it came.
fn unnamed(session: &Session) -> Known {
    let auth = Auth {
        password: true,
        grant: false,
        fast: false,
    };
    Known {
        device: None,
        shown: shown(session_id(session), true, auth),
    }
}

fn shown(id: String, connected: bool, auth: Auth) -> Client {
    Client {
        connected,
        id,
        kind: Kind::Session,
        first_seen: None,
        last_seen: None,
        auth,
        permission: Permission {
            status: Status::Unrestricted,
        },
        user_agent: None,
    }
}

/// Takes a client's access away (XEP-0494 §3.2), as far as it goes without another password: its tokens, and what is known of
/// it. Gives its sessions, which are to end; `None` where there is no such client.
pub(crate) async fn revoke(
    server: &Server,
    account: &Arc<Account>,
    id: &str,
) -> Result<Option<Vec<Arc<Session>>>, StanzaError> {
    let known = known(server, account).await;
    let known = known.map_err(|error| unavailable(&error))?;
    let Some(client) = known.into_iter().find(|client| client.shown.id == id) else {
        return Ok(None);
    };
    let Some(device) = client.device else {
        return revoke_unnamed(server, account, id).await.map(Some);
    };
    let mut batch = Batch::new();
    accounts::require(&mut batch, &account.owner);
    batch.delete(&TOKENS.at(0), &account.owner, &device);
    batch.delete(&CLIENTS.at(0), &account.owner, &device);
    let asker = push::Asker::Device(&device);
    let forgotten = push::forget_asker(server, account, asker, &mut batch).await;
    forgotten.map_err(|error| unavailable(&error))?;
    let committed = server.store().commit(batch).await;
    committed.map_err(|error| unavailable(&error))?;
    account.pushing.read_again();
    // Whoever has proved a token of it, and has no session yet, gets none.
    server.note_withdrawal();
    Ok(Some(sessions_of(account, &device)))
}

/// A client that did not say which it is loses its session, and what it asked to be told.
async fn revoke_unnamed(
    server: &Server,
    account: &Arc<Account>,
    id: &str,
) -> Result<Vec<Arc<Session>>, StanzaError> {
    let mut sessions = account.sessions();
    sessions.retain(|session| session_id(session) == id && session.state().agent.is_none());
    let mut batch = Batch::new();
    accounts::require(&mut batch, &account.owner);
    for session in &sessions {
        let asker = push::Asker::Resource(session.jid.resource());
        let forgotten = push::forget_asker(server, account, asker, &mut batch).await;
        forgotten.map_err(|error| unavailable(&error))?;
    }
    let committed = server.store().commit(batch).await;
    committed.map_err(|error| unavailable(&error))?;
    account.pushing.read_again();
    Ok(sessions)
}

/// What a client is called that did not say which it is.
fn session_id(session: &Session) -> String {
    format!("session/{}", session.jid.resource())
}

/// Ends the sessions of a client that has no access any more.
pub(crate) fn dismiss(server: &Server, sessions: &[Arc<Session>]) {
    for session in sessions {
        lifecycle::dismiss(server, session, StreamCondition::NotAuthorized);
    }
}

impl Server {
    /// What a client is called to its owner: it tells nothing of the device's id.
    pub(crate) fn client_id(&self, account: &BareJid, device: &str) -> String {
        self.resource_key().resource(&Device {
            account: account.clone(),
            user_agent: device.to_owned(),
        })
    }
}
