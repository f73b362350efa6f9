//! Messages as fast as they go: each client has so many under way to its partner, and sends one for each that came.

use std::cell::Cell;
use std::collections::HashSet;
use std::rc::Rc;

use tokio::sync::Notify;

use super::{Need, Scenario};
use crate::run::{Orders, Run, leave};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "flood",
    about: "pairs of clients chat as fast as the server delivers",
    rate: Need::No,
    clients_min: 2,
    play: |run| Box::pin(play(run)),
};

/// Messages that one client has under way.
#[derive(Default)]
struct Window {
    free: Cell<usize>,
    more: Notify,
}

async fn play(run: Rc<Run>) {
    let windows: Rc<Vec<Window>> =
        Rc::new((0..run.plan.clients).map(|_| Window::default()).collect());
    let (this, those) = (run.clone(), windows.clone());
    // Whoever sent what came may send one more.
    let came = move |_, stanza: &waxwing_wire::Stanza| {
        let sender = this.sender(stanza).map(|sender| sender as usize);
        if let Some(window) = sender.and_then(|sender| those.get(sender)) {
            window.free.set(window.free.get() + 1);
            window.more.notify_one();
        }
    };
    let steered = run.login_all(came).await;
    run.enter("flooding");
    let here: HashSet<u32> = steered.iter().map(|one| one.number).collect();
    run.begin_measuring().await;
    let mut senders = tokio::task::JoinSet::new();
    for one in &steered {
        let partner = run.partner(one.number);
        if here.contains(&partner) && partner != one.number {
            windows[one.number as usize].free.set(run.plan.window);
            let orders = one.orders.clone();
            senders.spawn_local(send(run.clone(), one.number, orders, windows.clone()));
        }
    }
    if !senders.is_empty() {
        tokio::time::sleep(run.plan.duration).await;
    }
    run.end_measuring();
    senders.shutdown().await;
    run.settle().await;
    leave(&run, steered).await;
}

async fn send(run: Rc<Run>, number: u32, orders: Orders, windows: Rc<Vec<Window>>) {
    let window = &windows[number as usize];
    let partner = run.partner(number);
    while !orders.is_closed() {
        for _ in 0..window.free.replace(0) {
            if let Some(message) = run.message(number, partner, run.now_micros()) {
                orders.send(message, 1);
            }
        }
        window.more.notified().await;
    }
}
