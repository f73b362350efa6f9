//! Every Rust file is part of its crate: the parent module names it. A forgotten `mod` line would
//! leave a file that is never compiled, tested or formatted.

use super::rust::has_word;
use super::tree::{File, Tree};
use super::{Finding, found};

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let sources = tree.files.iter().filter(|file| file.is_rust());
    sources.filter_map(|file| check_file(tree, file)).collect()
}

fn check_file(tree: &Tree, file: &File) -> Option<Finding> {
    let (folder, name) = file.path.rsplit_once('/')?;
    // Programs, tests and benchmarks are found by Cargo where they stand; what is below them is not.
    let is_root = ["tests", "benches", "examples", "bin"]
        .iter()
        .any(|home| folder.ends_with(&format!("/{home}")));
    let in_crate = folder
        .split('/')
        .any(|part| matches!(part, "src" | "tests" | "benches"));
    if is_root && !folder.contains("/src/tests") || !in_crate || name == "build.rs" {
        return None;
    }
    let (parents, module) = tree.parents(file)?;
    let named = parents.iter().any(|parent| {
        let mut lines = parent.source().code.lines();
        lines.any(|line| has_word(line, &module))
    });
    (!named && !named_by_path(tree, folder, name))
        .then(|| found(&file.path, 0, "no parent module names this file"))
}

/// Whether a neighbour has `#[path = "NAME"]`.
fn named_by_path(tree: &Tree, folder: &str, name: &str) -> bool {
    let attribute = format!("#[path = \"{name}\"]");
    let neighbour = |file: &&File| {
        file.path
            .rsplit_once('/')
            .is_some_and(|(in_, _)| in_ == folder)
    };
    tree.files
        .iter()
        .filter(neighbour)
        .any(|file| file.text.contains(&attribute))
}

#[cfg(test)]
mod tests {
    use super::super::tree::made_up::tree;
    use super::*;

    #[test]
    fn orphans_are_found() {
        let tree = tree(&[
            (
                "crates/wire/src/lib.rs",
                "mod tests;\nmod view;\n// mod lost;\nxeps! { deep }",
            ),
            ("crates/wire/src/view.rs", "mod inner;"),
            ("crates/wire/src/view/inner.rs", ""),
            ("crates/wire/src/deep/mod.rs", ""),
            (
                "crates/wire/src/lost.rs",
                "#[path = \"view_tests.rs\"]\nmod tests;",
            ),
            ("crates/wire/src/view_tests.rs", ""),
            ("crates/wire/src/view/lost_too.rs", ""),
            ("crates/wire/src/bin/tool.rs", ""),
            ("crates/wire/benches/side_by_side.rs", ""),
            ("crates/store/tests/all.rs", ""),
            ("crates/store/tests/conformance/main.rs", "mod table;"),
            ("crates/store/tests/conformance/table.rs", ""),
            ("crates/store/tests/conformance/forgotten.rs", ""),
            ("crates/wire/src/tests.rs", "mod deep;"),
            ("crates/wire/src/tests/deep.rs", ""),
            ("crates/wire/src/tests/lost.rs", ""),
        ]);
        let paths: Vec<_> = check(&tree)
            .into_iter()
            .map(|finding| finding.path)
            .collect();
        assert_eq!(
            paths,
            [
                "crates/wire/src/lost.rs",
                "crates/wire/src/view/lost_too.rs",
                "crates/store/tests/conformance/forgotten.rs",
                "crates/wire/src/tests/lost.rs",
            ]
        );
    }
}
