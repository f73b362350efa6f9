//! XEP-0198: Stream Management.
//!
//! <https://xmpp.org/extensions/xep-0198.html>
//!
//! Counting and the queue of unacknowledged stanzas are `waxwing_stream::sm`, shared with clients.
//! Here: a stanza is counted as handled when it is released, so that `h` counts what is durable, and
//! the count goes into the same commit as the stanza, so that `<failed h='…'/>` is exact even after
//! a restart.

use std::sync::Arc;

use bytes::Bytes;
use waxwing_stanza::Payload;
use waxwing_stanza::{BareJid, Condition};
use waxwing_store::{Expiring, LogId, Table};
use waxwing_stream::server::Stage;
use waxwing_stream::sm::{
    Enable, Enabled, Failed, Nonza, Resume, ResumeError, Resumed, SM, Sm, SmLimits,
};
use waxwing_stream::{StreamCondition, StreamError};
use waxwing_wire::{Element, Stanza};

use crate::accounts;
use crate::blocking;
use crate::connection::{Connection, Step};
use crate::devices;
use crate::effects::Effects;
use crate::options::{OptionDefault, OptionSpec};
use crate::registry::{Feature, Registrar, Source};
use crate::route;
use crate::server::Server;
use crate::session::{Out, Resumable, Session};

/// How long a session waits for its client.
pub const RESUME_SECS: OptionSpec = OptionSpec {
    name: "resume_secs_max",
    default: OptionDefault::Number {
        value: 600,
        min: 0,
        max: 86_400,
    },
    unit: "seconds",
    doc: "How long a session without a stream waits to be resumed before it ends (XEP-0198 §5).",
};

/// How long a client may leave `<r/>` unanswered and be silent.
pub const ACK_SECS: OptionSpec = OptionSpec {
    name: "ack_secs_max",
    default: OptionDefault::Number {
        value: 60,
        min: 5,
        max: 3_600,
    },
    unit: "seconds",
    doc: "How long a client that was asked for an acknowledgement may stay silent; then its connection counts as gone, and the session waits to be resumed (XEP-0198 §4).",
};

/// How long the count of handled stanzas is kept: a client that comes back within it, even after a
/// restart of the server, learns exactly what it has to send again.
pub const COUNT_KEPT_MICROS: u64 = 7 * 24 * 3_600 * 1_000_000;

/// Counts expire in steps of an hour: each new end is an index entry that a commit writes.
const COUNT_STEP_MICROS: u64 = 3_600 * 1_000_000;

/// Random bytes of a stream-management id.
const ID_BYTES: usize = 16;

/// How many stanzas of a stream are handled.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct SmCount {
    /// `h`, modulo 2³².
    #[prost(uint32, tag = "1")]
    pub handled: u32,
}

/// Counts by stream-management id, under the account.
pub static SM_COUNTS: Expiring<String, SmCount> = Table::new("stream-counts", 1).expiring();

/// What is said about it.
pub const FEATURE: Feature = Feature {
    source: Source::Xep(198),
    title: "Stream Management",
    version: "1.6.3",
    options: &[RESUME_SECS, ACK_SECS],
    shapes: || vec![SM_COUNTS.shape()],
    register,
    ..Feature::NONE
};

fn register(registrar: &mut Registrar<'_>) {
    registrar.stream_feature(Stage::Bind, |_, _| Some(Element::new(SM, "sm")));
    registrar.bind2_feature(SM, enable_together);
}

/// The answer to a request that is not granted.
pub(crate) fn failed(condition: Condition, h: Option<u32>) -> Out {
    Out::nonza(
        Nonza::Failed(Failed {
            h,
            condition: Some(condition),
        })
        .to_bytes(),
    )
}

/// An element of a bound stream that is no stanza.
pub(crate) fn handle(connection: &mut Connection, session: &Arc<Session>, stanza: &Stanza) {
    match Nonza::read(stanza) {
        Ok(Some(Nonza::Enable(Enable { resume, .. }))) => enable(connection, session, resume),
        Ok(Some(Nonza::Ask)) => ask(&connection.server, session),
        Ok(Some(Nonza::Answer { h })) => answer(connection, session, h),
        // Too late: a resource is bound (§5).
        Ok(Some(Nonza::Resume(_))) => session.push(failed(Condition::UnexpectedRequest, None)),
        Ok(_) => connection.fail(StreamCondition::UnsupportedStanzaType.into()),
        Err(_) if is_request(stanza) => session.push(failed(Condition::BadRequest, None)),
        Err(error) => connection.fail(error),
    }
}

