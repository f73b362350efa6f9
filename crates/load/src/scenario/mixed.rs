//! Several scenarios at once, each with its share of the clients and of the rate.

use std::rc::Rc;

use super::{Need, Scenario};
use crate::run::Run;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "mixed",
    about: "several scenarios at once, by the weights of a TOML file (--mix)",
    rate: Need::Must,
    clients_min: 1,
    play: |run| Box::pin(play(run)),
};

async fn play(run: Rc<Run>) {
    let parts = Run::parts(&run);
    run.enter("doing several things");
    let mut playing = tokio::task::JoinSet::new();
    for (scenario, part) in parts {
        playing.spawn_local((scenario.play)(part));
    }
    while playing.join_next().await.is_some() {}
}
