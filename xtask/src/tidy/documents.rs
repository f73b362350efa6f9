//! Every page of the book is found from the README by following links, and every decision is in the
//! list of decisions, under a number of its own.

use std::collections::BTreeSet;

use super::links;
use super::tree::{File, Tree};
use super::{Finding, found};

const START: &str = "README.md";
const DECISIONS: &str = "docs/decisions/";
const LIST: &str = "docs/decisions/README.md";

/// What is written while something is built belongs to no book.
const UNBOUND: &str = "docs/progress/";

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let reached = reached(tree);
    let is_page = |file: &&File| file.path.starts_with("docs/") && file.path.ends_with(".md");
    for page in tree.files.iter().filter(is_page) {
        if !page.path.starts_with(UNBOUND) && !reached.contains(page.path.as_str()) {
            findings.push(found(&page.path, 0, "no link leads here from README.md"));
        }
    }
    check_decisions(tree, &mut findings);
    findings
}

/// The documents that links lead to, from the README on.
fn reached(tree: &Tree) -> BTreeSet<&str> {
    let mut reached = BTreeSet::new();
    let mut waiting: Vec<_> = tree.file(START).into_iter().collect();
    while let Some(file) = waiting.pop() {
        if reached.insert(file.path.as_str()) {
            let linked = links::of(file).filter_map(|(_, path)| tree.file(&path?));
            waiting.extend(linked.filter(|file| file.path.ends_with(".md")));
        }
    }
    reached
}

fn check_decisions(tree: &Tree, findings: &mut Vec<Finding>) {
    let Some(list) = tree.file(LIST) else {
        return;
    };
    let listed: BTreeSet<_> = links::of(list).filter_map(|(_, path)| path).collect();
    let mut numbers = BTreeSet::new();
    for file in &tree.files {
        let Some(name) = file.path.strip_prefix(DECISIONS) else {
            continue;
        };
        if file.path == LIST {
            continue;
        }
        let number = name.split_once('-').map_or(name, |(number, _)| number);
        if number.len() != 4 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            findings.push(found(&file.path, 0, "not named `NNNN-title.md`"));
        } else if !numbers.insert(number) {
            findings.push(found(
                &file.path,
                0,
                format!("{number} is another decision"),
            ));
        }
        if !listed.contains(&file.path) {
            findings.push(found(LIST, 0, format!("`{name}` is not listed")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree::made_up::tree;
    use super::*;

    fn whats(files: &[(&str, &str)]) -> Vec<(String, String)> {
        let findings = check(&tree(files)).into_iter();
        findings.map(|f| (f.path, f.what)).collect()
    }

    #[test]
    fn pages_that_nothing_leads_to_are_found() {
        let found = whats(&[
            ("README.md", "[run](docs/operate/running.md)"),
            ("docs/operate/running.md", "[back up](backup.md#how)"),
            ("docs/operate/backup.md", ""),
            ("docs/operate/forgotten.md", "[itself](forgotten.md)"),
            ("docs/progress/0003.md", ""),
        ]);
        let (path, what) = (
            "docs/operate/forgotten.md",
            "no link leads here from README.md",
        );
        assert_eq!(found, [(path.to_owned(), what.to_owned())]);
    }

    #[test]
    fn the_list_of_decisions_is_whole() {
        let found = whats(&[
            (
                "README.md",
                "[d](docs/decisions/README.md) [t](docs/decisions/0003-two.md)",
            ),
            (
                "docs/decisions/README.md",
                "- [0001](0001-one.md)\n- [0002](0002-both.md)\n- [0002](0002-of-them.md)\n- [x](third.md)",
            ),
            ("docs/decisions/0001-one.md", ""),
            ("docs/decisions/0002-both.md", ""),
            ("docs/decisions/0002-of-them.md", ""),
            ("docs/decisions/0003-two.md", ""),
            ("docs/decisions/third.md", ""),
        ]);
        let whats: Vec<_> = found.iter().map(|(_, what)| &what[..]).collect();
        let expected = [
            "0002 is another decision",
            "`0003-two.md` is not listed",
            "not named `NNNN-title.md`",
        ];
        assert_eq!(whats, expected);
    }
}