/// Whether an element asks for stream management: what is wrong with it is answered and ends nothing (§ Error Handling).
pub(crate) fn is_request(stanza: &Stanza) -> bool {
    stanza.ns() == SM && matches!(stanza.name(), "enable" | "resume")
}

fn enable(connection: &mut Connection, session: &Arc<Session>, resume: bool) {
    if session.state().sm.is_some() {
        // §3: at most one attempt. Its words ask for a stream error, its example shows this.
        return session.push(failed(Condition::UnexpectedRequest, None));
    }
    // What was queued until now is not counted; so it leaves before counting begins.
    connection.flush(session);
    let enabled = begin(&connection.server, session, resume);
    session.push(Out::nonza(Nonza::Enabled(enabled).to_bytes()));
}

/// Together with a resource (XEP-0386 §3.3), when nothing was queued yet.
fn enable_together(server: &Server, session: &Arc<Session>, asked: &Element) -> Option<Element> {
    let Ok(asked) = Enable::read(asked) else {
        let failed = Failed {
            h: None,
            condition: Some(Condition::BadRequest),
        };
        return Some(failed.write());
    };
    Some(begin(server, session, asked.resume).write())
}

/// Counting begins.
fn begin(server: &Server, session: &Arc<Session>, resume: bool) -> Enabled {
    let secs = server.options().number(&RESUME_SECS);
    // A guest cannot log in as itself again.
    let resumable = resume && secs > 0 && !session.account.is_guest();
    let id = server.outside().token::<ID_BYTES>();
    session.state().sm = Some(Resumable {
        sm: Sm::new(SmLimits::CLIENT),
        id: id.clone(),
        resumable,
        noted: 0,
    });
    let enabled = Enabled {
        id: resumable.then(|| id.clone()),
        resume: resumable,
        max: resumable.then(|| u32::try_from(secs).unwrap_or(u32::MAX)),
        location: None,
    };
    if resumable {
        server.directory().add_resumable(id, session.clone());
    }
    enabled
}

/// `<r/>`: answered once everything received before it is released, and a count is durable that is not below the answer:
/// what `<failed/>` says after a crash must not be less than what the client was told (§5).
fn ask(server: &Server, session: &Arc<Session>) {
    let mut effects = Effects::none();
    note_last(server, session, &mut effects.batch);
    if effects.batch.is_empty() {
        return answer_ask(session);
    }
    let own = session.clone();
    effects.call(move |_| answer_ask(&own));
    server.stage(session, effects, None);
}

