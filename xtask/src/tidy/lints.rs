//! Lints are set in one place, and hold everywhere.

use super::tree::Tree;
use super::{Finding, found};

const FUNCTION_LINES_MAX: u32 = 70;

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
    for line in ["unsafe_code = \"forbid\"", "too_many_lines = \"warn\""] {
        if !workspace.lines().any(|other| other == line) {
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
    findings.extend(excused_functions(tree));
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

/// A function too long is split, not excused.
fn excused_functions(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.is_rust()) {
        let source = file.source();
        let lines = source.code.lines().enumerate();
        let excused = lines.filter(|(_, line)| line.contains("clippy::too_many_lines"));
        findings.extend(
            excused
                .map(|(at, _)| found(&file.path, at + 1, "a long function is split, not excused")),
        );
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::tree::made_up::{package, tree};
    use super::*;

    const WORKSPACE: (&str, &str) = (
        "Cargo.toml",
        "unsafe_code = \"forbid\"\ntoo_many_lines = \"warn\"\n",
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
        assert_eq!(check(&tree(&[("Cargo.toml", ""), CLIPPY])).len(), 2);
        let excuse = "#[expect(clippy::too_many_lines, reason = \"so\")]\nfn f() {}\n";
        assert_eq!(
            check(&tree(&[WORKSPACE, CLIPPY, ("tests/src/lib.rs", excuse)])).len(),
            1
        );
    }
}
