//! What a server's processes use, as `/proc` tells.

use std::fs;
use std::io;

/// What processes have used until now, and hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Usage {
    /// Processor time in its own code, in seconds.
    pub user_secs: f64,
    /// Processor time in the kernel on its behalf, in seconds.
    pub system_secs: f64,
    /// Resident memory, in bytes.
    pub rss_bytes: u64,
    /// The same, with what is shared with others counted as a share, in bytes. 0 where it cannot be read.
    pub pss_bytes: u64,
}

/// Processes that are looked at again and again, with those that they start meanwhile. What was read last of one that has
/// ended goes on to count: the others are not to be lost with it.
#[derive(Debug, Default)]
pub struct Watched(Vec<Process>);

#[derive(Debug)]
struct Process {
    id: u32,
    /// What was read last.
    last: Option<Usage>,
    is_there: bool,
    /// Whether it was there when the watch began. Servers start others for a moment's work.
    is_from_the_beginning: bool,
}

impl Watched {
    /// These processes.
    #[must_use]
    pub fn new(processes: &[u32]) -> Watched {
        let all = processes.iter();
        Watched(all.map(|id| Process::new(*id, true)).collect())
    }

    /// What all of them have used; `None` where there are none, or nothing could be read of any yet. `ended` is called
    /// once for each that was there from the beginning, and cannot be read any more.
    pub fn read(&mut self, mut ended: impl FnMut(u32, io::Error)) -> Option<Usage> {
        self.find_started();
        let mut sum: Option<Usage> = None;
        for process in &mut self.0 {
            if process.is_there {
                match one(process.id) {
                    Ok(usage) => process.last = Some(usage),
                    Err(error) => {
                        process.is_there = false;
                        match &mut process.last {
                            _ if process.is_from_the_beginning => ended(process.id, error),
                            Some(last) => (last.rss_bytes, last.pss_bytes) = (0, 0),
                            None => {}
                        }
                    }
                }
            }
            if let Some(usage) = &process.last {
                sum = Some(sum.unwrap_or_default().with(usage));
            }
        }
        sum
    }

    /// Adds what those that are there have started.
    fn find_started(&mut self) {
        let there = self.0.iter().filter(|process| process.is_there);
        let there: Vec<u32> = there.map(|process| process.id).collect();
        if there.is_empty() {
            return;
        }
        for id in with_descendants(&there) {
            if !there.contains(&id) {
                self.0.push(Process::new(id, false));
            }
        }
    }
}

impl Process {
    fn new(id: u32, is_from_the_beginning: bool) -> Process {
        Process {
            id,
            last: None,
            is_there: true,
            is_from_the_beginning,
        }
    }
}

/// Clock ticks in a second, in which Linux counts processor time for programs on every architecture that we build for.
const TICKS: f64 = 100.0;
/// Bytes of a page of memory, as `/proc/PID/statm` counts.
const PAGE_BYTES: u64 = 4096;

impl Usage {
    /// Of these processes together.
    ///
    /// # Errors
    /// One of them is gone, or may not be looked at.
    pub fn of(processes: &[u32]) -> io::Result<Usage> {
        let mut sum = Usage::default();
        for process in processes {
            sum = sum.with(&one(*process)?);
        }
        Ok(sum)
    }

    /// Together with another's.
    fn with(self, other: &Usage) -> Usage {
        Usage {
            user_secs: self.user_secs + other.user_secs,
            system_secs: self.system_secs + other.system_secs,
            rss_bytes: self.rss_bytes + other.rss_bytes,
            pss_bytes: self.pss_bytes + other.pss_bytes,
        }
    }

    /// Processor time, in seconds.
    #[must_use]
    pub fn cpu_secs(&self) -> f64 {
        self.user_secs + self.system_secs
    }

    /// Processor time since another reading; memory as it is now.
    #[must_use]
    pub fn since(&self, earlier: &Usage) -> Usage {
        Usage {
            user_secs: self.user_secs - earlier.user_secs,
            system_secs: self.system_secs - earlier.system_secs,
            ..*self
        }
    }
}

