//! What the domains say, in memory: every log-in asks for it, and it seldom changes.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_channel::oneshot;
use waxwing_store::{Batch, Committed, Direction, KeyRange, Owner, StoreError};

use super::{NOTICES, Notice, StoredNotice};
use crate::server::Server;

/// What one domain says.
pub(super) type Texts = Arc<Vec<(Notice, StoredNotice)>>;

/// What was read of it, by domain.
#[derive(Default)]
pub(crate) struct Said(Mutex<Known>);

#[derive(Default)]
struct Known {
    by_domain: HashMap<String, Texts>,
    /// Counts the changes: what was read before one is not kept after it.
    changes: u64,
    /// Where a change failed, which may be stored all the same, and later: nothing is kept until the next one.
    unsure: HashSet<String>,
}

impl Said {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A change has gone through, or was refused, or failed.
    fn changed(&self, domain: &str, outcome: &Result<Committed, StoreError>) {
        let mut known = self.known();
        known.changes += 1;
        known.by_domain.remove(domain);
        match outcome {
            Ok(_) => drop(known.unsure.remove(domain)),
            Err(StoreError::Refused { .. }) => {}
            Err(_) => drop(known.unsure.insert(domain.to_owned())),
        }
    }
}

/// What a domain that is served says; the store is asked once.
pub(super) async fn texts(server: &Server, domain: &str) -> Result<Texts, StoreError> {
    let changes = {
        let known = server.said().known();
        if let Some(texts) = known.by_domain.get(domain) {
            return Ok(texts.clone());
        }
        known.changes
    };
    let owner = Owner::domain(domain);
    let all = KeyRange::all();
    let limit = Notice::ALL.len();
    let stored = server
        .store()
        .scan(&NOTICES, &owner, &all, Direction::Forward, limit);
    let mut stored = stored.await?;
    let texts = Notice::ALL.into_iter().filter_map(|notice| {
        let at = stored.iter().position(|(key, _)| key == notice.key())?;
        Some((notice, stored.swap_remove(at).1))
    });
    let texts = Texts::new(texts.collect());
    let mut known = server.said().known();
    if known.changes == changes && !known.unsure.contains(domain) {
        known.by_domain.insert(domain.to_owned(), texts.clone());
    }
    Ok(texts)
}

/// Commits what changes a domain's texts. They are read anew from then on, even where nobody waits for the outcome.
pub(super) async fn commit(server: &Server, domain: &str, batch: Batch) -> Result<(), StoreError> {
    let (tell, outcome) = oneshot::channel();
    let (own, domain) = (server.clone(), domain.to_owned());
    server.store().submit(batch, move |result| {
        own.said().changed(&domain, &result);
        // Who asked may be gone.
        let _gone = tell.send(result);
    });
    match outcome.await {
        Ok(result) => result.map(drop),
        Err(oneshot::Canceled) => Err(StoreError::Closed),
    }
}
