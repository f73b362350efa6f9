//! Connections that answer questions beside the writer.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use deadpool_postgres::{
    Client, Connect, Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError,
    RecyclingMethod, Runtime, TimeoutType,
};
use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::error::Elapsed;
use tokio_postgres::{Config, Error, Row};

use super::PostgresOptions;
use super::address::Address;
use super::fault::{Fault, failed};
use super::read::{self, Found};
use super::session::{self, Ask, Given, SETTINGS, statement_timeout};
use crate::backend::Query;
use crate::error::StoreError;
use crate::numbered::Shapes;

/// Between two tries while the database cannot be reached.
const TRY_AGAIN: Duration = Duration::from_millis(100);

/// Connections, and the questions that are being asked.
#[derive(Clone)]
pub(super) struct Readers {
    pool: Pool,
    shapes: Arc<Shapes>,
    options: PostgresOptions,
    runtime: Handle,
    asking: Arc<Asking>,
    /// Since when there is no connection that works.
    lost: Arc<Mutex<Option<Instant>>>,
    /// Connections from before this time may be to a server that is not the one written to any more.
    renewed: Arc<Mutex<Option<Instant>>>,
}

#[derive(Default)]
pub(super) struct Asking {
    count: AtomicUsize,
    none_left: Notify,
}

/// Something that is being asked.
pub(super) struct Asked(Arc<Asking>);

impl Drop for Asked {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.none_left.notify_one();
        }
    }
}

/// Connects to the server that the writer writes to: another may lack what was acknowledged.
struct Chosen(Address);

impl Connect for Chosen {
    fn connect(
        &self,
        _config: &Config,
    ) -> BoxFuture<'_, Result<(tokio_postgres::Client, JoinHandle<()>), Error>> {
        Box::pin(async {
            let mut servers = self.0.askable();
            session::open(&self.0, servers.next().unwrap_or_default()).await
        })
    }
}

impl Readers {
    /// Nothing is connected before something is asked.
    pub(super) fn new(
        address: &Address,
        options: &PostgresOptions,
        shapes: Arc<Shapes>,
        runtime: Handle,
    ) -> Result<Self, StoreError> {
        let recycling = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        // What it is given to connect with is not looked at: which server is asked changes.
        let manager = Manager::from_connect(Config::new(), Chosen(address.clone()), recycling);
        let timeout = statement_timeout(options.answer_wait());
        let settings = Hook::async_fn(move |client, _| {
            let settings = format!("{SETTINGS}; {timeout}");
            Box::pin(async move {
                let set = client.batch_execute(&settings).await;
                set.map_err(HookError::Backend)
            })
        });
        let pool = Pool::builder(manager)
            .max_size(options.readers.max(1))
            .wait_timeout(Some(options.pool_wait()))
            .create_timeout(Some(options.answer_wait()))
            .runtime(Runtime::Tokio1)
            .post_create(settings)
            .build()
            .map_err(|error| StoreError::Failed {
                code: -1,
                text: error.to_string(),
            })?;
        Ok(Self {
            pool,
            shapes,
            options: options.clone(),
            runtime,
            asking: Arc::default(),
            lost: Arc::default(),
            renewed: Arc::default(),
        })
    }

    /// Keeps the runtime until it is dropped.
    pub(super) fn asked(&self) -> Asked {
        self.asking.count.fetch_add(1, Ordering::AcqRel);
        Asked(Arc::clone(&self.asking))
    }

    /// Answers a question, beside everything else.
    pub(super) fn ask(&self, query: Query) {
        let asked = self.asked();
        let readers = self.clone();
        drop(self.runtime.spawn(async move {
            match readers.find(&query).await {
                Ok(found) => found(query),
                Err(error) => query.fail(error),
            }
            drop(asked);
        }));
    }

