//! The Waxwing server's program: sockets, TLS, HTTP, configuration, admin commands. A library only so
//! that its configuration can be fuzzed.
//!
//! Exit codes: 0 done; 1 refused or failed, the reason is on standard error; 2 the command line or
//! the configuration file is wrong.

mod accepting;
mod accounts;
mod admin_socket;
mod authority;
mod backups;
mod bosh;
mod certificate_command;
mod certificates;
mod check;
mod cli;
mod client;
mod config;
mod data_dir;
mod doctor;
mod domain;
mod exporter;
mod generate;
mod host_meta;
mod http;
mod listen;
mod logging;
mod manual;
mod notify;
mod one_port;
mod outside;
mod proxy;
mod reload;
mod serve;
mod site;
mod terminal;
mod tls;
mod web;
mod websocket;
mod write_limit;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::cli::{Certificate, Cli, Command};
use crate::config::Config;
pub(crate) use crate::terminal::{say, say_json};

/// What a command leaves behind.
pub(crate) enum Outcome {
    /// It was done.
    Done,
    /// What it found, and has said, has to be mended.
    Found,
    /// It was not done, for this reason.
    Failed(String),
    /// It was not done: what was asked for cannot be.
    Refused(String),
    /// The command line or the configuration is wrong.
    Misused(String),
}

/// The program, from the command line to the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let (outcome, in_json) = match Cli::try_parse() {
        Ok(cli) => {
            let in_json = cli.command.in_json();
            (run(cli), in_json)
        }
        Err(error) => {
            let words: Vec<OsString> = std::env::args_os().collect();
            let is_active = |word: &OsString| word.to_string_lossy().contains(char::is_control);
            let in_json = words.iter().any(|word| word == "--json");
            let is_mistake = error.use_stderr()
                && error.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
            if !(is_mistake && (in_json || words.iter().any(is_active))) {
                error.exit();
            }
            // What was typed must not do anything to the terminal, or has to be JSON.
            let text = error.render().to_string();
            let text = text.trim_start_matches("error: ").trim_end().to_owned();
            (Outcome::Misused(text), in_json)
        }
    };
    ExitCode::from(terminal::conclude(outcome, in_json))
}

fn run(cli: Cli) -> Outcome {
    match cli.command {
        Command::Certificate(Certificate::Local(order)) => certificate_command::local(&order),
        Command::Completions { shell } => manual::completions(shell),
        Command::Manual { dir } => manual::write(&dir),
        Command::Generate { dir, check } => generate::run(&dir, check),
        Command::Check(how) => check::run(&cli.config, &how),
        Command::Serve { log_format } => {
            let path = cli.config.clone();
            with_config(&cli.config, |config| serve::run(config, path, log_format))
        }
        Command::Account(account) => {
            with_config(&cli.config, |config| accounts::run(&config, account))
        }
        Command::Doctor(how) => doctor::run(&cli.config, &how),
        Command::Reload { output } => {
            with_config(&cli.config, |config| reload::command(&config, output))
        }
        Command::Backup { file, output } => with_config(&cli.config, |config| {
            backups::backup(&config, &file, output)
        }),
        Command::Verify { file, output } => backups::verify(&file, output),
        Command::Restore { file, output } => with_config(&cli.config, |config| {
            backups::restore(&config, &file, output)
        }),
    }
}

/// Reads the text of a configuration file; of one that cannot be used, what is said of it.
///
/// # Errors
/// What the configuration's reader says.
pub fn read_configuration(text: &str) -> Result<(), String> {
    let read = Config::parse(text, std::path::Path::new("/"));
    read.map(drop).map_err(|error| error.to_string())
}

fn with_config(path: &std::path::Path, run: impl FnOnce(Config) -> Outcome) -> Outcome {
    match Config::load(path) {
        Ok(config) => run(config),
        Err(error) => Outcome::Misused(format!("{}: {error}", path.display())),
    }
}
