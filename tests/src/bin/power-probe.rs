//! Writes numbers to a directory in a right or a wrong way and says which of them it holds for durable, so that the
//! recorder and the replayer can be tested on programs whose mistakes are known.
//!
//! `power-probe append|append-unsynced|replace|replace-unsynced DIRECTORY`

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

/// How many numbers a run writes.
const NUMBERS: u32 = 60;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [way, directory] = arguments.as_slice() else {
        return Err(io::Error::other("power-probe WAY DIRECTORY"));
    };
    let directory = Path::new(directory);
    match way.as_str() {
        "append" => append(directory, true),
        "append-unsynced" => append(directory, false),
        "replace" => replace(directory, true),
        "replace-unsynced" => replace(directory, false),
        _ => Err(io::Error::other("no such way")),
    }
}

/// Numbers, a line of 100 bytes each, in one file.
fn append(directory: &Path, synced: bool) -> io::Result<()> {
    let mut file = File::create(directory.join("numbers"))?;
    File::open(directory)?.sync_all()?;
    for number in 0..NUMBERS {
        file.write_all(format!("{number:0>99}\n").as_bytes())?;
        if synced {
            file.sync_data()?;
        }
        acknowledge(number)?;
    }
    Ok(())
}

/// The last number, in a file that is replaced as a whole.
fn replace(directory: &Path, synced: bool) -> io::Result<()> {
    for number in 0..NUMBERS {
        let mut file = File::create(directory.join("last.new"))?;
        file.write_all(format!("{number:0>99}\n").as_bytes())?;
        file.sync_all()?;
        fs::rename(directory.join("last.new"), directory.join("last"))?;
        if synced {
            File::open(directory)?.sync_all()?;
        }
        acknowledge(number)?;
    }
    Ok(())
}

fn acknowledge(number: u32) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{number}")?;
    out.flush()?;
    // Goes on when that was heard, so that the listener can tell what was written before.
    let mut heard = [0];
    io::stdin().lock().read_exact(&mut heard)
}
