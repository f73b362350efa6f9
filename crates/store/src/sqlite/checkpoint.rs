//! Checkpoints: moving what was committed from the write-ahead log to the database, beside the writer.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::hooks::Wal;
use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, ErrorCode};

use super::fault::failed;
use super::open::beside_connection;
use super::pool::Pool;
use crate::alarm::Alarm;

/// Pages of the write-ahead log after which a checkpoint begins beside the writer.
const PASSIVE_PAGES: u32 = 4_000;
/// Commits after which one begins though there are fewer pages: few at a time are the same ones again and again, and
/// SQLite's index of the log looks through all that have a page's number for each that is written.
const PASSIVE_COMMITS: u32 = 250;
/// Pages below which none is worth its waits for the disk.
const WORTHWHILE_PAGES: u32 = 1_000;
/// Pages at which the writer starts the log from its beginning: readers and steady writing kept the log from
/// doing so by itself.
const RESTART_PAGES: u32 = 16_000;
/// How long a restart waits for readers of the old log.
const RESTART_WAIT: Duration = Duration::from_millis(50);

/// Watches the length of the log.
pub(super) struct Checkpoints {
    shared: Arc<Shared>,
    requests: Arc<Pool<()>>,
}

#[derive(Default)]
struct Shared {
    /// Pages in the log after the last commit.
    pages: AtomicU32,
    /// The length at which a checkpoint was asked for last.
    asked_at: AtomicU32,
    /// Commits since then.
    commits: AtomicU32,
    /// The copy that was asked for is for a log of small commits.
    of_small_commits: AtomicBool,
    restart_due: AtomicBool,
}

impl Checkpoints {
    /// Starts the thread that copies when it is asked to by way of the pool.
    pub(super) fn start(
        path: PathBuf,
        requests: Arc<Pool<()>>,
        alarm: &Arc<Alarm>,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let shared = Arc::new(Shared::default());
        let seen = Arc::clone(&shared);
        let alarm = Arc::clone(alarm);
        let mut connection = None;
        let thread = requests.start("store-checkpoint", move |()| {
            let copied_all = copy(&mut connection, &path).unwrap_or_else(|error| {
                if !alarm.hear(&failed(&error)) {
                    tracing::warn!(%error, "a checkpoint failed; the next one does its work");
                }
                connection = None;
                false
            });
            // What is copied beside the writer is behind it where it writes steadily, and the log goes on. While somebody
            // reads what is in it, a restart would wait in vain.
            let is_long = seen.pages.load(Ordering::Relaxed) >= RESTART_PAGES;
            if is_long || copied_all && seen.of_small_commits.load(Ordering::Relaxed) {
                seen.restart_due.store(true, Ordering::Relaxed);
            }
        })?;
        Ok((Self { shared, requests }, thread))
    }

    /// Counts the pages that this connection commits.
    pub(super) fn watch(&self, db: &mut Connection) -> rusqlite::Result<()> {
        let shared = Arc::clone(&self.shared);
        let requests = Arc::clone(&self.requests);
        db.wal_hook(Some(move |_: &mut Wal, pages: i32| {
            let pages = pages.unsigned_abs();
            let before = shared.pages.swap(pages, Ordering::Relaxed);
            if pages < before {
                shared.asked_at.store(0, Ordering::Relaxed);
            }
            let more = pages - shared.asked_at.load(Ordering::Relaxed).min(pages);
            let commits = shared.commits.fetch_add(1, Ordering::Relaxed) + 1;
            let of_small_commits = more >= WORTHWHILE_PAGES && commits >= PASSIVE_COMMITS;
            if more >= PASSIVE_PAGES || of_small_commits {
                shared
                    .of_small_commits
                    .store(of_small_commits, Ordering::Relaxed);
                shared.asked_at.store(pages, Ordering::Relaxed);
                shared.commits.store(0, Ordering::Relaxed);
                requests.push(());
            }
            Ok(())
        }))
    }

    pub(super) fn is_restart_due(&self) -> bool {
        self.shared.restart_due.load(Ordering::Relaxed)
    }

    /// Copies the little that is left and starts the log from its beginning.
    pub(super) fn restart(&self, db: &Connection) {
        self.shared.restart_due.store(false, Ordering::Relaxed);
        let restarted = db.busy_timeout(RESTART_WAIT).and_then(|()| {
            unless_busy(db.wal_checkpoint_v2(None::<&str>, CheckpointMode::RESTART)).map(drop)
        });
        if let Err(error) = restarted {
            tracing::warn!(%error, "the write-ahead log could not be restarted");
        }
    }
}

/// Copies; whether that was everything there was when it began.
fn copy(connection: &mut Option<Connection>, path: &std::path::Path) -> rusqlite::Result<bool> {
    let db = match connection {
        Some(db) => db,
        None => {
            let db = beside_connection(path)?;
            // A connection that has read nothing does not know that there is a log, and copies nothing.
            let _schema: i64 = db.query_row("PRAGMA schema_version", [], |row| row.get(0))?;
            connection.insert(db)
        }
    };
    let copied = unless_busy(db.wal_checkpoint_v2(None::<&str>, CheckpointMode::PASSIVE))?;
    Ok(copied.is_some_and(|(pages, copied)| pages == copied))
}

/// Another checkpoint or a reader in the way is no failure: there will be another time.
fn unless_busy<T>(checkpoint: rusqlite::Result<T>) -> rusqlite::Result<Option<T>> {
    match checkpoint {
        Ok(done) => Ok(Some(done)),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(None),
        Err(error) => Err(error),
    }
}
