//! What a commit costs by how many entries it carries: `cargo bench -p waxwing-store --bench commits`.
//!
//! A message is a batch of its own, with an entry in the log of its receiver, or one each in those of its sender and
//! its receiver, as the server makes them. So many are submitted at once as are to share a commit; all but the last say
//! that nobody waits for them, so that the writer cannot begin before all are there. Entries of 500 bytes, in the logs
//! of 1,000 accounts in turn.
//!
//! Rounds of the rows are interleaved. Of throughput the best round counts, since noise only ever adds; latencies are
//! those of all rounds, from the first submission of a commit to the answer to its last. CPU is that of all threads in
//! all rounds, as the kernel counts it. The double is what the simulations run on; it keeps nothing. What a bare
//! `fdatasync` took in the same rounds stands below the table: much of a small commit is that.
//!
//! The database is made in Cargo's target folder; set `WAXWING_BENCH_DIR` for another disk.

use std::fs::{self, File};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use waxwing_store::{Append, Batch, Log, LogId, Marks, Memory, Owner, SqliteOptions, Store};

/// Entries in one commit.
const ENTRIES: [usize; 5] = [1, 2, 10, 100, 1_000];
/// Entries of one message: its receiver's, or its sender's too.
const OWNERS: [usize; 2] = [1, 2];
/// Accounts that messages go between.
const ACCOUNTS: usize = 1_000;
/// Bytes of a stored message.
const PAYLOAD_BYTES: usize = 500;
/// Rounds of each row.
const ROUNDS: usize = 4;
/// How long a round of the store on disk is.
const ROUND: Duration = Duration::from_millis(250);
/// Entries in a round of the double, which keeps them all in memory.
const DOUBLE_ENTRIES: usize = 50_000;
/// Calls of `fdatasync` in a round, for the line below the table.
const SYNCS: usize = 75;

static MESSAGES: Log<Message> = Log::new("messages", 1);

#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Message {
    #[prost(bytes = "vec", tag = "1")]
    stanza: Vec<u8>,
}

/// One row of the table.
struct Row {
    entries: usize,
    owners: usize,
    on_disk: bool,
    entries_a_sec: f64,
    done: usize,
    cpu: Option<Duration>,
    latencies: Vec<Duration>,
}

/// Makes batches whose log ids never go back.
struct Sender {
    owners: Vec<Owner>,
    message: Message,
    sent: usize,
}

#[allow(clippy::print_stdout, reason = "the table is what the bench is for")]
fn main() {
    let dir = Dir::new();
    let shapes = [MESSAGES.shape()];
    let store = Store::sqlite(&dir.0.join("store"), &SqliteOptions::default(), &shapes);
    let store = store.expect("a store");
    let mut sender = Sender::new();
    let mut rows: Vec<Row> = [true, false].into_iter().flat_map(rows).collect();
    let mut all_syncs = Vec::new();
    for _ in 0..ROUNDS {
        all_syncs.extend(syncs(&dir.0));
        for row in &mut rows {
            if row.on_disk {
                row.round(&store, &mut sender, |begin, _| begin.elapsed() < ROUND);
            } else {
                let double = Memory::new().open(&shapes).expect("a store");
                row.round(&double, &mut sender, |_, done| done < DOUBLE_ENTRIES);
            }
        }
    }
    println!(
        "entries of {PAYLOAD_BYTES} bytes, {ROUNDS} rounds, on {}",
        file_system(&dir.0)
    );
    println!(
        "{:<8} {:>14} {:>16} {:>11} {:>13} {:>10} {:>10}",
        "store",
        "entries/commit",
        "entries/message",
        "entries/s",
        "CPU µs/entry",
        "p50 ms",
        "p99 ms"
    );
    for row in &mut rows {
        row.latencies.sort_unstable();
        println!(
            "{:<8} {:>14} {:>16} {:>11.0} {:>13} {:>10.3} {:>10.3}",
            if row.on_disk { "SQLite" } else { "double" },
            row.entries,
            row.owners,
            row.entries_a_sec,
            row.cpu_micros(),
            millis(percentile(&row.latencies, 50)),
            millis(percentile(&row.latencies, 99)),
        );
    }
    all_syncs.sort_unstable();
    println!(
        "a write of 4 KiB and fdatasync, without a store: p50 {:.3} ms, p99 {:.3} ms",
        millis(percentile(&all_syncs, 50)),
        millis(percentile(&all_syncs, 99)),
    );
}

fn rows(on_disk: bool) -> impl Iterator<Item = Row> {
    OWNERS.into_iter().flat_map(move |owners| {
        let fitting = ENTRIES
            .into_iter()
            .filter(move |entries| *entries >= owners);
        fitting.map(move |entries| Row {
            entries,
            owners,
            on_disk,
            entries_a_sec: 0.0,
            done: 0,
            cpu: Some(Duration::ZERO),
            latencies: Vec::new(),
        })
    })
}

