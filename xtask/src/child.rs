//! Starting other programs.

use std::process::{Command, ExitStatus};

use crate::failure::Failure;
use crate::place::Place;

/// `cargo SUBCOMMAND`, in the checkout, with products in the cache folder.
pub(crate) fn cargo(place: &Place, subcommand: &str) -> Command {
    let mut command = Command::new("cargo");
    command
        .arg(subcommand)
        .current_dir(&place.root)
        .env("CARGO_TARGET_DIR", &place.target);
    command
}

/// Runs it with the person's own terminal; a status other than success is a failure.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    eprintln!("$ {}", shown(command));
    let status = command.status().map_err(start_failure(command))?;
    expect_success(command, status)
}

/// Runs it; what it says is shown only where it fails.
pub(crate) fn run_quietly(command: &mut Command) -> Result<(), Failure> {
    let output = command.output().map_err(start_failure(command))?;
    if !output.status.success() {
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
    }
    expect_success(command, output.status)
}

/// Runs it and gives what it wrote to standard output.
pub(crate) fn capture(command: &mut Command) -> Result<String, Failure> {
    command.stderr(std::process::Stdio::inherit());
    let output = command.output().map_err(start_failure(command))?;
    expect_success(command, output.status)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Says whether a program can be started and is content, without a word on the terminal.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

pub(crate) fn expect_success(command: &Command, status: ExitStatus) -> Result<(), Failure> {
    if status.success() {
        return Ok(());
    }
    Err(Failure::Child {
        command: shown(command),
        status: status.to_string(),
    })
}

pub(crate) fn start_failure(command: &Command) -> impl FnOnce(std::io::Error) -> Failure + use<> {
    let program = command.get_program().to_string_lossy().into_owned();
    move |source| Failure::Start { program, source }
}

/// The command as a person would type it, long file lists cut short.
fn shown(command: &Command) -> String {
    const WORDS_MAX: usize = 14;
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    if words.len() <= WORDS_MAX {
        return words.join(" ");
    }
    format!(
        "{} … ({} more)",
        words[..WORDS_MAX].join(" "),
        words.len() - WORDS_MAX
    )
}
