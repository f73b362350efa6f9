//! XEP-0355: Namespace Delegation.
//!
//! <https://xmpp.org/extensions/xep-0355.html>
//!
//! By grant of the operator ("admin mode"): requests of a namespace that are for a domain, or for its accounts, are handled
//! by a component of that domain.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use waxwing_stanza::xep::xep_0030_disco::{DiscoInfo, NS_INFO, NS_ITEMS};
use waxwing_stanza::xep::xep_0297_forward::forward as forwarded;
use waxwing_stanza::xep::xep_0355_delegation::{
    ANY_INFO, ANY_ITEMS, Attribute, Delegated, Delegation, NS, OF_ACCOUNTS, OF_SERVER,
};
use waxwing_stanza::{Condition, ErrorType, IqType, Jid, Payload, StanzaError};
use waxwing_wire::{Element, Stanza, Writer, ns};

use crate::addressee::Addressee;
use crate::component::settings::Served;
use crate::component::{Grants, Question};
use crate::cx::IqHead;
use crate::effects::Effects;
use crate::registry::{Feature, Registrar, Source, Status};
use crate::server::Server;
use crate::session::{Out, Session};
use crate::stamp::stamp;

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(355),
    title: "Namespace Delegation",
    version: "0.5",
    status: Status::Partial("by grant of the operator alone, not of accounts (§5)"),
    register,
    ..Feature::NONE
};

fn register(registrar: &mut Registrar<'_>) {
    registrar.disco(&[Addressee::Domain], NS);
}

/// What a component says that the server is to say of the namespaces that it manages (§7.2).
#[derive(Default)]
pub(crate) struct Learned {
    of_server: Vec<(String, DiscoInfo)>,
    of_accounts: Vec<(String, DiscoInfo)>,
}

/// Of whom something is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nested {
    /// A domain.
    Server,
    /// Its accounts.
    Accounts,
}

/// What is said to a component of what it manages (§4.2).
pub(crate) fn advertised(grants: &Grants) -> Option<Element> {
    let delegated = grants.delegated.iter().map(|grant| Delegated {
        namespace: grant.namespace.clone(),
        attributes: grant
            .attributes
            .iter()
            .map(|name| Attribute { name: name.clone() })
            .collect(),
    });
    let delegation = Delegation {
        delegated: delegated.collect(),
        forwarded: None,
    };
    (!delegation.delegated.is_empty()).then(|| delegation.write())
}

/// Whether somebody's account is asked, rather than a domain.
fn is_account(head: &IqHead) -> bool {
    matches!(
        head.addressee,
        Addressee::OwnAccount | Addressee::OtherAccount
    )
}

/// The component that manages what is asked of a domain or an account, if one does that is not the one that asks (§4.3.1).
fn manager(
    server: &Server,
    session: &Session,
    head: &IqHead,
    is_granted: impl Fn(&str, &[String]) -> bool,
) -> Option<String> {
    let settings = server.component_settings();
    if settings.is_empty() || !(is_account(head) || head.addressee == Addressee::Domain) {
        return None;
    }
    let manages = |host: &str, served: &Served| {
        let delegated = &served.grants.delegated;
        served.domain == head.to.domain()
            && session.component() != Some(host)
            && delegated
                .iter()
                .any(|grant| is_granted(&grant.namespace, &grant.attributes))
    };
    let mut all = settings.iter();
    all.find(|(host, served)| manages(host, served))
        .map(|(host, _)| host.clone())
}

/// Hands a request to the component that manages its namespace; nothing where the server handles it itself.
///
/// # Errors
/// `service-unavailable` where that component is not connected (§4.3 N.B.₁).
pub(crate) fn delegate(
    server: &Server,
    session: &Arc<Session>,
    stanza: &Stanza,
    head: &IqHead,
    payload: &Element,
) -> Result<Option<Effects>, StanzaError> {
    let all_items = is_account(head) && payload.ns() == NS_ITEMS && payload.attr("node").is_none();
    let found = manager(server, session, head, |namespace, attributes| {
        let has_all = || attributes.iter().all(|name| payload.attr(name).is_some());
        namespace == payload.ns() && has_all() || all_items && namespace == ANY_ITEMS
    });
    let host = found.map(|host| forward(server, session, stanza, &host));
    host.transpose()
}

/// The component that is asked about a node of an account which the server does not know (§7.2.4, §7.2.5).
pub(crate) fn otherwise(
    server: &Server,
    session: &Session,
    head: &IqHead,
    payload: &Element,
) -> Option<String> {
    let any = match payload.ns() {
        NS_INFO => ANY_INFO,
        NS_ITEMS => ANY_ITEMS,
        _ => return None,
    };
    let is_node = is_account(head) && head.kind == IqType::Get && payload.attr("node").is_some();
    if !is_node {
        return None;
    }
    manager(server, session, head, |namespace, _| namespace == any)
}

