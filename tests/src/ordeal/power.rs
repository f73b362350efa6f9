//! The recorder at the server's data directory, and the disk that a power cut leaves.

use std::fs;
use std::io;

use waxwing_testkit::Dice;

use crate::power::{Base, Disk, DiskError, Journal, JournalError, Recorder, RecorderError, Syncs};
use crate::{Built, BuiltError};

/// Why the power cannot be cut.
#[derive(Debug, thiserror::Error)]
pub enum PowerError {
    /// The recorder cannot be built.
    #[error(transparent)]
    Recorder(#[from] RecorderError),
    /// The disk cannot follow.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The system, about a file.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The server.
    #[error(transparent)]
    Built(#[from] BuiltError),
}

#[derive(Debug)]
pub(super) struct Power {
    recorder: Recorder,
    base: Base,
    syncs: Syncs,
}

impl Power {
    /// Stops the server and starts it again with the recorder.
    pub(super) fn connect(built: &mut Built, syncs: Syncs) -> Result<Power, PowerError> {
        built.stop()?;
        let recorder = Recorder::build(built.directory(), &built.data_dir)?;
        let base = Base::read(&built.data_dir)?;
        built.set_environment(recorder.environment());
        built.restart()?;
        Ok(Power {
            recorder,
            base,
            syncs,
        })
    }

    /// How far the journal has come.
    pub(super) fn position(&self) -> u64 {
        self.recorder.position()
    }

    /// Puts in the place of the data directory what a disk may hold if the power went at `position`. The server must not
    /// run any more.
    pub(super) fn cut(
        &mut self,
        built: &Built,
        position: u64,
        dice: &mut Dice,
    ) -> Result<(), PowerError> {
        let journal = self.recorder.journal();
        // What came later never happened.
        let records = Journal::read_until(journal, position)?;
        let mut disk = Disk::new(&self.base, &records, self.syncs)?;
        disk.advance(records.len())?;
        let state = disk.cut(dice);
        fs::remove_dir_all(&built.data_dir)?;
        fs::create_dir(&built.data_dir)?;
        state.write(&built.data_dir)?;
        fs::remove_file(journal)?;
        self.base = Base::read(&built.data_dir)?;
        Ok(())
    }
}
