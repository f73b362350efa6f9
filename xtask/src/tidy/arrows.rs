//! A crate uses those before it in the layers, and nothing else of ours.

use super::tree::{Package, Tree};
use super::{Finding, found};

/// Each folder of `crates/` with what it may use of ours.
const ARROWS: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("stanza", &["wire"]),
    ("stream", &["wire", "stanza"]),
    ("store", &[]),
    ("server", &["wire", "stanza", "stream", "store"]),
    ("dial", &["wire", "stanza", "stream"]),
    (
        "waxwing",
        &["wire", "stanza", "stream", "store", "server", "dial"],
    ),
    ("load", &["wire", "stanza", "stream", "dial"]),
    ("e2ee", &["wire", "stanza"]),
    ("client", &["wire", "stanza", "stream", "e2ee"]),
    (
        "connect",
        &["wire", "stanza", "stream", "e2ee", "client", "dial"],
    ),
    (
        "app",
        &["wire", "stanza", "stream", "e2ee", "client", "connect"],
    ),
    (
        "tui",
        &["wire", "stanza", "stream", "e2ee", "client", "connect"],
    ),
];

/// What tests alone may use, and these may use every library.
const FOR_TESTS: &[&str] = &["crates/testkit", "tests", "fuzz", "interop"];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    tree.packages
        .iter()
        .flat_map(|package| check_package(tree, package))
        .collect()
}

fn check_package(tree: &Tree, package: &Package) -> Vec<Finding> {
    let folder = package.folder.rsplit('/').next().unwrap_or(&package.folder);
    let manifest = format!("{}/Cargo.toml", package.folder);
    // Other parsers, to test and measure ours beside, and servers to test with come as development dependencies.
    let ours = package.dependencies.iter().filter_map(|dependency| {
        let used = tree
            .packages
            .iter()
            .find(|other| other.name == dependency.name)?;
        let is_beside = ["fuzz/", "tests/"]
            .iter()
            .any(|home| used.folder.starts_with(home));
        let beside = dependency.for_tests_only && is_beside;
        used.folder.rsplit('/').next().filter(|_| !beside)
    });
    let for_tests = |home: &&&str| {
        package
            .folder
            .strip_prefix(**home)
            .is_some_and(is_folder_end)
    };
    if FOR_TESTS.iter().any(|home| for_tests(&home)) {
        return Vec::new();
    }
    let allowed: &[&str] = match ARROWS.iter().find(|(name, _)| *name == folder) {
        Some((_, allowed)) => allowed,
        None if folder == "xtask" => &[],
        None => return vec![found(&manifest, 0, "this crate stands in no layer")],
    };
    ours.filter(|used| !allowed.contains(used))
        .map(|used| found(&manifest, 0, format!("`{folder}` may not use `{used}`")))
        .collect()
}

fn is_folder_end(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/')
}

#[cfg(test)]
mod tests {
    use super::super::tree::made_up::package;
    use super::*;

    fn findings(packages: Vec<Package>) -> Vec<String> {
        let tree = Tree {
            packages,
            ..Tree::default()
        };
        check(&tree)
            .into_iter()
            .map(|finding| finding.what)
            .collect()
    }

    #[test]
    fn arrows_point_one_way() {
        let stanza = package("stanza", &["waxwing-wire", "bytes"]);
        let good = findings(vec![package("wire", &["bytes"]), stanza]);
        assert!(good.is_empty(), "{good:?}");

        let wire = package("wire", &["waxwing-stanza"]);
        assert_eq!(
            findings(vec![wire, package("stanza", &[])]),
            ["`wire` may not use `stanza`"]
        );
    }

    #[test]
    fn tests_use_anything_and_nothing_else_uses_the_testkit() {
        let all = vec![
            package("server", &["dev:waxwing-testkit"]),
            package("testkit", &["waxwing-server"]),
        ];
        assert_eq!(findings(all), ["`server` may not use `testkit`"]);
    }

    #[test]
    fn parsers_to_compare_with_are_for_tests() {
        let oracle = || Package {
            folder: "fuzz/oracle".to_owned(),
            ..package("oracle", &[])
        };
        assert!(findings(vec![package("wire", &["dev:waxwing-oracle"]), oracle()]).is_empty());
        let linked = findings(vec![package("wire", &["waxwing-oracle"]), oracle()]);
        assert_eq!(linked, ["`wire` may not use `oracle`"]);
    }

    #[test]
    fn servers_to_test_with_are_for_tests() {
        let postgresql = || Package {
            folder: "tests/postgresql".to_owned(),
            ..package("postgresql", &[])
        };
        let tests = vec![package("store", &["dev:waxwing-postgresql"]), postgresql()];
        assert!(findings(tests).is_empty());
        let linked = vec![package("store", &["waxwing-postgresql"]), postgresql()];
        assert_eq!(findings(linked), ["`store` may not use `postgresql`"]);
    }

    #[test]
    fn a_new_crate_needs_a_place() {
        assert_eq!(
            findings(vec![package("stuff", &[])]),
            ["this crate stands in no layer"]
        );
    }
}
