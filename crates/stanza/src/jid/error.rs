//! Why a text is not an address.

use std::fmt;

/// A part of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Before the `@`: an account or a room.
    Node,
    /// The server.
    Domain,
    /// After the `/`: a session or an occupant.
    Resource,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Node => "node",
            Part::Domain => "domain",
            Part::Resource => "resource",
        })
    }
}

/// Why a text is not an address. The peer is at fault; the answer is `<jid-malformed/>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JidError {
    /// Longer than [`super::INPUT_BYTES_MAX`], so it was not looked at.
    #[error("the address is too long")]
    InputTooLong,
    /// Nothing is left of the part, or nothing was there.
    #[error("the {0} is empty")]
    Empty(Part),
    /// The prepared part is longer than 1,023 bytes (RFC 6122 §2.1).
    #[error("the {0} is longer than 1023 bytes")]
    TooLong(Part),
    /// A character that the part's profile prohibits.
    #[error("the {0} contains the prohibited character {1:?}")]
    Prohibited(Part, char),
    /// Mixed writing directions (RFC 3454 §6).
    #[error("the {0} mixes writing directions")]
    Bidirectional(Part),
    /// A label of the domain is empty, longer than 63 bytes as DNS writes it, or has a hyphen at an
    /// end (RFC 3490 §4.1).
    #[error("a label of the domain is empty, too long or has a hyphen at an end")]
    Label,
    /// The domain is in brackets, but not an IPv6 address (RFC 6122 §2.2).
    #[error("the domain in brackets is not an IPv6 address")]
    Ipv6,
    /// A bare address was wanted.
    #[error("the address has a resource")]
    ResourcePresent,
    /// A full address was wanted.
    #[error("the address has no resource")]
    ResourceMissing,
}
