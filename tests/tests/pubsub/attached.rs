//! What is attached to items (XEP-0470): many items, many who attach something, and nothing that is left of it.

use waxwing_store::{KeyRange, Owner, Table};

use crate::rig::Rig;
use crate::service::{HOST, ask, create, done, publish, said};

/// What a table holds does not matter here.
#[derive(Clone, PartialEq, prost::Message)]
struct Anything {}

const TABLES: [Table<String, Anything>; 8] = [
    Table::new("pubsub-attached", 1),
    Table::new("pubsub-attached-left", 1),
    Table::new("pubsub-items", 1),
    Table::new("pubsub-item-names", 1),
    Table::new("pubsub-item-creation", 1),
    Table::new("pubsub-counts", 1),
    Table::new("pubsub-debris", 1),
    Table::new("pubsub-subscriptions", 1),
];

const ALICE: &str = "alice/phone";
const SUMMARY: &str = "urn:xmpp:pubsub-attachments:summary:1/feed";

/// More than are removed in one commit.
const ITEMS: usize = 120;

/// The rows that there are, by table.
fn rows(rig: &Rig) -> Vec<(&'static str, u64)> {
    let owner = Owner::domain(HOST);
    let count = |table: &Table<String, Anything>| {
        let rows = rig.look(|store| store.count(table, &owner, &KeyRange::all()));
        (table.shape().name(), rows)
    };
    let all = TABLES.iter().map(count);
    all.filter(|(_, rows)| *rows > 0).collect()
}

fn node(item: &str) -> String {
    format!("urn:xmpp:pubsub-attachments:1/xmpp:{HOST}?;node=feed;item={item}")
}

fn attach(rig: &mut Rig, who: &str, item: &str, reactions: &[String]) -> Option<String> {
    let reactions: String = reactions
        .iter()
        .map(|reaction| format!("<reaction>{reaction}</reaction>"))
        .collect();
    let (jid, node) = (format!("{who}@example.org"), node(item));
    let payload = format!(
        "<attachments xmlns='urn:xmpp:pubsub-attachments:1'><reactions>{reactions}</reactions></attachments>"
    );
    let request =
        format!("set any <publish node='{node}'><item id='{jid}'>{payload}</item></publish>");
    let answer = ask(rig, &format!("{who}/phone"), HOST, &request);
    said(&answer).map(|(_, condition, _)| condition)
}

/// Who empties a node, or deletes it, or one item after the other, leaves nothing of what was attached there.
#[test]
fn nothing_is_left() {
    let mut rig = Rig::new(&["alice", "bob"]);
    rig.join(ALICE, &["<presence/>"]);
    rig.join("bob/phone", &["<presence/>"]);
    for end in ["purge", "delete", "retract"] {
        create(&mut rig, ALICE, "feed", &[("publish_model", "open")]);
        for number in 0..ITEMS {
            let item = number.to_string();
            done(&mut rig, ALICE, HOST, &publish("feed", &item));
            assert_eq!(attach(&mut rig, "alice", &item, &[]), None);
            assert_eq!(
                attach(&mut rig, "bob", &item, std::slice::from_ref(&item)),
                None
            );
        }
        let subscribe =
            |node: &str| format!("set any <subscribe node='{node}' jid='alice@example.org'/>");
        done(&mut rig, ALICE, HOST, &subscribe(&node("7")));
        let request = subscribe(SUMMARY);
        done(&mut rig, ALICE, HOST, &request);
        assert_eq!(rows(&rig)[0], ("pubsub-attached", ITEMS as u64));
        if end == "purge" {
            done(&mut rig, ALICE, HOST, "set owner <purge node='feed'/>");
        }
        for number in 0..if end == "retract" { ITEMS } else { 0 } {
            let request = format!("set any <retract node='feed'><item id='{number}'/></retract>");
            done(&mut rig, ALICE, HOST, &request);
        }
        // Of a node that is there still, the subscription to summaries and counts of nothing are.
        let left = rows(&rig);
        let is_empty = |name: &str| left.iter().all(|(other, _)| *other != name);
        if end != "delete" {
            assert!(is_empty("pubsub-attached"), "{end}: {left:?}");
            assert!(is_empty("pubsub-items"), "{end}: {left:?}");
        }
        done(&mut rig, ALICE, HOST, "set owner <delete node='feed'/>");
        assert_eq!(rows(&rig), [], "{end}");
    }
}

/// A summary costs as much for the last who attaches something as for the first, and has a limit.
#[test]
fn many_reactions() {
    let names: Vec<String> = (0..30).map(|number| format!("user{number}")).collect();
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut rig = Rig::new(&[&["alice"], &all[..]].concat());
    rig.join(ALICE, &[]);
    create(&mut rig, ALICE, "feed", &[("publish_model", "open")]);
    done(&mut rig, ALICE, HOST, &publish("feed", "one"));
    let mut costs = Vec::new();
    for (number, name) in names.iter().enumerate() {
        rig.join(&format!("{name}/phone"), &[]);
        let reactions: Vec<String> = (0..10).map(|one| format!("{number}-{one}")).collect();
        let before = rig.questions();
        assert_eq!(attach(&mut rig, name, "one", &reactions), None);
        costs.push(rig.questions() - before);
    }
    assert_eq!(costs[1..].iter().max(), costs[1..].iter().min());
    // 300 different ones are there: one that is known is one more, another is too many.
    let known = ["0-0".to_owned()];
    assert_eq!(attach(&mut rig, "alice", "one", &known), None);
    let refused = attach(&mut rig, "alice", "one", &["more".to_owned()]);
    assert_eq!(refused.as_deref(), Some("policy-violation"));
    let request = format!("get any <items node='{SUMMARY}'/>");
    let answer = done(&mut rig, ALICE, HOST, &request);
    let text = String::from_utf8(answer.to_bytes("").to_vec()).unwrap();
    assert!(text.contains("<reaction count='2'>0-0</reaction>"));
    assert_eq!(text.matches("</reaction>").count(), 300);
}
