//! XEP-0054: vcard-temp.
//!
//! <https://xmpp.org/extensions/xep-0054.html>

use bytes::Bytes;
use waxwing_stanza::xep::xep_0054_vcard::{NS, VCard};
use waxwing_stanza::xep::xep_0084_avatar::{NODE_METADATA, Picture};
use waxwing_stanza::{BareJid, Condition, IqType, Payload, StanzaError};
use waxwing_store::Table;
use waxwing_wire::Element;

use crate::accounts;
use crate::addressee::Addressee;
use crate::cx::{Answer, Cx, Handled, Iq};
use crate::options::{OptionDefault, OptionSpec};
use crate::pubsub::change::Change;
use crate::registry::{Feature, Registrar, Source};
use crate::server::{Server, unavailable};
use crate::xep::{
    xep_0153_vcard_avatars as avatars, xep_0292_vcard4 as vcard4,
    xep_0398_avatar_conversion as conversion,
};

/// Most bytes of a vCard.
pub const BYTES_MAX: OptionSpec = OptionSpec {
    name: "vcard_bytes_max",
    default: OptionDefault::Number {
        value: 128 * 1024,
        min: 1024,
        max: 512 * 1024,
    },
    unit: "bytes",
    doc: "Most bytes of an account's vCard, its picture included; a larger one is refused with <policy-violation/>.",
};

/// A vCard as stored.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Stored {
    /// The element, its namespace declared.
    #[prost(bytes = "bytes", tag = "1")]
    element: Bytes,
}

/// Each account's vCard, under an empty name.
static VCARDS: Table<String, Stored> = Table::new("vcard", 1);

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(54),
    title: "vcard-temp",
    version: "1.3.0",
    options: &[BYTES_MAX],
    shapes: || vec![VCARDS.shape()],
    register,
    ..Feature::NONE
};

fn register(registrar: &mut Registrar<'_>) {
    registrar.iq(&[Addressee::OwnAccount], IqType::Get, own);
    registrar.iq(&[Addressee::OwnAccount], IqType::Set, set);
    registrar.iq(&[Addressee::OtherAccount], IqType::Get, others);
    registrar.iq(&[Addressee::OtherAccount], IqType::Set, set_others);
    let accounts = &[Addressee::OwnAccount, Addressee::OtherAccount];
    registrar.disco(accounts, NS);
    registrar.disco(&[Addressee::Domain], NS);
}

async fn read(server: &Server, whose: &BareJid) -> Result<Option<VCard>, StanzaError> {
    let stored = server
        .store()
        .get(&VCARDS, &accounts::owner(whose), &String::new())
        .await
        .map_err(|error| unavailable(&error))?;
    let Some(stored) = stored else {
        return Ok(None);
    };
    let element = Element::parse(&stored.element).map_err(|_| Condition::InternalServerError)?;
    Ok(Some(VCard::read(&element)?))
}

/// §3.1.
async fn own(cx: Cx, iq: Iq<VCard>) -> Handled {
    let card = read(&cx.server, &iq.head.to).await?;
    Ok(Answer::with(&card.ok_or(Condition::ItemNotFound)?))
}

/// §3.3. One read and one answer, whether there is no vCard or no account.
async fn others(cx: Cx, iq: Iq<VCard>) -> Handled {
    let card = read(&cx.server, &iq.head.to).await?;
    Ok(Answer::with(&card.ok_or(Condition::ServiceUnavailable)?))
}

/// §3.2. An empty one removes what was there.
async fn set(cx: Cx, iq: Iq<VCard>) -> Handled {
    let element = iq.payload.write().to_bytes("");
    if element.len() as u64 > cx.server.options().number(&BYTES_MAX) {
        return Err(Condition::PolicyViolation.into());
    }
    let server = &cx.server;
    let mut change = Change::of_account(server, &cx.session.account.jid, NODE_METADATA).await;
    change.carry();
    let before = read(server, &cx.session.account.jid).await?;
    let before = before.map(|card| card.write());
    let after = iq.payload.write();
    let after = (!iq.payload.is_empty()).then_some(&after);
    write(&mut change, before.as_ref(), after).await?;
    conversion::written(&mut change, before.as_ref(), after).await?;
    vcard4::written(&mut change, before.as_ref(), after).await?;
    Ok(Answer::empty().and(change.into_effects()))
}

/// Writes a vCard; the caller has the turn of it, and has told those who hold the same elsewhere.
async fn write(
    change: &mut Change,
    before: Option<&Element>,
    after: Option<&Element>,
) -> Result<(), StanzaError> {
    let owner = change.service().owner.clone();
    let batch = &mut change.effects().batch;
    match after {
        None => batch.delete(&VCARDS, &owner, &String::new()),
        Some(card) => {
            let element = card.to_bytes("");
            batch.put(&VCARDS, &owner, &String::new(), &Stored { element });
        }
    }
    avatars::written(change, before, after).await
}

/// The picture in the vCard, as it is before the change.
pub(crate) async fn picture(change: &mut Change) -> Result<Option<Picture>, StanzaError> {
    let card = read(change.server(), &change.service().jid).await?;
    Ok(card.and_then(|card| Picture::of_vcard(&card.write())))
}

/// Shows a picture in the vCard, or none, whoever said so elsewhere: none, where there is no room for it.
pub(crate) async fn set_picture(
    change: &mut Change,
    picture: Option<&Picture>,
) -> Result<(), StanzaError> {
    for picture in [picture, None] {
        let with = |card: &Element| match Picture::of_vcard(card).as_ref() == picture {
            true => card.clone(),
            false => Picture::put(picture, card),
        };
        if rewrite(change, with).await? {
            break;
        }
    }
    Ok(())
}

/// Writes what somebody has changed elsewhere. What there is no room for is not written: says whether there was.
pub(crate) async fn rewrite(
    change: &mut Change,
    with: impl FnOnce(&Element) -> Element + Send,
) -> Result<bool, StanzaError> {
    let before = read(change.server(), &change.service().jid).await?;
    let before = before.map(|card| card.write());
    let after = with(before.as_ref().unwrap_or(&VCard::question().write()));
    let is_large = after.to_bytes("").len() as u64 > change.server().options().number(&BYTES_MAX);
    let after = Some(&after).filter(|card| card.children().next().is_some());
    if !is_large && after != before.as_ref() {
        write(change, before.as_ref(), after).await?;
    }
    Ok(!is_large)
}

/// §3.2. Nothing is looked up, so that nothing is learnt.
async fn set_others(_: Cx, _: Iq<VCard>) -> Handled {
    Err(Condition::Forbidden.into())
}
