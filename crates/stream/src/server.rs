//! The server's side of stream negotiation, for clients:
//! [RFC 6120 §4 to §7](https://www.rfc-editor.org/rfc/rfc6120#section-4).
//!
//! Events of the [`Reader`](waxwing_wire::Reader) go in, [`Output`]s come out of
//! [`poll`](Negotiation::poll) until there is none left; questions are answered by the `provide_*` and
//! `*_stored` methods. Each stream feature is a file in `features/` and a line in its table.

mod features;
mod input;
mod offers;
mod settings;
mod stanzas;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use waxwing_stanza::xep::xep_0388_sasl2::UserAgent;
use waxwing_stanza::{BareJid, FullJid, StanzaError};
use waxwing_wire::{Event, Header, Stanza, WireError};

pub use features::{Bind2Request, Bound2};
pub use settings::{
    Domain, Domains, ExtraFeature, LOGIN_FAILURES_MAX, NEGOTIATION_SECS_MAX, Sasl2, Settings,
    Stage, Takes,
};

pub use crate::transport::Tls;

use crate::error::{StreamCondition, StreamError};
use crate::framing::Framing;
use crate::sasl::{
    Account, Device, Failure, KnownTokens, Mechanism, ScramKeys, Stretch, Stretched, TlsBinding,
    Tokens,
};
use crate::seed::Seed;
use crate::sm::{Failed, Resume, Resumed};
use crate::transport::Transport;
use features::{Binding, Login, Sasl2Login};
use input::Input;

/// Events that may wait while a question is open. The owner that stops reading while
/// [`Negotiation::awaits_answer`] keeps below one; more is a client that sends without listening.
pub const HELD_EVENTS_MAX: usize = 16;

/// What negotiation wants from its owner. Shown without what is sent, in which passwords may stand.
pub enum Output {
    /// Write these bytes.
    Send(Bytes),
    /// Write out everything, call [`Reader::restart`](waxwing_wire::Reader::restart) and hand what it
    /// returns to [`Negotiation::handle_restart`], do the TLS handshake, then call
    /// [`Negotiation::tls_started`]. Nothing read in the clear may survive: an owner whose reader may
    /// have been given more in between restarts it once more, before that call.
    StartTls,
    /// Restart the reader and hand what it returns to [`Negotiation::handle_restart`]: a new stream
    /// begins after log-in. A good moment for larger limits.
    RestartReader,
    /// Somebody logs in: call [`Negotiation::provide_credentials`].
    NeedCredentials {
        /// The account's address, which need not exist.
        account: BareJid,
        /// How the log-in goes.
        mechanism: Mechanism,
    },
    /// Work to do, here or elsewhere: hand its outcome to [`Negotiation::handle_stretched`].
    Stretch(Stretch),
    /// Somebody logs in by a token, or asks for one: call [`Negotiation::provide_tokens`] (XEP-0484).
    NeedTokens {
        /// Whose tokens. The account need not exist.
        device: Device,
        /// What the token is for.
        mechanism: Mechanism,
    },
    /// Store what is to be kept of a device's tokens, then call [`Negotiation::tokens_stored`].
    StoreTokens {
        /// Whose tokens.
        device: Device,
        /// What has to be in the store still: otherwise nothing is stored, so that of two log-ins by the same
        /// count one fails.
        before: Tokens,
        /// What is to be there.
        after: Tokens,
    },
    /// Store keys that the account did not have, then call [`Negotiation::upgrade_stored`] (XEP-0480).
    StoreKeys {
        /// The account, whose log-in goes on.
        account: BareJid,
        /// The keys.
        keys: ScramKeys,
    },
    /// Logged in. By SASL a [`Output::RestartReader`] follows; by SASL2 what was asked for together with the
    /// log-in, and then [`Output::Resumed`], [`Output::Bound`] or neither.
    Authenticated {
        /// The account.
        jid: BareJid,
        /// How.
        mechanism: Mechanism,
    },
    /// A log-in failed. The stream may live on.
    LoginFailed {
        /// The account that was tried, if the client came to name a possible one.
        account: Option<BareJid>,
        /// What the client was told.
        reason: Failure,
    },
    /// The client wants a resource: call [`Negotiation::provide_bind`].
    NeedBind {
        /// The session's address, if nothing speaks against it.
        jid: FullJid,
        /// Whether the client chose the resource; otherwise it is random.
        proposed: bool,
    },
    /// The client wants to go on with a session, together with its log-in: call
    /// [`Negotiation::provide_resume`].
    NeedResume(Resume),
    /// The client wants a resource together with its log-in: call [`Negotiation::provide_bind2`].
    NeedBind2(Box<Bind2Request>),
    /// Negotiation is over, and the client knows that its session goes on: send again what it has not got.
    Resumed(FullJid),
    /// Negotiation is over: stanzas go to the server from here on.
    Bound(FullJid),
    /// An element that an [`ExtraFeature`] takes; answer it by what you send. After
    /// [`Output::Bound`], every stanza that still comes through here.
    Element(Stanza),
    /// The end: write out everything, then close the connection. The error is what the client was
    /// told; none after a graceful close.
    Close(Option<StreamError>),
}

