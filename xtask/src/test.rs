//! `cargo xtask test`: every test there is. The workspace's own by `cargo test`, then the partners
//! in `interop/`. The last line is `N passed, N failed, N skipped`.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::Task;
use crate::args::Args;
use crate::child;
use crate::debian;
use crate::failure::Failure;
use crate::interop;
use crate::place::Place;
use crate::skips;
use crate::tally::Tally;

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
    tally.print();
    verdict(&tally)?;
    skips::judge(place, &tally)
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

/// Packages of the workspace whose tests need a Debian package: the parser that ours is compared
/// with is linked into them.
const NEEDS: &[(&str, &str)] = &[
    ("waxwing-fuzz", "libexpat1-dev"),
    ("waxwing-oracle", "libexpat1-dev"),
];

/// Runs everything and counts.
pub(crate) fn run_all(place: &Place, filter: Option<&str>) -> Result<Tally, Failure> {
    let mut needed: Vec<_> = NEEDS
        .iter()
        .map(|(_, debian)| (*debian).to_owned())
        .collect();
    needed.dedup();
    let (excluded, mut tally) = leave_out(&debian::ensure(&needed));
    // Programs and tests in one build: their dependencies get the same features, and are compiled
    // once. `cargo test` by itself would leave out the server's program.
    let mut build = child::cargo(place, "build");
    build
        .args(["--workspace", "--bins", "--tests"])
        .args(&excluded);
    if let Err(failure) = child::run(&mut build) {
        tally.failed.push(failure.to_string());
        return Ok(tally);
    }
    tally.add(cargo_tests(place, filter, &excluded)?);
    tally.add(interop::run_all(place, filter)?);
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

fn cargo_tests(place: &Place, filter: Option<&str>, excluded: &[String]) -> Result<Tally, Failure> {
    let skips = std::env::temp_dir().join(format!("waxwing-skips-{}", std::process::id()));
    std::fs::write(&skips, "").map_err(Failure::file(&skips))?;
    let mut command = child::cargo(place, "test");
    command
        .args(["--workspace", "--no-fail-fast"])
        .args(excluded)
        .args(filter)
        // Figures that tests print belong to what was shown.
        .args(["--", "--show-output"])
        .env("WAXWING_BIN", place.program("debug", "waxwing"))
        .env(SKIPS_VARIABLE, &skips);
    let mut tally = Tally::default();
    let done = read_lines(&mut command, |line| tally.cargo_line(line));
    if let Err(failure) = done
        && tally.failed.is_empty()
    {
        tally.failed.push(failure.to_string());
    }
    tally.late_skips(&std::fs::read_to_string(&skips).map_err(Failure::file(&skips))?);
    std::fs::remove_file(&skips).map_err(Failure::file(&skips))?;
    Ok(tally)
}

/// Runs it, shows its standard output as it comes, and hands on each line.
pub(crate) fn read_lines(command: &mut Command, mut each: impl FnMut(&str)) -> Result<(), Failure> {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(child::start_failure(command))?;
    let mut output = BufReader::new(child.stdout.take().ok_or_else(|| Failure::Answer {
        of: "the operating system",
        why: "no pipe".to_owned(),
    })?);
    let mut line = Vec::new();
    // Bytes, not text: what a test prints need not be UTF-8.
    while output
        .read_until(b'\n', &mut line)
        .map_err(child::start_failure(command))?
        > 0
    {
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        println!("{text}");
        each(text);
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

    #[test]
    fn lines_are_handed_on_and_the_status_counts() {
        let mut lines = Vec::new();
        let mut shell = Command::new("sh");
        shell.args(["-c", "printf 'ok a\\nnot ok b: \\377'; exit 3"]);
        let done = read_lines(&mut shell, |line| lines.push(line.to_owned()));
        assert_eq!(lines, ["ok a", "not ok b: \u{fffd}"]);
        assert!(matches!(done, Err(Failure::Child { .. })));
    }
}
