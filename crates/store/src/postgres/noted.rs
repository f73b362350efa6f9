//! What was acknowledged, noted beside the server: one that is started again takes no database that lacks it.
//!
//! After a failover the primary of before may come back and take writes, without what was committed elsewhere; or a standby
//! is promoted that did not have everything yet. A server that runs sees that by the number of commits. One that starts sees
//! it by this file, which is written when a connection was made, [`NOTE_EVERY`] after a commit, and at the end.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::lock::State;

/// How long after a commit its number is noted.
const NOTE_EVERY: Duration = Duration::from_secs(2);

/// The file, and what stands in it.
pub(super) struct Noted {
    path: Option<PathBuf>,
    database: String,
    /// What is to stand there.
    commits: i64,
    written: i64,
    at: Instant,
    failing: bool,
}

impl Noted {
    /// Notes it for the first time.
    pub(super) fn new(path: Option<&Path>, state: &State) -> Self {
        let mut noted = Self {
            path: path.map(Path::to_owned),
            database: state.database.clone(),
            commits: state.commits,
            written: -1,
            at: Instant::now(),
            failing: false,
        };
        noted.write();
        noted
    }

    /// So many there are now; they are noted in a while.
    pub(super) fn learn(&mut self, commits: i64) {
        self.commits = commits;
        if self.at.elapsed() >= NOTE_EVERY {
            self.write();
        }
    }

    /// Waits until something has to be noted.
    pub(super) async fn due(&self) {
        match self.path.is_some() && self.commits != self.written {
            true => tokio::time::sleep_until((self.at + NOTE_EVERY).into()).await,
            false => std::future::pending().await,
        }
    }

    /// Notes it now. It is not waited for the disk: what a failing machine forgets of it is no more than is noted again.
    pub(super) fn write(&mut self) {
        self.at = Instant::now();
        let Some(path) = &self.path else { return };
        if self.commits == self.written {
            return;
        }
        let new = path.with_extension("new");
        let text = format!("{} {}\n", self.database, self.commits);
        match fs::write(&new, text).and_then(|()| fs::rename(&new, path)) {
            Ok(()) => {
                self.written = self.commits;
                self.failing = false;
            }
            Err(error) if !std::mem::replace(&mut self.failing, true) => {
                tracing::warn!(
                    path = %path.display(), %error,
                    "how many commits the database has cannot be noted; the next start cannot compare"
                );
            }
            Err(_) => {}
        }
    }
}

/// How many commits a database lacks of those that were acknowledged, if any.
pub(super) fn lacking(path: &Path, state: &State) -> Option<i64> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::warn!(
                path = %path.display(), %error,
                "how many commits the database had cannot be read; it is not compared"
            );
            return None;
        }
    };
    let lacking = text.strip_suffix('\n').and_then(|line| {
        let (database, commits) = line.split_once(' ')?;
        let commits: i64 = commits.parse().ok()?;
        // Of another database it says nothing.
        Some((database == state.database).then(|| commits - state.commits))
    });
    let Some(lacking) = lacking else {
        tracing::warn!(
            path = %path.display(),
            "how many commits the database had does not stand there; it is not compared"
        );
        return None;
    };
    lacking.filter(|lacking| *lacking > 0)
}
