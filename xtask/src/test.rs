//! `cargo xtask test`: every test there is. The workspace's own by `cargo test`, then the partners
//! in `interop/`. The last line is `N passed, N failed, N skipped`.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Task;
use crate::args::Args;
use crate::cargo_output::CargoOutput;
use crate::child;
use crate::debian;
use crate::failure::Failure;
use crate::interop;
use crate::object_store;
use crate::place::Place;
use crate::skips;
use crate::tally::{Failed, Tally};

pub(crate) const TASK: Task = Task {
    name: "test",
    usage: "[FILTER]",
    about: "runs every test whose name contains FILTER; as root it installs what they need",
    run,
};

/// Names the file that a test adds a line `NAME: why` to when it finds that it cannot test here.
const SKIPS_VARIABLE: &str = "WAXWING_SKIPS";

fn run(place: &Place, mut args: Args) -> Result<(), Failure> {
    let filter = args.word();
    args.finish()?;
    let tally = run_all(place, filter.as_deref())?;
    print!("\n{}", tally.report());
    found_any(&tally, filter.as_deref())?;
    verdict(&tally)?;
    skips::judge(place, &tally)
}

/// A filter that no test's name contains is a slip of the pen, not a success.
pub(crate) fn found_any(tally: &Tally, filter: Option<&str>) -> Result<(), Failure> {
    match filter {
        Some(filter) if *tally == Tally::default() => Err(Failure::Usage(format!(
            "no test's name contains `{filter}`"
        ))),
        _ => Ok(()),
    }
}

pub(crate) fn verdict(tally: &Tally) -> Result<(), Failure> {
    match tally.failed.len() {
        0 => Ok(()),
        count => Err(Failure::Found {
            what: "failed tests",
            count,
        }),
    }
}

/// Names what the built server stores in, where it is not SQLite.
const STORE_VARIABLE: &str = "WAXWING_TEST_STORE";

/// The Debian package of the database server that tests start for themselves.
const POSTGRESQL: &str = "postgresql";

/// Test programs that are run once more with PostgreSQL, and what of each is not: parts that are about the data directory's
/// files, or about the way to the server.
const ON_POSTGRESQL: &[(&str, &[&str])] = &[
    ("conversations", &[]),
    ("conversations_live", &[]),
    (
        "daemon",
        &[
            "bosh::",
            "bosh_hostile::",
            "check::",
            "doctor::",
            "hb::",
            "hostile::",
            "http::",
            "machine::",
            "migration::",
            "one_port::",
            "postgresql::",
            "proxies::",
            "refusals::",
            "reload::",
            "terminal::",
            "upgrade::",
            "way::",
            "websocket",
            "ws::",
        ],
    ),
];

/// Packages of the workspace whose tests need a Debian package: the parser that ours is compared
/// with is linked into them.
const NEEDS: &[(&str, &str)] = &[
    ("waxwing-fuzz", "libexpat1-dev"),
    ("waxwing-oracle", "libexpat1-dev"),
];

/// The Debian packages that anything in the workspace links.
pub(crate) fn debian_packages() -> Vec<String> {
    let mut names: Vec<_> = NEEDS.iter().map(|(_, name)| (*name).to_owned()).collect();
    names.dedup();
    names
}

/// Runs everything and counts.
pub(crate) fn run_all(place: &Place, filter: Option<&str>) -> Result<Tally, Failure> {
    let mut wanted = debian_packages();
    wanted.push(POSTGRESQL.to_owned());
    let missing = debian::ensure(&wanted);
    let (excluded, mut tally) = leave_out(&missing);
    object_store::ensure(place);
    // Programs and tests in one build: their dependencies get the same features, and are compiled
    // once. `cargo test` by itself would leave out the server's program.
    let mut build = child::cargo(place, "build");
    build
        .args(["--workspace", "--bins", "--tests"])
        .args(&excluded);
    if let Err(failure) = child::run(&mut build) {
        tally.failed.push(Failed::named(failure.to_string()));
        return Ok(tally);
    }
    let built = interop::Built::keep(place)?;
    let programs = built.variables();
    let run = CargoTests {
        place,
        filter,
        excluded,
        programs,
    };
    tally.add(run.all()?);
    if missing.iter().any(|name| name == POSTGRESQL) {
        let why = format!("Debian packages missing: {POSTGRESQL}");
        tally.skip("the built server on PostgreSQL", &why);
    } else {
        tally.add(run.on_postgresql()?);
    }
    tally.add(interop::run_all(place, filter, &programs)?);
    Ok(tally)
}

/// What cannot be built for want of Debian packages, as arguments of Cargo and as skips.
fn leave_out(missing: &[String]) -> (Vec<String>, Tally) {
    let mut tally = Tally::default();
    let lacking = NEEDS
        .iter()
        .filter(|(_, debian)| missing.iter().any(|name| name == debian));
    let excluded = lacking.map(|(package, debian)| {
        tally.skip(package, &format!("Debian packages missing: {debian}"));
        format!("--exclude={package}")
    });
    (excluded.collect(), tally)
}

