//! *authorize*: whom an owner has approved.

use super::Verdict;

/// An owner decides.
pub(super) fn verdict() -> Verdict {
    Verdict::Pending
}
