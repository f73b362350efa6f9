//! A server that runs, with the database that it needs.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::peer::{self, Kept, PLAIN_PORT, Peer, SQL_PORT, Site, TLS_PORT};
use crate::child;
use crate::debian;
use crate::failure::Failure;
use crate::place::Place;

/// Longest time until a server takes connections, and until it has ended.
const START_SECS_MAX: u64 = 60;
const STOP_SECS_MAX: u64 = 60;
/// How often it is looked at: a thousandth of the shortest start that is to be told apart.
const LOOK_EVERY: Duration = Duration::from_micros(200);

/// A server's processes; they end when this is dropped.
pub(super) struct Running {
    name: &'static str,
    /// What it was told by signal, and the process. The database ends last.
    processes: Vec<(&'static str, Child)>,
    /// From the start of the server's process until it took a connection.
    pub(super) start: Duration,
}

impl Running {
    /// Starts a server and waits until it takes connections.
    pub(super) fn start(
        place: &Place,
        peer: Peer,
        kept: Kept,
        waxwing: &Path,
        site: &Site,
    ) -> Result<Running, Failure> {
        if is_open(PLAIN_PORT) || is_open(SQL_PORT) {
            let text = format!("port {PLAIN_PORT} or {SQL_PORT} of 127.0.0.1 is taken");
            return Err(Failure::Environment(text));
        }
        let mut running = Running {
            name: peer.name(),
            processes: Vec::new(),
            start: Duration::ZERO,
        };
        if peer.has_database(kept) {
            running.start_database(place, site)?;
        }
        let command = peer.command(place, kept, waxwing, site)?;
        running.start = running.spawn("TERM", command, site, "server.out", PLAIN_PORT)?;
        // The other one is opened a moment later.
        let began = Instant::now();
        while !is_open(TLS_PORT) {
            if began.elapsed().as_secs() >= START_SECS_MAX {
                let text = format!("{} opens no port for TLS", peer.name());
                return Err(Failure::Environment(text));
            }
            sleep(LOOK_EVERY);
        }
        Ok(running)
    }

    /// Starts a database in a site, for what has to be done before its server runs.
    pub(super) fn database(place: &Place, site: &Site) -> Result<Running, Failure> {
        let mut running = Running {
            name: "PostgreSQL",
            processes: Vec::new(),
            start: Duration::ZERO,
        };
        running.start_database(place, site)?;
        Ok(running)
    }

    fn start_database(&mut self, place: &Place, site: &Site) -> Result<(), Failure> {
        let command = peer::database(place, site, debian::is_root())?;
        self.spawn("INT", command, site, "database.out", SQL_PORT)?;
        let began = Instant::now();
        while !child::succeeds(&mut peer::database_ready()) {
            if began.elapsed().as_secs() >= START_SECS_MAX {
                return Err(Failure::Environment(
                    "PostgreSQL does not answer".to_owned(),
                ));
            }
            sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Starts a process and waits for its port; how long that took.
    fn spawn(
        &mut self,
        signal: &'static str,
        mut command: Command,
        site: &Site,
        says: &str,
        port: u16,
    ) -> Result<Duration, Failure> {
        let says = site.folder.join(says);
        let file = fs::File::create(&says).map_err(Failure::file(&says))?;
        let other = file.try_clone().map_err(Failure::file(&says))?;
        command.stdin(Stdio::null()).stdout(file).stderr(other);
        let began = Instant::now();
        let child = command.spawn().map_err(child::start_failure(&command))?;
        self.processes.push((signal, child));
        while !is_open(port) {
            let ended = self
                .processes
                .last_mut()
                .and_then(|(_, child)| child.try_wait().ok()?);
            if ended.is_some() || began.elapsed().as_secs() >= START_SECS_MAX {
                let said = fs::read_to_string(&says).unwrap_or_default();
                let text = format!("{} does not start:\n{said}", self.name);
                return Err(Failure::Environment(text));
            }
            sleep(LOOK_EVERY);
        }
        Ok(began.elapsed())
    }

    /// Its processes, without those that they started.
    pub(super) fn ids(&self) -> Vec<u32> {
        self.processes.iter().map(|(_, child)| child.id()).collect()
    }

    /// Resident memory of all of its processes, in bytes.
    pub(super) fn resident_bytes(&self) -> u64 {
        let all = with_descendants(&self.ids(), &parents());
        all.into_iter().filter_map(resident_bytes).sum()
    }

    /// Ends it as its manual says, so that everything is on disk.
    pub(super) fn stop(mut self) {
        self.end();
    }

    /// Ends it at once, with whatever it has written.
    pub(super) fn discard(mut self) {
        for (signal, _) in &mut self.processes {
            // PostgreSQL's own processes would outlive one that is killed.
            *signal = if *signal == "INT" { "QUIT" } else { "KILL" };
        }
        self.end();
    }

    fn end(&mut self) {
        while let Some((signal, mut child)) = self.processes.pop() {
            let id = child.id().to_string();
            child::succeeds(Command::new("kill").args(["-s", signal, &id]));
            let began = Instant::now();
            while matches!(child.try_wait(), Ok(None)) {
                if began.elapsed().as_secs() >= STOP_SECS_MAX {
                    let _killed = child.kill();
                }
                sleep(Duration::from_millis(5));
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

fn is_open(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
}

/// Every process with the one that started it.
fn parents() -> Vec<(u32, u32)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter_map(|id: u32| {
        let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        Some((id, field(&status, "PPid:")?.try_into().ok()?))
    })
    .collect()
}

fn with_descendants(of: &[u32], parents: &[(u32, u32)]) -> Vec<u32> {
    let mut found = of.to_vec();
    let mut at = 0;
    while let Some(&process) = found.get(at) {
        let children = parents.iter().filter(|(_, parent)| *parent == process);
        found.extend(children.map(|(child, _)| *child));
        at += 1;
    }
    found
}

fn resident_bytes(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    Some(field(&status, "VmRSS:")? * 1024)
}

/// A number of `/proc/PID/status`.
fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descendants_of_descendants_count() {
        let parents = [(2, 1), (3, 2), (4, 9), (5, 3)];
        assert_eq!(with_descendants(&[2], &parents), [2, 3, 5]);
        assert_eq!(with_descendants(&[9, 5], &parents), [9, 5, 4]);
    }

    #[test]
    fn numbers_of_a_process_are_found() {
        let status = "Name:\tx\nPPid:\t17\nVmRSS:\t    1280 kB\n";
        assert_eq!(field(status, "PPid:"), Some(17));
        assert_eq!(field(status, "VmRSS:"), Some(1280));
        assert_eq!(field(status, "VmSwap:"), None);
        assert!(resident_bytes(std::process::id()).unwrap() > 100_000);
    }
}
