//! The recorder and the replayer, tested on a program whose mistakes are known.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use waxwing_testkit::{Dice, Seed};
use waxwing_tests::Scratch;
use waxwing_tests::power::{Base, Disk, Journal, Recorder, State, Syncs};

/// Cuts of one recorded run. Every one of them is its own disk.
const CUTS: u64 = 300;

/// Records a run of the probe and counts the cuts after which something acknowledged is missing.
fn cuts_that_lose(way: &str, syncs: Syncs, held: impl Fn(&State, u32) -> bool) -> u64 {
    let scratch = Scratch::new("probe").unwrap();
    let watched = scratch.directory("data").unwrap();
    let base = Base::read(&watched).unwrap();
    let recorder = Recorder::build(scratch.path(), &watched).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_power-probe"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    recorder.attach(command.arg(way).arg(&watched));
    let mut probe = command.spawn().unwrap();
    let mut heard = probe.stdin.take().unwrap();
    let mut acknowledged = Vec::new();
    for line in BufReader::new(probe.stdout.take().unwrap()).lines() {
        acknowledged.push((recorder.position(), line.unwrap().parse::<u32>().unwrap()));
        heard.write_all(b".").unwrap();
    }
    assert!(probe.wait().unwrap().success());
    assert_eq!(acknowledged.len(), 60);

    let journal = Journal::read(recorder.journal()).unwrap();
    let mut whole = Disk::new(&base, &journal, syncs).unwrap();
    whole.advance(journal.len()).unwrap();
    assert_eq!(
        whole.written().difference(&State::of(&watched).unwrap()),
        Vec::<std::path::PathBuf>::new()
    );

    let mut dice = Dice::new(Seed(1));
    let mut positions: Vec<u64> = (0..CUTS).map(|_| dice.below(journal.len() + 1)).collect();
    positions.sort_unstable();
    let mut disk = Disk::new(&base, &journal, syncs).unwrap();
    let mut losing = 0;
    for position in positions {
        disk.advance(position).unwrap();
        let state = disk.cut(&mut dice);
        let must_be_there = acknowledged.iter().filter(|(at, _)| *at <= position);
        losing += u64::from(
            must_be_there
                .into_iter()
                .any(|(_, number)| !held(&state, *number)),
        );
    }
    losing
}

fn line_is_there(state: &State, number: u32) -> bool {
    let line = format!("{number:0>99}\n");
    let start = number as usize * line.len();
    state
        .file("numbers")
        .and_then(|file| file.get(start..start + line.len()))
        == Some(line.as_bytes())
}

fn last_is_no_older(state: &State, number: u32) -> bool {
    let text = state
        .file("last")
        .and_then(|file| std::str::from_utf8(file).ok());
    text.and_then(|text| text.trim().parse::<u32>().ok())
        .is_some_and(|last| last >= number)
}

#[test]
fn a_program_that_syncs_loses_nothing() {
    assert_eq!(cuts_that_lose("append", Syncs::Honoured, line_is_there), 0);
    assert_eq!(
        cuts_that_lose("replace", Syncs::Honoured, last_is_no_older),
        0
    );
}

#[test]
fn a_program_that_does_not_sync_is_caught() {
    let losing = cuts_that_lose("append-unsynced", Syncs::Honoured, line_is_there);
    assert!(
        losing > CUTS / 2,
        "only {losing} of {CUTS} cuts lose something"
    );
}

#[test]
fn a_program_that_forgets_the_directory_is_caught() {
    let losing = cuts_that_lose("replace-unsynced", Syncs::Honoured, last_is_no_older);
    assert!(
        losing > CUTS / 4,
        "only {losing} of {CUTS} cuts lose something"
    );
}

#[test]
fn a_machine_that_ignores_syncs_is_caught() {
    let losing = cuts_that_lose("append", Syncs::Ignored, line_is_there);
    assert!(
        losing > CUTS / 2,
        "only {losing} of {CUTS} cuts lose something"
    );
}
