//! Making invitations.

use waxwing_stanza::BareJid;
use waxwing_store::{Batch, KeyRange, Owner, StoreError};

use crate::accounts::{self, Role};
use crate::invitations::{
    INVITATIONS, Invited, OPEN_PER_MEMBER, Purpose, StoredInvitation, id_of, is_reserved,
    kept_until,
};
use crate::server::Server;

/// Bytes of randomness in a token.
const TOKEN_BYTES: usize = 16;
/// Most invitations that are open at a time under one domain, or under one account by an admin's hand.
const OPEN_MAX: u64 = 10_000;

/// What is wanted.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) purpose: Purpose,
    pub(crate) domain: String,
    /// The user part, prepared.
    pub(crate) name: Option<String>,
    pub(crate) contact: Option<BareJid>,
    pub(crate) role: Role,
    pub(crate) uses: u32,
    pub(crate) secs: u64,
    pub(crate) registers: bool,
    /// Whether who asks is no admin, and may have only so many.
    pub(crate) is_members: bool,
}

/// An invitation that was made, with the token that nobody can find out again.
pub(crate) struct Made {
    pub(crate) token: String,
    pub(crate) invited: Invited,
}

/// Why none was made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CreateError {
    /// The account that is to be made is there.
    #[error("the account exists already")]
    Exists,
    /// An account of this name was removed, and the name is kept.
    #[error(
        "the name belonged to an account that was removed; its contacts may take a new one for the old"
    )]
    Removed,
    /// The name waits for somebody else who was invited.
    #[error("the name is kept for somebody who was invited")]
    Reserved,
    /// The account that it is about is not there, or no account's address.
    #[error("there is no such account")]
    NoAccount,
    /// Newer software would prepare the name otherwise (RFC 7622 §3.3).
    #[error("the name cannot be registered")]
    Name,
    /// Too many are open.
    #[error("too many invitations are open; some have to be used, revoked or over first")]
    TooMany,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes an invitation. It is on disk when this returns.
pub(crate) async fn create(server: &Server, order: Order) -> Result<Made, CreateError> {
    let now = server.now_micros();
    let (is_members, purpose) = (order.is_members, order.purpose);
    let invitation = StoredInvitation {
        purpose: purpose.into(),
        domain: order.domain,
        name: order.name,
        contact: order.contact.as_ref().map(ToString::to_string),
        role: order.role.into(),
        uses: order.uses.max(1),
        used: 0,
        created_micros: now,
        expires_micros: now.saturating_add(order.secs.saturating_mul(1_000_000)),
        registers: order.registers,
    };
    check_account(server, &invitation).await?;
    let subject = match purpose {
        Purpose::Password => invitation.account(),
        Purpose::Account | Purpose::Contact => order.contact,
    };
    let owner = match &subject {
        Some(account) => accounts::owner(account),
        None => Owner::domain(&invitation.domain),
    };
    let most = match is_members {
        true => server.options().number(&OPEN_PER_MEMBER),
        false => OPEN_MAX,
    };
    let table = INVITATIONS.at(now);
    let open = server.store().count(&table, &owner, &KeyRange::all());
    if open.await? >= most {
        return Err(CreateError::TooMany);
    }
    let token = server.outside().token::<TOKEN_BYTES>();
    let id = id_of(&token);
    let mut batch = Batch::new();
    if subject.is_some() {
        accounts::require(&mut batch, &owner);
    }
    let until = kept_until(&invitation);
    batch.put_expiring(&INVITATIONS, &owner, &id, &invitation, until);
    match server.store().commit(batch).await {
        Ok(_) => {}
        Err(StoreError::Refused { .. }) => return Err(CreateError::NoAccount),
        Err(error) => return Err(error.into()),
    }
    let invited = Invited {
        owner,
        id,
        invitation,
    };
    Ok(Made { token, invited })
}

/// Whether the account that it names can be made, or is there where it is to get another password.
async fn check_account(server: &Server, invitation: &StoredInvitation) -> Result<(), CreateError> {
    if invitation.name.is_none() {
        return match invitation.purpose() {
            Purpose::Password => Err(CreateError::NoAccount),
            Purpose::Account | Purpose::Contact => Ok(()),
        };
    }
    let account = invitation.account().ok_or(CreateError::Name)?;
    let is_there = accounts::load(server.store(), &account).await?.is_some();
    match (invitation.purpose(), is_there) {
        (Purpose::Password, true) => Ok(()),
        (Purpose::Password, false) => Err(CreateError::NoAccount),
        (Purpose::Account | Purpose::Contact, true) => Err(CreateError::Exists),
        (Purpose::Account | Purpose::Contact, false) => {
            if !account
                .node()
                .is_some_and(waxwing_stanza::jid::is_registrable)
            {
                return Err(CreateError::Name);
            }
            if accounts::is_kept(server, &account).await? {
                return Err(CreateError::Removed);
            }
            match is_reserved(server, &account, None).await? {
                true => Err(CreateError::Reserved),
                false => Ok(()),
            }
        }
    }
}