fn one(process: u32) -> io::Result<Usage> {
    let broken = || {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "/proc says something unexpected",
        )
    };
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (user, system) = times(&stat).ok_or_else(broken)?;
    let statm = fs::read_to_string(format!("/proc/{process}/statm"))?;
    let pages: Option<u64> = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    // Another user's may not be read; its size still can.
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap_or_default();
    Ok(Usage {
        user_secs: user as f64 / TICKS,
        system_secs: system as f64 / TICKS,
        rss_bytes: pages.ok_or_else(broken)? * PAGE_BYTES,
        pss_bytes: pss_bytes(&rollup).unwrap_or_default(),
    })
}

/// Fields 14 and 15 of `/proc/PID/stat`; the second one, the program's name, may contain anything.
fn times(stat: &str) -> Option<(u64, u64)> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

fn pss_bytes(rollup: &str) -> Option<u64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// The processes that these have started, and those that they have, and these themselves, each once.
#[must_use]
pub fn with_descendants(processes: &[u32]) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter_map(|process| Some((process, parent(process)?)))
        .collect();
    let mut found = processes.to_vec();
    found.sort_unstable();
    found.dedup();
    let mut at = 0;
    while let Some(&process) = found.get(at) {
        let children = parents.iter().filter(|(_, parent)| *parent == process);
        for (child, _) in children {
            if !found.contains(child) {
                found.push(*child);
            }
        }
        at += 1;
    }
    found
}

fn parent(process: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_anything_in_it_confuses_nobody() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 1 0 5";
        assert_eq!(times(stat), Some((250, 50)));
        assert_eq!(times("7 (a"), None);
        assert_eq!(
            pss_bytes("Rss:   10 kB\nPss:     12 kB\nPss_Dirty: 3 kB\n"),
            Some(12 * 1024)
        );
        assert_eq!(pss_bytes(""), None);
    }

    #[test]
    fn this_process_uses_something() {
        let own = std::process::id();
        let usage = Usage::of(&[own]).unwrap();
        assert!(usage.rss_bytes > PAGE_BYTES && usage.cpu_secs() >= 0.0);
        assert!(with_descendants(&[own]).contains(&own));
        assert!(Usage::of(&[u32::MAX]).is_err());
    }

    #[test]
    fn who_is_named_twice_counts_once() {
        let own = std::process::id();
        let found = with_descendants(&[own, own]);
        assert_eq!(found.iter().filter(|process| **process == own).count(), 1);
    }

    #[test]
    fn what_is_started_meanwhile_counts() {
        let mut own = Watched::new(&[std::process::id()]);
        let nobody = |_: u32, _: io::Error| ();
        own.read(nobody).unwrap();
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        own.read(nobody).unwrap();
        let known = own.0.iter().find(|process| process.id == child.id());
        let known = known.map(|process| process.last.is_some());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(known, Some(true));
        // Its end is no fault of the run's.
        own.read(|_, _| unreachable!("nobody named it")).unwrap();
    }

    #[test]
    fn what_was_read_last_of_a_process_that_ended_counts() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let own = std::process::id();
        let mut alone = Watched::new(&[child.id()]);
        let mut both = Watched::new(&[child.id(), own]);
        let nobody = |_: u32, _: io::Error| unreachable!("both are there");
        let last = alone.read(nobody).unwrap();
        let last_of_both = both.read(nobody).unwrap();
        assert!(last.rss_bytes > 0);
        child.kill().unwrap();
        child.wait().unwrap();
        let mut ended = Vec::new();
        for _ in 0..2 {
            let now = alone.read(|process, _| ended.push(process));
            assert_eq!(now, Some(last));
            let now = both.read(|process, _| ended.push(process)).unwrap();
            assert!(now.cpu_secs() >= last_of_both.cpu_secs() && now.rss_bytes > 0);
        }
        assert_eq!(ended, [child.id(); 2]);
        assert_eq!(Watched::default().read(|_, _| ()), None);
    }
}
