//! RFC 6121 §2: Managing the Roster, with versioning (§2.6).
//!
//! <https://www.rfc-editor.org/rfc/rfc6121#section-2>

use waxwing_stanza::xep::rfc6121_roster::{Item, NS_VERSIONING, Roster, Subscription as Listed};
use waxwing_stanza::{BareJid, Condition, IqType, StanzaError};
use waxwing_stream::server::Stage;
use waxwing_wire::Element;

use crate::addressee::Addressee;
use crate::cx::{Answer, Cx, Handled, Iq};
use crate::effects::Effects;
use crate::pubsub;
use crate::registry::{Feature, Registrar, Source};
use crate::roster::{self, INTERESTED};

/// Most bytes of a contact's name, and of a group's (RFC 6121 §2.3.3 leaves the limit to servers).
pub const NAME_BYTES_MAX: usize = 1_023;
/// Most groups of a contact.
pub const GROUPS_MAX: usize = 100;

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Rfc(6121, "roster"),
    title: "Managing the Roster",
    shapes: || vec![roster::ROSTER.shape(), roster::VERSION.shape()],
    flags: &[INTERESTED],
    register,
    ..Feature::NONE
};

fn register(registrar: &mut Registrar<'_>) {
    registrar.iq(&[Addressee::OwnAccount], IqType::Get, get);
    registrar.iq(&[Addressee::OwnAccount], IqType::Set, set);
    registrar.stream_feature(Stage::Bind, |_, _| Some(Element::new(NS_VERSIONING, "ver")));
}

async fn get(cx: Cx, iq: Iq<Roster>) -> Handled {
    cx.session.set(INTERESTED, true);
    let account = &cx.session.account;
    let version = roster::version(&cx.server, account).await?;
    if iq.payload.ver.as_deref() == Some(version.as_str()) && !version.is_empty() {
        return Ok(Answer::empty());
    }
    let items = roster::items(&cx.server, account).await?;
    let items = items
        .into_iter()
        .filter(|(_, item)| item.listed)
        .map(|(jid, item)| item.shown(jid))
        .collect();
    // Only a client that speaks of versions is told one (§2.6.2).
    let ver = iq.payload.ver.is_some().then_some(version);
    Ok(Answer::with(&Roster { ver, items }))
}

async fn set(cx: Cx, iq: Iq<Roster>) -> Handled {
    let [item] = iq.payload.items.as_slice() else {
        return Err(Condition::BadRequest.into());
    };
    let mut effects = Effects::none();
    // A removal ends subscriptions, which are in the contact's roster too.
    let own = &cx.session.account.jid;
    effects.exclusive = Some(cx.server.roster_turn(&[own, &item.jid]).await);
    if item.subscription == Some(Listed::Remove) {
        remove(&cx, &item.jid, &mut effects).await?;
    } else {
        update(&cx, item, &mut effects).await?;
    }
    Ok(Answer::empty().and(effects))
}

async fn update(cx: &Cx, item: &Item, effects: &mut Effects) -> Result<(), StanzaError> {
    check(item)?;
    let account = &cx.session.account;
    if item.jid == account.jid {
        return Err(Condition::NotAllowed.into());
    }
    let stored = roster::item(&cx.server, account, &item.jid).await?;
    let mut stored = stored.unwrap_or_default();
    if !stored.listed && roster::is_full(&cx.server, account, true).await? {
        return Err(Condition::ResourceConstraint.into());
    }
    stored.name = item.name.clone().filter(|name| !name.is_empty());
    let before = std::mem::replace(&mut stored.groups, item.groups.clone());
    let regrouped = item.groups.iter().any(|group| !before.contains(group));
    stored.listed = true;
    if roster::is_too_large(&cx.server, account, &item.jid, &stored).await? {
        return Err(Condition::ResourceConstraint.into());
    }
    roster::change(&cx.server, account, &item.jid, Some(&stored), effects);
    if regrouped && stored.from {
        let (own, contact) = (account.jid.clone(), item.jid.clone());
        effects.call(move |server| pubsub::regrouped(server, &own, &contact, &before));
    }
    Ok(())
}

/// RFC 6121 §2.3.3.
fn check(item: &Item) -> Result<(), StanzaError> {
    let mut groups: Vec<&str> = item.groups.iter().map(String::as_str).collect();
    groups.sort_unstable();
    let doubled = groups.windows(2).any(|pair| pair[0] == pair[1]);
    if doubled {
        return Err(Condition::BadRequest.into());
    }
    let long = |text: &str| text.len() > NAME_BYTES_MAX;
    let bad_group = groups.iter().any(|group| group.is_empty() || long(group));
    if bad_group || groups.len() > GROUPS_MAX || item.name.as_deref().is_some_and(long) {
        return Err(Condition::NotAcceptable.into());
    }
    Ok(())
}

/// RFC 6121 §2.5: removal ends the subscriptions in both directions.
async fn remove(cx: &Cx, contact: &BareJid, effects: &mut Effects) -> Result<(), StanzaError> {
    let account = &cx.session.account;
    let stored = roster::item(&cx.server, account, contact).await?;
    let Some(stored) = stored.filter(|stored| stored.listed) else {
        return Err(Condition::ItemNotFound.into());
    };
    super::rfc6121_subscription::end(&cx.server, account, contact, &stored, effects).await?;
    roster::change(&cx.server, account, contact, None, effects);
    Ok(())
}
