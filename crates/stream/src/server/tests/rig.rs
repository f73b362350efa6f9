//! A client that types XML, and an owner that answers questions at once.

use std::sync::Arc;

use waxwing_stanza::{Condition, FullJid, StanzaError};
use waxwing_wire::{Element, Limits, Reader};

use crate::sasl::{
    Account, Credentials, Device, Failure, FakeSalts, KnownTokens, Password, ScramKeys, TlsBinding,
    Tokens,
};
use crate::server::{Bind2Request, Bound2, Domain, Domains, Negotiation, Output, Settings, Tls};
use crate::sm::{Failed, Resumed};
use crate::{Seed, StreamCondition, StreamError};

pub(super) const HEADER: &str = "<?xml version='1.0'?><stream:stream to='example.org' version='1.0' \
    xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
pub(super) const STARTTLS: &str = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
/// `\0alice\0pencil`
pub(super) const AUTH: &str =
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGFsaWNlAHBlbmNpbA==</auth>";
pub(super) const BIND: &str =
    "<iq type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";

pub(super) fn settings() -> Settings {
    let domains = Domains::new("example.org")
        .with("gone.example", Domain::Gone)
        .with(
            "moved.example",
            Domain::Elsewhere("[2001:db8::1]:5222".into()),
        )
        .with("second.example", Domain::Served);
    Settings::new(domains, FakeSalts::new([1; 32], 10))
}

pub(super) fn binding() -> TlsBinding {
    TlsBinding {
        tls_exporter: Some([7; 32]),
        server_end_point: Some(vec![8; 32]),
        sni: None,
        version: Some(0x0304),
    }
}

pub(super) fn credentials() -> Credentials {
    Credentials::derive(
        &Password::prepare("pencil").unwrap(),
        &mut Seed::new([2; 32]),
        10,
    )
}

pub(super) struct Rig {
    pub(super) negotiation: Negotiation,
    reader: Reader,
    /// What was sent since it was last looked at.
    sent: String,
    pub(super) failures: Vec<Failure>,
    pub(super) authenticated: Option<String>,
    pub(super) bound: Option<FullJid>,
    pub(super) elements: Vec<String>,
    pub(super) closed: Option<Option<StreamError>>,
    /// Whether questions are left open.
    pub(super) silent: bool,
    /// The account `alice`.
    pub(super) account: Account,
    /// All others.
    pub(super) others: Account,
    /// What binding comes to, other than what was asked for.
    pub(super) refuse_bind: Option<StanzaError>,
    pub(super) start_tls: bool,
    /// What the store has of tokens, of any device.
    pub(super) tokens: Tokens,
    /// How the account of those is.
    pub(super) known: fn(Tokens) -> KnownTokens,
    pub(super) now_secs: u64,
    /// Whether the store stores.
    pub(super) stores: bool,
    /// Who was asked about tokens.
    pub(super) devices: Vec<Device>,
    /// Keys that were stored.
    pub(super) keys: Vec<ScramKeys>,
    /// A session that can be resumed, by its id.
    pub(super) session: Option<&'static str>,
    pub(super) resumed: Option<FullJid>,
    /// What was asked for with a log-in, and whether it is given.
    pub(super) bind2: Vec<Bind2Request>,
    pub(super) gives_bind2: bool,
}

impl Rig {
    pub(super) fn new(tls: Tls) -> Rig {
        Rig::with(settings(), tls)
    }

    pub(super) fn with(settings: impl Into<Arc<Settings>>, tls: Tls) -> Rig {
        Rig {
            negotiation: Negotiation::new(settings.into(), tls, Seed::new([3; 32])),
            reader: Reader::new(Limits::BEFORE_LOGIN),
            sent: String::new(),
            failures: Vec::new(),
            authenticated: None,
            bound: None,
            elements: Vec::new(),
            closed: None,
            silent: false,
            account: Account::Active(credentials()),
            others: Account::Missing,
            refuse_bind: None,
            start_tls: false,
            tokens: Tokens::default(),
            known: KnownTokens::Active,
            now_secs: 1_000_000,
            stores: true,
            devices: Vec::new(),
            keys: Vec::new(),
            session: None,
            resumed: None,
            bind2: Vec::new(),
            gives_bind2: true,
        }
    }

