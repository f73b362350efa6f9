//! Rosters, and everybody logging in: each has contacts who see it, and is told of those who are there.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::task::JoinSet;
use waxwing_wire::Stanza;

use super::{Need, Scenario};
use crate::figures::{Figures, Timed};
use crate::run::{Client, Run, Steered, leave};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "presence",
    about: "clients with rosters log in, at a rate or as fast as it goes, and see each other",
    rate: Need::May,
    clients_min: 1,
    play: |run| Box::pin(play(run)),
};

async fn play(run: Rc<Run>) {
    befriend(&run).await;
    run.register_all().await;
    run.enter("logging in");
    run.begin_measuring().await;
    let mut under_way = JoinSet::new();
    let clients = u64::try_from(run.plan.clients).unwrap_or(u64::MAX);
    let mut here = Vec::new();
    match run.plan.rate {
        Some(rate) => {
            let mut ticks = run.ticks(rate);
            while let Some(tick) = ticks.recv().await {
                if tick.number >= clients {
                    break;
                }
                let number = u32::try_from(tick.number).unwrap_or_default();
                under_way.spawn_local(come(run.clone(), number, tick.planned_micros));
            }
            while let Some(come) = under_way.join_next().await {
                here.extend(come.ok().flatten());
            }
        }
        None => {
            let numbers = 0..u32::try_from(clients).unwrap_or(u32::MAX);
            let comes = numbers.map(|number| come(run.clone(), number, run.now_micros()));
            let mut coming = futures_util::stream::iter(comes).buffer_unordered(run.plan.at_once);
            while let Some(come) = coming.next().await {
                here.extend(come);
            }
        }
    }
    // What the last ones are told is on its way.
    tokio::time::sleep(run.plan.settle.min(std::time::Duration::from_secs(2))).await;
    run.end_measuring();
    leave(&run, here).await;
}

async fn come(run: Rc<Run>, number: u32, planned_micros: u64) -> Option<Steered> {
    let client = run.login(number).await?;
    run.timed(Timed::Login, planned_micros);
    let began = run.now_micros();
    let this = run.clone();
    let came = move |stanza: &Stanza| {
        if stanza.name() == "presence" && stanza.kind().as_deref() != Some("error") {
            this.figures(Figures::delivered);
        }
    };
    let here = run.steer(client, came).await?;
    run.timed(Timed::Presence, began);
    Some(here)
}

/// The contacts of a client: those after it, in a ring, and so those before it.
fn contacts(clients: u32, roster: u32, number: u32) -> Vec<u32> {
    let half = (roster / 2).min(clients.saturating_sub(1) / 2);
    let after = (1..=half).map(|step| (number + step) % clients);
    let before = (1..=half).map(|step| (number + clients - step) % clients);
    after.chain(before).collect()
}

/// Makes the rosters, as far as they are not there from an earlier run: everybody asks their contacts, and all approve.
async fn befriend(run: &Rc<Run>) {
    let clients = u32::try_from(run.plan.clients).unwrap_or(u32::MAX);
    let roster = u32::try_from(run.plan.roster).unwrap_or(u32::MAX);
    if contacts(clients, roster, 0).is_empty() {
        return;
    }
    // Requests may come as soon as one is there, and an earlier run may have left some.
    let asking: Rc<RefCell<HashMap<u32, Vec<String>>>> = Rc::default();
    let noted = asking.clone();
    let note = move |number, stanza: &Stanza| {
        if let Some(from) = asks(stanza) {
            noted.borrow_mut().entry(number).or_default().push(from);
        }
    };
    let here = run.login_all(note).await;
    run.enter("making rosters");
    let jids: Vec<String> = run.accounts.iter().map(|one| one.jid.to_string()).collect();
    let mut tasks = JoinSet::new();
    for one in here {
        let contacts = contacts(clients, roster, one.number);
        let contacts = contacts.iter().map(|at| jids[*at as usize].clone());
        let (run, contacts, asking) = (run.clone(), contacts.collect(), asking.clone());
        tasks.spawn_local(async move {
            let number = one.number;
            let client = one.release().await?;
            let asking = asking.borrow_mut().remove(&number).unwrap_or_default();
            let limit = run.plan.settle;
            let (client, missing) = become_friends(client, contacts, asking, limit).await;
            if missing > 0 {
                run.figures(|figures| {
                    figures.error(format!("roster: {missing} contacts did not answer"));
                });
            }
            Some(Steered::new(&run, client, |_| ()))
        });
    }
    let mut friends = Vec::new();
    while let Some(done) = tasks.join_next().await {
        friends.extend(done.ok().flatten());
    }
    friends.retain(|one| !one.orders.is_closed());
    leave(run, friends).await;
}

