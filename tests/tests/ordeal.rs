//! The built server is killed, and its power cut, a hundred times each, under load: nothing that it acknowledged is lost,
//! and nothing is there twice.

#![expect(clippy::print_stdout, reason = "a test shows its figures")]

use waxwing_testkit::Seed;
use waxwing_tests::power::Syncs;
use waxwing_tests::{Blow, Ordeal, OrdealError, Report};

const BLOWS: u64 = 100;
const SEED: Seed = Seed(1);

fn run(name: &str, blow: Blow, blows: u64) -> Result<Report, OrdealError> {
    let mut ordeal = Ordeal::begin(name, blow, SEED)?;
    for _ in 0..blows {
        ordeal.blow()?;
    }
    ordeal.end()
}

fn judge(what: &str, report: &Report) {
    println!("figures: {what}: {report}");
    assert!(report.is_good(), "{report:#?}");
    assert_eq!(report.blows, BLOWS);
    assert_eq!(report.received, report.sent);
    // A run in which nothing was at stake shows nothing.
    assert!(report.acknowledged > 1_000 && report.contacts > 100 && report.requests > 20);
    assert!(report.resent > 100 && report.resumed > 20 && report.failed_with_count > 100);
}

#[test]
fn a_hundred_kills() {
    judge("SIGKILL", &run("kills", Blow::Kill, BLOWS).unwrap());
}

#[test]
fn a_hundred_power_cuts() {
    let blow = Blow::PowerCut(Syncs::Honoured);
    judge("power cuts", &run("power", blow, BLOWS).unwrap());
}

/// The same with a machine whose syncs do nothing must not pass, or the others prove nothing.
#[test]
fn a_machine_that_ignores_syncs_is_caught() {
    match run("unsynced", Blow::PowerCut(Syncs::Ignored), 10) {
        Err(error @ OrdealError::Built(_)) => println!("figures: without syncing: {error}"),
        Err(error) => panic!("{error}"),
        Ok(report) => {
            println!("figures: without syncing: {report}");
            assert!(!report.lost.is_empty(), "nothing was lost");
        }
    }
}
