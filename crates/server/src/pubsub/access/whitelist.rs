//! *whitelist*: only those who are affiliated, who are let in before they come here.

use waxwing_stanza::xep::xep_0060_pubsub::errors::Fault;

use super::Verdict;

/// No.
pub(super) fn verdict() -> Verdict {
    Verdict::Refused(Fault::ClosedNode.error())
}
