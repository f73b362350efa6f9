//! What others ask for whose crates are linked into the program: to be named, with their notices.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::child;
use crate::failure::Failure;
use crate::place::Place;

/// How files with licences and notices are called, at their beginning and in upper case.
const NAMES: &[&str] = &[
    "LICENSE",
    "LICENCE",
    "COPYING",
    "COPYRIGHT",
    "NOTICE",
    "UNLICENSE",
];

/// A crate that is linked: name and version.
type Crate = (String, String);

/// Every crate with its licence, and every notice once, with the crates that it belongs to.
pub(super) fn text(place: &Place) -> Result<String, Failure> {
    let linked = linked(&child::capture(child::cargo(place, "tree").args([
        "--package=waxwing",
        "--edges=normal,no-proc-macro",
        "--prefix=none",
        "--no-dedupe",
        "--locked",
        "--format={p}",
    ]))?);
    let metadata =
        child::capture(child::cargo(place, "metadata").args(["--format-version=1", "--locked"]))?;
    let metadata: Value = serde_json::from_str(&metadata).map_err(|error| Failure::Answer {
        of: "cargo metadata",
        why: error.to_string(),
    })?;
    let mut lines = String::new();
    let mut notices: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let packages = metadata["packages"].as_array().into_iter().flatten();
    for package in packages
        .filter(|package| linked.contains(&name_of(package)) && !package["source"].is_null())
    {
        let (name, version) = name_of(package);
        let licence = package["license"].as_str().unwrap_or("see its notice");
        lines += &format!("{name} {version}: {licence}\n");
        let manifest = package["manifest_path"].as_str().unwrap_or_default();
        for notice in notices_beside(Path::new(manifest))? {
            notices
                .entry(notice)
                .or_default()
                .insert(format!("{name} {version}"));
        }
    }
    if lines.is_empty() {
        return Err(Failure::Answer {
            of: "cargo tree",
            why: "no crate that is linked".to_owned(),
        });
    }
    let mut text = format!("Crates of others that the program contains\n\n{lines}");
    for (notice, crates) in notices {
        let crates: Vec<_> = crates.into_iter().collect();
        text += &format!(
            "\n{}\n{}\n\n{}\n",
            "-".repeat(80),
            crates.join(", "),
            notice.trim_end()
        );
    }
    Ok(text)
}

fn name_of(package: &Value) -> Crate {
    let word = |key: &str| package[key].as_str().unwrap_or_default().to_owned();
    (word("name"), word("version"))
}

/// Reads lines such as `bytes v1.10.0` and `serde_derive v1.0.0 (proc-macro)`.
fn linked(tree: &str) -> BTreeSet<Crate> {
    let crates = tree.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
        // What runs in the compiler is not in the program.
        (words.next() != Some("(proc-macro)")).then(|| (name.to_owned(), version.to_owned()))
    });
    crates.collect()
}

fn notices_beside(manifest: &Path) -> Result<Vec<String>, Failure> {
    let folder = manifest.parent().unwrap_or(manifest);
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(Failure::file(folder))? {
        let path = entry.map_err(Failure::file(folder))?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .to_uppercase();
        if path.is_file() && NAMES.iter().any(|begin| name.starts_with(begin)) {
            paths.push(path);
        }
    }
    paths.sort();
    let texts = paths.iter().map(|path| {
        let bytes = fs::read(path).map_err(Failure::file(path))?;
        Ok(String::from_utf8_lossy(&bytes).replace("\r\n", "\n"))
    });
    texts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_linked_is_read_from_the_tree() {
        let tree = "waxwing v0.1.0 (/x)\nbytes v1.10.0\nserde_derive v1.0.0 (proc-macro)\n\nbytes v1.10.0\n";
        let names: Vec<_> = linked(tree).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["bytes", "waxwing"]);
    }
}
