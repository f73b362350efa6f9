//! Everybody drops and comes back at once, while messages are on their way to them.

use std::rc::Rc;

use futures_util::StreamExt;

use super::{Need, Scenario};
use crate::figures::Timed;
use crate::run::{Run, Steered, leave};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "reconnect",
    about: "all connections break at once and their sessions are resumed, again and again; nothing may be lost",
    rate: Need::No,
    clients_min: 1,
    play: |run| Box::pin(play(run)),
};

async fn play(run: Rc<Run>) {
    let mut here = run.login_all(|_, _| ()).await;
    run.begin_measuring().await;
    let until = std::time::Instant::now() + run.plan.duration;
    while std::time::Instant::now() < until && !here.is_empty() {
        // Each says something, and is gone before it can have heard an answer.
        run.enter("talking");
        for one in &here {
            let (from, to) = (one.number, run.partner(one.number));
            if !one.orders.is_closed()
                && let Some(message) = run.message(from, to, run.now_micros())
            {
                one.orders.send(message, 1);
            }
        }
        tokio::task::yield_now().await;
        let mut sessions = Vec::new();
        for one in here {
            if let Some(client) = one.release().await {
                match client.stream.into_session() {
                    Some(session) => sessions.push((client.number, session)),
                    None => {
                        run.figures(|figures| figures.error("resumption: the server grants none"));
                    }
                }
            }
        }
        run.enter("coming back");
        let planned = run.now_micros();
        let back = sessions.into_iter().map(|(number, session)| {
            let run = run.clone();
            async move {
                let client = run.resume(number, session).await?;
                run.timed(Timed::Resumption, planned);
                // Who is back waits for the others.
                Some(Steered::new(&run, client, |_| ()))
            }
        });
        let back = futures_util::stream::iter(back).buffer_unordered(run.plan.at_once);
        here = back.filter_map(|one| async { one }).collect().await;
    }
    run.end_measuring();
    run.settle().await;
    leave(&run, here).await;
}
