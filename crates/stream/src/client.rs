//! The client's side of stream negotiation:
//! [RFC 6120 §4 to §7](https://www.rfc-editor.org/rfc/rfc6120#section-4).
//!
//! Events of the [`Reader`](waxwing_wire::Reader) go in, [`Output`]s come out of
//! [`poll`](Negotiation::poll) until there is none left. Each step of negotiation is a file in
//! `steps/` and a line in its table.

mod settings;
mod steps;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;

use bytes::Bytes;
use waxwing_stanza::FullJid;
use waxwing_wire::{Element, Event, Header, Stanza, WireError, ns};

pub use crate::transport::Tls;
pub use settings::{Bind2, FastToken, KnownOffer, NegotiationError, Sasl2, Settings, Unlisted};

use crate::error::{StreamCondition, StreamError};
use crate::framing::Framing;
use crate::header::{OwnHeader, is_version_1};
use crate::sasl::{Failure, Stretch, Stretched, TlsBinding};
use crate::seed::Seed;
use crate::sm::{Enabled, Failed};
use crate::transport::Transport;
use steps::{Login, Session, Step};

/// What negotiation wants from its owner. Shown without what is sent, in which passwords may stand.
pub enum Output {
    /// Write these bytes.
    Send(Bytes),
    /// Write out everything, call [`Reader::restart`](waxwing_wire::Reader::restart) and hand what it
    /// returns to [`Negotiation::handle_restart`], do the TLS handshake, then call
    /// [`Negotiation::tls_started`]. Nothing read in the clear may survive: an owner whose reader may
    /// have been given more in between restarts it once more, before that call.
    StartTls,
    /// Restart the reader and hand what it returns to [`Negotiation::handle_restart`].
    RestartReader,
    /// Work to do, here or elsewhere: hand its outcome to [`Negotiation::handle_stretched`].
    Stretch(Stretch),
    /// The server knows who we are, and has proved that it knows the password.
    Authenticated,
    /// A token for the next log-ins, instead of the one before: keep it as a password is kept.
    Token(FastToken),
    /// The server did not take the token; the password's turn comes in the same stream. It is good for nothing any
    /// more, unless the reason is [`Failure::TemporaryAuthFailure`].
    TokenRefused(Failure),
    /// What this server offers, if it is not what was known: with it the next log-in need not wait.
    Offer(KnownOffer),
    /// What the server says about the session that was bound together with the log-in: `<metadata/>` of the
    /// archive, and answers to [`Bind2::features`].
    Inline(Element),
    /// The session to resume is gone; a new one is bound.
    ResumeFailed(Failed),
    /// The end of negotiation: the session is resumed. Hand `h` to [`Sm::resume`](crate::sm::Sm),
    /// then send again what is left there.
    Resumed {
        /// Stanzas of ours that the server has handled.
        h: u32,
    },
    /// The end of negotiation: a new session. Counts of stream management start at zero.
    Bound {
        /// Its address.
        jid: FullJid,
        /// What was granted of stream management.
        enabled: Option<Enabled>,
    },
    /// A stanza that came between binding and [`Output::Bound`], or after the end of negotiation.
    Element(Stanza),
    /// The end: write out everything, then close the connection.
    Close(Option<NegotiationError>),
}

/// Negotiation of one stream on the client.
#[derive(Debug)]
pub struct Negotiation {
    settings: Settings,
    seed: Seed,
    transport: Transport,
    framing: Framing,
    phase: Phase,
    /// What the server offers in the stream as it is now.
    features: Option<Element>,
    /// What is going on.
    step: Option<&'static Step>,
    login: Login,
    session: Session,
    outputs: VecDeque<Output>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Waits for the server's header.
    Header,
    Open,
    /// Between `<proceed/>` and the end of the TLS handshake.
    Handshake,
    Done,
    Closed,
}

impl Negotiation {
    /// Begins a stream; its header is the first output. `seed` is its randomness: nonces.
    pub fn new(settings: Settings, tls: Tls, seed: Seed) -> Negotiation {
        Negotiation::framed(settings, tls, seed, Framing::Document)
    }

