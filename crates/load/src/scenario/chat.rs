//! Messages at a fixed rate, between pairs of clients.

use std::collections::HashMap;
use std::rc::Rc;

use super::{Need, Scenario};
use crate::run::{Client, Run, Steered, leave};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "chat",
    about: "pairs of clients chat, at a rate",
    rate: Need::Must,
    play: |run| Box::pin(play(run)),
};

/// Messages that may be under way: what a server does not take has to wait here, some 300 bytes each.
const OPEN_MAX: u64 = 1_000_000;

async fn play(run: Rc<Run>) {
    let clients = run.login_all().await;
    let clients = talk(&run, clients).await;
    leave(&run, clients).await;
}

/// Has the clients talk at the plan's rate, for as long as it says.
pub(super) async fn talk(run: &Rc<Run>, clients: Vec<Client>) -> Vec<Client> {
    let numbers: Vec<u32> = clients.iter().map(|client| client.number).collect();
    let steered: HashMap<u32, Steered> = clients
        .into_iter()
        .map(|client| (client.number, Steered::new(run, client, |_| ())))
        .collect();
    run.enter("chatting");
    run.begin_measuring().await;
    if let (Some(rate), false) = (run.plan.rate, numbers.is_empty()) {
        let mut ticks = run.ticks(rate);
        while let Some(tick) = ticks.recv().await {
            let turn = usize::try_from(tick.number).unwrap_or(usize::MAX) % numbers.len();
            let from = numbers[turn];
            let to = run.partner(from);
            // Who has gone was counted as an error, and says no more.
            let talker = steered.get(&from).filter(|one| !one.orders.is_closed());
            if run.figures(|figures| figures.ledger.open()) >= OPEN_MAX {
                let error = "message: not sent, a million others were under way";
                run.figures(|figures| figures.error(error));
                continue;
            }
            if let (Some(talker), true) = (talker, steered.contains_key(&to))
                && let Some(message) = run.message(from, to, tick.planned_micros)
            {
                let _gone = talker.orders.send(message);
            }
        }
    }
    run.end_measuring();
    run.settle().await;
    let mut clients = Vec::new();
    for (_, one) in steered {
        clients.extend(one.release().await);
    }
    clients
}
