//! Nothing tracked names the machine that it was made on: no home folder, no private registry.

use super::tree::Tree;
use super::{Finding, found};

/// Written in two halves, so that this file does not find itself.
const TRACES: &[(&str, &str)] = &[
    ("/ro", "ot/"),
    ("/ho", "me/"),
    ("/Us", "ers/"),
    ("/wo", "rk/"),
    ("C:\\", "Users"),
    ("--index", "-url"),
    ("extra-index", "-url"),
    ("PIP_INDEX", "_URL"),
    ("replace", "-with"),
    ("registry.npm", "js.org"),
    ("pypi.org", "/simple"),
    ("deb.debian", ".org"),
    ("index.crates", ".io"),
    ("static.crates", ".io"),
];

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let traces: Vec<_> = TRACES.iter().map(|(a, b)| format!("{a}{b}")).collect();
    let mut findings = Vec::new();
    for file in &tree.files {
        let lock = file.path.ends_with("Cargo.lock");
        for (at, line) in file.text.lines().enumerate() {
            if let Some(trace) = traces.iter().find(|trace| names(line, trace)) {
                let what = format!("`{trace}` belongs to one machine");
                findings.push(found(&file.path, at + 1, what));
            }
            if lock && line.starts_with("source = ") && !line.contains(CRATES_IO) {
                findings.push(found(&file.path, at + 1, "not from crates.io"));
            }
        }
    }
    findings
}

/// A path counts where it begins, not in the middle of an address or of a longer path.
fn names(line: &str, trace: &str) -> bool {
    if !trace.starts_with('/') {
        return line.contains(trace);
    }
    line.match_indices(trace).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "-_.}~".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::super::tree::made_up::tree;
    use super::*;

    #[test]
    fn machine_paths_are_found() {
        let path = format!("data = \"{}{}someone/data\"", "/ho", "me/");
        assert_eq!(check(&tree(&[("example.toml", &path)])).len(), 1);
        let address = format!("https://example.org{}{}page", "/ho", "me/");
        assert!(check(&tree(&[("README.md", &address)])).is_empty());
    }

    #[test]
    fn the_lock_file_knows_one_registry() {
        let good = format!("source = \"{CRATES_IO}\"\n");
        assert!(check(&tree(&[("Cargo.lock", &good)])).is_empty());
        let bad = "source = \"registry+https://mirror.example/index\"\n";
        assert_eq!(check(&tree(&[("Cargo.lock", bad)])).len(), 1);
    }
}