/// Runs of `cargo test`, of one build.
struct CargoTests<'a> {
    place: &'a Place,
    filter: Option<&'a str>,
    excluded: Vec<String>,
    programs: [(&'static str, &'a Path); 2],
}

impl CargoTests<'_> {
    /// Everything that was built.
    fn all(&self) -> Result<Tally, Failure> {
        self.run(&[], &[], None)
    }

    /// What says something about the second database, with it.
    fn on_postgresql(&self) -> Result<Tally, Failure> {
        println!("\nwith PostgreSQL:");
        let mut tally = Tally::default();
        for (program, skipped) in ON_POSTGRESQL {
            let skipped: Vec<_> = skipped.iter().flat_map(|part| ["--skip", *part]).collect();
            let mut one = self.run(&["--test", program], &skipped, Some(POSTGRESQL))?;
            for failed in &mut one.failed {
                failed.name.push_str(", with PostgreSQL");
            }
            tally.add(one);
        }
        Ok(tally)
    }

    /// `chosen` are words of Cargo's, `words` are for the test programs.
    fn run(&self, chosen: &[&str], words: &[&str], store: Option<&str>) -> Result<Tally, Failure> {
        let skips = std::env::temp_dir().join(format!("waxwing-skips-{}", std::process::id()));
        std::fs::write(&skips, "").map_err(Failure::file(&skips))?;
        let mut command = child::cargo(self.place, "test");
        command
            .args(["--workspace", "--no-fail-fast"])
            .args(chosen)
            .args(&self.excluded)
            .args(self.filter)
            // For the figures of tests that pass; whatever else they print is not shown.
            .args(["--", "--show-output"])
            .args(words)
            .envs(self.programs.iter().copied())
            .env(SKIPS_VARIABLE, &skips)
            .env(STORE_VARIABLE, store.unwrap_or_default());
        let mut output = CargoOutput::default();
        let done = read_lines(&mut command, |line| output.line(line));
        let mut tally = output.end();
        tally.note_end(done);
        tally.late_skips(&std::fs::read_to_string(&skips).map_err(Failure::file(&skips))?);
        std::fs::remove_file(&skips).map_err(Failure::file(&skips))?;
        Ok(tally)
    }
}

/// Runs it and hands on each line that it prints, of both its outputs, in their order; shows those of
/// which `show` says so.
pub(crate) fn read_lines(
    command: &mut Command,
    mut show: impl FnMut(&str) -> bool,
) -> Result<(), Failure> {
    let no_pipe = |source| Failure::Start {
        program: "a pipe".to_owned(),
        source,
    };
    let (output, input) = std::io::pipe().map_err(no_pipe)?;
    command
        .stdin(Stdio::null())
        .stdout(input.try_clone().map_err(no_pipe)?)
        .stderr(input);
    let child = command.spawn().map_err(child::start_failure(command));
    // The pipe ends when nobody can write to it any more: neither can this command.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = child?;
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    // Bytes, not text: what a test prints need not be UTF-8.
    while output
        .read_until(b'\n', &mut line)
        .map_err(child::start_failure(command))?
        > 0
    {
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        if show(text) {
            println!("{text}");
        }
        line.clear();
    }
    let status = child.wait().map_err(child::start_failure(command))?;
    child::expect_success(command, status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_built_is_left_out_and_named() {
        let (excluded, tally) = leave_out(&["libexpat1-dev".to_owned()]);
        assert_eq!(
            excluded,
            ["--exclude=waxwing-fuzz", "--exclude=waxwing-oracle"]
        );
        assert_eq!(tally.skipped[0].name, "waxwing-fuzz");
        assert_eq!(leave_out(&[]), (Vec::new(), Tally::default()));
    }

    /// A part that is not there any more would be left out of nothing.
    #[test]
    fn what_is_not_run_on_postgresql_is_there() {
        let daemon = include_str!("../../tests/tests/daemon/main.rs");
        let parts = ON_POSTGRESQL.iter().flat_map(|(_, parts)| *parts);
        for part in parts {
            let module = format!("mod {};", part.trim_end_matches("::"));
            assert!(daemon.contains(&module), "{module}");
        }
    }

    #[test]
    fn a_filter_that_nothing_matches_is_a_failure() {
        let nothing = Tally::default();
        assert!(
            matches!(found_any(&nothing, Some("rooster")), Err(Failure::Usage(text)) if text.contains("rooster"))
        );
        assert!(found_any(&nothing, None).is_ok());
        let mut some = Tally::default();
        some.skip("roster", "no display");
        assert!(found_any(&some, Some("roster")).is_ok());
    }

    #[test]
    fn lines_are_handed_on_and_the_status_counts() {
        let mut lines = Vec::new();
        let mut shell = Command::new("sh");
        shell.args([
            "-c",
            "echo ok a; echo a remark >&2; printf 'not ok b: \\377'; exit 3",
        ]);
        let done = read_lines(&mut shell, |line| {
            lines.push(line.to_owned());
            false
        });
        assert_eq!(lines, ["ok a", "a remark", "not ok b: \u{fffd}"]);
        assert!(matches!(done, Err(Failure::Child { .. })));
    }
}
