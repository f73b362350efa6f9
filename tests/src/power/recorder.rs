//! Builds the recorder and attaches it to a command.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The recorder, compiled, with the directory that it watches.
#[derive(Debug)]
pub struct Recorder {
    library: PathBuf,
    watched: PathBuf,
    journal: PathBuf,
}

/// Why there is no recorder.
#[derive(Debug, thiserror::Error)]
pub enum RecorderError {
    /// The compiler is missing or a file cannot be written.
    #[error("the recorder cannot be built: {0}")]
    Io(#[from] io::Error),
    /// The compiler refused the source.
    #[error("cc refuses recorder.c: {said}")]
    Refused {
        /// What it said.
        said: String,
    },
}

impl Recorder {
    /// Compiles the recorder into `scratch`, where the journal will be too. `watched` must exist, and `scratch` must
    /// not lie in it.
    ///
    /// # Errors
    /// [`RecorderError`] if there is no C compiler or it refuses.
    pub fn build(scratch: &Path, watched: &Path) -> Result<Recorder, RecorderError> {
        let library = scratch.join("recorder.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("power/recorder.c");
        let output = Command::new("cc")
            .args([
                "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-pthread", "-o",
            ])
            .arg(&library)
            .arg(source)
            .output()?;
        if !output.status.success() {
            return Err(RecorderError::Refused {
                said: String::from_utf8_lossy(&output.stderr).into_owned(),
            });
        }
        Ok(Recorder {
            library,
            watched: watched.canonicalize()?,
            journal: scratch.join("journal"),
        })
    }

    /// Has `command` recorded. Several processes may append to one journal, one after the other.
    pub fn attach(&self, command: &mut Command) {
        command.envs(self.environment());
    }

    /// What has a command recorded: environment variables for it alone.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, PathBuf); 3] {
        [
            ("LD_PRELOAD", self.library.clone()),
            ("POWER_DIR", self.watched.clone()),
            ("POWER_JOURNAL", self.journal.clone()),
        ]
    }

    /// Where the journal is. Its length at the moment when an acknowledgement arrives says what must be durable.
    #[must_use]
    pub fn journal(&self) -> &Path {
        &self.journal
    }

    /// The journal's present length in bytes; 0 before the process has begun.
    #[must_use]
    pub fn position(&self) -> u64 {
        std::fs::metadata(&self.journal).map_or(0, |file| file.len())
    }

    /// The watched directory.
    #[must_use]
    pub fn watched(&self) -> &Path {
        &self.watched
    }
}
