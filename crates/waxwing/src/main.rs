//! The Waxwing server: sockets, TLS, HTTP, configuration, admin commands.
//!
//! Exit codes: 0 done; 1 refused or failed, the reason is on standard error; 2 the command line or
//! the configuration file is wrong.

mod accepting;
mod accounts;
mod admin_socket;
mod authority;
mod backups;
mod certificates;
mod check;
mod cli;
mod client;
mod config;
mod exporter;
mod generate;
mod host_meta;
mod http;
mod listen;
mod notify;
mod outside;
mod reload;
mod serve;
mod site;
mod tls;
mod web;
mod websocket;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Certificate, Cli, Command};
use crate::config::Config;

/// What a command leaves behind.
pub(crate) enum Outcome {
    /// It was done.
    Done,
    /// It was not, for this reason.
    Failed(String),
    /// The command line or the configuration is wrong.
    Misused(String),
}

/// Writes a line to standard output; a reader that is gone is no error of ours.
pub(crate) fn say(line: &str) {
    let _closed = writeln!(std::io::stdout(), "{line}");
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Certificate(Certificate::Local { domain, dir }) => certificate(&domain, &dir),
        Command::Generate { dir, check } => generate::run(&dir, check),
        Command::Check => check::run(&cli.config),
        Command::Serve { log_format } => {
            let path = cli.config.clone();
            with_config(&cli.config, |config| serve::run(config, path, log_format))
        }
        Command::Account(account) => {
            with_config(&cli.config, |config| accounts::run(&config, account))
        }
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
    };
    let (text, code) = match outcome {
        Outcome::Done => return ExitCode::SUCCESS,
        Outcome::Failed(text) => (text, 1),
        Outcome::Misused(text) => (text, 2),
    };
    let mut stderr = std::io::stderr();
    let mark = if stderr.is_terminal() {
        "\u{1b}[31merror:\u{1b}[0m"
    } else {
        "error:"
    };
    let _closed = writeln!(stderr, "{mark} {text}");
    ExitCode::from(code)
}

fn with_config(path: &std::path::Path, run: impl FnOnce(Config) -> Outcome) -> Outcome {
    match Config::load(path) {
        Ok(config) => run(config),
        Err(error) => Outcome::Misused(format!("{}: {error}", path.display())),
    }
}

fn certificate(domain: &str, dir: &std::path::Path) -> Outcome {
    match authority::make(dir, domain) {
        Ok(files) => {
            say(&format!("authority    {}", files.authority.display()));
            say(&format!("certificate  {}", files.certificate.display()));
            say(&format!("key          {}", files.key.display()));
            Outcome::Done
        }
        Err(error) => Outcome::Failed(error.to_string()),
    }
}
