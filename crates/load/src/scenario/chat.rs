//! Messages at a fixed rate, between pairs of clients.

use std::collections::HashMap;
use std::rc::Rc;

use super::{Need, Scenario};
use crate::run::{Run, Steered, leave};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "chat",
    about: "pairs of clients chat, at a rate",
    rate: Need::Must,
    clients_min: 1,
    play: |run| Box::pin(play(run)),
};

async fn play(run: Rc<Run>) {
    let here = run.login_all(|_, _| ()).await;
    let numbers: Vec<u32> = here.iter().map(|one| one.number).collect();
    let here: HashMap<u32, Steered> = here.into_iter().map(|one| (one.number, one)).collect();
    run.enter("chatting");
    run.begin_measuring().await;
    if let (Some(rate), false) = (run.plan.rate, numbers.is_empty()) {
        let mut ticks = run.ticks(rate);
        while let Some(tick) = ticks.recv().await {
            let turn = usize::try_from(tick.number).unwrap_or(usize::MAX) % numbers.len();
            let from = numbers[turn];
            let to = run.partner(from);
            // Who has gone was counted as an error, and says no more.
            let talker = here.get(&from).filter(|one| !one.orders.is_closed());
            if let (Some(talker), true) = (talker, here.contains_key(&to))
                && run.has_room()
                && let Some(message) = run.message(from, to, tick.planned_micros)
            {
                talker.orders.send(message, 1);
            }
        }
    }
    run.end_measuring();
    run.settle().await;
    leave(&run, here.into_values()).await;
}
