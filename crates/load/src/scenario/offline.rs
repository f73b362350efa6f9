//! Messages to those who are away, at a rate; then they come and get them.

use std::rc::Rc;

use futures_util::StreamExt;

use super::{Need, Scenario};
use crate::run::{Run, Steered, leave};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "offline",
    about: "half of the clients write to the other half, who are away, at a rate; then those come and get everything",
    rate: Need::Must,
    clients_min: 2,
    play: |run| Box::pin(play(run)),
};

async fn play(run: Rc<Run>) {
    let all = run.login_all(|_, _| ()).await;
    // Who is odd goes, and is written to.
    let (here, away): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| one.number % 2 == 0);
    let absent: Vec<u32> = away.iter().map(|one| one.number).collect();
    leave(&run, away).await;
    let is_talker = |one: &&Steered| absent.contains(&run.partner(one.number));
    let senders: Vec<&Steered> = here.iter().filter(is_talker).collect();
    run.enter("writing");
    run.begin_measuring().await;
    if let (Some(rate), false) = (run.plan.rate, senders.is_empty()) {
        let mut ticks = run.ticks(rate);
        while let Some(tick) = ticks.recv().await {
            let turn = usize::try_from(tick.number).unwrap_or(usize::MAX) % senders.len();
            let (from, to) = (senders[turn].number, run.partner(senders[turn].number));
            if !senders[turn].orders.is_closed()
                && run.has_room()
                && let Some(message) = run.message(from, to, tick.planned_micros)
            {
                senders[turn].orders.send(message, 1);
            }
        }
    }
    run.enter("coming for it");
    let coming = absent.into_iter().map(|number| {
        let run = run.clone();
        async move {
            let client = run.login(number).await?;
            run.steer(client, |_| ()).await
        }
    });
    let coming = futures_util::stream::iter(coming).buffer_unordered(run.plan.at_once);
    let receivers: Vec<Option<Steered>> = coming.collect().await;
    run.settle().await;
    run.end_measuring();
    leave(&run, receivers.into_iter().flatten().chain(here)).await;
}
