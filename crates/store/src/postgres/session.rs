//! One connection, with the statements that it has prepared.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::task::JoinHandle;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, NoTls, Row, Statement};

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

pub(super) struct Session {
    pub(super) client: Client,
    driver: JoinHandle<()>,
    statements: HashMap<&'static str, Statement>,
}

impl Session {
    /// Connects to the first server of the address that takes writes.
    pub(super) async fn connect(address: &Address) -> Result<Self, Error> {
        let (client, connection) = address.config().connect(NoTls).await?;
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to the database ended");
            }
        });
        let session = Self {
            client,
            driver,
            statements: HashMap::new(),
        };
        match session.client.batch_execute(SETTINGS).await {
            Ok(()) => Ok(session),
            Err(error) => {
                session.cut();
                Err(error)
            }
        }
    }

    /// Prepares what is not prepared yet.
    pub(super) async fn prepare(&mut self, statements: &[&'static str]) -> Result<(), Error> {
        let new: Vec<_> = statements
            .iter()
            .filter(|sql| !self.statements.contains_key(*sql))
            .copied()
            .collect();
        let prepared = join_all(new.iter().map(|sql| self.client.prepare(sql))).await;
        for (sql, statement) in new.into_iter().zip(prepared) {
            self.statements.insert(sql, statement?);
        }
        Ok(())
    }

    /// Asks with a statement that may have been prepared.
    pub(super) async fn query(
        &self,
        sql: &'static str,
        given: Given<'_>,
    ) -> Result<Vec<Row>, Error> {
        match self.statements.get(sql) {
            Some(statement) => self.client.query(statement, given).await,
            None => self.client.query(sql, given).await,
        }
    }

    /// Does something with a statement that may have been prepared; gives how many rows it was about.
    pub(super) async fn execute(&self, sql: &'static str, given: Given<'_>) -> Result<u64, Error> {
        match self.statements.get(sql) {
            Some(statement) => self.client.execute(statement, given).await,
            None => self.client.execute(sql, given).await,
        }
    }

    /// Whether the connection has ended.
    pub(super) fn is_lost(&self) -> bool {
        self.client.is_closed() || self.driver.is_finished()
    }

    /// Waits until the connection has ended.
    pub(super) async fn lost(&mut self) {
        let _ended = (&mut self.driver).await;
    }

    /// Says goodbye.
    pub(super) async fn close(self) {
        drop(self.client);
        let goodbye = Duration::from_millis(GOODBYE_MILLIS_MAX);
        let _ended = tokio::time::timeout(goodbye, self.driver).await;
    }

    /// Ends the connection without a word: the other side may not listen.
    pub(super) fn cut(self) {
        self.driver.abort();
    }
}
