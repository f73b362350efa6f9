use crate::error::Limit;

/// How large and how intricate one stanza and one stream header may be.
///
/// Memory of a [`Reader`](crate::Reader) and of everything that it returns is bounded by these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one stanza, from its `<` to its last `>`. More than 4 GiB counts as 4 GiB.
    pub stanza_bytes_max: usize,
    /// Bytes of a stream header with its XML declaration and the whitespace before it.
    pub header_bytes_max: usize,
    /// Levels of elements in one stanza; the stanza itself is the first.
    pub depth_max: u16,
    /// Attributes of one element, namespace declarations included.
    pub attributes_max: u16,
    /// Prefixes bound at one place of a stanza, inside it, `xml` not counted. They are searched
    /// one by one, so that without this limit a stanza of 256 KiB costs a second.
    pub prefixes_max: u16,
    /// Elements of one stanza, on all levels. Bounds the memory of its tree.
    pub elements_max: u32,
    /// What happens to a stanza that is well-formed but beyond one of these.
    pub beyond: Beyond,
}

/// What a [`Reader`](crate::Reader) does with a stanza that is well-formed but beyond its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beyond {
    /// The stream ends with [`WireError::Beyond`](crate::WireError::Beyond).
    Refuse,
    /// The stanza is read over in constant memory and reported as
    /// [`Event::Skipped`](crate::Event::Skipped), so that one remote user cannot cut a stream that
    /// carries the stanzas of a whole domain.
    Skip,
}

impl Limits {
    /// A stream of which nobody knows yet whose it is. RFC 6120 §13.12 wants at least 10,000 bytes.
    pub const BEFORE_LOGIN: Limits = Limits {
        stanza_bytes_max: 16 * 1024,
        header_bytes_max: 4 * 1024,
        depth_max: 64,
        attributes_max: 64,
        prefixes_max: 64,
        elements_max: 1024,
        beyond: Beyond::Refuse,
    };

    /// A client's stream after log-in.
    pub const CLIENT: Limits = Limits {
        stanza_bytes_max: 256 * 1024,
        elements_max: 16 * 1024,
        ..Limits::BEFORE_LOGIN
    };

    /// A stream with another server after authentication.
    pub const SERVER: Limits = Limits {
        stanza_bytes_max: 512 * 1024,
        beyond: Beyond::Skip,
        ..Limits::CLIENT
    };

    /// The same, with room for what a server adds to a stanza that was within them: `from`, a language, ids, a delay, a
    /// wrapper around a copy. Whoever reads what servers send, and a server that reads again what it has stored, takes as
    /// much more than a client may send.
    #[must_use]
    pub const fn with_room(self) -> Limits {
        Limits {
            depth_max: self.depth_max + 8,
            attributes_max: self.attributes_max + 8,
            elements_max: self.elements_max + 64,
            ..self
        }
    }

    /// Offsets are kept in 32 bits.
    pub(crate) fn stanza_bytes_max(&self) -> usize {
        self.stanza_bytes_max.min(u32::MAX as usize)
    }

    pub(crate) fn admit(&self, stanza_bytes: usize) -> Result<(), Limit> {
        if stanza_bytes > self.stanza_bytes_max() {
            Err(Limit::StanzaBytes)
        } else {
            Ok(())
        }
    }
}
