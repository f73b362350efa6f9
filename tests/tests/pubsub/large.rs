//! Nodes of many items, and accounts of many nodes.

use crate::rig::Rig;
use crate::service::{HOST, ask, create, done, publish, said};

const ALICE: &str = "alice/phone";
const MANY: usize = 1_200;

fn questions(rig: &mut Rig, request: &str) -> u64 {
    let before = rig.questions();
    done(rig, ALICE, HOST, request);
    rig.questions() - before
}

fn count(rig: &mut Rig) -> String {
    let request =
        "get any <items node='n'/><set xmlns='http://jabber.org/protocol/rsm'><max>0</max></set>";
    let answer = done(rig, ALICE, HOST, request);
    let pubsub = answer.children().next().unwrap();
    let set = pubsub
        .child("http://jabber.org/protocol/rsm", "set")
        .unwrap();
    set.children().next().unwrap().text()
}

/// A page takes as many questions to the store wherever it is, and however many items there are; what is removed at once is
/// gone at once, though it goes from the disk little by little.
#[test]
fn many_items() {
    let mut rig = Rig::new(&["alice"]);
    rig.join(ALICE, &[]);
    create(&mut rig, ALICE, "n", &[]);
    let page = |after: &str| {
        format!(
            "get any <items node='n'/><set xmlns='http://jabber.org/protocol/rsm'><max>10</max>{after}</set>"
        )
    };
    for number in 0..20 {
        done(&mut rig, ALICE, HOST, &publish("n", &number.to_string()));
    }
    let few = questions(&mut rig, &page("<after>5</after>"));
    let publishing = questions(&mut rig, &publish("n", "20"));
    for number in 21..MANY {
        done(&mut rig, ALICE, HOST, &publish("n", &number.to_string()));
    }
    for after in [
        "<after>5</after>",
        "<after>600</after>",
        "<before>1100</before>",
    ] {
        assert_eq!(questions(&mut rig, &page(after)), few, "{after}");
    }
    assert_eq!(questions(&mut rig, &publish("n", "last")), publishing);
    assert_eq!(count(&mut rig), (MANY + 1).to_string());
    done(&mut rig, ALICE, HOST, "set owner <purge node='n'/>");
    assert_eq!(count(&mut rig), "0");
    done(&mut rig, ALICE, HOST, &publish("n", "5"));
    assert_eq!(count(&mut rig), "1");
    done(&mut rig, ALICE, HOST, "set owner <delete node='n'/>");
    create(&mut rig, ALICE, "n", &[]);
    assert_eq!(count(&mut rig), "0");
}

/// A thousand nodes are listed, and found among each other.
#[test]
fn many_nodes() {
    let mut rig = Rig::new(&["alice"]);
    rig.join(ALICE, &[]);
    for number in 0..1_000 {
        create(&mut rig, ALICE, &format!("node {number}"), &[]);
    }
    rig.forget();
    rig.say(
        ALICE,
        "<iq type='get' id='q' to='pubsub.example.org'><query xmlns='http://jabber.org/protocol/disco#items'/></iq>",
    );
    let answer = rig.take(ALICE).remove(0);
    let query = answer.children().next().unwrap();
    assert_eq!(query.children().count(), 1_000);
    done(&mut rig, ALICE, HOST, &publish("node 999", "a"));
    let absent = ask(&mut rig, ALICE, HOST, "get any <items node='node 1000'/>");
    assert_eq!(said(&absent).unwrap().1, "item-not-found");
}
