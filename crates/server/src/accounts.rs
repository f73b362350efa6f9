//! Accounts: who may log in, with which credentials and role.

use waxwing_stanza::BareJid;
use waxwing_store::{Batch, Expiring, Owner, Store, StoreError, Table};
use waxwing_stream::sasl::{
    Account as Known, Credentials, Hash, Password, PasswordError, ScramKeys,
};

use crate::devices;
use crate::options::{OptionDefault, OptionSpec};
use crate::outside::Outside;
use crate::server::Server;

/// What an account may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum Role {
    /// A person like any other.
    Member = 0,
    /// Reaches local addresses only.
    Restricted = 1,
    /// Runs its domain.
    Admin = 2,
    /// Runs the server.
    Operator = 3,
}

impl Role {
    /// All roles with their names on the command line.
    pub const NAMES: &'static [(&'static str, Role)] = &[
        ("member", Role::Member),
        ("restricted", Role::Restricted),
        ("admin", Role::Admin),
        ("operator", Role::Operator),
    ];

    /// The role of this name.
    pub fn named(name: &str) -> Option<Role> {
        let mut names = Role::NAMES.iter();
        names
            .find(|(known, _)| *known == name)
            .map(|(_, role)| *role)
    }

    /// The role's name.
    pub fn name(self) -> &'static str {
        Role::NAMES
            .iter()
            .find(|(_, role)| *role == self)
            .map_or("member", |(name, _)| name)
    }
}

/// Salted credentials for one hash, as stored.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct StoredKey {
    /// `SHA-1`, `SHA-256` or `SHA-512`.
    #[prost(string, tag = "1")]
    pub hash: String,
    /// Salt.
    #[prost(bytes = "vec", tag = "2")]
    pub salt: Vec<u8>,
    /// Rounds of PBKDF2.
    #[prost(uint32, tag = "3")]
    pub iterations: u32,
    /// RFC 5802 StoredKey.
    #[prost(bytes = "vec", tag = "4")]
    pub stored_key: Vec<u8>,
    /// RFC 5802 ServerKey.
    #[prost(bytes = "vec", tag = "5")]
    pub server_key: Vec<u8>,
}

/// An account as stored.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct StoredAccount {
    /// What it may do.
    #[prost(enumeration = "Role", tag = "1")]
    pub role: i32,
    /// Whether it may not log in.
    #[prost(bool, tag = "2")]
    pub disabled: bool,
    /// When it was made, in microseconds since the Unix epoch.
    #[prost(uint64, tag = "3")]
    pub created_micros: u64,
    /// One for each SCRAM hash.
    #[prost(message, repeated, tag = "4")]
    pub keys: Vec<StoredKey>,
}

/// Accounts, one under each owner.
pub static ACCOUNTS: Table<String, StoredAccount> = Table::new("accounts", 1);

/// A secret of the server.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Secret {
    /// Random bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub bytes: Vec<u8>,
}

/// Secrets that the server made for itself, by use.
pub static SECRETS: Table<String, Secret> = Table::new("secrets", 1);

/// How long a removed account's name is kept.
pub const REMOVED_NAME_DAYS: OptionSpec = OptionSpec {
    name: "removed_name_days",
    default: OptionDefault::Number {
        value: 3_650,
        min: 0,
        max: 36_500,
    },
    unit: "days",
    doc: "How long nobody can register the name of an account that was removed: its contacts would take them for its old owner.",
};

const DAY_MICROS: u64 = 24 * 3_600 * 1_000_000;

/// That an account was removed.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Removed {
    /// When, in microseconds since the Unix epoch.
    #[prost(uint64, tag = "1")]
    pub at_micros: u64,
}

/// Names of accounts that were removed, of each domain, until they are free again.
pub static REMOVED: Expiring<String, Removed> = Table::new("removed-names", 1).expiring();

