//! Admin commands: defined once, with several faces (command line, later ad-hoc and HTTP).

use futures_util::future::BoxFuture;
use serde_json::{Map, Value};

use crate::server::Server;

/// An argument of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Its name.
    pub name: &'static str,
    /// What it is, one sentence.
    pub doc: &'static str,
    /// Whether it must be given.
    pub required: bool,
    /// Whether it must never be shown.
    pub secret: bool,
}

/// An admin command.
#[derive(Clone, Copy)]
pub struct Command {
    /// Its name: `account add`.
    pub name: &'static str,
    /// What it does, one sentence.
    pub doc: &'static str,
    /// Its arguments; others are refused.
    pub arguments: &'static [Argument],
    /// Does it.
    pub run: fn(Server, Arguments) -> BoxFuture<'static, Result<Value, AdminError>>,
}

/// Why a command did nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdminError {
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
            AdminError::Refused(_) => "caller",
            AdminError::Failed(_) => "environment",
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

/// Checked arguments.
#[derive(Clone, Default)]
pub struct Arguments(Map<String, Value>);

impl Arguments {
    /// A text that must be there.
    pub fn text(&self, name: &str) -> Result<&str, AdminError> {
        self.0.get(name).and_then(Value::as_str).ok_or_else(|| {
            AdminError::Refused(format!("the argument '{name}' is missing or is not a text"))
        })
    }

    /// A text that may be there.
    pub fn optional(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }
}

/// Runs a command by name.
pub(crate) async fn run(server: &Server, name: &str, args: Value) -> Result<Value, AdminError> {
    let command = server
        .registry()
        .commands
        .get(name)
        .copied()
        .ok_or_else(|| AdminError::Refused(format!("there is no command '{name}'")))?;
    let args = match args {
        Value::Null => Map::new(),
        Value::Object(map) => map,
        _ => {
            return Err(AdminError::Refused(
                "arguments are an object of names and values".to_owned(),
            ));
        }
    };
    if let Some(unknown) = args.keys().find(|key| {
        !command
            .arguments
            .iter()
            .any(|known| known.name == key.as_str())
    }) {
        return Err(AdminError::Refused(format!(
            "'{name}' has no argument '{unknown}'"
        )));
    }
    if let Some(missing) = command
        .arguments
        .iter()
        .find(|known| known.required && !args.contains_key(known.name))
    {
        return Err(AdminError::Refused(format!(
            "'{name}' needs the argument '{}'",
            missing.name
        )));
    }
    (command.run)(server.clone(), Arguments(args)).await
}
