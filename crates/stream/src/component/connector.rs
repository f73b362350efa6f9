//! The component's side.

use std::collections::VecDeque;
use std::fmt;

use bytes::Bytes;
use waxwing_wire::{Event, Header, Stanza, WireError, ns};

use super::{HANDSHAKE, Secret, handshake, header};
use crate::error::StreamError;
use crate::framing::Framing;

/// Why a component is not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectorError {
    /// The server ended the stream.
    #[error("the server ended the stream: {0}")]
    Refused(StreamError),
    /// The server ended the stream without a word.
    #[error("the server ended the stream")]
    Ended,
    /// The server's header has no id, without which there is no handshake.
    #[error("the server gave its stream no id")]
    NoId,
    /// The server speaks another protocol.
    #[error("the server does not speak jabber:component:accept")]
    Namespace,
    /// The server said something else than the protocol has.
    #[error("the server said something else than <handshake/>")]
    Unexpected,
    /// What came is no XMPP.
    #[error("what the server sent is no XMPP: {0}")]
    Wire(#[from] WireError),
}

/// What the stream wants from its owner.
pub enum ConnectorOutput {
    /// Write these bytes.
    Send(Bytes),
    /// The component is let in: stanzas may be sent, and come.
    Ready,
    /// The end: write out everything, then close the connection.
    Close(ConnectorError),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Header,
    Handshake,
    Ready,
    Closed,
}

/// A component's stream to its server.
pub struct Connector {
    secret: Secret,
    phase: Phase,
    outputs: VecDeque<ConnectorOutput>,
}

impl Connector {
    /// Begins the stream of the component `host`.
    pub fn new(host: &str, secret: Secret) -> Connector {
        let open = ConnectorOutput::Send(header(&[("to", host)]));
        Connector {
            secret,
            phase: Phase::Header,
            outputs: VecDeque::from([open]),
        }
    }

    /// What to do next; ask until there is nothing left.
    pub fn poll(&mut self) -> Option<ConnectorOutput> {
        self.outputs.pop_front()
    }

    /// An event of the reader, until [`ConnectorOutput::Ready`].
    pub fn handle_event(&mut self, event: Event) {
        match event {
            _ if matches!(self.phase, Phase::Ready | Phase::Closed) => {}
            Event::Header(header) => self.handle_header(&header),
            Event::Stanza(stanza) => self.handle_element(&stanza),
            Event::Close => self.close(ConnectorError::Ended),
            Event::Whitespace => {}
            Event::Skipped(skipped) => self.handle_error(skipped.limit.into()),
        }
    }

    /// What came is no XMPP.
    pub fn handle_error(&mut self, error: WireError) {
        self.close(error.into());
    }

    fn handle_header(&mut self, header: &Header) {
        let id = header.id.as_deref().filter(|id| !id.is_empty());
        match id {
            _ if &*header.default_ns != ns::COMPONENT => self.close(ConnectorError::Namespace),
            Some(id) if self.phase == Phase::Header => {
                self.phase = Phase::Handshake;
                let said = handshake(&self.secret.digest(id));
                self.outputs.push_back(ConnectorOutput::Send(said));
            }
            Some(_) => self.close(ConnectorError::Unexpected),
            None => self.close(ConnectorError::NoId),
        }
    }

    fn handle_element(&mut self, element: &Stanza) {
        if element.ns() == ns::STREAMS && element.name() == "error" {
            let error = StreamError::read(&element.element());
            return self.close(ConnectorError::Refused(error));
        }
        let is_handshake = element.ns() == ns::COMPONENT && element.name() == HANDSHAKE;
        if self.phase == Phase::Handshake && is_handshake {
            self.phase = Phase::Ready;
            return self.outputs.push_back(ConnectorOutput::Ready);
        }
        self.close(ConnectorError::Unexpected);
    }

    fn close(&mut self, error: ConnectorError) {
        if self.phase != Phase::Closed {
            self.phase = Phase::Closed;
            let end = ConnectorOutput::Send(Framing::Document.close());
            self.outputs.extend([end, ConnectorOutput::Close(error)]);
        }
    }
}

impl fmt::Debug for ConnectorOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConnectorOutput::Send(bytes) => write!(f, "Send([{} bytes])", bytes.len()),
            ConnectorOutput::Ready => f.write_str("Ready"),
            ConnectorOutput::Close(error) => write!(f, "Close({error:?})"),
        }
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("phase", &self.phase)
            .field("outputs", &self.outputs)
            .finish_non_exhaustive()
    }
}
