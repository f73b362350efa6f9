//! The checkout's folders are those of the design: `crates/` is flat, a folder's name carries no
//! prefix, and what is built without a word is the server.

use super::tree::{Package, Tree};
use super::{Finding, found};

/// What stands at the top. A toolchain file does not: it would send rustup to download.
const TOP: &[&str] = &[
    ".cargo",
    ".ci",
    ".gitattributes",
    ".gitignore",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "bench",
    "clippy.toml",
    "crates",
    "deny.toml",
    "deploy",
    "docs",
    "example.toml",
    "fuzz",
    "interop",
    "tests",
    "waxwing.doap",
    "xtask",
];

/// What a plain `cargo build` builds.
const SERVER: &[&str] = &[
    "crates/wire",
    "crates/stanza",
    "crates/stream",
    "crates/store",
    "crates/server",
    "crates/dial",
    "crates/waxwing",
];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let tops = tree.files.iter().filter_map(|file| {
        let top = file.path.split('/').next()?;
        let what = "the design has no such place at the top";
        (!TOP.contains(&top)).then(|| found(&file.path, 0, what))
    });
    let packages = tree.packages.iter().filter_map(check_package);
    tops.chain(packages).chain(default_members(tree)).collect()
}

fn check_package(package: &Package) -> Option<Finding> {
    let folder = package.folder.strip_prefix("crates/")?;
    let manifest = format!("{}/Cargo.toml", package.folder);
    let name = match folder {
        "waxwing" => "waxwing".to_owned(),
        _ if folder.contains('/') => return Some(found(&manifest, 0, "`crates/` is flat")),
        _ if folder.starts_with("waxwing") => {
            return Some(found(&manifest, 0, "a folder's name carries no prefix"));
        }
        _ => format!("waxwing-{folder}"),
    };
    (package.name != name).then(|| found(&manifest, 0, format!("the package is called `{name}`")))
}

fn default_members(tree: &Tree) -> Option<Finding> {
    let manifest = tree.file("Cargo.toml")?;
    let table: toml::Table = manifest.text.parse().ok()?;
    let members = table.get("workspace")?.get("default-members");
    let members = members
        .and_then(toml::Value::as_array)
        .into_iter()
        .flatten();
    let mut members: Vec<_> = members.filter_map(toml::Value::as_str).collect();
    let mut server = SERVER.to_vec();
    members.sort_unstable();
    server.sort_unstable();
    let what = "the default members are the server's crates";
    (members != server).then(|| found(&manifest.path, 0, what))
}

#[cfg(test)]
mod tests {
    use super::super::tree::made_up::{package, tree};
    use super::*;

    #[test]
    fn strange_places_at_the_top_are_found() {
        let files = [
            ("rust-toolchain.toml", ""),
            ("scripts/build.sh", ""),
            ("xtask/src/main.rs", ""),
            ("README.md", ""),
        ];
        let found: Vec<_> = check(&tree(&files)).into_iter().map(|f| f.path).collect();
        assert_eq!(found, ["rust-toolchain.toml", "scripts/build.sh"]);
    }

    #[test]
    fn packages_are_called_by_their_folder() {
        let whats = |packages| {
            let tree = Tree {
                packages,
                ..Tree::default()
            };
            check(&tree).into_iter().map(|f| f.what).collect::<Vec<_>>()
        };
        assert!(whats(vec![package("wire", &[]), package("waxwing", &[])]).is_empty());
        let odd = Package {
            name: "xml".to_owned(),
            ..package("wire", &[])
        };
        assert_eq!(whats(vec![odd]), ["the package is called `waxwing-wire`"]);
        let prefixed = package("waxwing-wire", &[]);
        assert_eq!(whats(vec![prefixed]), ["a folder's name carries no prefix"]);
        assert_eq!(
            whats(vec![package("wire/deep", &[])]),
            ["`crates/` is flat"]
        );
    }

    #[test]
    fn what_is_built_without_a_word_is_the_server() {
        let count = |members: &[&str]| {
            let text = format!("[workspace]\ndefault-members = {members:?}\n");
            check(&tree(&[("Cargo.toml", &text)])).len()
        };
        assert_eq!(count(SERVER), 0);
        assert_eq!(count(&["crates/waxwing"]), 1);
        assert_eq!(count(&[SERVER, &["crates/app"]].concat()), 1);
        assert_eq!(check(&tree(&[("Cargo.toml", "[workspace]\n")])).len(), 1);
    }
}
