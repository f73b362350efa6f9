//! Puts an XMPP server under load and says how it carries it: which messages came, how late, and what that cost the server.
//!
//! A [`scenario`] is what clients do. It is planned beforehand ([`pace`]), so that a slow server makes what it delivers late,
//! not less; whatever is sent is in the [`ledger`] until it has come.
//!
//! # Another scenario
//!
//! It is a file in `scenario/` and a line in `scenario.rs`. The file has a constant `SCENARIO` with its name, what it does in
//! a line, whether it needs a rate, and a function that plays it on a [`Run`](run::Run), in this order:
//!
//! 1. [`Run::login_all`](run::Run::login_all) takes the clients to where they are available; a [`run::Steered`]
//!    drives each from then on, and counts what comes to it.
//! 2. [`Run::begin_measuring`](run::Run::begin_measuring), once, also where nobody is there: parts of a mixed run wait for
//!    each other here.
//! 3. [`Run::ticks`](run::Run::ticks) says when something is due. A chat message is made by
//!    [`Run::message`](run::Run::message), which enters it in the ledger; other things are timed by
//!    [`Run::timed`](run::Run::timed), from when they were planned, once they have succeeded. What goes wrong is
//!    [`figures::Figures::error`].
//! 4. [`Run::end_measuring`](run::Run::end_measuring), once; [`Run::settle`](run::Run::settle) waits for what is under way.
//! 5. [`run::leave`] closes the streams.
//!
//! `idle` is the smallest. A test in `tests/tests/load/scenarios.rs` plays each; `docs/use/load-testing.md` has a line of it.

pub mod accounts;
mod args;
pub mod descriptors;
pub mod figures;
mod files;
pub mod ledger;
pub mod pace;
pub mod process;
mod progress;
pub mod report;
pub mod run;
pub mod scenario;
mod stop;
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
