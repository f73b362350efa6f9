//! PostgreSQL's errors in our words.

use std::error::Error as _;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::error::StoreError;

/// Why a batch did not go through.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// This batch is refused; the others of its group are not concerned.
    Refused(StoreError),
    /// The database refused the whole group; the connection is as good as before.
    Failed(StoreError),
    /// The connection is lost, or nobody answers on it. What became of a commit is not known.
    Lost(StoreError),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        if is_lost(&error) {
            Self::Lost(failed(&error))
        } else {
            Self::Failed(failed(&error))
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

/// Whether another connection is needed, maybe to another server.
pub(super) fn is_lost(error: &Error) -> bool {
    let Some(code) = error.code() else {
        // What is wrong about the values that we gave or were given comes from no connection.
        return error.is_closed() || io_error(error).is_some();
    };
    // 08: connection exceptions. 57P: the server is going down, or coming up. A server that takes no writes has been
    // replaced by another one.
    code.code().starts_with("08")
        || code.code().starts_with("57P")
        || *code == SqlState::READ_ONLY_SQL_TRANSACTION
}

fn io_error(error: &Error) -> Option<&std::io::Error> {
    error.source()?.downcast_ref()
}

/// An error of the environment.
pub(super) fn failed(error: &Error) -> StoreError {
    if is_lost(error) {
        return StoreError::Unreachable {
            reason: words(error),
        };
    }
    match error.code() {
        Some(code) if *code == SqlState::DISK_FULL => StoreError::DiskFull,
        Some(code) if *code == SqlState::DATA_CORRUPTED || *code == SqlState::INDEX_CORRUPTED => {
            damaged()
        }
        _ => StoreError::Failed {
            code: -1,
            text: words(error),
        },
    }
}

/// What is stored is not what every database of ours has there.
pub(super) fn damaged() -> StoreError {
    StoreError::Damaged {
        shape: "the database",
    }
}

/// All that an error says, with its SQLSTATE. The server's own words may hold values of a row (in their details), and
/// are left out but for the message.
pub(super) fn words(error: &Error) -> String {
    if let Some(error) = error.as_db_error() {
        return format!("{} ({})", error.message(), error.code().code());
    }
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        words = format!("{words}: {error}");
        source = error.source();
    }
    words
}
