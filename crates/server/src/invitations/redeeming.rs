//! Using invitations: an account is made, or a password set.
//!
//! An invitation is used up in the commit of what it was used for, so it is neither lost by a failure nor good twice.

use std::net::IpAddr;

use waxwing_stanza::BareJid;
use waxwing_store::{Batch, KeyRange, StoreError};

use crate::accounts::{self, ACCOUNTS, AccountError};
use crate::effects::Effects;
use crate::invitations::backing::{Backing, backing};
use crate::invitations::stored::{BY_ACCOUNT, BY_ID, USES, Use};
use crate::invitations::{
    INVITATIONS, INVITED_PER_MEMBER, Invited, Purpose, StoredInvitation, friends, id_of, is_token,
    use_up,
};
use crate::server::Server;
use crate::throttle::{self, Network};
use crate::{account_commands, choosing, devices};

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
    /// Whoever invites has invited too many lately.
    #[error("whoever invited you has given out as many accounts as they may for now")]
    Enough,
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
    let Some(invited) = found.filter(|invited| invited.invitation.expires_micros > now) else {
        return Ok(None);
    };
    Ok(is_backed(server, &invited).await?.then_some(invited))
}

/// Whether whoever gave it out may still do so, and what it is for is as it was.
pub(crate) async fn is_backed(server: &Server, invited: &Invited) -> Result<bool, StoreError> {
    Ok(backing(server, &invited.invitation).await?.is_some())
}

/// How many accounts were made by invitations of somebody within 30 days.
pub(crate) async fn accounts_of(server: &Server, creator: &BareJid) -> Result<u64, StoreError> {
    let table = USES.at(server.now_micros());
    let owner = accounts::owner(creator);
    let range = KeyRange::prefix(&(Purpose::Account.name(),));
    server.store().count(&table, &owner, &range).await
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

/// The invitation that a name waits for, where that is another than this one.
pub(crate) async fn reserved_by(
    server: &Server,
    jid: &BareJid,
    except: Option<&str>,
) -> Result<Option<String>, StoreError> {
    let now = server.now_micros();
    let table = INVITATIONS.at(now);
    let range = KeyRange::exactly(jid.as_str());
    let rows = server
        .store()
        .find(&table, &BY_ACCOUNT, &range, SAME_NAME_MAX)
        .await?;
    // One whose time is over holds no name; it is kept for who has begun to use it.
    let holds = rows
        .into_iter()
        .find(|row| row.value.expires_micros > now && Some(row.key.as_str()) != except);
    Ok(holds.map(|row| row.key))
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

/// What it rests on now, which it needs until it is used.
async fn still_backed(
    server: &Server,
    invitation: &StoredInvitation,
) -> Result<Backing, RedeemError> {
    backing(server, invitation).await?.ok_or(RedeemError::Gone)
}

/// Uses it once, if it is still what was read.
fn use_once(
    server: &Server,
    batch: &mut Batch,
    invited: &Invited,
    before: &StoredInvitation,
    (account, purpose): (&BareJid, Purpose),
) {
    let at_micros = server.now_micros();
    let table = INVITATIONS.at(at_micros);
    batch.require_equals(&table, &invited.owner, &invited.id, before);
    let by = Use {
        account,
        purpose,
        at_micros,
    };
    use_up(batch, &invited.owner, &invited.id, before, &by);
}

/// An account that was made by an invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Its address.
    pub jid: BareJid,
    /// Whose contact it is from the beginning; nobody's where the invitation says so, but one of both could not be entered.
    pub contact: Option<BareJid>,
}

/// Whether an account of this name may be asked for now, from there.
async fn allow(
    server: &Server,
    invited: &Invited,
    jid: &BareJid,
    password: &str,
    from: IpAddr,
) -> Result<(), RedeemError> {
    let invitation = &invited.invitation;
    choosing::check_password(server, &invitation.domain, password)?;
    if invitation.name.is_none() {
        choosing::check_name(server, jid)?;
    }
    // A name that is taken counts: who asks learns that it is.
    if !throttle::redeems(server, Network::of(from)) {
        return Err(RedeemError::TooOften);
    }
    let backed = still_backed(server, &current(server, invited).await?).await?;
    // Whom people without an office let in counts as whom anybody lets in.
    if backed.member().is_some() && !throttle::registers(server, Network::of(from)) {
        return Err(RedeemError::TooOften);
    }
    if reserved_by(server, jid, Some(&invited.id)).await?.is_some() {
        return Err(AccountError::Exists.into());
    }
    Ok(())
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
) -> Result<Registered, RedeemError> {
    let invitation = &invited.invitation;
    if !invitation.registers {
        return Err(RedeemError::Purpose);
    }
    let jid = BareJid::from_parts(Some(name), &invitation.domain);
    let jid = jid.map_err(|_| AccountError::Name)?;
    if invitation.account().is_some_and(|account| account != jid) {
        return Err(RedeemError::OtherName);
    }
    allow(server, invited, &jid, password, from).await?;
    let account = accounts::prepare(server, &jid, password, invitation.role(), false).await?;
    loop {
        let before = current(server, invited).await?;
        let backed = still_backed(server, &before).await?;
        let mut effects = Effects::none();
        accounts::enter(&mut effects.batch, &jid, &account);
        backed.require(&mut effects.batch, None);
        use_once(
            server,
            &mut effects.batch,
            invited,
            &before,
            (&jid, Purpose::Account),
        );
        let mut contact = invited.contact();
        if let Some(inviter) = &contact
            && !friends::enter(server, &jid, inviter, &mut effects).await?
        {
            contact = None;
        }
        // With the turn of the inviter's roster, so that none is made between this look and the commit.
        if let Some(member) = backed.member()
            && accounts_of(server, member).await? >= server.options().number(&INVITED_PER_MEMBER)
        {
            return Err(RedeemError::Enough);
        }
        match server.carry_out(effects).await {
            Ok(()) => {
                tracing::info!(invitation = %invited.id, "an account was made by an invitation");
                return Ok(Registered { jid, contact });
            }
            // Somebody else has made it, or used the invitation, or what that rests on has changed, which cannot go on for ever.
            Err(StoreError::Refused { .. }) => {
                if accounts::load(server.store(), &jid).await?.is_some() {
                    return Err(AccountError::Exists.into());
                }
            }
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
    choosing::check_password(server, jid.domain(), password)?;
    if !throttle::redeems(server, Network::of(from)) {
        return Err(RedeemError::TooOften);
    }
    still_backed(server, &current(server, invited).await?).await?;
    let keys = accounts::derive(server, password).await?;
    let owner = accounts::owner(&jid);
    loop {
        let before = current(server, invited).await?;
        let account = accounts::load(server.store(), &jid).await?;
        let account = account.ok_or(RedeemError::Gone)?;
        // Read after the account: what is written below is refused where that changes, its password too.
        let backed = still_backed(server, &before).await?;
        let after = accounts::StoredAccount {
            keys: keys.clone(),
            ..account.clone()
        };
        let mut batch = Batch::new();
        batch.require_equals(&ACCOUNTS, &owner, &accounts::key(), &account);
        accounts::save(&mut batch, &jid, &after);
        devices::forget_all(&mut batch, &owner);
        backed.require(&mut batch, Some(&jid));
        use_once(
            server,
            &mut batch,
            invited,
            &before,
            (&jid, Purpose::Password),
        );
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