fn answer_ask(session: &Session) {
    let waker = {
        let mut state = session.state();
        if let Some(resumable) = state.sm.as_mut() {
            resumable.sm.handle_ask();
        }
        state.push_sm()
    };
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// `<a/>`: the log entries of what the client has are undelivered no more. What was sent since it was
/// asked is asked for in turn.
fn answer(connection: &mut Connection, session: &Arc<Session>, h: u32) {
    let settled: Result<Vec<LogId>, StreamError> = {
        let mut state = session.state();
        let settled = match state.sm.as_mut() {
            Some(resumable) => resumable
                .sm
                .handle_answer(h)
                .map(|acked| acked.filter_map(|stanza| stanza.tag).collect()),
            None => Ok(Vec::new()),
        };
        state.wake_room();
        // Written at the end of this step, which this connection is in.
        let _own = state.push_sm();
        settled
    };
    match settled {
        Ok(ids) => connection.server.confirm_delivered(session, ids),
        Err(error) => connection.fail(error),
    }
}

/// `<resume/>` instead of binding a resource. Somebody else's session is as good as none.
pub(crate) fn resume(connection: &mut Connection, account: BareJid, previd: String, h: u32) {
    match find(connection, &account, &previd) {
        Some(session) => take_over(connection, session, previd, h, resumed),
        None => refuse(connection, account, previd, |connection, failed| {
            connection.output.push(Nonza::Failed(failed).to_bytes());
        }),
    }
}

/// The same together with a log-in (XEP-0388 §2.6.3): what is said stands in the answer to that.
pub(crate) fn resume_inline(connection: &mut Connection, account: BareJid, asked: Resume) {
    let Resume { previd, h } = asked;
    match find(connection, &account, &previd) {
        Some(session) => take_over(connection, session, previd, h, resumed_together),
        None => refuse(connection, account, previd, not_resumed_together),
    }
}

/// The session of this account that can go on.
fn find(connection: &Connection, account: &BareJid, previd: &str) -> Option<Arc<Session>> {
    let found = connection.server.directory().find_resumable(previd);
    let session =
        found.filter(|session| session.account.jid == *account && !session.state().ended)?;
    if session.state().is_lossy() {
        crate::lifecycle::end(&connection.server, &session);
        return None;
    }
    Some(session)
}

/// `<failed/>` with what was handled, if it is still known; the client may bind a resource next.
fn refuse(
    connection: &mut Connection,
    account: BareJid,
    previd: String,
    say: fn(&mut Connection, Failed),
) {
    let server = connection.server.clone();
    connection.wait_for(async move {
        let table = SM_COUNTS.at(server.now_micros());
        let handled = match server
            .store()
            .get(&table, &accounts::owner(&account), &previd)
            .await
        {
            Ok(count) => count.map(|count| count.handled),
            Err(error) => {
                tracing::error!(%error, "the count of an earlier stream could not be read");
                None
            }
        };
        let failed = Failed {
            h: handled,
            condition: Some(Condition::ItemNotFound),
        };
        Box::new(move |connection: &mut Connection| say(connection, failed)) as Step
    });
}

/// What happens to a session that has moved to this stream.
type Moved = fn(&mut Connection, &Arc<Session>, String, u32);

/// The session moves to this stream. What the old one staged is released first, so that `h` is exact.
fn take_over(
    connection: &mut Connection,
    session: Arc<Session>,
    previd: String,
    h: u32,
    moved: Moved,
) {
    let (server, number) = (connection.server.clone(), connection.number);
    let older = server.while_nothing_is_staged(|| session.state().take_over(number));
    connection.adopted = Some(session.clone());
    if let Some(waker) = older {
        waker.wake();
    }
    let (send, receive) = futures_channel::oneshot::channel();
    let mut effects = Effects::none();
    effects.call(move |_| {
        // The stream may be gone again.
        let _gone = send.send(());
    });
    server.stage(&session, effects, None);
    connection.wait_for(async move {
        let _released = receive.await;
        Box::new(move |connection: &mut Connection| moved(connection, &session, previd, h)) as Step
    });
}

fn resumed(connection: &mut Connection, session: &Arc<Session>, previd: String, h: u32) {
    connection.adopted = None;
    match resumption(session, previd, h) {
        Ok(resumption) => {
            let answer = Nonza::Resumed(resumption.answer.clone()).to_bytes();
            connection.output.push(answer);
            go_on(connection, resumption);
            devices::note(connection, session);
            connection.resumed(session.clone());
        }
        Err(Refusal::Gone) => connection
            .output
            .push(failed(Condition::ItemNotFound, None).bytes),
        Err(Refusal::Stream(error)) => break_off(connection, session, error),
    }
}

/// The client acknowledges what it was not sent.
fn break_off(connection: &mut Connection, session: &Arc<Session>, error: StreamError) {
    session.kick(error.clone());
    crate::lifecycle::end(&connection.server, session);
    connection.fail(error);
}

/// Sends again what the client has not got, behind what it was told.
fn go_on(connection: &mut Connection, resumption: Resumption) {
    connection.output.extend(resumption.output);
    let server = &connection.server;
    server.confirm_delivered(&resumption.session, resumption.settled);
    route::bounce_all(server, resumption.taken);
    server.metrics().resumed.inc();
}

fn resumed_together(connection: &mut Connection, session: &Arc<Session>, previd: String, h: u32) {
    match resumption(session, previd, h) {
        Ok(resumption) => {
            let told = (session.jid.clone(), resumption.answer.clone());
            connection.resumption = Some(Box::new(resumption));
            devices::resumed(connection, Ok(told));
        }
        Err(Refusal::Gone) => {
            connection.adopted = None;
            let failed = Failed {
                h: None,
                condition: Some(Condition::ItemNotFound),
            };
            devices::resumed(connection, Err(failed));
        }
        Err(Refusal::Stream(error)) => {
            connection.adopted = None;
            break_off(connection, session, error);
        }
    }
}

fn not_resumed_together(connection: &mut Connection, failed: Failed) {
    devices::resumed(connection, Err(failed));
}

/// The client has been told, in the answer to its log-in, that its session goes on.
pub(crate) fn resumed_inline(connection: &mut Connection) {
    if let Some(resumption) = connection.resumption.take() {
        connection.adopted = None;
        let session = resumption.session.clone();
        go_on(connection, *resumption);
        devices::note(connection, &session);
        connection.bound(session);
    }
}

enum Refusal {
    /// The session ended meanwhile.
    Gone,
    /// The client acknowledges what it was not sent.
    Stream(StreamError),
}

/// A session that goes on.
pub(crate) struct Resumption {
    session: Arc<Session>,
    /// What the client is told.
    answer: Resumed,
    /// What is sent again.
    output: Vec<Bytes>,
    /// The log entries that the client's count settles.
    settled: Vec<LogId>,
    /// What is not sent again, though no log holds it.
    taken: Vec<Bytes>,
}

fn resumption(session: &Arc<Session>, previd: String, h: u32) -> Result<Resumption, Refusal> {
    let mut state = session.state();
    let Some(resumable) = state.sm.as_mut() else {
        return Err(Refusal::Gone);
    };
    let settled = match resumable.sm.resume(h) {
        Ok(settled) => settled.filter_map(|stanza| stanza.tag).collect(),
        Err(ResumeError::Stream(error)) => return Err(Refusal::Stream(error)),
        // Everything staged was released before this was called.
        Err(ResumeError::Unsettled(_)) => return Err(Refusal::Gone),
    };
    // What its senders wrote before they were blocked (XEP-0191 §3.3).
    let taken = match session.account.blocked().0.is_empty() {
        true => Vec::new(),
        false => state.take_unacknowledged(|bytes| blocking::keeps_away(&session.account, bytes)),
    };
    let Some(resumable) = state.sm.as_mut() else {
        return Err(Refusal::Gone);
    };
    let answer = Resumed {
        previd,
        h: resumable.sm.handled_count(),
    };
    let unacked = resumable.sm.unacked();
    let mut output: Vec<Bytes> = unacked.map(|stanza| stanza.bytes.clone()).collect();
    // An answer to what the old stream asked will not come.
    resumable.sm.handle_idle();
    output.extend(std::iter::from_fn(|| resumable.sm.poll()));
    state.wake_room();
    Ok(Resumption {
        session: session.clone(),
        answer,
        output,
        settled,
        taken,
    })
}

/// Keeps the count of handled stanzas in the batch that makes one of them durable.
pub(crate) fn note_count(
    server: &Server,
    session: &Session,
    resumable: &mut Resumable,
    batch: &mut waxwing_store::Batch,
) {
    if resumable.resumable && !batch.is_empty() {
        put_count(server, session, resumable, batch);
    }
}

/// Writes the count of all stanzas down, if the store has another.
pub(crate) fn note_last(server: &Server, session: &Session, batch: &mut waxwing_store::Batch) {
    let mut state = session.state();
    let resumable = state.sm.as_mut().filter(|resumable| resumable.resumable);
    if let Some(resumable) = resumable
        && resumable.noted != resumable.sm.received_count()
    {
        put_count(server, session, resumable, batch);
    }
}

fn put_count(
    server: &Server,
    session: &Session,
    resumable: &mut Resumable,
    batch: &mut waxwing_store::Batch,
) {
    resumable.noted = resumable.sm.received_count();
    let count = SmCount {
        handled: resumable.noted,
    };
    batch.put_expiring(
        &SM_COUNTS,
        &session.account.owner,
        &resumable.id,
        &count,
        (server.now_micros() / COUNT_STEP_MICROS + 1) * COUNT_STEP_MICROS + COUNT_KEPT_MICROS,
    );
}
