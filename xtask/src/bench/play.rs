//! Plays the works, round by round, each on a fresh copy of what was prepared.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use super::measured::{Results, Run};
use super::peer::{self, DOMAIN, Kept, PLAIN_PORT, Peer, Site, TLS_PORT};
use super::running::Running;
use super::scratch::Scratch;
use super::works::{Accounts, Kind, Load, Pace, STORED, Shape, Work};
use crate::child;
use crate::debian;
use crate::failure::Failure;
use crate::kept;
use crate::place::Place;

/// How long a server that was started is left alone before its memory is looked at.
const REST: Duration = Duration::from_secs(3);
/// Where nothing is known of the peers: half of what they carried when this was written.
const HALF_RATE_UNKNOWN: f64 = 1_500.0;

/// The programs of ours that take part.
pub(super) struct Programs {
    pub(super) waxwing: PathBuf,
    pub(super) load: PathBuf,
    /// Another checkout may build into the same folder meanwhile.
    _kept: [kept::Kept; 2],
}

impl Programs {
    pub(super) fn build(place: &Place, profile: &str) -> Result<Programs, Failure> {
        let mut build = child::cargo(place, "build");
        build.args(["--package=waxwing", "--package=waxwing-load"]);
        child::run(build.args((profile == "release").then_some("--release")))?;
        let keep = |name| kept::Kept::of(&place.program(profile, name));
        let kept = [keep("waxwing")?, keep("waxwing-load")?];
        Ok(Programs {
            waxwing: kept[0].program().to_owned(),
            load: kept[1].program().to_owned(),
            _kept: kept,
        })
    }
}

pub(super) struct Play<'p> {
    place: &'p Place,
    programs: &'p Programs,
    peers: &'p [Peer],
    shape: &'p Shape,
    scratch: Scratch,
    /// What runs leave for people and for the page of charts.
    out: PathBuf,
    /// The generator's and the server's.
    processors: [usize; 2],
}

