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
    play: |run| Box::pin(play(run)),
};

async fn play(run: Rc<Run>) {
    let mut clients = run.login_all().await;
    run.begin_measuring().await;
    let until = std::time::Instant::now() + run.plan.duration;
    while std::time::Instant::now() < until && !clients.is_empty() {
        // Each says something, and is gone before it can have heard an answer.
        run.enter("talking");
        let steered: Vec<Steered> = clients
            .into_iter()
            .map(|client| {
                let (from, to) = (client.number, run.partner(client.number));
                let one = Steered::new(&run, client, |_| ());
                if let Some(message) = run.message(from, to, run.now_micros()) {
                    let _gone = one.orders.send(message);
                }
                one
            })
            .collect();
        tokio::task::yield_now().await;
        let mut sessions = Vec::new();
        for one in steered {
            if let Some(client) = one.release().await {
                run.figures(|figures| figures.sessions -= 1);
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
                let client = run.resume(number, session).await;
                run.timed(Timed::Resumption, planned);
                client
            }
        });
        let back = futures_util::stream::iter(back).buffer_unordered(run.plan.at_once);
        clients = back.filter_map(|client| async { client }).collect().await;
    }
    run.end_measuring();
    let steered: Vec<Steered> = clients
        .into_iter()
        .map(|client| Steered::new(&run, client, |_| ()))
        .collect();
    run.settle().await;
    let mut clients = Vec::new();
    for one in steered {
        clients.extend(one.release().await);
    }
    leave(&run, clients).await;
}
