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
    let (_, inside) = folder
        .split_once("/src")
        .filter(|(_, rest)| is_folder_end(rest))?;
    if inside.starts_with("/bin") {
        return None;
    }
    let module = name.trim_end_matches(".rs");
    if inside.is_empty() && matches!(module, "lib" | "main") {
        return None;
    }
    let (parents, module) = match module {
        "mod" => {
            let (above, module) = folder.rsplit_once('/')?;
            (parents(above), module)
        }
        _ => (parents(folder), module),
    };
    let mut parents = parents.iter().filter_map(|path| tree.file(path));
    let named = parents.any(|parent| {
        parent
            .source()
            .code
            .lines()
            .any(|line| has_word(line, module))
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

fn is_folder_end(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/')
}

/// The files that may declare what is in `folder`.
fn parents(folder: &str) -> Vec<String> {
    if folder.ends_with("/src") {
        return vec![format!("{folder}/lib.rs"), format!("{folder}/main.rs")];
    }
    vec![format!("{folder}.rs"), format!("{folder}/mod.rs")]
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
                "mod view;\n// mod lost;\nxeps! { deep }",
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
        ]);
        let paths: Vec<_> = check(&tree)
            .into_iter()
            .map(|finding| finding.path)
            .collect();
        assert_eq!(
            paths,
            [
                "crates/wire/src/lost.rs",
                "crates/wire/src/view/lost_too.rs"
            ]
        );
    }
}
