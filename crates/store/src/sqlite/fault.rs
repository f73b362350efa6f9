//! SQLite's errors in our words.

use rusqlite::ErrorCode;

pub(super) use crate::error::io_failed;

use crate::error::StoreError;

/// Why a batch did not go through.
#[derive(Debug)]
pub(super) enum Fault {
    /// This batch is refused; the others of its group are not concerned.
    Refused(StoreError),
    /// The database failed, and the whole group with it.
    Failed(StoreError),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(failed(&error))
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Refused(error) | Fault::Failed(error) => error,
        }
    }
}

/// `SQLITE_IOERR_WRITE`, `_FSYNC`, `_DIR_FSYNC` and `_TRUNCATE`.
const UNWRITABLE: [i32; 4] = [778, 1_034, 1_290, 1_546];

/// An error of the environment.
pub(super) fn failed(error: &rusqlite::Error) -> StoreError {
    let code = match error.sqlite_error() {
        Some(error) => match error.code {
            ErrorCode::DiskFull => return StoreError::DiskFull,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
                return StoreError::Damaged {
                    shape: "the database",
                };
            }
            code if code == ErrorCode::ReadOnly || UNWRITABLE.contains(&error.extended_code) => {
                return StoreError::Unwritable {
                    code: error.extended_code,
                };
            }
            _ => error.extended_code,
        },
        None if is_of_content(error) => {
            return StoreError::Damaged {
                shape: "the database",
            };
        }
        None => -1,
    };
    StoreError::Failed {
        code,
        text: error.to_string(),
    }
}

/// Whether what was read is not what every database of ours has there.
fn is_of_content(error: &rusqlite::Error) -> bool {
    use rusqlite::Error;
    matches!(
        error,
        Error::InvalidColumnType(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::FromSqlConversionFailure(..)
            | Error::Utf8Error(..)
            | Error::QueryReturnedNoRows
    )
}

/// Whether a statement failed because a key is there already.
pub(super) fn is_taken(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation)
}
