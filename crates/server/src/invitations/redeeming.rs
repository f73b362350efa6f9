//! Using invitations: an account is made, or a password set.
//!
//! An invitation is used up in the commit of what it was used for, so it is neither lost by a failure nor good twice.

use std::net::IpAddr;

use waxwing_stanza::BareJid;
use waxwing_store::{Batch, KeyRange, StoreError};

use crate::accounts::{self, ACCOUNTS, AccountError};
use crate::effects::Effects;
use crate::invitations::stored::{BY_ACCOUNT, BY_ID};
use crate::invitations::{
    INVITATIONS, Invited, Purpose, StoredInvitation, friends, id_of, is_token, use_up,
};
use crate::server::Server;
use crate::throttle::{self, Network};
use crate::{account_commands, devices};

/// Most invitations that are looked at for one name.
const SAME_NAME_MAX: usize = 100;

/// Why an invitation did nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedeemError {
    /// It was used up, revoked, or is over.
    #[error("the invitation is not good any more")]
    Gone,
    /// It is for something else.
    #[error("the invitation is for something else")]
    Purpose,
    /// It is for an account of another name.
    #[error("the invitation is for an account of another name")]
    OtherName,
    /// Too much was tried from there.
    #[error("too much was tried; try again later")]
    TooOften,
    /// Something that it needs could not be read; the log says what.
    #[error("the store does not answer")]
    Unavailable,
    /// The account could not be made or changed.
    #[error(transparent)]
    Account(#[from] AccountError),
}

impl From<StoreError> for RedeemError {
    fn from(error: StoreError) -> Self {
        RedeemError::Account(AccountError::Store(error))
    }
}

/// The invitation that a token is of, if it is good now.
pub async fn find(server: &Server, token: &str) -> Result<Option<Invited>, StoreError> {
    if !is_token(token) {
        return Ok(None);
    }
    let (id, now) = (id_of(token), server.now_micros());
    let found = found(server, &id).await?;
    Ok(found.filter(|invited| invited.invitation.expires_micros > now))
}

/// The invitation of an id, for whoever manages them.
pub(crate) async fn found(server: &Server, id: &String) -> Result<Option<Invited>, StoreError> {
    let table = INVITATIONS.at(server.now_micros());
    let range = KeyRange::exactly(id);
    let rows = server.store().find(&table, &BY_ID, &range, 1).await?;
    Ok(rows.into_iter().next().map(|row| Invited {
        owner: row.owner,
        id: row.key,
        invitation: row.value,
    }))
}

/// Whether a name waits for somebody who was invited by another invitation than this one.
pub(crate) async fn is_reserved(
    server: &Server,
    jid: &BareJid,
    except: Option<&str>,
) -> Result<bool, StoreError> {
    let table = INVITATIONS.at(server.now_micros());
    let range = KeyRange::exactly(jid.as_str());
    let rows = server
        .store()
        .find(&table, &BY_ACCOUNT, &range, SAME_NAME_MAX)
        .await?;
    Ok(rows.iter().any(|row| Some(row.key.as_str()) != except))
}

/// Whether tokens are looked at that somebody shows from there.
pub(crate) fn may_guess(server: &Server, network: Network) -> bool {
    throttle::looks_at_tokens(server, network)
}

/// As it is in the store now: it counts no time any more (XEP-0445), but uses, and whether it was revoked.
async fn current(server: &Server, invited: &Invited) -> Result<StoredInvitation, RedeemError> {
    let table = INVITATIONS.at(server.now_micros());
    let row = server.store().get(&table, &invited.owner, &invited.id);
    row.await?.ok_or(RedeemError::Gone)
}

/// Uses it once, if it is still what was read.
fn use_once(server: &Server, batch: &mut Batch, invited: &Invited, before: &StoredInvitation) {
    let table = INVITATIONS.at(server.now_micros());
    batch.require_equals(&table, &invited.owner, &invited.id, before);
    use_up(batch, &invited.owner, &invited.id, before);
}

/// Makes the account of somebody who was invited; the address is of the invitation's domain.
///
/// # Errors
/// [`RedeemError`]; nothing has changed then, and the invitation is as good as before.
pub async fn register(
    server: &Server,
    invited: &Invited,
    name: &str,
    password: &str,
    from: IpAddr,
) -> Result<BareJid, RedeemError> {
    let invitation = &invited.invitation;
    if !invitation.registers {
        return Err(RedeemError::Purpose);
    }
    let jid = BareJid::from_parts(Some(name), &invitation.domain);
    let jid = jid.map_err(|_| AccountError::Name)?;
    if invitation.account().is_some_and(|account| account != jid) {
        return Err(RedeemError::OtherName);
    }
    // A name that is taken counts: who asks learns that it is.
    if !throttle::redeems(server, Network::of(from)) {
        return Err(RedeemError::TooOften);
    }
    if is_reserved(server, &jid, Some(&invited.id)).await? {
        return Err(AccountError::Exists.into());
    }
    current(server, invited).await?;
    let account = accounts::prepare(server, &jid, password, invitation.role(), false).await?;
    loop {
        let before = current(server, invited).await?;
        let mut effects = Effects::none();
        accounts::enter(&mut effects.batch, &jid, &account);
        use_once(server, &mut effects.batch, invited, &before);
        if let Some(contact) = invited.contact() {
            friends::enter(server, &jid, &contact, &mut effects).await?;
        }
        match server.carry_out(effects).await {
            Ok(()) => return Ok(jid),
            Err(StoreError::Refused { shape, .. }) if shape == ACCOUNTS.shape().name() => {
                return Err(AccountError::Exists.into());
            }
            // Somebody else has used it at the same time, which cannot go on for ever.
            Err(StoreError::Refused { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Gives the account of an invitation another password; sessions and tokens end.
///
/// # Errors
/// [`RedeemError`]; nothing has changed then, and the invitation is as good as before.
pub async fn reset(
    server: &Server,
    invited: &Invited,
    password: &str,
    from: IpAddr,
) -> Result<BareJid, RedeemError> {
    let jid = match invited.invitation.purpose() {
        Purpose::Password => invited.invitation.account().ok_or(RedeemError::Purpose)?,
        Purpose::Account | Purpose::Contact => return Err(RedeemError::Purpose),
    };
    if !throttle::redeems(server, Network::of(from)) {
        return Err(RedeemError::TooOften);
    }
    current(server, invited).await?;
    let keys = accounts::derive(server, password).await?;
    let owner = accounts::owner(&jid);
    loop {
        let before = current(server, invited).await?;
        let account = accounts::load(server.store(), &jid).await?;
        let account = account.ok_or(RedeemError::Gone)?;
        let after = accounts::StoredAccount {
            keys: keys.clone(),
            ..account.clone()
        };
        let mut batch = Batch::new();
        batch.require_equals(&ACCOUNTS, &owner, &accounts::key(), &account);
        accounts::save(&mut batch, &jid, &after);
        devices::forget_all(&mut batch, &owner);
        use_once(server, &mut batch, invited, &before);
        match server.store().commit(batch).await {
            Ok(_) => break,
            // The account or the invitation has changed, which cannot go on for ever.
            Err(StoreError::Refused { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    server.note_withdrawal();
    account_commands::end_sessions(server, &jid);
    Ok(jid)
}