/// Removes an account with everything it stores, and keeps its name.
pub(crate) fn remove(server: &Server, jid: &BareJid, batch: &mut Batch) {
    batch.delete_owner(&owner(jid));
    let days = server.options().number(&REMOVED_NAME_DAYS);
    let (Some(name), true) = (jid.node(), days > 0) else {
        return;
    };
    let at_micros = server.now_micros();
    let domain = Owner::domain(jid.domain());
    let until = at_micros.saturating_add(days.saturating_mul(DAY_MICROS));
    batch.put_expiring(&REMOVED, &domain, name, &Removed { at_micros }, until);
}

/// Whether the name is that of an account that was removed.
pub(crate) async fn is_kept(server: &Server, jid: &BareJid) -> Result<bool, StoreError> {
    let Some(name) = jid.node() else {
        return Ok(false);
    };
    let table = REMOVED.at(server.now_micros());
    let domain = Owner::domain(jid.domain());
    Ok(server.store().get(&table, &domain, name).await?.is_some())
}

/// An account has one record, under an empty name.
pub(crate) fn key() -> String {
    String::new()
}

/// The store's owner of an account's records.
pub fn owner(jid: &BareJid) -> Owner {
    Owner::account(jid.as_ref())
}

/// Reads an account.
pub async fn load(store: &Store, jid: &BareJid) -> Result<Option<StoredAccount>, StoreError> {
    store.get(&ACCOUNTS, &owner(jid), &key()).await
}

/// Writes an account.
pub fn save(batch: &mut Batch, jid: &BareJid, account: &StoredAccount) {
    batch.put(&ACCOUNTS, &owner(jid), &key(), account);
}

/// Makes a batch of records of `owner` fail if there is no such account any more.
pub(crate) fn require(batch: &mut Batch, owner: &Owner) {
    batch.require_present(&ACCOUNTS, owner, &key());
}

/// The key of decoy salts: a missing account shows the same salt after a restart.
pub(crate) const DECOY_SALTS: &str = "decoy-salts";
/// The key of hashed addresses: what is stored of them says nothing to whoever has the store alone for long.
pub(crate) const ORIGINS: &str = "login-origins";

/// The key of stanza-ids: they stay what they are after a restart.
pub(crate) const STANZA_IDS: &str = "stanza-ids";

/// The key of resources that clients keep.
pub(crate) const RESOURCES: &str = "resources";

/// The key of the names of runs of commands: a restart ends none.
pub(crate) const RUNS: &str = "command-runs";

/// The key of what TURN servers call people by.
pub(crate) const SERVICE_NAMES: &str = "service-names";

/// The key of slots for files: one that was given before a restart can be used after it.
pub(crate) const UPLOADS: &str = "upload-slots";

/// Secret keys of the server's own. Those that there are not yet are made, in one commit.
pub(crate) async fn secrets<const N: usize>(
    outside: &Outside,
    names: [&str; N],
) -> Result<[[u8; 32]; N], StoreError> {
    let mut secrets = [[0; 32]; N];
    let mut made = Batch::new();
    for (name, bytes) in names.into_iter().zip(&mut secrets) {
        let (name, owner) = (name.to_owned(), Owner::server());
        let stored = outside.store.get(&SECRETS, &owner, &name).await?;
        let stored = stored.and_then(|secret| <[u8; 32]>::try_from(secret.bytes).ok());
        if let Some(stored) = stored {
            *bytes = stored;
            continue;
        }
        outside.random.fill(bytes);
        let bytes = bytes.to_vec();
        made.put(&SECRETS, &owner, &name, &Secret { bytes });
    }
    if !made.is_empty() {
        outside.store.commit(made).await?;
    }
    Ok(secrets)
}

/// Why an account is not made or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// There is one of this name.
    #[error("the account exists already")]
    Exists,
    /// There was one of this name, and its name is kept.
    #[error("the name belonged to an account that was removed")]
    Removed,
    /// Newer software would prepare the name otherwise (RFC 7622 §3.3).
    #[error("the name cannot be registered")]
    Name,
    /// The name is kept from who chooses one for themselves.
    #[error("the name is not given out")]
    Kept,
    /// Empty, too long, or forbidden by SASLprep (RFC 4013).
    #[error("{0}")]
    Password(#[from] PasswordError),
    /// Shorter than passwords here must be.
    #[error("the password is too short: it needs {0} characters at least")]
    Short(u64),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The server is going down.
    #[error("the server is stopping")]
    Stopped,
}

