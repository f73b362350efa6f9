//! What commands are given, and what it can be.

use serde_json::{Map, Value};

use super::page::{self, ENTRIES_MAX};
use super::{AdminError, Command};
use crate::accounts::Role;

/// Most bytes of one part of an address (RFC 6122 §2.1).
const PART_BYTES_MAX: usize = 1_023;
/// Most bytes of an account's address.
const ACCOUNT_BYTES_MAX: usize = 2 * PART_BYTES_MAX + 1;
/// Most bytes of a session's address.
const ADDRESS_BYTES_MAX: usize = 3 * PART_BYTES_MAX + 2;
/// Most bytes of a password.
pub(crate) const PASSWORD_BYTES_MAX: usize = 1_024;
/// Most characters of a time.
const TIME_BYTES_MAX: usize = 10;
/// Most bytes of a cursor.
const CURSOR_BYTES_MAX: usize = 4_400;

/// An argument of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Its name.
    pub name: &'static str,
    /// What it is, one sentence.
    pub doc: &'static str,
    /// What it can be.
    pub kind: Kind,
    /// Whether it must be given.
    pub required: bool,
    /// Whether it must never be shown.
    pub secret: bool,
}

/// What an argument can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text {
        /// Its longest, in bytes.
        bytes_max: usize,
    },
    /// The address of an account.
    Account,
    /// The address of an account, or of one session of it.
    Address,
    /// The address of an account, or its user part.
    Name,
    /// A domain.
    Domain,
    /// What an account may do.
    Role,
    /// How long something takes: a number and `s`, `m`, `h`, `d` or `w`.
    Time,
    /// A whole number.
    Number {
        /// The least.
        min: u64,
        /// The greatest.
        max: u64,
    },
    /// Yes or no.
    Flag,
    /// Several texts.
    Texts {
        /// Most of them.
        count_max: usize,
        /// The longest, in bytes.
        bytes_max: usize,
    },
    /// Where a list goes on.
    Cursor,
}

impl Kind {
    /// Most bytes, of what is a text.
    pub fn bytes_max(self) -> Option<usize> {
        match self {
            Kind::Text { bytes_max } | Kind::Texts { bytes_max, .. } => Some(bytes_max),
            Kind::Account | Kind::Name => Some(ACCOUNT_BYTES_MAX),
            Kind::Address => Some(ADDRESS_BYTES_MAX),
            Kind::Domain => Some(PART_BYTES_MAX),
            Kind::Time => Some(TIME_BYTES_MAX),
            Kind::Cursor => Some(CURSOR_BYTES_MAX),
            Kind::Role | Kind::Number { .. } | Kind::Flag => None,
        }
    }
}

/// An argument that may be given.
pub const fn optional(name: &'static str, kind: Kind, doc: &'static str) -> Argument {
    Argument {
        name,
        doc,
        kind,
        required: false,
        secret: false,
    }
}

/// An argument that must be given.
pub const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Argument {
    Argument {
        required: true,
        ..optional(name, kind, doc)
    }
}

impl Argument {
    /// The same, never to be shown.
    #[must_use]
    pub const fn secret(self) -> Argument {
        Argument {
            secret: true,
            ..self
        }
    }
}

/// Where a list goes on.
pub(crate) const CURSOR: Argument = optional(
    "cursor",
    Kind::Cursor,
    "Where the list goes on: the member `next` of the page before.",
);

/// How much of a list is wanted.
pub(crate) const LIMIT: Argument = optional(
    "limit",
    Kind::Number {
        min: 1,
        max: ENTRIES_MAX,
    },
    "Most entries of a page; 100, otherwise.",
);

/// Refuses arguments that are not those of the command.
pub(super) fn check(command: &Command, args: &Map<String, Value>) -> Result<(), AdminError> {
    for (name, value) in args {
        let Some(argument) = command.argument(name) else {
            let text = format!("'{}' has no argument '{name}'", command.name);
            return Err(AdminError::argument(name, text));
        };
        if let Some(wrong) = wrong(argument.kind, value) {
            let text = format!("the argument '{name}' {wrong}");
            return Err(AdminError::argument(name, text));
        }
    }
    let mut needed = command.arguments.iter().filter(|known| known.required);
    match needed.find(|known| !args.contains_key(known.name)) {
        Some(missing) => {
            let text = format!("'{}' needs the argument '{}'", command.name, missing.name);
            Err(AdminError::argument(missing.name, text))
        }
        None => Ok(()),
    }
}

