//! Whether an invitation still has behind it whoever gave it out: nobody gives by a link what they may not give any more.

use waxwing_stanza::BareJid;
use waxwing_store::{Batch, StoreError};

use crate::accounts::{self, ACCOUNTS, Role, StoredAccount};
use crate::invitations::stored::password_state;
use crate::invitations::{BY_MEMBERS, Purpose, StoredInvitation};
use crate::options::Options;
use crate::server::Server;

/// The accounts that an invitation rests on, as they were read.
pub(super) struct Backing {
    read: Vec<(BareJid, StoredAccount)>,
    creator: Option<BareJid>,
}

impl Backing {
    /// Has a batch be refused where one of them has changed. `except` is one that the batch asks for itself.
    pub(super) fn require(&self, batch: &mut Batch, except: Option<&BareJid>) {
        for (jid, account) in &self.read {
            if Some(jid) != except {
                let owner = accounts::owner(jid);
                batch.require_equals(&ACCOUNTS, &owner, &accounts::key(), account);
            }
        }
    }

    /// The person who made it, where it was made by one without an office.
    pub(super) fn member(&self) -> Option<&BareJid> {
        let creator = self.creator.as_ref()?;
        let (_, account) = self.read.iter().find(|(jid, _)| jid == creator)?;
        matches!(account.role(), Role::Member | Role::Restricted).then_some(creator)
    }
}

/// What an invitation rests on; nothing where that is gone: an account is disabled or removed, may not give this out any more,
/// has another password than the one that was to be replaced, or is there already where it was to be made.
pub(super) async fn backing(
    server: &Server,
    invitation: &StoredInvitation,
) -> Result<Option<Backing>, StoreError> {
    let (creator, contact) = (invitation.creator_jid(), invitation.contact_jid());
    let mut read: Vec<(BareJid, StoredAccount)> = Vec::new();
    for jid in creator.iter().chain(&contact) {
        if read.iter().any(|(known, _)| known == jid) {
            continue;
        }
        let account = accounts::load(server.store(), jid).await?;
        let Some(account) = account.filter(|account| !account.disabled) else {
            return Ok(None);
        };
        read.push((jid.clone(), account));
    }
    let mut target_role = None;
    if invitation.purpose() == Purpose::Password {
        let Some(jid) = invitation.account() else {
            return Ok(None);
        };
        let account = accounts::load(server.store(), &jid).await?;
        let is_same =
            |account: &StoredAccount| password_state(account) == invitation.password_state;
        let Some(account) = account.filter(is_same) else {
            return Ok(None);
        };
        target_role = Some(account.role());
    } else if let Some(jid) = invitation.account()
        && accounts::load(server.store(), &jid).await?.is_some()
    {
        // An admin has made it in another way.
        return Ok(None);
    }
    if let Some(creator) = &creator {
        let options = server.options_of(&invitation.domain);
        let account = read.iter().find(|(jid, _)| jid == creator);
        let role = account.map_or(Role::Restricted, |(_, account)| account.role());
        if !may_give((role, creator), invitation, target_role, &options) {
            return Ok(None);
        }
    }
    Ok(Some(Backing { read, creator }))
}

/// Whether somebody may give out such an invitation.
pub(super) fn may_give(
    (role, creator): (Role, &BareJid),
    invitation: &StoredInvitation,
    target: Option<Role>,
    options: &Options,
) -> bool {
    let is_at_home = creator.domain() == invitation.domain;
    match role {
        Role::Operator => true,
        Role::Admin => {
            is_at_home && invitation.role() != Role::Operator && target != Some(Role::Operator)
        }
        Role::Member | Role::Restricted => {
            let by_members = options.text(&BY_MEMBERS);
            let gives_accounts = role == Role::Member && by_members == "accounts";
            is_at_home
                && by_members != "nobody"
                && invitation.purpose() == Purpose::Contact
                && invitation.contact_jid().as_ref() == Some(creator)
                && invitation.role() == Role::Member
                && invitation.name.is_none()
                && invitation.uses == 1
                && (!invitation.registers || gives_accounts)
        }
    }
}
