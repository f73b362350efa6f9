//! A session: a bound resource, which may outlive its stream (XEP-0198 resumption).
//!
//! Length: what a session has queued, sent and read of the log is one state under one lock, and each part of it is true
//! only with the others.

mod lull;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use bytes::Bytes;
use prometheus_client::metrics::counter::Counter;
use waxwing_stanza::{BareJid, FullJid, Jid};
use waxwing_store::LogId;
use waxwing_stream::sm::Sm;
use waxwing_stream::{StreamCondition, StreamError};

use crate::asks::Asked;
use crate::devices::clients::Agent;
use crate::directory::Account;
use crate::interests::Following;
use crate::metrics::Waits;
use crate::release::ReleaseQueue;
use lull::Lull;

/// Most bytes that wait for one session, before its stream and the session end as too slow: presence,
/// answers, and whatever else no log holds.
pub const OUTBOX_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Most bytes that wait for all sessions of one account together. Beyond it, those that have more than a MiB
/// waiting end as too slow: somebody with many sessions that read nothing holds no more memory than with a few.
pub const ACCOUNT_OUTBOX_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Bytes that wait for one session, from which on messages wait in the account's log instead.
pub(crate) const BEHIND_BYTES: usize = 1024 * 1024;

/// Most messages that were written to one session and not confirmed, from which on they wait in the account's log instead.
pub(crate) const UNCONFIRMED_MAX: usize = 10_000;

/// A yes-or-no property of a session that a feature owns, such as "wants carbons".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flag {
    /// Bit, unique among features; the registry refuses duplicates.
    pub bit: u8,
    /// Name in listings.
    pub name: &'static str,
}

/// Bytes on their way to a client.
#[derive(Clone, Debug)]
pub struct Out {
    /// One whole element.
    pub bytes: Bytes,
    /// Whether XEP-0198 counts it.
    pub counts: bool,
    /// The log entry whose *undelivered* mark goes when the client has it.
    pub mark: Option<LogId>,
    /// Whether it is left out where much waits already: nobody keeps it for a client that is not there, and strangers
    /// may send as much of it as they like.
    pub passing: bool,
    /// Whether it belongs to an answer, which is given whole: it is not left to the log where much waits.
    pub answers: bool,
}

impl Out {
    /// A stanza that no log holds.
    pub fn stanza(bytes: Bytes) -> Self {
        Out {
            bytes,
            counts: true,
            mark: None,
            passing: false,
            answers: false,
        }
    }

    /// A stanza of the moment, such as a headline.
    pub fn passing(bytes: Bytes) -> Self {
        Out {
            passing: true,
            ..Out::stanza(bytes)
        }
    }

    /// A message that the account's log holds as undelivered.
    pub fn logged(bytes: Bytes, id: LogId) -> Self {
        Out {
            mark: Some(id),
            ..Out::stanza(bytes)
        }
    }

    /// A part of an answer that shows a message, by its entry where the account's log holds it as undelivered: whoever has
    /// the answer has the message.
    pub fn answering(bytes: Bytes, id: Option<LogId>) -> Self {
        Out {
            mark: id,
            answers: true,
            ..Out::stanza(bytes)
        }
    }

    /// An element that is no stanza.
    pub fn nonza(bytes: Bytes) -> Self {
        Out {
            counts: false,
            ..Out::stanza(bytes)
        }
    }
}

/// Presence as last sent by the client.
#[derive(Clone)]
pub struct Available {
    /// −128 to 127 (RFC 6121 §4.7.2.3).
    pub priority: i8,
    /// The stanza, stamped with the full address. Its bytes alone: sessions keep it for long, and look into it seldom.
    pub stanza: Bytes,
}

