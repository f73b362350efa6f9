//! The writer's connection, which comes back by itself where it was lost.

use std::time::{Duration, Instant};

use super::PostgresOptions;
use super::address::Address;
use super::fault::{Fault, failed};
use super::flush::Turn;
use super::lock::{self, State};
use super::session::{Session, statement_timeout};
use super::writer::statements;
use crate::error::StoreError;

/// Between two tries.
const TRY_AGAIN: Duration = Duration::from_millis(100);
/// How long one try waits for the lock of the connection that was lost.
const LOCK_WAIT: Duration = Duration::from_millis(1_000);

const HELD: &str = "another connection holds the database's lock";
/// How the reason begins where a server is behind.
const LACKS: &str = "the server that answers lacks ";
/// A commit of nothing. What a lost connection has committed is seen at once, though nobody waited for its standbys any more;
/// this one is answered when they have it, with all that came before.
const CONFIRM: &str = "UPDATE waxwing.state SET commits = commits";

/// The one connection that writes. It holds the lock as long as it is there.
pub(super) struct Connection {
    address: Address,
    options: PostgresOptions,
    session: Option<Session>,
    /// The number of the last connection on its server.
    backend: i32,
    /// Somebody else has had the database: what the program knows of it is no longer so.
    taken_over: bool,
}

/// What was found when the connection was made again.
pub(super) struct Restored {
    pub(super) state: State,
}

impl Connection {
    pub(super) fn new(
        address: Address,
        options: PostgresOptions,
        session: Session,
        backend: i32,
    ) -> Self {
        Self {
            address,
            options,
            session: Some(session),
            backend,
            taken_over: false,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.session
            .as_ref()
            .is_some_and(|session| !session.is_lost())
    }

    pub(super) fn session(&self) -> Result<&Session, Fault> {
        self.session.as_ref().ok_or_else(|| {
            Fault::Lost(StoreError::Unreachable {
                reason: "the connection was lost".to_owned(),
            })
        })
    }

    /// Prepares all statements, where that has not been done.
    pub(super) async fn prepare(&self) -> Result<(), Fault> {
        if let Some(session) = &self.session {
            session.prepare(&statements()).await?;
        }
        Ok(())
    }

    /// Waits until the connection is lost; where it is, a while before the next try.
    pub(super) async fn lost(&mut self, pause: Duration) {
        match &mut self.session {
            Some(session) => session.lost().await,
            None => tokio::time::sleep(pause).await,
        }
    }

    /// Ends a transaction that failed.
    pub(super) async fn roll_back(&mut self, longest: Duration) {
        let Some(session) = &self.session else { return };
        let ended = session.client.batch_execute("ROLLBACK");
        if !matches!(tokio::time::timeout(longest, ended).await, Ok(Ok(()))) {
            self.cut();
        }
    }

    /// Ends the connection: nobody answers on it.
    pub(super) fn cut(&mut self) {
        self.session = None;
    }

    /// Connects again, takes the lock again, and looks at what is committed: once, and again until a time.
    ///
    /// `turn` is a commit that was sent. The lock is free when the lost connection has ended on the server, and with it
    /// whatever it was doing, so what is found is what stays.
    pub(super) async fn restore(
        &mut self,
        until: Instant,
        known: &State,
        turn: Option<Turn>,
    ) -> Result<Restored, StoreError> {
        loop {
            if self.taken_over {
                return Err(taken_over());
            }
            let mut failed = None;
            for server in self.address.all() {
                let longest = self.options.answer_wait();
                let tried = self.try_restore(server, known, turn);
                let error = match tokio::time::timeout(longest, tried).await {
                    Ok(Ok(restored)) => return Ok(restored),
                    Ok(Err(error)) => error,
                    Err(_) => StoreError::Slow {
                        millis: self.options.answer_millis_max,
                    },
                };
                self.cut();
                if self.taken_over {
                    return Err(error);
                }
                // Who holds it is on the server that has the database, most likely ourselves, a moment ago.
                let is_held =
                    matches!(&error, StoreError::Unreachable { reason } if reason == HELD);
                // That one is behind says more than that another is away.
                if matches!(&error, StoreError::Unreachable { reason } if reason.starts_with(LACKS))
                {
                    failed = Some(error);
                } else {
                    failed.get_or_insert(error);
                }
                if is_held {
                    break;
                }
            }
            let error = failed.unwrap_or(StoreError::Closed);
            if Instant::now() + TRY_AGAIN >= until {
                return Err(error);
            }
            tokio::time::sleep(TRY_AGAIN).await;
        }
    }

    async fn try_restore(
        &mut self,
        server: usize,
        known: &State,
        turn: Option<Turn>,
    ) -> Result<Restored, StoreError> {
        let unreachable = |error: &tokio_postgres::Error| match failed(error) {
            StoreError::Failed { text, .. } => StoreError::Unreachable { reason: text },
            error => error,
        };
        let session = Session::connect_to(&self.address, server)
            .await
            .map_err(|error| unreachable(&error))?;
        // From here on it is cut where this is not awaited to its end.
        let session = self.session.insert(session);
        let locked = lock::take(session, LOCK_WAIT, Some(self.backend)).await;
        let Some(backend) = locked.map_err(|error| unreachable(&error))? else {
            return Err(StoreError::Unreachable {
                reason: HELD.to_owned(),
            });
        };
        let state = lock::state(session)
            .await
            .map_err(|error| unreachable(&error))??;
        let timeout = statement_timeout(self.options.answer_wait());
        let set = session.client.batch_execute(&timeout).await;
        set.map_err(|error| unreachable(&error))?;
        if state.database != known.database {
            return Err(StoreError::Unreachable {
                reason: "the server that answers has another database of this name".to_owned(),
            });
        }
        if state.starts != known.starts {
            self.taken_over = true;
            return Err(taken_over());
        }
        let at_most = turn.map_or(known.commits, |turn| turn.commits);
        if state.commits < known.commits {
            return Err(StoreError::Unreachable {
                reason: format!(
                    "{LACKS}{} commits that were acknowledged; is it behind the one before?",
                    known.commits - state.commits
                ),
            });
        }
        // A step that removes what deleted owners had is a commit that nobody waits for.
        if state.commits > at_most + 1 {
            self.taken_over = true;
            return Err(taken_over());
        }
        let confirmed = session.client.batch_execute(CONFIRM).await;
        confirmed.map_err(|error| unreachable(&error))?;
        self.backend = backend;
        self.address.choose(server);
        Ok(Restored { state })
    }

    /// Gives the lock back, and says goodbye.
    pub(super) async fn close(self) {
        let Some(session) = self.session else { return };
        let given_back = lock::give_back(&session);
        let given_back = tokio::time::timeout(self.options.answer_wait(), given_back).await;
        if matches!(given_back, Ok(Ok(()))) {
            session.close().await;
        }
    }
}

fn taken_over() -> StoreError {
    StoreError::Unreachable {
        reason: "another Waxwing server has opened the database meanwhile; this one has to be started again"
            .to_owned(),
    }
}
