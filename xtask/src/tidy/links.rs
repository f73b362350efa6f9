//! A document's links to files of the checkout lead somewhere.

use super::tree::{File, Tree};
use super::{Finding, found};

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let documents = tree.files.iter().filter(|file| file.path.ends_with(".md"));
    documents.flat_map(|file| check_file(tree, file)).collect()
}

fn check_file(tree: &Tree, file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut fenced = false;
    for (at, line) in file.text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        let broken = targets(line).filter(|target| !leads_somewhere(tree, &file.path, target));
        findings
            .extend(broken.map(|target| found(&file.path, at + 1, format!("no file `{target}`"))));
    }
    findings
}

/// What stands in `](…)`, without fragments and titles; addresses elsewhere left out.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let target = rest.split([')', '#', ' ']).next()?;
        let elsewhere = target.contains("://") || target.starts_with("mailto:");
        (!target.is_empty() && !elsewhere).then_some(target)
    })
}

fn leads_somewhere(tree: &Tree, from: &str, target: &str) -> bool {
    let mut parts: Vec<_> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                if parts.pop().is_none() {
                    return false;
                }
            }
            _ => parts.push(part),
        }
    }
    let path = parts.join("/");
    let folder = format!("{path}/");
    tree.files
        .iter()
        .any(|file| file.path == path || file.path.starts_with(&folder))
}

#[cfg(test)]
mod tests {
    use super::super::tree::made_up::tree;
    use super::*;

    #[test]
    fn dead_links_are_found() {
        let text = "[a](../README.md) [b](https://xmpp.org/) [c](#here)\n[d](gone.md#x) [e](develop)\n```\n[f](nowhere.md)\n```\n";
        let tree = tree(&[
            ("README.md", ""),
            ("docs/book.md", text),
            ("docs/develop/hooks.md", ""),
        ]);
        let found: Vec<_> = check(&tree).into_iter().map(|f| (f.line, f.what)).collect();
        assert_eq!(found, [(2, "no file `gone.md`".to_owned())]);
    }
}