/// Negotiation of one stream on the server.
pub struct Negotiation {
    settings: Arc<Settings>,
    seed: Seed,
    transport: Transport,
    framing: Framing,
    phase: Phase,
    /// Whether our header is out for the stream as it is now.
    opened: bool,
    /// Domain that the client asked for.
    domain: String,
    /// Language of the client's stream.
    lang: Option<Box<str>>,
    login: Login,
    sasl2: Sasl2Login,
    bind: Binding,
    question: Option<Question>,
    held: VecDeque<Input>,
    outputs: VecDeque<Output>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// Between `<proceed/>` and the end of the TLS handshake.
    Handshake,
    Closed,
}

/// What the owner was asked and has not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Credentials,
    Stretch,
    Tokens,
    Store,
    Upgrade,
    Resume,
    Bind,
    Bind2,
}

impl Negotiation {
    /// A stream that begins as `tls` says. `seed` is its randomness: stream ids, nonces, resources.
    pub fn new(settings: Arc<Settings>, tls: Tls, seed: Seed) -> Negotiation {
        Negotiation::framed(settings, tls, seed, Framing::Document)
    }

    /// The same over a transport that frames its streams in its own way.
    pub fn framed(settings: Arc<Settings>, tls: Tls, seed: Seed, framing: Framing) -> Negotiation {
        let domain = settings.domains.default_name().to_owned();
        Negotiation {
            settings,
            seed,
            transport: tls.into(),
            framing,
            phase: Phase::Open,
            opened: false,
            domain,
            lang: None,
            login: Login::default(),
            sasl2: Sasl2Login::default(),
            bind: Binding::default(),
            question: None,
            held: VecDeque::new(),
            outputs: VecDeque::new(),
        }
    }

    /// What to do next; ask until there is nothing left.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// How far the stream is.
    pub fn stage(&self) -> Stage {
        match (&self.transport, self.login.account(), self.bind.jid()) {
            (Transport::Open, ..) => Stage::Tls,
            (_, None, _) => Stage::Login,
            (_, Some(_), None) => Stage::Bind,
            (_, Some(_), Some(_)) => Stage::Bound,
        }
    }

    /// The domain that the stream is for: the one that the client asked for last, the first one before it has.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Language of what the client sends, where it says no other (RFC 6120 §4.7.4); `None` where its header named none.
    pub fn lang(&self) -> Option<&str> {
        self.lang.as_deref()
    }

    /// The account that is logged in.
    pub fn account(&self) -> Option<&BareJid> {
        self.login.account()
    }

    /// Which client logged in by SASL2, or tries to, if it said so. Not to be shown to others.
    pub fn user_agent(&self) -> Option<&UserAgent> {
        self.sasl2.user_agent()
    }

    /// Whether a question is open. Better to read no further until it is answered: what comes
    /// meanwhile is held, but not for long (see [`HELD_EVENTS_MAX`]).
    pub fn awaits_answer(&self) -> bool {
        self.question.is_some()
    }

    /// Whether the stream is at its end.
    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// An event of the reader.
    pub fn handle_event(&mut self, event: Event) {
        match event {
            Event::Header(header) => self.handle_header(header),
            Event::Stanza(stanza) => self.handle_stanza(stanza),
            Event::Close => self.handle_close(),
            Event::Whitespace => self.handle_whitespace(),
            Event::Skipped(skipped) => self.handle_error(skipped.limit.into()),
        }
    }

