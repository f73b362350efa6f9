//! A stream until a resource is bound: the shell around `waxwing_stream::server`.

use std::collections::BTreeMap;
use std::sync::Arc;

use waxwing_stanza::xep::xep_0077_registration::{
    NS as REGISTER, Registration as Query, StreamFeature,
};
use waxwing_stanza::xep::xep_0379_preauth::Preauth;
use waxwing_stanza::{BareJid, Condition, FullJid, IqType, Payload, Reply, StanzaError};
use waxwing_stream::Framing;
use waxwing_stream::sasl::{
    Account as Known, Credentials, Failure, FakeSalts, Mechanism, Stretch, TokenKey, TokenPolicy,
};
use waxwing_stream::server::{
    Domain, Domains, ExtraFeature, Negotiation, Output, Sasl2, Settings, Stage, Takes, Tls,
};
use waxwing_stream::sm::{Nonza, Resume, SM};
use waxwing_wire::{Limits, Stanza};

use crate::accounts;
use crate::connection::{Connection, Phase, Step};
use crate::devices::{self, Proof};
use crate::link::Security;
use crate::live::Keys;
use crate::logins;
use crate::metrics::Limit;
use crate::options::Options;
use crate::registry::Registry;
use crate::server::Server;
use crate::session::Session;
use crate::settings::TokenSecret;
use crate::throttle::{self, Network};
use crate::xep::xep_0077_registration::Applicant;
use crate::xep::{
    xep_0077_registration as registration, xep_0175_guests as guests,
    xep_0198_sm as stream_management, xep_0445_invited as tokens,
};

const DAY_SECS: u64 = 86_400;

/// What the streams of clients are made from.
pub(crate) struct Common<'a> {
    /// The options of each domain that is served.
    pub(crate) domains: &'a BTreeMap<String, Options>,
    /// The domain that speaks where no other is meant.
    pub(crate) default: &'a str,
    /// The server's own keys.
    pub(crate) keys: Keys,
    /// Keys of tokens, the one for new ones first.
    pub(crate) token_keys: &'a [TokenSecret],
    /// Days for which a token is good; none are given where it is zero.
    pub(crate) token_days: u64,
    /// Rounds of key stretching.
    pub(crate) iterations: u32,
}

/// What all client streams of the server have in common.
pub(crate) fn settings(common: &Common<'_>, registry: &Registry) -> Arc<Settings> {
    let mut served = Domains::new(common.default);
    for name in common.domains.keys() {
        served = served.with(name.clone(), Domain::Served);
    }
    let salts = FakeSalts::new(common.keys.decoys, common.iterations);
    let mut settings = Settings::new(served, salts);
    settings.sasl2 = Some(sasl2(common, registry));
    for (domain, options) in common.domains {
        if guests::are_taken(options) {
            settings.guests.insert(domain.clone());
        }
        let offered = registry.stream_features.iter();
        settings
            .features
            .extend(offered.map(|(stage, feature)| ExtraFeature {
                domain: Some(domain.clone()),
                stage: *stage,
                element: feature(registry, options),
                takes: Vec::new(),
            }));
    }
    settings.features.push(ExtraFeature {
        domain: None,
        stage: Stage::Bind,
        element: None,
        takes: vec![Takes::Element {
            ns: SM,
            name: "resume",
        }],
    });
    // Whoever was invited may register anywhere, and clients look for registration's own feature (XEP-0445 "Discovery"). Others are
    // refused in words, not by the end of the stream (XEP-0077 §3.1).
    for domain in common.domains.keys() {
        let shown = Takes::Iq {
            ns: Preauth::NS,
            name: Preauth::NAME,
        };
        settings.features.push(ExtraFeature {
            domain: Some(domain.clone()),
            stage: Stage::Login,
            element: None,
            takes: vec![shown],
        });
        settings.features.push(ExtraFeature {
            domain: Some(domain.clone()),
            stage: Stage::Login,
            element: Some(StreamFeature {}.write()),
            takes: vec![Takes::Iq {
                ns: REGISTER,
                name: "query",
            }],
        });
    }
    Arc::new(settings)
}

/// What is offered by SASL2 (XEP-0388).
fn sasl2(common: &Common<'_>, registry: &Registry) -> Sasl2 {
    let resource_key = TokenKey::new(common.keys.resources);
    let mut keys = common.token_keys.iter().map(TokenSecret::bytes);
    let key = keys.next().map(TokenKey::new);
    let key = key.map(|key| keys.fold(key, TokenKey::with_former));
    let days = Some(common.token_days).filter(|days| key.is_some() && *days > 0);
    let mut sasl2 = Sasl2::new(key.unwrap_or_else(|| resource_key.clone()));
    sasl2.tokens = days.map(|days| TokenPolicy {
        token_secs: days * DAY_SECS,
        // Who comes each day gets a new one in each third of that time.
        rotate_secs: days * DAY_SECS * 2 / 3,
        ..TokenPolicy::default()
    });
    sasl2.resource_key = resource_key;
    sasl2.upgrade_iterations = common.iterations;
    let namespaces = registry.bind2_namespaces();
    sasl2.bind_features = namespaces.map(str::to_owned).collect();
    sasl2
}

