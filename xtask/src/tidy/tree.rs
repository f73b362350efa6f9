//! What tidy looks at: the files of the checkout and what Cargo says about its packages.

use std::cell::OnceCell;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::rust::{Source, has_word};
use crate::child;
use crate::failure::Failure;
use crate::place::Place;

/// A checkout, real or made up.
#[derive(Default)]
pub(crate) struct Tree {
    pub(crate) files: Vec<File>,
    pub(crate) packages: Vec<Package>,
    /// `name features` of everything that the server links, one a line.
    pub(crate) linked_by_server: String,
}

/// One text file.
pub(crate) struct File {
    /// From the root of the checkout, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    source: OnceCell<Source>,
}

/// One package of the workspace.
#[derive(Debug, PartialEq)]
pub(crate) struct Package {
    /// As in `Cargo.toml`.
    pub(crate) name: String,
    /// Its folder, from the root of the checkout.
    pub(crate) folder: String,
    pub(crate) dependencies: Vec<Dependency>,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) for_tests_only: bool,
}

impl Tree {
    /// Reads what git tracks or would track.
    pub(crate) fn of(place: &Place) -> Result<Tree, Failure> {
        let list = child::capture(Command::new("git").current_dir(&place.root).args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
        ]))?;
        let mut files: Vec<_> = list
            .lines()
            .filter_map(|path| File::read(&place.root, path))
            .collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files.dedup_by(|a, b| a.path == b.path);

        let metadata = child::capture(child::cargo(place, "metadata").args([
            "--no-deps",
            "--format-version",
            "1",
        ]))?;
        let packages = packages(&metadata, &place.root)?;
        let linked_by_server = child::capture(child::cargo(place, "tree").args([
            "--package=waxwing",
            "--edges=normal,build",
            "--prefix=none",
            "--format={p} {f}",
        ]))?;
        Ok(Tree {
            files,
            packages,
            linked_by_server,
        })
    }

    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Rust files of a folder of `crates/`, product code only.
    pub(crate) fn product_files<'t>(&'t self, krate: &str) -> impl Iterator<Item = &'t File> {
        let prefix = format!("crates/{krate}/src/");
        self.files
            .iter()
            .filter(move |file| file.path.starts_with(&prefix) && file.is_rust())
            .filter(|file| !file.is_test() && !self.is_test_module(file))
    }

    /// The files that may declare the module which `file` is, and its name; `None` for a crate's root.
    pub(crate) fn parents(&self, file: &File) -> Option<(Vec<&File>, String)> {
        let (folder, name) = file.path.rsplit_once('/')?;
        let module = name.strip_suffix(".rs")?;
        let (folder, module) = match module {
            "lib" | "main" => return None,
            "mod" => folder.rsplit_once('/')?,
            _ => (folder, module),
        };
        let beside = [format!("{folder}.rs"), format!("{folder}/mod.rs")];
        let roots = [format!("{folder}/lib.rs"), format!("{folder}/main.rs")];
        let parents = beside.iter().chain(&roots);
        let parents = parents.filter_map(|path| self.file(path)).collect();
        Some((parents, module.to_owned()))
    }

    /// Whether the file's module, or one that it is in, is declared under `#[cfg(test)]`.
    fn is_test_module(&self, file: &File) -> bool {
        let Some((parents, module)) = self.parents(file) else {
            return false;
        };
        let declared = format!("mod {module}");
        parents.into_iter().any(|parent| {
            let source = parent.source();
            let mut lines = source.code.lines().enumerate();
            let under_test =
                lines.any(|(at, line)| has_word(line, &declared) && source.is_test(at + 1));
            under_test || self.is_test_module(parent)
        })
    }
}

impl File {
    /// `None` for what is no text or, deleted but not yet staged, no longer there.
    fn read(root: &Path, path: &str) -> Option<File> {
        let text = std::fs::read_to_string(root.join(path)).ok()?;
        Some(File::new(path, text))
    }

    pub(crate) fn new(path: &str, text: String) -> File {
        File {
            path: path.to_owned(),
            text,
            source: OnceCell::new(),
        }
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether the whole file is test code: `tests.rs`, `tests/…`, `benches/…`.
    pub(crate) fn is_test(&self) -> bool {
        self.path
            .split('/')
            .any(|part| matches!(part, "tests" | "tests.rs" | "benches" | "fuzz"))
            || self.stem().ends_with("_tests")
    }

    /// The file's name without its ending.
    pub(crate) fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or(&self.path);
        name.split_once('.').map_or(name, |(stem, _)| stem)
    }

