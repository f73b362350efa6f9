//! Who answers: an account, or a host of its own.

use waxwing_stanza::BareJid;
use waxwing_store::{Batch, Owner, OwnerKind};

use crate::accounts;
use crate::addressee::Addressee;
use crate::cx::IqHead;

/// A service of nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    /// Its address.
    pub(crate) jid: BareJid,
    /// Whose records its nodes are.
    pub(crate) owner: Owner,
    /// Which rules it has beside those that all have.
    pub(crate) kind: ServiceKind,
}

/// What a service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ServiceKind {
    /// An account, which owns all of its nodes (XEP-0163).
    Account,
    /// A host where everybody may have nodes.
    Host,
}

impl Service {
    /// The service of an account.
    pub(crate) fn of_account(jid: &BareJid) -> Service {
        Service {
            jid: jid.clone(),
            owner: accounts::owner(jid),
            kind: ServiceKind::Account,
        }
    }

    /// The service of a host.
    pub(crate) fn of_host(jid: &BareJid) -> Service {
        Service {
            jid: jid.clone(),
            owner: Owner::domain(jid.domain()),
            kind: ServiceKind::Host,
        }
    }

    /// The service whose records an owner has; nothing where that is neither an account nor a host.
    pub(crate) fn of_owner(owner: &Owner) -> Option<Service> {
        let jid: BareJid = owner.name().parse().ok()?;
        match owner.kind() {
            OwnerKind::Account => Some(Service::of_account(&jid)),
            OwnerKind::Domain => Some(Service::of_host(&jid)),
            _ => None,
        }
    }

    /// Makes a batch fail where the account is no more.
    pub(crate) fn require(&self, batch: &mut Batch) {
        if self.kind == ServiceKind::Account {
            accounts::require(batch, &self.owner);
        }
    }

    /// Whom a request is for.
    pub(crate) fn asked(head: &IqHead) -> Service {
        match head.addressee {
            Addressee::OwnAccount | Addressee::OtherAccount => Service::of_account(&head.to),
            Addressee::Domain | Addressee::Host(_) => Service::of_host(&head.to),
        }
    }
}
