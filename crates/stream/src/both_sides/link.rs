//! A client and a server in memory, with somebody between them who may cut bytes anywhere and change
//! what passes.

use std::sync::Arc;

use crate::client::{self, FastToken, KnownOffer, NegotiationError};
use crate::sasl::{
    Account, Credentials, Failure, FakeSalts, Hash, KnownTokens, Mechanism, Password, ScramKeys,
    TlsBinding, Tokens,
};
use crate::server::{self, Bind2Request, Bound2, Domains, ExtraFeature, Stage, Takes, Tls};
use crate::sm::{Enable, Enabled, Failed, Nonza, Resume, Resumed, SM};
use crate::{Seed, StreamError};
use bytes::Bytes;
use waxwing_stanza::{BareJid, FullJid, Payload, StanzaError};
use waxwing_wire::{Element, Limits, Reader};

/// The time, in seconds since 1970.
pub(super) const NOW_SECS: u64 = 1_700_000_000;

/// Rounds for every account: what is tested here is not how slow it is.
pub(super) const ITERATIONS: u32 = 2;

pub(super) fn password(text: &str) -> Password {
    Password::prepare(text).unwrap()
}

/// The account `alice@example.org`, password `pencil`.
pub(super) fn credentials() -> Credentials {
    let password = password("pencil");
    Credentials::new(
        Hash::ALL.map(|hash| ScramKeys::derive(hash, &password, b"a salt of 16 byt", ITERATIONS)),
    )
}

pub(super) fn binding() -> TlsBinding {
    TlsBinding {
        tls_exporter: Some([7; 32]),
        server_end_point: Some(vec![8; 32]),
        sni: None,
        version: Some(0x0304),
    }
}

pub(super) fn client_settings() -> client::Settings {
    let account: BareJid = "alice@example.org".parse().unwrap();
    client::Settings {
        mechanisms: Mechanism::ALL.to_vec(),
        iterations: 1..=100,
        ..client::Settings::new(account, password("pencil"))
    }
}

pub(super) fn server_settings() -> server::Settings {
    let sm = |name| Takes::Element { ns: SM, name };
    let features = [Stage::Bind, Stage::Bound].map(|stage| ExtraFeature {
        domain: None,
        stage,
        element: (stage == Stage::Bind).then(|| Element::new(SM, "sm")),
        takes: vec![sm("resume")],
    });
    server::Settings {
        features: features.into(),
        ..server::Settings::new(
            Domains::new("example.org"),
            FakeSalts::new([1; 32], ITERATIONS),
        )
    }
}

/// What one meeting of the two came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Story {
    pub(super) mechanism: Option<Mechanism>,
    pub(super) client_authenticated: bool,
    pub(super) server_bound: Option<FullJid>,
    pub(super) client_bound: Option<FullJid>,
    pub(super) enabled: Option<Enabled>,
    pub(super) resumed: Option<u32>,
    pub(super) resume_failed: Option<Failed>,
    pub(super) login_failures: Vec<Failure>,
    pub(super) upgraded: Vec<Hash>,
    pub(super) token: Option<FastToken>,
    pub(super) token_refused: Option<Failure>,
    pub(super) offer: Option<KnownOffer>,
    pub(super) server_resumed: Option<FullJid>,
    pub(super) bind2: Option<Bind2Request>,
    pub(super) inline: Vec<String>,
    pub(super) client_end: Option<Option<NegotiationError>>,
    pub(super) server_end: Option<Option<StreamError>>,
}

impl Story {
    pub(super) fn client_error(&self) -> Option<&NegotiationError> {
        self.client_end.as_ref()?.as_ref()
    }
}

/// How bytes travel.
pub(super) enum Cut {
    /// As they were sent.
    Never,
    /// Each by itself.
    Everywhere,
    /// The streams of both directions, each in two parts: before this byte, and from it.
    At(usize),
}

type Meddler = Box<dyn FnMut(String) -> String>;

pub(super) struct Link {
    client: client::Negotiation,
    server: server::Negotiation,
    client_reader: Reader,
    server_reader: Reader,
    to_client: Lane,
    to_server: Lane,
    handshakes: (bool, bool),
    pub(super) client_binding: TlsBinding,
    pub(super) server_binding: TlsBinding,
    pub(super) account: Account,
    pub(super) refuse_bind: Option<StanzaError>,
    /// A session that can be resumed, by its id, and how many stanzas it has handled.
    pub(super) session: Option<(&'static str, u32)>,
    /// What the store has of the client's tokens.
    pub(super) tokens: Tokens,
    /// Times that something was sent and had to arrive, in either direction.
    pub(super) flights: usize,
    story: Story,
}

struct Lane {
    bytes: Vec<u8>,
    carried: usize,
    cut: Cut,
    meddle: Option<Meddler>,
}

impl Lane {
    fn new() -> Lane {
        Lane {
            bytes: Vec::new(),
            carried: 0,
            cut: Cut::Never,
            meddle: None,
        }
    }

