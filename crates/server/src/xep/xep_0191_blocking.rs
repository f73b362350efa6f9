//! XEP-0191: Blocking Command.
//!
//! <https://xmpp.org/extensions/xep-0191.html>
//!
//! Here the list is shown and changed, and presence follows the change. What a block keeps away is
//! decided in `blocking.rs`.

use std::collections::BTreeSet;
use std::sync::Arc;

use waxwing_stanza::xep::xep_0191_blocking::{Block, BlockList as Query, Item, NS, Unblock};
use waxwing_stanza::{BareJid, Condition, IqType, Jid, Payload, StanzaError};
use waxwing_store::Batch;
use waxwing_wire::{Element, ns};

use crate::accounts;
use crate::addressee::Addressee;
use crate::blocking::{self, BLOCKED, BLOCKED_BYTES_MAX, BlockList};
use crate::cx::{Answer, Cx, Handled, Iq};
use crate::directory::Account;
use crate::effects::{After, Effects, Turn};
use crate::options::{OptionDefault, OptionSpec};
use crate::presence;
use crate::registry::{Feature, Registrar, Source};
use crate::reports;
use crate::roster::{self, StoredItem};
use crate::server::{Server, unavailable};
use crate::session::{Flag, Out};

/// Set on sessions that have asked for the list and so get pushes (§3.3).
const ASKED: Flag = Flag {
    bit: 2,
    name: "asked for the blocklist",
};

/// Most addresses that an account can block.
pub const BLOCKED_MAX: OptionSpec = OptionSpec {
    name: "blocked_per_account_max",
    default: OptionDefault::Number {
        value: 1_000,
        min: 1,
        max: 10_000,
    },
    unit: "addresses",
    doc: "Most addresses that one account can block; one more is refused with <resource-constraint/>.",
};

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(191),
    title: "Blocking Command",
    version: "1.3",
    options: &[BLOCKED_MAX],
    shapes: || vec![BLOCKED.shape()],
    flags: &[ASKED],
    register,
    ..Feature::NONE
};

fn register(registrar: &mut Registrar<'_>) {
    registrar.iq(&[Addressee::OwnAccount], IqType::Get, list);
    registrar.iq(&[Addressee::OwnAccount], IqType::Set, block);
    registrar.iq(&[Addressee::OwnAccount], IqType::Set, unblock);
    registrar.disco(&[Addressee::OwnAccount, Addressee::Domain], NS);
}

/// §3.2.
async fn list(cx: Cx, _: Iq<Query>) -> Handled {
    cx.session.set(ASKED, true);
    let blocked = cx.session.account.blocked();
    let items = blocked.0.iter().map(|jid| Item {
        jid: jid.clone(),
        report: None,
    });
    Ok(Answer::with(&Query {
        items: items.collect(),
    }))
}

fn addresses(items: &[Item]) -> BTreeSet<Jid> {
    items.iter().map(|item| item.jid.clone()).collect()
}

/// §3.3.
async fn block(cx: Cx, iq: Iq<Block>) -> Handled {
    if iq.payload.items.is_empty() {
        return Err(Condition::BadRequest.into());
    }
    let turn = turn(&cx).await;
    let before = cx.session.account.blocked();
    let mut after = BlockList::clone(&before);
    after.0.append(&mut addresses(&iq.payload.items));
    let most = cx.server.options().number(&BLOCKED_MAX);
    if after.0.len() as u64 > most || after.bytes() > BLOCKED_BYTES_MAX {
        return Err(Condition::ResourceConstraint.into());
    }
    let reports = reports::taken(&cx, &iq.payload.items).await?;
    change(&cx, after, presence::block).await?;
    let mut effects = Effects::none();
    effects.exclusive = Some(turn);
    reports::keep(&cx, reports, &mut effects).await;
    // A report is for the server alone.
    let mut told = iq.payload;
    told.items.iter_mut().for_each(|item| item.report = None);
    push(&cx, told.write(), &mut effects);
    Ok(Answer::empty().and(effects))
}

/// §3.4, §3.5.
async fn unblock(cx: Cx, iq: Iq<Unblock>) -> Handled {
    let turn = turn(&cx).await;
    let before = cx.session.account.blocked();
    let mut after = BlockList::default();
    if !iq.payload.items.is_empty() {
        let gone = addresses(&iq.payload.items);
        after.0 = before.0.difference(&gone).cloned().collect();
    }
    change(&cx, after, presence::unblock).await?;
    let mut effects = Effects::none();
    effects.exclusive = Some(turn);
    push(&cx, iq.payload.write(), &mut effects);
    Ok(Answer::empty().and(effects))
}

/// The list is changed by one at a time, and the roster, which says whom that concerns, by nobody meanwhile.
async fn turn(cx: &Cx) -> Turn {
    let account = &cx.session.account;
    let mut turn = account.turn().await;
    turn.extend(cx.server.roster_turn(&[&account.jid]).await);
    turn
}

/// How a list is made to count, with the account's contacts.
type Count = fn(&Server, &Arc<Account>, Arc<BlockList>, &[(BareJid, StoredItem)]);

/// Makes the list durable, then lets it count: whatever the client sends next finds it so, and what was done before is told
/// as it was then.
async fn change(cx: &Cx, after: BlockList, count: Count) -> Result<(), StanzaError> {
    let account = &cx.session.account;
    let contacts = roster::items(&cx.server, account).await?;
    let mut batch = Batch::new();
    accounts::require(&mut batch, &account.owner);
    blocking::save(&mut batch, &account.owner, &after);
    let committed = cx.server.store().commit(batch).await;
    committed.map_err(|error| unavailable(&error))?;
    let (done, counts) = futures_channel::oneshot::channel();
    let own = account.clone();
    let then = After::Call(Box::new(move |server| {
        count(server, &own, Arc::new(after), &contacts);
        // Nobody waits where the server stops.
        let _gone = done.send(());
    }));
    cx.server.stage_behind_commits(&cx.session, vec![then]);
    let _stopped = counts.await;
    Ok(())
}

/// Tells the sessions that have asked for the list.
fn push(cx: &Cx, change: Element, effects: &mut Effects) {
    let account = cx.session.account.clone();
    effects.call(move |server| {
        for session in account.sessions() {
            if session.has(ASKED) {
                let iq = Element::new(ns::CLIENT, "iq")
                    .with_attr("type", "set")
                    .with_attr("id", format!("push-{}", server.next_number()))
                    .with_attr("to", session.jid.to_string())
                    .with_child(change.clone());
                session.push(Out::stanza(iq.to_bytes(ns::CLIENT)));
            }
        }
    });
}
