//! Opening a database: whose it is, whether it fits, and bringing it to what is declared.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use super::address::Address;
use super::fault::words;
use super::lock::{self, State};
use super::migrate;
use super::noted;
use super::session::{Session, statement_timeout};
use super::word_index;
use crate::error::OpenError;
use crate::numbered::{Shapes, check};
use crate::shape::Shape;

/// The layout that is created: that of `schema.sql`, and what later ones brought, in order.
const LAYOUT: u32 = 2;
/// What makes layout 2 of layout 1.
const WORDS: &str = include_str!("words.sql");
/// The first version of PostgreSQL that has all that is used: names of its own making, and sorting what is sorted
/// by its first column.
const VERSION_MIN: i32 = 130_000;
/// How long a server that is on its way out may take to give the lock back.
const LOCK_WAIT: Duration = Duration::from_secs(3);

const SERVER: &str =
    "SELECT current_setting('server_version_num')::int, current_setting('server_version'),
    to_regclass('waxwing.state') IS NOT NULL";
const FSYNC: &str = "SELECT current_setting('fsync') = 'on'";
/// What somebody else has put into the database, but for what extensions bring along.
const FOREIGN: &str = "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    ORDER BY 1 LIMIT 4";
const LAYOUT_OF: &str = "SELECT product::text, layout::bigint FROM waxwing.state";
const START: &str = "UPDATE waxwing.state SET starts = starts + 1, commits = commits + 1";

/// A database that is open, and ours.
pub(super) struct Opened {
    pub(super) session: Session,
    /// The number of the connection on the server.
    pub(super) backend: i32,
    pub(super) shapes: Shapes,
    pub(super) state: State,
}

/// Why a database was not opened.
pub(super) enum Refusal {
    Refused(OpenError),
    Database(Error),
}

