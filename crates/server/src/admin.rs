//! Admin commands: registered once, with three faces.
//!
//! The command line asks over a socket on the machine and may do everything. Ad-hoc commands (XEP-0050, XEP-0133) are forms
//! that clients show to a domain's admins. HTTP takes and gives JSON, for programs that have a token. What a command is
//! named, what it takes and answers, and which token is needed for it, is said here alone.

mod answer;
mod argument;
mod form;
mod page;
mod within;

use futures_util::future::BoxFuture;
use serde_json::{Map, Value};
use waxwing_stanza::{Condition, StanzaError};

pub(crate) use answer::NEXT;
pub use answer::{Member, Shape, admits, member};
pub use argument::{Argument, Kind, optional, required};
pub(crate) use argument::{CURSOR, LIMIT, PASSWORD_BYTES_MAX, secs};
pub(crate) use form::MadeForm;
pub(crate) use page::Page;

use crate::accounts::Role;
use crate::server::Server;

/// An admin command.
#[derive(Clone, Copy)]
pub struct Command {
    /// Its name: `account add`.
    pub name: &'static str,
    /// What it does, one sentence.
    pub doc: &'static str,
    /// Who may run it from afar.
    pub access: Access,
    /// Its arguments; others are refused.
    pub arguments: &'static [Argument],
    /// What it answers, by name.
    pub answer: &'static [Member],
    /// Does it.
    pub run: fn(Server, Arguments) -> BoxFuture<'static, Result<Value, AdminError>>,
}

/// Who may run a command from afar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nobody: it is run on the machine alone.
    Machine,
    /// Whoever may read what is of this kind; nothing changes.
    Reads(&'static str),
    /// Whoever may change what is of this kind.
    Changes(&'static str),
}

impl Access {
    /// What a token must be good for.
    pub fn scope(self) -> Option<String> {
        match self {
            Access::Machine => None,
            Access::Reads(kind) => Some(format!("{kind}:read")),
            Access::Changes(kind) => Some(format!("{kind}:write")),
        }
    }
}

impl Command {
    /// Whether it can be run for one domain alone: what it is about says of which domain it is.
    pub fn is_of_domains(&self) -> bool {
        self.arguments.iter().any(|argument| match argument.kind {
            Kind::Domain => true,
            Kind::Account | Kind::Address => argument.required,
            _ => false,
        })
    }

    /// Its argument of this name.
    pub fn argument(&self, name: &str) -> Option<&'static Argument> {
        self.arguments.iter().find(|argument| argument.name == name)
    }
}

/// Why a command did nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdminError {
    /// An argument is missing, not known, or cannot be what it is.
    #[error("{text}")]
    Argument {
        /// Which.
        name: String,
        /// What is wrong.
        text: String,
    },
    /// What it is about is not there.
    #[error("{0}")]
    Absent(String),
    /// There is something that stands against it.
    #[error("{0}")]
    Conflict(String),
    /// It is about another domain than who asks may look after.
    #[error("{0}")]
    Elsewhere(String),
    /// Who asks may not.
    #[error("{0}")]
    Forbidden(String),
    /// The caller asked for what cannot be.
    #[error("{0}")]
    Refused(String),
    /// The environment failed.
    #[error("{0}")]
    Failed(String),
}

impl AdminError {
    /// Whose fault it is: `caller` or `environment`.
    pub fn blame(&self) -> &'static str {
        match self {
            AdminError::Failed(_) => "environment",
            _ => "caller",
        }
    }

    pub(crate) fn argument(name: &str, text: impl Into<String>) -> Self {
        AdminError::Argument {
            name: name.to_owned(),
            text: text.into(),
        }
    }
}

impl From<waxwing_store::StoreError> for AdminError {
    fn from(error: waxwing_store::StoreError) -> Self {
        Self::of_store(&error)
    }
}

