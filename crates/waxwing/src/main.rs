//! Runs the server's program.

use std::process::ExitCode;

fn main() -> ExitCode {
    waxwing_daemon::main()
}