    /// The same over a transport that frames its streams in its own way. What is sent in elements is yet to be given to
    /// [`Framing::element`].
    pub fn framed(settings: Settings, tls: Tls, seed: Seed, framing: Framing) -> Negotiation {
        let mut negotiation = Negotiation {
            settings,
            seed,
            transport: tls.into(),
            framing,
            phase: Phase::Header,
            features: None,
            step: None,
            login: Login::default(),
            session: Session::default(),
            outputs: VecDeque::new(),
        };
        negotiation.begin();
        negotiation
    }

    /// What to do next; ask until there is nothing left.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Whether the stream is at its end.
    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// An event of the reader.
    pub fn handle_event(&mut self, event: Event) {
        match event {
            Event::Header(header) => self.handle_header(&header),
            Event::Stanza(stanza) => self.handle_stanza(stanza),
            Event::Close => self.handle_close(),
            Event::Whitespace => {}
            Event::Skipped(skipped) => self.handle_error(skipped.limit.into()),
        }
    }

    /// The server opens its stream.
    pub fn handle_header(&mut self, header: &Header) {
        let wrong = match self.phase {
            Phase::Header if *header.default_ns != *ns::CLIENT => StreamCondition::InvalidNamespace,
            // A version that is too old may be how an error begins that says so.
            Phase::Header => {
                self.phase = Phase::Open;
                self.session.version_1 = is_version_1(header);
                return;
            }
            Phase::Closed => return,
            _ => StreamCondition::BadFormat,
        };
        self.complain(wrong.into());
    }

    /// A top-level element.
    pub fn handle_stanza(&mut self, stanza: Stanza) {
        match self.phase {
            Phase::Closed => {}
            Phase::Done if stanza.ns() != ns::STREAMS => {
                self.outputs.push_back(Output::Element(stanza));
            }
            Phase::Open | Phase::Done => self.work(stanza),
            Phase::Header => self.complain(StreamCondition::BadFormat.into()),
            Phase::Handshake => self.handle_restart(true),
        }
    }

    /// The server ends its stream.
    pub fn handle_close(&mut self) {
        self.finish(Some(NegotiationError::Closed));
    }

    /// What came is no XMPP.
    pub fn handle_error(&mut self, error: WireError) {
        self.complain(error.into());
    }

    /// Outcome of [`Reader::restart`](waxwing_wire::Reader::restart): `true` if bytes were dropped,
    /// which somebody between may have sent before TLS; the stream ends.
    pub fn handle_restart(&mut self, dropped: bool) {
        if dropped {
            let text = "nothing may be sent before the stream is restarted";
            self.complain(StreamError::new(StreamCondition::PolicyViolation, text));
        }
    }

    /// Negotiation takes too long for the owner.
    pub fn handle_timeout(&mut self) {
        let error = StreamError::from(StreamCondition::ConnectionTimeout);
        self.end(self.framing.error(&error), Some(NegotiationError::Timeout));
    }

    /// The TLS handshake is done, with a certificate that the owner trusts.
    pub fn tls_started(&mut self, binding: TlsBinding) {
        if self.phase == Phase::Handshake {
            self.transport = Transport::Tls(binding);
            self.phase = Phase::Header;
            self.begin();
        }
    }

    /// The outcome of [`Output::Stretch`].
    pub fn handle_stretched(&mut self, stretched: Stretched) {
        if self.phase == Phase::Open {
            steps::handle_stretched(self, stretched);
        }
    }

    /// Ends the stream gracefully.
    pub fn close(&mut self) {
        self.finish(None);
    }

    fn work(&mut self, stanza: Stanza) {
        match (stanza.ns(), stanza.name()) {
            (ns::STREAMS, "error") => {
                let error = StreamError::read(&stanza.element());
                return self.finish(Some(NegotiationError::Server(error)));
            }
            (ns::STREAMS, "features") if self.awaits_features() => {
                if !self.session.version_1 {
                    return self.complain(StreamCondition::UnsupportedVersion.into());
                }
                let features = stanza.element();
                steps::note_offer(self, &features);
                self.features = Some(features);
                // What was sent ahead is answered behind them.
                if self.step.is_none() {
                    self.advance();
                }
                return;
            }
            _ => {}
        }
        match self.step {
            Some(step) if (step.takes)(self, &stanza) => (step.handle)(self, &stanza),
            _ if self.session.jid.is_some() => self.outputs.push_back(Output::Element(stanza)),
            _ => {
                let text = "nothing of that kind is expected now";
                self.complain(StreamError::new(
                    StreamCondition::UnsupportedStanzaType,
                    text,
                ));
            }
        }
    }