/// The hash's name as stored.
fn hash_name(hash: Hash) -> &'static str {
    match hash {
        Hash::Sha1 => "SHA-1",
        Hash::Sha256 => "SHA-256",
        Hash::Sha512 => "SHA-512",
    }
}

impl StoredKey {
    /// As it is stored.
    pub fn new(keys: &ScramKeys) -> Self {
        StoredKey {
            hash: hash_name(keys.hash()).to_owned(),
            salt: keys.salt().to_vec(),
            iterations: keys.iterations(),
            stored_key: keys.stored_key().to_vec(),
            server_key: keys.server_key().to_vec(),
        }
    }

    fn keys(&self) -> Option<ScramKeys> {
        let hash = Hash::ALL
            .into_iter()
            .find(|&hash| hash_name(hash) == self.hash)?;
        ScramKeys::from_parts(
            hash,
            &self.salt,
            self.iterations,
            &self.stored_key,
            &self.server_key,
        )
        .ok()
    }
}

impl StoredAccount {
    fn credentials(&self) -> Credentials {
        Credentials::new(self.keys.iter().filter_map(StoredKey::keys))
    }

    /// What log-in checks against.
    pub fn known(&self) -> Known {
        let credentials = self.credentials();
        if self.disabled {
            Known::Disabled(credentials)
        } else {
            Known::Active(credentials)
        }
    }
}

/// Derives credentials for every hash from a password, off the connections' threads: it takes long.
pub(crate) async fn derive(
    server: &Server,
    password: &str,
) -> Result<Vec<StoredKey>, AccountError> {
    let password = Password::prepare(password)?;
    let mut seed = server.seed();
    let iterations = server.iterations();
    let (send, receive) = futures_channel::oneshot::channel();
    server.outside().tasks.blocking(Box::new(move || {
        let credentials = Credentials::derive(&password, &mut seed, iterations);
        // Who asked may have gone.
        let _gone = send.send(credentials.keys().iter().map(StoredKey::new).collect());
    }));
    receive.await.map_err(|_| AccountError::Stopped)
}

/// Makes an account. With `reuse`, one of a name that is kept, too.
pub async fn create(
    server: &Server,
    jid: &BareJid,
    password: &str,
    role: Role,
    reuse: bool,
) -> Result<(), AccountError> {
    let account = prepare(server, jid, password, role, reuse).await?;
    let mut batch = Batch::new();
    enter(&mut batch, jid, &account);
    match server.store().commit(batch).await {
        Ok(_) => Ok(()),
        Err(StoreError::Refused { .. }) => Err(AccountError::Exists),
        Err(error) => Err(error.into()),
    }
}

/// An account as it is to be stored, if it can be made.
pub(crate) async fn prepare(
    server: &Server,
    jid: &BareJid,
    password: &str,
    role: Role,
    reuse: bool,
) -> Result<StoredAccount, AccountError> {
    if !jid.node().is_some_and(waxwing_stanza::jid::is_registrable) {
        return Err(AccountError::Name);
    }
    if load(server.store(), jid).await?.is_some() {
        return Err(AccountError::Exists);
    }
    if !reuse && is_kept(server, jid).await? {
        return Err(AccountError::Removed);
    }
    Ok(StoredAccount {
        role: role.into(),
        disabled: false,
        created_micros: server.now_micros(),
        keys: derive(server, password).await?,
    })
}

/// Enters a new account; the batch is refused where there is one meanwhile.
pub(crate) fn enter(batch: &mut Batch, jid: &BareJid, account: &StoredAccount) {
    batch.require_absent(&ACCOUNTS, &owner(jid), &key());
    save(batch, jid, account);
}

