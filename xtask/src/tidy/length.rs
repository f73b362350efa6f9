//! Files are short: 150 lines are typical, more than 500 want a reason, 900 are the end.
//! (Functions are Clippy's `too_many_lines`; `lints.rs` checks that it is on.)

use super::tree::Tree;
use super::{Finding, found};

const LINES_TYPICAL_MAX: usize = 500;
const LINES_MAX: usize = 900;

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let sources = tree.files.iter().filter(|file| file.is_rust());
    let findings = sources.filter_map(|file| {
        let lines = file.text.lines().count();
        let reason = file.head().any(|line| line.starts_with("Length: "));
        if lines > LINES_MAX {
            Some(found(
                &file.path,
                0,
                format!("{lines} lines; {LINES_MAX} are the end"),
            ))
        } else if lines > LINES_TYPICAL_MAX && !reason {
            let what = format!("{lines} lines want a reason: a head line `//! Length: why`");
            Some(found(&file.path, 0, what))
        } else {
            None
        }
    });
    findings.collect()
}

#[cfg(test)]
mod tests {
    use super::super::tree::made_up::tree;
    use super::*;

    #[test]
    fn long_files_want_a_reason_and_have_an_end() {
        let count = |text: &str| check(&tree(&[("crates/wire/src/lib.rs", text)])).len();
        assert_eq!(count(&"\n".repeat(500)), 0);
        assert_eq!(count(&"\n".repeat(501)), 1);
        let reason = "//! A table.\n//!\n//! Length: one table, kept whole.\n";
        assert_eq!(count(&format!("{reason}{}", "\n".repeat(800))), 0);
        assert_eq!(count(&format!("{reason}{}", "\n".repeat(900))), 1);
    }
}
