//! Messages as fast as they go: each client has so many under way to its partner, and sends one for each that came.

use std::cell::Cell;
use std::rc::Rc;

use tokio::sync::Notify;

use super::{Need, Scenario};
use crate::run::{Run, Steered, leave};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "flood",
    about: "pairs of clients chat as fast as the server delivers",
    rate: Need::No,
    play: |run| Box::pin(play(run)),
};

/// Messages that one client has under way.
#[derive(Default)]
struct Window {
    free: Cell<usize>,
    more: Notify,
}

async fn play(run: Rc<Run>) {
    let clients = run.login_all().await;
    run.enter("flooding");
    let windows: Rc<Vec<Window>> =
        Rc::new((0..run.plan.clients).map(|_| Window::default()).collect());
    let here: Rc<Vec<Cell<bool>>> =
        Rc::new((0..run.plan.clients).map(|_| Cell::new(false)).collect());
    for client in &clients {
        here[client.number as usize].set(true);
    }
    let mut steered = Vec::new();
    for client in clients {
        let number = client.number;
        let windows = windows.clone();
        let this = run.clone();
        // Whoever sent what came may send one more.
        let came = move |stanza: &waxwing_wire::Stanza| {
            let sender = this.sender(stanza).map(|sender| sender as usize);
            if let Some(window) = sender.and_then(|sender| windows.get(sender)) {
                window.free.set(window.free.get() + 1);
                window.more.notify_one();
            }
        };
        steered.push((number, Steered::new(&run, client, came)));
    }
    run.begin_measuring().await;
    let mut senders = tokio::task::JoinSet::new();
    for (number, one) in &steered {
        let partner = run.partner(*number);
        if here[partner as usize].get() && partner != *number {
            windows[*number as usize].free.set(run.plan.window);
            let orders = one.orders.clone();
            senders.spawn_local(send(run.clone(), *number, orders, windows.clone()));
        }
    }
    if !senders.is_empty() {
        tokio::time::sleep(run.plan.duration).await;
    }
    run.end_measuring();
    senders.shutdown().await;
    run.settle().await;
    let mut clients = Vec::new();
    for (_, one) in steered {
        clients.extend(one.release().await);
    }
    leave(&run, clients).await;
}

async fn send(
    run: Rc<Run>,
    number: u32,
    orders: tokio::sync::mpsc::UnboundedSender<bytes::Bytes>,
    windows: Rc<Vec<Window>>,
) {
    let window = &windows[number as usize];
    let partner = run.partner(number);
    loop {
        for _ in 0..window.free.replace(0) {
            let message = run.message(number, partner, run.now_micros());
            if message.is_none_or(|message| orders.send(message).is_err()) {
                return;
            }
        }
        window.more.notified().await;
    }
}