/// Has a component answer a request (§4.3). Whoever asks goes on meanwhile.
///
/// # Errors
/// `service-unavailable` where it is not connected.
pub(crate) fn forward(
    server: &Server,
    session: &Arc<Session>,
    stanza: &Stanza,
    host: &str,
) -> Result<Effects, StanzaError> {
    let connected = server.component(host).and_then(|found| found.session());
    let manager = connected.ok_or(Condition::ServiceUnavailable)?;
    let served = server.component_settings().get(host).cloned();
    let served = served.ok_or(Condition::ServiceUnavailable)?;
    let stamped = stamp(server, session, stanza, session.address(), None)?;
    let whom = Jid::from(manager.account.jid.clone());
    let question = Question::to(server, whom, &session.account.jid)?;
    let mut writer = Writer::new("");
    writer.start(NS, Delegation::NAME);
    writer.raw(&forwarded(&stamped, None));
    writer.end();
    let asked = request(
        &served.domain,
        host,
        ("set", &question.id),
        &writer.finish(),
    );
    // It does not read as fast as it is asked; nothing of that may end its stream.
    if manager.state().is_behind(asked.len()) {
        let error = StanzaError::from(Condition::ResourceConstraint);
        return Err(error.with_type(ErrorType::Wait));
    }
    let mut effects = Effects::none();
    effects.deliver(&manager, asked);
    let session = session.clone();
    effects.spawn(move |server| async move {
        let answer = question.answer(&server).await;
        let result = answer.and_then(|answer| result(&answer, &stamped));
        let error = || {
            let error = Condition::ServiceUnavailable.into();
            server.error_reply(&stamped, &error, &session)
        };
        if let Some(bytes) = result.or_else(error) {
            session.push(Out::stanza(bytes));
        }
    });
    Ok(effects)
}

/// A request of the domain to a component.
fn request(domain: &str, host: &str, (kind, id): (&str, &str), payload: &[u8]) -> Bytes {
    let mut writer = Writer::new(ns::CLIENT);
    writer.start(ns::CLIENT, "iq");
    for (name, value) in [("from", domain), ("to", host), ("type", kind), ("id", id)] {
        writer.attr(name, value);
    }
    writer.raw(payload);
    writer.end();
    writer.finish()
}

/// The result that a component gives in the name of who was asked; nothing where it is not one for this request.
fn result(answer: &Stanza, asked: &Stanza) -> Option<Bytes> {
    if answer.kind().as_deref() != Some("result") {
        return None;
    }
    let delegation = Delegation::find_in(answer).ok()??;
    let mut iq = delegation.forwarded?.stanza?;
    let same = |name: &str, value: Option<&str>| iq.attr(name) == value;
    // Examples leave out `from`, which is who was asked; where nobody is named, that is the asker's own account.
    let asker = asked.from().and_then(|from| from.parse::<Jid>().ok());
    let own = asker.map(|asker| asker.bare().to_string());
    let whom = asked.to().map(std::borrow::Cow::into_owned).or(own);
    let from_asked = iq.attr("from").is_none() || same("from", whom.as_deref());
    let is_result = iq.is(ns::CLIENT, "iq") && iq.attr("type") == Some("result");
    let fits = same("to", asked.from().as_deref()) && same("id", asked.id().as_deref());
    if !(is_result && from_asked && fits) {
        return None;
    }
    match asked.to() {
        Some(from) => iq.set_attr("from", from.into_owned()),
        None => drop(iq.remove_attr("from")),
    }
    Some(iq.to_bytes(ns::CLIENT))
}

/// Asks a component that has just connected what the server is to say of what it manages (§7.2, §9 point 2).
pub(crate) fn learn(server: &Server, session: &Arc<Session>, served: &Served) {
    let namespaces: Vec<String> = served
        .grants
        .delegated
        .iter()
        .map(|grant| grant.namespace.clone())
        .filter(|namespace| !namespace.starts_with(NS))
        .collect();
    if namespaces.is_empty() {
        return;
    }
    let (server, session, domain) = (server.clone(), session.clone(), served.domain.clone());
    let tasks = server.outside().tasks.clone();
    let work = async move {
        for namespace in namespaces {
            for (nested, between) in [(Nested::Server, OF_SERVER), (Nested::Accounts, OF_ACCOUNTS)]
            {
                let node = format!("{NS}{between}{namespace}");
                if let Some(info) = ask(&server, &session, &domain, node).await {
                    note(&server, &session, nested, (namespace.clone(), info));
                }
            }
        }
    };
    tasks.spawn(work.boxed());
}

async fn ask(
    server: &Server,
    session: &Arc<Session>,
    domain: &str,
    node: String,
) -> Option<DiscoInfo> {
    let host = &session.account.jid;
    let question = Question::to(server, Jid::from(host.clone()), host).ok()?;
    let asked = DiscoInfo {
        node: Some(node),
        identities: Vec::new(),
        features: Vec::new(),
        forms: Vec::new(),
    };
    let payload = asked.write().to_bytes(ns::CLIENT);
    let iq = request(domain, host.as_str(), ("get", &question.id), &payload);
    session.push(Out::stanza(iq));
    let answer = question.answer(server).await?;
    if answer.kind().as_deref() != Some("result") {
        return None;
    }
    DiscoInfo::find_in(&answer).ok()?
}

