//! Clients that are there and say nothing: what a connection costs.

use std::rc::Rc;

use super::{Need, Scenario};
use crate::run::{Run, leave};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "idle",
    about: "clients are there and say nothing: memory of a connection",
    rate: Need::No,
    clients_min: 1,
    play: |run| Box::pin(play(run)),
};

async fn play(run: Rc<Run>) {
    let here = run.login_all(|_, _| ()).await;
    run.enter("being there");
    run.begin_measuring().await;
    if !here.is_empty() {
        tokio::time::sleep(run.plan.duration).await;
    }
    run.end_measuring();
    leave(&run, here).await;
}