impl<'p> Play<'p> {
    /// Prepares all servers: a certificate, and accounts with rosters.
    pub(super) fn new(
        place: &'p Place,
        programs: &'p Programs,
        peers: &'p [Peer],
        shape: &'p Shape,
    ) -> Result<Play<'p>, Failure> {
        let out = place.target.join("bench");
        let _none_yet = fs::remove_dir_all(&out);
        fs::create_dir_all(&out).map_err(Failure::file(&out))?;
        let play = Play {
            place,
            programs,
            peers,
            shape,
            scratch: Scratch::new()?,
            out,
            processors: processors()?,
        };
        play.certificate()?;
        for &peer in peers {
            eprintln!("{}: {} accounts", peer.name(), shape.accounts);
            play.prepare(peer)?;
        }
        Ok(play)
    }

    /// All works, all rounds.
    pub(super) fn all(&mut self, works: &[Work]) -> Result<Results, Failure> {
        let mut results = Results::default();
        for round in 1..=self.shape.rounds {
            for work in works.iter().filter(|work| round == 1 || !work.once) {
                for &peer in self.peers {
                    if work.own_only && peer != Peer::Waxwing {
                        continue;
                    }
                    eprintln!("round {round}, {}: {}", peer.name(), work.title);
                    let run = self.one(work, peer, round, &results);
                    // The others are still worth knowing.
                    let run = run.unwrap_or_else(|failure| Run::failed(failure.to_string()));
                    eprintln!("    {}", said(&run, self.shape.figures));
                    results.add(work.key, peer, run);
                }
            }
        }
        Ok(results)
    }

    /// A page of charts of the first round.
    pub(super) fn charts(&self, programs: &Programs) -> Result<PathBuf, Failure> {
        let page = self.out.join("report.html");
        let entries = fs::read_dir(&self.out).map_err(Failure::file(&self.out))?;
        let mut runs: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.to_string_lossy().ends_with("-1.json"))
            .collect();
        runs.sort();
        let mut command = Command::new(&programs.load);
        command.arg("report").args(&runs).arg("--out").arg(&page);
        child::run(&mut command)?;
        Ok(page)
    }

    fn tls(&self) -> PathBuf {
        self.scratch.path().join("tls")
    }

    /// One certificate for all, of the kind that Waxwing makes: ECDSA P-256.
    fn certificate(&self) -> Result<(), Failure> {
        let tls = self.tls();
        let mut command = Command::new(&self.programs.waxwing);
        command.args(["certificate", "local", "--json", "--domain", DOMAIN]);
        child::capture(command.arg("--dir").arg(&tls))?;
        let read = |name: &str| {
            let path = tls.join(name);
            fs::read_to_string(&path).map_err(Failure::file(path))
        };
        let chain = read("cert.pem")? + &read("key.pem")?;
        let path = tls.join("chain.pem");
        fs::write(&path, chain).map_err(Failure::file(path))
    }

    /// A fresh folder for a server.
    fn site(&self, name: &str) -> Result<Site, Failure> {
        let folder = self.scratch.path().join(name);
        let _none_yet = fs::remove_dir_all(&folder);
        let data = folder.join("data");
        fs::create_dir_all(&data).map_err(Failure::file(&data))?;
        Ok(Site {
            folder,
            tls: self.tls(),
            processor: self.processors[1],
        })
    }

    fn prepare(&self, peer: Peer) -> Result<(), Failure> {
        let site = self.site(peer.folder())?;
        if peer.has_database(Kept::Everything) {
            self.prepare_database(&site)?;
        }
        let waxwing = &self.programs.waxwing;
        let running = Running::start(self.place, peer, Kept::Nothing, waxwing, &site)?;
        let mut generator = self.generator(false);
        let clients = self.shape.accounts.to_string();
        let roster = self.shape.roster.to_string();
        generator.args(["--scenario=prepare", "--register", "--clients", &clients]);
        generator.args(["--roster", &roster]);
        expect_clean(&mut generator)?;
        running.stop();
        Ok(())
    }

    /// Database tables, in which nothing is yet.
    fn prepare_database(&self, site: &Site) -> Result<(), Failure> {
        let data = site.folder.join("database");
        fs::create_dir(&data).map_err(Failure::file(&data))?;
        let as_root = debian::is_root();
        if as_root {
            child::capture(Command::new("chown").arg("postgres:").arg(&data))?;
        }
        child::capture(&mut peer::database_init(&data, as_root))?;
        let running = Running::database(self.place, site)?;
        for mut command in peer::database_tables() {
            child::capture(&mut command)?;
        }
        running.stop();
        Ok(())
    }

    /// A copy of what was prepared.
    pub(super) fn copy(&self, peer: Peer) -> Result<Site, Failure> {
        let site = self.site("run")?;
        let from = self.scratch.path().join(peer.folder());
        let mut copy = Command::new("cp");
        copy.args(["--archive", "--reflink=auto"]);
        child::capture(copy.arg(from.join(".")).arg(&site.folder))?;
        Ok(site)
    }

    /// A copy of what was prepared, with 100,000 accounts more.
    fn with_many_accounts(&self, peer: Peer) -> Result<Site, Failure> {
        let site = self.copy(peer)?;
        let script = self
            .place
            .root
            .join("crates/store/benches/many-accounts.sql");
        let script = fs::File::open(&script).map_err(Failure::file(&script))?;
        let mut command = Command::new("sqlite3");
        command.args(["-bail", "-batch"]);
        command.arg(site.folder.join("data/waxwing.db"));
        child::run_quietly(command.stdin(script))?;
        Ok(site)
    }

    fn one(&self, work: &Work, peer: Peer, round: u32, so_far: &Results) -> Result<Run, Failure> {
        let site = match work.kind {
            Kind::Start {
                accounts: Accounts::None,
            } => self.site("run")?,
            Kind::Start {
                accounts: Accounts::Many,
            } => self.with_many_accounts(peer)?,
            _ => self.copy(peer)?,
        };
        // What was copied is on disk before it begins, so that nobody's own writes wait for it.
        child::succeeds(&mut Command::new("sync"));
        let waxwing = &self.programs.waxwing;
        let running = Running::start(self.place, peer, work.kept, waxwing, &site)?;
        let run = match work.kind {
            Kind::Start { .. } => {
                sleep(REST);
                Run {
                    start_secs: Some(running.start.as_secs_f64()),
                    resident_bytes: Some(running.resident_bytes() as f64),
                    ..Run::default()
                }
            }
            Kind::Load(load) => {
                let name = format!("{}-{}-{round}.json", work.key, peer.folder());
                let file = self.out.join(name);
                let label = format!("{}, {}", peer.name(), work.key);
                self.load(&load, &running, &file, &label, so_far)?
            }
        };
        running.discard();
        Ok(run)
    }

    /// Has the generator play one work.
    fn load(
        &self,
        load: &Load,
        running: &Running,
        file: &Path,
        label: &str,
        so_far: &Results,
    ) -> Result<Run, Failure> {
        if let Some(first) = load.before {
            let clients = first.clients.min(self.shape.accounts).to_string();
            let mut before = self.generator(false);
            before.args(["--clients", &clients]).args(first.told);
            expect_clean(&mut before)?;
        }
        let clients = load.clients.unwrap_or(u32::MAX).min(self.shape.accounts);
        let mut generator = self.generator(load.tls);
        generator.args(["--scenario", load.scenario, "--label", label]);
        generator.args(["--clients", &clients.to_string()]);
        generator.arg(format!("--duration={}s", self.shape.secs));
        let rate = match load.pace {
            Pace::AsFastAsItGoes => None,
            Pace::PerSecond(rate) => Some(f64::from(rate)),
            Pace::HalfOfPeers => Some(
                so_far
                    .better_per_second(STORED)
                    .map_or(HALF_RATE_UNKNOWN, |it| it / 2.0),
            ),
        };
        if let Some(rate) = rate {
            generator.arg(format!("--rate={rate:.0}/s"));
        }
        let ids: Vec<String> = running.ids().iter().map(u32::to_string).collect();
        generator.arg(format!("--pid={}", ids.join(",")));
        generator.args(load.more).arg("--json").arg(file);
        generator.stdout(Stdio::null());
        // What went wrong stands in the file; a generator that writes none has said why.
        let status = generator
            .status()
            .map_err(child::start_failure(&generator))?;
        Ok(match fs::read_to_string(file) {
            Ok(json) => Run::read(&json),
            Err(error) => Run::failed(format!("the generator wrote nothing ({status}): {error}")),
        })
    }

    pub(super) fn generator(&self, tls: bool) -> Command {
        let mut command = peer::pinned(self.processors[0]);
        let (port, transport) = if tls {
            (TLS_PORT, "tls")
        } else {
            (PLAIN_PORT, "plain")
        };
        command.arg(&self.programs.load).args(["run", "--quiet"]);
        command.arg(format!("--server=127.0.0.1:{port}"));
        command.args(["--transport", transport, "--domain", DOMAIN]);
        // At saturation much is under way when the time is over, and all of it has to come.
        command.args(["--settle", "60s"]);
        command
    }
}

