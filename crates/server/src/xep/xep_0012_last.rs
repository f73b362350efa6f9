//! XEP-0012: Last Activity: how long the server has run, and when an account was last here.
//!
//! <https://xmpp.org/extensions/xep-0012.html>

use waxwing_stanza::xep::xep_0012_last::{Last, NS};
use waxwing_stanza::{BareJid, Condition, FullJid, IqType, Payload, StanzaError};
use waxwing_store::{Batch, Owner, StoreError, Table};
use waxwing_wire::{Stanza, ns};

use crate::accounts;
use crate::addressee::Addressee;
use crate::cx::{Answer, Cx, Handled, Iq};
use crate::options::{OptionDefault, OptionSpec};
use crate::registry::{Feature, Registrar, Source};
use crate::roster;
use crate::server::{Server, unavailable};
use crate::session::Session;

/// Whether strangers learn when the server was started.
pub const UPTIME_SHOWN: OptionSpec = OptionSpec {
    name: "uptime_shown",
    default: OptionDefault::Flag(true),
    unit: "",
    doc: "Whether the server tells its users how long it has run (XEP-0012 §5); otherwise it answers with <service-unavailable/>.",
};

/// Most bytes of the words that somebody left with; longer ones are not kept.
const STATUS_BYTES_MAX: usize = 1_023;

/// When and with which words an account was left.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Left {
    /// Microseconds since the Unix epoch.
    #[prost(uint64, tag = "1")]
    at_micros: u64,
    /// `<status/>` of its last presence.
    #[prost(string, tag = "2")]
    status: String,
}

/// When each account was last left, under an empty name.
static LEFT: Table<String, Left> = Table::new("last-left", 1);

/// When an account was last left, in microseconds since the Unix epoch, where that is known.
pub(crate) async fn left_micros(server: &Server, owner: &Owner) -> Result<Option<u64>, StoreError> {
    let left = server.store().get(&LEFT, owner, &String::new()).await?;
    Ok(left.map(|left| left.at_micros))
}

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(12),
    title: "Last Activity",
    version: "2.0",
    options: &[UPTIME_SHOWN],
    shapes: || vec![LEFT.shape()],
    register,
    ..Feature::NONE
};

fn register(registrar: &mut Registrar<'_>) {
    let accounts = &[Addressee::OwnAccount, Addressee::OtherAccount];
    registrar.iq(accounts, IqType::Get, of_account);
    registrar.iq(&[Addressee::Domain], IqType::Get, of_server);
    registrar.disco(accounts, NS);
    registrar.disco(&[Addressee::Domain], NS);
}

/// §5.
async fn of_server(cx: Cx, _: Iq<Last>) -> Handled {
    if !cx.server.options().flag(&UPTIME_SHOWN) {
        return Err(Condition::ServiceUnavailable.into());
    }
    let micros = cx.server.steady_micros() - cx.server.started_micros();
    Ok(Answer::with(&Last {
        seconds: Some(micros / 1_000_000),
        status: String::new(),
    }))
}

fn answer(server: &Server, since_micros: u64, status: String) -> Answer {
    // A clock that was set back shows no time that has not come yet.
    let seconds = server.now_micros().saturating_sub(since_micros) / 1_000_000;
    Answer::with(&Last {
        seconds: Some(seconds),
        status,
    })
}

/// §3. A stranger learns nothing, not even whether there is such an account.
async fn of_account(cx: Cx, iq: Iq<Last>) -> Handled {
    let server = &cx.server;
    let whose = &iq.head.to;
    if !roster::sees_presence(server, &cx.session.account.jid, whose).await? {
        return Err(Condition::Forbidden.into());
    }
    // Whoever asks about their own account is here. Of others only sessions that show themselves count.
    let here = iq.head.addressee == Addressee::OwnAccount
        || server
            .directory()
            .known(whose)
            .is_some_and(|account| !account.available().is_empty());
    if here {
        return Ok(answer(server, server.now_micros(), String::new()));
    }
    let left = server
        .store()
        .get(&LEFT, &accounts::owner(whose), &String::new())
        .await
        .map_err(|error| unavailable(&error))?;
    if let Some(left) = left {
        return Ok(answer(server, left.at_micros, left.status));
    }
    // Somebody who was never here has been away since the account was made.
    let account = accounts::load(server.store(), whose)
        .await
        .map_err(|error| unavailable(&error))?
        .ok_or(Condition::Forbidden)?;
    Ok(answer(server, account.created_micros, String::new()))
}

/// §4: whoever may not see an account's presence does not get to ask its clients.
pub(crate) async fn check_question(
    server: &Server,
    asker: &BareJid,
    to: &FullJid,
    stanza: &Stanza,
) -> Result<(), StanzaError> {
    let asks = Last::is_in(stanza) && IqType::of(stanza)? == IqType::Get;
    if asks && !roster::sees_presence(server, asker, &to.bare()).await? {
        return Err(Condition::Forbidden.into());
    }
    Ok(())
}

/// A session that showed itself is gone, with the presence `stanza`.
pub(crate) fn note_left(server: &Server, session: &Session, stanza: &Stanza) {
    let element = stanza.element();
    let left = Left {
        at_micros: server.now_micros(),
        status: element
            .child(ns::CLIENT, "status")
            .map(waxwing_wire::Element::text)
            .filter(|status| status.len() <= STATUS_BYTES_MAX)
            .unwrap_or_default(),
    };
    let owner = &session.account.owner;
    let mut batch = Batch::new();
    // An account that is removed meanwhile leaves nothing behind.
    accounts::require(&mut batch, owner);
    batch.put(&LEFT, owner, &String::new(), &left);
    server.store().submit(batch, |result| match result {
        Ok(_) | Err(StoreError::Refused { .. }) => {}
        Err(error) => tracing::warn!(%error, "when an account was left could not be noted"),
    });
}