    fn send(&mut self, bytes: &Bytes) {
        match &mut self.meddle {
            None => self.bytes.extend_from_slice(bytes),
            Some(meddle) => {
                let text = std::str::from_utf8(bytes).unwrap().to_owned();
                self.bytes.extend_from_slice(meddle(text).as_bytes());
            }
        }
    }

    /// The next piece to arrive.
    fn take(&mut self) -> Option<Vec<u8>> {
        let length = match self.cut {
            Cut::Never => self.bytes.len(),
            Cut::Everywhere => 1.min(self.bytes.len()),
            Cut::At(at) if at > self.carried => self.bytes.len().min(at - self.carried),
            Cut::At(_) => self.bytes.len(),
        };
        self.carried += length;
        (length > 0).then(|| self.bytes.drain(..length).collect())
    }
}

impl Link {
    pub(super) fn new(client: client::Settings, server: server::Settings, tls: Tls) -> Link {
        Link {
            client: client::Negotiation::new(client, tls.clone(), Seed::new([5; 32])),
            server: server::Negotiation::new(Arc::new(server), tls, Seed::new([6; 32])),
            client_reader: Reader::new(Limits::BEFORE_LOGIN),
            server_reader: Reader::new(Limits::BEFORE_LOGIN),
            to_client: Lane::new(),
            to_server: Lane::new(),
            handshakes: (false, false),
            client_binding: binding(),
            server_binding: binding(),
            account: Account::Active(credentials()),
            refuse_bind: None,
            session: None,
            tokens: Tokens::default(),
            flights: 0,
            story: Story::default(),
        }
    }

    pub(super) fn cut(mut self, cut: fn() -> Cut) -> Link {
        (self.to_client.cut, self.to_server.cut) = (cut(), cut());
        self
    }

    pub(super) fn cut_at(mut self, at: usize) -> Link {
        (self.to_client.cut, self.to_server.cut) = (Cut::At(at), Cut::At(at));
        self
    }

    /// Somebody changes what the server says.
    pub(super) fn meddle(mut self, meddle: impl FnMut(String) -> String + 'static) -> Link {
        self.to_client.meddle = Some(Box::new(meddle));
        self
    }

    /// Bytes that either direction has carried.
    pub(super) fn carried(&self) -> usize {
        self.to_client.carried.max(self.to_server.carried)
    }

    /// Lets them talk until neither has anything more to say.
    pub(super) fn run(&mut self) -> Story {
        loop {
            self.drain_client();
            self.drain_server();
            if self.handshakes == (true, true) {
                self.handshakes = (false, false);
                self.client.tls_started(self.client_binding.clone());
                self.server.tls_started(self.server_binding.clone());
                continue;
            }
            let (to_server, to_client) = (self.to_server.take(), self.to_client.take());
            if to_server.is_none() && to_client.is_none() {
                return std::mem::take(&mut self.story);
            }
            self.flights += 1;
            self.server_reader.push(&to_server.unwrap_or_default());
            self.client_reader.push(&to_client.unwrap_or_default());
            self.read_server();
            self.read_client();
        }
    }

    fn read_server(&mut self) {
        while let Some(event) = self.server_reader.next().transpose() {
            match event {
                Ok(event) => self.server.handle_event(event),
                Err(error) => return self.server.handle_error(error),
            }
            self.drain_server();
        }
    }

    fn read_client(&mut self) {
        while let Some(event) = self.client_reader.next().transpose() {
            match event {
                Ok(event) => self.client.handle_event(event),
                Err(error) => return self.client.handle_error(error),
            }
            self.drain_client();
        }
    }

    fn drain_client(&mut self) {
        while let Some(output) = self.client.poll() {
            assert_eq!(self.story.client_end, None, "after the end: {output:?}");
            match output {
                client::Output::Send(bytes) => self.to_server.send(&bytes),
                client::Output::StartTls => {
                    self.handshakes.0 = true;
                    let dropped = self.client_reader.restart();
                    self.client.handle_restart(dropped);
                }
                client::Output::RestartReader => {
                    let dropped = self.client_reader.restart();
                    self.client.handle_restart(dropped);
                }
                client::Output::Stretch(stretch) => self.client.handle_stretched(stretch.run()),
                client::Output::Authenticated => self.story.client_authenticated = true,
                client::Output::ResumeFailed(failed) => self.story.resume_failed = Some(failed),
                client::Output::Resumed { h } => self.story.resumed = Some(h),
                client::Output::Bound { jid, enabled } => {
                    self.story.client_bound = Some(jid);
                    self.story.enabled = enabled;
                }
                client::Output::Token(token) => self.story.token = Some(token),
                client::Output::TokenRefused(why) => self.story.token_refused = Some(why),
                client::Output::Offer(offer) => self.story.offer = Some(offer),
                client::Output::Inline(element) => {
                    self.story.inline.push(element.name().to_owned());
                }
                client::Output::Element(_) => {}
                client::Output::Close(error) => self.story.client_end = Some(error),
            }
        }
    }

