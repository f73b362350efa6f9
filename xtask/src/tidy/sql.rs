//! SQL is written in `store`, in the client's database, and where a database server is started for tests, nowhere else.

use super::tree::{File, Tree};
use super::{Finding, found};

const HOMES: &[&str] = &["crates/store/", "crates/client/src/db", "tests/postgresql/"];

/// Packages that speak SQL, and whose they are.
const PACKAGES: &[&str] = &[
    "deadpool-postgres",
    "diesel",
    "postgres",
    "rusqlite",
    "sqlx",
    "tokio-postgres",
];

const WHERE: &str = "SQL belongs in `store` or `client/src/db`";

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

/// How a statement begins that does not shout, and what follows somewhere. Prose that begins so goes
/// on in another way.
const STATEMENTS: &[(&str, &str)] = &[
    ("select ", " from "),
    ("insert into ", "("),
    ("insert or ", " into "),
    ("update ", " set "),
    ("delete from ", ""),
    ("create table ", "("),
    ("create index ", " on "),
    ("create unique index ", " on "),
    ("create virtual table ", " using "),
    ("create trigger ", " on "),
    ("alter table ", ""),
    ("drop table ", ""),
    ("drop index ", ""),
    ("replace into ", "("),
    ("pragma ", ""),
];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let outside = |file: &&File| {
        !file.path.starts_with("xtask/") && !HOMES.iter().any(|home| file.path.starts_with(home))
    };
    let files = tree.files.iter().filter(outside);
    let mut findings: Vec<_> = files.flat_map(check_file).collect();
    for package in &tree.packages {
        let homes = ["crates/store", "crates/client", "tests/postgresql"];
        let home = homes.contains(&package.folder.as_str());
        for dependency in package.dependencies.iter().filter(|_| !home) {
            if PACKAGES.contains(&dependency.name.as_str()) {
                let what = format!("`{}`: {WHERE}", dependency.name);
                findings.push(found(&format!("{}/Cargo.toml", package.folder), 0, what));
            }
        }
    }
    findings
}

fn check_file(file: &File) -> Vec<Finding> {
    if file.path.ends_with(".sql") {
        return vec![found(&file.path, 0, WHERE)];
    }
    if !file.is_rust() {
        return Vec::new();
    }
    let strings = file.source().strings.iter();
    let statements = strings.filter(|(_, text)| is_sql(text));
    statements
        .map(|(number, _)| found(&file.path, *number, WHERE))
        .collect()
}

fn is_sql(text: &str) -> bool {
    let words: Vec<_> = text.split_whitespace().collect();
    let spaced = words.join(" ") + " ";
    let has_pair = |text: &str, first: &str, second: &str| {
        text.find(first).is_some_and(|at| {
            // The pair shares the space between its words: `DELETE FROM`.
            text[at + first.len() - 1..].contains(second)
        })
    };
    let shouted = PAIRS
        .iter()
        .any(|(first, second)| has_pair(&spaced, first, second));
    let lower = spaced.to_lowercase();
    let begun = STATEMENTS
        .iter()
        .any(|(first, second)| lower.starts_with(first) && has_pair(&lower, first, second));
    shouted || begun
}

#[cfg(test)]
mod tests {
    use super::super::tree::made_up::{package, tree};
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
    fn statements_are_found_in_either_case() {
        for text in [
            "DELETE FROM x",
            "INSERT OR IGNORE INTO x VALUES (1)",
            "select value\\n   from entries where id = ?1",
            "Select * From entries",
            "insert into entries (id) values (1)",
            "  update entries set id = 2",
            "delete from entries",
            "create table entries (id integer)",
            "pragma journal_mode = wal",
        ] {
            let text = text.replace("\\n", "\n");
            assert!(is_sql(&text), "{text}");
        }
    }

    #[test]
    fn prose_is_no_statement() {
        for text in [
            "select one of these",
            "UPDATE the roster",
            "update what is there",
            "the rows that we select from it",
            "create an account",
            "drop it",
        ] {
            assert!(!is_sql(text), "{text}");
        }
    }

    #[test]
    fn files_and_drivers_count_too() {
        assert_eq!(check(&tree(&[("deploy/tables.sql", "")])).len(), 1);
        assert_eq!(
            check(&tree(&[("crates/store/src/tables.sql", "")])).len(),
            0
        );
        let packages = vec![
            package("server", &["rusqlite"]),
            package("store", &["rusqlite"]),
        ];
        let tree = Tree {
            packages,
            ..Tree::default()
        };
        assert_eq!(check(&tree).len(), 1);
    }
}
