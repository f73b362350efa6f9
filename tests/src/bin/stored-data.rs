//! Makes a data directory of the present version for upgrade tests: `stored-data FOLDER`.

#![expect(clippy::print_stderr, reason = "a program says why it failed")]

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(folder) = std::env::args().nth(1) else {
        eprintln!("which folder?");
        return ExitCode::from(2);
    };
    match waxwing_tests::stored::make(Path::new(&folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
