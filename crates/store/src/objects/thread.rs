//! The thread that requests are made on.

use std::future::Future;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;

use super::fault::ObjectFault;
use crate::error::StoreError;

/// How far its end is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Working,
    /// Nothing is waited for any more.
    Stopping,
    Ended,
}

/// A runtime on a thread of its own, until it is ended.
pub(super) struct Worker {
    handle: Handle,
    stage: watch::Sender<Stage>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Worker {
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stage, mut changes) = watch::channel(Stage::Working);
        let thread = thread::Builder::new()
            .name("store-objects".to_owned())
            .spawn(move || {
                let ended = changes.wait_for(|stage| *stage == Stage::Ended);
                let _gone = runtime.block_on(ended);
                // A name that is being looked up is not waited for.
                runtime.shutdown_background();
            })?;
        Ok(Self {
            handle,
            stage,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Does something beside everything else.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        if *self.stage.borrow() == Stage::Working {
            drop(self.handle.spawn(work));
        }
    }

    /// Waits on this thread, which is not the runtime's, unless all is stopped.
    pub(super) fn wait<T>(
        &self,
        work: impl Future<Output = Result<T, ObjectFault>>,
    ) -> Result<T, StoreError> {
        if *self.stage.borrow() != Stage::Working {
            return Err(StoreError::Closed);
        }
        self.handle.block_on(async {
            tokio::select! {
                done = work => done.map_err(StoreError::Objects),
                () = self.stopped() => Err(StoreError::Closed),
            }
        })
    }

    /// Waits, whichever thread this is: one of a runtime must not wait for another one itself.
    pub(super) fn wait_beside<T: Send>(
        &self,
        work: impl Future<Output = Result<T, ObjectFault>> + Send,
    ) -> Result<T, StoreError> {
        let waited = thread::scope(|scope| scope.spawn(|| self.wait(work)).join());
        waited.unwrap_or(Err(StoreError::Closed))
    }

    /// Waits for a while on this thread; whether it is still working then.
    pub(super) fn pause(&self, time: Duration) -> bool {
        let slept = self.wait(async {
            tokio::time::sleep(time).await;
            Ok(())
        });
        slept.is_ok()
    }

    async fn stopped(&self) {
        let mut changes = self.stage.subscribe();
        let _gone = changes.wait_for(|stage| *stage > Stage::Working).await;
    }

    /// Waits for nothing any more: what is under way fails.
    pub(super) fn stop(&self) {
        self.stage.send_if_modified(|stage| {
            let is_first = *stage == Stage::Working;
            if is_first {
                *stage = Stage::Stopping;
            }
            is_first
        });
    }

    /// Ends the thread. Nobody may be waiting any more.
    pub(super) fn end(&self) {
        self.stage.send_replace(Stage::Ended);
        let thread = self.thread.lock();
        let thread = thread.unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.thread().id() != thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("a thread of the store panicked");
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end();
    }
}
