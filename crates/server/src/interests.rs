//! Which nodes a client wants to be told of: what it says with `+notify` in its capabilities (XEP-0060 §9.2).

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::Arc;

use waxwing_stanza::xep::xep_0030_disco::DiscoInfo;

use crate::capabilities::Claim;
use crate::pubsub::Word;

/// Most nodes that one client can want to be told of.
pub(crate) const INTERESTS_MAX: usize = 256;

/// Most bytes of their names: more than clients have that are there to be used.
pub(crate) const INTERESTS_BYTES_MAX: usize = 16 * 1024;

/// Most nodes whose newest item a client gets for being interested, until it becomes available once more.
const TOLD_MAX: usize = 4 * INTERESTS_MAX;

/// Names of nodes; clients with the same capabilities share them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interests(BTreeSet<String>);

impl Interests {
    /// What an answer says; nothing where that is too much.
    pub(crate) fn of(info: &DiscoInfo) -> Option<Interests> {
        let features = info.features.iter();
        let names = features.filter_map(|feature| feature.var.strip_suffix("+notify"));
        let names: BTreeSet<String> = names.map(str::to_owned).collect();
        let interests = Interests(names);
        let is_little = interests.0.len() <= INTERESTS_MAX;
        (is_little && interests.bytes() <= INTERESTS_BYTES_MAX).then_some(interests)
    }

    /// Bytes of the names.
    pub(crate) fn bytes(&self) -> usize {
        self.0.iter().map(String::len).sum()
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
    /// Of what the client was told since it became available, or is about to be.
    told: Option<Arc<Interests>>,
    /// What is still to be told.
    pub(crate) words: VecDeque<Word>,
    /// Whether somebody tells it.
    pub(crate) telling: bool,
    /// What was told since somebody has begun to: hashes of nodes and the times of their items.
    pub(crate) told_now: HashSet<u64>,
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

    /// The client is not there any more: what it was told counts no longer.
    pub(crate) fn leave(&mut self) {
        self.clear();
        self.told = None;
        self.words = VecDeque::new();
        self.told_now = HashSet::new();
    }

    /// Whether nothing of it matters any more.
    pub(crate) fn is_idle(&self) -> bool {
        let is_at_rest = !self.asking && !self.telling;
        is_at_rest && self.shown == 0 && self.questions == 0 && self.told.is_none()
    }

    /// Of what the client was told, or is about to be.
    pub(crate) fn told(&self) -> Option<Arc<Interests>> {
        self.told.clone()
    }

    /// What the client is interested in and was not told of yet. From now on it counts as told.
    pub(crate) fn untold(&mut self) -> Option<Arc<Interests>> {
        let interests = self.interests.clone().filter(|them| !them.0.is_empty())?;
        let Some(told) = &self.told else {
            self.told = Some(interests.clone());
            return Some(interests);
        };
        let new: BTreeSet<String> = interests.0.difference(&told.0).cloned().collect();
        if new.is_empty() || told.0.len() + new.len() > TOLD_MAX {
            return None;
        }
        let all = told.0.union(&new).cloned().collect();
        self.told = Some(Arc::new(Interests(all)));
        Some(Arc::new(Interests(new)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> Option<Arc<Interests>> {
        let names = names.iter().map(|name| (*name).to_owned());
        Some(Arc::new(Interests::named(names)))
    }

    /// XEP-0060 §12.2, point 3: once, and not again for the same interest.
    #[test]
    fn what_was_told_is_not_told_again_until_the_client_goes() {
        let mut following = Following::default();
        assert_eq!(following.untold(), None);
        following.interests = named(&["mood", "tune"]);
        assert_eq!(following.untold(), named(&["mood", "tune"]));
        assert_eq!(following.untold(), None);
        following.interests = named(&["geoloc", "tune"]);
        assert_eq!(following.untold(), named(&["geoloc"]));
        following.interests = named(&["mood"]);
        assert_eq!(following.untold(), None);
        following.leave();
        assert_eq!(following.untold(), None);
        following.interests = named(&["mood"]);
        assert_eq!(following.untold(), named(&["mood"]));
    }

    /// Whoever is interested in ever other nodes does not make the server remember all of them.
    #[test]
    fn what_was_told_is_bounded() {
        let mut following = Following::default();
        let mut told = 0;
        for number in 0..20 {
            let names = (0..INTERESTS_MAX).map(|name| format!("{number}-{name}"));
            following.interests = Some(Arc::new(Interests::named(names)));
            told += following.untold().map_or(0, |names| names.0.len());
        }
        assert_eq!(told, TOLD_MAX);
    }
}
