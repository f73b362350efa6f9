//! Start, stop, and what streams see of it.

use waxwing_dial::{Closed, End};
use waxwing_stream::StreamCondition;
use waxwing_tests::{Built, BuiltOptions};

use crate::rig::{ALICE, BOB, available, end, log_in, server};

#[test]
fn a_server_starts_stops_and_starts_again() {
    let options = BuiltOptions::new("daemon-life").account(ALICE.0, ALICE.1);
    let mut built = Built::start(options).unwrap();
    let first = built.pid;
    assert!(built.stop().unwrap().unwrap().success());
    built.restart().unwrap();
    assert_ne!(built.pid, first);
    built.kill().unwrap();
    built.restart().unwrap();
    // The account is there: another of its name is refused.
    assert!(built.add_account(ALICE.0, "another password").is_err());
}

#[tokio::test]
async fn a_graceful_stop_says_system_shutdown_to_every_stream() {
    let mut built = server("daemon-shutdown");
    let mut alice = available(&built, ALICE).await;
    let mut bob = log_in(&built, BOB).await.unwrap();
    built.terminate().unwrap();
    for stream in [&mut alice, &mut bob] {
        let End::Server(Some(error)) = end(stream).await else {
            panic!("no reason given: {stream:?}");
        };
        assert_eq!(error.condition, StreamCondition::SystemShutdown);
    }
    drop((alice, bob));
    assert!(built.stop().unwrap().unwrap().success());
    built.restart().unwrap();
    let alice = log_in(&built, ALICE).await.unwrap();
    assert_eq!(alice.close().await, Closed::Clean);
}
