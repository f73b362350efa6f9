//! Why a task did not succeed, by blame.

use std::fmt;
use std::io;
use std::path::PathBuf;

#[derive(Debug)]
pub(crate) enum Failure {
    /// The person typed something that the task does not take.
    Usage(String),
    /// A file could not be read or written.
    File { path: PathBuf, source: io::Error },
    /// A program could not be started at all.
    Start { program: String, source: io::Error },
    /// A program ran and said no.
    Child { command: String, status: String },
    /// A program's answer could not be understood.
    Answer { of: &'static str, why: String },
    /// The checked thing is not as it should be; details are already printed.
    Found { what: &'static str, count: usize },
    /// The surroundings lack something, and a person can do something about it.
    Environment(String),
}

impl Failure {
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Failure {
        let path = path.into();
        move |source| Failure::File { path, source }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage(text) | Failure::Environment(text) => f.write_str(text),
            Failure::File { path, source } => write!(f, "{}: {source}", path.display()),
            Failure::Start { program, source } => write!(f, "cannot start {program}: {source}"),
            Failure::Child { command, status } => write!(f, "`{command}` ended with {status}"),
            Failure::Answer { of, why } => write!(f, "{of} answered something unexpected: {why}"),
            Failure::Found { what, count } => write!(f, "{count} {what}"),
        }
    }
}
