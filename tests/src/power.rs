//! Power cuts: a recorder of what a process writes and syncs, and a replayer of what a disk may hold afterwards.
//!
//! `tests/power/recorder.c` is loaded into the unchanged server and writes a [`Journal`]. A [`Disk`] walks through it and
//! tells, at any place, what the disk may hold if the power goes there: everything that was synced, and a random part
//! of the rest, in sectors of 512 bytes and in any order.

mod disk;
mod journal;
mod recorder;
mod state;

pub use disk::{Base, Disk, DiskError, Syncs};
pub use journal::{Journal, JournalError, Kind, Record};
pub use recorder::{Recorder, RecorderError};
pub use state::State;
