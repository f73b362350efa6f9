//! Conversations: protocol behaviour written down as Markdown that is read, run in memory and run
//! against the built server. The format is described in `docs/develop/conversations.md`.

mod action;
mod cast;
mod diff;
mod matching;
mod memory;
mod network;
mod parse;
mod run;
mod session;
mod xml;

use std::fmt;

pub use cast::{Cast, Member, Start};
pub use memory::{run_in_memory, run_on};
pub use network::{Happened, Network, Transport, Wait};
pub use run::Runner;
pub use xml::{Hole, Pattern, Template};

/// Domain that conversations are about.
pub const DOMAIN: &str = "example.org";

/// Password of every account that the cast names.
pub const PASSWORD: &str = "pencil";

/// A file of conversations about one specification.
#[derive(Clone, Debug, PartialEq)]
pub struct Conversation {
    /// Where it is, as failures name it.
    pub path: String,
    /// Its first heading.
    pub title: String,
    /// Its sections that have steps. Each is played from the beginning, by a cast of its own.
    pub sections: Vec<Section>,
}

/// One conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// Its heading.
    pub title: String,
    /// Line of the heading.
    pub line: usize,
    /// Who takes part, and on what server.
    pub cast: Cast,
    /// What happens, in order; what stands before the first section comes first.
    pub steps: Vec<Step>,
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Where it stands.
    pub line: usize,
    /// What it is.
    pub act: Act,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// A session sends something.
    Send(Who, Template),
    /// A session gets these and nothing else, in this order or in any.
    Expect {
        /// Who gets them.
        who: Who,
        /// What.
        patterns: Vec<Pattern>,
        /// Whether the order of elements, and of what is in them, means nothing.
        any_order: bool,
    },
    /// Nothing that was not expected has come to these.
    Nothing(Vec<Who>),
    /// The server has closed the connection.
    Disconnected(Who),
    /// A session opens a connection and logs in, as far as said.
    LogIn {
        /// Who.
        who: Who,
        /// With what password.
        password: String,
        /// How far.
        until: crate::Until,
    },
    /// A log-in that the server refuses.
    CannotLogIn {
        /// Who.
        who: Who,
        /// With what password.
        password: String,
    },
    /// Time passes.
    Pass {
        /// How much, in microseconds.
        micros: u64,
    },
    /// A connection breaks, and both sides notice.
    CutOff(Who),
    /// A component opens a connection and is let in.
    Join(Who),
    /// A session's connection stays open, and nobody reads from it any more.
    Vanish(Who),
    /// The operator does something with an account.
    Operate {
        /// `disable`, `enable`, `remove` or `set-role` with the role behind it.
        command: String,
        /// The account.
        account: String,
    },
    /// The server is stopped in order and started again.
    Restart,
    /// The server dies and is started again.
    Crash,
}

/// Who takes part: an account, and the resource that its session binds; or a component, by what stands before the domain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Who {
    /// User part of the account's address.
    pub account: String,
    /// The resource; none for one who binds nothing.
    pub resource: Option<String>,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.resource {
            Some(resource) => write!(f, "{}/{resource}", self.account),
            None => f.write_str(&self.account),
        }
    }
}

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}:{line}: {what}")]
pub struct Failure {
    /// File.
    pub path: String,
    /// Line, from 1.
    pub line: usize,
    /// What was expected, and what came.
    pub what: String,
}

impl Conversation {
    /// Reads a file's text.
    ///
    /// # Errors
    /// [`Failure`] where it does not follow the format, and where it asserts nothing.
    pub fn parse(path: &str, text: &str) -> Result<Conversation, Failure> {
        parse::conversation(path, text)
    }
}

impl Section {
    /// Why it can only be played under a simulated clock, if that is so: more time passes than
    /// `micros_max`.
    #[must_use]
    pub fn too_long_for(&self, micros_max: u64) -> bool {
        let passing = self.steps.iter().map(|step| match step.act {
            Act::Pass { micros } => micros,
            _ => 0,
        });
        passing.sum::<u64>() > micros_max
    }
}
