//! One connection, with the statements that it has prepared.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::task::JoinHandle;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, Statement};

use super::address::Address;

/// What a statement is given.
pub(super) type Given<'a> = &'a [&'a (dyn ToSql + Sync)];

/// How long a connection that is closed in good order may take to say goodbye.
const GOODBYE_MILLIS_MAX: u64 = 500;

/// What every connection of ours sets.
///
/// Each of our statements follows an index, among ten rows as among ten million; no statistics, which a new database does
/// not have, and no first rows that happen to be few shall make it another. What cuts idle connections or slow
/// statements off is ours to say.
pub(super) const SETTINGS: &str = "SET search_path = pg_catalog; SET enable_seqscan = off; SET enable_bitmapscan = off;
    SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off; SET plan_cache_mode = force_generic_plan;
    SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN ('statement_timeout', 'lock_timeout',
        'idle_session_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout');
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

/// After how long without an answer, and then this, a statement is ended on the server: nobody waits for it any more.
const STATEMENT_LEFT: Duration = Duration::from_secs(1);

/// The setting that ends statements that nobody waits for any more.
pub(super) fn statement_timeout(longest: Duration) -> String {
    let longest = longest.saturating_add(STATEMENT_LEFT);
    format!("SET statement_timeout = {}", longest.as_millis())
}

/// A connection that can be asked.
pub(super) trait Ask: Sync {
    /// Asks with a statement that is prepared once for each connection.
    fn rows(
        &self,
        sql: &str,
        given: Given<'_>,
    ) -> impl Future<Output = Result<Vec<Row>, Error>> + Send;
}

impl Ask for Session {
    async fn rows(&self, sql: &str, given: Given<'_>) -> Result<Vec<Row>, Error> {
        self.query(sql, given).await
    }
}

impl Ask for deadpool_postgres::Client {
    async fn rows(&self, sql: &str, given: Given<'_>) -> Result<Vec<Row>, Error> {
        let statement = self.prepare_cached(sql).await?;
        self.query(&statement, given).await
    }
}

pub(super) struct Session {
    pub(super) client: Client,
    driver: Driver,
    statements: Mutex<HashMap<String, Statement>>,
}

/// What moves a connection's bytes. It ends with the session, whoever listens on the other side.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A connection, and what moves its bytes.
pub(super) async fn open(
    address: &Address,
    server: usize,
) -> Result<(Client, JoinHandle<()>), Error> {
    let (client, connection) = address.config(server).connect(address.tls()).await?;
    let driver = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to the database ended");
        }
    });
    Ok((client, driver))
}

impl Session {
    /// Connects to the chosen server of the address; where none is, to the first that takes writes.
    pub(super) async fn connect(address: &Address) -> Result<Self, Error> {
        let mut servers = address.askable();
        let mut tried = Self::connect_to(address, servers.next().unwrap_or_default()).await;
        for server in servers {
            if tried.is_ok() {
                break;
            }
            tried = Self::connect_to(address, server).await;
        }
        tried
    }

    /// Connects to one server of the address, if it takes writes.
    pub(super) async fn connect_to(address: &Address, server: usize) -> Result<Self, Error> {
        let (client, driver) = open(address, server).await?;
        let session = Self {
            client,
            driver: Driver(driver),
            statements: Mutex::default(),
        };
        session.client.batch_execute(SETTINGS).await?;
        Ok(session)
    }

    /// Prepares what is not prepared yet, all at once.
    pub(super) async fn prepare(&self, statements: &[&'static str]) -> Result<(), Error> {
        let new: Vec<&str> = {
            let prepared = self.lock();
            let new = statements
                .iter()
                .filter(|sql| !prepared.contains_key(**sql));
            new.copied().collect()
        };
        let prepared = join_all(new.iter().map(|sql| self.client.prepare(sql))).await;
        for (sql, statement) in new.into_iter().zip(prepared) {
            self.lock().insert(sql.to_owned(), statement?);
        }
        Ok(())
    }

    /// Asks with a statement, which is prepared once.
    pub(super) async fn query(&self, sql: &str, given: Given<'_>) -> Result<Vec<Row>, Error> {
        let statement = self.statement(sql).await?;
        self.client.query(&statement, given).await
    }

    /// Does something with a statement, which is prepared once; gives how many rows it was about.
    pub(super) async fn execute(&self, sql: &str, given: Given<'_>) -> Result<u64, Error> {
        let statement = self.statement(sql).await?;
        self.client.execute(&statement, given).await
    }

    async fn statement(&self, sql: &str) -> Result<Statement, Error> {
        let prepared = self.lock().get(sql).cloned();
        if let Some(prepared) = prepared {
            return Ok(prepared);
        }
        let statement = self.client.prepare(sql).await?;
        self.lock().insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Statement>> {
        self.statements
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the connection has ended.
    pub(super) fn is_lost(&self) -> bool {
        self.client.is_closed() || self.driver.0.is_finished()
    }

    /// Waits until the connection has ended.
    pub(super) async fn lost(&mut self) {
        let _ended = (&mut self.driver.0).await;
    }

    /// Says goodbye, where that takes no time. Dropped instead, it ends the connection without a word.
    pub(super) async fn close(self) {
        let Self {
            client, mut driver, ..
        } = self;
        drop(client);
        let goodbye = Duration::from_millis(GOODBYE_MILLIS_MAX);
        let _ended = tokio::time::timeout(goodbye, &mut driver.0).await;
    }
}
