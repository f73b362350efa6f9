//! Why there is no server to test.

use std::io;
use std::process::ExitStatus;

/// Why there is no server to test.
#[derive(Debug, thiserror::Error)]
pub enum BuiltError {
    /// The system, about a file, a socket or a process.
    #[error("{what}: {reason}")]
    System {
        /// What was attempted.
        what: String,
        /// In the system's words.
        #[source]
        reason: io::Error,
    },
    /// A command failed.
    #[error("{command} failed ({status}): {stderr}")]
    Command {
        /// Its words.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What it said.
        stderr: String,
    },
    /// The server ended before it was ready.
    #[error("the server ended before it was ready ({status}): {log}")]
    Ended {
        /// How.
        status: ExitStatus,
        /// Its log.
        log: String,
    },
    /// What it was to store in is not there.
    #[error(
        "there is no {0} to store in: install Debian's package, or leave WAXWING_TEST_STORE out"
    )]
    Store(
        /// As it was asked for.
        String,
    ),
    /// The server does not get ready.
    #[error("the server is not ready after a minute: {log}")]
    NotReady {
        /// Its log.
        log: String,
    },
}

pub(super) fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> BuiltError {
    let what = what.into();
    move |reason| BuiltError::System { what, reason }
}
