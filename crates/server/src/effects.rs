//! What a handled stanza causes: writes now, and what follows once they are durable.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use waxwing_stanza::FullJid;
use waxwing_store::Batch;
use waxwing_wire::Stanza;

use crate::delivery::Delivery;
use crate::directory::Account;
use crate::hooks::Sent;
use crate::server::Server;
use crate::session::{Out, Session};
pub use crate::turnstile::Pass;

/// Something that happens after the commit, in order.
pub enum After {
    /// Bytes for one session.
    Deliver(Arc<Session>, Out),
    /// A stanza for a full address: to its session, or, for an IQ request, an error back.
    Route(FullJid, Stanza),
    /// A message for an account: the second half of the pipeline.
    Message(Box<Delivery>),
    /// A message of one's own is on its way.
    Sent(Box<Sent>),
    /// Anything else.
    Call(Box<dyn FnOnce(&Server) + Send>),
}

impl After {
    pub(crate) fn run(self, server: &Server) {
        match self {
            After::Deliver(session, out) => session.push(out),
            After::Route(to, stanza) => crate::route::to_session(server, &to, &stanza),
            After::Message(delivery) => crate::delivery::deliver(server, *delivery),
            After::Sent(sent) => crate::hooks::sent(server, &sent),
            After::Call(call) => call(server),
        }
    }
}

/// The writes of a stanza and what follows them.
#[derive(Default)]
pub struct Effects {
    /// Writes; nothing in `after` happens before they are on disk.
    pub batch: Batch,
    /// A message that enters an account's log; its id is given when it is staged.
    pub message: Option<Box<Delivery>>,
    /// The same message as its sender has it.
    pub sent: Option<Box<Sent>>,
    /// Messages beside it, as notifications that wait for who is not there.
    pub more: Vec<Delivery>,
    /// What follows, in order.
    pub after: Vec<After>,
    /// The account that the writes remove: whatever is staged after them stores nothing for it.
    pub(crate) removes: Option<Arc<Account>>,
    /// Whether what follows waits for everything that was handed to the store before.
    pub behind_commits: bool,
    /// Held from the reads on which the writes stand until those are staged, where both must be one.
    pub exclusive: Option<Turn>,
}

/// The right to change what others change too, until it is dropped.
pub type Turn = Vec<Pass>;

impl Effects {
    /// No effects.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds what something else causes, which is no message of its own, behind what is there.
    pub(crate) fn extend(&mut self, other: Effects) {
        self.batch.extend(other.batch);
        self.more.extend(other.more);
        self.after.extend(other.after);
        self.behind_commits |= other.behind_commits;
        if let Some(turn) = other.exclusive {
            self.exclusive.get_or_insert_default().extend(turn);
        }
    }

    /// Sends a stanza to one session.
    pub fn deliver(&mut self, to: &Arc<Session>, bytes: Bytes) {
        self.after
            .push(After::Deliver(to.clone(), Out::stanza(bytes)));
    }

    /// Runs something once the writes are durable.
    pub fn call(&mut self, call: impl FnOnce(&Server) + Send + 'static) {
        self.after.push(After::Call(Box::new(call)));
    }

    /// Begins something long once the writes are durable: nobody waits for it.
    pub(crate) fn spawn<F>(&mut self, work: impl FnOnce(Server) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.call(move |server| server.outside().tasks.spawn(work(server.clone()).boxed()));
    }
}
