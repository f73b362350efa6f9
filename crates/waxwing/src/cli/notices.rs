//! The words of `waxwing motd …`, `waxwing welcome …` and `waxwing shutdown`: what a server says to its people, and its end.

use clap::{Args, Subcommand};

use super::Output;

/// What is said.
#[derive(Clone, Debug, Args)]
pub(crate) struct Said {
    /// What is said.
    pub text: String,
    #[command(flatten)]
    pub of: OfDomain,
}

/// Whose.
#[derive(Clone, Debug, Args)]
pub(crate) struct OfDomain {
    /// The domain whose accounts get it; needed where several are served.
    #[arg(long)]
    pub domain: Option<String>,
    #[command(flatten)]
    pub output: Output,
}

/// The message of the day, which each account of the running server gets once.
#[derive(Debug, Subcommand)]
pub(crate) enum Motd {
    /// Sets it: whoever is online gets it, and everybody else at their next log-in.
    Set(Said),
    /// Corrects it: who has had it does not get it again.
    Edit(Said),
    /// Shows it.
    Show(OfDomain),
    /// Removes it: nobody gets it any more.
    Clear(OfDomain),
}

/// The welcome message, which each new account of the running server gets at its first log-in.
#[derive(Debug, Subcommand)]
pub(crate) enum Welcome {
    /// Sets it, for accounts that are made from then on.
    Set(Said),
    /// Shows it.
    Show(OfDomain),
    /// Removes it: new accounts get none any more.
    Clear(OfDomain),
}

/// When and with which words the server ends.
#[derive(Clone, Debug, Args)]
pub(crate) struct Shutdown {
    /// How long until then, such as 30s or 5m, a day at most [default: at once].
    #[arg(long, value_name = "TIME")]
    pub delay: Option<String>,
    /// What everybody who is online is told [default: nothing].
    #[arg(long, value_name = "TEXT")]
    pub message: Option<String>,
    #[command(flatten)]
    pub output: Output,
}

impl Motd {
    /// How its answer is wanted.
    pub(crate) fn output(&self) -> &Output {
        match self {
            Motd::Set(said) | Motd::Edit(said) => &said.of.output,
            Motd::Show(of) | Motd::Clear(of) => &of.output,
        }
    }
}

impl Welcome {
    /// How its answer is wanted.
    pub(crate) fn output(&self) -> &Output {
        match self {
            Welcome::Set(said) => &said.of.output,
            Welcome::Show(of) | Welcome::Clear(of) => &of.output,
        }
    }
}