    pub(crate) fn source(&self) -> &Source {
        self.source.get_or_init(|| Source::of(&self.text))
    }

    /// The `//!` lines that the file begins with, without the marks.
    pub(crate) fn head(&self) -> impl Iterator<Item = &str> {
        self.text
            .lines()
            .take_while(|line| line.starts_with("//!"))
            .map(|line| line.trim_start_matches("//!").trim())
    }
}

/// Reads `cargo metadata --no-deps`.
pub(crate) fn packages(metadata: &str, root: &Path) -> Result<Vec<Package>, Failure> {
    let odd = |why: String| Failure::Answer {
        of: "cargo metadata",
        why,
    };
    let metadata: Value = serde_json::from_str(metadata).map_err(|e| odd(e.to_string()))?;
    let list = metadata["packages"]
        .as_array()
        .ok_or_else(|| odd("no packages".to_owned()))?;
    Ok(list
        .iter()
        .map(|package| read_package(package, root))
        .collect())
}

fn read_package(package: &Value, root: &Path) -> Package {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let manifest = text(&package["manifest_path"]);
    let folder = Path::new(&manifest).parent().unwrap_or(root);
    let folder = folder
        .strip_prefix(root)
        .unwrap_or(folder)
        .to_string_lossy()
        .into_owned();
    let dependencies = package["dependencies"].as_array().into_iter().flatten();
    let dependencies = dependencies.map(|dependency| Dependency {
        name: text(&dependency["name"]),
        for_tests_only: dependency["kind"] == "dev",
    });
    Package {
        name: text(&package["name"]),
        folder,
        dependencies: dependencies.collect(),
    }
}

#[cfg(test)]
pub(crate) mod made_up {
    //! Trees for the rules' own tests.

    use super::{Dependency, File, Package, Tree};

    pub(crate) fn tree(files: &[(&str, &str)]) -> Tree {
        let files = files
            .iter()
            .map(|(path, text)| File::new(path, (*text).to_owned()));
        Tree {
            files: files.collect(),
            ..Tree::default()
        }
    }

    /// A package in `crates/`; a dependency that begins with `dev:` is one for tests only.
    pub(crate) fn package(folder: &str, dependencies: &[&str]) -> Package {
        let name = match folder {
            "waxwing" | "xtask" => folder.to_owned(),
            _ => format!("waxwing-{folder}"),
        };
        let dependencies = dependencies.iter().map(|word| Dependency {
            name: word.trim_start_matches("dev:").to_owned(),
            for_tests_only: word.starts_with("dev:"),
        });
        Package {
            name,
            folder: format!("crates/{folder}"),
            dependencies: dependencies.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_metadata_is_read() {
        let json = r#"{"packages":[{"name":"waxwing-wire","manifest_path":"/x/crates/wire/Cargo.toml",
            "dependencies":[{"name":"bytes","kind":null},{"name":"proptest","kind":"dev"}]}]}"#;
        let found = packages(json, Path::new("/x")).unwrap();
        assert_eq!(
            found,
            [made_up::package("wire", &["bytes", "dev:proptest"])]
        );
        assert!(packages("{}", Path::new("/x")).is_err());
    }

    #[test]
    fn test_files_are_known_by_name() {
        let tree = made_up::tree(&[
            ("crates/wire/src/lib.rs", ""),
            ("crates/wire/src/tests.rs", ""),
            ("crates/wire/src/view_tests.rs", ""),
            ("crates/wire/src/tests/deep.rs", ""),
            ("crates/wire/README.md", ""),
            (
                "crates/wire/src/view.rs",
                "#[cfg(test)]\nmod bench_of;\nmod real;",
            ),
            ("crates/wire/src/view/bench_of.rs", "mod inner;"),
            ("crates/wire/src/view/bench_of/inner.rs", ""),
            ("crates/wire/src/view/real.rs", ""),
        ]);
        let found: Vec<_> = tree
            .product_files("wire")
            .map(|file| file.path.as_str())
            .collect();
        assert_eq!(
            found,
            [
                "crates/wire/src/lib.rs",
                "crates/wire/src/view.rs",
                "crates/wire/src/view/real.rs"
            ]
        );
    }
}
