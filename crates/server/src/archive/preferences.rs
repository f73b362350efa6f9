//! With whom an account wants messages to be archived (XEP-0441).

use std::collections::BTreeSet;

use waxwing_stanza::xep::xep_0441_archive_prefs::{Always, ByDefault, Never, Prefs};
use waxwing_stanza::{Jid, StanzaError};
use waxwing_store::{Batch, Owner, Store, StoreError, Table};

use crate::directory::Account;
use crate::options::{OptionDefault, OptionSpec};
use crate::server::Server;
use crate::waiting;

/// Most bytes of all addresses in one account's lists.
pub(crate) const PREFERENCES_BYTES_MAX: usize = 256 * 1024;

/// What is archived of those who have said nothing.
pub(crate) const BY_DEFAULT: OptionSpec = OptionSpec {
    name: "archive_by_default",
    default: OptionDefault::Choice(&["always", "roster", "never"]),
    unit: "",
    doc: "Whose messages are archived for an account that has not said it itself (XEP-0441): everybody's, those of contacts, or nobody's.",
};

/// An account's preferences, as stored.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct Stored {
    /// What is done where neither list says it, as XEP-0441 writes it.
    #[prost(string, tag = "1")]
    by_default: String,
    /// With whom always.
    #[prost(string, repeated, tag = "2")]
    always: Vec<String>,
    /// With whom never.
    #[prost(string, repeated, tag = "3")]
    never: Vec<String>,
}

/// What each account has said, under an empty name.
pub(crate) static PREFERENCES: Table<String, Stored> = Table::new("archive-preferences", 1);

/// What an account has said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Preferences {
    /// What is done where neither list says it.
    pub(crate) by_default: ByDefault,
    /// With whom always.
    pub(crate) always: BTreeSet<Jid>,
    /// With whom never.
    pub(crate) never: BTreeSet<Jid>,
}

impl Preferences {
    /// Whether what is exchanged with `other` is archived. A full address in a list says more than an account (§2.3).
    fn of(&self, other: &Jid) -> ByDefault {
        for listed in [other, &Jid::from(other.bare())] {
            if self.never.contains(listed) {
                return ByDefault::Never;
            }
            if self.always.contains(listed) {
                return ByDefault::Always;
            }
        }
        self.by_default
    }

    /// Bytes of all addresses.
    pub(crate) fn bytes(&self) -> usize {
        let all = self.always.iter().chain(&self.never);
        all.map(|jid| jid.as_str().len()).sum()
    }

    /// As clients read it.
    pub(crate) fn shown(&self) -> Prefs {
        let listed = |set: &BTreeSet<Jid>| set.iter().cloned().collect();
        Prefs {
            default: self.by_default,
            always: Some(Always {
                jids: listed(&self.always),
            }),
            never: Some(Never {
                jids: listed(&self.never),
            }),
        }
    }
}

/// Reads what an account has said.
pub(crate) async fn load(store: &Store, owner: &Owner) -> Result<Option<Preferences>, StoreError> {
    let stored = store.get(&PREFERENCES, owner, &String::new()).await?;
    let read = |jids: Vec<String>| jids.iter().filter_map(|jid| jid.parse().ok()).collect();
    Ok(stored.map(|stored| Preferences {
        // What nobody can read keeps nothing.
        by_default: ByDefault::from_keyword(&stored.by_default).unwrap_or(ByDefault::Never),
        always: read(stored.always),
        never: read(stored.never),
    }))
}

/// Writes it.
pub(crate) fn save(batch: &mut Batch, owner: &Owner, preferences: &Preferences) {
    let listed = |set: &BTreeSet<Jid>| set.iter().map(ToString::to_string).collect();
    let stored = Stored {
        by_default: preferences.by_default.as_str().to_owned(),
        always: listed(&preferences.always),
        never: listed(&preferences.never),
    };
    batch.put(&PREFERENCES, owner, &String::new(), &stored);
}

/// What is done for those of a domain who have said nothing.
pub(crate) fn by_default(server: &Server, domain: &str) -> ByDefault {
    let options = server.options_of(domain);
    let word = options.text(&BY_DEFAULT);
    ByDefault::from_keyword(word).unwrap_or(ByDefault::Never)
}

/// Whether an account wants to have archived what it exchanges with `other`. What it writes to itself is as what it
/// exchanges with a contact.
pub(crate) async fn wants(
    server: &Server,
    account: &Account,
    other: &Jid,
) -> Result<bool, StanzaError> {
    // Guests do not come back; whoever is at a component has nothing here.
    if account.is_guest() || account.is_outside() {
        return Ok(false);
    }
    let said = account.archiving().map(|said| said.of(other));
    match said.unwrap_or_else(|| by_default(server, account.jid.domain())) {
        ByDefault::Always => Ok(true),
        ByDefault::Never => Ok(false),
        ByDefault::Roster => {
            let stranger = waiting::is_stranger(server, account, &other.bare()).await;
            stranger.map(|stranger| !stranger)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// §2.3.1.
    #[test]
    fn whom_a_list_names() {
        let set = |jids: &[&str]| jids.iter().map(|jid| jid.parse().unwrap()).collect();
        let said = Preferences {
            by_default: ByDefault::Roster,
            always: set(&["a@x", "b@x/phone", "y"]),
            never: set(&["a@x/phone", "b@x"]),
        };
        for (other, of) in [
            ("a@x", ByDefault::Always),
            ("a@x/desk", ByDefault::Always),
            ("a@x/phone", ByDefault::Never),
            ("b@x", ByDefault::Never),
            ("b@x/desk", ByDefault::Never),
            ("b@x/phone", ByDefault::Always),
            // A domain is itself, not who lives there.
            ("y", ByDefault::Always),
            ("c@y", ByDefault::Roster),
            ("x", ByDefault::Roster),
        ] {
            assert_eq!(said.of(&other.parse().unwrap()), of, "{other}");
        }
    }
}
