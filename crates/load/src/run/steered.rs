//! Clients that are driven by tasks of their own.

use std::rc::Rc;

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use waxwing_dial::SendError;
use waxwing_wire::Stanza;

use super::{Client, Run};

/// A client that does what it is told, and counts what comes. It reads and acknowledges all the time: a server gives up
/// who does not.
pub struct Steered {
    /// Its number.
    pub number: u32,
    /// What it is to send.
    pub orders: Orders,
    /// Dropped when the client is wanted back.
    _wanted: oneshot::Sender<()>,
    task: JoinHandle<Option<Client>>,
}

/// What a client is to send, in order. What its stream does not take yet waits here.
#[derive(Clone)]
pub struct Orders(UnboundedSender<Order>);

/// A stanza, and how many messages of the ledger it is.
struct Order {
    stanza: Bytes,
    messages: u64,
}

impl Orders {
    /// Has a stanza sent that is so many messages of the ledger. Who has gone sends nothing.
    pub fn send(&self, stanza: Bytes, messages: u64) {
        let _gone = self.0.send(Order { stanza, messages });
    }

    /// Whether the client has gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

impl Steered {
    /// Steers a client; `came` is called for each stanza, after it was counted.
    pub fn new(run: &Rc<Run>, client: Client, came: impl Fn(&Stanza) + 'static) -> Steered {
        let (orders, received) = unbounded_channel();
        let (wanted, is_wanted) = oneshot::channel();
        let number = client.number;
        let task = tokio::task::spawn_local(drive(run.clone(), client, received, is_wanted, came));
        Steered {
            number,
            orders: Orders(orders),
            _wanted: wanted,
            task,
        }
    }

    /// Takes the client back, unless its stream has ended. What its stream does not take is not sent, and counts as an
    /// error.
    pub async fn release(self) -> Option<Client> {
        let Steered { _wanted, task, .. } = self;
        drop(_wanted);
        task.await.ok().flatten()
    }
}

async fn drive(
    run: Rc<Run>,
    mut client: Client,
    mut orders: UnboundedReceiver<Order>,
    mut is_wanted: oneshot::Receiver<()>,
    came: impl Fn(&Stanza),
) -> Option<Client> {
    let mut held = None;
    let ended = loop {
        if let Err(error) = forward(&mut client, &mut orders, &mut held) {
            break Some(error.to_string());
        }
        tokio::select! {
            biased;
            _ = &mut is_wanted => break None,
            order = orders.recv(), if held.is_none() => match order {
                Some(order) => held = Some(order),
                None => break None,
            },
            heard = client.stream.next_or_acked() => match heard {
                Ok(Some(stanza)) => {
                    run.take(client.number, &stanza);
                    came(&stanza);
                }
                // There may be room now.
                Ok(None) => {}
                Err(end) => break Some(end.to_string()),
            },
        }
    };
    orders.close();
    let ended = ended.or_else(|| {
        let sent = forward(&mut client, &mut orders, &mut held);
        sent.err().map(|error| error.to_string())
    });
    let mut unsent = 0;
    while let Some(order) = held.take().or_else(|| orders.try_recv().ok()) {
        unsent += order.messages;
    }
    run.figures(|figures| {
        figures.unsent(unsent);
        if let Some(error) = &ended {
            figures.error(format!("stream: {error}"));
        }
    });
    ended.is_none().then_some(client)
}

/// Queues what is to be sent, as far as the stream has room for it; the first for which there is none is held.
fn forward(
    client: &mut Client,
    orders: &mut UnboundedReceiver<Order>,
    held: &mut Option<Order>,
) -> Result<(), SendError> {
    while let Some(order) = held.take().or_else(|| orders.try_recv().ok()) {
        if !client.stream.has_room(order.stanza.len()) {
            *held = Some(order);
            break;
        }
        client.stream.queue(order.stanza)?;
    }
    Ok(())
}

/// Closes clients' streams, a few at a time; the others are driven on meanwhile.
pub async fn leave(run: &Run, clients: impl IntoIterator<Item = Steered>) {
    run.enter("leaving");
    let closing = clients.into_iter().map(|one| async {
        if let Some(client) = one.release().await {
            client.close().await;
        }
    });
    let closed = futures_util::stream::iter(closing).buffer_unordered(run.plan.at_once);
    closed.for_each(|()| async {}).await;
}
