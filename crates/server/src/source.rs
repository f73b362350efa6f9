//! Where a connection's elements come from: a stream of bytes, or one element in each message.

use bytes::Bytes;
use waxwing_stream::Framing;
use waxwing_wire::{Event, FrameReader, Limits, Reader, WireError};

/// The reader that a connection's framing asks for.
pub(crate) enum Source {
    Document(Reader),
    Elements(FrameReader),
}

impl Source {
    pub(crate) fn new(framing: Framing, limits: Limits) -> Source {
        match framing {
            Framing::Document => Source::Document(Reader::new(limits)),
            Framing::Elements => Source::Elements(FrameReader::new(limits)),
        }
    }

    pub(crate) fn framing(&self) -> Framing {
        match self {
            Source::Document(_) => Framing::Document,
            Source::Elements(_) => Framing::Elements,
        }
    }

    /// Bytes as they came; over a transport of messages, exactly one message.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        match self {
            Source::Document(reader) => reader.push(bytes),
            // Not a part of the transport's buffer: a stanza may be kept long, and would keep all of it.
            Source::Elements(reader) => reader.push(Bytes::copy_from_slice(bytes)),
        }
    }

    pub(crate) fn buffered(&self) -> usize {
        match self {
            Source::Document(reader) => reader.buffered(),
            Source::Elements(reader) => reader.buffered(),
        }
    }

    pub(crate) fn set_limits(&mut self, limits: Limits) {
        match self {
            Source::Document(reader) => reader.set_limits(limits),
            Source::Elements(reader) => reader.set_limits(limits),
        }
    }

    pub(crate) fn restart(&mut self) -> bool {
        match self {
            Source::Document(reader) => reader.restart(),
            Source::Elements(reader) => reader.restart(),
        }
    }

    pub(crate) fn next(&mut self) -> Result<Option<Event>, WireError> {
        match self {
            Source::Document(reader) => reader.next(),
            Source::Elements(reader) => reader.next(),
        }
    }
}
