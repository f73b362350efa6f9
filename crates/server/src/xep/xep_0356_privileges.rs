//! XEP-0356: Privileged Entity.
//!
//! <https://xmpp.org/extensions/xep-0356.html>
//!
//! What the operator grants to a component, with the accounts of the domain that its host is below.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use waxwing_stanza::xep::rfc6121_roster::Roster;
use waxwing_stanza::xep::xep_0297_forward::forward;
use waxwing_stanza::xep::xep_0356_privileges::{
    Access, Namespace, OUTGOING, Perm, Privilege, PrivilegedIq, Requests, Shown,
};
use waxwing_stanza::{BareJid, Condition, IqType, Jid, Payload, Reply, StanzaError};
use waxwing_wire::{Element, Stanza, Writer, ns};

use crate::addressee::{Addressee, Destination, destination};
use crate::component::settings::Served;
use crate::component::{Grants, Question};
use crate::cx::IqHead;
use crate::directory::Account;
use crate::effects::Effects;
use crate::registry::{Feature, Source, Status};
use crate::route;
use crate::server::{Server, read_again};
use crate::session::{Out, Session};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(356),
    title: "Privileged Entity",
    version: "0.4.1",
    status: Status::Partial(
        "a component that connects is shown who is there of its own domain, not yet contacts elsewhere (§8 rule 1)",
    ),
    ..Feature::NONE
};

/// What is said to a component of what it may do (§4.2, §5.2, §6.2, §7.2).
pub(crate) fn advertised(grants: &Grants) -> Option<Element> {
    let perm = |access, kind: Option<&str>| Perm {
        access,
        kind: kind.map(str::to_owned),
        push: None,
        namespaces: Vec::new(),
    };
    let mut perms = Vec::new();
    if grants.roster != Requests::None {
        perms.push(Perm {
            push: Some(grants.is_pushed()),
            ..perm(Access::Roster, Some(grants.roster.as_str()))
        });
    }
    if grants.message {
        perms.push(perm(Access::Message, Some(OUTGOING)));
    }
    if !grants.iq.is_empty() {
        let namespaces = grants.iq.iter().map(|(ns, kind)| Namespace {
            ns: ns.clone(),
            kind: *kind,
        });
        perms.push(Perm {
            namespaces: namespaces.collect(),
            ..perm(Access::Iq, None)
        });
    }
    if grants.presence != Shown::None {
        perms.push(perm(Access::Presence, Some(grants.presence.as_str())));
    }
    let privilege = Privilege {
        perms,
        forwarded: None,
    };
    (!privilege.perms.is_empty()).then(|| privilege.write())
}

fn served(server: &Server, session: &Session) -> Result<Served, StanzaError> {
    let settings = server.component_settings();
    let served = settings.get(session.jid.domain());
    served.cloned().ok_or_else(|| Condition::Forbidden.into())
}

/// The account that a component acts for.
async fn managed(server: &Server, whose: &BareJid) -> Result<Arc<Account>, StanzaError> {
    let account = server.account(whose).await?;
    account.ok_or_else(|| Condition::ItemNotFound.into())
}

/// A session that stands for a component that acts for an account, its stanzas coming from `address`.
fn acting(
    session: &Session,
    address: Jid,
    account: Arc<Account>,
    outlet: impl Fn(Out) + Send + Sync + 'static,
) -> Result<Arc<Session>, StanzaError> {
    let speaking = Session::speaking(address, account, session.jid.domain(), outlet);
    let speaking = speaking.ok_or(Condition::InternalServerError)?;
    Ok(Arc::new(speaking))
}

/// A message that a component sends for the domain, or for one of its accounts (§5.3); nothing where it is none of these.
pub(crate) async fn message(
    server: &Server,
    session: &Session,
    speaker: &Session,
    stanza: &Stanza,
) -> Result<Option<Effects>, StanzaError> {
    let Some(privilege) = Privilege::find_in(stanza)? else {
        return Ok(None);
    };
    let to = stanza.to().and_then(|to| to.parse::<Jid>().ok());
    let is_server = |to: &Jid| to.is_bare() && to.node().is_none() && server.serves(to.domain());
    let Some(to) = to.filter(is_server) else {
        return Ok(None);
    };
    let served = served(server, session)?;
    let is_of_component = speaker.account.jid.node().is_none();
    if served.domain != to.domain() || !served.grants.message || !is_of_component {
        return Err(Condition::Forbidden.into());
    }
    let forwarded = privilege.forwarded.and_then(|forwarded| forwarded.stanza);
    let message = forwarded.filter(|stanza| stanza.is(ns::CLIENT, "message"));
    let message = message.ok_or(Condition::BadRequest)?;
    let from: Option<Jid> = message.attr("from").and_then(|from| from.parse().ok());
    // §5.1: a bare address of the domain.
    let is_managed = |from: &Jid| from.is_bare() && from.domain() == served.domain;
    let from = from.filter(is_managed).ok_or(Condition::Forbidden)?;
    let account = match from.node() {
        Some(_) => managed(server, &from.bare()).await?,
        None => Arc::new(Account::outside(from.bare())),
    };
    // What comes back is for who is named, not for who has sent it.
    let acting = acting(session, from, account, |_| {})?;
    let inner = read_again(message.to_bytes(ns::CLIENT)).map_err(|_| Condition::BadRequest)?;
    let effects = crate::pipeline::message(server, &acting, inner).await?;
    Ok(Some(effects))
}

