//! The SASL mechanisms that there are, strongest first.

use super::hash::Hash;

/// A SASL mechanism. Their order is by strength, strongest first: a bound channel before the size of
/// the hash, everything before the plain password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mechanism {
    /// `SCRAM-SHA-512-PLUS`.
    ScramSha512Plus,
    /// `SCRAM-SHA-256-PLUS` (RFC 7677).
    ScramSha256Plus,
    /// `SCRAM-SHA-1-PLUS` (RFC 5802).
    ScramSha1Plus,
    /// `SCRAM-SHA-512`.
    ScramSha512,
    /// `SCRAM-SHA-256` (RFC 7677).
    ScramSha256,
    /// `SCRAM-SHA-1` (RFC 5802).
    ScramSha1,
    /// `PLAIN` (RFC 4616): the password itself, so only inside TLS.
    Plain,
    /// `ANONYMOUS` (RFC 4505): nobody proves anything; for guests, where a server takes them.
    Anonymous,
}

/// What kind of exchange a mechanism is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Scram { hash: Hash, plus: bool },
    Plain,
    Anonymous,
}

/// Everything about a mechanism; a new one is a line here and a file beside this one.
struct Facts {
    mechanism: Mechanism,
    name: &'static str,
    family: Family,
}

const fn scram(mechanism: Mechanism, name: &'static str, hash: Hash, plus: bool) -> Facts {
    let family = Family::Scram { hash, plus };
    Facts {
        mechanism,
        name,
        family,
    }
}

static FACTS: [Facts; Mechanism::ALL.len() + 1] = [
    scram(
        Mechanism::ScramSha512Plus,
        "SCRAM-SHA-512-PLUS",
        Hash::Sha512,
        true,
    ),
    scram(
        Mechanism::ScramSha256Plus,
        "SCRAM-SHA-256-PLUS",
        Hash::Sha256,
        true,
    ),
    scram(
        Mechanism::ScramSha1Plus,
        "SCRAM-SHA-1-PLUS",
        Hash::Sha1,
        true,
    ),
    scram(Mechanism::ScramSha512, "SCRAM-SHA-512", Hash::Sha512, false),
    scram(Mechanism::ScramSha256, "SCRAM-SHA-256", Hash::Sha256, false),
    scram(Mechanism::ScramSha1, "SCRAM-SHA-1", Hash::Sha1, false),
    Facts {
        mechanism: Mechanism::Plain,
        name: "PLAIN",
        family: Family::Plain,
    },
    Facts {
        mechanism: Mechanism::Anonymous,
        name: "ANONYMOUS",
        family: Family::Anonymous,
    },
];

impl Mechanism {
    /// Every mechanism that proves a password, strongest first.
    pub const ALL: [Mechanism; 7] = [
        Mechanism::ScramSha512Plus,
        Mechanism::ScramSha256Plus,
        Mechanism::ScramSha1Plus,
        Mechanism::ScramSha512,
        Mechanism::ScramSha256,
        Mechanism::ScramSha1,
        Mechanism::Plain,
    ];

    fn facts(self) -> &'static Facts {
        &FACTS[self as usize]
    }

    /// The registered name, as in `<mechanism/>`.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// The mechanism of that registered name; names are exact (RFC 4422 §3.1).
    pub fn from_name(name: &str) -> Option<Mechanism> {
        FACTS
            .iter()
            .find(|facts| facts.name == name)
            .map(|facts| facts.mechanism)
    }

    /// Whether the channel is bound to the log-in: a `-PLUS` mechanism.
    pub fn binds_channel(self) -> bool {
        matches!(self.facts().family, Family::Scram { plus: true, .. })
    }

    pub(crate) fn family(self) -> Family {
        self.facts().family
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        let all = Mechanism::ALL.into_iter().chain([Mechanism::Anonymous]);
        for (index, mechanism) in all.enumerate() {
            assert_eq!(FACTS[index].mechanism, mechanism);
            assert_eq!(mechanism as usize, index);
            assert_eq!(Mechanism::from_name(mechanism.name()), Some(mechanism));
            assert_eq!(
                mechanism.binds_channel(),
                mechanism.name().ends_with("-PLUS")
            );
        }
        assert_eq!(Mechanism::from_name("plain"), None);
        assert_eq!(Mechanism::from_name(""), None);
    }
}
