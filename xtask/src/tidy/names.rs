//! No folder or module for what found no home: a name says what a thing is.

use super::rust::has_word;
use super::tree::Tree;
use super::{Finding, found};

const HOMELESS: &[&str] = &["common", "util", "utils", "helper", "helpers", "misc"];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        let homeless = file.path.split('/').any(|part| {
            let stem = part.split_once('.').map_or(part, |(stem, _)| stem);
            HOMELESS.contains(&stem)
        });
        if homeless {
            findings.push(found(&file.path, 0, "name it for what it is"));
        }
        if !file.is_rust() {
            continue;
        }
        let source = file.source();
        let modules = source.code.lines().enumerate().filter(|(_, line)| {
            HOMELESS
                .iter()
                .any(|name| has_word(line, &format!("mod {name}")))
        });
        findings.extend(
            modules.map(|(at, _)| found(&file.path, at + 1, "name the module for what it is")),
        );
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tree::made_up::tree;
    use super::*;

    #[test]
    fn homeless_names_are_found() {
        for (path, text) in [
            ("crates/common/src/lib.rs", ""),
            ("crates/wire/src/utils.rs", ""),
            ("interop/helpers/run.py", ""),
            ("crates/wire/src/lib.rs", "pub mod misc { }"),
        ] {
            assert_eq!(check(&tree(&[(path, text)])).len(), 1, "{path}");
        }
        let fine = [("crates/wire/src/lib.rs", "mod utilisation; // mod utils\n")];
        assert!(check(&tree(&fine)).is_empty());
    }
}
