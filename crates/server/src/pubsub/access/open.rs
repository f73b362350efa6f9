//! *open*: everybody.

use super::Verdict;

/// Yes.
pub(super) fn verdict() -> Verdict {
    Verdict::Granted
}