/// Keeps it for as long as this stream lasts.
fn note(server: &Server, session: &Arc<Session>, nested: Nested, said: (String, DiscoInfo)) {
    let Some(component) = server.component(session.jid.domain()) else {
        return;
    };
    let mut learned = component.learned();
    let is_here = component.session();
    if is_here.is_some_and(|here| Arc::ptr_eq(&here, session)) {
        match nested {
            Nested::Server => learned.of_server.push(said),
            Nested::Accounts => learned.of_accounts.push(said),
        }
    }
}

/// Says what components have said in place of what the server would say of these namespaces (§7.2).
pub(crate) fn nest(server: &Server, domain: &str, nested: Nested, info: &mut DiscoInfo) {
    for (session, _) in server.components_of(domain) {
        let Some(component) = server.component(session.jid.domain()) else {
            continue;
        };
        let learned = component.learned();
        let all = match nested {
            Nested::Server => &learned.of_server,
            Nested::Accounts => &learned.of_accounts,
        };
        for (namespace, said) in all {
            merge(namespace, said, info);
        }
    }
}

fn merge(namespace: &str, said: &DiscoInfo, info: &mut DiscoInfo) {
    let is_of_it = |text: &str| {
        let rest = text.strip_prefix(namespace);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('#'))
    };
    info.features.retain(|feature| !is_of_it(&feature.var));
    // §7.2.3.
    info.forms
        .retain(|form| !form.form_type().is_some_and(is_of_it));
    for feature in &said.features {
        if !info.features.contains(feature) {
            info.features.push(feature.clone());
        }
    }
    for identity in &said.identities {
        if !info.identities.contains(identity) {
            info.identities.push(identity.clone());
        }
    }
    info.forms.extend(said.forms.iter().cloned());
}

#[cfg(test)]
mod tests {
    use waxwing_stanza::xep::xep_0030_disco::{Feature as Var, Identity};
    use waxwing_wire::Limits;

    use super::*;

    fn stanza(xml: &str) -> Stanza {
        Stanza::parse(xml.to_owned().into(), ns::CLIENT, &Limits::CLIENT).unwrap()
    }

    /// §4.3: what the result must have in common with the request.
    #[test]
    fn only_the_result_of_this_request_is_passed_on() {
        let asked = stanza("<iq from='a@b/c' id='1' type='set'><x xmlns='u'/></iq>");
        let answer = |kind: &str, inner: &str| {
            stanza(&format!(
                "<iq type='{kind}'><delegation xmlns='{NS}'><forwarded xmlns='urn:xmpp:forward:0'>\
                 <iq xmlns='jabber:client' {inner}/></forwarded></delegation></iq>"
            ))
        };
        let good = "to='a@b/c' id='1' type='result'";
        assert_eq!(
            result(&answer("result", good), &asked).unwrap(),
            "<iq to='a@b/c' id='1' type='result'/>"
        );
        for (kind, inner) in [
            ("error", good),
            ("result", "to='a@b/d' id='1' type='result'"),
            ("result", "to='a@b/c' id='2' type='result'"),
            ("result", "to='a@b/c' id='1' type='set'"),
            ("result", "to='a@b/c' id='1' type='error'"),
            ("result", "to='a@b/c' id='1' type='result' from='x@b'"),
            ("result", "id='1' type='result'"),
        ] {
            assert_eq!(result(&answer(kind, inner), &asked), None, "{kind} {inner}");
        }
        assert_eq!(result(&stanza("<iq type='result'/>"), &asked), None);
        let to_account = stanza("<iq from='a@b/c' to='a@b' id='1' type='set'><x xmlns='u'/></iq>");
        for inner in [good, "to='a@b/c' id='1' type='result' from='a@b'"] {
            let bytes = result(&answer("result", inner), &to_account).unwrap();
            assert_eq!(
                stanza(std::str::from_utf8(&bytes).unwrap())
                    .from()
                    .as_deref(),
                Some("a@b")
            );
        }
    }

    /// §7.2.1: what the server can by itself in that namespace is not said.
    #[test]
    fn what_a_component_says_takes_the_place_of_what_the_server_says() {
        let info = |features: &[&str]| DiscoInfo {
            node: None,
            identities: vec![Identity::new("server", "im", None)],
            features: features.iter().map(|var| Var::new(var)).collect(),
            forms: Vec::new(),
        };
        let mut own = info(&["urn:a", "urn:p", "urn:p#old", "urn:pq"]);
        let mut said = info(&["urn:p", "urn:p#new"]);
        said.identities.push(Identity::new("pubsub", "pep", None));
        merge("urn:p", &said, &mut own);
        let mut expected = info(&["urn:a", "urn:pq", "urn:p", "urn:p#new"]);
        expected.identities = said.identities;
        assert_eq!(own, expected);
    }
}
