//! The server's side.

use std::collections::VecDeque;
use std::fmt;

use bytes::Bytes;
use waxwing_stanza::jid::prepare_domain;
use waxwing_wire::{Event, Header, Stanza, WireError, ns};

use super::{HANDSHAKE, Secret, handshake, header};
use crate::error::{StreamCondition, StreamError};
use crate::framing::Framing;
use crate::seed::Seed;

/// What the stream wants from its owner.
pub enum Output {
    /// Write these bytes.
    Send(Bytes),
    /// A component names itself: call [`Acceptor::provide_secret`].
    NeedSecret {
        /// Its host, as JIDs write it.
        host: String,
    },
    /// It knows the secret: call [`Acceptor::admit`], or [`Acceptor::close`] with why it is not let in.
    Authenticated {
        /// Its host, as JIDs write it.
        host: String,
    },
    /// It does not know the secret. The stream ends.
    Refused {
        /// Which it said it was.
        host: String,
    },
    /// The component is let in: stanzas go to the server from here on.
    Accepted,
    /// The end: write out everything, then close the connection. The error is what the component was told.
    Close(Option<StreamError>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Its header is due.
    Header,
    /// It was asked for the secret of the host.
    Looking,
    /// `<handshake/>` is due.
    Handshake,
    /// The owner is to say whether it comes in.
    Deciding,
    /// What is said goes to the server.
    Accepted,
    Closed,
}

/// A component's stream on the server.
pub struct Acceptor {
    phase: Phase,
    /// Whether our header is out.
    opened: bool,
    id: String,
    host: String,
    secret: Option<Secret>,
    outputs: VecDeque<Output>,
}

impl Acceptor {
    /// A stream that begins. `seed` is its randomness: the stream's id.
    pub fn new(mut seed: Seed) -> Acceptor {
        Acceptor {
            id: seed.token(),
            phase: Phase::Header,
            opened: false,
            host: String::new(),
            secret: None,
            outputs: VecDeque::new(),
        }
    }

    /// What to do next; ask until there is nothing left.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The host that the component says it is, as JIDs write it; empty before it has.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether a question is open: what comes meanwhile ends the stream, so better to read no further.
    pub fn awaits_answer(&self) -> bool {
        matches!(self.phase, Phase::Looking | Phase::Deciding)
    }

    /// An event of the reader.
    pub fn handle_event(&mut self, event: Event) {
        match event {
            _ if self.phase == Phase::Closed => {}
            Event::Header(header) => self.handle_header(&header),
            Event::Stanza(stanza) => self.handle_element(&stanza),
            Event::Close => self.finish(),
            Event::Whitespace => {}
            Event::Skipped(skipped) => self.handle_error(skipped.limit.into()),
        }
    }

    /// What came is no XMPP.
    pub fn handle_error(&mut self, error: WireError) {
        self.close(error.into());
    }

    /// Answers [`Output::NeedSecret`]; none where there is no such host.
    pub fn provide_secret(&mut self, secret: Option<Secret>) {
        if self.phase != Phase::Looking {
            return;
        }
        match secret {
            Some(secret) => {
                self.secret = Some(secret);
                self.phase = Phase::Handshake;
                self.open();
            }
            None => {
                let text = "there is no component of this name";
                self.close(StreamError::new(StreamCondition::HostUnknown, text));
            }
        }
    }

    /// Answers [`Output::Authenticated`]: the component is let in.
    pub fn admit(&mut self) {
        if self.phase == Phase::Deciding {
            self.phase = Phase::Accepted;
            self.send(handshake(""));
            self.outputs.push_back(Output::Accepted);
        }
    }

    /// Ends the stream with an error, whatever it was doing.
    pub fn close(&mut self, error: StreamError) {
        if self.phase == Phase::Closed {
            return;
        }
        self.open();
        for bytes in Framing::Document.error(&error) {
            self.send(bytes);
        }
        self.end(Some(error));
    }

    /// Ends the stream without error.
    pub fn finish(&mut self) {
        if self.phase != Phase::Closed {
            self.open();
            self.send(Framing::Document.close());
            self.end(None);
        }
    }

    fn handle_header(&mut self, header: &Header) {
        if self.phase != Phase::Header {
            let text = "the stream is open already";
            return self.close(StreamError::new(StreamCondition::BadFormat, text));
        }
        if &*header.default_ns != ns::COMPONENT {
            let text = "components speak jabber:component:accept here";
            return self.close(StreamError::new(StreamCondition::InvalidNamespace, text));
        }
        let Some(to) = header.to.as_deref() else {
            let text = "'to' must name the component";
            return self.close(StreamError::new(StreamCondition::HostUnknown, text));
        };
        match prepare_domain(to) {
            Ok(host) => {
                self.host = host.into_owned();
                self.phase = Phase::Looking;
                let host = self.host.clone();
                self.outputs.push_back(Output::NeedSecret { host });
            }
            Err(_) => {
                let text = "'to' is no host name";
                self.close(StreamError::new(StreamCondition::HostUnknown, text));
            }
        }
    }

    fn handle_element(&mut self, element: &Stanza) {
        let is_handshake = element.ns() == ns::COMPONENT && element.name() == HANDSHAKE;
        match self.phase {
            Phase::Handshake if is_handshake => self.judge(&element.element().text()),
            _ if element.ns() == ns::STREAMS && element.name() == "error" => self.finish(),
            Phase::Looking | Phase::Deciding => {
                let text = "nothing may be sent before the answer to the handshake";
                self.close(StreamError::new(StreamCondition::PolicyViolation, text));
            }
            _ => {
                let text = "<handshake/> is due";
                self.close(StreamError::new(StreamCondition::NotAuthorized, text));
            }
        }
    }

    fn judge(&mut self, said: &str) {
        let host = self.host.clone();
        // It is not needed any more, whatever comes of it.
        let secret = self.secret.take();
        if secret.is_some_and(|secret| secret.gives(&self.id, said.trim_ascii())) {
            self.phase = Phase::Deciding;
            return self.outputs.push_back(Output::Authenticated { host });
        }
        self.outputs.push_back(Output::Refused { host });
        let text = "the handshake does not match the secret of this component";
        self.close(StreamError::new(StreamCondition::NotAuthorized, text));
    }

    fn open(&mut self) {
        if !std::mem::replace(&mut self.opened, true) {
            let mut said = vec![("id", self.id.as_str())];
            // RFC 6120 §4.9.1.2: a stream that ends before anybody knows whose it is has a header too.
            if !self.host.is_empty() {
                said.insert(0, ("from", self.host.as_str()));
            }
            let bytes = header(&said);
            self.send(bytes);
        }
    }

    fn end(&mut self, error: Option<StreamError>) {
        self.phase = Phase::Closed;
        self.secret = None;
        self.outputs.push_back(Output::Close(error));
    }

    fn send(&mut self, bytes: Bytes) {
        self.outputs.push_back(Output::Send(bytes));
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Output::Send(bytes) => write!(f, "Send([{} bytes])", bytes.len()),
            Output::NeedSecret { host } => write!(f, "NeedSecret({host})"),
            Output::Authenticated { host } => write!(f, "Authenticated({host})"),
            Output::Refused { host } => write!(f, "Refused({host})"),
            Output::Accepted => f.write_str("Accepted"),
            Output::Close(error) => write!(f, "Close({error:?})"),
        }
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acceptor")
            .field("phase", &self.phase)
            .field("host", &self.host)
            .field("outputs", &self.outputs)
            .finish_non_exhaustive()
    }
}
