//! Lists that are told page by page (XEP-0059): who is affiliated with a node, who is subscribed, and to what.
//!
//! A list that is short is told whole to whoever asks for no page. One that is not begins with its first page, and says so.

use waxwing_stanza::xep::xep_0059_rsm::{First, ResultSet};
use waxwing_stanza::{Condition, StanzaError};

use crate::pubsub::items::PAGE_BYTES_MAX;

/// Something that stands in a list.
pub(crate) trait Listed {
    /// What it is called in the list: nothing else there is called so.
    fn name(&self) -> String;

    /// Most bytes that it takes.
    fn bytes(&self) -> usize;
}

/// Refuses to go backwards, or to a page by its number.
pub(crate) fn check_forward(set: Option<&ResultSet>) -> Result<(), StanzaError> {
    match set.is_some_and(|set| set.index.is_some() || set.before.is_some()) {
        true => Err(Condition::FeatureNotImplemented.into()),
        false => Ok(()),
    }
}

/// A page of a list, and which one that is, where there is more or somebody has asked.
pub(crate) fn page<T: Listed>(
    all: Vec<T>,
    set: Option<&ResultSet>,
) -> Result<(Vec<T>, Option<ResultSet>), StanzaError> {
    check_forward(set)?;
    let count = all.len();
    let after = set.and_then(|set| set.after.as_ref());
    let begin = match after.filter(|name| !name.is_empty()) {
        None => 0,
        Some(name) => {
            let at = all.iter().position(|one| one.name() == *name);
            at.ok_or(Condition::ItemNotFound)? + 1
        }
    };
    let most = set.and_then(|set| set.max).unwrap_or(u64::MAX);
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let mut bytes = 0;
    let has_room = |one: &T| {
        // One alone always has room.
        let is_first = bytes == 0;
        bytes += one.bytes();
        is_first || bytes <= PAGE_BYTES_MAX
    };
    let found = all.into_iter().skip(begin).take(most).take_while(has_room);
    let found: Vec<T> = found.collect();
    if set.is_none() && found.len() == count {
        return Ok((found, None));
    }
    let first = found.first().map(|first| First {
        index: Some(begin as u64),
        id: first.name(),
    });
    let page = ResultSet {
        first,
        last: found.last().map(Listed::name),
        count: Some(count as u64),
        ..ResultSet::NONE
    };
    Ok((found, Some(page)))
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Listed for u64 {
        fn name(&self) -> String {
            self.to_string()
        }

        fn bytes(&self) -> usize {
            PAGE_BYTES_MAX / 4
        }
    }

    fn set(after: Option<&str>, max: Option<u64>) -> ResultSet {
        ResultSet {
            after: after.map(str::to_owned),
            max,
            ..ResultSet::NONE
        }
    }

    #[test]
    fn pages_of_a_long_list_are_the_whole_list() {
        let all: Vec<u64> = (0..11).collect();
        for max in [None, Some(1), Some(3), Some(100)] {
            let (mut found, mut after) = (Vec::new(), None);
            while found.len() < all.len() {
                let asked = set(after.as_deref(), max);
                let (page_of, said) = page(all.clone(), Some(&asked)).unwrap();
                let said = said.unwrap();
                assert!(!page_of.is_empty() && page_of.len() <= 4);
                assert_eq!(said.count, Some(11));
                assert_eq!(said.first.unwrap().index, Some(found.len() as u64));
                found.extend(page_of);
                after = said.last;
            }
            assert_eq!(found, all);
        }
    }

    #[test]
    fn who_asks_for_no_page_learns_that_there_is_more() {
        let (found, said) = page((0..4).collect(), None).unwrap();
        assert_eq!((found.len(), said), (4, None));
        let (found, said) = page((0..5).collect::<Vec<u64>>(), None).unwrap();
        assert_eq!(
            (found.len(), said.unwrap().last.unwrap()),
            (4, "3".to_owned())
        );
        let none = set(None, Some(0));
        let (found, said) = page((0..5).collect::<Vec<u64>>(), Some(&none)).unwrap();
        assert_eq!((found.len(), said.unwrap().count), (0, Some(5)));
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        let after = set(Some("7"), None);
        let error = page(vec![1_u64], Some(&after)).unwrap_err();
        assert_eq!(error.condition, Condition::ItemNotFound);
        let before = ResultSet {
            before: Some(String::new()),
            ..ResultSet::NONE
        };
        let error = page(vec![1_u64], Some(&before)).unwrap_err();
        assert_eq!(error.condition, Condition::FeatureNotImplemented);
    }
}
