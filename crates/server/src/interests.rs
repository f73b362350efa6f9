//! Which nodes a client wants to be told of: what it says with `+notify` in its capabilities (XEP-0060 §9.2).

use std::collections::BTreeSet;

/// Names of nodes; clients with the same capabilities share them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Interests(BTreeSet<String>);

impl Interests {
    /// Whether it is one of them.
    pub(crate) fn has(&self, node: &str) -> bool {
        self.0.contains(node)
    }
}
