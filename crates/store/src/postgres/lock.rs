//! Who has the database: one server at a time, by a lock that its connection holds and that goes with it.

use std::time::{Duration, Instant};

use tokio_postgres::Error;

use super::fault::damaged;
use super::session::Session;
use crate::error::StoreError;
use crate::log::LogId;

/// The number of the lock among a database's advisory locks.
pub(super) const LOCK: i64 = i64::from_be_bytes(*b"waxwing!");
/// Between two tries.
const TRY_AGAIN: Duration = Duration::from_millis(50);

const TRY: &str = "SELECT pg_try_advisory_lock($1), pg_backend_pid()";
const UNLOCK: &str = "SELECT pg_advisory_unlock($1)";
/// Ends a former connection of ours, which may be in the middle of a commit, if it is there and holds the lock.
const END_FORMER: &str = "SELECT pg_terminate_backend(pid) FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND pid = $1 AND objsubid = 1
    AND (classid::bigint << 32 | objid::bigint) = $2
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
const STATE: &str = "SELECT database::text, starts, commits, last_log_id,
    (SELECT coalesce(max(id), 0) + 1 FROM waxwing.owner),
    EXISTS (SELECT FROM waxwing.owner WHERE name IS NULL) FROM waxwing.state";

/// What the database says of itself.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct State {
    /// A name that it was given when it was created, and no other has.
    pub(super) database: String,
    /// How many times a server has opened it.
    pub(super) starts: i64,
    pub(super) commits: i64,
    pub(super) last_log_id: LogId,
    pub(super) next_owner: i64,
    /// Something of a deleted owner is left.
    pub(super) owners_gone: bool,
}

/// Takes the lock, as soon as nobody has it; the number of the connection on the server then.
///
/// A server that was killed holds it until the database has noticed. `former` is the number of a connection of ours that
/// is lost: as long as the database has not noticed that, what it was doing is not decided.
pub(super) async fn take(
    session: &Session,
    longest: Duration,
    former: Option<i32>,
) -> Result<Option<i32>, Error> {
    let until = Instant::now() + longest;
    let mut ended = false;
    loop {
        let rows = session.query(TRY, &[&LOCK]).await?;
        if let Some(row) = rows.first()
            && row.try_get(0)?
        {
            return Ok(Some(row.try_get(1)?));
        }
        if let Some(former) = former
            && !ended
        {
            session.query(END_FORMER, &[&former, &LOCK]).await?;
            ended = true;
        }
        if Instant::now() >= until {
            return Ok(None);
        }
        tokio::time::sleep(TRY_AGAIN).await;
    }
}

/// Gives the lock back before the connection has ended, which the database notices later.
pub(super) async fn give_back(session: &Session) -> Result<(), Error> {
    session.query(UNLOCK, &[&LOCK]).await.map(|_| ())
}

/// What is committed.
pub(super) async fn state(session: &Session) -> Result<Result<State, StoreError>, Error> {
    let rows = session.query(STATE, &[]).await?;
    let [row] = rows.as_slice() else {
        return Ok(Err(damaged()));
    };
    let last: i64 = row.try_get(3)?;
    Ok(Ok(State {
        database: row.try_get(0)?,
        starts: row.try_get(1)?,
        commits: row.try_get(2)?,
        last_log_id: LogId(u64::try_from(last).unwrap_or_default()),
        next_owner: row.try_get(4)?,
        owners_gone: row.try_get(5)?,
    }))
}
