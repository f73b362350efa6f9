//! Puts an XMPP server under load and says how it carries it: which messages came, how late, and what that cost the server.
//!
//! A [`scenario`] is what clients do. It is planned beforehand ([`pace`]), so that a slow server makes what it delivers late,
//! not less; whatever is sent is in the [`ledger`] until it has come.

pub mod accounts;
mod args;
pub mod descriptors;
pub mod figures;
pub mod ledger;
pub mod pace;
pub mod process;
mod progress;
pub mod report;
pub mod run;
pub mod scenario;
pub mod target;
pub mod units;

use std::process::ExitCode;

use clap::Parser;

/// Runs the program.
///
/// Exit codes: 0 everything that was sent came once and in order, and nothing failed; 1 something did not; 2 the command line
/// is wrong.
#[must_use]
pub fn main() -> ExitCode {
    match args::run(args::Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            progress::complain(&error);
            ExitCode::from(2)
        }
    }
}
