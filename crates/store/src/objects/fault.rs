//! What can go wrong with an object store, and how it is told from what its client says.

use std::cell::RefCell;
use std::future::Future;

use object_store::Error;

/// What is wrong with the object store, or the way to it. It tells neither key nor secret, nor what the server wrote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectFault {
    /// Nobody answers, or the connection breaks.
    #[error("cannot be reached: {reason}")]
    Unreachable {
        /// In what way.
        reason: String,
    },
    /// It takes too long.
    #[error("did not answer within {millis} ms")]
    Slow {
        /// How long was waited for one answer.
        millis: u64,
    },
    /// There is no such bucket.
    #[error("has no such bucket")]
    NoBucket,
    /// It does not let us in, or not do this.
    #[error("does not let us in: the key or its secret is wrong, or has no right to do this")]
    NotLetIn,
    /// It cannot do it now.
    #[error("cannot do it now (HTTP status {status})")]
    Busy {
        /// What it answered at last.
        status: u16,
    },
    /// What it gives is not what was stored.
    #[error("gave something else than what was stored")]
    Damaged,
    /// An object that should be there is not.
    #[error("does not have what was stored there")]
    Gone,
    /// What lies there is not ours.
    #[error(
        "holds {found}; Waxwing wants a bucket, or a prefix in one, of its own. Nothing was changed"
    )]
    Foreign {
        /// What was found.
        found: &'static str,
    },
    /// A restore was begun there, and did not end.
    #[error("holds what a restore has begun; run it again, or empty the prefix")]
    Unrestored,
    /// It is not the place that has this server's files.
    #[error(
        "holds nothing of this server, whose files were there before: is it another bucket or prefix?"
    )]
    NotOurs,
    /// Anything else.
    #[error("failed: {reason}")]
    Failed {
        /// In what way.
        reason: String,
    },
}

/// How the last request ended, as its connection saw it: more than the client's errors say, and nothing that a server wrote
/// into its answers but a code of S3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// By an answer that is no success, with S3's code where there is one.
    Status(u16, String),
    /// Without an answer in time.
    Late(u64),
    /// Without one at all.
    Broken(String),
}

tokio::task_local! {
    static LAST: RefCell<Option<Ended>>;
}

/// Notes how a request ended.
pub(super) fn note(ended: Option<Ended>) {
    // Whoever asks beside `noted` hears only what the client says.
    let _outside = LAST.try_with(|last| *last.borrow_mut() = ended);
}

/// Does something with the store, and says by what it failed.
pub(super) async fn noted<T>(
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, ObjectFault> {
    LAST.scope(RefCell::new(None), async {
        work.await.map_err(|error| {
            // The client's own words may repeat what a server wrote, which may be our key.
            let last = LAST.with(|last| last.borrow_mut().take());
            last.map_or_else(|| without_answer(&error), fault)
        })
    })
    .await
}

/// Codes of S3 for a key that is wrong, or has no right; the last is versitygw's own, which gives it with 404.
const NOT_LET_IN: [&str; 4] = [
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "AccessDenied",
    "XAdminUserNotFound",
];

fn fault(ended: Ended) -> ObjectFault {
    match ended {
        Ended::Late(millis) => ObjectFault::Slow { millis },
        Ended::Broken(reason) => ObjectFault::Unreachable { reason },
        // The status that S3's servers give with it differs.
        Ended::Status(_, code) if NOT_LET_IN.contains(&code.as_str()) => ObjectFault::NotLetIn,
        Ended::Status(404, code) if code == "NoSuchBucket" => ObjectFault::NoBucket,
        // Without a code it was an answer without a body.
        Ended::Status(404, code) if ["", "NoSuchKey", "NoSuchUpload"].contains(&code.as_str()) => {
            ObjectFault::Gone
        }
        Ended::Status(401 | 403, _) => ObjectFault::NotLetIn,
        Ended::Status(status @ (429 | 500..=599), _) => ObjectFault::Busy { status },
        Ended::Status(status @ 300..=399, _) => ObjectFault::Failed {
            reason: format!("it sends us elsewhere (HTTP status {status}): is the region right?"),
        },
        Ended::Status(416, _) => ObjectFault::Damaged,
        Ended::Status(status, code) => ObjectFault::Failed {
            reason: format!("HTTP status {status} {code}").trim_end().to_owned(),
        },
    }
}

/// What failed after a good answer, or before there was a request.
fn without_answer(error: &Error) -> ObjectFault {
    match error {
        Error::NotFound { .. } => ObjectFault::Gone,
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => ObjectFault::NotLetIn,
        _ => ObjectFault::Failed {
            reason: "its answer is none that S3 gives".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_told_by_what_was_answered() {
        let of = |status, code: &str| fault(Ended::Status(status, code.to_owned()));
        assert_eq!(of(404, "NoSuchBucket"), ObjectFault::NoBucket);
        assert_eq!(of(404, "NoSuchKey"), ObjectFault::Gone);
        assert_eq!(of(404, ""), ObjectFault::Gone);
        assert_eq!(of(403, "AccessDenied"), ObjectFault::NotLetIn);
        for status in [400, 403, 404] {
            assert_eq!(of(status, "InvalidAccessKeyId"), ObjectFault::NotLetIn);
        }
        assert_eq!(of(503, "SlowDown"), ObjectFault::Busy { status: 503 });
        // What is not known is not taken for an object that is gone.
        assert!(matches!(of(404, "Odd"), ObjectFault::Failed { .. }));
        assert!(matches!(of(301, ""), ObjectFault::Failed { .. }));
        assert!(matches!(of(400, "Odd"), ObjectFault::Failed { .. }));
    }
}
