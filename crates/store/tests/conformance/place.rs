//! Where a store is, and how to wait for it.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use waxwing_store::{Memory, OpenError, Shape, SqliteOptions, Store};

/// A place whose content outlives the stores that are opened in it, one after another.
pub(crate) trait Place {
    fn try_open(&self, shapes: &[Shape]) -> Result<Store, OpenError>;

    fn open(&self, shapes: &[Shape]) -> Store {
        self.try_open(shapes).expect("the place can be opened")
    }
}

pub(crate) struct InMemory(Memory);

impl InMemory {
    pub(crate) fn new() -> Self {
        Self(Memory::new())
    }
}

impl Place for InMemory {
    fn try_open(&self, shapes: &[Shape]) -> Result<Store, OpenError> {
        self.0.open(shapes)
    }
}

pub(crate) struct OnDisk(TestDirectory);

impl OnDisk {
    pub(crate) fn new() -> Self {
        Self(TestDirectory::new())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Place for OnDisk {
    fn try_open(&self, shapes: &[Shape]) -> Result<Store, OpenError> {
        Store::sqlite(self.0.path(), &SqliteOptions::default(), shapes)
    }
}

/// A directory that goes with the test.
pub(crate) struct TestDirectory(PathBuf);

impl TestDirectory {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("waxwing-store-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TestDirectory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a future on this thread.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        thread::park();
    }
}
