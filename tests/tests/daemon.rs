//! The built server, as its users meet it.

use waxwing_tests::{Built, BuiltOptions};

#[test]
fn a_server_starts_stops_and_starts_again() {
    let options = BuiltOptions::new("daemon-life").account("alice", "a long password");
    let mut built = Built::start(options).unwrap();
    let first = built.pid;
    assert!(built.stop().unwrap().unwrap().success());
    built.restart().unwrap();
    assert_ne!(built.pid, first);
    built.kill().unwrap();
    built.restart().unwrap();
    // The account is there: another of its name is refused.
    assert!(built.add_account("alice", "another password").is_err());
}
