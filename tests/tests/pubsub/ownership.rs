//! Who can be made an owner, and what that opens to others: an owner answers for a node, and is asked and told things.

use waxwing_wire::Element;

use crate::rig::Rig;
use crate::service::{HOST, ask, create, done, publish, said};

const ALICE: &str = "alice/phone";
const BOB: &str = "bob/phone";
const CAROL: &str = "carol/phone";

fn rig() -> Rig {
    let mut rig = Rig::new(&["alice", "bob", "carol"]);
    for who in [ALICE, BOB, CAROL] {
        rig.join(who, &["<presence/>"]);
    }
    rig
}

/// Shows one account's presence to another.
fn show(rig: &mut Rig, whose: &str, to: &str) {
    let account = whose.split('/').next().unwrap();
    rig.say(
        to,
        &format!("<presence type='subscribe' to='{account}@example.org'/>"),
    );
    let to = to.split('/').next().unwrap();
    rig.say(
        whose,
        &format!("<presence type='subscribed' to='{to}@example.org'/>"),
    );
}

fn own(who: &str) -> String {
    format!(
        "set owner <affiliations node='n'><affiliation jid='{who}' affiliation='owner'/></affiliations>"
    )
}

fn condition(answer: &Element) -> Option<String> {
    said(answer).map(|(_, condition, _)| condition)
}

/// Somebody who shows no presence to the owner, who has blocked the owner, who is nobody, and who is elsewhere.
#[test]
fn nobody_owns_a_node_without_knowing_who_made_them_so() {
    let mut rig = rig();
    create(&mut rig, ALICE, "n", &[]);
    let refused = Some("not-acceptable".to_owned());
    for who in [
        "bob@example.org",
        "nobody@example.org",
        "bob@elsewhere.example",
    ] {
        assert_eq!(
            condition(&ask(&mut rig, ALICE, HOST, &own(who))),
            refused,
            "{who}"
        );
    }
    show(&mut rig, BOB, ALICE);
    let block = "<iq type='set' id='b'><block xmlns='urn:xmpp:blocking'><item jid='alice@example.org'/></block></iq>";
    rig.say(BOB, block);
    assert_eq!(
        condition(&ask(&mut rig, ALICE, HOST, &own("bob@example.org"))),
        refused
    );
    rig.say(
        BOB,
        &block
            .replace("block ", "unblock ")
            .replace("/block>", "/unblock>"),
    );
    done(&mut rig, ALICE, HOST, &own("bob@example.org"));
    done(&mut rig, BOB, HOST, "get owner <configure node='n'/>");
}

/// The groups of the other owners' rosters are theirs: nobody finds out who stands in them.
#[test]
fn only_who_made_a_node_opens_it_by_presence_and_roster() {
    let mut rig = rig();
    show(&mut rig, BOB, ALICE);
    show(&mut rig, BOB, CAROL);
    let group = "<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='carol@example.org'><group>secret</group></item></query></iq>";
    rig.say(BOB, group);
    for (model, fields) in [
        ("presence", vec![]),
        ("roster", vec![("roster_groups_allowed", "secret")]),
    ] {
        let fields = [vec![("access_model", model)], fields].concat();
        let read = |rig: &mut Rig, node: &str| {
            let request = format!("get any <items node='{node}'/>");
            condition(&ask(rig, CAROL, HOST, &request))
        };
        let made_by = |rig: &mut Rig, who: &str, node: &str| {
            create(rig, who, node, &fields);
            done(rig, who, HOST, &publish(node, "one"));
            read(rig, node)
        };
        let affiliate = |rig: &mut Rig, node: &str, request: &str| {
            let request = request.replace("'n'", &format!("'{node}'"));
            done(rig, ALICE, HOST, &request);
        };
        assert_eq!(made_by(&mut rig, BOB, &format!("{model} of bob")), None);
        let of_alice = format!("{model} of alice");
        assert!(made_by(&mut rig, ALICE, &of_alice).is_some());
        affiliate(&mut rig, &of_alice, &own("bob@example.org"));
        assert!(read(&mut rig, &of_alice).is_some(), "{model}");
        // Nor is it opened where she who made it owns it no more.
        let resign = own("alice@example.org").replace("'owner'", "'none'");
        affiliate(&mut rig, &of_alice, &resign);
        assert!(read(&mut rig, &of_alice).is_some(), "{model}");
    }
}