    /// A stream in TLS, its features read.
    pub(super) fn in_tls() -> Rig {
        let mut rig = Rig::new(Tls::Started(binding()));
        rig.types(HEADER);
        rig
    }

    /// A stream after log-in, its features read.
    pub(super) fn logged_in() -> Rig {
        let mut rig = Rig::in_tls();
        rig.types(AUTH);
        rig.types(HEADER);
        rig
    }

    /// The client types; says what the server answers.
    pub(super) fn types(&mut self, xml: &str) -> String {
        self.reader.push(xml.as_bytes());
        loop {
            match self.reader.next() {
                Ok(Some(event)) => self.negotiation.handle_event(event),
                Ok(None) => break,
                Err(error) => {
                    self.negotiation.handle_error(error);
                    self.drain();
                    break;
                }
            }
            self.drain();
        }
        std::mem::take(&mut self.sent)
    }

    /// Does what the server wants, and says what it sent.
    pub(super) fn drains(&mut self) -> String {
        self.drain();
        std::mem::take(&mut self.sent)
    }

    fn drain(&mut self) {
        while let Some(output) = self.negotiation.poll() {
            assert!(self.closed.is_none(), "after the end: {output:?}");
            match output {
                Output::Send(bytes) => self.sent.push_str(std::str::from_utf8(&bytes).unwrap()),
                Output::StartTls | Output::RestartReader => {
                    self.start_tls |= matches!(output, Output::StartTls);
                    let dropped = self.reader.restart();
                    self.negotiation.handle_restart(dropped);
                }
                Output::LoginFailed { reason, .. } => self.failures.push(reason),
                Output::Authenticated { jid, .. } => self.authenticated = Some(jid.to_string()),
                Output::Bound(jid) => self.bound = Some(jid),
                Output::Resumed(jid) => self.resumed = Some(jid),
                Output::Element(stanza) => self.elements.push(format!("{stanza:?}")),
                Output::Close(error) => self.closed = Some(error),
                _ if self.silent => {}
                Output::NeedTokens { device, .. } => {
                    self.devices.push(device);
                    let known = (self.known)(self.tokens.clone());
                    self.negotiation.provide_tokens(known, self.now_secs);
                }
                Output::StoreTokens { before, after, .. } => {
                    assert_eq!(before, self.tokens);
                    if self.stores {
                        self.tokens = after;
                    }
                    self.negotiation.tokens_stored(self.stores);
                }
                Output::StoreKeys { keys, .. } => {
                    self.keys.push(keys);
                    self.negotiation.upgrade_stored(self.stores);
                }
                Output::NeedResume(resume) => {
                    let jid = || "alice@example.org/former".parse().unwrap();
                    let previd = resume.previd;
                    let answer = match self.session.filter(|id| *id == previd) {
                        Some(_) => Ok((jid(), Resumed { h: 7, previd })),
                        None => Err(Failed {
                            h: Some(9),
                            condition: Some(Condition::ItemNotFound),
                        }),
                    };
                    self.negotiation.provide_resume(answer);
                }
                Output::NeedBind2(request) => {
                    let bound = Bound2 {
                        jid: request.jid.clone(),
                        results: vec![Element::new("urn:xmpp:mam:2", "metadata")],
                    };
                    self.bind2.push(*request);
                    self.negotiation
                        .provide_bind2(Some(bound).filter(|_| self.gives_bind2));
                }
                Output::NeedCredentials { account, .. } => {
                    let account = match account.as_str() {
                        "alice@example.org" => self.account.clone(),
                        _ => self.others.clone(),
                    };
                    self.negotiation.provide_credentials(account);
                }
                Output::Stretch(stretch) => self.negotiation.handle_stretched(stretch.run()),
                Output::NeedBind { jid, .. } => {
                    let refused = self.refuse_bind.clone();
                    self.negotiation.provide_bind(refused.map_or(Ok(jid), Err));
                }
            }
        }
    }

    /// The condition that the stream was closed with.
    pub(super) fn condition(&self) -> Option<StreamCondition> {
        self.closed.clone()?.map(|error| error.condition)
    }
}