/// Who asks in this stanza to be shown presence.
fn asks(stanza: &Stanza) -> Option<String> {
    let is_request = stanza.name() == "presence" && stanza.kind().as_deref() == Some("subscribe");
    is_request
        .then(|| Some(stanza.from()?.into_owned()))
        .flatten()
}

fn subscription(to: &str, kind: &str) -> Bytes {
    format!("<presence to='{to}' type='{kind}'/>").into()
}

/// Asks for the presence of those contacts who do not show it yet, and approves who asks, until each sees the other; how many
/// do not.
async fn become_friends(
    mut client: Client,
    contacts: Vec<String>,
    asking: Vec<String>,
    limit: std::time::Duration,
) -> (Client, usize) {
    let Some(mut unseen) = strangers(&mut client, &contacts, asking, limit).await else {
        return (client, contacts.len());
    };
    let ask = unseen.to.iter().map(|to| subscription(to, "subscribe"));
    let asking = std::mem::take(&mut unseen.asking);
    let approve = asking.iter().map(|to| subscription(to, "subscribed"));
    for presence in ask.chain(approve).collect::<Vec<Bytes>>() {
        if client.stream.send(presence).await.is_err() {
            return (client, unseen.count());
        }
    }
    for contact in asking {
        unseen.from.remove(&contact);
    }
    while unseen.count() > 0 {
        let Ok(Ok(stanza)) = tokio::time::timeout(limit, client.stream.next()).await else {
            break;
        };
        let (Some(from), Some(kind)) = (stanza.from(), stanza.kind()) else {
            continue;
        };
        match (stanza.name(), &*kind) {
            ("presence", "subscribe") => {
                unseen.from.remove(&*from);
                let approved = subscription(&from, "subscribed");
                if client.stream.send(approved).await.is_err() {
                    break;
                }
            }
            ("presence", "subscribed") => {
                unseen.to.remove(&*from);
            }
            _ => {}
        }
    }
    (client, unseen.count())
}

/// Contacts who do not show their presence, and those to whom one's own is not shown (RFC 6121 §2.1.2.5).
struct Unseen {
    to: HashSet<String>,
    from: HashSet<String>,
    /// Who has asked meanwhile.
    asking: Vec<String>,
}

impl Unseen {
    fn count(&self) -> usize {
        self.to.len().max(self.from.len())
    }
}

/// Who of the contacts is missing in the client's roster; `None` where it does not come.
async fn strangers(
    client: &mut Client,
    contacts: &[String],
    asking: Vec<String>,
    limit: std::time::Duration,
) -> Option<Unseen> {
    let all: HashSet<String> = contacts.iter().cloned().collect();
    let mut unseen = Unseen {
        to: all.clone(),
        from: all,
        asking,
    };
    let asked = "<iq type='get' id='friends'><query xmlns='jabber:iq:roster'/></iq>";
    client.stream.send(asked.into()).await.ok()?;
    loop {
        let stanza = tokio::time::timeout(limit, client.stream.next()).await;
        let stanza = stanza.ok()?.ok()?;
        unseen.asking.extend(asks(&stanza));
        if stanza.name() != "iq" || stanza.id().as_deref() != Some("friends") {
            continue;
        }
        let answer = stanza.element();
        let items = answer.children().flat_map(waxwing_wire::Element::children);
        for item in items {
            let jid = item.attr("jid").unwrap_or_default();
            let subscription = item.attr("subscription").unwrap_or_default();
            if matches!(subscription, "to" | "both") {
                unseen.to.remove(jid);
            }
            if matches!(subscription, "from" | "both") {
                unseen.from.remove(jid);
            }
        }
        return Some(unseen);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_a_contact_is_one_of_theirs() {
        for (clients, roster, count) in [(8, 4, 4), (8, 20, 6), (3, 2, 2), (2, 20, 0), (1, 20, 0)] {
            for number in 0..clients {
                let theirs = contacts(clients, roster, number);
                assert_eq!(theirs.len(), count, "{clients} {roster}");
                let mutual = |other: &u32| contacts(clients, roster, *other).contains(&number);
                assert!(theirs.iter().all(mutual), "{clients} {roster} {number}");
                assert!(!theirs.contains(&number));
            }
        }
    }
}