/// A request that a component makes by privilege: of a roster (§4.3), or for an account (§6.3). Nothing where it is neither.
pub(crate) async fn iq(
    server: &Server,
    session: &Arc<Session>,
    speaker: &Session,
    stanza: &Stanza,
) -> Result<Option<Effects>, StanzaError> {
    let (is_roster, is_wrapped) = (Roster::is_in(stanza), PrivilegedIq::is_in(stanza));
    if !is_roster && !is_wrapped {
        return Ok(None);
    }
    let to: Jid = match stanza.to().map(|to| to.parse()) {
        Some(Ok(to)) => to,
        _ => return Err(Condition::JidMalformed.into()),
    };
    if !is_wrapped && !server.serves(to.domain()) {
        return Ok(None);
    }
    let served = served(server, session)?;
    let is_account = to.is_bare() && to.node().is_some() && to.domain() == served.domain;
    // Those who are at a component are not the component.
    if !is_account || speaker.account.jid.node().is_some() {
        return Err(Condition::Forbidden.into());
    }
    let effects = match is_roster {
        true => of_roster(server, session, (&served, to.bare()), stanza).await,
        false => wrapped(server, session, (&served, to.bare()), stanza).await,
    };
    effects.map(Some)
}

fn allows(requests: Requests, kind: IqType) -> bool {
    match kind {
        IqType::Get => requests.has_get(),
        IqType::Set => requests.has_set(),
        IqType::Result | IqType::Error => false,
    }
}

/// The server answers as it would the account itself (§4.3).
async fn of_roster(
    server: &Server,
    session: &Arc<Session>,
    (served, whose): (&Served, BareJid),
    stanza: &Stanza,
) -> Result<Effects, StanzaError> {
    let kind = IqType::of(stanza)?;
    if !allows(served.grants.roster, kind) {
        return Err(Condition::Forbidden.into());
    }
    let id = stanza.id().ok_or(Condition::BadRequest)?.into_owned();
    if stanza.children().count() != 1 {
        return Err(Condition::BadRequest.into());
    }
    let account = managed(server, &whose).await?;
    let component = Jid::from(session.account.jid.clone());
    let outlet = session.clone();
    let acting = acting(session, component.clone(), account, move |out| {
        outlet.push(out);
    })?;
    let head = IqHead {
        from: component,
        addressee: Addressee::OwnAccount,
        to: whose,
        kind,
        id,
    };
    route::here(server, &acting, stanza, head).await
}

/// The request inside is sent as if the account had sent it; what comes back goes to the component (§6.3).
async fn wrapped(
    server: &Server,
    session: &Arc<Session>,
    (served, whose): (&Served, BareJid),
    stanza: &Stanza,
) -> Result<Effects, StanzaError> {
    let inner = inner(&served.grants, &whose, stanza)?;
    let account = managed(server, &whose).await?;
    let (outer, outlet) = (stanza.clone(), session.clone());
    let acting = acting(session, whose.clone().into(), account, move |out| {
        give(&outer, &outlet, &out.bytes);
    })?;
    let to = match inner.to() {
        Some(to) => Some(to.parse::<Jid>().map_err(|_| Condition::JidMalformed)?),
        None => None,
    };
    let goes_on = destination(&whose, to.as_ref(), |domain| server.place(domain));
    let asked = match goes_on {
        Destination::Session(full) => Some(Jid::from(full)),
        Destination::Component(to) => Some(to),
        _ => None,
    };
    let Some(asked) = asked else {
        // The server answers, by the outlet.
        let effects = route::iq(server, &acting, inner.clone()).await;
        return Ok(effects.unwrap_or_else(|error| {
            let mut effects = Effects::none();
            let reply = Reply::new(&inner).to(Some(acting.address())).error(&error);
            effects.call(move |_| {
                if let Some(bytes) = reply {
                    acting.push(Out::stanza(bytes));
                }
            });
            effects
        }));
    };
    let question = Question::to(server, asked, &session.account.jid)?;
    let sent = inner.splice().id(Some(&question.id)).finish();
    let sent = read_again(sent).map_err(|_| Condition::InternalServerError)?;
    let mut effects = route::iq(server, &acting, sent).await?;
    effects.spawn(move |server| async move {
        let id = inner.id();
        let answer = match question.answer(&server).await {
            Some(answer) => Some(answer.splice().id(id.as_deref()).finish()),
            None => {
                let error = Condition::RemoteServerTimeout.into();
                Reply::new(&inner).to(Some(acting.address())).error(&error)
            }
        };
        if let Some(bytes) = answer {
            acting.push(Out::stanza(bytes));
        }
    });
    Ok(effects)
}

