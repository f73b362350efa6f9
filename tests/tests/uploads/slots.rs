//! A slot is good for one file, once, and in time.

use waxwing_server::uploads::UploadError;

use crate::rig::{House, Slot};

#[test]
fn a_slot_is_good_for_one_file() {
    let mut house = House::new(&["alice"], &[]);
    let slot = house.slot("alice", 5);
    assert_eq!(house.fetch(&slot), None);
    assert_eq!(house.bring(&slot, "first"), Ok(()));
    assert_eq!(house.fetch(&slot).as_deref(), Some("first"));
    assert_eq!(house.bring(&slot, "other"), Err(UploadError::Used));
    // After a crash too, at once and when the slot is over.
    house.world.crash();
    house.world.start().unwrap();
    assert_eq!(house.bring(&slot, "other"), Err(UploadError::Used));
    assert_eq!(house.fetch(&slot).as_deref(), Some("first"));
    house.pass_secs(301);
    assert_eq!(house.bring(&slot, "other"), Err(UploadError::Over));
    assert_eq!(house.fetch(&slot).as_deref(), Some("first"));
}

#[test]
fn while_it_comes_nobody_else_brings_it() {
    let mut house = House::new(&["alice"], &[]);
    let slot = house.slot("alice", 5);
    let first = house.begin(&slot).unwrap();
    assert_eq!(house.begin(&slot).err(), Some(UploadError::InUse));
    // Whoever breaks off may begin again, with the same slot.
    drop(first);
    let again = house.begin(&slot).unwrap();
    assert_eq!(house.fetch(&slot), None);
    assert_eq!(house.end(again, "again"), Ok(()));
    assert_eq!(house.fetch(&slot).as_deref(), Some("again"));
}

#[test]
fn what_is_too_long_or_too_short_is_not_kept() {
    let mut house = House::new(&["alice"], &[]);
    let slot = house.slot("alice", 5);
    let length = |is_more| UploadError::Length {
        expected: 5,
        is_more,
    };
    assert_eq!(house.bring(&slot, "longer"), Err(length(true)));
    assert_eq!(house.bring(&slot, "less"), Err(length(false)));
    assert_eq!(house.fetch(&slot), None);
    let shorter = Slot {
        size: 4,
        ..slot.clone()
    };
    assert_eq!(house.begin(&shorter).err(), Some(length(false)));
    assert_eq!(house.bring(&slot, "right"), Ok(()));
}

#[test]
fn a_slot_is_over_after_a_while() {
    let mut house = House::new(&["alice"], &[]);
    let slot = house.slot("alice", 5);
    let late = house.slot("alice", 5);
    house.pass_secs(290);
    let begun = house.begin(&late).unwrap();
    house.pass_secs(20);
    assert_eq!(house.begin(&slot).err(), Some(UploadError::Over));
    // What has begun in time goes on.
    assert_eq!(house.end(begun, "later"), Ok(()));
    assert_eq!(house.fetch(&late).as_deref(), Some("later"));
}

#[test]
fn a_slot_is_for_its_own_place() {
    let mut house = House::new(&["alice", "bob"], &[]);
    let (alice, bob) = (house.slot("alice", 5), house.slot("bob", 5));
    let stolen = Slot {
        token: bob.token.clone(),
        ..alice.clone()
    };
    assert_eq!(house.begin(&stolen).err(), Some(UploadError::Elsewhere));
    let forged = Slot {
        token: format!("{}A", alice.token),
        ..alice
    };
    assert_eq!(house.begin(&forged).err(), Some(UploadError::Unknown));
}

#[test]
fn who_has_no_account_any_more_brings_nothing() {
    let mut house = House::new(&["alice", "bob", "carol"], &[]);
    let (bob, carol) = (house.slot("bob", 5), house.slot("carol", 5));
    let begun = house.begin(&bob).unwrap();
    for (command, jid) in [
        ("account remove", "bob@example.org"),
        ("account disable", "carol@example.org"),
    ] {
        let args = serde_json::json!({ "jid": jid });
        house.world.admin(command, args).unwrap();
    }
    assert_eq!(house.end(begun, "first"), Err(UploadError::NoAccount));
    assert_eq!(house.begin(&bob).err(), Some(UploadError::NoAccount));
    assert_eq!(house.begin(&carol).err(), Some(UploadError::NoAccount));
    assert_eq!(house.fetch(&bob), None);
}
