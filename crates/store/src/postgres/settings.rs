//! What an operator should know of a database, and reading all of it, beside a server that may run on it.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::runtime::Builder;
use tokio_postgres::Error;

use super::PostgresOptions;
use super::address::Address;
use super::open::unreachable;
use super::session::Session;
use super::url::PostgresAddress;
use super::{dump, start};
use crate::backup::{BackupAbout, BackupError, BackupSummary};
use crate::error::OpenError;
use crate::store::Store;

const SETTINGS: &str = "SELECT current_setting('server_version'), current_setting('fsync') = 'on',
    current_setting('full_page_writes') = 'on', current_setting('autovacuum') = 'on',
    (SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit'),
    current_setting('synchronous_standby_names') <> '', coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false),
    pg_database_size(current_database()),
    EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1
        AND (classid::bigint << 32 | objid::bigint) = $1
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))";

/// What a PostgreSQL server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PostgresSettings {
    /// Its version, in its own words.
    pub version: String,
    /// `fsync`: whether what is committed survives a power cut.
    pub fsync: bool,
    /// `full_page_writes`: whether a power cut in the middle of a write does no damage.
    pub full_page_writes: bool,
    /// `autovacuum`: whether room is given back.
    pub autovacuum: bool,
    /// `synchronous_commit`, as others have it; we never have it off.
    pub synchronous_commit: String,
    /// Whether `synchronous_standby_names` names somebody who has what is acknowledged.
    pub has_synchronous_standby: bool,
    /// Whether the connection was encrypted.
    pub tls: bool,
    /// Bytes of the database on its disk.
    pub bytes: u64,
    /// Whether a Waxwing server has the database open.
    pub in_use: bool,
}

async fn ask(session: &Session) -> Result<PostgresSettings, Error> {
    let row = session
        .client
        .query_one(SETTINGS, &[&super::lock::LOCK])
        .await?;
    Ok(PostgresSettings {
        version: row.try_get(0)?,
        fsync: row.try_get(1)?,
        full_page_writes: row.try_get(2)?,
        autovacuum: row.try_get(3)?,
        synchronous_commit: row.try_get(4)?,
        has_synchronous_standby: row.try_get(5)?,
        tls: row.try_get(6)?,
        bytes: row.try_get::<_, i64>(7)?.unsigned_abs(),
        in_use: row.try_get(8)?,
    })
}

impl Store {
    /// Asks a PostgreSQL server for what an operator should know. Changes nothing, and blocks.
    ///
    /// # Errors
    /// Where it cannot be reached, or does not let us in.
    pub fn postgres_settings(
        address: &PostgresAddress,
        options: &PostgresOptions,
    ) -> Result<PostgresSettings, OpenError> {
        let address = Address::new(address, options)?;
        start::runtime(&address)?.block_on(async {
            let session = Session::connect(&address)
                .await
                .map_err(|error| unreachable(&address, &error))?;
            let settings = ask(&session).await;
            session.close().await;
            settings.map_err(|error| unreachable(&address, &error))
        })
    }

    /// Writes everything that a database holds as a backup, from one snapshot, whether a server runs on it or not. Changes
    /// nothing, and blocks.
    ///
    /// # Errors
    /// As for [`Store::backup`].
    pub fn postgres_export<W: Write + Send + 'static>(
        address: &PostgresAddress,
        options: &PostgresOptions,
        out: W,
        about: BackupAbout,
    ) -> Result<BackupSummary, BackupError> {
        // One thread moves bytes while this one waits.
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let source = dump::Source {
            address: Address::new(address, options)?,
            runtime: runtime.handle().clone(),
            closing: Arc::new(AtomicBool::new(false)),
            blobs: match &options.objects {
                Some(place) => dump::Blobs::At(Box::new(place.clone())),
                None => dump::Blobs::Here,
            },
        };
        dump::run(&source, Box::new(out), about)
    }
}
