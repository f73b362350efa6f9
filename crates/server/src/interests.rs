//! Which nodes a client wants to be told of: what it says with `+notify` in its capabilities (XEP-0060 §9.2).

use std::collections::BTreeSet;
use std::sync::Arc;

use waxwing_stanza::xep::xep_0030_disco::DiscoInfo;

use crate::capabilities::Claim;

/// Most nodes that one client can want to be told of.
pub(crate) const INTERESTS_MAX: usize = 256;

/// Names of nodes; clients with the same capabilities share them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interests(BTreeSet<String>);

impl Interests {
    /// What an answer says; nothing where that is too much.
    pub(crate) fn of(info: &DiscoInfo) -> Option<Interests> {
        let features = info.features.iter();
        let names = features.filter_map(|feature| feature.var.strip_suffix("+notify"));
        let names: BTreeSet<String> = names.map(str::to_owned).collect();
        (names.len() <= INTERESTS_MAX).then_some(Interests(names))
    }

    /// These names.
    pub(crate) fn named(names: impl IntoIterator<Item = String>) -> Interests {
        Interests(names.into_iter().collect())
    }

    /// Whether it is one of them.
    pub(crate) fn has(&self, node: &str) -> bool {
        self.0.contains(node)
    }

    /// All of them, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        self.0.iter()
    }
}

/// What is known of a session's interests.
#[derive(Default)]
pub(crate) struct Following {
    /// What presence said of the client's capabilities last, as a fingerprint; 0 for nothing.
    pub(crate) shown: u64,
    /// When that was: a number that nothing else has.
    pub(crate) turn: u64,
    /// What the client wants to be told of, once that is known.
    pub(crate) interests: Option<Arc<Interests>>,
    /// What is to be found out.
    pub(crate) wanted: Option<Claim>,
    /// Whether somebody finds it out.
    pub(crate) asking: bool,
    /// How often the client was asked.
    pub(crate) questions: u32,
}

impl Following {
    /// Whether the client wants to be told of nodes of this name.
    pub(crate) fn has(&self, node: &str) -> bool {
        self.interests.as_ref().is_some_and(|them| them.has(node))
    }

    /// The client says nothing of its capabilities any more, or is not there any more.
    pub(crate) fn clear(&mut self) {
        self.shown = 0;
        self.turn = 0;
        self.interests = None;
        self.wanted = None;
    }
}
