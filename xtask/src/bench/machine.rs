//! The machine, and which versions ran on it.

use std::fs;
use std::process::Command;

use super::play::Programs;
use crate::child;
use crate::failure::Failure;
use crate::place::Place;

/// What figures belong to.
pub(super) struct Machine {
    pub(super) processor: String,
    pub(super) processors: usize,
    pub(super) memory_gib: f64,
    pub(super) kernel: String,
    /// Each server with its version, and what else took part.
    pub(super) versions: Vec<String>,
}

impl Machine {
    pub(super) fn look(place: &Place, programs: &Programs) -> Result<Machine, Failure> {
        let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kib: f64 = after(&memory, "MemTotal:")
            .and_then(|text| text.split_whitespace().next()?.parse().ok())
            .unwrap_or_default();
        let kernel = child::capture(Command::new("uname").args(["-s", "-r", "-m"]))?;
        let mut waxwing = Command::new(&programs.waxwing);
        let waxwing = child::capture(waxwing.arg("--version"))?;
        let mut versions = vec![format!("{} of {}", waxwing.trim(), commit(place)?)];
        let packages = [
            "prosody",
            "lua5.4",
            "ejabberd",
            "erlang-base",
            "postgresql-15",
        ];
        let mut query = Command::new("dpkg-query");
        query.args(["--show", "--showformat=${Package} ${Version}\\n"]);
        // It names those that are there, and then fails for the one that is not.
        query.args(packages);
        let debian = query.output().map_err(child::start_failure(&query))?.stdout;
        let debian = String::from_utf8_lossy(&debian).into_owned();
        versions.extend(debian.lines().map(str::to_owned));
        Ok(Machine {
            processor: after(&processors, "model name")
                .unwrap_or("unknown")
                .to_owned(),
            processors: processors.matches("\nprocessor").count() + 1,
            memory_gib: kib / 1_048_576.0,
            kernel: kernel.trim().to_owned(),
            versions,
        })
    }
}

/// What was built: the commit, and whether something was changed beside it.
fn commit(place: &Place) -> Result<String, Failure> {
    let git = |args: &[&str]| {
        let mut git = Command::new("git");
        child::capture(git.arg("-C").arg(&place.root).args(args))
    };
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    // What the benchmark itself writes is no change of what was built.
    let changed = git(&["status", "--porcelain", "--", ".", ":!docs/benchmarks.md"])?;
    let changed = if changed.trim().is_empty() {
        ""
    } else {
        ", changed"
    };
    Ok(format!("commit {}{changed}", commit.trim()))
}

/// What stands after a name and a colon.
fn after<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim_start_matches([':', ' ', '\t']).trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found() {
        let text = "processor\t: 0\nmodel name\t: AMD EPYC\nMemTotal:   24 kB\n";
        assert_eq!(after(text, "model name"), Some("AMD EPYC"));
        assert_eq!(after(text, "MemTotal:"), Some("24 kB"));
        assert_eq!(after(text, "flags"), None);
    }
}
