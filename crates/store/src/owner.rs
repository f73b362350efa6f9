//! The first part of every key.

use std::fmt;
use std::sync::Arc;

/// Whose data it is: deleting, exporting, counting and moving an account need nothing else.
///
/// Cheap to clone. Ordered by kind, then by name.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner(Arc<[u8]>);

/// What an [`Owner`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum OwnerKind {
    /// An account, by its bare address.
    Account,
    /// A domain that is served here.
    Domain,
    /// A room, by its bare address.
    Room,
    /// The server itself.
    Server,
}

// Never change a letter: they are stored.
const ACCOUNT: u8 = b'a';
const DOMAIN: u8 = b'd';
const ROOM: u8 = b'r';
const SERVER: u8 = b's';

impl Owner {
    /// An account, by its prepared bare address.
    #[must_use]
    pub fn account(address: &str) -> Self {
        Self::new(ACCOUNT, address)
    }

    /// A domain that is served here.
    #[must_use]
    pub fn domain(domain: &str) -> Self {
        Self::new(DOMAIN, domain)
    }

    /// A room, by its prepared bare address.
    #[must_use]
    pub fn room(address: &str) -> Self {
        Self::new(ROOM, address)
    }

    /// The server itself: what belongs to no domain.
    #[must_use]
    pub fn server() -> Self {
        Self::new(SERVER, "")
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> OwnerKind {
        match self.0[0] {
            ACCOUNT => OwnerKind::Account,
            DOMAIN => OwnerKind::Domain,
            ROOM => OwnerKind::Room,
            _ => OwnerKind::Server,
        }
    }

    /// The address or domain; empty for the server.
    #[must_use]
    pub fn name(&self) -> &str {
        std::str::from_utf8(&self.0[1..]).unwrap_or_default()
    }

    /// As stored: one byte of kind, then the name.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// From what was stored; `None` where that is no owner.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (kind, name) = bytes.split_first()?;
        let known = matches!(*kind, ACCOUNT | DOMAIN | ROOM | SERVER);
        (known && std::str::from_utf8(name).is_ok()).then(|| Self(Arc::from(bytes)))
    }

    fn new(kind: u8, name: &str) -> Self {
        let mut bytes = Vec::with_capacity(1 + name.len());
        bytes.push(kind);
        bytes.extend_from_slice(name.as_bytes());
        Self(Arc::from(bytes))
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({})", self.kind(), self.name())
    }
}
