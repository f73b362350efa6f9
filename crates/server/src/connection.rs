//! One client's stream, or one component's: negotiation, then stanzas in order. Driven by a shell that owns the socket.
//!
//! Length: what a shell calls is one state machine, whoever is at the other end.

use std::collections::VecDeque;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use prometheus_client::metrics::gauge::Gauge;
use waxwing_store::LogId;
use waxwing_stream::component::Acceptor;
use waxwing_stream::sasl::TlsBinding;
use waxwing_stream::server::Negotiation;
use waxwing_stream::{Framing, StreamCondition, StreamError};
use waxwing_wire::{Event, Limits, WireError};

use crate::admission::{NEGOTIATING_MAX, Stay};
use crate::component::{self, Confirming};
use crate::devices::Proof;
use crate::invitations::Invited;
use crate::link::{Link, Security, Transport};
use crate::metrics::Limit;
use crate::server::Server;
use crate::session::Session;
use crate::settings::NEGOTIATION_SECS;
use crate::source::Source;
use crate::xep::xep_0175_guests::Pass;
use crate::xep::xep_0198_sm::{ACK_SECS, Resumption};

/// Unread bytes above which a connection takes no more from its socket.
const INPUT_BYTES_MAX: usize = 64 * 1024;

/// What the shell has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Take the output and write it.
    Send,
    /// Start TLS as server, all output being written; then call [`Connection::tls_started`].
    StartTls,
    /// Close, all output being written.
    Close,
}

/// What a piece of work that waited for the store leads to.
pub(crate) type Step = Box<dyn FnOnce(&mut Connection) + Send>;

pub(crate) enum Phase {
    Negotiating(Box<Negotiation>),
    /// An external component that is not let in yet (XEP-0114).
    Joining(Box<Acceptor>),
    Bound(Arc<Session>),
    Ended,
}

/// A client's stream.
pub struct Connection {
    pub(crate) server: Server,
    pub(crate) number: u64,
    pub(crate) peer: IpAddr,
    transport: Transport,
    /// Among which streams it is counted.
    counted: Gauge,
    pub(crate) phase: Phase,
    pub(crate) reader: Source,
    work: Option<BoxFuture<'static, Step>>,
    pub(crate) output: Vec<Bytes>,
    /// A session that is being resumed and not bound yet.
    pub(crate) adopted: Option<Arc<Session>>,
    /// How an adopted session goes on, once the client has been told that it does.
    pub(crate) resumption: Option<Box<Resumption>>,
    /// By what the client has proved who it is, or is about to.
    pub(crate) proof: Proof,
    /// The place of a guest who has logged in and not bound yet.
    pub(crate) guest: Option<Pass>,
    /// The invitation whose token was shown before log-in (XEP-0445).
    pub(crate) invited: Option<Box<Invited>>,
    /// How many elements of the output were taken.
    taken: u64,
    /// How many of them have been handed to the socket.
    written: u64,
    /// What a component has read.
    pub(crate) confirming: Option<Box<Confirming>>,
    /// Log entries that are in the output or were taken, and may not have come through, for streams without XEP-0198;
    /// each with the number of its element, from one.
    marks: VecDeque<(u64, LogId)>,
    pub(crate) start_tls: bool,
    pub(crate) secure: bool,
    /// Whether what was read waits for the store, not for the rest of a stanza.
    stalled: bool,
    deadline_micros: Option<u64>,
}

impl Connection {
    pub(crate) fn new(server: Server, link: Link) -> Self {
        let counted = server.metrics().stream(link.transport, false);
        counted.inc();
        let deadline =
            server.steady_micros() + server.options().number(&NEGOTIATION_SECS) * 1_000_000;
        let secure = matches!(link.security, Security::Tls(_));
        let phase = match link.transport {
            Transport::Component => Phase::Joining(Box::new(Acceptor::new(server.seed()))),
            _ => {
                let security = link.security;
                let negotiation = crate::login::negotiation(&server, security, link.framing);
                Phase::Negotiating(Box::new(negotiation))
            }
        };
        Connection {
            number: server.next_number(),
            peer: link.peer,
            transport: link.transport,
            counted,
            phase,
            reader: Source::new(link.framing, Limits::BEFORE_LOGIN),
            work: None,
            output: Vec::new(),
            taken: 0,
            written: 0,
            confirming: None,
            marks: VecDeque::new(),
            adopted: None,
            resumption: None,
            proof: Proof::default(),
            guest: None,
            invited: None,
            start_tls: false,
            secure,
            stalled: false,
            deadline_micros: Some(deadline),
            server,
        }
    }