/// What changes while a session lives.
#[derive(Default)]
pub(crate) struct State {
    /// Language of the client's stream (RFC 6120 §4.7.4).
    pub(crate) lang: Option<Arc<str>>,
    pub(crate) available: Option<Available>,
    /// Of which nodes the client wants to be told (XEP-0060 §9.2), if it has ever said so.
    pub(crate) following: Option<Box<Following>>,
    /// Which client it is, if it has said so.
    pub(crate) agent: Option<Box<Agent>>,
    /// What the client was asked.
    pub(crate) asked: Asked,
    /// Addresses that got directed presence (RFC 6121 §4.6).
    pub(crate) directed: BTreeSet<Jid>,
    /// Log entries after this one are delivered as they come; `None` before the undelivered ones were sent.
    pub(crate) live_after: Option<LogId>,
    /// The connection, where it reads no more until stanzas are released.
    ahead: Option<Waker>,
    /// How often the sending of undelivered entries has begun.
    catch_ups: u64,
    /// What another session left is to be looked for, from the beginning of the log.
    again: bool,
    /// Entries that were taken to be written, without stream management, and are not yet.
    writing: VecDeque<LogId>,
    /// Messages came faster than the client takes them: it is to get them from the log, once it has taken most of
    /// what is queued.
    behind: bool,
    /// Something was not queued that no log holds: the session cannot go on.
    lossy: bool,
    /// Entries that were delivered while `live_after` was `None`, or before and are not settled.
    given: BTreeSet<LogId>,
    /// What waits while nobody looks at the client; `None` while somebody does.
    lull: Option<Box<Lull>>,
    outbox: VecDeque<Out>,
    outbox_bytes: usize,
    /// The same of all sessions of the account.
    account_bytes: Arc<AtomicUsize>,
    /// What was not queued, being of the moment.
    left_out: Counter,
    pub(crate) sm: Option<Resumable>,
    waker: Option<Waker>,
    /// Number of the connection that carries this session; `None` while it is detached.
    pub(crate) connection: Option<u64>,
    /// How often the session has lost its stream.
    pub(crate) detached: u64,
    /// Why the connection has to end.
    pub(crate) kicked: Option<StreamError>,
    /// Who waits for the queue to become short.
    room: Vec<Waker>,
    /// The session is over: nothing is queued any more.
    pub(crate) ended: bool,
}

/// Stream management of a session.
pub(crate) struct Resumable {
    /// Counts and unacknowledged stanzas, each with the log entry that its acknowledgement settles.
    pub(crate) sm: Sm<Option<LogId>>,
    pub(crate) id: String,
    pub(crate) resumable: bool,
    /// The count of stanzas that is in the store, or on its way there.
    pub(crate) noted: u32,
}

/// A bound resource.
pub struct Session {
    /// Its full address.
    pub jid: FullJid,
    /// Its account.
    pub account: Arc<Account>,
    /// Unique while the server runs.
    pub number: u64,
    pub(crate) release: ReleaseQueue,
    flags: AtomicU64,
    state: Mutex<State>,
    /// For whom it speaks, where it is no session but stands for one while a stanza is handled.
    speaks: Option<Box<Speaks>>,
}

/// In whose name something is handled that no session sent, and where the answers go.
struct Speaks {
    address: Jid,
    /// The component that sent it.
    host: String,
    outlet: Box<dyn Fn(Out) + Send + Sync>,
}

impl Session {
    /// A session that `connection` carries; what is of the moment and left out for it counts in `left_out`.
    pub(crate) fn new(
        jid: FullJid,
        account: Arc<Account>,
        number: u64,
        connection: u64,
        left_out: Counter,
    ) -> Self {
        let state = State {
            connection: Some(connection),
            account_bytes: account.queued_bytes.clone(),
            left_out,
            ..State::default()
        };
        Session {
            jid,
            account,
            number,
            release: ReleaseQueue::default(),
            flags: AtomicU64::new(0),
            state: Mutex::new(state),
            speaks: None,
        }
    }

    /// What stands for a session while something is handled that the component `host` sent as `address`: what is sent to it
    /// goes to `outlet`, and nothing of it stays.
    pub(crate) fn speaking(
        address: Jid,
        account: Arc<Account>,
        host: &str,
        outlet: impl Fn(Out) + Send + Sync + 'static,
    ) -> Option<Self> {
        let full = address.full();
        // Nobody is shown it: what is handled comes from the address as it is.
        let jid = match full {
            Some(full) => full,
            None => address.bare().with_resource("component").ok()?,
        };
        let session = Session::new(jid, account, 0, 0, Counter::default());
        let speaks = Speaks {
            address,
            host: host.to_owned(),
            outlet: Box::new(outlet),
        };
        Some(Session {
            speaks: Some(Box::new(speaks)),
            ..session
        })
    }

