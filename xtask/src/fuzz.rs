//! `cargo xtask fuzz`: looks for new inputs with libFuzzer, for a bounded time, from the committed
//! corpus. (CI replays and mutates the corpora by ordinary tests.)

use std::fs;
use std::process::Command;

use crate::Task;
use crate::args::Args;
use crate::child;
use crate::failure::Failure;
use crate::place::Place;

pub(crate) const TASK: Task = Task {
    name: "fuzz",
    usage: "TARGET [--seconds N]",
    about: "fuzzes a target for N seconds (60); what breaks a promise is kept and named",
    run,
};

/// Coverage as libFuzzer wants it; these options are in the stable compiler.
const INSTRUMENTATION: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
];

fn run(place: &Place, mut args: Args) -> Result<(), Failure> {
    let seconds = args.value("--seconds")?.unwrap_or_else(|| "60".to_owned());
    if seconds.parse::<u32>().is_err() {
        return Err(Failure::Usage("--seconds wants a number".to_owned()));
    }
    let target = args.word().unwrap_or_default();
    args.finish()?;
    let corpus = place.root.join("fuzz/corpora").join(&target);
    if target.is_empty() || !corpus.is_dir() {
        let known = targets(place)?.join(", ");
        return Err(Failure::Usage(format!("which target? There are: {known}")));
    }
    // New inputs go to the cache folder: what is committed is chosen by hand, and small.
    let found = place.cache.join("fuzz").join(&target);
    fs::create_dir_all(&found).map_err(Failure::file(&found))?;

    let products = place.cache.join("target-fuzz");
    let mut build = Command::new("cargo");
    build
        .args([
            "build",
            "--release",
            "--locked",
            "--target",
            &host(),
            "--manifest-path",
        ])
        .arg(place.root.join("fuzz/libfuzzer/Cargo.toml"))
        .env("CARGO_TARGET_DIR", &products)
        .env("RUSTFLAGS", INSTRUMENTATION.join(" "));
    child::run(&mut build)?;

    let program = products.join(host()).join("release/waxwing-libfuzzer");
    let mut fuzz = Command::new(program);
    fuzz.current_dir(&found)
        .env("WAXWING_FUZZ_TARGET", &target)
        .arg(format!("-max_total_time={seconds}"))
        .args([&found, &corpus]);
    child::run(&mut fuzz)
}

/// Naming a target keeps the instrumentation away from build scripts.
fn host() -> String {
    format!("{}-unknown-linux-gnu", std::env::consts::ARCH)
}

/// The corpora's names are the targets'.
fn targets(place: &Place) -> Result<Vec<String>, Failure> {
    let folder = place.root.join("fuzz/corpora");
    let entries = fs::read_dir(&folder).map_err(Failure::file(&folder))?;
    let names = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<_> = names.collect();
    names.sort();
    Ok(names)
}
