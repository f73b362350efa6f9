//! XEP-0030: Service Discovery.
//!
//! <https://xmpp.org/extensions/xep-0030.html>

use waxwing_stanza::xep::xep_0030_disco::{
    DiscoInfo, DiscoItems, Feature as Var, Identity, Item, NS_INFO, NS_ITEMS,
};
use waxwing_stanza::{Condition, IqType, StanzaError};

use crate::addressee::Addressee;
use crate::component;
use crate::cx::{Answer, Cx, Handled, Iq, IqHead};
use crate::hosts::Service;
use crate::pubsub;
use crate::registry::{Feature, Registrar, Source};
use crate::roster;
use crate::xep::xep_0355_delegation::{self as delegation, Nested};
use crate::xep::{xep_0050_commands as commands, xep_0115_caps as caps, xep_0175_guests as guests};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(30),
    title: "Service Discovery",
    version: "2.5.0",
    register,
    ..Feature::NONE
};

fn register(registrar: &mut Registrar<'_>) {
    let accounts = &[Addressee::OwnAccount, Addressee::OtherAccount];
    registrar.iq(Addressee::ALL, IqType::Get, info);
    registrar.iq(Addressee::ALL, IqType::Get, items);
    registrar.disco(Addressee::ALL, NS_INFO);
    registrar.disco(Addressee::ALL, NS_ITEMS);
    registrar.identity(accounts, &Identity::new("account", "registered", None));
    registrar.identity(
        &[Addressee::Domain],
        &Identity::new("server", "im", Some("Waxwing")),
    );
}

async fn info(cx: Cx, iq: Iq<DiscoInfo>) -> Handled {
    if !is_guest(&cx, &iq.head) && !may_look(&cx, &iq.head).await? {
        return Err(Condition::ServiceUnavailable.into());
    }
    if let Some(node) = &iq.payload.node
        && let Some(info) = commands::info(&cx, &iq.head, node).await?
    {
        return Ok(Answer::with(&info));
    }
    let registry = cx.server.registry();
    if iq.head.addressee == Addressee::Domain {
        return of_domain(&cx, iq.head.to.domain(), iq.payload.node);
    }
    if let Some(node) = &iq.payload.node {
        if !has_nodes(iq.head.addressee) {
            return Err(Condition::ItemNotFound.into());
        }
        let info = pubsub::disco::info(cx, &iq.head, node).await?;
        return Ok(Answer::with(&info));
    }
    let features = registry.disco(iq.head.addressee);
    let mut info = DiscoInfo {
        node: None,
        identities: identities(&cx, &iq.head),
        features: features.iter().map(|var| Var::new(var)).collect(),
        forms: Vec::new(),
    };
    if has_accounts(iq.head.addressee) {
        delegation::nest(&cx.server, iq.head.to.domain(), Nested::Accounts, &mut info);
    }
    Ok(Answer::with(&info))
}

/// Whether nodes belong to it, as services of XEP-0060 have them.
fn has_nodes(addressee: Addressee) -> bool {
    use Addressee as A;
    matches!(
        addressee,
        A::OwnAccount | A::OtherAccount | A::Host(Service::Pubsub)
    )
}

/// Whether it is an account that is asked about.
fn has_accounts(addressee: Addressee) -> bool {
    matches!(addressee, Addressee::OwnAccount | Addressee::OtherAccount)
}

fn identities(cx: &Cx, head: &IqHead) -> Vec<Identity> {
    if is_guest(cx, head) {
        return vec![guests::identity()];
    }
    let known = cx.server.registry().identities(head.addressee);
    match head.addressee {
        // §3.1: there is at least one; no feature serves this host.
        Addressee::Host(_) if known.is_empty() => vec![Identity::new("component", "generic", None)],
        _ => known,
    }
}

/// A domain: as a whole, or by the hash that stands in its stream features (XEP-0115 §6.2).
fn of_domain(cx: &Cx, domain: &str, node: Option<String>) -> Handled {
    let (registry, options) = (cx.server.registry(), cx.server.options_of(domain));
    if let Some(node) = &node
        && !caps::is_shown(registry, &options, node)
    {
        return Err(Condition::ItemNotFound.into());
    }
    let mut info = registry.domain_info(&options);
    // The hash stands for what is the server's own.
    if node.is_none() {
        delegation::nest(&cx.server, domain, Nested::Server, &mut info);
    }
    Ok(Answer::with(&DiscoInfo { node, ..info }))
}

async fn items(cx: Cx, iq: Iq<DiscoItems>) -> Handled {
    if let Some(node) = &iq.payload.node
        && let Some(items) = commands::items(&cx, &iq.head, node).await?
    {
        let node = iq.payload.node;
        return Ok(Answer::with(&DiscoItems {
            node,
            items,
            set: None,
        }));
    }
    if let (Some(node), true) = (&iq.payload.node, has_nodes(iq.head.addressee)) {
        let asked = iq.payload.set.as_ref();
        let (items, set) = pubsub::disco::items(cx, &iq.head, node, asked).await?;
        let node = iq.payload.node;
        return Ok(Answer::with(&DiscoItems { node, items, set }));
    }
    // §8: who may not see an account's presence sees no items, as where there is no account.
    let may_look = may_look(&cx, &iq.head).await?;
    let asked = iq.payload.set.as_ref();
    let mut set = None;
    let items = match (iq.head.addressee, &iq.payload.node) {
        // Available resources: a contact sees them by their presence anyway.
        (Addressee::OwnAccount | Addressee::OtherAccount, None) if may_look => {
            let mut items = match asked.is_some_and(|set| set.after.is_some()) {
                true => Vec::new(),
                false => resources(&cx, &iq.head),
            };
            let (nodes, page) = pubsub::disco::nodes(cx, &iq.head, asked).await?;
            set = page;
            items.extend(nodes);
            items
        }
        (Addressee::Host(Service::Pubsub), None) => {
            let (nodes, page) = pubsub::disco::nodes(cx, &iq.head, asked).await?;
            set = page;
            nodes
        }
        (Addressee::Domain, None) => {
            let domain = iq.head.to.domain();
            let mut items = cx.server.hosts().items(domain);
            items.extend(component::items(&cx.server, domain));
            items
        }
        _ => Vec::new(),
    };
    Ok(Answer::with(&DiscoItems {
        node: iq.payload.node,
        items,
        set,
    }))
}

fn resources(cx: &Cx, head: &IqHead) -> Vec<Item> {
    let account = cx.server.directory().known(&head.to);
    let available = account.iter().flat_map(|account| account.available());
    available
        .map(|(_, session)| Item {
            jid: session.jid.clone().into(),
            node: None,
            name: None,
        })
        .collect()
}

/// Whose name nobody can guess, and who has nothing to hide (XEP-0175 §5).
fn is_guest(cx: &Cx, head: &IqHead) -> bool {
    let known = cx.server.directory().known(&head.to);
    known.is_some_and(|account| account.is_guest())
}

/// §8: who may not see an account's presence learns nothing of it, not even that it exists.
async fn may_look(cx: &Cx, head: &IqHead) -> Result<bool, StanzaError> {
    if head.addressee != Addressee::OtherAccount {
        return Ok(true);
    }
    roster::sees_presence(&cx.server, &cx.session.account.jid, &head.to).await
}
