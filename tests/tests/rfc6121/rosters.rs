//! Large rosters: what a session costs does not grow with them, and they have limits.

use std::collections::BTreeMap;

use waxwing_stanza::BareJid;
use waxwing_store::{Batch, Table};

use super::rig::{Rig, condition};

/// What the server stores of a contact, as far as this test writes it.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Item {
    #[prost(bool, tag = "3")]
    to: bool,
    #[prost(bool, tag = "4")]
    from: bool,
    #[prost(bytes = "vec", optional, tag = "6")]
    request: Option<Vec<u8>>,
    #[prost(bool, tag = "8")]
    listed: bool,
}

static ROSTER: Table<String, Item> = Table::new("roster", 1);

/// As in `crates/server/src/roster.rs`.
const ITEMS_MAX: usize = 10_000;
const REQUESTS_MAX: usize = 1_000;

const FRIENDS: [&str; 3] = ["bob", "carol", "dave"];

fn put(batch: &mut Batch, owner: &str, contact: &str, item: &Item) {
    let owner: BareJid = format!("{owner}@example.org").parse().unwrap();
    let owner = waxwing_server::accounts::owner(&owner);
    batch.put(&ROSTER, &owner, &format!("{contact}@example.org"), item);
}

/// Alice with this many contacts, three of whom exist, and with this many who ask her.
fn alice_with(contacts: usize, requests: usize) -> Rig {
    let mut rig = Rig::new(&["alice", "bob", "carol", "dave", "erin"]);
    let both = Item {
        to: true,
        from: true,
        listed: true,
        ..Item::default()
    };
    let mut batch = Batch::new();
    for friend in FRIENDS {
        put(&mut batch, "alice", friend, &both);
        put(&mut batch, friend, "alice", &both);
    }
    rig.look(|store| store.commit(batch));
    let others: Vec<usize> = (FRIENDS.len()..contacts + requests).collect();
    for some in others.chunks(500) {
        let mut batch = Batch::new();
        for number in some {
            let item = if *number < contacts {
                both.clone()
            } else {
                let request = format!(
                    "<presence from='user{number}@example.org' to='alice@example.org' type='subscribe'/>"
                );
                Item {
                    request: Some(request.into_bytes()),
                    ..Item::default()
                }
            };
            put(&mut batch, "alice", &format!("user{number}"), &item);
        }
        rig.look(|store| store.commit(batch));
    }
    for friend in FRIENDS {
        rig.join(&format!("{friend}/phone"), &["<presence/>"]);
    }
    rig
}

/// Questions to the store for a log-in, a change of presence, and the end of a session.
fn questions(contacts: usize) -> BTreeMap<&'static str, u64> {
    let mut rig = alice_with(contacts, 0);
    rig.forget();
    let mut asked = BTreeMap::new();
    let mut before = rig.questions();
    let mut note = |rig: &Rig, what| {
        asked.insert(what, rig.questions() - before);
        before = rig.questions();
    };
    rig.join("alice/phone", &["<presence/>"]);
    note(&rig, "logs in");
    rig.say("alice/phone", "<presence><show>away</show></presence>");
    note(&rig, "changes presence");
    rig.say("alice/phone", "<presence type='unavailable'/>");
    note(&rig, "goes");
    // Nothing was saved by not telling anybody.
    for friend in FRIENDS {
        let got = rig.take(&format!("{friend}/phone"));
        let shown = got.iter().filter(|stanza| stanza.name() == "presence");
        assert_eq!(shown.count(), 3, "{friend}: {got:?}");
    }
    let got = rig.take("alice/phone");
    for friend in FRIENDS {
        let from = format!("{friend}@example.org/phone");
        let shown = got
            .iter()
            .filter(|stanza| stanza.attr("from") == Some(&from));
        assert_eq!(shown.count(), 1, "{friend}: {got:?}");
    }
    asked
}

/// One look at the roster for each presence, or two, and none for each contact.
#[test]
fn presence_costs_the_same_for_three_contacts_and_for_ten_thousand() {
    let few = questions(FRIENDS.len());
    println!("figures: questions to the store: {few:?}");
    assert!(few.values().all(|asked| *asked <= 9), "{few:?}");
    assert_eq!(few, questions(ITEMS_MAX - 1));
    // A scan gives so many rows at most, and then asks whether there are more.
    for (what, asked) in questions(ITEMS_MAX) {
        assert!(
            (few[what]..=few[what] + 1).contains(&asked),
            "{what}: {asked}"
        );
    }
}

fn add(rig: &mut Rig, contact: &str) -> Option<String> {
    rig.forget();
    let iq = format!(
        "<iq id='q' type='set'><query xmlns='jabber:iq:roster'><item jid='{contact}@example.org'/></query></iq>"
    );
    rig.say("alice/phone", &iq);
    let got = rig.take("alice/phone");
    got.iter().find_map(condition)
}

fn subscribe(rig: &mut Rig, from: &str, to: &str) -> Option<String> {
    rig.forget();
    let stanza = format!("<presence to='{to}@example.org' type='subscribe'/>");
    rig.say(&format!("{from}/phone"), &stanza);
    let got = rig.take(&format!("{from}/phone"));
    got.iter().find_map(condition)
}

/// §2.3.3: a full roster takes no contact more, by whatever way, and those that are there can be changed.
#[test]
fn a_roster_has_a_limit() {
    let mut rig = alice_with(ITEMS_MAX - 1, 0);
    rig.join("alice/phone", &["<presence/>"]);
    rig.join("erin/phone", &["<presence/>"]);
    assert_eq!(add(&mut rig, "last"), None);
    let full = Some("resource-constraint".to_owned());
    assert_eq!(add(&mut rig, "another"), full);
    assert_eq!(subscribe(&mut rig, "alice", "erin"), full);
    assert_eq!(add(&mut rig, "user9000"), None);
    // Who asks her still can, and she can see who does.
    assert_eq!(subscribe(&mut rig, "erin", "alice"), None);
    let shown = rig.take("alice/phone");
    assert!(
        shown
            .iter()
            .any(|stanza| stanza.attr("type") == Some("subscribe")),
        "{shown:?}"
    );
}

/// Strangers who ask have a limit of their own: they keep nobody out whom she wants.
#[test]
fn requests_have_a_limit_beside_contacts() {
    let mut rig = alice_with(FRIENDS.len(), REQUESTS_MAX);
    rig.join("alice/phone", &["<presence/>"]);
    rig.join("erin/phone", &["<presence/>"]);
    assert_eq!(subscribe(&mut rig, "erin", "alice"), None);
    assert_eq!(rig.take("alice/phone"), [], "one request too many");
    assert_eq!(add(&mut rig, "another"), None);
    assert_eq!(subscribe(&mut rig, "alice", "erin"), None);
}