    fn drain_server(&mut self) {
        while let Some(output) = self.server.poll() {
            assert_eq!(self.story.server_end, None, "after the end: {output:?}");
            match output {
                server::Output::Send(bytes) => self.to_client.send(&bytes),
                server::Output::StartTls => {
                    self.handshakes.1 = true;
                    let dropped = self.server_reader.restart();
                    self.server.handle_restart(dropped);
                }
                server::Output::RestartReader => {
                    let dropped = self.server_reader.restart();
                    self.server.handle_restart(dropped);
                }
                server::Output::NeedCredentials { account, .. } => {
                    let known = account == "alice@example.org";
                    let account = if known {
                        self.account.clone()
                    } else {
                        Account::Missing
                    };
                    self.server.provide_credentials(account);
                }
                server::Output::Stretch(stretch) => self.server.handle_stretched(stretch.run()),
                server::Output::Authenticated { mechanism, .. } => {
                    self.story.mechanism = Some(mechanism);
                }
                server::Output::LoginFailed { reason, .. } => {
                    self.story.login_failures.push(reason);
                }
                server::Output::NeedBind { jid, .. } => {
                    self.server
                        .provide_bind(self.refuse_bind.clone().map_or(Ok(jid), Err));
                }
                server::Output::NeedTokens { .. }
                | server::Output::StoreTokens { .. }
                | server::Output::StoreKeys { .. } => self.store(output),
                server::Output::NeedResume(resume) => {
                    let answer = self.session_of(&resume.previd);
                    self.server.provide_resume(answer);
                }
                server::Output::NeedBind2(request) => self.bind2(*request),
                server::Output::Resumed(jid) => self.story.server_resumed = Some(jid),
                server::Output::Bound(jid) => self.story.server_bound = Some(jid),
                server::Output::Element(stanza) => self.serve(&Nonza::read(&stanza).unwrap()),
                server::Output::Close(error) => self.story.server_end = Some(error),
            }
        }
    }

    /// As much of a store as log-ins need.
    fn store(&mut self, output: server::Output) {
        match output {
            server::Output::NeedTokens { .. } => {
                let known = KnownTokens::Active(self.tokens.clone());
                self.server.provide_tokens(known, NOW_SECS);
            }
            server::Output::StoreTokens { before, after, .. } => {
                assert_eq!(before, self.tokens);
                self.tokens = after;
                self.server.tokens_stored(true);
            }
            server::Output::StoreKeys { keys, .. } => {
                self.story.upgraded.push(keys.hash());
                if let Account::Active(credentials) = &self.account {
                    let all = credentials.keys().iter().cloned().chain([keys]);
                    self.account = Account::Active(Credentials::new(all));
                }
                self.server.upgrade_stored(true);
            }
            other => panic!("{other:?}"),
        }
    }

    fn session_of(&self, previd: &str) -> Result<(FullJid, Resumed), Failed> {
        match self.session {
            Some((id, h)) if id == previd => Ok((
                "alice@example.org/old".parse().unwrap(),
                Resumed {
                    previd: previd.to_owned(),
                    h,
                },
            )),
            _ => Err(Failed {
                h: Some(9),
                condition: Some(waxwing_stanza::Condition::ItemNotFound),
            }),
        }
    }

    /// A session with whatever is wanted for it.
    fn bind2(&mut self, request: Bind2Request) {
        let mut results = vec![Element::new("urn:xmpp:mam:2", "metadata")];
        if request.features.iter().any(|feature| feature.ns() == SM) {
            let enabled = Enabled {
                id: Some("new".to_owned()),
                resume: true,
                max: Some(600),
                location: None,
            };
            results.push(enabled.write());
        }
        let jid = request.jid.clone();
        self.story.bind2 = Some(request);
        self.server.provide_bind2(Some(Bound2 { jid, results }));
    }

    /// As much of a server as stream management needs.
    fn serve(&mut self, nonza: &Option<Nonza>) {
        let answer = match nonza {
            Some(Nonza::Enable(Enable { resume, .. })) => {
                let id = resume.then(|| "new".to_owned());
                Nonza::Enabled(Enabled {
                    id,
                    resume: *resume,
                    max: Some(600),
                    location: None,
                })
            }
            Some(Nonza::Resume(Resume { previd, .. })) => match self.session {
                Some((id, h)) if id == previd => {
                    self.server
                        .resumed("alice@example.org/old".parse().unwrap());
                    Nonza::Resumed(Resumed {
                        previd: previd.clone(),
                        h,
                    })
                }
                _ => Nonza::Failed(Failed {
                    h: Some(9),
                    condition: Some(waxwing_stanza::Condition::ItemNotFound),
                }),
            },
            _ => return,
        };
        self.to_client.send(&answer.to_bytes());
    }
}
