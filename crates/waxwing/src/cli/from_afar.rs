//! The words of `waxwing session …` and `waxwing api-token …`: who is here, and which programs are let in.

use clap::{Args, Subcommand};

use super::Output;

/// Sessions of the running server.
#[derive(Debug, Subcommand)]
pub(crate) enum Session {
    /// Lists sessions; those that wait to be resumed too.
    List {
        /// Only those of this account.
        #[arg(long, value_name = "JID")]
        account: Option<String>,
        /// Only those of this domain.
        #[arg(long)]
        domain: Option<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Ends all sessions of an account, or the one of a full address; they can log in again.
    End {
        /// The address.
        jid: String,
        #[command(flatten)]
        output: Output,
    },
}

/// Tokens by which programs run commands over HTTP.
#[derive(Debug, Subcommand)]
pub(crate) enum ApiToken {
    /// Makes a token and prints it; nobody can find it out again.
    Create(NewApiToken),
    /// Lists tokens; none of them can be used by what is shown.
    List {
        #[command(flatten)]
        output: Output,
    },
    /// Has a token be worth nothing from now on.
    Revoke {
        /// Its name.
        name: String,
        #[command(flatten)]
        output: Output,
    },
}

/// What a token is for.
#[derive(Clone, Debug, Args)]
pub(crate) struct NewApiToken {
    /// What it is called; it stands in the log with each command.
    pub name: String,
    /// What it is good for, such as accounts:read; give it several times, or with commas.
    #[arg(long, value_name = "SCOPE", required = true, value_delimiter = ',', num_args = 1..)]
    pub scope: Vec<String>,
    /// How long it is good, such as 24h or 30d [default: until it is revoked].
    #[arg(long, value_name = "TIME")]
    pub expires: Option<String>,
    /// The domain that it is for [default: the whole server].
    #[arg(long)]
    pub domain: Option<String>,
    #[command(flatten)]
    pub output: Output,
}
