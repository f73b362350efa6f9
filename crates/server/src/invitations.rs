//! Invitations: who makes an account, becomes somebody's contact, or sets a password anew, by a link that nobody else knows.
//!
//! A link has a token of 128 random bits, which is shown once, to whoever makes it. Stored is a hash of it, under the account
//! that it is about, so that it goes with that account, or under the domain: who has the store alone can use none of them.
//! What a client, a form on a web page or a request for a subscription does with a token is the same here.

mod answers;
mod backing;
pub(crate) mod commands;
mod creating;
pub(crate) mod forms;
mod friends;
mod links;
mod options;
mod redeeming;
mod stored;

use waxwing_stanza::BareJid;
use waxwing_store::Owner;

pub(crate) use creating::{CreateError, Made, Order, create};
pub(crate) use friends::welcome;
pub use links::{landing_url, uri};
pub(crate) use options::{
    BY_MEMBERS, DAYS, INVITED_PER_MEMBER, OPEN_PER_MEMBER, OPTIONS, REDEEMED_BY_NETWORK,
    may_invite, may_register,
};
pub use options::{INVITE_PATH, URL};
pub use redeeming::{RedeemError, Registered, find, register, reset};
pub(crate) use redeeming::{accounts_of, may_guess, reserved_by};
pub(crate) use stored::{
    INVITATIONS, RESERVATIONS, USES, Use, id_of, is_token, kept_until, use_up,
};
pub use stored::{Purpose, StoredInvitation};

/// An invitation that was good when its token was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invited {
    pub(crate) owner: Owner,
    pub(crate) id: String,
    /// What it allows.
    pub invitation: StoredInvitation,
}

impl Invited {
    /// By which people who manage invitations know it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whose contact who uses it becomes.
    pub fn contact(&self) -> Option<BareJid> {
        self.invitation.contact_jid()
    }
}