/// Negotiation of one stream.
pub(crate) fn negotiation(server: &Server, security: Security, framing: Framing) -> Negotiation {
    let tls = match security {
        Security::StartTls => Tls::Required,
        Security::Tls(binding) => Tls::Started(binding),
        Security::PlainLoopback => Tls::PlainAllowed,
    };
    Negotiation::framed(server.stream_settings(), tls, server.seed(), framing)
}

/// Does what negotiation asks for.
pub(crate) fn handle_output(connection: &mut Connection, output: Output) {
    match output {
        Output::Send(bytes) => connection.output.push(bytes),
        Output::StartTls => {
            restart(connection);
            connection.start_tls = true;
        }
        Output::RestartReader => restart(connection),
        Output::NeedCredentials {
            account,
            mechanism: Mechanism::Anonymous,
        } => admit_guest(connection, &account),
        Output::NeedCredentials { account, .. } => look_up(connection, account),
        Output::Stretch(work) => stretch(connection, work),
        Output::NeedTokens { device, .. } => devices::look_up(connection, device),
        Output::StoreTokens {
            device,
            before,
            after,
        } => devices::store(connection, device, before, after),
        Output::StoreKeys { account, keys } => devices::upgrade(connection, account, keys),
        Output::Authenticated { jid, .. } => authenticated(connection, jid),
        Output::LoginFailed { account, reason } => failed(connection, account.as_ref(), reason),
        Output::NeedBind { jid, .. } => bind(connection, jid),
        Output::NeedResume(resume) => {
            if let Some(account) = account(connection) {
                devices::resume(connection, account, resume);
            }
        }
        Output::NeedBind2(request) => devices::bind(connection, *request),
        Output::Resumed(_) => stream_management::resumed_inline(connection),
        Output::Bound(_) => bound(connection),
        Output::Element(stanza) => element(connection, &stanza),
        Output::Close(_) => connection.phase = Phase::Ended,
    }
}

pub(crate) fn negotiate(connection: &mut Connection, step: impl FnOnce(&mut Negotiation)) {
    if let Phase::Negotiating(negotiation) = &mut connection.phase {
        step(negotiation);
    }
}

fn restart(connection: &mut Connection) {
    let dropped = connection.reader.restart();
    negotiate(connection, |negotiation| {
        negotiation.handle_restart(dropped);
    });
}

fn look_up(connection: &mut Connection, account: BareJid) {
    let server = connection.server.clone();
    let network = Network::of(connection.peer);
    let changes = server.withdrawals();
    connection.wait_for(async move {
        let allowed = throttle::allows(&server, network, &account).await;
        let known = match allowed {
            Ok(true) => accounts::load(server.store(), &account).await.map(Some),
            Ok(false) => Ok(None),
            Err(error) => Err(error),
        };
        let mut proof = Proof::default();
        let known = match known {
            Ok(Some(Some(stored))) => {
                proof = Proof::of_password(account, &stored, changes);
                stored.known()
            }
            Ok(Some(None)) => Known::Missing,
            Ok(None) => {
                server.metrics().login_throttled();
                Known::Unavailable
            }
            Err(error) => {
                tracing::error!(%error, "an account could not be read");
                Known::Unavailable
            }
        };
        Box::new(move |connection: &mut Connection| {
            connection.proof = proof;
            negotiate(connection, |negotiation| {
                negotiation.provide_credentials(known);
            });
        }) as Step
    });
}

/// XEP-0175: nobody is looked up; there may be too many guests.
fn admit_guest(connection: &mut Connection, account: &BareJid) {
    let server = &connection.server;
    let options = server.options_of(account.domain());
    connection.guest = server.guests().admit(&options, connection.peer);
    let known = match connection.guest {
        Some(_) => Known::Active(Credentials::new([])),
        None => {
            server.metrics().limit(Limit::Guests);
            Known::Unavailable
        }
    };
    negotiate(connection, |negotiation| {
        negotiation.provide_credentials(known);
    });
}

/// Key stretching takes milliseconds: other connections must not wait for it.
fn stretch(connection: &mut Connection, work: Stretch) {
    let (send, receive) = futures_channel::oneshot::channel();
    connection
        .server
        .outside()
        .tasks
        .blocking(Box::new(move || {
            // The client may be gone.
            let _gone = send.send(work.run());
        }));
    connection.wait_for(async move {
        let stretched = receive.await;
        Box::new(move |connection: &mut Connection| match stretched {
            Ok(stretched) => negotiate(connection, |negotiation| {
                negotiation.handle_stretched(stretched);
            }),
            Err(_) => connection.fail(waxwing_stream::StreamCondition::SystemShutdown.into()),
        }) as Step
    });
}

