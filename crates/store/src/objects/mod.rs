//! Files in an object store: any that speaks S3's protocol.
//!
//! | key, below the prefix | is |
//! |---|---|
//! | `waxwing-store` | whose files these are; see `claim.rs` |
//! | `blobs/ab/ab01…` | a blob by its hash |
//!
//! What comes lies in a file of this machine until it is whole, since its name is its hash; then it is sent (`sending.rs`).
//! The database says what is referred to, as with blobs on the disk. Requests are made on a thread with a runtime of its own,
//! so that a store works under any executor.

pub(crate) mod authorities;
mod blobs;
mod claim;
mod client;
mod fault;
mod http;
mod look;
mod place;
mod probe;
mod restoring;
mod sending;
mod thread;

use client::Client;
use thread::Worker;

use crate::error::OpenError;

pub(crate) use blobs::{ObjectBlobs, ObjectReading, SharedObjects};
pub(crate) use claim::Claim;
pub use fault::ObjectFault;
pub(crate) use look::ObjectLook;
pub use place::{ObjectPlace, ObjectPlaceError, ObjectTimes};
pub(crate) use restoring::ObjectRestore;

/// Threads of a store that wait for parts of blobs here. Each holds one part in memory.
pub(crate) const OBJECT_THREADS: usize = 16;

/// What asks the bucket, and the thread that it is asked on.
fn connected(place: &ObjectPlace) -> Result<(Client, Worker), ObjectFault> {
    let failed = |reason| ObjectFault::Failed { reason };
    let client = Client::new(place).map_err(failed)?;
    let worker = Worker::start().map_err(|error| failed(error.to_string()))?;
    Ok((client, worker))
}

/// Why a store with files at this place does not open.
fn refused(place: &ObjectPlace, fault: ObjectFault) -> OpenError {
    OpenError::Objects {
        place: place.to_string(),
        fault,
    }
}