    /// Plaintext from the client. Where the transport carries messages ([`Framing::Elements`]), exactly
    /// one of them.
    pub fn receive(&mut self, plaintext: &[u8]) {
        match self.phase {
            Phase::Ended => return,
            // Whoever speaks is there, whatever was not acknowledged yet. A component has to answer.
            Phase::Bound(_) if self.confirming.is_none() => self.deadline_micros = None,
            Phase::Bound(_) => {}
            Phase::Negotiating(_) | Phase::Joining(_) => {}
        }
        self.reader.push(plaintext);
    }

    /// The transport cannot hand in what the client sent next: all that was received before is worked on, then the
    /// stream ends with this error.
    pub fn fail_to_receive(&mut self, error: WireError) {
        self.reader.fail(error);
    }

    /// Whether the shell should read from the socket: false while the client is ahead of the store.
    /// The rest of a stanza, which may be larger than what may wait, is always wanted.
    pub fn wants_input(&self) -> bool {
        (!self.stalled || self.reader.buffered() < INPUT_BYTES_MAX)
            && !self.start_tls
            && !matches!(self.phase, Phase::Ended)
    }

    /// The domain that the client wants, as its stream's header says; the first one before it has. None once a
    /// session is bound.
    pub fn domain(&self) -> Option<&str> {
        match &self.phase {
            Phase::Negotiating(negotiation) => Some(negotiation.domain()),
            Phase::Joining(_) | Phase::Bound(_) | Phase::Ended => None,
        }
    }

    /// TLS is up.
    pub fn tls_started(&mut self, binding: TlsBinding) {
        self.start_tls = false;
        self.secure = true;
        // What a shell handed in since STARTTLS came in the clear: it must not count inside TLS.
        let dropped = self.reader.restart();
        if let Phase::Negotiating(negotiation) = &mut self.phase {
            negotiation.handle_restart(dropped);
            negotiation.tls_started(binding);
        }
    }

    /// The transport has ended, cleanly or not.
    pub fn closed(&mut self) {
        if let Phase::Bound(session) = &self.phase {
            crate::lifecycle::detach(&self.server, session, self.number);
        }
        self.abandon_adopted();
        self.phase = Phase::Ended;
        self.work = None;
    }

    /// When [`Connection::handle_deadline`] is due, by [`Clock::steady_micros`](crate::Clock::steady_micros).
    pub fn deadline_micros(&self) -> Option<u64> {
        self.deadline_micros
    }

    /// The deadline has passed.
    pub fn handle_deadline(&mut self) {
        if self
            .deadline_micros
            .is_some_and(|at| at <= self.server.steady_micros())
        {
            self.deadline_micros = None;
            if self.confirming.is_some() {
                component::gave_no_answer(self);
            } else if matches!(self.phase, Phase::Bound(_)) {
                self.lose();
            } else {
                self.server.metrics().limit(Limit::NegotiationTime);
                self.fail(StreamCondition::ConnectionTimeout.into());
            }
        }
    }

    /// The client does not answer: its connection is gone, and nobody has told us. Its session may be resumed.
    fn lose(&mut self) {
        let error = StreamError::from(StreamCondition::ConnectionTimeout);
        self.server.metrics().stream_error(&error);
        self.server.metrics().limit(Limit::AckTime);
        self.say_error(&error);
        self.closed();
    }

