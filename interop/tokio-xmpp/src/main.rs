//! tokio-xmpp against the server: channel binding by tls-exporter, and messages both ways.
//!
//! The server's coordinates come by the environment, as `interop/README.md` says; results go to standard
//! output, one line a case; the exit code is 0 if none failed. Every case runs once, within a limit.

mod binding;
mod chat;
mod server;

use std::process::ExitCode;
use std::time::Duration;

use server::{Server, Transport};

/// A case that is not through by then has failed.
const CASE_LIMIT: Duration = Duration::from_secs(30);

/// Why a case failed.
pub(crate) type Outcome = Result<(), String>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let server = match Server::from_environment() {
        Ok(server) => server,
        Err(variable) => {
            println!("not ok tokio_xmpp/all: {variable} is not set");
            return ExitCode::FAILURE;
        }
    };
    let mut report = Report {
        lacks: &server.lacks,
        failed: false,
    };
    for transport in [Transport::StartTls, Transport::DirectTls] {
        let name = transport.name();
        report
            .bound(
                &format!("{name}/scram_sha_256_plus"),
                binding::accepted(&server, transport, "SCRAM-SHA-256-PLUS"),
            )
            .await;
        report
            .bound(
                &format!("{name}/scram_sha_1_plus"),
                binding::accepted(&server, transport, "SCRAM-SHA-1-PLUS"),
            )
            .await;
        report
            .bound(
                &format!("{name}/wrong_binding"),
                binding::wrong_binding(&server, transport),
            )
            .await;
        report
            .bound(
                &format!("{name}/binding_of_another_kind"),
                binding::another_kind(&server, transport),
            )
            .await;
        report
            .bound(
                &format!("{name}/downgrade"),
                binding::downgrade(&server, transport),
            )
            .await;
    }
    report.case("round_trip", chat::round_trip(&server)).await;
    if report.failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

struct Report<'a> {
    lacks: &'a [String],
    failed: bool,
}

impl Report<'_> {
    /// A case that needs channel binding.
    async fn bound(&mut self, name: &str, case: impl Future<Output = Outcome>) {
        let lacking = self
            .lacks
            .iter()
            .find(|what| *what == "tls-exporter" || name.ends_with(what.as_str()));
        match lacking {
            Some(what) => println!("skip tokio_xmpp/{name}: this server has no {what}"),
            None => self.case(name, case).await,
        }
    }

    async fn case(&mut self, name: &str, case: impl Future<Output = Outcome>) {
        let outcome = tokio::time::timeout(CASE_LIMIT, case)
            .await
            .unwrap_or_else(|_| Err(format!("not within {} s", CASE_LIMIT.as_secs())));
        match outcome {
            Ok(()) => println!("ok tokio_xmpp/{name}"),
            Err(why) => {
                self.failed = true;
                println!("not ok tokio_xmpp/{name}: {why}");
            }
        }
    }
}
