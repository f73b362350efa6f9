//! Lints are set in one place, and hold everywhere.

use super::tree::Tree;
use super::{Finding, found};

const FUNCTION_LINES_MAX: u32 = 70;

/// Lines of the root manifest that stay.
const KEPT: &[&str] = &[
    "unsafe_code = \"forbid\"",
    "missing_docs = \"warn\"",
    "all = { level = \"warn\", priority = -1 }",
    "allow_attributes_without_reason = \"warn\"",
    "panic = \"warn\"",
    "todo = \"warn\"",
    "too_many_lines = \"warn\"",
    "unwrap_used = \"warn\"",
];

/// What no attribute turns off: whole groups of lints, and limits of the design.
const KEPT_ON: &[&str] = &[
    "clippy::all",
    "clippy::cargo",
    "clippy::complexity",
    "clippy::correctness",
    "clippy::nursery",
    "clippy::pedantic",
    "clippy::perf",
    "clippy::restriction",
    "clippy::style",
    "clippy::suspicious",
    "rustdoc::all",
    "unsafe_code",
    "unused",
    "warnings",
];

/// What may be excused at one item, and not for a whole file.
const KEPT_ON_IN_FILES: &[&str] = &["dead_code", "missing_docs"];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in &tree.packages {
        let manifest = format!("{}/Cargo.toml", package.folder);
        let text = tree.file(&manifest).map_or("", |file| &file.text);
        if !inherits(text) && !says_why_not(text) {
            findings.push(found(&manifest, 0, "lacks `[lints] workspace = true`"));
        }
    }
    let workspace = tree.file("Cargo.toml").map_or("", |file| &file.text);
    for line in KEPT {
        if !workspace.lines().any(|other| other == *line) {
            findings.push(found("Cargo.toml", 0, format!("lacks `{line}`")));
        }
    }
    let clippy = tree.file("clippy.toml").map_or("", |file| &file.text);
    let threshold = clippy
        .lines()
        .find_map(|line| line.strip_prefix("too-many-lines-threshold = "))
        .and_then(|value| value.trim().parse::<u32>().ok());
    if threshold.is_none_or(|lines| lines > FUNCTION_LINES_MAX) {
        let what = format!("functions end at {FUNCTION_LINES_MAX} lines");
        findings.push(found("clippy.toml", 0, what));
    }
    if let Some(config) = tree.file(".cargo/config.toml")
        && config.text.contains("rustflags")
    {
        findings.push(found(&config.path, 0, "lints are set in the root manifest"));
    }
    findings.extend(excused(tree));
    findings
}

fn inherits(manifest: &str) -> bool {
    let lines: Vec<_> = manifest.lines().map(str::trim).collect();
    lines
        .windows(2)
        .any(|pair| pair == ["[lints]", "workspace = true"])
}

/// What truly needs `unsafe` cannot inherit; it gives its reason and has each block explained.
fn says_why_not(manifest: &str) -> bool {
    manifest.contains("# Does not inherit the workspace's lints: ")
        && manifest.contains("undocumented_unsafe_blocks = \"deny\"")
}

/// A function too long is split, not excused; and an excuse names what it excuses.
fn excused(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.is_rust()) {
        let code = &file.source().code;
        for (at, _) in code
            .match_indices("allow(")
            .chain(code.match_indices("expect("))
        {
            let inner = code[..at].ends_with("#![");
            let list = code[at..].split(['(', ')']).nth(1).unwrap_or_default();
            for lint in list.split(',').map(str::trim) {
                let what = if lint == "clippy::too_many_lines" {
                    "a long function is split, not excused".to_owned()
                } else if KEPT_ON.contains(&lint) || inner && KEPT_ON_IN_FILES.contains(&lint) {
                    format!("`{lint}` excuses too much: name the lint, where it is")
                } else {
                    continue;
                };
                let line = code[..at].matches('\n').count() + 1;
                findings.push(found(&file.path, line, what));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tree::made_up::{package, tree};
    use super::*;

    const WORKSPACE: (&str, &str) = (
        "Cargo.toml",
        "unsafe_code = \"forbid\"\nmissing_docs = \"warn\"\nall = { level = \"warn\", priority = -1 }\n\
         allow_attributes_without_reason = \"warn\"\npanic = \"warn\"\ntodo = \"warn\"\n\
         too_many_lines = \"warn\"\nunwrap_used = \"warn\"\n",
    );
    const CLIPPY: (&str, &str) = ("clippy.toml", "too-many-lines-threshold = 70\n");

    #[test]
    fn every_package_takes_the_workspace_lints() {
        let manifest = "crates/wire/Cargo.toml";
        let good = [WORKSPACE, CLIPPY, (manifest, "[lints]\nworkspace = true\n")];
        let tree = |files: &[(&str, &str)]| Tree {
            packages: vec![package("wire", &[])],
            ..tree(files)
        };
        assert!(check(&tree(&good)).is_empty());
        assert_eq!(
            check(&tree(&[WORKSPACE, CLIPPY, (manifest, "[package]\n")])).len(),
            1
        );
        let own = "# Does not inherit the workspace's lints: binds C.\nundocumented_unsafe_blocks = \"deny\"\n";
        assert!(check(&tree(&[WORKSPACE, CLIPPY, (manifest, own)])).is_empty());
    }

    #[test]
    fn the_limits_stay() {
        let loose = ("clippy.toml", "too-many-lines-threshold = 200\n");
        assert_eq!(check(&tree(&[WORKSPACE, loose])).len(), 1);
        assert_eq!(
            check(&tree(&[("Cargo.toml", ""), CLIPPY])).len(),
            KEPT.len()
        );
        let flags = (
            ".cargo/config.toml",
            "[build]\nrustflags = [\"-Awarnings\"]\n",
        );
        assert_eq!(check(&tree(&[WORKSPACE, CLIPPY, flags])).len(), 1);
        let excuse = "#[expect(clippy::too_many_lines, reason = \"so\")]\nfn f() {}\n";
        assert_eq!(
            check(&tree(&[WORKSPACE, CLIPPY, ("tests/src/lib.rs", excuse)])).len(),
            1
        );
    }

    #[test]
    fn whole_groups_are_not_excused() {
        let count = |text: &str| {
            check(&tree(&[
                WORKSPACE,
                CLIPPY,
                ("crates/wire/src/lib.rs", text),
            ]))
            .len()
        };
        for text in [
            "#![allow(clippy::all)]",
            "#[cfg_attr(test, allow(warnings))]\nmod a;",
            "#[expect(clippy::style, reason = \"so\")]\nfn f() {}",
            "#![allow(\n    dead_code,\n    unused,\n    reason = \"later\"\n)]",
        ] {
            let expected = 1 + usize::from(text.contains("dead_code"));
            assert_eq!(count(text), expected, "{text}");
        }
        for text in [
            "#[expect(clippy::cast_possible_truncation, reason = \"modulo\")]\nfn f() {}",
            "#[expect(missing_docs, reason = \"the names say it\")]\npub enum E {}",
            "let x = y.expect(\"unused\"); // allow(warnings)",
        ] {
            assert_eq!(count(text), 0, "{text}");
        }
    }
}
