//! How much there may be.

use waxwing_server::accounts;
use waxwing_server::uploads::UploadError;
use waxwing_stanza::xep::xep_0363_upload::Retry;
use waxwing_stanza::{BareJid, Payload};
use waxwing_store::Table;
use waxwing_wire::Element;

use crate::rig::{CLEANED_SECS, House};

const DAY_SECS: u64 = 86_400;

/// When it may be asked again, where there is no room.
fn again_micros(answer: &Element) -> u64 {
    let error = answer.child("jabber:client", "error").unwrap();
    assert_eq!(error.attr("type"), Some("wait"));
    let retry = Retry::find(error).unwrap().unwrap();
    retry.stamp.unix_micros()
}

fn is_granted(answer: &Element) -> bool {
    answer.attr("type") == Some("result")
}

#[test]
fn the_answer_says_when_there_will_be_room() {
    let options = [("upload_account_bytes_max", 10), ("upload_days_max", 1)];
    let mut house = House::new(&["alice"], &options);
    for text in ["four", "more"] {
        let slot = house.slot("alice", 4);
        house.bring(&slot, text).unwrap();
        house.pass_secs(1_000);
    }
    assert!(is_granted(&house.ask("alice", 2, "")));
    house.pass_secs(301);
    let began = house.world.now_micros();
    let one = again_micros(&house.ask("alice", 6, ""));
    let both = again_micros(&house.ask("alice", 7, ""));
    // The first must go for six, both for seven.
    assert!(began < one && both - one >= 1_000_000_000);
    let wait = one - house.world.now_micros();
    house.pass_secs(wait / 1_000_000 + CLEANED_SECS);
    assert!(house.world.now_micros() < both + CLEANED_SECS * 1_000_000);
    assert!(is_granted(&house.ask("alice", 6, "")));
}

/// A file that never goes makes no room: nobody says when there will be.
#[test]
fn where_nothing_goes_nobody_says_when() {
    let options = [("upload_account_bytes_max", 10), ("upload_days_max", 0)];
    let mut house = House::new(&["alice"], &options);
    let slot = house.slot("alice", 5);
    house.bring(&slot, "hello").unwrap();
    let answer = house.ask("alice", 6, "");
    let error = answer.child("jabber:client", "error").unwrap();
    assert_eq!(Retry::find(error), Ok(None));
}

#[test]
fn slots_have_a_limit_and_end() {
    let mut house = House::new(&["alice", "bob"], &[]);
    let first = house.world.now_micros();
    for _ in 0..50 {
        assert!(is_granted(&house.ask("alice", 1, "")));
    }
    let answer = house.ask("alice", 1, "");
    let again = again_micros(&answer);
    assert!(again > first && again <= first + 310 * 1_000_000);
    // It is everybody's own.
    assert!(is_granted(&house.ask("bob", 1, "")));
    let wait = again - house.world.now_micros();
    house.pass_secs(wait / 1_000_000 + 1);
    assert!(is_granted(&house.ask("alice", 1, "")));
}

#[test]
fn a_domain_has_a_limit_of_its_own() {
    let options = [("upload_domain_bytes_max", 10)];
    let mut house = House::new(&["alice", "bob"], &options);
    let alice = house.slot("alice", 6);
    let bob = house.slot("bob", 6);
    house.bring(&alice, "sixsix").unwrap();
    assert_eq!(house.begin(&bob).err(), Some(UploadError::Full));
    let again = again_micros(&house.ask("bob", 5, ""));
    assert!(again > house.world.now_micros());
    let small = house.slot("bob", 4);
    // What is coming counts, too.
    let coming = house.begin(&small).unwrap();
    again_micros(&house.ask("alice", 1, ""));
    drop(coming);
    // Files that go with an account make room, when they are counted again.
    let args = serde_json::json!({ "jid": "alice@example.org" });
    house.world.admin("account remove", args).unwrap();
    house.pass_secs(CLEANED_SECS);
    assert!(is_granted(&house.ask("bob", 10, "")));
}

/// The count of an account is what it has, after everything.
#[test]
fn counts_go_down_again() {
    static SIZES: Table<u8, i64> = Table::new("upload-sizes", 1);
    let mut house = House::new(&["alice"], &[("upload_days_max", 1)]);
    let alice: BareJid = "alice@example.org".parse().unwrap();
    let owner = accounts::owner(&alice);
    let count = |house: &House| house.look(|store| store.get(&SIZES, &owner, &0_u8));
    for text in ["one", "two"] {
        let slot = house.slot("alice", 3);
        house.bring(&slot, text).unwrap();
    }
    assert_eq!(count(&house), Some(6));
    house.pass_secs(DAY_SECS + CLEANED_SECS);
    assert_eq!(count(&house), Some(0));
}