    /// Whether nothing more comes: all output being taken, [`Connection::poll`] only says [`Action::Close`].
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Ended) && self.output.is_empty()
    }

    /// Moves everything that waits to be written into `into`, one element each.
    pub fn take_output(&mut self, into: &mut Vec<Bytes>) {
        self.taken += self.output.len() as u64;
        match self.reader.framing() {
            Framing::Document => into.append(&mut self.output),
            framing => into.extend(self.output.drain(..).map(|bytes| framing.element(bytes))),
        }
        self.output = Vec::new();
    }

    fn say_error(&mut self, error: &StreamError) {
        self.output.extend(self.reader.framing().error(error));
    }

    /// All that was taken has been handed to the socket.
    pub fn written(&mut self) {
        self.written = self.taken;
        self.settle_written();
    }

    /// What was written has come through, as far as can be known, unless a component says what it has read.
    pub(crate) fn settle_written(&mut self) {
        let confirming = self.confirming.as_ref();
        if confirming.is_none_or(|confirming| confirming.counts_written()) {
            self.received(self.written);
        }
    }

    /// Pings a component behind all that was sent, where it has something to confirm or is to be heard at all.
    pub(crate) fn ping_behind(&mut self, is_first: bool) {
        let elements = self.taken + self.output.len() as u64;
        let Some(confirming) = self.confirming.as_mut() else {
            return;
        };
        if (is_first || !self.marks.is_empty())
            && let Some(ping) = confirming.ask(elements)
        {
            self.server.metrics().sent(&ping);
            self.output.push(component::outward(&ping));
        }
    }

    /// A component has so many seconds from now.
    pub(crate) fn set_deadline(&mut self, seconds: Option<u64>) {
        let now = self.server.steady_micros();
        self.deadline_micros = seconds.map(|seconds| now + seconds * 1_000_000);
    }

    /// The first `elements` of all that were ever taken have come through: for transports that know.
    pub fn received(&mut self, elements: u64) {
        let after = self
            .marks
            .partition_point(|(number, _)| *number <= elements);
        if after == 0 {
            return;
        }
        let ids: Vec<LogId> = self.marks.drain(..after).map(|(_, id)| id).collect();
        self.marks.shrink_to(0);
        if let Phase::Bound(session) = &self.phase {
            let written = ids.len();
            self.server.confirm_delivered(session, ids);
            // Not before: whoever looks into the log meanwhile must see one or the other.
            session.state().wrote(written);
        }
    }

    /// Works until nothing is left to do; then the waker is registered.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Action> {
        if matches!(self.phase, Phase::Negotiating(_) | Phase::Joining(_)) {
            // Nothing else wakes a client that says nothing when it has to go.
            let most = self.server.options().number(&NEGOTIATING_MAX);
            let stay = self
                .server
                .admission()
                .negotiates(self.number, cx.waker(), most);
            if self.server.stopping() {
                self.fail(StreamCondition::SystemShutdown.into());
            } else if stay == Stay::No {
                self.server.metrics().limit(Limit::Negotiating);
                self.fail(StreamCondition::ResourceConstraint.into());
            }
        }
        self.stalled = false;
        loop {
            if let Some(work) = &mut self.work {
                match Pin::new(work).poll(cx) {
                    Poll::Ready(step) => {
                        self.work = None;
                        step(self);
                        // It may have to wait for something else now.
                        continue;
                    }
                    Poll::Pending => {
                        self.stalled = true;
                        break;
                    }
                }
            }
            if self.start_tls || !self.step(cx) {
                break;
            }
        }
        self.collect(cx);
        if !self.output.is_empty() {
            return Poll::Ready(Action::Send);
        }
        if self.start_tls {
            return Poll::Ready(Action::StartTls);
        }
        if matches!(self.phase, Phase::Ended) {
            return Poll::Ready(Action::Close);
        }
        Poll::Pending
    }

    /// Starts something that may have to wait; nothing else of the client is read meanwhile.
    pub(crate) fn wait_for(&mut self, work: impl Future<Output = Step> + Send + 'static) {
        self.work = Some(Box::pin(work));
    }

    /// One step; false when there is nothing to do.
    fn step(&mut self, cx: &mut Context<'_>) -> bool {
        match &mut self.phase {
            Phase::Ended => false,
            Phase::Negotiating(negotiation) => {
                if let Some(output) = negotiation.poll() {
                    crate::login::handle_output(self, output);
                    return true;
                }
                match self.reader.next() {
                    Ok(Some(event)) => negotiation.handle_event(event),
                    Ok(None) => return false,
                    Err(error) => {
                        note_size(&self.server, &error);
                        negotiation.handle_error(error);
                    }
                }
                true
            }
            Phase::Joining(_) => component::step(self),
            Phase::Bound(session) => {
                let session = session.clone();
                self.step_bound(&session, cx)
            }
        }
    }

    fn step_bound(&mut self, session: &Arc<Session>, cx: &mut Context<'_>) -> bool {
        if crate::inbound::is_ahead(session, cx) {
            self.stalled = true;
            return false;
        }
        match self.reader.next() {
            Ok(Some(event)) if session.account.is_outside() => {
                component::handle(self, session, event);
            }
            Ok(Some(Event::Stanza(stanza))) => crate::inbound::handle(self, session, stanza),
            Ok(Some(Event::Whitespace)) => {}
            Ok(Some(Event::Close)) => self.close(session),
            Ok(Some(Event::Header(_))) => self.fail(StreamCondition::InvalidXml.into()),
            Ok(Some(Event::Skipped(skipped))) => self.fail_to_read(WireError::from(skipped.limit)),
            Ok(None) => return false,
            Err(error) => self.fail_to_read(error),
        }
        true
    }

    fn fail_to_read(&mut self, error: WireError) {
        note_size(&self.server, &error);
        self.fail(error.into());
    }

    /// The client has closed its stream: its session is over (RFC 6120 §4.4).
    pub(crate) fn close(&mut self, session: &Arc<Session>) {
        self.collect_session(session);
        crate::lifecycle::end(&self.server, session);
        self.finish();
    }

    /// Closes our side of the stream.
    pub(crate) fn finish(&mut self) {
        self.output.push(self.reader.framing().close());
        self.phase = Phase::Ended;
        self.deadline_micros = None;
    }

    fn abandon_adopted(&mut self) {
        if let Some(session) = self.adopted.take() {
            crate::lifecycle::detach(&self.server, &session, self.number);
        }
    }

    /// Moves what waits for the session to the output.
    pub(crate) fn flush(&mut self, session: &Arc<Session>) {
        self.collect_session(session);
    }

    /// Ends the stream with an error.
    pub(crate) fn fail(&mut self, error: StreamError) {
        let metrics = self.server.metrics();
        if !matches!(self.phase, Phase::Ended) {
            metrics.stream_error(&error);
        }
        if matches!(self.phase, Phase::Bound(_))
            && error.condition == StreamCondition::ResourceConstraint
        {
            metrics.limit(Limit::SessionQueue);
        }
        self.abandon_adopted();
        match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Ended => return,
            Phase::Negotiating(mut negotiation) => {
                // The core answers with a header first where none was sent (RFC 6120 §4.9.1.2).
                negotiation.close(error);
                while let Some(output) = negotiation.poll() {
                    if let waxwing_stream::server::Output::Send(bytes) = output {
                        self.output.push(bytes);
                    }
                }
            }
            Phase::Joining(mut acceptor) => {
                acceptor.close(error);
                self.output.extend(component::said(&mut acceptor));
            }
            Phase::Bound(session) => {
                self.collect_session(&session);
                self.say_error(&error);
                session.state().kicked.get_or_insert(error);
                crate::lifecycle::detach(&self.server, &session, self.number);
            }
        }
        self.work = None;
        self.start_tls = false;
        self.deadline_micros = None;
    }

    /// Takes what was queued for the session.
    fn collect(&mut self, cx: &mut Context<'_>) {
        let Phase::Bound(session) = &self.phase else {
            return;
        };
        let session = session.clone();
        loop {
            let (mine, kicked) = {
                let state = session.state();
                (state.connection == Some(self.number), state.kicked.clone())
            };
            if !mine {
                // Another stream has resumed the session (XEP-0198 §5).
                self.say_error(&StreamCondition::Conflict.into());
                self.phase = Phase::Ended;
                return;
            }
            if let Some(error) = kicked {
                return self.fail(error);
            }
            if session.state().park(cx.waker()) {
                return;
            }
            if session.state().take_behind() {
                crate::undelivered::start(&self.server, &session);
            }
            self.collect_session(&session);
        }
    }

    fn collect_session(&mut self, session: &Arc<Session>) {
        let before = self.output.len();
        let asked = {
            let mut state = session.state();
            let mut marks = Vec::new();
            state.take_output(&mut self.output, &mut marks);
            let numbered = |(index, id)| (self.taken + index as u64 + 1, id);
            self.marks.extend(marks.into_iter().map(numbered));
            state.awaits_answer()
        };
        if asked && self.deadline_micros.is_none() {
            let wait = self.server.options().number(&ACK_SECS) * 1_000_000;
            self.deadline_micros = Some(self.server.steady_micros() + wait);
        }
        for bytes in self.output.get_mut(before..).unwrap_or_default() {
            self.server.metrics().sent(bytes);
            if session.account.is_outside() {
                *bytes = component::outward(bytes);
            }
        }
        self.ping_behind(false);
    }

    /// The stream has taken over a session.
    pub(crate) fn resumed(&mut self, session: Arc<Session>) {
        if let Phase::Negotiating(negotiation) = &mut self.phase {
            negotiation.resumed(session.jid.clone());
        }
        self.bound(session);
    }

    pub(crate) fn bound(&mut self, session: Arc<Session>) {
        self.deadline_micros = None;
        self.server.admission().settled(self.number);
        if let Phase::Negotiating(negotiation) = &self.phase {
            session.state().lang = negotiation.lang().map(Arc::from);
        }
        self.phase = Phase::Bound(session);
        self.proof = Proof::default();
        self.invited = None;
        self.counted.dec();
        self.counted = self.server.metrics().stream(self.transport, true);
        self.counted.inc();
    }
}

/// Counts an element that is larger than allowed.
pub(crate) fn note_size(server: &Server, error: &WireError) {
    if StreamError::from(*error).condition == StreamCondition::PolicyViolation {
        server.metrics().limit(Limit::ElementSize);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.closed();
        self.server.admission().settled(self.number);
        self.counted.dec();
    }
}
