//! Runs the load generator's program.

use std::process::ExitCode;

fn main() -> ExitCode {
    waxwing_load::main()
}