/// A run that is not measured, and in which nothing may go wrong either: what it says is shown only then.
pub(super) fn expect_clean(generator: &mut Command) -> Result<(), Failure> {
    let output = generator
        .output()
        .map_err(child::start_failure(generator))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let wrong: Vec<&str> = said
        .lines()
        .filter(|line| line.starts_with("error"))
        .collect();
    let complained = String::from_utf8_lossy(&output.stderr).into_owned();
    let text = format!("the generator: {}{complained}", wrong.join("; "));
    Err(Failure::Environment(text.trim().to_owned()))
}

/// A run in a line.
fn said(run: &Run, figures: bool) -> String {
    if !figures {
        return match run.complaints.is_empty() {
            true => "everything came once and in order".to_owned(),
            false => run.complaints.join(", "),
        };
    }
    let figure = |name: &str, figure: Option<f64>| {
        figure.map(|figure| format!("{} {name}", super::numbers::shown(figure)))
    };
    let mut all: Vec<String> = [
        figure("µs each", run.micros()),
        figure("a second", run.per_second),
        figure("µs p99", run.p99_micros),
        figure(
            "KiB a session",
            run.session_bytes.map(|bytes| bytes / 1024.0),
        ),
        figure("s to start", run.start_secs),
    ]
    .into_iter()
    .flatten()
    .collect();
    all.extend(run.complaints.iter().cloned());
    all.join(", ")
}

/// The first two processors that this task may use.
fn processors() -> Result<[usize; 2], Failure> {
    let path = "/proc/self/status";
    let status = fs::read_to_string(path).map_err(Failure::file(path))?;
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    match list.map(listed).as_deref() {
        Some(&[generator, server, ..]) => Ok([generator, server]),
        _ => Err(Failure::Environment(
            "two processors are needed: one for a server, one for the generator".to_owned(),
        )),
    }
}

/// Numbers of a list such as `0-2,7`.
fn listed(text: &str) -> Vec<usize> {
    let parts = text.trim().split(',');
    let ranges = parts.filter_map(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse::<usize>().ok()?..=last.parse().ok()?)
    });
    ranges.flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_processors() {
        assert_eq!(listed("\t0-2,7\n"), [0, 1, 2, 7]);
        assert_eq!(listed("3"), [3]);
        assert!(listed("").is_empty());
    }

    #[test]
    fn a_run_is_told_in_a_line() {
        let run = Run {
            user_micros: Some(1.5),
            system_micros: Some(0.5),
            complaints: vec!["2 messages lost".to_owned()],
            ..Run::default()
        };
        assert_eq!(said(&run, true), "2.00 µs each, 2 messages lost");
        assert_eq!(said(&run, false), "2 messages lost");
        assert_eq!(said(&Run::default(), true), "");
    }
}
