//! A specification has one file name in every layer, so that `ls crates/*/src/xep/*0280*` and one
//! word in a search find all of it. (Several conversations may add words to it.)

use super::tree::Tree;
use super::{Finding, found};

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let files: Vec<_> = tree
        .files
        .iter()
        .filter(|file| file.path.contains("/src/xep/xep_") || is_conversation(&file.path))
        .filter_map(|file| Some((file.stem().get(..8)?, file.stem(), &file.path)))
        .collect();
    let twice = files.iter().filter_map(|(number, stem, path)| {
        let (_, other, _) = files
            .iter()
            .find(|(same, other, _)| same == number && other != stem)?;
        let more_words = is_conversation(path) && stem.starts_with(other);
        // Said once a pair, at the one that comes later in the alphabet.
        (stem > other && !more_words)
            .then(|| found(path, 0, format!("elsewhere it is called `{other}`")))
    });
    twice.collect()
}

fn is_conversation(path: &str) -> bool {
    path.starts_with("tests/conversations/xep_")
}

#[cfg(test)]
mod tests {
    use super::super::tree::made_up::tree;
    use super::*;

    #[test]
    fn two_names_for_one_specification_are_found() {
        let files = |server| {
            check(&tree(&[
                ("crates/stanza/src/xep/xep_0198_sm.rs", ""),
                ("crates/stanza/src/xep/xep_0199_ping.rs", ""),
                (server, ""),
            ]))
            .len()
        };
        assert_eq!(files("crates/server/src/xep/xep_0198_sm.rs"), 0);
        assert_eq!(
            files("crates/server/src/xep/xep_0198_stream_management.rs"),
            1
        );
        assert_eq!(files("tests/conversations/xep_0198_streams.md"), 1);
        assert_eq!(files("tests/conversations/xep_0198_sm_resumption.md"), 0);
    }
}
