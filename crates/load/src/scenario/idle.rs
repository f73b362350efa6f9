//! Clients that are there and say nothing: what a connection costs.

use std::rc::Rc;

use super::{Need, Scenario};
use crate::run::{Run, Steered, leave};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "idle",
    about: "clients are there and say nothing: memory of a connection",
    rate: Need::No,
    play: |run| Box::pin(play(run)),
};

async fn play(run: Rc<Run>) {
    let clients = run.login_all().await;
    run.enter("being there");
    let steered: Vec<Steered> = clients
        .into_iter()
        .map(|client| Steered::new(&run, client, |_| ()))
        .collect();
    run.begin_measuring().await;
    if !steered.is_empty() {
        tokio::time::sleep(run.plan.duration).await;
    }
    run.end_measuring();
    let mut clients = Vec::new();
    for one in steered {
        clients.extend(one.release().await);
    }
    leave(&run, clients).await;
}
