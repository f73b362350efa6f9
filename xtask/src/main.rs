//! The workspace's tasks. `cargo xtask help` lists them; one file of `src/` is one task.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a task talks to the person who started it"
)]

mod args;
mod bench;
mod cargo_output;
mod child;
mod ci;
mod deb;
mod debian;
mod deny;
mod docs;
mod failure;
mod fmt;
mod fuzz;
mod interop;
mod kept;
mod new_xep;
mod object_store;
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
    deb::TASK,
    bench::TASK,
    interop::TASK,
    fuzz::TASK,
];

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let name = words.next().unwrap_or_else(|| "help".to_owned());
    match run(&name, Args::new(words)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{}", complaint(&name, &failure));
            ExitCode::FAILURE
        }
    }
}

/// What a person is told. What they typed is quoted: it may do something to a terminal.
fn complaint(name: &str, failure: &Failure) -> String {
    let known = TASKS.iter().any(|task| task.name == name);
    let text = if known {
        format!("xtask {name}: {failure}")
    } else {
        format!("xtask: {failure}")
    };
    text.chars()
        .map(|c| match c {
            '\n' => c.to_string(),
            c if c.is_control() => c.escape_default().to_string(),
            c => c.to_string(),
        })
        .collect()
}

fn run(name: &str, args: Args) -> Result<(), Failure> {
    if matches!(name, "help" | "--help" | "-h") {
        help();
        return Ok(());
    }
    let task = TASKS
        .iter()
        .find(|task| task.name == name)
        .ok_or_else(|| unknown(name))?;
    if args.asks_for_help() {
        println!(
            "cargo xtask {} {}\n    {}",
            task.name, task.usage, task.about
        );
        return Ok(());
    }
    (task.run)(&Place::find()?, args)
}

fn unknown(name: &str) -> Failure {
    let names: Vec<_> = TASKS.iter().map(|task| task.name).collect();
    Failure::Usage(format!(
        "there is no task '{name}', but {}; `cargo xtask help` says what they do",
        names.join(", ")
    ))
}

fn help() {
    println!("cargo xtask TASK\n");
    for task in TASKS {
        println!("  {} {}\n      {}", task.name, task.usage, task.about);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_said_once_and_does_nothing_to_the_terminal() {
        let said = complaint("sr\u{1b}[31mve", &unknown("sr\u{1b}[31mve"));
        assert!(
            said.starts_with("xtask: there is no task 'sr\\u{1b}[31mve', but serve, test, "),
            "{said}"
        );
        let refused = Args::new(["--dmain".to_owned()]).finish().unwrap_err();
        assert_eq!(
            complaint("serve", &refused),
            "xtask serve: what is `--dmain`? (`cargo xtask help`)"
        );
    }
}
