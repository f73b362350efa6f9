//! Where a connection's elements come from: a stream of bytes, or one element in each message.

use bytes::Bytes;
use waxwing_stream::Framing;
use waxwing_wire::{Event, FrameReader, Limits, Reader, WireError};

/// What a connection reads, and how its reading ends.
pub(crate) struct Source {
    reader: Framed,
    /// Why nothing comes after what was pushed.
    failure: Option<WireError>,
}

/// The reader that a connection's framing asks for.
enum Framed {
    Document(Reader),
    Elements(FrameReader),
}

impl Source {
    pub(crate) fn new(framing: Framing, limits: Limits) -> Source {
        let reader = match framing {
            Framing::Document => Framed::Document(Reader::new(limits)),
            Framing::Elements => Framed::Elements(FrameReader::new(limits)),
        };
        Source {
            reader,
            failure: None,
        }
    }

    pub(crate) fn framing(&self) -> Framing {
        match &self.reader {
            Framed::Document(_) => Framing::Document,
            Framed::Elements(_) => Framing::Elements,
        }
    }

    /// Bytes as they came; over a transport of messages, exactly one message.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        match &mut self.reader {
            Framed::Document(reader) => reader.push(bytes),
            // Not a part of the transport's buffer: a stanza may be kept long, and would keep all of it.
            Framed::Elements(reader) => reader.push(Bytes::copy_from_slice(bytes)),
        }
    }

    /// What comes next cannot be pushed; what was pushed before is read first.
    pub(crate) fn fail(&mut self, error: WireError) {
        self.failure.get_or_insert(error);
    }

    pub(crate) fn buffered(&self) -> usize {
        match &self.reader {
            Framed::Document(reader) => reader.buffered(),
            Framed::Elements(reader) => reader.buffered(),
        }
    }

    pub(crate) fn set_limits(&mut self, limits: Limits) {
        match &mut self.reader {
            Framed::Document(reader) => reader.set_limits(limits),
            Framed::Elements(reader) => reader.set_limits(limits),
        }
    }

    pub(crate) fn restart(&mut self) -> bool {
        match &mut self.reader {
            Framed::Document(reader) => reader.restart(),
            Framed::Elements(reader) => reader.restart(),
        }
    }

    pub(crate) fn next(&mut self) -> Result<Option<Event>, WireError> {
        let event = match &mut self.reader {
            Framed::Document(reader) => reader.next(),
            Framed::Elements(reader) => reader.next(),
        };
        match (event, self.failure) {
            (Ok(None), Some(error)) => Err(error),
            (event, _) => event,
        }
    }
}