/// Whether this is the account's password.
pub async fn has_password(
    server: &Server,
    jid: &BareJid,
    password: &str,
) -> Result<bool, AccountError> {
    let (Some(account), Ok(password)) = (
        load(server.store(), jid).await?,
        Password::prepare(password),
    ) else {
        return Ok(false);
    };
    let credentials = account.credentials();
    let (send, receive) = futures_channel::oneshot::channel();
    server.outside().tasks.blocking(Box::new(move || {
        // Who asked may have gone.
        let _gone = send.send(credentials.accepts(&password));
    }));
    receive.await.map_err(|_| AccountError::Stopped)
}

/// Gives an account a new password; the old one is of no use from then on.
pub async fn set_password(
    server: &Server,
    jid: &BareJid,
    password: &str,
) -> Result<(), AccountError> {
    let keys = derive(server, password).await?;
    let replace = |account: &mut StoredAccount| account.keys.clone_from(&keys);
    let forget = |batch: &mut Batch| devices::forget_all(batch, &owner(jid));
    change_with(server.store(), jid, replace, forget).await?;
    server.note_withdrawal();
    Ok(())
}

/// Changes an account, on what it is when the change is written: two changes at a time are both made. Says whether there
/// is such an account.
pub(crate) async fn change(
    store: &Store,
    jid: &BareJid,
    change: impl Fn(&mut StoredAccount),
) -> Result<bool, StoreError> {
    change_with(store, jid, change, |_| ()).await
}

/// The same, in one commit with more.
async fn change_with(
    store: &Store,
    jid: &BareJid,
    change: impl Fn(&mut StoredAccount),
    more: impl Fn(&mut Batch),
) -> Result<bool, StoreError> {
    while let Some(before) = load(store, jid).await? {
        let mut after = before.clone();
        change(&mut after);
        let mut batch = Batch::new();
        batch.require_equals(&ACCOUNTS, &owner(jid), &key(), &before);
        save(&mut batch, jid, &after);
        more(&mut batch);
        match store.commit(batch).await {
            Ok(_) => return Ok(true),
            // Somebody else's change is made, which cannot go on for ever.
            Err(StoreError::Refused { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// Accounts by address, `limit` at most.
pub async fn all(store: &Store, limit: usize) -> Result<Vec<(BareJid, StoredAccount)>, StoreError> {
    let mut found = Vec::new();
    let mut after = None;
    while found.len() < limit {
        let owners = store.owners(&ACCOUNTS, after.as_ref(), 500).await?;
        let Some(last) = owners.last().cloned() else {
            break;
        };
        for owner in owners {
            if let (Some(account), Ok(jid)) = (
                store.get(&ACCOUNTS, &owner, &key()).await?,
                owner.name().parse(),
            ) {
                found.push((jid, account));
            }
        }
        after = Some(last);
    }
    found.truncate(limit);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_util::FutureExt;
    use waxwing_store::Memory;

    use super::*;

    /// The second is written between the first one's look and its write.
    #[test]
    fn of_two_changes_at_a_time_both_are_made() {
        let store = Memory::new().open(&[ACCOUNTS.shape()]).unwrap();
        let jid: BareJid = "alice@example.org".parse().unwrap();
        let mut batch = Batch::new();
        save(&mut batch, &jid, &StoredAccount::default());
        store.commit(batch).now_or_never().unwrap().unwrap();
        let looks = Cell::new(0);
        let first = |account: &mut StoredAccount| {
            looks.set(looks.get() + 1);
            if looks.get() == 1 {
                let second = change(&store, &jid, |account| account.role = Role::Admin.into());
                assert_eq!(second.now_or_never().unwrap(), Ok(true));
            }
            account.disabled = true;
        };
        let done = change(&store, &jid, first).now_or_never().unwrap();
        assert_eq!((done, looks.get()), (Ok(true), 2));
        let stored = load(&store, &jid).now_or_never().unwrap();
        let stored = stored.unwrap().unwrap();
        assert_eq!((stored.role(), stored.disabled), (Role::Admin, true));
        let nobody: BareJid = "bob@example.org".parse().unwrap();
        let absent = change(&store, &nobody, |account| account.disabled = true);
        assert_eq!(absent.now_or_never().unwrap(), Ok(false));
    }
}
