//! The servers, and how each is started.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;
use crate::place::Place;

/// A server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Peer {
    Waxwing,
    Prosody,
    Ejabberd,
}

/// What becomes of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// They go from client to client.
    Nothing,
    /// They are stored: with the peers, in both archives.
    Everything,
}

/// Where a server runs.
pub(super) struct Site {
    /// A folder of its own, with `data` in it.
    pub(super) folder: PathBuf,
    /// Folder with `cert.pem` and `key.pem`, and both in `chain.pem`.
    pub(super) tls: PathBuf,
    /// The processor that it is pinned to.
    pub(super) processor: usize,
}

/// Accounts' domain.
pub(super) const DOMAIN: &str = "localhost";
pub(super) const PLAIN_PORT: u16 = 17_822;
pub(super) const TLS_PORT: u16 = 17_823;
pub(super) const SQL_PORT: u16 = 17_832;

/// Where Debian has PostgreSQL's programs.
const POSTGRESQL: &str = "/usr/lib/postgresql/15/bin";
/// The account that Debian makes for it; it refuses to run as root.
const POSTGRESQL_USER: &str = "postgres";

impl Peer {
    pub(super) const ALL: [Peer; 3] = [Peer::Waxwing, Peer::Prosody, Peer::Ejabberd];

    /// The others.
    pub(super) const OTHERS: [Peer; 2] = [Peer::Prosody, Peer::Ejabberd];

    pub(super) fn name(self) -> &'static str {
        match self {
            Peer::Waxwing => "Waxwing",
            Peer::Prosody => "Prosody",
            Peer::Ejabberd => "ejabberd",
        }
    }

    /// Its folder in `bench/peers`.
    pub(super) fn folder(self) -> &'static str {
        match self {
            Peer::Waxwing => "waxwing",
            Peer::Prosody => "prosody",
            Peer::Ejabberd => "ejabberd",
        }
    }

    /// Debian's packages of it, and of what its fastest store needs.
    pub(super) fn packages(self) -> &'static [&'static str] {
        match self {
            Peer::Waxwing => &["sqlite3"],
            Peer::Prosody => &["prosody"],
            Peer::Ejabberd => &["ejabberd", "erlang-p1-pgsql", "postgresql-15"],
        }
    }

    fn configuration(self, kept: Kept) -> &'static str {
        match (self, kept) {
            (Peer::Waxwing, _) => "waxwing.toml",
            (Peer::Prosody, Kept::Nothing) => "nothing-stored.cfg.lua",
            (Peer::Prosody, Kept::Everything) => "archive.cfg.lua",
            (Peer::Ejabberd, Kept::Nothing) => "nothing-stored.yml",
            (Peer::Ejabberd, Kept::Everything) => "archive.yml",
        }
    }

    /// Whether its archive is in a server of its own.
    pub(super) fn has_database(self, kept: Kept) -> bool {
        self == Peer::Ejabberd && kept == Kept::Everything
    }

    /// Writes its configuration; what starts it.
    pub(super) fn command(
        self,
        place: &Place,
        kept: Kept,
        waxwing: &Path,
        site: &Site,
    ) -> Result<Command, Failure> {
        let name = self.configuration(kept);
        let written = site.folder.join(name);
        let template = place
            .root
            .join("bench/peers")
            .join(self.folder())
            .join(name);
        fill(&template, &written, site)?;
        let mut command = pinned(site.processor);
        match self {
            Peer::Waxwing => {
                command.arg(waxwing).arg("--config").arg(&written);
                command.arg("serve");
            }
            Peer::Prosody => {
                command.args(["prosody", "-F", "--config"]).arg(&written);
            }
            Peer::Ejabberd => {
                let libraries = erlang_libraries()?;
                let data = site.folder.join("data");
                // As ejabberdctl does, but for two things: schedulers that have nothing to do do not wait busily, which
                // would count as work, and the node has no name, since it has no others and nobody controls it.
                command.args(["erl", "+K", "true", "+P", "250000", "-noinput"]);
                command.args(["+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none"]);
                // Ctrl-C ends it, instead of asking what to do.
                command.args(["+Bd", "-mnesia", "dir"]);
                command.arg(format!("\"{}\"", data.display()));
                command.args(["-s", "ejabberd"]);
                command
                    .env("HOME", &site.folder)
                    .env("EJABBERD_CONFIG_PATH", &written)
                    .env("EJABBERD_LOG_PATH", site.folder.join("ejabberd.log"))
                    .env("ERL_CRASH_DUMP", site.folder.join("crash.dump"))
                    .env("ERL_LIBS", libraries)
                    .env("ERL_MAX_PORTS", "32000")
                    .env("ERL_MAX_ETS_TABLES", "1400");
            }
        }
        command.current_dir(&site.folder);
        Ok(command)
    }
}

/// Debian's packages of all servers.
pub(super) fn packages() -> Vec<String> {
    let all = Peer::ALL.into_iter().flat_map(Peer::packages);
    all.map(|name| (*name).to_owned()).collect()
}

/// What makes the database's folder, in which nothing is yet.
pub(super) fn database_init(data: &Path, as_root: bool) -> Command {
    let mut command = unprivileged(as_root);
    command.arg(format!("{POSTGRESQL}/initdb"));
    command.args(["--auth=trust", "--username=ejabberd", "--encoding=UTF8"]);
    command
        .args(["--no-locale", "--no-sync", "--pgdata"])
        .arg(data);
    command
}