    /// The address that its stanzas come from.
    pub(crate) fn address(&self) -> &str {
        match &self.speaks {
            Some(speaks) => speaks.address.as_str(),
            None => self.jid.as_str(),
        }
    }

    /// The same as an address.
    pub(crate) fn as_sender(&self) -> Jid {
        match &self.speaks {
            Some(speaks) => speaks.address.clone(),
            None => self.jid.clone().into(),
        }
    }

    /// The component that speaks, if one does.
    pub(crate) fn component(&self) -> Option<&str> {
        self.speaks.as_ref().map(|speaks| speaks.host.as_str())
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether `flag` is set.
    pub fn has(&self, flag: Flag) -> bool {
        self.flags.load(Ordering::Relaxed) & (1 << flag.bit) != 0
    }

    /// Sets or clears `flag`.
    pub fn set(&self, flag: Flag, on: bool) {
        if on {
            self.flags.fetch_or(1 << flag.bit, Ordering::Relaxed);
        } else {
            self.flags.fetch_and(!(1 << flag.bit), Ordering::Relaxed);
        }
    }

    /// Priority, if the session has sent available presence.
    pub fn priority(&self) -> Option<i8> {
        self.state()
            .available
            .as_ref()
            .map(|available| available.priority)
    }

    /// Whether the client wants to be told of nodes of this name.
    pub(crate) fn is_interested(&self, node: &str) -> bool {
        let state = self.state();
        let following = state.following.as_ref();
        following.is_some_and(|following| following.has(node))
    }

    /// Whether it has sent presence to an address of this account.
    pub(crate) fn shows_itself_to(&self, account: &BareJid) -> bool {
        self.state().shows_itself_to(account)
    }

    /// Whether what comes is on its way to the client at once, rather than waiting in the log for it: it is connected,
    /// and keeps up.
    pub(crate) fn takes(&self) -> bool {
        let state = self.state();
        let connected = state.connection.is_some() && !state.ended && state.kicked.is_none();
        connected && !state.is_catching_up() && state.outbox_bytes < BEHIND_BYTES
    }

    /// Whether somebody looks at the client, as far as is known: it is connected, and has not said that nobody does
    /// (XEP-0352).
    pub(crate) fn is_awake(&self) -> bool {
        let state = self.state();
        let connected = state.connection.is_some() && !state.ended && state.kicked.is_none();
        connected && state.lull.is_none()
    }

    /// Queues an element for the client and wakes its connection.
    pub fn push(&self, out: Out) {
        if let Some(speaks) = &self.speaks {
            return (speaks.outlet)(out);
        }
        let waker = self.state().push(out);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Queues a log entry that the session did not get in another way.
    pub(crate) fn push_undelivered(&self, bytes: Bytes, id: LogId) {
        let waker = {
            let mut state = self.state();
            if state.given.contains(&id) {
                return;
            }
            state.push(Out::logged(bytes, id))
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Whether what its client reads in the archive is delivered by that: it says what it has got (XEP-0198), and is not one
    /// that leaves messages to others.
    pub(crate) fn settles_by_reading(&self) -> bool {
        let state = self.state();
        let leaves = state
            .available
            .as_ref()
            .is_some_and(|available| available.priority < 0);
        state.sm.is_some() && !leaves
    }

    /// The client gets an entry in another way than as a delivery: it is not sent again among what waits.
    pub(crate) fn note_given(&self, id: LogId) {
        let mut state = self.state();
        if state.live_after.is_none() {
            state.given.insert(id);
        }
    }

    /// Nobody looks at the client (XEP-0352).
    pub(crate) fn set_inactive(&self) {
        self.state().lull.get_or_insert_default();
    }

    /// Somebody looks at it again.
    pub(crate) fn set_active(&self) {
        let waker = self.state().end_lull();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Whether nobody was shown presence of it, nor will be by what it has sent.
    pub(crate) fn is_unseen(&self) -> bool {
        let all_released = self.release.is_idle();
        let state = self.state();
        all_released && state.available.is_none() && state.directed.is_empty()
    }

    /// Waits until this is so, or the session has ended: the client takes what is queued for it.
    pub(crate) async fn room(&self, is_enough: impl Fn(&State) -> bool) {
        std::future::poll_fn(|cx| {
            let mut state = self.state();
            if state.ended || is_enough(&state) {
                return Poll::Ready(());
            }
            state.wait_for_room(cx.waker());
            Poll::Pending
        })
        .await;
    }

    /// What waits here.
    pub(crate) fn waits(&self) -> Waits {
        let input_stanzas = self.release.waiting();
        let state = self.state();
        let unacked = state.sm.as_ref().map(|resumable| resumable.sm.unacked());
        Waits {
            input_stanzas,
            output_bytes: state.outbox_bytes,
            unacknowledged_stanzas: unacked.map_or(0, |unacked| unacked.len()),
        }
    }

    /// Ends the session's connection with a stream error.
    pub fn kick(&self, error: StreamError) {
        let waker = {
            let mut state = self.state();
            state.kicked.get_or_insert(error);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// One more inbound element is released; a stanza that counts is handled: durable, its effects
    /// on their way.
    pub(crate) fn released(&self, counts: bool) {
        let ahead = {
            let mut state = self.state();
            if let (Some(resumable), true) = (state.sm.as_mut(), counts) {
                resumable.sm.handled(1);
            }
            [state.ahead.take(), state.push_sm()]
        };
        for waker in ahead.into_iter().flatten() {
            waker.wake();
        }
    }
}

impl State {
    /// Whether it has sent presence to an address of this account.
    pub(crate) fn shows_itself_to(&self, account: &BareJid) -> bool {
        self.directed.iter().any(|to| to.bare() == *account)
    }

    fn push(&mut self, out: Out) -> Option<Waker> {
        if self.ended {
            return None;
        }
        let Some(lull) = self.lull.as_mut().filter(|_| out.counts) else {
            return self.enqueue(out);
        };
        // What is to be read of the log is given at once: the log has it.
        let is_settled = out.mark.is_none() || self.live_after.is_some();
        let due = match is_settled {
            true => lull.take(out),
            false => {
                let mut due = lull.end();
                due.push(out);
                due
            }
        };
        self.push_all(due)
    }

    fn push_all(&mut self, due: Vec<Out>) -> Option<Waker> {
        let mut waker = None;
        for out in due {
            waker = waker.or(self.enqueue(out));
        }
        waker
    }

    /// Somebody looks at the client again: what has waited is sent.
    fn end_lull(&mut self) -> Option<Waker> {
        let mut lull = self.lull.take()?;
        self.push_all(lull.end())
    }

    fn enqueue(&mut self, out: Out) -> Option<Waker> {
        let bytes = self.outbox_bytes + out.bytes.len();
        if out.passing && self.is_behind(out.bytes.len()) {
            self.left_out.inc();
            return None;
        }
        let is_left = out.mark.is_some() && !out.answers;
        let is_much = bytes > BEHIND_BYTES || self.writing.len() >= UNCONFIRMED_MAX;
        if is_left && is_much && !self.is_catching_up() {
            return self.fall_behind();
        }
        let of_account = self.account_bytes.load(Ordering::Relaxed) + out.bytes.len();
        let is_slow = bytes > BEHIND_BYTES && of_account > ACCOUNT_OUTBOX_BYTES_MAX;
        // One alone always has room: nothing that may be asked for makes a session unusable.
        if self.outbox_bytes > 0 && (bytes > OUTBOX_BYTES_MAX || is_slow) {
            self.lossy = true;
            self.kicked
                .get_or_insert(StreamCondition::ResourceConstraint.into());
            return self.waker.take();
        }
        if let (None, Some(id)) = (self.live_after, out.mark) {
            self.given.insert(id);
        }
        self.outbox_bytes += out.bytes.len();
        self.account_bytes
            .fetch_add(out.bytes.len(), Ordering::Relaxed);
        self.outbox.push_back(out);
        self.waker.take()
    }

    /// So many bytes do not wait any more.
    fn no_longer_wait(&mut self, bytes: usize) {
        self.outbox_bytes -= bytes;
        self.account_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Leaves messages to the log until the client has taken what is queued.
    fn fall_behind(&mut self) -> Option<Waker> {
        if self.live_after.is_some() {
            self.forget_live();
            self.behind = true;
        }
        self.waker.take()
    }

    /// Whether the session is to catch up with the log, which nobody has begun.
    pub(crate) fn take_behind(&mut self) -> bool {
        let behind = std::mem::take(&mut self.behind);
        self.catch_ups += u64::from(behind);
        behind
    }

    /// Whether the session lost something and must not be resumed.
    pub(crate) fn is_lossy(&self) -> bool {
        self.lossy
    }

    /// From now on entries after `id` are delivered as they come.
    pub(crate) fn go_live(&mut self, id: LogId) {
        self.live_after = Some(id);
    }

    /// Whether the session gets entry `id` with the undelivered ones, in order, or got it so.
    pub(crate) fn reads(&self, id: LogId) -> bool {
        match self.live_after {
            Some(after) => id <= after,
            None => self.catch_ups > 0,
        }
    }

    /// The number of the catching up that was begun last.
    pub(crate) fn catch_up(&self) -> u64 {
        self.catch_ups
    }

    /// All undelivered entries were queued: what was given before them need not be known any more, unless another
    /// catching up has begun.
    pub(crate) fn caught_up(&mut self, catch_up: u64) {
        if self.catch_ups == catch_up && !self.behind {
            self.given = BTreeSet::new();
        }
    }

    /// Whether with so many bytes more, too much waits for what is of the moment.
    pub(crate) fn is_behind(&self, bytes: usize) -> bool {
        self.outbox_bytes + bytes > BEHIND_BYTES
    }

    /// Whether more may be queued that can wait.
    pub(crate) fn has_room(&self) -> bool {
        self.outbox_bytes < BEHIND_BYTES / 2
    }

    /// Whether more undelivered entries may be queued.
    pub(crate) fn has_room_for(&self, entries: usize) -> bool {
        self.outstanding() < entries && self.has_room()
    }

    /// Elements that wait to be written, acknowledged or confirmed.
    fn outstanding(&self) -> usize {
        self.outbox.len()
            + self.writing.len()
            + self
                .sm
                .as_ref()
                .map_or(0, |resumable| resumable.sm.unacked().len())
    }

    /// Wakes the connection when the next stanza is released.
    pub(crate) fn wait_for_release(&mut self, waker: &Waker) {
        self.ahead = Some(waker.clone());
    }

    fn wait_for_room(&mut self, waker: &Waker) {
        if !self.room.iter().any(|waiting| waiting.will_wake(waker)) {
            self.room.push(waker.clone());
        }
    }

    /// Whether undelivered entries are being read, at a pace that the client keeps up with.
    pub(crate) fn is_catching_up(&self) -> bool {
        self.catch_ups > 0 && self.live_after.is_none()
    }

    /// Whether the client has yet to get an entry from the log.
    pub(crate) fn lacks(&self, id: LogId) -> bool {
        self.is_catching_up() && !self.ended && !self.given.contains(&id)
    }

    /// Whether undelivered entries are to be sent from now on: not where that is under way.
    pub(crate) fn begin_undelivered(&mut self) -> bool {
        if self.is_catching_up() {
            return false;
        }
        self.forget_live();
        self.catch_ups += 1;
        true
    }

    /// Entries that were taken first have been written.
    pub(crate) fn wrote(&mut self, entries: usize) {
        self.writing.drain(..entries.min(self.writing.len()));
        self.wake_room();
    }

    /// Whether undelivered entries are to be sent once more, since another session left some; what is under way
    /// begins again.
    pub(crate) fn look_again(&mut self) -> bool {
        self.again = self.is_catching_up();
        !self.again && self.begin_undelivered()
    }

    pub(crate) fn is_to_look_again(&self) -> bool {
        self.again
    }

    /// Whether the catching up that is under way is to begin again.
    pub(crate) fn take_again(&mut self) -> bool {
        std::mem::take(&mut self.again)
    }

    /// What the client was given and has not settled yet is undelivered in the log too.
    fn forget_live(&mut self) {
        if self.live_after.take().is_some() {
            let written = self
                .sm
                .iter()
                .flat_map(|resumable| resumable.sm.unacked())
                .filter_map(|unacked| unacked.tag);
            let held = self.lull.iter().flat_map(|lull| lull.held());
            let queued = self.outbox.iter().chain(held).filter_map(|out| out.mark);
            let writing = self.writing.iter().copied();
            self.given = written.chain(queued).chain(writing).collect();
        }
    }

    /// Registers the connection's waker if there is nothing to write.
    pub(crate) fn park(&mut self, waker: &Waker) -> bool {
        if !self.has_output() && !self.behind && self.kicked.is_none() {
            match &mut self.waker {
                Some(old) => old.clone_from(waker),
                none => *none = Some(waker.clone()),
            }
            return true;
        }
        false
    }

    /// Gives the session to another connection; returns what wakes the one that had it.
    pub(crate) fn take_over(&mut self, connection: u64) -> Option<Waker> {
        self.connection = Some(connection);
        self.kicked = None;
        // XEP-0352 §4.2: a resumed stream is an active one.
        let waker = self.end_lull();
        waker.or(self.waker.take())
    }

    /// Nothing is queued from now on.
    pub(crate) fn end(&mut self) {
        self.ended = true;
        self.asked = Asked::default();
        self.wake_room();
    }

    /// Whether something can be written: what counts is kept back while too much waits for its acknowledgement.
    fn has_output(&self) -> bool {
        let is_next = self.outbox.front().is_some_and(|out| self.takes(out));
        is_next || self.outbox.iter().any(|out| !out.counts)
    }

    fn takes(&self, out: &Out) -> bool {
        let resumable = self.sm.as_ref().filter(|_| out.counts);
        resumable.is_none_or(|resumable| resumable.sm.has_room(out.bytes.len()))
    }

    /// Takes what is not written yet, and is one of these stanzas, out of the queue. What the log holds is found there
    /// again; the rest is given back.
    pub(crate) fn take_unwritten(&mut self, is_one: impl Fn(&Bytes) -> bool) -> Vec<Bytes> {
        let mut unlogged = Vec::new();
        if let Some(lull) = &mut self.lull {
            for out in lull.take_out(|out| is_one(&out.bytes)) {
                unlogged.extend(self.take_back(out.mark, out.bytes));
            }
        }
        for out in std::mem::take(&mut self.outbox) {
            if !out.counts || !is_one(&out.bytes) {
                self.outbox.push_back(out);
                continue;
            }
            self.no_longer_wait(out.bytes.len());
            unlogged.extend(self.take_back(out.mark, out.bytes));
        }
        self.wake_room();
        unlogged
    }

    /// Takes what the client did not acknowledge, and is one of these stanzas, out of what a resumed stream sends again.
    pub(crate) fn take_unacknowledged(&mut self, is_one: impl Fn(&Bytes) -> bool) -> Vec<Bytes> {
        let sm = self.sm.as_mut().map(|resumable| &mut resumable.sm);
        let taken = sm.map(|sm| sm.take_out(|unacked| !is_one(&unacked.bytes)));
        let mut unlogged = Vec::new();
        for unacked in taken.into_iter().flatten() {
            unlogged.extend(self.take_back(unacked.tag, unacked.bytes));
        }
        unlogged
    }

    /// What the client does not get after all: the log has it still, or it is given back.
    fn take_back(&mut self, mark: Option<LogId>, bytes: Bytes) -> Option<Bytes> {
        match mark {
            Some(id) => {
                self.given.remove(&id);
                None
            }
            None => Some(bytes),
        }
    }

    /// Moves what can be written into `into`; without stream management, entries to be marked delivered once written
    /// go to `marks`, each with its index in `into`.
    pub(crate) fn take_output(&mut self, into: &mut Vec<Bytes>, marks: &mut Vec<(usize, LogId)>) {
        while let Some(out) = self.outbox.pop_front() {
            if !self.takes(&out) {
                self.outbox.push_front(out);
                self.take_nonzas(into);
                break;
            }
            self.no_longer_wait(out.bytes.len());
            match self.sm.as_mut() {
                Some(resumable) if out.counts => {
                    // There is room, as was asked.
                    let _kept = resumable.sm.send(out.bytes.clone(), out.mark);
                }
                Some(_) => {}
                None => {
                    marks.extend(out.mark.map(|id| (into.len(), id)));
                    self.writing.extend(out.mark);
                }
            }
            into.push(out.bytes);
        }
        if let Some(resumable) = self.sm.as_mut() {
            resumable.sm.handle_idle();
            into.extend(std::iter::from_fn(|| resumable.sm.poll()));
        }
        if self.outbox.is_empty() {
            self.outbox.shrink_to(0);
        }
        self.wake_room();
    }

    /// Moves what is no stanza past those that have no room: they may wait for the acknowledgement that it asks for, and the
    /// client for the one that it is.
    fn take_nonzas(&mut self, into: &mut Vec<Bytes>) {
        let mut bytes = 0;
        self.outbox.retain(|out| {
            if !out.counts {
                bytes += out.bytes.len();
                into.push(out.bytes.clone());
            }
            out.counts
        });
        self.no_longer_wait(bytes);
    }

    /// Whether the client was asked what it has handled, and has not said.
    pub(crate) fn awaits_answer(&self) -> bool {
        let resumable = self.sm.as_ref();
        resumable.is_some_and(|resumable| resumable.sm.awaits_answer())
    }

    /// Queues what stream management has to say; returns who has to write it.
    pub(crate) fn push_sm(&mut self) -> Option<Waker> {
        let said: Vec<Bytes> = self
            .sm
            .as_mut()
            .map(|resumable| std::iter::from_fn(|| resumable.sm.poll()).collect())?;
        let mut waker = None;
        for bytes in said {
            waker = waker.or(self.push(Out::nonza(bytes)));
        }
        waker
    }

    pub(crate) fn wake_room(&mut self) {
        self.room.drain(..).for_each(Waker::wake);
    }

    /// Whether the client may lack something that the log holds.
    pub(crate) fn take_left(&mut self) -> bool {
        let sm = self.sm.take();
        let mut unacked = sm.iter().flat_map(|resumable| resumable.sm.unacked());
        let left = unacked.any(|unacked| unacked.tag.is_some())
            || self.outbox.iter().any(|out| out.mark.is_some())
            || self
                .lull
                .iter()
                .flat_map(|lull| lull.held())
                .any(|out| out.mark.is_some())
            || !self.writing.is_empty()
            || self.is_catching_up();
        self.outbox = VecDeque::new();
        self.lull = None;
        self.no_longer_wait(self.outbox_bytes);
        left
    }

    /// What the client may not have, and the log holds.
    pub(crate) fn unsettled(&self) -> Vec<(LogId, Bytes)> {
        let unacked = self.sm.iter().flat_map(|resumable| resumable.sm.unacked());
        let unacked = unacked.filter_map(|unacked| Some((unacked.tag?, unacked.bytes.clone())));
        let held = self.lull.iter().flat_map(|lull| lull.held());
        let queued = self.outbox.iter().chain(held);
        let queued = queued.filter_map(|out| Some((out.mark?, out.bytes.clone())));
        unacked.chain(queued).collect()
    }

    /// What the client may not have and no log holds: unacknowledged first, then unwritten.
    pub(crate) fn unlogged(&self) -> Vec<Bytes> {
        let unacked = self.sm.iter().flat_map(|resumable| resumable.sm.unacked());
        let unacked = unacked
            .filter(|unacked| unacked.tag.is_none())
            .map(|unacked| unacked.bytes.clone());
        let unwritten = self
            .outbox
            .iter()
            .filter(|out| out.counts && out.mark.is_none());
        unacked
            .chain(unwritten.map(|out| out.bytes.clone()))
            .collect()
    }
}