    /// The client opens its stream, or opens it again.
    pub fn handle_header(&mut self, header: Header) {
        self.take(Input::Header(header));
    }

    /// A top-level element.
    pub fn handle_stanza(&mut self, stanza: Stanza) {
        self.take(Input::Stanza(stanza));
    }

    /// White space between elements: nothing, but while a log-in by SASL2 goes on, in which it is forbidden.
    pub fn handle_whitespace(&mut self) {
        // All that comes meanwhile is one blank.
        if self.phase == Phase::Open && !matches!(self.held.back(), Some(Input::Whitespace)) {
            self.take(Input::Whitespace);
        }
    }

    /// The client ends its stream.
    pub fn handle_close(&mut self) {
        self.take(Input::Close);
    }

    /// What came is no XMPP.
    pub fn handle_error(&mut self, error: WireError) {
        self.take(Input::Error(error));
    }

    /// Outcome of [`Reader::restart`](waxwing_wire::Reader::restart): `true` if bytes were dropped.
    /// Before TLS somebody else may have sent them, and after log-in the client has to wait for the
    /// outcome: either way the stream ends (RFC 6120 §5.4.3.3, §6.4.6).
    pub fn handle_restart(&mut self, dropped: bool) {
        if dropped {
            let text = "nothing may be sent before the stream is restarted";
            self.close(StreamError::new(StreamCondition::PolicyViolation, text));
        }
    }

    /// Negotiation took longer than [`NEGOTIATION_SECS_MAX`].
    pub fn handle_timeout(&mut self) {
        let text = "negotiation took too long";
        self.close(StreamError::new(StreamCondition::ConnectionTimeout, text));
    }

    /// The TLS handshake is done; a new stream begins inside it.
    pub fn tls_started(&mut self, binding: TlsBinding) {
        if self.phase == Phase::Handshake {
            self.phase = Phase::Open;
            self.opened = false;
            self.transport = Transport::Tls(binding);
        }
    }

    /// Answers [`Output::NeedCredentials`].
    pub fn provide_credentials(&mut self, account: impl Into<Account>) {
        if self.is_answer(Question::Credentials) {
            features::provide_credentials(self, account.into());
            self.take_held();
        }
    }

    /// The outcome of [`Output::Stretch`].
    pub fn handle_stretched(&mut self, stretched: Stretched) {
        if self.is_answer(Question::Stretch) {
            features::handle_stretched(self, stretched);
            self.take_held();
        }
    }

    /// Answers [`Output::NeedBind`] with the address that the session gets, which may be another
    /// than was asked for, or with why it gets none; the client may try again then.
    pub fn provide_bind(&mut self, bound: Result<FullJid, StanzaError>) {
        if self.is_answer(Question::Bind) {
            features::provide_bind(self, bound);
            self.take_held();
        }
    }

    /// Answers [`Output::NeedTokens`] with what is stored, and the time in seconds since 1970.
    pub fn provide_tokens(&mut self, tokens: KnownTokens, now_secs: u64) {
        if self.is_answer(Question::Tokens) {
            features::provide_tokens(self, tokens, now_secs);
            self.take_held();
        }
    }

    /// Answers [`Output::StoreTokens`]: whether it is durable. If it is not, a log-in by token fails, and a
    /// token that was asked for is not given.
    pub fn tokens_stored(&mut self, stored: bool) {
        if self.is_answer(Question::Store) {
            features::tokens_stored(self, stored);
            self.take_held();
        }
    }

    /// Answers [`Output::StoreKeys`]: whether it is durable; otherwise the log-in fails.
    pub fn upgrade_stored(&mut self, stored: bool) {
        if self.is_answer(Question::Upgrade) {
            features::upgrade_stored(self, stored);
            self.take_held();
        }
    }

    /// Answers [`Output::NeedResume`] with the session's address and what the client is told, or with why
    /// there is none; then a resource is bound if the client asked for one.
    pub fn provide_resume(&mut self, resumed: Result<(FullJid, Resumed), Failed>) {
        if self.is_answer(Question::Resume) {
            features::provide_resume(self, resumed);
            self.take_held();
        }
    }

