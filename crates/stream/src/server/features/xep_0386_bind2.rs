//! XEP-0386: Bind 2, version 1.1.0, and XEP-0198's resumption: a session together with its log-in.
//! <https://xmpp.org/extensions/xep-0386.html>
//! <https://xmpp.org/extensions/xep-0198.html#inline>

use waxwing_stanza::xep::xep_0198_sm::Sm;
use waxwing_stanza::xep::xep_0386_bind2::{Feature as Var, Inline, NS, Offer, Request as Tag};
use waxwing_stanza::xep::xep_0388_sasl2::UserAgent;
use waxwing_stanza::{FullJid, Payload};
use waxwing_wire::Element;

use super::xep_0388_sasl2::{self, End};
use crate::sasl::Failure;
use crate::server::{Negotiation, Output, Question, Sasl2};
use crate::sm::{Enabled, Failed, Resumed, SM};

/// Longest tag that becomes part of a resource; a longer one is left out.
const TAG_BYTES_MAX: usize = 128;

/// A resource that a client wants together with its log-in, and what it wants for that session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind2Request {
    /// The session's address, if nothing speaks against it: the client's tag, and a part that stays the
    /// same for the same user agent and account (§3.2.1). Whoever has it already is the same client, or
    /// one that took its id: it is to go.
    pub jid: FullJid,
    /// What the client calls itself, as it stands in the resource.
    pub tag: Option<String>,
    /// Which client it is, if it says so.
    pub user_agent: Option<UserAgent>,
    /// What else it asks for: elements of [`Sasl2::bind_features`](super::super::Sasl2), at most one of a
    /// namespace.
    pub features: Vec<Element>,
}

/// A session that was bound together with its log-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound2 {
    /// Its address.
    pub jid: FullJid,
    /// What the client is told in `<bound/>`: `<metadata/>` of its archive, `<enabled/>` or `<failed/>` of stream
    /// management, and whatever else answers what it asked for.
    pub results: Vec<Element>,
}

/// What the client asked for.
#[derive(Debug)]
pub(super) struct BindWish {
    tag: Option<String>,
    features: Vec<Element>,
}

impl BindWish {
    pub(super) fn read(parent: &Element, settings: &Sasl2) -> Result<Option<BindWish>, Failure> {
        let Some(element) = parent.child(NS, Tag::NAME) else {
            return Ok(None);
        };
        let tag = Tag::read(element)
            .map_err(|_| Failure::MalformedRequest)?
            .tag;
        let is_tag = |tag: &String| !tag.is_empty() && tag.len() <= TAG_BYTES_MAX;
        let mut features: Vec<Element> = Vec::new();
        let is_offered =
            |child: &&Element| settings.bind_features.iter().any(|var| var == child.ns());
        for child in element.children().filter(is_offered) {
            if features.iter().any(|known| known.ns() == child.ns()) {
                return Err(Failure::MalformedRequest);
            }
            features.push(child.clone());
        }
        Ok(Some(BindWish {
            tag: tag.filter(is_tag),
            features,
        }))
    }
}

/// What stands in `<inline/>`.
pub(super) fn elements(settings: &Sasl2) -> Vec<Element> {
    let vars = settings.bind_features.iter().cloned();
    let features: Vec<Var> = vars.map(|var| Var { var }).collect();
    let inline = (!features.is_empty()).then_some(Inline { features });
    let mut elements = vec![Offer { inline }.write()];
    elements.extend(settings.resume.then(|| Sm {}.write()));
    elements
}

/// Asks for the session that is to be resumed, if one is.
pub(super) fn ask_resume(negotiation: &mut Negotiation) -> bool {
    let request = negotiation.sasl2.request.as_mut();
    let Some(resume) = request.and_then(|request| request.resume.take()) else {
        return false;
    };
    negotiation.ask(Question::Resume, Output::NeedResume(resume));
    true
}

pub(in crate::server) fn provide_resume(
    negotiation: &mut Negotiation,
    resumed: Result<(FullJid, Resumed), Failed>,
) {
    let Some(request) = &mut negotiation.sasl2.request else {
        return;
    };
    match resumed {
        Ok((jid, resumed)) => {
            request.results.push(resumed.write());
            request.end = End::Resumed;
            // §3.2: a session that goes on has its resource.
            request.bind = None;
            negotiation.bind.set_jid(jid);
        }
        Err(failed) => request.results.push(failed.write()),
    }
    xep_0388_sasl2::advance(negotiation);
}

/// Asks for the resource, if one is wanted.
pub(super) fn ask_bind(negotiation: &mut Negotiation) -> bool {
    let request = negotiation.sasl2.request.as_mut();
    let Some(wish) = request.and_then(|request| request.bind.take()) else {
        return false;
    };
    let Some(account) = negotiation.account().cloned() else {
        return false;
    };
    let device = negotiation.sasl2.device(&account);
    let settings = negotiation.settings.sasl2.as_ref();
    let part = settings
        .zip(device)
        .map(|(own, device)| own.resource_key.resource(&device));
    let part = part.unwrap_or_else(|| negotiation.seed.token());
    let tagged = |tag: &String| account.with_resource(&format!("{tag}/{part}")).ok();
    // A tag that cannot stand in a resource is left out, not refused.
    let (jid, tag) = match wish.tag.as_ref().and_then(tagged) {
        Some(jid) => (Some(jid), wish.tag),
        None => (account.with_resource(&part).ok(), None),
    };
    let Some(jid) = jid else { return false };
    let request = Bind2Request {
        jid,
        tag,
        user_agent: negotiation.user_agent().cloned(),
        features: wish.features,
    };
    negotiation.ask(Question::Bind2, Output::NeedBind2(Box::new(request)));
    true
}

pub(in crate::server) fn provide_bind2(negotiation: &mut Negotiation, bound: Option<Bound2>) {
    let Some(request) = &mut negotiation.sasl2.request else {
        return;
    };
    if let Some(Bound2 { jid, results }) = bound {
        negotiation.sasl2.is_managed = results.iter().any(|result| result.is(SM, Enabled::NAME));
        let element = Element::new(NS, "bound");
        let element = results.into_iter().fold(element, Element::with_child);
        request.results.push(element);
        request.end = End::Bound;
        negotiation.bind.set_jid(jid);
    }
    xep_0388_sasl2::advance(negotiation);
}
