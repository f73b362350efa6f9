//! Who may invite, and how much.

use crate::accounts::Role;
use crate::directory::Account;
use crate::options::{OptionDefault, OptionSpec, Options};

/// Below which path of a domain's HTTP service the pages of invitations are.
pub const INVITE_PATH: &str = "/invite/";

/// Where pages of invitations are.
pub const URL: OptionSpec = OptionSpec {
    name: "invite_url",
    default: OptionDefault::Base,
    unit: "",
    doc: "Where people reach this server's HTTP service: pages of invitations are at /invite/ below it. Where it is empty, it is `public_url` of `[web]`, or the HTTPS listener; where there is neither, invitations have no page.",
};

const WORDS: &[&str] = &["contacts", "accounts", "nobody"];

/// Whom people without an office may invite.
pub(crate) const BY_MEMBERS: OptionSpec = OptionSpec {
    name: "invite_by_members",
    default: OptionDefault::Choice(WORDS),
    unit: "",
    doc: "What invitations of people who are no admins are good for: contacts (to become theirs), accounts (to make an account for that, too), or nothing: nobody but admins may invite.",
};

/// How long an invitation is good.
pub(crate) const DAYS: OptionSpec = OptionSpec {
    name: "invite_days",
    default: OptionDefault::Number {
        value: 7,
        min: 1,
        max: 365,
    },
    unit: "days",
    doc: "How long an invitation is good where nobody says otherwise.",
};

/// Open invitations of one person.
pub(crate) const OPEN_PER_MEMBER: OptionSpec = OptionSpec {
    name: "invitations_per_account_max",
    default: OptionDefault::Number {
        value: 20,
        min: 1,
        max: 10_000,
    },
    unit: "invitations",
    doc: "Most invitations of one account that are open at a time, those that expired within the last two hours too; one more has to wait.",
};

/// Accounts that one person lets in.
pub(crate) const INVITED_PER_MEMBER: OptionSpec = OptionSpec {
    name: "invited_accounts_max",
    default: OptionDefault::Number {
        value: 20,
        min: 1,
        max: 100_000,
    },
    unit: "accounts in 30 days",
    doc: "Most accounts that are made by invitations of one person who is no admin; with one more the invitation waits.",
};

/// Attempts to use invitations from one network.
pub(crate) const REDEEMED_BY_NETWORK: OptionSpec = OptionSpec {
    name: "invited_per_network_max",
    default: OptionDefault::Number {
        value: 60,
        min: 1,
        max: 100_000,
    },
    unit: "attempts in an hour",
    doc: "How often accounts may be asked for, or passwords set, by invitations from one IPv4 address or one IPv6 /64; one more has to wait.",
};

/// Those that each domain can set for itself.
pub(crate) const OPTIONS: &[OptionSpec] = &[URL, BY_MEMBERS, DAYS];

/// Whether an account may invite to its domain.
pub(crate) fn may_invite(account: &Account, options: &Options) -> bool {
    match account.role() {
        Role::Operator | Role::Admin => true,
        Role::Member | Role::Restricted => {
            !account.is_guest() && options.text(&BY_MEMBERS) != "nobody"
        }
    }
}

/// Whether whom it invites may make an account.
pub(crate) fn may_register(account: &Account, options: &Options) -> bool {
    match account.role() {
        Role::Operator | Role::Admin => true,
        Role::Member => !account.is_guest() && options.text(&BY_MEMBERS) == "accounts",
        Role::Restricted => false,
    }
}
