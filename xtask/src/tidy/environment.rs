//! Environment variables, arguments and configuration files are read by binaries only.

use super::rust::has_word;
use super::tree::Tree;
use super::{Finding, found};

const LIBRARIES: &[&str] = &[
    "wire", "stanza", "stream", "store", "server", "dial", "testkit", "e2ee", "client", "connect",
];

const WORDS: &[&str] = &[
    "std::env",
    "env::var",
    "env::vars",
    "env::args",
    "option_env!",
];

/// Packages that read configuration or command lines.
const PACKAGES: &[&str] = &[
    "argh", "clap", "config", "dotenvy", "envy", "figment", "lexopt", "toml",
];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in LIBRARIES.iter().flat_map(|krate| tree.product_files(krate)) {
        let source = file.source();
        let lines = source.product_lines();
        let hits = lines.filter(|(_, line)| WORDS.iter().any(|word| has_word(line, word)));
        let mut lines: Vec<_> = hits.map(|(number, _)| number).collect();
        let imports = source.imports().into_iter();
        lines.extend(
            imports
                .filter(|(_, path)| path == "std::env" || path.starts_with("std::env::"))
                .map(|(number, _)| number),
        );
        lines.sort_unstable();
        lines.dedup();
        let what = "the environment is a binary's";
        findings.extend(
            lines
                .into_iter()
                .map(|number| found(&file.path, number, what)),
        );
    }
    for package in &tree.packages {
        let folder = package.folder.rsplit('/').next().unwrap_or_default();
        let banned = package.dependencies.iter().filter(|dependency| {
            LIBRARIES.contains(&folder)
                && !dependency.for_tests_only
                && PACKAGES.contains(&dependency.name.as_str())
        });
        findings.extend(banned.map(|dependency| {
            let what = format!("`{}`: configuration is a binary's", dependency.name);
            found(&format!("{}/Cargo.toml", package.folder), 0, what)
        }));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tree::made_up::{package, tree};
    use super::*;

    #[test]
    fn libraries_read_no_environment() {
        let text = "fn f() -> Option<String> { std::env::var(\"HOME\").ok() }";
        assert_eq!(check(&tree(&[("crates/dial/src/lib.rs", text)])).len(), 1);
        assert_eq!(
            check(&tree(&[("crates/waxwing/src/config.rs", text)])).len(),
            0
        );
        let import = "use std::{env as surroundings, fmt};";
        assert_eq!(check(&tree(&[("crates/dial/src/lib.rs", import)])).len(), 1);
        let packages = vec![
            package("server", &["toml"]),
            package("waxwing", &["toml", "clap"]),
        ];
        assert_eq!(
            check(&Tree {
                packages,
                ..Tree::default()
            })
            .len(),
            1
        );
    }
}
