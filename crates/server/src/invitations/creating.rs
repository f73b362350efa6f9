//! Making invitations.

use waxwing_stanza::BareJid;
use waxwing_store::{Batch, KeyRange, Owner, StoreError};

use crate::accounts::{self, Role};
use crate::invitations::backing::backing;
use crate::invitations::stored::{RESERVATIONS, StoredReservation, password_state};
use crate::invitations::{
    INVITATIONS, INVITED_PER_MEMBER, Invited, OPEN_PER_MEMBER, Purpose, StoredInvitation,
    accounts_of, id_of, kept_until, reserved_by,
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
    /// The account that asks for it; without it, whoever runs the server.
    pub(crate) creator: Option<BareJid>,
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
    #[error("the name is kept for somebody who was invited; the invitation {0} holds it")]
    Reserved(String),
    /// The account that it is about is not there, or no account's address.
    #[error("there is no such account")]
    NoAccount,
    /// Newer software would prepare the name otherwise (RFC 7622 §3.3).
    #[error("the name cannot be registered")]
    Name,
    /// Who asks may not give that out, or whom it is about is disabled.
    #[error(
        "that may not be given out: it is more than who asks may do, or the account that it is about is disabled"
    )]
    NotGiven,
    /// Too many are open.
    #[error("too many invitations are open; some have to be used, revoked or over first")]
    TooMany,
    /// So many were invited that it is enough for a while.
    #[error("{0} accounts were made by your invitations within 30 days, and no more may be")]
    Enough(u64),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes an invitation. It is on disk when this returns.
pub(crate) async fn create(server: &Server, order: Order) -> Result<Made, CreateError> {
    let now = server.now_micros();
    let (is_members, purpose) = (order.is_members, order.purpose);
    let mut invitation = StoredInvitation {
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
        password_state: Vec::new(),
        creator: order.creator.as_ref().map(ToString::to_string),
    };
    check_account(server, &mut invitation).await?;
    let subject = match purpose {
        Purpose::Password => invitation.account(),
        Purpose::Account | Purpose::Contact => order.contact,
    };
    let owner = match &subject {
        Some(account) => accounts::owner(account),
        None => Owner::domain(&invitation.domain),
    };
    if let (Purpose::Account | Purpose::Contact, Some(contact)) = (purpose, &subject)
        && accounts::load(server.store(), contact).await?.is_none()
    {
        return Err(CreateError::NoAccount);
    }
    if backing(server, &invitation).await?.is_none() {
        return Err(CreateError::NotGiven);
    }
    let most = match is_members {
        true => server.options().number(&OPEN_PER_MEMBER),
        false => OPEN_MAX,
    };
    let table = INVITATIONS.at(now);
    let open = server.store().count(&table, &owner, &KeyRange::all());
    if open.await? >= most {
        return Err(CreateError::TooMany);
    }
    if let (true, true, Some(creator)) = (is_members, invitation.registers, &order.creator) {
        let most = server.options().number(&INVITED_PER_MEMBER);
        if accounts_of(server, creator).await? >= most {
            return Err(CreateError::Enough(most));
        }
    }
    let token = server.outside().token::<TOKEN_BYTES>();
    let invited = Invited {
        owner,
        id: id_of(&token),
        invitation,
    };
    enter(server, &invited, subject.is_some()).await?;
    Ok(Made { token, invited })
}

/// Writes a new invitation. Of two at a time for one name one is refused.
async fn enter(server: &Server, invited: &Invited, is_about: bool) -> Result<(), CreateError> {
    let (id, invitation) = (&invited.id, &invited.invitation);
    let account = invitation.account().filter(|_| invitation.registers);
    let until = kept_until(invitation);
    loop {
        let mut batch = Batch::new();
        if is_about {
            accounts::require(&mut batch, &invited.owner);
        }
        batch.put_expiring(&INVITATIONS, &invited.owner, id, invitation, until);
        if let Some((jid, name)) = account.as_ref().and_then(|jid| Some((jid, jid.node()?))) {
            let (table, owner) = (
                RESERVATIONS.at(server.now_micros()),
                Owner::domain(jid.domain()),
            );
            let before = server.store().get(&table, &owner, name).await?;
            // Read after the row that says who wrote last: whoever writes between is found, or refuses this.
            if let Some(other) = reserved_by(server, jid, None).await? {
                return Err(CreateError::Reserved(other));
            }
            match &before {
                Some(before) => batch.require_equals(&table, &owner, name, before),
                None => batch.require_absent(&table, &owner, name),
            }
            let row = StoredReservation { id: id.clone() };
            batch.put_expiring(&RESERVATIONS, &owner, name, &row, until);
        }
        match server.store().commit(batch).await {
            Ok(_) => return Ok(()),
            // Somebody else has written at the same time, which the next look finds.
            Err(StoreError::Refused { shape, .. }) if shape == RESERVATIONS.shape().name() => {}
            Err(StoreError::Refused { .. }) => return Err(CreateError::NoAccount),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether the account that it names can be made, or is there where it is to get another password.
async fn check_account(
    server: &Server,
    invitation: &mut StoredInvitation,
) -> Result<(), CreateError> {
    if invitation.name.is_none() {
        return match invitation.purpose() {
            Purpose::Password => Err(CreateError::NoAccount),
            Purpose::Account | Purpose::Contact => Ok(()),
        };
    }
    let account = invitation.account().ok_or(CreateError::Name)?;
    let stored = accounts::load(server.store(), &account).await?;
    match (invitation.purpose(), stored) {
        (Purpose::Password, Some(stored)) => {
            invitation.password_state = password_state(&stored);
            Ok(())
        }
        (Purpose::Password, None) => Err(CreateError::NoAccount),
        (Purpose::Account | Purpose::Contact, Some(_)) => Err(CreateError::Exists),
        (Purpose::Account | Purpose::Contact, None) => {
            if !account
                .node()
                .is_some_and(waxwing_stanza::jid::is_registrable)
            {
                return Err(CreateError::Name);
            }
            if accounts::is_kept(server, &account).await? {
                return Err(CreateError::Removed);
            }
            Ok(())
        }
    }
}
