//! The words of `waxwing invite …`.

use clap::{Args, Subcommand};

use super::{Output, Role};

/// Invitations to the running server, and links for new passwords.
#[derive(Debug, Subcommand)]
pub(crate) enum Invite {
    /// Makes an invitation, or a link for a new password, and prints it; nobody can find it out again.
    Create(Invitation),
    /// Lists invitations whose time is not over; none of them can be used by what is shown.
    List {
        /// Only those to this domain.
        #[arg(long)]
        domain: Option<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Lists by whom invitations were used within 30 days, and who had made them.
    Used {
        /// Only by accounts of this domain.
        #[arg(long)]
        domain: Option<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Takes an invitation back.
    Revoke {
        /// Its id, as the list shows it.
        id: String,
        #[command(flatten)]
        output: Output,
    },
}

/// What an invitation is for.
#[derive(Clone, Debug, Args)]
pub(crate) struct Invitation {
    /// The name, or the address, of the account that is to be made; without it, who is invited chooses one.
    #[arg(long, value_name = "NAME")]
    pub account: Option<String>,
    /// The account whose contact who is invited becomes.
    #[arg(long, value_name = "JID")]
    pub contact: Option<String>,
    /// No invitation: a link by which the owner of this account sets another password.
    #[arg(long, value_name = "JID", conflicts_with_all = ["account", "contact", "role", "uses"])]
    pub reset: Option<String>,
    /// The domain; needed where several are served and nothing else says which.
    #[arg(long)]
    pub domain: Option<String>,
    /// What the new account may do [default: member].
    #[arg(long, value_enum)]
    pub role: Option<Role>,
    /// How often it can be used [default: 1].
    #[arg(long, value_name = "NUMBER")]
    pub uses: Option<u32>,
    /// How long it is good, such as 45m, 24h, 7d or 2w [default: the option invite_days].
    #[arg(long, value_name = "TIME")]
    pub expires: Option<String>,
    #[command(flatten)]
    pub output: Output,
}