impl Row {
    fn cpu_micros(&self) -> String {
        let micros = |cpu: Duration| cpu.as_secs_f64() * 1e6 / self.done as f64;
        self.cpu
            .map_or_else(|| "unknown".to_owned(), |cpu| format!("{:.1}", micros(cpu)))
    }

    /// Commits, one after the other, as long as `goes_on` says by when it began and by how many entries are done.
    fn round(
        &mut self,
        store: &Store,
        sender: &mut Sender,
        goes_on: impl Fn(Instant, usize) -> bool,
    ) {
        let (answers, answered) = mpsc::channel();
        let (begin, cpu) = (Instant::now(), cpu());
        let mut busy = Duration::ZERO;
        let mut done = 0;
        while goes_on(begin, done) {
            let batches = sender.batches(self.entries / self.owners, self.owners);
            let count = batches.len();
            let start = Instant::now();
            for batch in batches {
                let answers = answers.clone();
                // Whether anybody hears it does not matter to who says it.
                store.submit(batch, move |outcome| drop(answers.send(outcome)));
            }
            for outcome in answered.iter().take(count) {
                outcome.expect("a commit");
            }
            let latency = start.elapsed();
            busy += latency;
            self.latencies.push(latency);
            done += self.entries;
        }
        self.entries_a_sec = self.entries_a_sec.max(done as f64 / busy.as_secs_f64());
        self.done += done;
        let used = cpu.zip(self::cpu()).map(|(before, after)| after - before);
        self.cpu = self.cpu.zip(used).map(|(all, used)| all + used);
    }
}

impl Sender {
    fn new() -> Sender {
        let owner = |number| Owner::account(&format!("account{number}@example.org"));
        Sender {
            owners: (0..ACCOUNTS).map(owner).collect(),
            message: Message {
                stanza: vec![b'm'; PAYLOAD_BYTES],
            },
            sent: 0,
        }
    }

    /// So many messages; all but the last wait for it.
    fn batches(&mut self, messages: usize, owners: usize) -> Vec<Batch> {
        let mut batches: Vec<Batch> = (0..messages).map(|_| self.batch(owners)).collect();
        batches.iter_mut().rev().skip(1).for_each(Batch::unhurried);
        batches
    }

    fn batch(&mut self, owners: usize) -> Batch {
        let mut batch = Batch::new();
        for number in 0..owners {
            self.sent += 1;
            // Neighbours in time are not neighbours in the index.
            let at = (self.sent * 7 + number * 389) % ACCOUNTS;
            let append = Append {
                id: LogId(self.sent as u64),
                marks: Marks::ARCHIVED,
                unique: None,
                address: None,
                payload: &self.message,
            };
            batch.append(&MESSAGES, &self.owners[at], append);
        }
        batch
    }
}

/// What the threads of this process have used, or nothing where the kernel does not say it in nanoseconds.
fn cpu() -> Option<Duration> {
    let tasks = fs::read_dir("/proc/self/task").ok()?;
    let nanos = tasks.map(|task| {
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    nanos.sum::<Option<u64>>().map(Duration::from_nanos)
}

/// How long a write into a file takes to be on disk, where the file need not grow for it.
fn syncs(dir: &Path) -> Vec<Duration> {
    const PAGE: [u8; 4_096] = [b's'; 4_096];
    let mut file = File::create(dir.join("syncs")).expect("a file");
    file.write_all(&PAGE.repeat(SYNCS)).expect("room");
    file.sync_all().expect("a disk");
    file.rewind().expect("a file");
    let sync = |_| {
        let start = Instant::now();
        file.write_all(&PAGE).expect("room");
        file.sync_data().expect("a disk");
        start.elapsed()
    };
    (0..SYNCS).map(sync).collect()
}

/// Type and device of the file system that a folder is on.
fn file_system(dir: &Path) -> String {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let dir = dir.canonicalize().unwrap_or_default();
    let fields = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ');
        Some((fields.next()?, fields.next()?, fields.next()?))
    });
    // Of two at one place the later one hides the other.
    let on = fields
        .filter(|(_, place, _)| dir.starts_with(place))
        .max_by_key(|(_, place, _)| place.len());
    match on {
        Some((_, _, "tmpfs")) => "tmpfs: NO DISK; set WAXWING_BENCH_DIR".to_owned(),
        Some((device, _, kind)) => format!("{kind} ({device})"),
        None => "an unknown file system".to_owned(),
    }
}

fn percentile(sorted: &[Duration], of_hundred: usize) -> Duration {
    let at = (sorted.len() * of_hundred / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or_default()
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// A folder that goes with this.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Dir {
        let base = std::env::var_os("WAXWING_BENCH_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
        let dir = base.join(format!("commits-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("a folder");
        Dir(dir)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        // Best effort: what stays is in a folder for such things.
        drop(fs::remove_dir_all(&self.0));
    }
}
