//! The manual has every option and every scenario, and no others.

use std::collections::BTreeSet;
use std::path::Path;

use crate::rig::program;

/// Words that begin with two dashes, in the lines of a text.
fn options<'a>(lines: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let is_part = |char: char| char.is_ascii_lowercase() || char == '-';
    let words = lines.flat_map(|line| line.split(|char: char| !is_part(char)));
    let options = words.filter(|word| word.starts_with("--") && word.len() > 2);
    options.map(str::to_owned).collect()
}

/// The rows of the table whose head begins so.
fn rows<'a>(text: &'a str, head: &str) -> impl Iterator<Item = &'a str> + use<'a> {
    let head = head.to_owned();
    let rows = text
        .lines()
        .skip_while(move |line| !line.starts_with(&head));
    rows.take_while(|line| line.starts_with('|')).skip(2)
}

#[test]
fn it_is_whole() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/use/load-testing.md");
    let manual = std::fs::read_to_string(path).unwrap();
    let help = program(&["run", "--help"]).out;
    let there = help.lines().map(str::trim_start);
    let there = options(there.filter(|line| line.starts_with("--")));
    let told = rows(&manual, "| option ").filter_map(|row| row.split('|').nth(1));
    assert_eq!(options(told), there);
    let listed = program(&["scenarios"]).out;
    let listed: Vec<&str> = listed
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    let told: Vec<&str> = rows(&manual, "| scenario ")
        .filter_map(|row| row.split('`').nth(1))
        .collect();
    assert_eq!(told, listed);
}
