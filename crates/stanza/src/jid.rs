//! Addresses of XMPP entities, `node@domain/resource`.
//!
//! Addresses are prepared by the profiles of [RFC 6122](https://www.rfc-editor.org/rfc/rfc6122)
//! (nodeprep, nameprep, resourceprep), because that is what the servers in the field compare by. A
//! parsed address is already prepared: two addresses are the same if and only if their text is.

mod domain;
mod error;
mod prep;
mod register;
#[cfg(test)]
mod tests;

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

pub use domain::{domain_to_ascii, prepare_domain};
pub use error::{JidError, Part};
pub use prep::{PART_BYTES_MAX, prepare_node, prepare_resource};
pub use register::is_registrable;

/// The longest text that is tried as an address, in bytes. Preparation can shorten a text, so this
/// is above the 3,071 bytes of the longest prepared address; it bounds the work for hostile input.
pub const INPUT_BYTES_MAX: usize = 4 * (3 * PART_BYTES_MAX + 2);

/// An address with or without resource. A clone shares the text.
#[derive(Clone)]
pub struct Jid {
    text: Arc<str>,
    /// Bytes of the node; 0 when there is none.
    node_len: u16,
    /// Bytes of `node@domain`.
    bare_len: u16,
}

/// An address without resource: `node@domain` (an account, a room) or `domain` (a server).
#[derive(Clone)]
pub struct BareJid(Jid);

/// An address with resource: a session of an account, an occupant of a room.
#[derive(Clone)]
pub struct FullJid(Jid);

impl Jid {
    /// Parses and prepares an address (RFC 6122 §2, split by the rules of RFC 7622 §3.1).
    ///
    /// # Errors
    ///
    /// [`JidError`], naming the part at fault.
    pub fn new(input: &str) -> Result<Jid, JidError> {
        if input.len() > INPUT_BYTES_MAX {
            return Err(JidError::InputTooLong);
        }
        let (bare, resource) = match input.split_once('/') {
            Some((bare, resource)) => (bare, Some(resource)),
            None => (input, None),
        };
        let (node, domain) = match bare.split_once('@') {
            Some((node, domain)) => (Some(node), domain),
            None => (None, bare),
        };
        let node = node.map(prepare_node).transpose()?;
        let domain = prepare_domain(domain)?;
        let resource = resource.map(prepare_resource).transpose()?;
        Ok(Self::assemble(node, domain, resource, Some(input)))
    }

    /// Prepares and joins the three parts of an address.
    ///
    /// # Errors
    ///
    /// [`JidError`], naming the part at fault.
    pub fn from_parts(
        node: Option<&str>,
        domain: &str,
        resource: Option<&str>,
    ) -> Result<Jid, JidError> {
        let node = node.map(prepare_node).transpose()?;
        let domain = prepare_domain(domain)?;
        let resource = resource.map(prepare_resource).transpose()?;
        Ok(Self::assemble(node, domain, resource, None))
    }

    /// Joins prepared parts. `unprepared` is the text they came from: when preparation changed
    /// nothing, it is taken as it is.
    fn assemble(
        node: Option<Cow<'_, str>>,
        domain: Cow<'_, str>,
        resource: Option<Cow<'_, str>>,
        unprepared: Option<&str>,
    ) -> Jid {
        let node_len = node.as_ref().map_or(0, |node| node.len());
        let bare_len = domain.len() + if node_len == 0 { 0 } else { node_len + 1 };
        let len = bare_len + resource.as_ref().map_or(0, |resource| resource.len() + 1);
        let unchanged = matches!(node, None | Some(Cow::Borrowed(_)))
            && matches!(domain, Cow::Borrowed(_))
            && matches!(resource, None | Some(Cow::Borrowed(_)));
        let text = match unprepared {
            // A trailing dot of the domain is dropped without a copy: then the lengths differ.
            Some(text) if unchanged && text.len() == len => Arc::from(text),
            _ => {
                let mut text = String::with_capacity(len);
                if let Some(node) = node {
                    text.push_str(&node);
                    text.push('@');
                }
                text.push_str(&domain);
                if let Some(resource) = resource {
                    text.push('/');
                    text.push_str(&resource);
                }
                Arc::from(text)
            }
        };
        Jid {
            text,
            node_len: part_len(node_len),
            bare_len: part_len(bare_len),
        }
    }

    /// The whole address as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What stands before the `@`.
    pub fn node(&self) -> Option<&str> {
        (self.node_len > 0).then(|| &self.text[..usize::from(self.node_len)])
    }

    /// The domain, in the form of [`prepare_domain`].
    pub fn domain(&self) -> &str {
        let start = if self.node_len > 0 {
            usize::from(self.node_len) + 1
        } else {
            0
        };
        &self.text[start..usize::from(self.bare_len)]
    }

