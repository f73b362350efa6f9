//! Messages to those who are away, at a rate; then they come and get them.

use std::rc::Rc;

use futures_util::StreamExt;

use super::{Need, Scenario};
use crate::run::{Run, Steered, leave};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "offline",
    about: "half of the clients write to the other half, who are away, at a rate; then those come and get everything",
    rate: Need::Must,
    play: |run| Box::pin(play(run)),
};

async fn play(run: Rc<Run>) {
    let all = run.login_all().await;
    // Who is odd goes, and is written to.
    let (here, away): (Vec<_>, Vec<_>) = all.into_iter().partition(|client| client.number % 2 == 0);
    let absent: Vec<u32> = away.iter().map(|client| client.number).collect();
    run.figures(|figures| figures.sessions -= absent.len() as u64);
    leave(&run, away).await;
    let senders: Vec<(u32, Steered)> = here
        .into_iter()
        .filter(|client| absent.contains(&run.partner(client.number)))
        .map(|client| (client.number, Steered::new(&run, client, |_| ())))
        .collect();
    run.enter("writing");
    run.begin_measuring().await;
    if let (Some(rate), false) = (run.plan.rate, senders.is_empty()) {
        let mut ticks = run.ticks(rate);
        while let Some(tick) = ticks.recv().await {
            let turn = usize::try_from(tick.number).unwrap_or(usize::MAX) % senders.len();
            let (from, sender) = &senders[turn];
            if !sender.orders.is_closed()
                && let Some(message) = run.message(*from, run.partner(*from), run.now_micros())
            {
                let _gone = sender.orders.send(message);
            }
        }
    }
    run.enter("coming for it");
    let coming = absent.into_iter().map(|number| {
        let run = run.clone();
        async move {
            let mut client = run.login(number).await?;
            let shown = run.show(&mut client, |_| ()).await;
            shown.then(|| Steered::new(&run, client, |_| ()))
        }
    });
    let coming = futures_util::stream::iter(coming).buffer_unordered(run.plan.at_once);
    let receivers: Vec<Option<Steered>> = coming.collect().await;
    run.settle().await;
    run.end_measuring();
    let mut clients = Vec::new();
    let senders = senders.into_iter().map(|(_, one)| one);
    for one in receivers.into_iter().flatten().chain(senders) {
        clients.extend(one.release().await);
    }
    leave(&run, clients).await;
}