/// What starts the database's server.
pub(super) fn database(place: &Place, site: &Site, as_root: bool) -> Result<Command, Failure> {
    let data = site.folder.join("database");
    let template = place.root.join("bench/peers/ejabberd/postgresql.conf");
    fill(&template, &data.join("postgresql.conf"), site)?;
    let mut command = pinned(site.processor);
    command.arg(unprivileged(as_root).get_program());
    command.args(unprivileged(as_root).get_args());
    command.arg(format!("{POSTGRESQL}/postgres")).arg("-D");
    command.arg(data);
    Ok(command)
}

/// What succeeds when the database answers, which is later than when its port is open.
pub(super) fn database_ready() -> Command {
    let mut command = Command::new(format!("{POSTGRESQL}/pg_isready"));
    command.args(["--quiet", "--host=127.0.0.1"]);
    command.arg(format!("--port={SQL_PORT}"));
    command
}

/// What gives the database its tables.
pub(super) fn database_tables() -> Vec<Command> {
    let client = |program: &str| {
        let mut command = Command::new(format!("{POSTGRESQL}/{program}"));
        command.args(["--host=127.0.0.1", "--username=ejabberd"]);
        command.arg(format!("--port={SQL_PORT}"));
        command
    };
    let mut made = client("createdb");
    made.arg("ejabberd");
    let mut filled = client("psql");
    filled.args([
        "--quiet",
        "--no-psqlrc",
        "--set=ON_ERROR_STOP=1",
        "--output=/dev/null",
    ]);
    filled.args(["--file=/usr/share/ejabberd/sql/pg.sql", "ejabberd"]);
    vec![made, filled]
}

/// `env` does nothing, where there is nobody else to be.
fn unprivileged(as_root: bool) -> Command {
    if !as_root {
        return Command::new("env");
    }
    let mut command = Command::new("setpriv");
    command.arg(format!("--reuid={POSTGRESQL_USER}"));
    command.arg(format!("--regid={POSTGRESQL_USER}"));
    command.args(["--clear-groups", "--pdeathsig=INT"]);
    command
}

/// Descriptors that a server or the generator may have open: twice the connections of the largest scenario.
const DESCRIPTORS: u32 = 16_384;

/// What runs a program on one processor, and not longer than this task, however that ends.
pub(super) fn pinned(processor: usize) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig=TERM", "prlimit"]);
    command.arg(format!("--nofile={DESCRIPTORS}:"));
    command.args(["taskset", "--cpu-list"]);
    command.arg(processor.to_string());
    command
}

fn fill(template: &Path, into: &Path, site: &Site) -> Result<(), Failure> {
    let text = fs::read_to_string(template).map_err(Failure::file(template))?;
    let tls = |name: &str| site.tls.join(name).display().to_string();
    let values = [
        ("@DIR@", site.folder.display().to_string()),
        ("@DOMAIN@", DOMAIN.to_owned()),
        ("@PLAIN_PORT@", PLAIN_PORT.to_string()),
        ("@TLS_PORT@", TLS_PORT.to_string()),
        ("@SQL_PORT@", SQL_PORT.to_string()),
        ("@CERTIFICATE@", tls("cert.pem")),
        ("@KEY@", tls("key.pem")),
        ("@CHAIN@", tls("chain.pem")),
    ];
    let text = values
        .iter()
        .fold(text, |text, (name, value)| text.replace(name, value));
    fs::write(into, text).map_err(Failure::file(into))
}

/// Where ejabberd's own programs have Erlang look for it.
fn erlang_libraries() -> Result<String, Failure> {
    let path = Path::new("/usr/sbin/ejabberdctl");
    let text = fs::read_to_string(path).map_err(Failure::file(path))?;
    quoted(&text, "ERL_LIBS=").ok_or_else(|| Failure::Answer {
        of: "ejabberdctl",
        why: "no ERL_LIBS".to_owned(),
    })
}

/// What a line of a shell script sets, in single quotes.
fn quoted(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let value = line.trim().strip_prefix('\'')?.strip_suffix('\'')?;
    Some(value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_from_a_script() {
        let text = "#!/bin/sh\nERL_LIBS_OF='/no'\nERL_LIBS='/usr/lib'\n";
        assert_eq!(quoted(text, "ERL_LIBS=").as_deref(), Some("/usr/lib"));
        assert_eq!(quoted("ERL_LIBS=x", "ERL_LIBS="), None);
    }

    /// Whoever reads them finds a reason at each line, and nothing is left to be filled in.
    #[test]
    fn configurations_are_there_and_are_filled_in_wholly() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let folder = std::env::temp_dir().join(format!("waxwing-filled-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let site = Site {
            folder: folder.clone(),
            tls: folder.clone(),
            processor: 0,
        };
        let kept = [Kept::Nothing, Kept::Everything];
        let mut names: Vec<(Peer, &str)> = Peer::ALL
            .into_iter()
            .flat_map(|peer| kept.map(|kept| (peer, peer.configuration(kept))))
            .collect();
        names.push((Peer::Ejabberd, "postgresql.conf"));
        for (peer, name) in names {
            let template = root.join("bench/peers").join(peer.folder()).join(name);
            let into = folder.join(name);
            fill(&template, &into, &site).unwrap();
            let text = fs::read_to_string(&into).unwrap();
            let is_place = |part: &str| {
                let fits = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
                !part.is_empty() && part.bytes().all(fits)
            };
            assert!(!text.split('@').any(is_place), "{name}: {text}");
        }
        fs::remove_dir_all(folder).unwrap();
    }
}
