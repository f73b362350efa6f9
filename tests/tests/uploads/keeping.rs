//! How long files stay.

use waxwing_store::BlobHash;

use crate::rig::{CLEANED_SECS, House};

const DAY_SECS: u64 = 86_400;

/// SHA-256 of `hello`.
const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

fn is_stored(house: &House) -> bool {
    let hash = BlobHash::from_hex(HELLO).unwrap();
    let look = house.world.ask(|server| async move {
        let blob = server.store().blob(&hash).await.unwrap();
        blob.is_some()
    });
    look.unwrap()
}

#[test]
fn files_go_by_their_age() {
    let options = [("upload_days_max", 2), ("upload_permanent_bytes_max", 100)];
    let mut house = House::new(&["alice"], &options);
    let slot = house.slot("alice", 5);
    house.bring(&slot, "hello").unwrap();
    let profile = "<profile xmlns='urn:xmpp:http:upload:purpose:0'/>";
    let profile = house.slot_for("alice", 7, profile);
    house.bring(&profile, "profile").unwrap();
    let permanent = "<permanent xmlns='urn:xmpp:http:upload:purpose:0'/>";
    let permanent = house.slot_for("alice", 9, permanent);
    house.bring(&permanent, "permanent").unwrap();
    house.pass_secs(2 * DAY_SECS - CLEANED_SECS);
    assert_eq!(house.fetch(&slot).as_deref(), Some("hello"));
    assert!(is_stored(&house));
    house.pass_secs(2 * CLEANED_SECS);
    assert_eq!(house.fetch(&slot), None);
    assert!(!is_stored(&house));
    assert_eq!(house.fetch(&profile).as_deref(), Some("profile"));
    assert_eq!(house.fetch(&permanent).as_deref(), Some("permanent"));
}

/// XEP-0363, "Ephemeral": not after that time, whether it was cleaned up or not.
#[test]
fn files_are_gone_when_somebody_wants_that() {
    let mut house = House::new(&["alice"], &[]);
    // The world begins with 2026.
    let purpose =
        "<ephemeral xmlns='urn:xmpp:http:upload:purpose:0' expire-before='2026-01-01T00:10:00Z'/>";
    let slot = house.slot_for("alice", 5, purpose);
    house.bring(&slot, "hello").unwrap();
    house.pass_secs(500);
    assert_eq!(house.fetch(&slot).as_deref(), Some("hello"));
    house.pass_secs(100);
    assert_eq!(house.fetch(&slot), None);
    // The clean-up comes once an hour.
    assert!(is_stored(&house));
    house.pass_secs(CLEANED_SECS);
    assert!(!is_stored(&house));
}

#[test]
fn what_several_brought_stays_until_the_last_is_gone() {
    let mut house = House::new(&["alice", "bob"], &[("upload_days_max", 1)]);
    let alice = house.slot("alice", 5);
    house.bring(&alice, "hello").unwrap();
    house.pass_secs(DAY_SECS / 2);
    let bob = house.slot("bob", 5);
    house.bring(&bob, "hello").unwrap();
    house.pass_secs(DAY_SECS / 2 + CLEANED_SECS);
    assert_eq!(house.fetch(&alice), None);
    assert_eq!(house.fetch(&bob).as_deref(), Some("hello"));
    house.pass_secs(DAY_SECS / 2);
    assert_eq!(house.fetch(&bob), None);
    assert!(!is_stored(&house));
}

#[test]
fn files_go_with_their_account() {
    let mut house = House::new(&["alice"], &[]);
    let slot = house.slot("alice", 5);
    house.bring(&slot, "hello").unwrap();
    let waits = house.slot("alice", 5);
    let args = serde_json::json!({ "jid": "alice@example.org" });
    house.world.admin("account remove", args).unwrap();
    assert_eq!(house.fetch(&slot), None);
    assert!(house.begin(&waits).is_err());
    house.pass_secs(CLEANED_SECS);
    assert!(!is_stored(&house));
}

#[test]
fn what_was_kept_survives_the_power() {
    let mut house = House::new(&["alice"], &[]);
    let slot = house.slot("alice", 5);
    house.bring(&slot, "hello").unwrap();
    let half = house.slot("alice", 5);
    let begun = house.begin(&half).unwrap();
    house.world.crash();
    drop(begun);
    house.world.start().unwrap();
    assert_eq!(house.fetch(&slot).as_deref(), Some("hello"));
    assert_eq!(house.fetch(&half), None);
    // What broke off may come again.
    assert_eq!(house.bring(&half, "again"), Ok(()));
}
