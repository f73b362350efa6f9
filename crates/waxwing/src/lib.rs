//! The Waxwing server's program: sockets, TLS, HTTP, configuration, admin commands. A library only so
//! that its configuration can be fuzzed.
//!
//! Exit codes: 0 done; 1 refused or failed, the reason is on standard error; 2 the command line or
//! the configuration file is wrong; 128 and the number of a signal that ended a question.

mod accepting;
mod accounts;
mod admin_socket;
mod api;
mod api_tokens;
mod authority;
mod backups;
mod bosh;
mod bytestreams;
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
mod files;
mod generate;
mod host_meta;
mod http;
mod invitations;
mod invite;
mod listen;
mod logging;
mod manual;
mod notices;
mod notify;
mod one_port;
mod outage;
mod outside;
mod posting;
mod prompt;
mod proxy;
mod push_command;
mod push_key;
mod reload;
mod report_command;
mod serve;
mod sessions;
mod site;
mod storage;
mod store_command;
mod terminal;
mod tls;
// Not inside it: a bench takes in that file without the rest.
#[cfg(test)]
mod tls_tests;
mod token_keys;
mod upload;
mod urlencoded;
mod web;
mod websocket;
mod write_limit;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::cli::{Certificate, Cli, Command};
use crate::config::Config;
use crate::terminal::{Manner, plain};
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
    /// The command line is wrong, which has been said.
    Told,
    /// This signal ended it.
    Interrupted(u8),
}

/// The program, from the command line to the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let (outcome, manner) = match Cli::try_parse() {
        Ok(cli) => {
            let manner = cli.command.manner();
            (run(cli), manner)
        }
        Err(error) => misused(&error, std::env::args_os().collect()),
    };
    ExitCode::from(terminal::conclude(outcome, manner))
}

/// What a command line is answered that asks for help, or is wrong.
fn misused(error: &clap::Error, words: Vec<OsString>) -> (Outcome, Manner) {
    let has = |word: &str| words.iter().any(|given| given == word);
    let manner = if has("--json") {
        Manner::Json
    } else if has("--log-format=json") || (has("--log-format") && has("json")) {
        Manner::Log
    } else {
        Manner::Text
    };
    if !error.use_stderr() {
        terminal::note(error.print());
        return (Outcome::Done, manner);
    }
    let is_active = |word: &OsString| word.to_string_lossy().contains(char::is_control);
    let is_help = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if is_help || (manner == Manner::Text && !words.iter().any(is_active)) {
        // Coloured where there is a terminal; where it cannot be written, nobody can be told.
        let _unwritten = error.print();
        return (Outcome::Told, manner);
    }
    // What was typed must not do anything to the terminal, or has to be JSON.
    let words = words
        .iter()
        .map(|word| plain(&word.to_string_lossy()).replace('\n', " "));
    let text = match Cli::try_parse_from(words) {
        Err(error) => error.render().to_string(),
        Ok(_) => error.render().to_string(),
    };
    let text = text.trim_start_matches("error: ").trim_end().to_owned();
    (Outcome::Misused(text), manner)
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
        Command::Push(push) => with_config(&cli.config, |config| push_command::run(&config, push)),
        Command::Report(report) => {
            with_config(&cli.config, |config| report_command::run(&config, report))
        }
        Command::Invite(invite) => {
            with_config(&cli.config, |config| invitations::run(&config, invite))
        }
        Command::Session(session) => {
            with_config(&cli.config, |config| sessions::run(&config, session))
        }
        Command::Announce {
            text,
            domain,
            output,
        } => with_config(&cli.config, |config| {
            sessions::announce(&config, &text, domain, output)
        }),
        Command::Motd(command) => {
            with_config(&cli.config, |config| notices::motd(&config, command))
        }
        Command::Welcome(command) => {
            with_config(&cli.config, |config| notices::welcome(&config, command))
        }
        Command::Shutdown(order) => {
            with_config(&cli.config, |config| notices::shutdown(&config, order))
        }
        Command::Status { domain, output } => with_config(&cli.config, |config| {
            sessions::status(&config, domain, output)
        }),
        Command::ApiToken(token) => {
            with_config(&cli.config, |config| api_tokens::run(&config, token))
        }
        Command::Outage(outage) => outage::run(&outage),
        Command::Doctor(how) => doctor::run(&cli.config, &how),
        Command::Reload { output } => reload::command(&cli.config, output),
        Command::Backup { file, output } => with_config(&cli.config, |config| {
            backups::backup(&config, &file, output)
        }),
        Command::Verify { file, output } => backups::verify(&file, output),
        Command::Store(cli::StoreCommand::Copy(order)) => store_command::copy(&cli.config, &order),
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

/// Reads the form of an invitation's page as a browser sends it: name, password, and that once more; nothing where it is none.
pub fn read_web_form(bytes: &[u8]) -> Option<[String; 3]> {
    invite::read_form(bytes)
}

fn with_config(path: &std::path::Path, run: impl FnOnce(Config) -> Outcome) -> Outcome {
    match Config::load(path) {
        Ok(config) => run(config),
        Err(error) => Outcome::Misused(format!("{}: {error}", path.display())),
    }
}
