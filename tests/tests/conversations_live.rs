//! Every conversation, over sockets with the built server: `conversations --live` as a test program of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    waxwing_tests::play_all(&waxwing_tests::live())
}