    /// Answers [`Output::NeedBind2`] with the session's address and what the client is told about what it
    /// asked for, or with nothing: then the client is logged in and may bind as in RFC 6120, which has
    /// words for why it gets none.
    pub fn provide_bind2(&mut self, bound: Option<Bound2>) {
        if self.is_answer(Question::Bind2) {
            features::provide_bind2(self, bound);
            self.take_held();
        }
    }

    /// The server has resumed a session by itself (XEP-0198 `<resume/>`, an [`Output::Element`]):
    /// negotiation is over as if that address had been bound. Gives no [`Output::Bound`].
    pub fn resumed(&mut self, jid: FullJid) {
        if self.stage() == Stage::Bind && self.phase == Phase::Open {
            self.bind.set_jid(jid);
        }
    }

    /// Ends the stream with an error, whatever it was doing: `system-shutdown`, `conflict`, `reset`
    /// and all others.
    pub fn close(&mut self, error: StreamError) {
        match self.phase {
            Phase::Closed => return,
            // What we say in the clear now would stand in the way of TLS.
            Phase::Handshake => {}
            Phase::Open => {
                self.open(None);
                for bytes in self.framing.error(&error) {
                    self.send(bytes);
                }
            }
        }
        self.end(Some(error));
    }

    /// Ends the stream without error.
    pub fn finish(&mut self) {
        if self.phase == Phase::Open {
            self.open(None);
            self.send(self.framing.close());
        }
        if self.phase != Phase::Closed {
            self.end(None);
        }
    }

    fn end(&mut self, error: Option<StreamError>) {
        self.phase = Phase::Closed;
        self.question = None;
        self.held.clear();
        self.outputs.push_back(Output::Close(error));
    }

    /// Whether that was asked; it is not any more.
    fn is_answer(&mut self, question: Question) -> bool {
        self.question.take_if(|open| *open == question).is_some()
    }

    fn send(&mut self, bytes: Bytes) {
        self.outputs.push_back(Output::Send(bytes));
    }

    fn ask(&mut self, question: Question, output: Output) {
        self.question = Some(question);
        self.outputs.push_back(output);
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Output::Send(bytes) => write!(f, "Send([{} bytes])", bytes.len()),
            Output::StartTls => f.write_str("StartTls"),
            Output::RestartReader => f.write_str("RestartReader"),
            Output::NeedCredentials { account, mechanism } => {
                write!(f, "NeedCredentials({account}, {mechanism:?})")
            }
            Output::Stretch(stretch) => write!(f, "{stretch:?}"),
            Output::Authenticated { jid, mechanism } => {
                write!(f, "Authenticated({jid}, {mechanism:?})")
            }
            Output::LoginFailed { account, reason } => {
                write!(f, "LoginFailed({account:?}, {reason:?})")
            }
            Output::NeedTokens { device, mechanism } => {
                write!(f, "NeedTokens({}, {mechanism:?})", device.account)
            }
            Output::StoreTokens { device, .. } => write!(f, "StoreTokens({})", device.account),
            Output::StoreKeys { account, keys } => write!(f, "StoreKeys({account}, {keys:?})"),
            Output::NeedResume(resume) => write!(f, "NeedResume({})", resume.h),
            Output::NeedBind2(request) => write!(f, "NeedBind2({})", request.jid),
            Output::Resumed(jid) => write!(f, "Resumed({jid})"),
            Output::NeedBind { jid, proposed } => write!(f, "NeedBind({jid}, {proposed})"),
            Output::Bound(jid) => write!(f, "Bound({jid})"),
            Output::Element(stanza) => write!(f, "Element(<{}/>)", stanza.name()),
            Output::Close(error) => write!(f, "Close({error:?})"),
        }
    }
}

impl fmt::Debug for Negotiation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Negotiation")
            .field("stage", &self.stage())
            .field("phase", &self.phase)
            .field("domain", &self.domain)
            .field("login", &self.login)
            .field("question", &self.question)
            .field("held", &self.held.len())
            .field("outputs", &self.outputs)
            .finish_non_exhaustive()
    }
}