impl From<OpenError> for Refusal {
    fn from(error: OpenError) -> Self {
        Self::Refused(error)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

impl Refusal {
    pub(super) fn explained(self, address: &Address) -> OpenError {
        match self {
            Self::Refused(error) => error,
            Self::Database(error) => unreachable(address, &error),
        }
    }
}

/// Why a database cannot be opened, by what an operator has to see to.
pub(super) fn unreachable(address: &Address, error: &Error) -> OpenError {
    let database = address.name().to_owned();
    let reason = words(error);
    // It never came to the server's words.
    if reason.ends_with("password missing") {
        let reason = "it asks for a password, and there is none".to_owned();
        return OpenError::NotLetIn { database, reason };
    }
    match error.code() {
        Some(code) if *code == SqlState::INVALID_CATALOG_NAME => OpenError::NoDatabase(database),
        Some(code) if *code == SqlState::INSUFFICIENT_PRIVILEGE => {
            OpenError::Forbidden { database, reason }
        }
        // Class 28: invalid authorization specification.
        Some(code) if code.code().starts_with("28") => OpenError::NotLetIn { database, reason },
        _ => OpenError::Unreachable { database, reason },
    }
}

/// Opens a database, creating what is ours where it is empty.
pub(super) async fn open(
    address: &Address,
    declared: &BTreeMap<&'static str, Shape>,
    answer_wait: Duration,
) -> Result<Opened, OpenError> {
    let mut refused = None;
    for server in address.all() {
        match open_at(address, server, declared, answer_wait).await {
            Ok(opened) => {
                address.choose(server);
                return Ok(opened);
            }
            // That one lacks something says more than that another is away.
            Err(error @ OpenError::Behind { .. }) => refused = Some(error),
            Err(error @ OpenError::Unreachable { .. }) => {
                refused = refused.or(Some(error));
            }
            Err(error) => return Err(error),
        }
    }
    Err(refused.unwrap_or_else(|| OpenError::Unreachable {
        database: address.name().to_owned(),
        reason: "it has no server".to_owned(),
    }))
}

async fn open_at(
    address: &Address,
    server: usize,
    declared: &BTreeMap<&'static str, Shape>,
    answer_wait: Duration,
) -> Result<Opened, OpenError> {
    let mut session = Session::connect_to(address, server)
        .await
        .map_err(|error| unreachable(address, &error))?;
    match prepare(&mut session, address, declared, answer_wait).await {
        Ok((backend, shapes, state)) => Ok(Opened {
            session,
            backend,
            shapes,
            state,
        }),
        Err(refusal) => {
            // Whatever was begun is not committed.
            session.close().await;
            Err(refusal.explained(address))
        }
    }
}

/// Whether a database has what is ours, without a change to it.
pub(super) async fn look(
    address: &Address,
    declared: &BTreeMap<&'static str, Shape>,
) -> Result<bool, OpenError> {
    let session = Session::connect(address)
        .await
        .map_err(|error| unreachable(address, &error))?;
    let looked = look_whole(&session, address, declared).await;
    session.close().await;
    let layout = looked.map_err(|refusal| refusal.explained(address))?;
    Ok(layout.is_some())
}

/// The same as a start looks, which refuses what is behind.
async fn look_whole(
    session: &Session,
    address: &Address,
    declared: &BTreeMap<&'static str, Shape>,
) -> Result<Option<u32>, Refusal> {
    let layout = look_at(session, address, declared).await?;
    if layout.is_some() {
        lacks_nothing(session, address).await?;
    }
    Ok(layout)
}

/// The layout of what is ours, if there is any.
async fn look_at(
    session: &Session,
    address: &Address,
    declared: &BTreeMap<&'static str, Shape>,
) -> Result<Option<u32>, Refusal> {
    let layout = whose(session, address).await?;
    if layout.is_some() {
        check(&migrate::stored(session).await?, declared)?;
    }
    Ok(layout)
}

async fn prepare(
    session: &mut Session,
    address: &Address,
    declared: &BTreeMap<&'static str, Shape>,
    answer_wait: Duration,
) -> Result<(i32, Shapes, State), Refusal> {
    look_at(session, address, declared).await?;
    let Some(backend) = lock::take(session, LOCK_WAIT, None).await? else {
        return Err(OpenError::DatabaseInUse(address.name().to_owned()).into());
    };
    // Who had it until now may have created or changed it.
    let layout = look_whole(session, address, declared).await?;
    session.client.batch_execute("BEGIN").await?;
    match layout {
        None => create(session).await?,
        Some(1) => session.client.batch_execute(WORDS).await?,
        Some(_) => {}
    }
    let shapes = migrate::migrate(session, declared).await?;
    word_index::fit(session, &shapes).await?;
    session.execute(START, &[]).await?;
    session.client.batch_execute("COMMIT").await?;
    let fsync = session.query(FSYNC, &[]).await?;
    if fsync.first().map(|row| row.try_get(0)).transpose()? != Some(true) {
        tracing::warn!(
            database = address.name(),
            "fsync is off in the database's settings: what is acknowledged does not survive a power cut"
        );
    }
    let state = state_of(session, address).await?;
    session
        .client
        .batch_execute(&statement_timeout(answer_wait))
        .await?;
    Ok((backend, shapes, state))
}

async fn state_of(session: &Session, address: &Address) -> Result<State, Refusal> {
    let state = lock::state(session).await?;
    Ok(state.map_err(|_| foreign(address, "waxwing.state with another content"))?)
}

/// Refuses a database that is of before something that was acknowledged.
async fn lacks_nothing(session: &Session, address: &Address) -> Result<(), Refusal> {
    let Some(path) = address.noted() else {
        return Ok(());
    };
    let state = state_of(session, address).await?;
    match noted::lacking(path, &state) {
        None => Ok(()),
        Some(commits) => Err(OpenError::Behind {
            database: address.name().to_owned(),
            commits: commits.unsigned_abs(),
        }
        .into()),
    }
}

/// Begins the transaction that a restore is, in a database that has nothing yet; `false` where it has something of ours.
pub(super) async fn begin_empty(session: &Session, address: &Address) -> Result<bool, OpenError> {
    let begun = try_begin_empty(session, address).await;
    begun.map_err(|refusal| refusal.explained(address))
}

async fn try_begin_empty(session: &Session, address: &Address) -> Result<bool, Refusal> {
    if whose(session, address).await?.is_some() {
        return Ok(false);
    }
    if lock::take(session, LOCK_WAIT, None).await?.is_none() {
        return Err(OpenError::DatabaseInUse(address.name().to_owned()).into());
    }
    // Who had it until now may have created it.
    if whose(session, address).await?.is_some() {
        return Ok(false);
    }
    session.client.batch_execute("BEGIN").await?;
    create(session).await?;
    Ok(true)
}

async fn create(session: &Session) -> Result<(), Error> {
    let schema = "CREATE SCHEMA IF NOT EXISTS waxwing";
    session.client.batch_execute(schema).await?;
    session
        .client
        .batch_execute(include_str!("schema.sql"))
        .await?;
    session.client.batch_execute(WORDS).await
}

/// The layout of what is ours in the database, if there is any; it is refused where it has anything else.
async fn whose(session: &Session, address: &Address) -> Result<Option<u32>, Refusal> {
    let rows = session.query(SERVER, &[]).await?;
    let Some(server) = rows.first() else {
        return Err(foreign(address, "nothing that can be read").into());
    };
    if server.try_get::<_, i32>(0)? < VERSION_MIN {
        let version: &str = server.try_get(1)?;
        return Err(OpenError::UnfitDatabase {
            database: address.name().to_owned(),
            reason: format!("PostgreSQL 13 is the oldest that fits, this is {version}"),
        }
        .into());
    }
    if server.try_get(2)? {
        return layout(session, address).await.map(Some);
    }
    let rows = session.query(FOREIGN, &[]).await?;
    let found: Vec<String> = rows
        .iter()
        .map(|row| row.try_get(0))
        .collect::<Result<_, _>>()?;
    match found.as_slice() {
        [] => Ok(None),
        [one, two, three, _, ..] => {
            Err(foreign(address, &format!("{one}, {two}, {three} and more")).into())
        }
        few => Err(foreign(address, &few.join(", ")).into()),
    }
}

fn foreign(address: &Address, found: &str) -> OpenError {
    OpenError::ForeignDatabase {
        database: address.name().to_owned(),
        found: found.to_owned(),
    }
}

async fn layout(session: &Session, address: &Address) -> Result<u32, Refusal> {
    let not_ours = || foreign(address, "a table waxwing.state that is not Waxwing's");
    let rows = match session.query(LAYOUT_OF, &[]).await {
        Ok(rows) => rows,
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_COLUMN) => {
            return Err(not_ours().into());
        }
        Err(error) => return Err(error.into()),
    };
    let [row] = rows.as_slice() else {
        return Err(not_ours().into());
    };
    if row.try_get::<_, &str>(0)? != "waxwing" {
        return Err(not_ours().into());
    }
    let stored = u32::try_from(row.try_get::<_, i64>(1)?).unwrap_or(u32::MAX);
    if (1..=LAYOUT).contains(&stored) {
        return Ok(stored);
    }
    Err(OpenError::Newer {
        what: "the layout of the database".to_owned(),
        stored,
        known: LAYOUT,
    }
    .into())
}