/// What is wrong with a value, if anything; the value itself, which may be a secret, is not told.
fn wrong(kind: Kind, value: &Value) -> Option<String> {
    let is_right = match kind {
        Kind::Number { min, max } => value
            .as_u64()
            .is_some_and(|number| (min..=max).contains(&number)),
        Kind::Flag => value.is_boolean(),
        Kind::Role => value
            .as_str()
            .is_some_and(|name| Role::named(name).is_some()),
        Kind::Time => value.as_str().is_some_and(|text| secs(text).is_some()),
        Kind::Cursor => value
            .as_str()
            .is_some_and(|text| text.len() <= CURSOR_BYTES_MAX && page::key(text).is_some()),
        Kind::Texts { count_max, .. } => value.as_array().is_some_and(|all| {
            let texts = all.iter().all(|one| fits(kind, one));
            texts && (1..=count_max).contains(&all.len())
        }),
        _ => fits(kind, value),
    };
    (!is_right).then(|| match kind {
        Kind::Number { min, max } => format!("is no number from {min} to {max}"),
        Kind::Flag => "is neither true nor false".to_owned(),
        Kind::Role => {
            let known: Vec<_> = Role::NAMES.iter().map(|(name, _)| *name).collect();
            format!("is no role; roles are {}", known.join(", "))
        }
        Kind::Time => "is no time such as 45m, 24h, 7d or 2w".to_owned(),
        Kind::Cursor => "is not from the page before".to_owned(),
        Kind::Texts {
            count_max,
            bytes_max,
        } => format!("is no list of 1 to {count_max} texts, each of {bytes_max} bytes at most"),
        _ => {
            let most = kind.bytes_max().unwrap_or_default();
            format!("is no text of {most} bytes at most")
        }
    })
}

fn fits(kind: Kind, value: &Value) -> bool {
    let most = kind.bytes_max().unwrap_or_default();
    value.as_str().is_some_and(|text| text.len() <= most)
}

/// A time as people write it, in seconds.
pub(crate) fn secs(text: &str) -> Option<u64> {
    let unit = text.chars().next_back()?;
    let number = text.strip_suffix(unit)?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || text.len() > TIME_BYTES_MAX {
        return None;
    }
    let unit_secs = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit_secs)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use serde_json::json;

    use super::*;
    use crate::admin::Access;

    #[test]
    fn times() {
        for (text, expected) in [
            ("30s", Some(30)),
            ("45m", Some(2_700)),
            ("24h", Some(86_400)),
            ("7d", Some(604_800)),
            ("2w", Some(1_209_600)),
            ("", None),
            ("h", None),
            ("24", None),
            ("-1h", None),
            ("1.5h", None),
            ("24H", None),
            ("18446744073709551615w", None),
            ("3\u{b5}", None),
        ] {
            assert_eq!(secs(text), expected, "{text}");
        }
    }

    const COMMAND: Command = Command {
        name: "test",
        doc: "",
        access: Access::Machine,
        arguments: &[
            required("text", Kind::Text { bytes_max: 3 }, ""),
            optional("number", Kind::Number { min: 2, max: 4 }, ""),
            optional("flag", Kind::Flag, ""),
            optional("role", Kind::Role, ""),
            optional("time", Kind::Time, ""),
            optional(
                "texts",
                Kind::Texts {
                    count_max: 2,
                    bytes_max: 2,
                },
                "",
            ),
            CURSOR,
        ],
        answer: &[],
        run: |_, _| async { Ok(Value::Null) }.boxed(),
    };

    #[test]
    fn arguments_are_what_they_are_said_to_be() {
        let check = |args: Value| check(&COMMAND, args.as_object().unwrap());
        for right in [
            json!({ "text": "" }),
            json!({ "text": "abc", "number": 2, "flag": false, "role": "admin", "time": "3d" }),
            json!({ "text": "abc", "texts": ["a", "bc"], "cursor": "YQ" }),
        ] {
            assert_eq!(check(right.clone()), Ok(()), "{right}");
        }
        for (wrong, name) in [
            (json!({}), "text"),
            (json!({ "text": null }), "text"),
            (json!({ "text": 1 }), "text"),
            (json!({ "text": ["a"] }), "text"),
            (json!({ "text": { "text": "a" } }), "text"),
            (json!({ "text": "abcd" }), "text"),
            (json!({ "text": "a", "number": 1 }), "number"),
            (json!({ "text": "a", "number": 5 }), "number"),
            (json!({ "text": "a", "number": "3" }), "number"),
            (json!({ "text": "a", "number": 2.5 }), "number"),
            (json!({ "text": "a", "number": -2 }), "number"),
            (json!({ "text": "a", "flag": "true" }), "flag"),
            (json!({ "text": "a", "flag": 1 }), "flag"),
            (json!({ "text": "a", "role": "king" }), "role"),
            (json!({ "text": "a", "time": "soon" }), "time"),
            (json!({ "text": "a", "texts": [] }), "texts"),
            (json!({ "text": "a", "texts": ["a", "b", "c"] }), "texts"),
            (json!({ "text": "a", "texts": ["abc"] }), "texts"),
            (json!({ "text": "a", "texts": [1] }), "texts"),
            (json!({ "text": "a", "cursor": "%" }), "cursor"),
            (json!({ "text": "a", "Text": "a" }), "Text"),
        ] {
            let refused = check(wrong.clone());
            assert!(
                matches!(&refused, Err(AdminError::Argument { name: own, .. }) if own == name),
                "{wrong}: {refused:?}"
            );
        }
    }
}