    fn awaits_features(&self) -> bool {
        let is_ahead = self.features.is_none() && self.login.is_ahead();
        self.phase == Phase::Open && (self.step.is_none() || is_ahead)
    }

    /// Takes the next step that the server's features make possible and that is not taken yet.
    fn advance(&mut self) {
        self.step = None;
        let Some(features) = self.features.clone() else {
            return;
        };
        if let Some(step) = steps::next(self, &features) {
            self.step = Some(step);
            return (step.begin)(self, &features);
        }
        self.phase = Phase::Done;
        if let Some(jid) = self.session.jid.clone() {
            let enabled = self.session.enabled.take();
            self.outputs.push_back(Output::Bound { jid, enabled });
        }
    }

    /// Sends our header: RFC 6120 §4.7.1 wants the account's address only where nobody listens in.
    fn begin(&mut self) {
        let from = match self.transport {
            Transport::Open => None,
            Transport::Tls(_) | Transport::Loopback => Some(self.settings.account.as_str()),
        };
        let to = Some(self.settings.account.domain());
        let bytes = self.framing.header(&OwnHeader {
            to,
            from,
            id: None,
            lang: self.settings.lang.as_deref(),
        });
        self.send(bytes);
        steps::log_in_ahead(self);
    }

    /// A new stream begins in the same transport.
    fn restart(&mut self) {
        self.step = None;
        self.features = None;
        self.phase = Phase::Header;
        self.outputs.push_back(Output::RestartReader);
        self.begin();
    }

    fn send(&mut self, bytes: Bytes) {
        self.outputs.push_back(Output::Send(bytes));
    }

    /// Tells the server what it did wrong, and goes.
    fn complain(&mut self, error: StreamError) {
        let words = self.framing.error(&error);
        self.end(words, Some(NegotiationError::Protocol(error)));
    }

    /// Gives up without blaming anyone on the wire.
    fn finish(&mut self, error: Option<NegotiationError>) {
        self.end(vec![self.framing.close()], error);
    }

    fn end(&mut self, last: Vec<Bytes>, error: Option<NegotiationError>) {
        match self.phase {
            Phase::Closed => return,
            // What we say in the clear now would stand in the way of TLS.
            Phase::Handshake => {}
            Phase::Header | Phase::Open | Phase::Done => {
                for bytes in last {
                    self.send(bytes);
                }
            }
        }
        self.phase = Phase::Closed;
        self.step = None;
        self.outputs.push_back(Output::Close(error));
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Output::Send(bytes) => write!(f, "Send([{} bytes])", bytes.len()),
            Output::StartTls => f.write_str("StartTls"),
            Output::RestartReader => f.write_str("RestartReader"),
            Output::Stretch(stretch) => write!(f, "{stretch:?}"),
            Output::Authenticated => f.write_str("Authenticated"),
            Output::Token(token) => write!(f, "{token:?}"),
            Output::TokenRefused(reason) => write!(f, "TokenRefused({reason:?})"),
            Output::Offer(offer) => write!(f, "Offer({})", offer.version),
            Output::Inline(element) => write!(f, "Inline(<{}/>)", element.name()),
            Output::ResumeFailed(failed) => write!(f, "ResumeFailed({failed:?})"),
            Output::Resumed { h } => write!(f, "Resumed({h})"),
            Output::Bound { jid, enabled } => write!(f, "Bound({jid}, {enabled:?})"),
            Output::Element(stanza) => write!(f, "Element(<{}/>)", stanza.name()),
            Output::Close(error) => write!(f, "Close({error:?})"),
        }
    }
}
