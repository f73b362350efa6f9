//! Looks for inputs that break a promise, longer than the tests do:
//! `cargo run --release -p waxwing-fuzz -- TARGET SEED INPUTS`.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program says what it finds"
)]

use std::process::ExitCode;
use waxwing_fuzz::campaign::{self, Outcome};
use waxwing_fuzz::{TARGETS, corpus};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [target, seed, inputs] = &arguments[..] else {
        return match &arguments[..] {
            [word] if word == "transcripts" => write_transcripts(),
            _ => usage(),
        };
    };
    let target = TARGETS.iter().find(|(name, _)| name == target);
    let (Some(target), Ok(seed), Ok(inputs)) = (target, seed.parse(), inputs.parse()) else {
        return usage();
    };
    match campaign::run(*target, seed, inputs) {
        Ok(Outcome::Kept(accepted)) => {
            println!(
                "{}: seed {seed}: {accepted} of {inputs} inputs accepted",
                target.0
            );
            ExitCode::SUCCESS
        }
        Ok(Outcome::Broken(number, input)) => {
            eprintln!(
                "{}: seed {seed}, input {number}: {}",
                target.0,
                input.escape_ascii()
            );
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("the corpus: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes the log-ins that corpora of negotiation begin with, which change when what is said does.
fn write_transcripts() -> ExitCode {
    for (target, name, bytes) in waxwing_fuzz::transcripts() {
        let path = corpus::folder(target).join(name);
        if let Err(error) = std::fs::write(&path, bytes) {
            eprintln!("{}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("usage: waxwing-fuzz transcripts | TARGET SEED INPUTS; targets:");
    for (name, _) in TARGETS {
        eprintln!("  {name}");
    }
    ExitCode::FAILURE
}