    async fn find(&self, query: &Query) -> Result<Found, StoreError> {
        loop {
            let found = match self.client().await {
                Ok(client) => {
                    let found = read::answer(&client, &self.shapes, query);
                    let found = tokio::time::timeout(self.options.answer_wait(), found).await;
                    self.given_back(client, found)
                }
                Err(fault) => Err(fault),
            };
            if let Some(found) = self.or_again(found).await {
                return found;
            }
        }
    }

    /// Asks one thing that can be asked again where the connection is lost meanwhile.
    pub(super) async fn rows(&self, sql: &str, given: Given<'_>) -> Result<Vec<Row>, StoreError> {
        loop {
            let rows = match self.client().await {
                Ok(client) => {
                    let rows = async { Ok(client.rows(sql, given).await?) };
                    let rows = tokio::time::timeout(self.options.answer_wait(), rows).await;
                    self.given_back(client, rows)
                }
                Err(fault) => Err(fault),
            };
            if let Some(rows) = self.or_again(rows).await {
                return rows;
            }
        }
    }

    /// Gives a connection back to the pool, unless it is lost or an answer may still come on it.
    fn given_back<T>(
        &self,
        client: Client,
        answer: Result<Result<T, Fault>, Elapsed>,
    ) -> Result<T, Fault> {
        let answer = answer.unwrap_or_else(|_| Err(Fault::Failed(self.slow())));
        if matches!(
            answer,
            Err(Fault::Lost(_) | Fault::Failed(StoreError::Slow { .. }))
        ) {
            drop(Object::take(client));
        }
        answer
    }

    /// What to answer; `None` where it is worth another try.
    async fn or_again<T>(&self, answer: Result<T, Fault>) -> Option<Result<T, StoreError>> {
        let lost = match answer {
            Ok(answer) => {
                *self.lost() = None;
                return Some(Ok(answer));
            }
            Err(Fault::Refused(error) | Fault::Failed(error)) => return Some(Err(error)),
            Err(Fault::Lost(error)) => error,
        };
        // Others were connected to the same server.
        self.pool.retain(|_, _| false);
        // For those who ask while it stays so, it is the same time.
        let since = *self.lost().get_or_insert_with(Instant::now);
        if since.elapsed() >= self.options.recover_wait() {
            return Some(Err(lost));
        }
        tokio::time::sleep(TRY_AGAIN).await;
        None
    }

    fn lost(&self) -> MutexGuard<'_, Option<Instant>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slow(&self) -> StoreError {
        StoreError::Slow {
            millis: self.options.answer_millis_max,
        }
    }

    /// Asks nothing more on the connections that there are: the writer had to look for its server again.
    pub(super) fn renew(&self) {
        *self.renewed() = Some(Instant::now());
        self.pool.retain(|_, _| false);
    }

    fn renewed(&self) -> MutexGuard<'_, Option<Instant>> {
        self.renewed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection of one's own.
    async fn client(&self) -> Result<Client, Fault> {
        loop {
            let client = self.pooled().await?;
            let created = Object::metrics(&client).created;
            if self.renewed().is_none_or(|renewed| created > renewed) {
                return Ok(client);
            }
            // It was in use then.
            drop(Object::take(client));
        }
    }

    async fn pooled(&self) -> Result<Client, Fault> {
        let millis = self.options.answer_millis_max / 2;
        self.pool.get().await.map_err(|error| match error {
            PoolError::Timeout(TimeoutType::Wait) => Fault::Failed(StoreError::Busy { millis }),
            PoolError::Timeout(_) => Fault::Failed(self.slow()),
            PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => {
                Fault::Lost(match failed(&error) {
                    StoreError::Failed { text, .. } => StoreError::Unreachable { reason: text },
                    error => error,
                })
            }
            PoolError::Closed => Fault::Failed(StoreError::Closed),
            error => Fault::Lost(StoreError::Unreachable {
                reason: error.to_string(),
            }),
        })
    }

    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Waits until all questions are answered, and says goodbye.
    pub(super) async fn close(&self) {
        while self.asking.count.load(Ordering::Acquire) > 0 {
            self.asking.none_left.notified().await;
        }
        self.pool.close();
    }
}
