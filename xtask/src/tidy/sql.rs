//! SQL is written in `store` and in the client's database, nowhere else.

use super::tree::{File, Tree};
use super::{Finding, found};

const HOMES: &[&str] = &["crates/store/", "crates/client/src/db"];

/// Both words of a pair in one string make it SQL; prose rarely shouts.
const PAIRS: &[(&str, &str)] = &[
    ("SELECT ", " FROM "),
    ("INSERT ", " INTO "),
    ("UPDATE ", " SET "),
    ("DELETE ", " FROM "),
    ("CREATE ", " TABLE "),
    ("CREATE ", " INDEX "),
    ("ALTER ", " TABLE "),
    ("DROP ", " TABLE "),
    ("PRAGMA ", ""),
];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let outside = |file: &&File| {
        file.is_rust()
            && !file.path.starts_with("xtask/")
            && !HOMES.iter().any(|home| file.path.starts_with(home))
    };
    tree.files
        .iter()
        .filter(outside)
        .flat_map(check_file)
        .collect()
}

fn check_file(file: &File) -> Vec<Finding> {
    let source = file.source();
    let lines = source.strings.iter().filter(|(_, text)| is_sql(text));
    lines
        .map(|(number, _)| {
            found(
                &file.path,
                *number,
                "SQL belongs in `store` or `client/src/db`",
            )
        })
        .collect()
}

fn is_sql(text: &str) -> bool {
    let spaced = text.replace(['\n', '\t'], " ");
    PAIRS.iter().any(|(first, second)| {
        spaced.find(first).is_some_and(|at| {
            // The pair shares the space between its words: `DELETE FROM`.
            spaced[at + first.len() - 1..].contains(second)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::tree::made_up::tree;
    use super::*;

    #[test]
    fn statements_are_found_outside_their_homes() {
        let text = "const Q: &str = \"SELECT value\n FROM entries\";";
        assert_eq!(check(&tree(&[("crates/server/src/lib.rs", text)])).len(), 1);
        assert_eq!(
            check(&tree(&[("crates/store/src/sqlite.rs", text)])).len(),
            0
        );
        assert_eq!(
            check(&tree(&[("crates/client/src/db/log.rs", text)])).len(),
            0
        );
    }

    #[test]
    fn prose_is_no_statement() {
        assert!(is_sql("DELETE FROM x") && is_sql("INSERT OR IGNORE INTO x VALUES (1)"));
        assert!(!is_sql("select one of these") && !is_sql("UPDATE the roster"));
    }
}
