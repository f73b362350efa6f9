//! What the index of words costs: `cargo bench -p waxwing-store --bench words`.
//!
//! Messages of 554 bytes with a sentence of twelve words are stored, 100 in a commit, in the logs of 1,000 accounts in
//! turn: once in a log whose payloads have no text and no address, so that nothing is in the index, and once in one with
//! both. CPU is that of all threads, as the kernel counts it: until the last commit, and then until the index has followed.
//! While it follows, a commit of its own is made every five milliseconds: how long these take says how long
//! somebody waits for a step.
//!
//! The database is made in Cargo's target folder; set `WAXWING_BENCH_DIR` for another disk.

use std::fs;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use waxwing_store::{Append, Batch, Log, LogId, Marks, Owner, SqliteOptions, Store};

const ACCOUNTS: usize = 1_000;
const MESSAGES: usize = 200_000;
const IN_COMMIT: usize = 100;
const PAYLOAD_BYTES: usize = 554;
const SENTENCE_WORDS: usize = 12;
/// Words that there are; a few are said often.
const VOCABULARY: u64 = 20_000;
/// The index has followed when as little was used in a while as these.
const WHILE: Duration = Duration::from_millis(250);
const LITTLE: Duration = Duration::from_millis(20);

static MUTE: Log<Message> = Log::new("mute", 1);
static SPOKEN: Log<Message> = Log::new("spoken", 1).text(|message| Some(message.text.clone()));

#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Message {
    #[prost(string, tag = "1")]
    text: String,
    #[prost(bytes = "vec", tag = "2")]
    rest: Vec<u8>,
}

#[allow(clippy::print_stdout, reason = "the table is what the bench is for")]
fn main() {
    let base = std::env::var_os("WAXWING_BENCH_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    let dir = base.join(format!("words-{}", std::process::id()));
    fs::create_dir_all(&dir).expect("a folder");
    let shapes = [MUTE.shape(), SPOKEN.shape()];
    let store = Store::sqlite(&dir.join("store"), &SqliteOptions::default(), &shapes);
    let store = store.expect("a store");
    println!("{MESSAGES} messages; CPU µs each");
    println!(
        "{:<8} {:>12} {:>12} {:>10} {:>10}",
        "log", "stored", "followed", "p99 ms", "most ms"
    );
    for (name, log) in [
        ("mute", &MUTE),
        ("spoken", &SPOKEN),
        ("mute", &MUTE),
        ("spoken", &SPOKEN),
    ] {
        let row = round(&store, log, name == "spoken");
        let micros = |cpu: Duration| cpu.as_secs_f64() * 1e6 / MESSAGES as f64;
        println!(
            "{name:<8} {:>12.2} {:>12.2} {:>10.2} {:>10.2}",
            micros(row.stored),
            micros(row.followed),
            row.latencies[row.latencies.len() * 99 / 100].as_secs_f64() * 1e3,
            row.latencies[row.latencies.len() - 1].as_secs_f64() * 1e3,
        );
    }
    drop(store);
    for name in ["waxwing.db", "waxwing-words.db"] {
        let bytes = fs::metadata(dir.join("store").join(name)).map_or(0, |file| file.len());
        println!("{name}: {} MB", bytes / 1_000_000);
    }
    // Best effort: what stays is in a folder for such things.
    drop(fs::remove_dir_all(&dir));
}

struct Row {
    stored: Duration,
    followed: Duration,
    latencies: Vec<Duration>,
}

fn round(store: &Store, log: &'static Log<Message>, is_spoken: bool) -> Row {
    let owner = |number| Owner::account(&format!("account{number}@example.org"));
    let owners: Vec<Owner> = (0..ACCOUNTS).map(owner).collect();
    let mut dice = 7;
    let batch = |count: usize, dice: &mut u64| {
        let mut batch = Batch::new();
        for _ in 0..count {
            let text = sentence(dice);
            let rest = vec![b'm'; PAYLOAD_BYTES.saturating_sub(text.len())];
            let payload = Message { text, rest };
            let append = Append {
                id: next_id(),
                marks: Marks::ARCHIVED,
                unique: None,
                address: is_spoken.then_some("bob@example.org"),
                payload: &payload,
            };
            batch.append(log, &owners[next(dice) as usize % ACCOUNTS], append);
        }
        batch
    };
    let batches: Vec<Batch> = (0..MESSAGES / IN_COMMIT)
        .map(|_| batch(IN_COMMIT, &mut dice))
        .collect();
    let (answers, answered) = mpsc::channel();
    let begin = cpu();
    for batch in batches {
        let answers = answers.clone();
        store.submit(batch, move |outcome| drop(answers.send(outcome)));
        answered.recv().expect("an answer").expect("a commit");
    }
    let stored = cpu() - begin;
    let mut latencies = Vec::new();
    let mut trickle = Duration::ZERO;
    loop {
        let (window, before) = (Instant::now(), cpu());
        let mut own = Duration::ZERO;
        while window.elapsed() < WHILE {
            let one = batch(1, &mut dice);
            let start = Instant::now();
            let answers = answers.clone();
            store.submit(one, move |outcome| drop(answers.send(outcome)));
            answered.recv().expect("an answer").expect("a commit");
            latencies.push(start.elapsed());
            own += Duration::from_micros(150);
            sleep(Duration::from_millis(5));
        }
        trickle += own;
        if cpu() - before < own + LITTLE {
            break;
        }
    }
    latencies.sort_unstable();
    Row {
        stored,
        followed: (cpu() - begin).saturating_sub(stored + trickle),
        latencies,
    }
}

fn sentence(dice: &mut u64) -> String {
    let words = (0..SENTENCE_WORDS).map(|_| {
        // The product of two is small more often than large.
        let word = next(dice) % VOCABULARY * (next(dice) % VOCABULARY) / VOCABULARY;
        format!("w{word:x}o{:x}", word * 7 % 97)
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The next of a row of numbers that look like chance.
fn next(dice: &mut u64) -> u64 {
    *dice = dice
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    *dice >> 33
}

fn next_id() -> LogId {
    use std::sync::atomic::{AtomicU64, Ordering};
    static LAST: AtomicU64 = AtomicU64::new(0);
    LogId(LAST.fetch_add(1, Ordering::Relaxed) + 1)
}

/// What the threads of this process have used.
fn cpu() -> Duration {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux");
    let nanos = tasks.map(|task| {
        let text = task
            .and_then(|task| fs::read_to_string(task.path().join("schedstat")))
            .unwrap_or_default();
        text.split(' ')
            .next()
            .and_then(|nanos| nanos.parse::<u64>().ok())
            .unwrap_or(0)
    });
    Duration::from_nanos(nanos.sum())
}
