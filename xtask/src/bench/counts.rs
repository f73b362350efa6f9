//! `cargo xtask bench counts`: how many instructions the way of one message takes, beside `bench/counts.toml`.
//!
//! Times of two runs cannot be compared on machines that do other things too; instructions can. Valgrind counts those of
//! the server's own process (not the kernel's) between two runs of the generator that differ in nothing but how many
//! messages there are, so that log-ins cancel out. Messages come one at a time.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::peer::{Kept, Peer};
use super::play::{Play, Programs};
use super::running::Running;
use super::works::Shape;
use crate::args::Args;
use crate::child;
use crate::debian;
use crate::failure::Failure;
use crate::kept;
use crate::place::Place;
use crate::tally::{Failed, Tally};

/// Growth that fails.
const GROWTH_PERCENT_MAX: u64 = 3;
/// Messages a second: each has come before the next is sent, in a server that Valgrind makes fifty times slower.
const RATE: u32 = 50;
/// Lengths of the two runs, in seconds. What is between them is 1,000 messages: SQLite's log is copied back after 250
/// commits and is cheapest then, so that a whole number of its rounds comes out the same wherever it begins.
const SHORT_SECS: u32 = 2;
const LONG_SECS: u32 = 22;
/// Optimised, but by crates, which builds in half the time.
const PROFILE: &str = "counted";
const PACKAGE: &str = "valgrind";

/// The ways that are counted: name, over TLS, what the generator is told.
const WAYS: [(&str, bool, &[&str]); 3] = [
    ("plain", false, &["--no-store", "--no-stream-management"]),
    ("tls", true, &["--no-store", "--no-stream-management"]),
    ("stored", false, &[]),
];

/// `bench/counts.toml`.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Counts {
    /// Number of the decision that says what the last growth bought.
    decision: String,
    plain: u64,
    tls: u64,
    stored: u64,
}

impl Counts {
    fn read(path: &Path) -> Result<Counts, Failure> {
        let text = fs::read_to_string(path).map_err(Failure::file(path))?;
        toml::from_str(&text).map_err(|error| Failure::Answer {
            of: "bench/counts.toml",
            why: error.to_string(),
        })
    }

    fn of(&self, way: &str) -> u64 {
        match way {
            "plain" => self.plain,
            "tls" => self.tls,
            _ => self.stored,
        }
    }

    fn text(&self) -> String {
        format!(
            "# Instructions of the server for the way of one message, without the kernel's, one message at a time. `cargo xtask\n\
             # bench counts` counts them and fails where one grows by more than {GROWTH_PERCENT_MAX} %; `--write` takes what was\n\
             # counted. What grows needs a decision (docs/decisions) that says what was bought: `--write --because NNNN`.\n\
             \n\
             decision = \"{}\"\n\
             # Plain TCP, nothing stored.\n\
             plain = {}\n\
             # TLS 1.3, nothing stored.\n\
             tls = {}\n\
             # Plain TCP, stored, acknowledged by both sides.\n\
             stored = {}\n",
            self.decision, self.plain, self.tls, self.stored
        )
    }
}

/// What one way came to.
struct Counted {
    way: &'static str,
    before: u64,
    now: u64,
}

impl Counted {
    fn growth_percent(&self) -> f64 {
        (self.now as f64 / self.before as f64 - 1.0) * 100.0
    }

    /// What is written.
    fn taken(&self, raises: bool) -> u64 {
        if raises {
            self.now
        } else {
            self.now.min(self.before)
        }
    }

    fn has_grown(&self) -> bool {
        self.now * 100 > self.before * (100 + GROWTH_PERCENT_MAX)
    }

    fn said(&self) -> String {
        let Counted { way, before, now } = self;
        format!(
            "{way}: {now} instructions a message, {before} before ({:+.1} %)",
            self.growth_percent()
        )
    }
}

/// The task.
pub(super) fn run(place: &Place, mut args: Args) -> Result<(), Failure> {
    let write = args.flag("--write");
    let because = args.value("--because")?;
    args.finish()?;
    let missing = debian::ensure(&[PACKAGE.to_owned()]);
    if !missing.is_empty() {
        let text = format!("Debian packages missing: {}", missing.join(" "));
        return Err(Failure::Environment(text));
    }
    let path = path(place);
    let before = Counts::read(&path)?;
    let all = count(place, &before)?;
    let grown: Vec<&Counted> = all.iter().filter(|counted| counted.has_grown()).collect();
    if !write {
        return verdict(grown.len());
    }
    let decision = because.unwrap_or_else(|| before.decision.clone());
    if !grown.is_empty() && decision == before.decision {
        let text = "what has grown needs a decision that says what was bought: --because NNNN";
        return Err(Failure::Usage(text.to_owned()));
    }
    decided(place, &decision)?;
    let now = |way| all.iter().find(|counted| counted.way == way);
    // Without a new decision they only come down: little by little is growth too.
    let raises = decision != before.decision;
    let now = |way| now(way).map_or(0, |counted| counted.taken(raises));
    let counts = Counts {
        decision,
        plain: now("plain"),
        tls: now("tls"),
        stored: now("stored"),
    };
    fs::write(&path, counts.text()).map_err(Failure::file(&path))
}

/// As part of CI.
pub(crate) fn check(place: &Place, tally: &mut Tally) -> Result<(), Failure> {
    if !debian::ensure(&[PACKAGE.to_owned()]).is_empty() {
        tally.skip("bench/counts", "Debian package missing: valgrind");
        return Ok(());
    }
    let before = Counts::read(&path(place))?;
    decided(place, &before.decision)?;
    let all = count(place, &before)?;
    for counted in &all {
        match counted.has_grown() {
            true => tally.failed.push(Failed::named(counted.said())),
            false => tally.passed += 1,
        }
    }
    verdict(all.iter().filter(|counted| counted.has_grown()).count())
}

