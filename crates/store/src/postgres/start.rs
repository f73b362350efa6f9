//! The thread of the backend, from its start to its end.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::{Arc, mpsc};

use tokio::runtime::{Builder, Handle, Runtime};

use super::PostgresOptions;
use super::address::Address;
use super::blobs::{DatabaseBlobs, remove_unfinished};
use super::fault::words;
use super::noted::Noted;
use super::open::{self, Opened};
use super::queue::Queue;
use super::readers::Readers;
use super::recover::Connection;
use super::word_index::WordIndex;
use super::writer::Writer;
use crate::alarm::Alarm;
use crate::error::OpenError;
use crate::shape::Shape;

/// Shapes by name.
pub(super) type Declared = BTreeMap<&'static str, Shape>;

/// What a store works with once its database is open.
pub(super) struct Started {
    pub(super) readers: Readers,
    pub(super) blobs: Arc<DatabaseBlobs>,
    /// The database's name, which no other has.
    pub(super) database: String,
}

/// What is needed to open a database.
pub(super) struct Start {
    pub(super) address: Address,
    pub(super) options: PostgresOptions,
    pub(super) declared: Declared,
    pub(super) queue: Arc<Queue>,
    pub(super) alarm: Arc<Alarm>,
    pub(super) tell: mpsc::Sender<Result<Started, OpenError>>,
}

pub(super) fn runtime(address: &Address) -> Result<Runtime, OpenError> {
    let built = Builder::new_current_thread().enable_all().build();
    built.map_err(|error| OpenError::Unreachable {
        database: address.name().to_owned(),
        reason: error.to_string(),
    })
}

/// Looks at a database, on this thread.
pub(super) fn look(address: &Address, declared: &Declared) -> Result<bool, OpenError> {
    runtime(address)?.block_on(open::look(address, declared))
}

impl Start {
    /// Opens the database, and works until nobody needs it any more.
    pub(super) fn run(self) {
        let tell = self.tell.clone();
        match runtime(&self.address) {
            Ok(runtime) => runtime.block_on(async {
                match self.open().await {
                    Ok((writer, started)) => {
                        let readers = started.readers.clone();
                        drop(tokio::spawn(Arc::clone(&started.blobs).collect_orphans()));
                        if tell.send(Ok(started)).is_ok() {
                            writer.run().await;
                            readers.close().await;
                        }
                    }
                    // Nobody is left to hear of it where this fails.
                    Err(error) => drop(tell.send(Err(error))),
                }
            }),
            Err(error) => drop(tell.send(Err(error))),
        }
    }

    async fn open(self) -> Result<(Writer, Started), OpenError> {
        let shown = self.address.name().to_owned();
        let failed = |reason: String| OpenError::Unreachable {
            database: shown.clone(),
            reason,
        };
        let opened = open::open(&self.address, &self.declared, self.options.answer_wait()).await?;
        let Opened {
            session,
            backend,
            shapes,
            state,
        } = opened;
        let unfinished = remove_unfinished(&session).await;
        unfinished.map_err(|error| failed(words(&error)))?;
        let shapes = Arc::new(shapes);
        let readers = Readers::new(
            &self.address,
            &self.options,
            Arc::clone(&shapes),
            Handle::current(),
        );
        let readers = readers.map_err(|error| failed(error.to_string()))?;
        let blobs = DatabaseBlobs::new(readers.clone(), Arc::clone(&self.queue), state.starts);
        let database = state.database.clone();
        let words = WordIndex::new(&shapes, state.last_log_id);
        let noted = Noted::new(self.address.noted(), &state);
        let writer = Writer {
            connection: Connection::new(self.address, self.options.clone(), session, backend),
            options: self.options,
            queue: self.queue,
            shapes,
            readers: readers.clone(),
            alarm: self.alarm,
            blobs: Arc::clone(&blobs),
            state,
            noted,
            owners: HashMap::new(),
            words,
            lost_since: None,
            failing: false,
            groups_since_gone_step: 0,
        };
        let started = Started {
            readers,
            blobs,
            database,
        };
        Ok((writer, started))
    }
}