impl AdminError {
    /// What failed in the store, and what helps where something stored is damaged.
    pub(crate) fn of_store(error: &waxwing_store::StoreError) -> Self {
        use waxwing_store::StoreError::Damaged;
        let help = match error {
            Damaged { .. } => {
                "; stop the server and run `waxwing doctor`: it says what is damaged, and saves the rest"
            }
            _ => "",
        };
        Self::Failed(format!("the store failed: {error}{help}"))
    }
}

impl From<AdminError> for StanzaError {
    fn from(error: AdminError) -> Self {
        let condition = match error {
            // What failed is for whoever reads the log.
            AdminError::Failed(_) => return Condition::InternalServerError.into(),
            AdminError::Absent(_) => Condition::ItemNotFound,
            AdminError::Conflict(_) => Condition::Conflict,
            AdminError::Elsewhere(_) | AdminError::Forbidden(_) => Condition::NotAllowed,
            AdminError::Argument { .. } | AdminError::Refused(_) => Condition::NotAcceptable,
        };
        StanzaError::from(condition).with_text(error.to_string())
    }
}

/// Checked arguments.
#[derive(Clone, Default)]
pub struct Arguments(Map<String, Value>);

impl Arguments {
    /// A text that must be there.
    pub fn text(&self, name: &str) -> Result<&str, AdminError> {
        let text = self.optional(name);
        text.ok_or_else(|| {
            AdminError::argument(
                name,
                format!("the argument '{name}' is missing or is not a text"),
            )
        })
    }

    /// A text that may be there.
    pub fn optional(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// Whether it is there.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A number that may be there.
    pub fn number(&self, name: &str) -> Option<u64> {
        self.0.get(name).and_then(Value::as_u64)
    }

    /// Whether something is wanted.
    pub fn flag(&self, name: &str) -> bool {
        self.flag_given(name).unwrap_or(false)
    }

    /// A yes or no that may be there.
    pub fn flag_given(&self, name: &str) -> Option<bool> {
        self.0.get(name).and_then(Value::as_bool)
    }

    /// Several texts.
    pub fn texts(&self, name: &str) -> Vec<&str> {
        let all = self.0.get(name).and_then(Value::as_array);
        let all = all.into_iter().flatten();
        all.filter_map(Value::as_str).collect()
    }
}

/// Runs a command by name, for whoever may do everything.
pub(crate) async fn run(server: &Server, name: &str, args: Value) -> Result<Value, AdminError> {
    let (command, args) = checked(server, name, args)?;
    (command.run)(server.clone(), Arguments(args)).await
}

/// The same for whoever may only do what a domain's admin may.
pub(crate) async fn run_within(
    server: &Server,
    domain: &str,
    name: &str,
    args: Value,
) -> Result<Value, AdminError> {
    let (command, mut args) = checked(server, name, args)?;
    within::bind(server, &command, (domain, Role::Admin), &mut args).await?;
    (command.run)(server.clone(), Arguments(args)).await
}

/// Arguments for a form that is a face of the command, for somebody who looks after a domain, or all, as their role says.
pub(crate) async fn checked_within(
    server: &Server,
    by: (&str, Role),
    name: &str,
    args: Map<String, Value>,
) -> Result<Arguments, AdminError> {
    let (command, mut args) = checked(server, name, Value::Object(args))?;
    within::bind(server, &command, by, &mut args).await?;
    Ok(Arguments(args))
}

/// The command of this name, and its arguments if they are such.
fn checked(
    server: &Server,
    name: &str,
    args: Value,
) -> Result<(Command, Map<String, Value>), AdminError> {
    let command = server.registry().command(name);
    let command =
        command.ok_or_else(|| AdminError::Absent(format!("there is no command '{name}'")))?;
    let args = match args {
        Value::Null => Map::new(),
        Value::Object(map) => map,
        _ => {
            let text = "arguments are an object of names and values";
            return Err(AdminError::Refused(text.to_owned()));
        }
    };
    argument::check(&command, &args)?;
    Ok((command, args))
}
