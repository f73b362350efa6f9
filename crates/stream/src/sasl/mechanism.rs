//! The SASL mechanisms that there are, strongest first.

use super::binding::BindingKind;
use super::hash::Hash;

/// A SASL mechanism. Their order is by strength, strongest first: a bound channel before the size of
/// the hash, everything before the plain password. Behind those come what proves no password.
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
    /// `HT-SHA-256-EXPR`: a token of XEP-0484, bound by `tls-exporter`.
    HtSha256Expr,
    /// `HT-SHA-256-ENDP`: a token, bound by `tls-server-end-point`.
    HtSha256Endp,
    /// `HT-SHA-256-NONE`: a token, not bound.
    HtSha256None,
}

/// What kind of exchange a mechanism is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    Scram {
        hash: Hash,
        plus: bool,
    },
    Plain,
    Anonymous,
    /// A token, with what it is bound by.
    Token(Option<BindingKind>),
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

const fn token(mechanism: Mechanism, name: &'static str, kind: Option<BindingKind>) -> Facts {
    let family = Family::Token(kind);
    Facts {
        mechanism,
        name,
        family,
    }
}

static FACTS: [Facts; Mechanism::ALL.len() + 1 + Mechanism::TOKENS.len()] = [
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
    token(
        Mechanism::HtSha256Expr,
        "HT-SHA-256-EXPR",
        Some(BindingKind::TlsExporter),
    ),
    token(
        Mechanism::HtSha256Endp,
        "HT-SHA-256-ENDP",
        Some(BindingKind::TlsServerEndPoint),
    ),
    token(Mechanism::HtSha256None, "HT-SHA-256-NONE", None),
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

    /// Every mechanism that proves a token of XEP-0484, strongest first. They are used in SASL2 only.
    pub const TOKENS: [Mechanism; 3] = [
        Mechanism::HtSha256Expr,
        Mechanism::HtSha256Endp,
        Mechanism::HtSha256None,
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
        let all = all.chain(Mechanism::TOKENS);
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
