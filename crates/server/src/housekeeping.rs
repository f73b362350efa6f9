//! What the server does by the clock, whoever is there: what has expired is removed.

use std::sync::Arc;

use futures_util::FutureExt;
use waxwing_store::{Batch, StoreError};

use crate::server::Server;

/// How often expired rows are looked for.
const PURGE_EVERY_MICROS: u64 = 3_600 * 1_000_000;

/// How often messages that are to disappear are looked for.
const TIMERS_EVERY_MICROS: u64 = 60 * 1_000_000;

/// Rows removed by one commit, so that nobody waits long behind it.
const PURGE_ROWS: usize = 500;

/// What features do because of the settings, now that there are these.
pub(crate) fn follow_settings(server: &Server) {
    let own = server.clone();
    let work = async move {
        let hooks = own.registry().on_settings.clone();
        for hook in hooks {
            if let Err(error) = hook(own.clone()).await {
                tracing::warn!(condition = ?error.condition, "settings are not followed everywhere; a reload tries again");
            }
        }
    };
    server.outside().tasks.spawn(work.boxed());
}

/// Begins; ends with the server.
pub(crate) fn start(server: &Server) {
    follow_settings(server);
    start_timers(server);
    let inner = Arc::downgrade(&server.0);
    let work = async move {
        if let Some(inner) = inner.upgrade()
            && let Err(error) = crate::pubsub::everybody(&Server(inner)).await
        {
            tracing::warn!(condition = ?error.condition, "what ends when somebody goes is left");
        }
        while let Some(inner) = inner.upgrade() {
            let server = Server(inner);
            if let Err(error) = purge(&server).await {
                tracing::warn!(%error, "expired rows could not be removed");
            }
            if let Err(error) = crate::archive::sweep(&server).await {
                tracing::warn!(%error, "archives keep more than they are to keep");
            }
            if let Err(error) = crate::uploads::sweep(&server).await {
                tracing::warn!(%error, "files whose time is over could not be removed; nobody gets them any more");
            }
            if let Err(error) = crate::component::expire(&server).await {
                tracing::warn!(%error, "what waits too long for components could not be returned");
            }
            if let Err(error) = crate::pubsub::sweep(&server).await {
                tracing::warn!(%error, "items of removed nodes could not be removed");
            }
            if let Err(error) = crate::pubsub::sweep_attachments(&server).await {
                tracing::warn!(condition = ?error.condition, "what was attached to removed items could not be removed");
            }
            if let Err(error) = crate::pubsub::expire(&server).await {
                tracing::warn!(condition = ?error.condition, "items whose time is over could not be removed");
            }
            let next = server.steady_micros() + PURGE_EVERY_MICROS;
            let sleep = server.outside().clock.sleep_until(next);
            drop(server);
            sleep.await;
        }
    };
    server.outside().tasks.spawn(work.boxed());
}

/// Lets messages disappear; ends with the server.
fn start_timers(server: &Server) {
    let inner = Arc::downgrade(&server.0);
    let work = async move {
        while let Some(inner) = inner.upgrade() {
            let server = Server(inner);
            if let Err(error) = crate::archive::fire(&server).await {
                tracing::warn!(%error, "messages that were to disappear are still in archives");
            }
            let next = server.steady_micros() + TIMERS_EVERY_MICROS;
            let sleep = server.outside().clock.sleep_until(next);
            drop(server);
            sleep.await;
        }
    };
    server.outside().tasks.spawn(work.boxed());
}

async fn purge(server: &Server) -> Result<(), StoreError> {
    loop {
        let mut batch = Batch::new();
        batch.purge_expired(server.now_micros(), PURGE_ROWS);
        let changed = server.store().commit(batch).await?.changed;
        if changed.iter().sum::<u64>() < PURGE_ROWS as u64 {
            return Ok(());
        }
    }
}
