//! Log-ins at a rate, or one after the other in each of some places; who is in leaves at once.

use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::{Need, Scenario};
use crate::figures::Timed;
use crate::run::Run;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "login",
    about: "clients log in and leave, at a rate or as fast as it goes",
    rate: Need::May,
    clients_min: 1,
    play: |run| Box::pin(play(run)),
};

async fn play(run: Rc<Run>) {
    run.register_all().await;
    run.enter("logging in and leaving");
    run.begin_measuring().await;
    match run.plan.rate {
        Some(rate) => {
            let mut ticks = run.ticks(rate);
            let mut under_way = JoinSet::new();
            while let Some(tick) = ticks.recv().await {
                while under_way.try_join_next().is_some() {}
                // Who is still at it cannot begin once more; a server that is too slow is not buried under what it owes.
                if under_way.len() >= run.plan.clients {
                    run.figures(|figures| {
                        figures.error("log-in: not begun, all clients were at it");
                    });
                    continue;
                }
                let number = number(&run, tick.number);
                under_way.spawn_local(visit(run.clone(), number, tick.planned_micros));
            }
            while under_way.join_next().await.is_some() {}
        }
        None => {
            let until = Instant::now() + run.plan.duration;
            let mut places = JoinSet::new();
            for place in 0..run.plan.at_once {
                places.spawn_local(stay_busy(run.clone(), place as u64, until));
            }
            while places.join_next().await.is_some() {}
        }
    }
    run.end_measuring();
}

/// One visit after the other. A log-in that fails at once is not tried again at once.
async fn stay_busy(run: Rc<Run>, place: u64, until: Instant) {
    let mut round = place;
    while Instant::now() < until {
        let number = number(&run, round);
        if !visit(run.clone(), number, run.now_micros()).await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        round += run.plan.at_once as u64;
    }
}

fn number(run: &Run, turn: u64) -> u32 {
    u32::try_from(turn % run.plan.clients as u64).unwrap_or_default()
}

async fn visit(run: Rc<Run>, number: u32, planned_micros: u64) -> bool {
    // The same account may be under way already.
    let Some(client) = run.login_as(number, None).await else {
        return false;
    };
    run.timed(Timed::Login, planned_micros);
    run.figures(crate::figures::Figures::delivered);
    client.close().await;
    true
}