fn verdict(grown: usize) -> Result<(), Failure> {
    match grown {
        0 => Ok(()),
        count => Err(Failure::Found {
            what: "ways of a message that take more than they did",
            count,
        }),
    }
}

fn path(place: &Place) -> PathBuf {
    place.root.join("bench/counts.toml")
}

/// Whether there is such a decision.
fn decided(place: &Place, number: &str) -> Result<(), Failure> {
    let folder = place.root.join("docs/decisions");
    let entries = fs::read_dir(&folder).map_err(Failure::file(&folder))?;
    let mut names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let begin = format!("{number}-");
    match number.len() == 4 && names.any(|name| name.starts_with(&begin)) {
        true => Ok(()),
        false => Err(Failure::Usage(format!(
            "there is no decision {number} in docs/decisions"
        ))),
    }
}

fn count(place: &Place, before: &Counts) -> Result<Vec<Counted>, Failure> {
    let generators = Programs::build(place, "debug")?;
    let mut build = child::cargo(place, "build");
    child::run(build.args(["--package=waxwing", "--profile", PROFILE]))?;
    let server = kept::Kept::of(&place.program(PROFILE, "waxwing"))?;
    let shape = Shape {
        accounts: 2,
        roster: 0,
        ..Shape::QUICK
    };
    let play = Play::new(place, &generators, &[Peer::Waxwing], &shape)?;
    let mut all = Vec::new();
    for (way, tls, more) in WAYS {
        let count = || one(place, &play, server.program(), tls, more);
        let mut counted = Counted {
            way,
            before: before.of(way),
            now: count()?,
        };
        println!("{}", counted.said());
        if counted.has_grown() {
            counted.now = middle([counted.now, count()?, count()?]);
            println!("the middle of three: {}", counted.said());
        }
        all.push(counted);
    }
    Ok(all)
}

/// On a machine that does other things too, threads are woken more often or less.
fn middle(mut counts: [u64; 3]) -> u64 {
    counts.sort_unstable();
    counts[1]
}

/// Instructions of one message.
fn one(
    place: &Place,
    play: &Play<'_>,
    server: &Path,
    tls: bool,
    more: &[&str],
) -> Result<u64, Failure> {
    let site = play.copy(Peer::Waxwing)?;
    let counts = site.folder.join("counts");
    let wrapped = site.folder.join("waxwing.sh");
    let script = format!(
        "#!/bin/sh\nexec valgrind --quiet --tool=callgrind --callgrind-out-file='{}' '{}' \"$@\"\n",
        counts.display(),
        server.display()
    );
    fs::write(&wrapped, script).map_err(Failure::file(&wrapped))?;
    let executable = fs::Permissions::from_mode(0o700);
    fs::set_permissions(&wrapped, executable).map_err(Failure::file(&wrapped))?;
    let running = Running::start(place, Peer::Waxwing, Kept::Nothing, &wrapped, &site)?;
    let ids = running.ids();
    let id = ids.first().map(u32::to_string).unwrap_or_default();
    let mut parts = Vec::new();
    // The first run is for what is done once: it warms what is kept.
    for secs in [1, SHORT_SECS, LONG_SECS] {
        let mut generator = play.generator(tls);
        generator
            .args(["--scenario=chat", "--clients=2"])
            .args(more);
        generator.arg(format!("--rate={RATE}/s"));
        generator.arg(format!("--duration={secs}s"));
        super::play::expect_clean(&mut generator)?;
        let mut dump = Command::new("callgrind_control");
        dump.args(["--dump", &id]).stdout(Stdio::null());
        child::run_quietly(&mut dump)?;
        let part = site.folder.join(format!("counts.{}", parts.len() + 1));
        let text = fs::read_to_string(&part).map_err(Failure::file(&part))?;
        parts.push(total(&text)?);
    }
    running.discard();
    let messages = u64::from(RATE * (LONG_SECS - SHORT_SECS));
    let [_, short, long] = parts[..] else {
        return Ok(0);
    };
    Ok(long.saturating_sub(short) / messages)
}

/// The sum of a file of Callgrind's.
fn total(text: &str) -> Result<u64, Failure> {
    let sum = text.lines().rev().find_map(|line| {
        let sum = line.strip_prefix("totals:")?;
        sum.trim().parse().ok()
    });
    sum.ok_or_else(|| Failure::Answer {
        of: "Callgrind",
        why: "its file has no totals".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_beyond_the_limit_is_growth() {
        let counted = |now| Counted {
            way: "plain",
            before: 1_000,
            now,
        };
        assert!(!counted(1_030).has_grown() && !counted(10).has_grown());
        assert!(counted(1_031).has_grown());
        let taken = |now, raises| counted(now).taken(raises);
        assert_eq!((taken(1_010, false), taken(1_010, true)), (1_000, 1_010));
        assert_eq!((taken(990, false), taken(990, true)), (990, 990));
        let said = "plain: 1050 instructions a message, 1000 before (+5.0 %)";
        assert_eq!(counted(1_050).said(), said);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let counts = Counts {
            decision: "0017".to_owned(),
            plain: 1,
            tls: 2,
            stored: 3,
        };
        let read: Counts = toml::from_str(&counts.text()).unwrap();
        assert_eq!(read, counts);
        for (way, count) in [("plain", 1), ("tls", 2), ("stored", 3)] {
            assert_eq!(read.of(way), count);
        }
    }

    #[test]
    fn a_sum_is_found() {
        assert_eq!(total("fn=a\n1 2\ntotals: 17\n").unwrap(), 17);
        assert!(total("fn=a\n").is_err());
    }
}
