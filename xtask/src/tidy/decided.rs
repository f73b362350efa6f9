//! Every direct dependency has its line among the decisions: what it saves, who keeps it, its
//! licence, its size.

use super::tree::Tree;
use super::{Finding, found};

const DECISION: &str = "docs/decisions/0002-dependencies.md";

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let decision = tree.file(DECISION).map_or("", |file| &file.text);
    let ours = |name: &str| tree.packages.iter().any(|package| package.name == name);
    let mut undecided: Vec<_> = tree
        .packages
        .iter()
        .flat_map(|package| &package.dependencies)
        .map(|dependency| dependency.name.as_str())
        .filter(|name| !ours(name) && !decision.contains(&format!("\n| `{name}` |")))
        .collect();
    undecided.sort_unstable();
    undecided.dedup();
    let lines = undecided
        .into_iter()
        .map(|name| format!("no line says why we use `{name}`"));
    lines.map(|what| found(DECISION, 0, what)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tree::made_up::{package, tree};
    use super::*;

    #[test]
    fn a_dependency_without_its_line_is_found_once() {
        let packages = || {
            let stanza = package("stanza", &["waxwing-wire", "bytes", "dev:proptest"]);
            vec![package("wire", &["bytes", "memchr"]), stanza]
        };
        let text = "| crate |\n| `memchr` | fast |\n| `proptest` | inputs |\n";
        let tree = Tree {
            packages: packages(),
            ..tree(&[(DECISION, text)])
        };
        let whats: Vec<_> = check(&tree)
            .into_iter()
            .map(|finding| finding.what)
            .collect();
        assert_eq!(whats, ["no line says why we use `bytes`"]);
    }
}
