//! A test program that plays every section of every conversation, each as a test of its own: the
//! files are found, not listed, so that none can be forgotten.

#![expect(
    clippy::print_stdout,
    reason = "a test program says how its tests went"
)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use waxwing_testkit::conversation::{Conversation, Failure, Section};

/// Where conversations are, from the package `tests`.
const FOLDER: &str = "conversations";
/// A conversation beside them: the documentation's example.
const EXAMPLE: &str = "../docs/develop/conversations.md";

/// Longest time that a test waits because a conversation says so.
const PASSING_SECS_MAX: u64 = 3;

/// How a section is played.
pub struct Plays {
    /// First word of the tests' names.
    pub name: &'static str,
    /// Plays one section of a file.
    pub play: fn(&str, &Section) -> Result<(), Failure>,
    /// Why a section is not played here, if it is not.
    pub leaves_out: fn(&Section) -> Option<String>,
}

/// Every conversation over sockets with the built server; but for those in which more time passes than a test can wait.
#[must_use]
pub fn live() -> Plays {
    Plays {
        name: "live",
        play: crate::play_over_sockets,
        leaves_out: |section| {
            let too_long = section.too_long_for(PASSING_SECS_MAX * 1_000_000);
            too_long.then(|| {
                format!("more than {PASSING_SECS_MAX} seconds pass; it is played in memory")
            })
        },
    }
}

struct Test {
    name: String,
    path: String,
    section: Section,
}

/// Plays what the command line asks for, and says so as Rust's own test programs do.
#[must_use]
pub fn main(plays: &Plays) -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let filters: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let (mut tests, mut failures) = (Vec::new(), Vec::new());
    for file in files() {
        match read(&file) {
            Ok(conversation) => tests.extend(tests_of(plays.name, conversation)),
            Err(failure) => failures.push((format!("{}::{}", plays.name, stem(&file)), failure)),
        }
    }
    let wanted =
        |name: &str| filters.is_empty() || filters.iter().any(|f| name.contains(f.as_str()));
    tests.retain(|test| wanted(&test.name));
    failures.retain(|(name, _)| wanted(name));
    if words.iter().any(|word| word == "--list") {
        tests
            .iter()
            .for_each(|test| println!("{}: test", test.name));
        return ExitCode::SUCCESS;
    }
    run(plays, &tests, failures)
}

fn run(plays: &Plays, tests: &[Test], unread: Vec<(String, Failure)>) -> ExitCode {
    println!("\nrunning {} tests", tests.len() + unread.len());
    for (name, _) in &unread {
        println!("test {name} ... FAILED");
    }
    let failures = Mutex::new(
        unread
            .into_iter()
            .map(|(name, failure)| (name, failure.to_string()))
            .collect::<Vec<_>>(),
    );
    let left_out = AtomicUsize::new(0);
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(test) = tests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Some(why) = (plays.leaves_out)(&test.section) {
                        left_out.fetch_add(1, Ordering::Relaxed);
                        println!("not here {}: {why}", test.name);
                        continue;
                    }
                    match played(plays, test) {
                        Ok(()) => println!("test {} ... ok", test.name),
                        Err(what) => {
                            println!("test {} ... FAILED", test.name);
                            let mut failures = failures
                                .lock()
                                .unwrap_or_else(std::sync::PoisonError::into_inner);
                            failures.push((test.name.clone(), what));
                        }
                    }
                }
            });
        }
    });
    let failures = failures
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    verdict(tests.len(), left_out.into_inner(), &failures)
}

fn played(plays: &Plays, test: &Test) -> Result<(), String> {
    let outcome = catch_unwind(AssertUnwindSafe(|| (plays.play)(&test.path, &test.section)));
    match outcome {
        Ok(played) => played.map_err(|failure| failure.to_string()),
        Err(_) => Err(format!("{}:{}: a panic", test.path, test.section.line)),
    }
}

fn verdict(tests: usize, left_out: usize, failures: &[(String, String)]) -> ExitCode {
    for (name, what) in failures {
        println!("\n---- {name} ----\n{what}");
    }
    let passed = tests.saturating_sub(left_out + failures.len());
    let (word, code) = match failures.len() {
        0 => ("ok", ExitCode::SUCCESS),
        _ => ("FAILED", ExitCode::FAILURE),
    };
    println!(
        "\ntest result: {word}. {passed} passed; {} failed; 0 ignored; 0 measured; {left_out} filtered out\n",
        failures.len()
    );
    code
}

fn tests_of(name: &str, conversation: Conversation) -> impl Iterator<Item = Test> {
    let stem = stem(Path::new(&conversation.path));
    let prefix = format!("{name}::{stem}");
    conversation.sections.into_iter().map(move |section| Test {
        name: format!("{prefix}: {}", section.title),
        path: conversation.path.clone(),
        section,
    })
}

fn stem(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

fn read(path: &Path) -> Result<Conversation, Failure> {
    let shown = path.strip_prefix(root()).unwrap_or(path);
    let shown = shown.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| Failure {
        path: shown.clone(),
        line: 0,
        what: error.to_string(),
    })?;
    Conversation::parse(&shown, &text)
}

fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_owned()
}

/// Every conversation, by name. A folder that cannot be read shows as a file that cannot.
fn files() -> Vec<PathBuf> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = package.join(FOLDER);
    let mut files: Vec<PathBuf> = match std::fs::read_dir(&folder) {
        Ok(entries) => entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|ext| ext == "md"))
            .collect(),
        Err(_) => vec![folder],
    };
    files.push(root().join(EXAMPLE.trim_start_matches("../")));
    files.sort();
    files
}
