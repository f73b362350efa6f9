//! Clients that are driven by tasks of their own.

use std::rc::Rc;

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;
use waxwing_wire::Stanza;

use super::{Client, Run};

/// A client that does what it is told, and counts what comes.
pub struct Steered {
    /// What it is to send.
    pub orders: tokio::sync::mpsc::UnboundedSender<Bytes>,
    task: JoinHandle<Option<Client>>,
}

impl Steered {
    /// Steers a client; `came` is called for each stanza, after it was counted.
    pub fn new(run: &Rc<Run>, client: Client, came: impl Fn(&Stanza) + 'static) -> Steered {
        let (orders, received) = unbounded_channel();
        let task = tokio::task::spawn_local(drive(run.clone(), client, received, came));
        Steered { orders, task }
    }

    /// Takes the client back, unless its stream has ended.
    pub async fn release(self) -> Option<Client> {
        drop(self.orders);
        self.task.await.ok().flatten()
    }
}

async fn drive(
    run: Rc<Run>,
    mut client: Client,
    mut orders: UnboundedReceiver<Bytes>,
    came: impl Fn(&Stanza),
) -> Option<Client> {
    loop {
        let error = tokio::select! {
            biased;
            order = orders.recv() => {
                let Some(order) = order else {
                    return Some(client);
                };
                let mut next = Some(order);
                loop {
                    match next.map(|order| client.stream.queue(order)) {
                        None => break None,
                        Some(Err(error)) => break Some(error.to_string()),
                        Some(Ok(())) => next = orders.try_recv().ok(),
                    }
                }
            }
            stanza = client.stream.next() => match stanza {
                Ok(stanza) => {
                    run.take(client.number, &stanza);
                    came(&stanza);
                    None
                }
                Err(end) => Some(end.to_string()),
            },
        };
        if let Some(error) = error {
            run.figures(|figures| {
                figures.sessions -= 1;
                figures.error(format!("stream: {error}"));
            });
            return None;
        }
    }
}

/// Closes clients' streams, a few at a time.
pub async fn leave(run: &Run, clients: Vec<Client>) {
    run.enter("leaving");
    let closing = clients.into_iter().map(|client| client.stream.close());
    let closed = futures_util::stream::iter(closing).buffer_unordered(run.plan.at_once);
    closed.for_each(|_| async {}).await;
}
