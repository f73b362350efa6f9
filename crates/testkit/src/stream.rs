//! One stream of a client, without the socket.

use std::collections::VecDeque;

use bytes::Bytes;
use waxwing_stanza::FullJid;
use waxwing_stanza::xep::xep_0198_sm::{Enabled, Failed};
use waxwing_stream::client::{FastToken, Negotiation, NegotiationError, Output, Settings};
use waxwing_stream::sasl::{Failure, TlsBinding};
use waxwing_stream::{Seed, client::Tls};
use waxwing_wire::{Event, Header, Limits, Reader, Stanza, WireError, ns};

/// How far the stream negotiates by itself; after that its owner sees, and sends, everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Not at all: not even a stream header is sent.
    Connected,
    /// TLS is up; no header is sent inside of it.
    Encrypted,
    /// Logged in, the header of the new stream and its features read; nothing is bound.
    Authenticated,
    /// A session is bound or resumed.
    Bound,
}

/// A client's stream. Bytes go in by [`ClientStream::receive`], and after any call come out by
/// [`ClientStream::take_output`], [`ClientStream::wants`] and [`ClientStream::poll`].
#[derive(Debug)]
pub struct ClientStream {
    reader: Reader,
    negotiation: Option<Negotiation>,
    until: Until,
    authenticated: bool,
    output: Vec<Bytes>,
    wants: Option<Wants>,
    said: VecDeque<Said>,
}

/// What the owner has to do once the output is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// Start TLS, then call [`ClientStream::tls_started`].
    StartTls,
    /// Close the connection.
    Close,
}

/// What the server said, or what came of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// A stream header. Those that negotiation reads are not reported.
    Header(Header),
    /// A top-level element. Those that negotiation reads are not reported.
    Element(Stanza),
    /// The end of the stream.
    End,
    /// [`Until::Encrypted`] is reached.
    Encrypted,
    /// [`Until::Authenticated`] is reached.
    Authenticated,
    /// A token for the next log-ins.
    Token(FastToken),
    /// The token was not taken.
    TokenRefused(Failure),
    /// The session to resume is gone; a new one is being bound.
    ResumeFailed(Failed),
    /// The session is resumed, and the server has handled this many of our stanzas.
    Resumed(u32),
    /// A new session.
    Bound(FullJid, Option<Enabled>),
    /// Negotiation came to nothing.
    Refused(NegotiationError),
    /// What came is no XMPP.
    Garbled(WireError),
}

impl ClientStream {
    /// Begins a stream in a connection that is open.
    #[must_use]
    pub fn new(settings: Settings, tls: Tls, seed: [u8; 32], until: Until) -> ClientStream {
        let negotiates = until != Until::Connected;
        let mut stream = ClientStream {
            reader: Reader::new(Limits::CLIENT.with_room()),
            negotiation: negotiates.then(|| Negotiation::new(settings, tls, Seed::new(seed))),
            until,
            authenticated: false,
            output: Vec::new(),
            wants: None,
            said: VecDeque::new(),
        };
        stream.work();
        stream
    }

    /// Bytes from the server, out of TLS if there is any.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.reader.push(bytes);
        self.work();
    }

    /// TLS is up.
    pub fn tls_started(&mut self, binding: TlsBinding) {
        self.wants = None;
        if self.until == Until::Encrypted {
            self.finish(Said::Encrypted);
        }
        if let Some(negotiation) = &mut self.negotiation {
            negotiation.tls_started(binding);
        }
        self.work();
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: Bytes) {
        if bytes.starts_with(b"<stream:stream") || bytes.starts_with(b"<?xml") {
            // The answer is a header, where a stream is open already too (RFC 6120 §4.3.3).
            self.reader.restart();
        }
        self.output.push(bytes);
    }

    /// What is to be written now.
    pub fn take_output(&mut self) -> Vec<Bytes> {
        std::mem::take(&mut self.output)
    }

    /// What is to be done after writing.
    #[must_use]
    pub fn wants(&self) -> Option<Wants> {
        self.wants
    }

    /// What the server said, one at a time.
    pub fn poll(&mut self) -> Option<Said> {
        self.said.pop_front()
    }

    /// Reads and negotiates until nothing is left.
    fn work(&mut self) {
        loop {
            self.drain_negotiation();
            if self.wants.is_some() {
                return;
            }
            match self.reader.next() {
                Ok(Some(event)) => self.handle(event),
                Ok(None) => return,
                Err(error) => {
                    self.said.push_back(Said::Garbled(error));
                    self.wants = Some(Wants::Close);
                }
            }
        }
    }

    fn handle(&mut self, event: Event) {
        let is_features = matches!(&event, Event::Stanza(stanza) if stanza.ns() == ns::STREAMS && stanza.name() == "features");
        if self.until == Until::Authenticated && self.authenticated && is_features {
            self.negotiation = None;
            self.said.push_back(Said::Authenticated);
            return;
        }
        match &mut self.negotiation {
            Some(negotiation) => negotiation.handle_event(event),
            None => self.said.extend(said_by(event)),
        }
    }

    fn drain_negotiation(&mut self) {
        while let Some(output) = self.negotiation.as_mut().and_then(Negotiation::poll) {
            match output {
                Output::Send(bytes) => self.output.push(bytes),
                Output::StartTls => {
                    self.restart();
                    self.wants = Some(Wants::StartTls);
                }
                Output::RestartReader => self.restart(),
                Output::Stretch(work) => {
                    let stretched = work.run();
                    if let Some(negotiation) = &mut self.negotiation {
                        negotiation.handle_stretched(stretched);
                    }
                }
                Output::Authenticated => self.authenticated = true,
                Output::ResumeFailed(failed) => self.said.push_back(Said::ResumeFailed(failed)),
                Output::Resumed { h } => self.finish(Said::Resumed(h)),
                Output::Bound { jid, enabled } => self.finish(Said::Bound(jid, enabled)),
                Output::Element(stanza) => self.said.push_back(Said::Element(stanza)),
                Output::Token(token) => self.said.push_back(Said::Token(token)),
                Output::TokenRefused(reason) => self.said.push_back(Said::TokenRefused(reason)),
                // Nobody here keeps them.
                Output::Offer(_) | Output::Inline(_) => {}
                Output::Close(error) => {
                    self.said.extend(error.map(Said::Refused));
                    self.wants = Some(Wants::Close);
                }
            }
        }
    }

    fn restart(&mut self) {
        let dropped = self.reader.restart();
        if let Some(negotiation) = &mut self.negotiation {
            negotiation.handle_restart(dropped);
        }
    }

    fn finish(&mut self, said: Said) {
        self.negotiation = None;
        self.said.push_back(said);
    }
}

fn said_by(event: Event) -> Option<Said> {
    match event {
        Event::Header(header) => Some(Said::Header(header)),
        Event::Stanza(stanza) => Some(Said::Element(stanza)),
        Event::Close => Some(Said::End),
        Event::Whitespace => None,
        // Only with limits that skip, which these are not.
        Event::Skipped(skipped) => Some(Said::Garbled(skipped.limit.into())),
    }
}
