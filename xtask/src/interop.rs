//! `cargo xtask interop`: real clients and servers against the built server.
//!
//! A partner is an executable file `interop/NAME.*`. Its head comment says what it needs
//! (`# needs-apt: a b c`), it prints `ok NAME`, `not ok NAME: why` or `skip NAME: why` for each
//! thing that it tries, and it succeeds if nothing was `not ok`.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Task;
use crate::args::Args;
use crate::child;
use crate::debian;
use crate::failure::Failure;
use crate::kept::Kept;
use crate::place::Place;
use crate::skips;
use crate::tally::{Failed, Tally};
use crate::test;

pub(crate) const TASK: Task = Task {
    name: "interop",
    usage: "[PARTNER[/CASE]]",
    about: "runs the partners whose name contains PARTNER, or their cases that begin with CASE",
    run,
};

/// One file of `interop/`.
#[derive(Debug, PartialEq)]
struct Partner {
    name: String,
    path: PathBuf,
    /// Debian packages.
    needs: Vec<String>,
}

fn run(place: &Place, mut args: Args) -> Result<(), Failure> {
    let filter = args.word();
    args.finish()?;
    let packages = ["--package=waxwing", "--package=waxwing-load"];
    child::run(child::cargo(place, "build").args(packages))?;
    let built = Built::keep(place)?;
    let tally = run_all(place, filter.as_deref(), &built.variables())?;
    print!("\n{}", tally.report());
    test::found_any(&tally, filter.as_deref())?;
    test::verdict(&tally)?;
    skips::judge(place, &tally)
}

/// Our programs, kept for as long as they are tested.
pub(crate) struct Built {
    server: Kept,
    load: Kept,
}

impl Built {
    /// Keeps what was just built.
    pub(crate) fn keep(place: &Place) -> Result<Built, Failure> {
        Ok(Built {
            server: Kept::of(&place.program("debug", "waxwing"))?,
            load: Kept::of(&place.program("debug", "waxwing-load"))?,
        })
    }

    /// Where tests and partners find them.
    pub(crate) fn variables(&self) -> [(&'static str, &Path); 2] {
        [
            ("WAXWING_BIN", self.server.program()),
            ("WAXWING_LOAD_BIN", self.load.program()),
        ]
    }
}

/// Runs the partners that the filter chooses; our programs are already built.
pub(crate) fn run_all(
    place: &Place,
    filter: Option<&str>,
    programs: &[(&str, &Path)],
) -> Result<Tally, Failure> {
    let mut partners = partners(&place.root.join("interop"))?;
    let filter = filter.unwrap_or_default();
    let (word, case) = filter
        .split_once('/')
        .map_or((filter, None), |(w, c)| (w, Some(c)));
    partners.retain(|partner| partner.name.contains(word));
    let mut wanted: Vec<_> = partners
        .iter()
        .flat_map(|partner| partner.needs.clone())
        .collect();
    wanted.sort();
    wanted.dedup();
    let missing = debian::ensure(&wanted);
    let mut tally = Tally::default();
    for partner in &partners {
        let lacks: Vec<_> = partner
            .needs
            .iter()
            .filter(|name| missing.contains(name))
            .cloned()
            .collect();
        if lacks.is_empty() {
            tally.add(run_one(place, partner, case, programs)?);
        } else {
            tally.skip(
                &partner.name,
                &format!("Debian packages missing: {}", lacks.join(" ")),
            );
        }
    }
    Ok(tally)
}

fn run_one(
    place: &Place,
    partner: &Partner,
    case: Option<&str>,
    programs: &[(&str, &Path)],
) -> Result<Tally, Failure> {
    let mut command = Command::new(&partner.path);
    command
        .args(case)
        .current_dir(&place.root)
        .env("CARGO_TARGET_DIR", &place.target)
        .envs(programs.iter().copied());
    let mut tally = Tally::default();
    let done = test::read_lines(&mut command, |line| {
        tally.partner_line(line);
        true
    });
    tally.note_end(done);
    if tally == Tally::default() {
        let what = format!("{}: it tried nothing", partner.name);
        tally.failed.push(Failed::named(what));
    }
    Ok(tally)
}

/// The executable files with an ending, in the order of their names.
fn partners(folder: &Path) -> Result<Vec<Partner>, Failure> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Ok(Vec::new());
    };
    let mut partners = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Failure::file(folder))?;
        let path = entry.path();
        let metadata = entry.metadata().map_err(Failure::file(&path))?;
        let executable = metadata.is_file() && metadata.permissions().mode() & 0o111 != 0;
        let (Some(stem), Some(_), true) = (path.file_stem(), path.extension(), executable) else {
            continue;
        };
        let name = stem.to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).map_err(Failure::file(&path))?;
        partners.push(Partner {
            name,
            needs: needs(&text),
            path,
        });
    }
    partners.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(partners)
}

/// The words of the `# needs-apt:` lines in the head comment.
fn needs(text: &str) -> Vec<String> {
    let head = text.lines().take_while(|line| line.starts_with('#'));
    let lines = head.filter_map(|line| line.strip_prefix("# needs-apt:"));
    lines
        .flat_map(str::split_whitespace)
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_are_read_from_the_head_comment_only() {
        let text = "#!/bin/sh\n# needs-apt: tmux profanity\n# needs-pip: x\n# needs-apt: faketime\n\n# needs-apt: no\n";
        assert_eq!(needs(text), ["tmux", "profanity", "faketime"]);
    }

    #[test]
    fn the_table_of_clients_names_cases_that_are_there() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../interop");
        let read = |path: &str| std::fs::read_to_string(folder.join(path)).unwrap();
        let readme = read("README.md");
        let cells = |line| str::split(line, '|').map(str::trim).collect::<Vec<_>>();
        let mut lines = readme.lines();
        let mut found = 0;
        while let Some(head) = lines.find(|line| line.starts_with("| promise")) {
            let partners = cells(head);
            for row in lines.by_ref().take_while(|line| line.starts_with('|')) {
                for (cell, partner) in cells(row).into_iter().zip(&partners).skip(2) {
                    for case in cell.split('`').skip(1).step_by(2) {
                        let (file, start) = place_of(partner.trim_matches('`'), case);
                        assert!(read(&file).contains(&start), "no {partner}/{case}");
                        found += 1;
                    }
                }
            }
        }
        assert!(found > 70, "{found}");
    }

    /// The file of a case, and how the case begins there.
    fn place_of(partner: &str, case: &str) -> (String, String) {
        if partner == "converse" {
            return ("web/converse.mjs".to_owned(), format!("test(\"{case}\""));
        }
        match (partner.split_once('/'), case.split_once('/')) {
            (Some((_, library)), _) => (
                "web/run.mjs".to_owned(),
                format!("test(\"{library}/{case}\""),
            ),
            (None, Some((suite, name))) => (
                format!("python/cases/{suite}.py"),
                format!("async def {name}("),
            ),
            (None, None) => (
                format!("python/cases/{partner}.py"),
                format!("async def {case}("),
            ),
        }
    }

    #[test]
    fn partners_are_executable_files_with_an_ending() {
        let folder = std::env::temp_dir().join(format!("waxwing-partners-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for (name, mode) in [
            ("b.sh", 0o755),
            ("a.py", 0o755),
            ("README.md", 0o644),
            ("tool", 0o755),
        ] {
            let path = folder.join(name);
            std::fs::write(&path, "#!/bin/sh\n").unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        }
        let names: Vec<_> = partners(&folder)
            .unwrap()
            .into_iter()
            .map(|p| p.name)
            .collect();
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(names, ["a", "b"]);
    }
}
