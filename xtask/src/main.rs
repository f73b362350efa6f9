//! The workspace's tasks. `cargo xtask help` lists them; one file of `src/` is one task.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a task talks to the person who started it"
)]

mod args;
mod child;
mod ci;
mod debian;
mod deny;
mod docs;
mod failure;
mod fmt;
mod fuzz;
mod interop;
mod new_xep;
mod place;
mod serve;
mod skips;
mod tally;
mod test;
mod tidy;
mod wasm;

use std::process::ExitCode;

use args::Args;
use failure::Failure;
use place::Place;

/// One task: what a person types, and what it does.
pub(crate) struct Task {
    pub(crate) name: &'static str,
    /// What follows the name on the command line.
    pub(crate) usage: &'static str,
    pub(crate) about: &'static str,
    pub(crate) run: fn(&Place, Args) -> Result<(), Failure>,
}

const TASKS: &[Task] = &[
    serve::TASK,
    test::TASK,
    ci::TASK,
    tidy::TASK,
    fmt::TASK,
    new_xep::TASK,
    docs::TASK,
    interop::TASK,
    fuzz::TASK,
];

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let name = words.next().unwrap_or_else(|| "help".to_owned());
    match run(&name, Args::new(words)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask {name}: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(name: &str, args: Args) -> Result<(), Failure> {
    if matches!(name, "help" | "--help" | "-h") {
        help();
        return Ok(());
    }
    let task = TASKS
        .iter()
        .find(|task| task.name == name)
        .ok_or_else(|| Failure::Usage(format!("no such task; try `cargo xtask help` ({name})")))?;
    (task.run)(&Place::find()?, args)
}

fn help() {
    println!("cargo xtask TASK\n");
    for task in TASKS {
        println!("  {} {}\n      {}", task.name, task.usage, task.about);
    }
}