fn authenticated(connection: &mut Connection, account: BareJid) {
    // What the features say from now on (XEP-0478).
    connection.reader.set_limits(Limits::CLIENT);
    let (server, network) = (connection.server.clone(), Network::of(connection.peer));
    server.metrics().logged_in();
    if connection.guest.is_some() {
        return;
    }
    logins::note(&server, &account);
    throttle::succeeded(&server, network, account);
}

fn failed(connection: &Connection, account: Option<&BareJid>, reason: Failure) {
    let server = &connection.server;
    server.metrics().login_failed(reason);
    if reason == Failure::NotAuthorized {
        throttle::failed(server, Network::of(connection.peer), account);
    }
    if server.options().flag(&crate::settings::LOG_FAILED_LOGINS) {
        tracing::warn!(peer = %connection.peer, ?reason, "a log-in failed");
    }
    if let Some(account) = account {
        tracing::debug!(%account, ?reason, "a log-in failed");
    }
}

fn bind(connection: &mut Connection, jid: FullJid) {
    let told = |connection: &mut Connection, bound: Result<Arc<Session>, StanzaError>| {
        if let Ok(session) = &bound {
            devices::note(connection, session);
        }
        let answer = bound.map(|session| session.jid.clone());
        negotiate(connection, |negotiation| negotiation.provide_bind(answer));
    };
    devices::bind_proven(connection, jid, Box::new(told));
}

/// Who has logged in.
pub(crate) fn account(connection: &Connection) -> Option<BareJid> {
    match &connection.phase {
        Phase::Negotiating(negotiation) => negotiation.account().cloned(),
        _ => None,
    }
}

fn bound(connection: &mut Connection) {
    if let Some(session) = connection.adopted.take() {
        connection.bound(session);
    }
}

/// What negotiation leaves to features of the server.
fn element(connection: &mut Connection, stanza: &Stanza) {
    if stanza.name() == "iq" && Preauth::is_in(stanza) {
        return show_token(connection, stanza.clone());
    }
    if stanza.name() == "iq" {
        return register(connection, stanza.clone());
    }
    match Nonza::read(stanza) {
        Ok(Some(Nonza::Resume(Resume { previd, h }))) => {
            if let Some(account) = account(connection) {
                stream_management::resume(connection, account, previd, h);
            }
        }
        Ok(_) => connection.fail(waxwing_stream::StreamCondition::UnsupportedStanzaType.into()),
        Err(_) if stream_management::is_request(stanza) => {
            let answer = stream_management::failed(Condition::BadRequest, None);
            connection.output.push(answer.bytes);
        }
        Err(error) => connection.fail(error),
    }
}

/// The domain that a request before log-in is for.
fn asked_domain(connection: &Connection, stanza: &Stanza) -> Option<String> {
    match (stanza.to(), &connection.phase) {
        (None, Phase::Negotiating(negotiation)) => Some(negotiation.domain().to_owned()),
        (to, _) => connection.server.domain_of(to.as_deref()),
    }
}

/// XEP-0445: somebody was invited, which the stream remembers.
fn show_token(connection: &mut Connection, stanza: Stanza) {
    let server = connection.server.clone();
    let domain = asked_domain(connection, &stanza);
    let network = Network::of(connection.peer);
    connection.wait_for(async move {
        let shown = tokens::shown(&server, domain, &stanza, network).await;
        let (reply, invited) = match shown {
            Ok(invited) => (Reply::new(&stanza).result(None), Some(invited)),
            Err(error) => (Reply::new(&stanza).error(&error), None),
        };
        Box::new(move |connection: &mut Connection| {
            if let Some(invited) = invited {
                connection.invited = Some(Box::new(invited));
            }
            connection.output.extend(reply);
        }) as Step
    });
}

/// XEP-0077 before log-in.
fn register(connection: &mut Connection, stanza: Stanza) {
    let server = connection.server.clone();
    let domain = asked_domain(connection, &stanza);
    let (peer, invited) = (connection.peer, connection.invited.clone());
    connection.wait_for(async move {
        let applicant = Applicant {
            peer,
            invited: invited.as_deref(),
        };
        let outcome = registered(&server, domain, &stanza, applicant).await;
        let reply = match outcome {
            Ok(query) => Reply::new(&stanza).result(query.map(|query| query.write()).as_ref()),
            Err(error) => Reply::new(&stanza).error(&error),
        };
        Box::new(move |connection: &mut Connection| connection.output.extend(reply)) as Step
    });
}

async fn registered(
    server: &Server,
    domain: Option<String>,
    stanza: &Stanza,
    applicant: Applicant<'_>,
) -> Result<Option<Query>, StanzaError> {
    let domain = domain.ok_or(Condition::ItemNotFound)?;
    let payload = stanza
        .children()
        .next()
        .ok_or(Condition::BadRequest)?
        .element();
    let query = Query::read(&payload)?;
    registration::before_login(server, &domain, IqType::of(stanza)?, query, applicant).await
}
