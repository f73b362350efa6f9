//! How much there is of each domain, and what is coming: in memory, counted once after a start and again with each clean-up.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use waxwing_store::{Direction, KeyRange, OwnerKind, StoreError};

use crate::server::Server;
use crate::uploads::DOMAIN_BYTES_MAX;
use crate::uploads::stored::{SIZES, counted};

/// Accounts that are looked at together.
const AT_ONCE: usize = 200;
/// Kinds of files that are counted for an account.
const BUCKETS_MAX: usize = 16;

/// What there is and what is coming.
#[derive(Default)]
pub(crate) struct Room(Mutex<State>);

#[derive(Default)]
struct State {
    /// Files that are coming, by id.
    coming: HashMap<String, Coming>,
    /// Bytes that are here, by domain; `None` where nobody has counted yet.
    here: Option<HashMap<String, u64>>,
}

struct Coming {
    domain: String,
    size: u64,
}

/// Why a file cannot come now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoom {
    /// It is coming already.
    Coming,
    /// The domain has no room for it.
    Full,
}

impl State {
    /// Bytes of a domain that are here or coming.
    fn taken(&self, domain: &str) -> u64 {
        let coming = self.coming.values().filter(|one| one.domain == domain);
        let coming = coming.fold(0_u64, |sum, one| sum.saturating_add(one.size));
        let here = self.here.as_ref().and_then(|here| here.get(domain));
        here.copied().unwrap_or_default().saturating_add(coming)
    }
}

impl Room {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a file is coming.
    pub(crate) fn is_coming(&self, id: &str) -> bool {
        self.state().coming.contains_key(id)
    }

    /// Bytes that are here, of all domains.
    fn here(&self) -> u64 {
        let state = self.state();
        let all = state.here.iter().flat_map(HashMap::values);
        all.fold(0, |sum, bytes| sum.saturating_add(*bytes))
    }
}

/// A file that is coming; not any more when this is dropped.
pub(crate) struct Place {
    server: Server,
    id: String,
}

impl Place {
    /// The file is here.
    pub(crate) fn arrived(self) {
        let mut state = self.server.uploads().room.state();
        let Some(coming) = state.coming.remove(&self.id) else {
            return;
        };
        if let Some(here) = &mut state.here {
            let bytes = here.entry(coming.domain).or_default();
            *bytes = bytes.saturating_add(coming.size);
        }
        drop(state);
        self.server.show_room();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.server.uploads().room.state().coming.remove(&self.id);
    }
}

/// An account is gone, and its files with it: what is here is counted anew, beside everything else.
pub(crate) fn count_again(server: &Server) {
    if server.uploads().room.state().here.is_none() {
        return;
    }
    let tasks = server.outside().tasks.clone();
    let server = server.clone();
    let work = async move {
        if let Err(error) = server.count_uploads().await {
            tracing::warn!(%error, "files could not be counted; those of a removed account count until the hour is over");
        }
    };
    tasks.spawn(work.boxed());
}

impl Server {
    fn show_room(&self) {
        self.metrics().upload_bytes_here(self.uploads().room.here());
    }

    /// Whether the domain has room for so many bytes more.
    pub(crate) async fn has_room(&self, domain: &str, size: u64) -> Result<bool, StoreError> {
        let max = match self.options_of(domain).number(&DOMAIN_BYTES_MAX) {
            0 => return Ok(true),
            max => max,
        };
        self.count_uploads_once().await?;
        let taken = self.uploads().room.state().taken(domain);
        Ok(taken.saturating_add(size) <= max)
    }

    /// A place for a file that comes now.
    pub(crate) async fn place_for_upload(
        &self,
        domain: &str,
        id: &str,
        size: u64,
    ) -> Result<Result<Place, NoRoom>, StoreError> {
        self.count_uploads_once().await?;
        let max = match self.options_of(domain).number(&DOMAIN_BYTES_MAX) {
            0 => u64::MAX,
            max => max,
        };
        let mut state = self.uploads().room.state();
        if state.coming.contains_key(id) {
            return Ok(Err(NoRoom::Coming));
        }
        if state.taken(domain).saturating_add(size) > max {
            return Ok(Err(NoRoom::Full));
        }
        let domain = domain.to_owned();
        state.coming.insert(id.to_owned(), Coming { domain, size });
        Ok(Ok(Place {
            server: self.clone(),
            id: id.to_owned(),
        }))
    }

    /// Notes that a file has gone.
    pub(crate) fn note_upload_gone(&self, domain: &str, size: u64) {
        let mut state = self.uploads().room.state();
        let here = state.here.as_mut().and_then(|here| here.get_mut(domain));
        if let Some(bytes) = here {
            *bytes = bytes.saturating_sub(size);
        }
        drop(state);
        self.show_room();
    }

    async fn count_uploads_once(&self) -> Result<(), StoreError> {
        let is_counted = self.uploads().room.state().here.is_some();
        match is_counted {
            true => Ok(()),
            false => self.count_uploads().await,
        }
    }

    /// Counts what is here. What comes or goes meanwhile may be missed, or counted twice, until the next time.
    pub(crate) async fn count_uploads(&self) -> Result<(), StoreError> {
        let mut here: HashMap<String, u64> = HashMap::new();
        let (all, mut last) = (KeyRange::all(), None);
        loop {
            let owners = self.store().owners(&SIZES, last.as_ref(), AT_ONCE).await?;
            let Some(next) = owners.last().cloned() else {
                break;
            };
            for owner in owners {
                let domain = owner.name().rsplit_once('@').map(|(_, domain)| domain);
                let Some(domain) = domain.filter(|_| owner.kind() == OwnerKind::Account) else {
                    continue;
                };
                let counts =
                    self.store()
                        .scan(&SIZES, &owner, &all, Direction::Forward, BUCKETS_MAX);
                for (_, count) in counts.await? {
                    let bytes = here.entry(domain.to_owned()).or_default();
                    *bytes = bytes.saturating_add(counted(Some(count)));
                }
            }
            last = Some(next);
        }
        self.uploads().room.state().here = Some(here);
        self.show_room();
        Ok(())
    }
}
