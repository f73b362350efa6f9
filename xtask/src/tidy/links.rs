//! A document's links to files of the checkout lead somewhere.

use super::tree::{File, Tree};
use super::{Finding, found};

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let documents = tree.files.iter().filter(|file| file.path.ends_with(".md"));
    documents.flat_map(|file| check_file(tree, file)).collect()
}

fn check_file(tree: &Tree, file: &File) -> Vec<Finding> {
    let leads_somewhere = |path: &str| {
        let folder = format!("{path}/");
        let mut files = tree.files.iter();
        files.any(|file| file.path == path || file.path.starts_with(&folder))
    };
    let broken = of(file).filter(|(_, path)| !path.as_deref().is_some_and(leads_somewhere));
    broken
        .map(|((line, target), _)| found(&file.path, line, format!("no file `{target}`")))
        .collect()
}

/// The links of a document to places in the checkout: line and target as written, and the path from
/// the root of the checkout; `None` where it leads out of it.
pub(super) fn of(file: &File) -> impl Iterator<Item = ((usize, &str), Option<String>)> {
    let mut fenced = false;
    let lines = file.text.lines().enumerate().filter(move |(_, line)| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        !fenced
    });
    lines.flat_map(move |(at, line)| {
        targets(line).map(move |target| ((at + 1, target), path(&file.path, target)))
    })
}

/// What stands in `](…)`, without fragments and titles; addresses elsewhere left out.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let target = rest.split([')', '#', ' ']).next()?;
        let elsewhere = target.contains("://") || target.starts_with("mailto:");
        (!target.is_empty() && !elsewhere).then_some(target)
    })
}

fn path(from: &str, target: &str) -> Option<String> {
    let mut parts: Vec<_> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop()?;
            }
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
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
