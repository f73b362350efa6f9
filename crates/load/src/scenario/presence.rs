//! Rosters, and everybody logging in: each has contacts who see it, and is told of those who are there.

use std::rc::Rc;

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::task::JoinSet;

use super::{Need, Scenario};
use crate::figures::Timed;
use crate::run::{Client, Run, Steered, leave};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "presence",
    about: "clients with rosters log in, at a rate or as fast as it goes, and see each other",
    rate: Need::May,
    play: |run| Box::pin(play(run)),
};

async fn play(run: Rc<Run>) {
    befriend(&run).await;
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
    let mut clients = Vec::new();
    for one in here {
        clients.extend(one.release().await);
    }
    leave(&run, clients).await;
}

async fn come(run: Rc<Run>, number: u32, planned_micros: u64) -> Option<Steered> {
    let mut client = run.login(number).await?;
    run.timed(Timed::Login, planned_micros);
    let began = run.now_micros();
    if !run.show(&mut client).await {
        return None;
    }
    run.timed(Timed::Presence, began);
    Some(Steered::new(&run, client, |_| ()))
}

/// The contacts of a client: those after it, in a ring, and so those before it.
fn contacts(run: &Run, number: u32) -> impl Iterator<Item = u32> {
    let clients = u32::try_from(run.plan.clients).unwrap_or(u32::MAX);
    let half = u32::try_from(run.plan.roster / 2).unwrap_or(u32::MAX);
    let half = half.min(clients.saturating_sub(1) / 2);
    (1..=half).map(move |step| (number + step) % clients)
}

/// Makes the rosters: half of its contacts each client asks, the other half ask it, and all approve.
async fn befriend(run: &Rc<Run>) {
    if run.plan.roster < 2 {
        return;
    }
    let clients = run.login_all().await;
    run.enter("making rosters");
    let jids: Vec<String> = run.accounts.iter().map(|one| one.jid.to_string()).collect();
    let mut tasks = JoinSet::new();
    for client in clients {
        let asked: Vec<Bytes> = contacts(run, client.number)
            .map(|contact| subscription(&jids[contact as usize], "subscribe"))
            .collect();
        let expected = 2 * asked.len();
        tasks.spawn_local(become_friends(client, asked, expected, run.plan.settle));
    }
    let mut clients = Vec::new();
    while let Some(done) = tasks.join_next().await {
        match done {
            Ok((client, 0)) => clients.push(client),
            Ok((client, missing)) => {
                run.figures(|figures| {
                    figures.error(format!("roster: {missing} contacts did not answer"));
                });
                clients.push(client);
            }
            Err(_) => {}
        }
    }
    run.figures(|figures| figures.sessions = 0);
    leave(run, clients).await;
}

fn subscription(to: &str, kind: &str) -> Bytes {
    format!("<presence to='{to}' type='{kind}'/>").into()
}

/// Asks, approves and asks back, until as many have approved, and were approved, as are to be contacts; how many have not.
async fn become_friends(
    mut client: Client,
    asked: Vec<Bytes>,
    expected: usize,
    limit: std::time::Duration,
) -> (Client, usize) {
    let (mut missing, mut unasked) = (expected, expected);
    let own: std::collections::HashSet<Bytes> = asked.iter().cloned().collect();
    for presence in asked {
        if client.stream.send(presence).await.is_err() {
            return (client, missing.max(unasked));
        }
    }
    while missing > 0 || unasked > 0 {
        let Ok(Ok(stanza)) = tokio::time::timeout(limit, client.stream.next()).await else {
            break;
        };
        let (Some(from), Some(kind)) = (stanza.from(), stanza.kind()) else {
            continue;
        };
        let answers = match (stanza.name(), &*kind) {
            ("presence", "subscribe") => {
                unasked = unasked.saturating_sub(1);
                let back = subscription(&from, "subscribe");
                let is_known = own.contains(&back);
                let approved = subscription(&from, "subscribed");
                [Some(approved), (!is_known).then_some(back)]
            }
            ("presence", "subscribed") => {
                missing = missing.saturating_sub(1);
                continue;
            }
            _ => continue,
        };
        for answer in answers.into_iter().flatten() {
            if client.stream.send(answer).await.is_err() {
                return (client, missing.max(unasked));
            }
        }
    }
    (client, missing.max(unasked))
}