    /// What stands after the `/`.
    pub fn resource(&self) -> Option<&str> {
        self.text.get(usize::from(self.bare_len) + 1..)
    }

    /// Whether the address has no resource.
    pub fn is_bare(&self) -> bool {
        self.text.len() == usize::from(self.bare_len)
    }

    /// The address without its resource. Shares the text, allocates nothing.
    pub fn bare(&self) -> BareJid {
        BareJid(self.clone())
    }

    /// The same address as a full one, if it has a resource.
    pub fn full(&self) -> Option<FullJid> {
        (!self.is_bare()).then(|| FullJid(self.clone()))
    }
}

impl BareJid {
    /// Parses and prepares an address that must have no resource.
    ///
    /// # Errors
    ///
    /// [`JidError`]; [`JidError::ResourcePresent`] when there is a resource.
    pub fn new(input: &str) -> Result<BareJid, JidError> {
        let jid = Jid::new(input)?;
        if jid.is_bare() {
            Ok(BareJid(jid))
        } else {
            Err(JidError::ResourcePresent)
        }
    }

    /// Prepares and joins the two parts.
    ///
    /// # Errors
    ///
    /// [`JidError`], naming the part at fault.
    pub fn from_parts(node: Option<&str>, domain: &str) -> Result<BareJid, JidError> {
        Jid::from_parts(node, domain, None).map(BareJid)
    }

    /// The whole address as text.
    pub fn as_str(&self) -> &str {
        &self.0.text[..usize::from(self.0.bare_len)]
    }

    /// What stands before the `@`.
    pub fn node(&self) -> Option<&str> {
        self.0.node()
    }

    /// The domain, in the form of [`prepare_domain`].
    pub fn domain(&self) -> &str {
        self.0.domain()
    }

    /// The address of the server: the domain alone.
    pub fn to_domain(&self) -> BareJid {
        if self.node().is_none() {
            return self.clone();
        }
        let domain = self.domain();
        BareJid(Jid {
            text: Arc::from(domain),
            node_len: 0,
            bare_len: part_len(domain.len()),
        })
    }

    /// This address with a resource.
    ///
    /// # Errors
    ///
    /// [`JidError`] when `resource` is not one.
    pub fn with_resource(&self, resource: &str) -> Result<FullJid, JidError> {
        let resource = prepare_resource(resource)?;
        let text = format!("{}/{resource}", self.as_str());
        Ok(FullJid(Jid {
            text: Arc::from(text),
            ..self.0
        }))
    }
}

impl FullJid {
    /// Parses and prepares an address that must have a resource.
    ///
    /// # Errors
    ///
    /// [`JidError`]; [`JidError::ResourceMissing`] when there is none.
    pub fn new(input: &str) -> Result<FullJid, JidError> {
        Jid::new(input)?.full().ok_or(JidError::ResourceMissing)
    }

    /// The whole address as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// What stands before the `@`.
    pub fn node(&self) -> Option<&str> {
        self.0.node()
    }

    /// The domain, in the form of [`prepare_domain`].
    pub fn domain(&self) -> &str {
        self.0.domain()
    }

    /// What stands after the `/`.
    pub fn resource(&self) -> &str {
        self.0.resource().unwrap_or_default()
    }

    /// The address without its resource. Shares the text, allocates nothing.
    pub fn bare(&self) -> BareJid {
        self.0.bare()
    }
}

/// The lengths that go in here are of prepared parts: at most 2,047.
fn part_len(len: usize) -> u16 {
    u16::try_from(len).unwrap_or(u16::MAX)
}

impl From<FullJid> for Jid {
    fn from(full: FullJid) -> Jid {
        full.0
    }
}

impl From<BareJid> for Jid {
    fn from(bare: BareJid) -> Jid {
        if bare.0.is_bare() {
            return bare.0;
        }
        Jid {
            text: Arc::from(bare.as_str()),
            ..bare.0
        }
    }
}

impl AsRef<Jid> for FullJid {
    fn as_ref(&self) -> &Jid {
        &self.0
    }
}

/// What all three types share: they are their text.
macro_rules! textual {
    ($($name:ident)+) => {$(
        impl FromStr for $name {
            type Err = JidError;
            fn from_str(input: &str) -> Result<$name, JidError> {
                $name::new(input)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?})", stringify!($name), self.as_str())
            }
        }
        impl PartialEq for $name {
            fn eq(&self, other: &$name) -> bool {
                self.as_str() == other.as_str()
            }
        }
        impl Eq for $name {}
        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.as_str() == other
            }
        }
        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.as_str() == *other
            }
        }
        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &$name) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }
        impl Ord for $name {
            fn cmp(&self, other: &$name) -> std::cmp::Ordering {
                self.as_str().cmp(other.as_str())
            }
        }
        impl std::hash::Hash for $name {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.as_str().hash(state);
            }
        }
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                self.as_str()
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }
    )+};
}

textual!(Jid BareJid FullJid);
