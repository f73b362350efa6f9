//! XEP-0049: Private XML Storage.
//!
//! <https://xmpp.org/extensions/xep-0049.html>

use std::collections::BTreeMap;

use bytes::Bytes;
use waxwing_stanza::xep::xep_0049_private::{NS, Private};
use waxwing_stanza::xep::xep_0402_bookmarks::{NS_OLD, STORAGE};
use waxwing_stanza::{Condition, IqType, StanzaError};
use waxwing_store::{Direction, KeyRange, Table};
use waxwing_wire::{Element, ns};

use crate::addressee::Addressee;
use crate::cx::{Answer, Cx, Handled, Iq};
use crate::directory::Account;
use crate::effects::Effects;
use crate::options::{OptionDefault, OptionSpec};
use crate::registry::{Feature, Registrar, Source};
use crate::server::{Server, unavailable};
use crate::xep::xep_0402_bookmarks as bookmarks;

/// Most bytes of what is stored under one name.
pub const ELEMENT_BYTES_MAX: OptionSpec = OptionSpec {
    name: "private_element_bytes_max",
    default: OptionDefault::Number {
        value: 128 * 1024,
        min: 1024,
        max: 512 * 1024,
    },
    unit: "bytes",
    doc: "Most bytes of private storage under one element name and namespace; more is refused with <policy-violation/>.",
};

/// Most bytes of an account's private storage.
pub const ACCOUNT_BYTES_MAX: OptionSpec = OptionSpec {
    name: "private_account_bytes_max",
    default: OptionDefault::Number {
        value: 1024 * 1024,
        min: 1024,
        max: 4 * 1024 * 1024,
    },
    unit: "bytes",
    doc: "Most bytes of private storage of one account; more is refused with <resource-constraint/>.",
};

/// Most names under which one account stores something.
const NAMES_MAX: usize = 1_000;

/// What stands under one name.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Stored {
    /// The elements, each with its namespace declared.
    #[prost(bytes = "bytes", repeated, tag = "1")]
    elements: Vec<Bytes>,
}

impl Stored {
    fn bytes(&self) -> u64 {
        self.elements
            .iter()
            .map(|element| element.len() as u64)
            .sum()
    }
}

/// Namespace and name of an element.
type Name = (String, String);

/// Private storage.
static PRIVATE: Table<Name, Stored> = Table::new("private", 1);

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(49),
    title: "Private XML Storage",
    version: "1.2",
    options: &[ELEMENT_BYTES_MAX, ACCOUNT_BYTES_MAX],
    shapes: || vec![PRIVATE.shape()],
    register,
    ..Feature::NONE
};

fn register(registrar: &mut Registrar<'_>) {
    registrar.iq(&[Addressee::OwnAccount], IqType::Get, get);
    registrar.iq(&[Addressee::OwnAccount], IqType::Set, set);
    registrar.iq(&[Addressee::OtherAccount], IqType::Get, others);
    registrar.iq(&[Addressee::OtherAccount], IqType::Set, others);
    registrar.disco(&[Addressee::OwnAccount, Addressee::Domain], NS);
}

/// Nobody reads or writes another's; nothing is looked up, so that nothing is learnt.
async fn others(_: Cx, _: Iq<Private>) -> Handled {
    Err(Condition::Forbidden.into())
}

fn name(element: &Element) -> Name {
    (element.ns().to_owned(), element.name().to_owned())
}

async fn get(cx: Cx, iq: Iq<Private>) -> Handled {
    let [asked] = iq.payload.elements.as_slice() else {
        return Err(Condition::BadRequest.into());
    };
    if is_bookmarks(&name(asked))
        && let Some(storage) = bookmarks::private(&cx.server, &cx.session.account.jid).await?
    {
        let elements = vec![storage];
        return Ok(Answer::with(&Private { elements }));
    }
    let stored = cx
        .server
        .store()
        .get(&PRIVATE, &cx.session.account.owner, &name(asked))
        .await
        .map_err(|error| unavailable(&error))?;
    let elements = match stored {
        Some(stored) => stored
            .elements
            .iter()
            .map(|bytes| Element::parse(bytes).map_err(|_| Condition::InternalServerError.into()))
            .collect::<Result<Vec<_>, StanzaError>>()?,
        // What was never stored is as empty as it was asked for.
        None => vec![Element::new(asked.ns().to_owned(), asked.name().to_owned())],
    };
    Ok(Answer::with(&Private { elements }))
}

/// Bookmarks stand where newer clients look for them.
fn is_bookmarks(name: &Name) -> bool {
    name.0 == NS_OLD && name.1 == STORAGE
}

/// All elements of one name replace what stood under that name; a single empty one removes it.
async fn set(cx: Cx, iq: Iq<Private>) -> Handled {
    let elements = iq.payload.elements;
    let foreign = |element: &Element| !matches!(element.ns(), "" | NS | ns::CLIENT);
    if elements.is_empty() || !elements.iter().all(foreign) {
        return Err(Condition::NotAcceptable.into());
    }
    let mut given: BTreeMap<Name, Stored> = BTreeMap::new();
    for element in &elements {
        let stored = given.entry(name(element)).or_default();
        if element.nodes().is_empty() && element.attributes().next().is_none() {
            continue;
        }
        stored.elements.push(element.to_bytes(""));
    }
    let most = cx.server.options().number(&ELEMENT_BYTES_MAX);
    if given.values().any(|stored| stored.bytes() > most) {
        return Err(Condition::PolicyViolation.into());
    }
    let account = &cx.session.account;
    let mut turn = account.turn().await;
    let mut effects = Effects::none();
    if given.keys().any(is_bookmarks) {
        let mut storage = Element::new(NS_OLD, STORAGE);
        let given = elements.iter().filter(|one| is_bookmarks(&name(one)));
        for child in given.flat_map(Element::children) {
            storage.push(child.clone());
        }
        let change = bookmarks::set_private(&cx.server, &account.jid, &storage).await?;
        effects = change.into_effects();
        turn.extend(effects.exclusive.take().into_iter().flatten());
    }
    effects.exclusive = Some(turn);
    check_total(&cx.server, account, &given).await?;
    for (name, stored) in &given {
        if stored.elements.is_empty() || is_bookmarks(name) {
            effects.batch.delete(&PRIVATE, &account.owner, name);
        } else {
            effects.batch.put(&PRIVATE, &account.owner, name, stored);
        }
    }
    Ok(Answer::empty().and(effects))
}

/// Whether the account's storage stays within its limits.
async fn check_total(
    server: &Server,
    account: &Account,
    given: &BTreeMap<Name, Stored>,
) -> Result<(), StanzaError> {
    let all = KeyRange::all();
    let found = server
        .store()
        .scan(
            &PRIVATE,
            &account.owner,
            &all,
            Direction::Forward,
            NAMES_MAX,
        )
        .await
        .map_err(|error| unavailable(&error))?;
    let kept = found.iter().filter(|(name, _)| !given.contains_key(name));
    let stored = kept
        .map(|(_, stored)| stored)
        .chain(given.values())
        .filter(|stored| !stored.elements.is_empty());
    let (names, bytes) = stored.fold((0, 0), |(names, bytes), stored| {
        (names + 1, bytes + stored.bytes())
    });
    if names > NAMES_MAX || bytes > server.options().number(&ACCOUNT_BYTES_MAX) {
        return Err(Condition::ResourceConstraint.into());
    }
    Ok(())
}
