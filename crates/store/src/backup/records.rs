//! What frames contain. An added field is no new format; a new kind of frame is.

/// The kinds of frames. Never change a number: they are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Header = 1,
    Owner = 2,
    Row = 3,
    Entry = 4,
    Reference = 5,
    Blob = 6,
    Part = 7,
    End = 8,
    GivenUp = 9,
}

impl Kind {
    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        use Kind::{Blob, End, Entry, GivenUp, Header, Owner, Part, Reference, Row};
        [
            Header, Owner, Row, Entry, Reference, Blob, Part, End, GivenUp,
        ]
        .into_iter()
        .find(|kind| *kind as u8 == byte)
    }
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Header {
    #[prost(string, tag = "1")]
    pub(crate) product: String,
    #[prost(uint64, tag = "2")]
    pub(crate) at_micros: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) last_log_id: u64,
    /// In the order of names; records name a shape by its place.
    #[prost(message, repeated, tag = "4")]
    pub(crate) shapes: Vec<HeaderShape>,
    #[prost(uint64, tag = "5")]
    pub(crate) references: u64,
    #[prost(uint64, tag = "6")]
    pub(crate) blobs: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct HeaderShape {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(bool, tag = "2")]
    pub(crate) is_log: bool,
    #[prost(uint32, tag = "3")]
    pub(crate) version: u32,
    #[prost(uint64, tag = "4")]
    pub(crate) records: u64,
}

/// A row of a table; a counter is one too.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RowRecord {
    #[prost(uint32, tag = "1")]
    pub(crate) shape: u32,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) key: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) value: Vec<u8>,
    #[prost(uint64, optional, tag = "4")]
    pub(crate) expires_micros: Option<u64>,
}

/// An entry of a log.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct EntryRecord {
    #[prost(uint32, tag = "1")]
    pub(crate) shape: u32,
    #[prost(uint64, tag = "2")]
    pub(crate) id: u64,
    #[prost(uint32, tag = "3")]
    pub(crate) marks: u32,
    #[prost(string, optional, tag = "4")]
    pub(crate) address: Option<String>,
    #[prost(bytes = "vec", optional, tag = "5")]
    pub(crate) unique: Option<Vec<u8>>,
    #[prost(bytes = "vec", tag = "6")]
    pub(crate) payload: Vec<u8>,
}

/// How often an owner refers to a blob.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ReferenceRecord {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) hash: Vec<u8>,
    #[prost(uint64, tag = "2")]
    pub(crate) count: u64,
}

/// A blob, whose parts follow.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct BlobRecord {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) hash: Vec<u8>,
    #[prost(uint64, tag = "2")]
    pub(super) length: u64,
}