/// The request that stands inside, if it may be sent.
///
/// # Errors
/// `forbidden` for each of the cases of §6.3.
fn inner(grants: &Grants, whose: &BareJid, stanza: &Stanza) -> Result<Stanza, StanzaError> {
    let privileged = PrivilegedIq::find_in(stanza)?;
    let inner = privileged.and_then(|privileged| privileged.iq);
    let inner = inner.filter(|inner| inner.is(ns::CLIENT, "iq"));
    let inner = inner.ok_or(Condition::Forbidden)?;
    let kind = IqType::of(stanza)?;
    let is_same_kind = inner.attr("type") == Some(kind.as_str());
    let from_whose = inner.attr("from").is_none_or(|from| {
        let from: Result<Jid, _> = from.parse();
        from.is_ok_and(|from| from == Jid::from(whose.clone()))
    });
    let mut payloads = inner.children();
    let (payload, more) = (payloads.next(), payloads.next());
    let granted = payload.and_then(|payload| grants.iq.get(payload.ns()).copied());
    if !is_same_kind || !from_whose || !granted.is_some_and(|granted| allows(granted, kind)) {
        return Err(Condition::Forbidden.into());
    }
    if more.is_some() || inner.attr("id").is_none() {
        return Err(Condition::BadRequest.into());
    }
    read_again(inner.to_bytes(ns::CLIENT)).map_err(|_| Condition::BadRequest.into())
}

/// Gives a component the answer to a request that it sent for an account (§6.3).
fn give(outer: &Stanza, session: &Session, answer: &Bytes) {
    let Ok(answer) = read_again(answer.clone()) else {
        return;
    };
    // Beside the answer, there may be what is for the account's own sessions.
    if answer.name() != "iq" {
        return;
    }
    let mut writer = Writer::new("");
    writer.start(Privilege::NS, Privilege::NAME);
    writer.raw(&forward(&answer, None));
    writer.end();
    let payload = Element::parse(writer.finish());
    let reply = payload
        .ok()
        .and_then(|payload| Reply::new(outer).result(Some(&payload)));
    if let Some(bytes) = reply {
        session.push(Out::stanza(bytes));
    }
}

/// A session of an account has become available, is gone, or shows something else: those who may see it are told (§7.3).
/// `audience` are the account's subscribers.
pub(crate) fn shown(
    server: &Server,
    (from, begins_or_ends): (&Session, bool),
    stanza: &Stanza,
    audience: &[BareJid],
) {
    let domain = from.jid.domain();
    tell(server, stanza, |_, served| match served.grants.presence {
        Shown::None => false,
        Shown::ManagedEntity => begins_or_ends && served.domain == domain,
        // §7.4: everything that an account of the domain is shown.
        Shown::Roster => {
            let is_contact = || audience.iter().any(|to| to.domain() == served.domain);
            begins_or_ends && served.domain == domain || is_contact()
        }
    });
}

/// Somebody at a component shows themselves to an account: so they do to those who see its contacts (§7.6).
pub(crate) fn of_contact(server: &Server, from: &Session, to: &Jid, stanza: &Stanza) {
    let by = from.component();
    tell(server, stanza, |host, served| {
        let sees = served.grants.presence == Shown::Roster && served.domain == to.domain();
        sees && by != Some(host)
    });
}

fn tell(server: &Server, stanza: &Stanza, sees: impl Fn(&str, &Served) -> bool) {
    for (host, served) in server.component_settings().iter() {
        if sees(host, served)
            && let Some(session) = server.component(host).and_then(|found| found.session())
        {
            let bytes = stanza.splice().to(Some(host)).finish();
            session.push(Out::stanza(bytes));
        }
    }
}

/// A component that has just connected is told who is there (§8 rule 1), at the pace at which it takes that.
pub(crate) fn begin(server: &Server, session: &Arc<Session>, served: &Served) {
    if served.grants.presence == Shown::None {
        return;
    }
    let (server, session, domain) = (server.clone(), session.clone(), served.domain.clone());
    let tasks = server.outside().tasks.clone();
    let work = async move {
        let host = session.jid.domain();
        for other in server.directory().sessions() {
            session.room(|state| state.has_room()).await;
            if session.state().ended {
                return;
            }
            let available = other.state().available.clone();
            let shown = available.filter(|_| other.jid.domain() == domain);
            let stanza = shown.and_then(|shown| read_again(shown.stanza).ok());
            if let Some(stanza) = stanza {
                let bytes = stanza.splice().to(Some(host)).finish();
                session.push(Out::stanza(bytes));
            }
        }
    };
    tasks.spawn(work.boxed());
}

/// An account's roster has changed: those who may read it are told (§4.4).
pub(crate) fn roster_changed(server: &Server, account: &BareJid, query: &Element) {
    for (session, served) in server.components_of(account.domain()) {
        if served.grants.is_pushed() {
            let iq = Element::new(ns::CLIENT, "iq")
                .with_attr("type", "set")
                .with_attr("id", format!("push-{}", server.next_number()))
                .with_attr("from", account.to_string())
                .with_attr("to", session.jid.domain())
                .with_child(query.clone());
            session.push(Out::stanza(iq.to_bytes(ns::CLIENT)));
        }
    }
}
