//! Every error of §6 to §8, as it is numbered there. What the service does not do is not there to be refused: payment,
//! registration, and the features that it lacks.

use crate::rig::Rig;
use crate::service::{HOST, ask, create, done, form, publish, said};

const BOB: &str = "bob/phone";
const ALICE: &str = "alice/phone";

fn world() -> Rig {
    let mut rig = Rig::new(&["alice", "bob", "carol"]);
    rig.join(ALICE, &["<presence/>"]);
    rig.join(BOB, &["<presence/>"]);
    for (node, fields) in [
        ("open", &[][..]),
        ("white", &[("access_model", "whitelist")]),
        ("auth", &[("access_model", "authorize")]),
        ("presence", &[("access_model", "presence")]),
        (
            "roster",
            &[
                ("access_model", "roster"),
                ("roster_groups_allowed", "friends"),
            ],
        ),
        ("closed", &[("subscribe", "0")]),
        ("transient", &[("persist_items", "0")]),
        (
            "event",
            &[("persist_items", "0"), ("deliver_payloads", "0")],
        ),
        (
            "full",
            &[("max_items", "1"), ("publish_node_full", "reject")],
        ),
        ("small", &[("max_payload_size", "10")]),
        ("banned", &[]),
        ("moved", &[]),
    ] {
        create(&mut rig, ALICE, node, fields);
    }
    done(&mut rig, ALICE, HOST, &publish("open", "one"));
    done(&mut rig, ALICE, HOST, &publish("full", "one"));
    let owner = |parts: &str| format!("set owner {parts}");
    done(
        &mut rig,
        ALICE,
        HOST,
        &owner(
            "<affiliations node='banned'><affiliation jid='bob@example.org' affiliation='outcast'/></affiliations>",
        ),
    );
    let moved = "<delete node='moved'><redirect uri='xmpp:a@example.net?;node=b'/></delete>";
    done(&mut rig, ALICE, HOST, &owner(moved));
    // Bob is in Alice's roster, in another group, and sees her presence.
    rig.say(ALICE, "<presence to='bob@example.org' type='subscribed'/>");
    rig.say(BOB, "<presence to='alice@example.org' type='subscribe'/>");
    rig.say(
        ALICE,
        "<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='bob@example.org'><group>foes</group></item></query></iq>",
    );
    let subscribe =
        |node: &str| format!("set any <subscribe node='{node}' jid='bob@example.org'/>");
    done(&mut rig, BOB, HOST, &subscribe("auth"));
    // Twice to one node.
    done(&mut rig, BOB, HOST, &subscribe("small"));
    let options = form("subscribe_options", &[("deliver", "0")]);
    let again = format!("{}<options>{options}</options>", subscribe("small"));
    done(&mut rig, BOB, HOST, &again);
    done(&mut rig, BOB, HOST, &subscribe("open"));
    rig
}

/// A request of the table, its forms written out.
fn written(request: &str) -> String {
    let mut text = String::new();
    let mut rest = request;
    while let Some((before, after)) = rest.split_once('[') {
        let (inside, after) = after.split_once(']').unwrap();
        text.push_str(before);
        match inside.strip_suffix(" bytes") {
            Some(bytes) => text.push_str(&"a".repeat(bytes.parse().unwrap())),
            None => {
                let (name, fields) = inside.split_once(' ').unwrap_or((inside, ""));
                let fields: Vec<_> = fields
                    .split_whitespace()
                    .map(|field| field.split_once('=').unwrap())
                    .collect();
                text.push_str(&form(name, &fields));
            }
        }
        rest = after;
    }
    text + rest
}

#[test]
fn each_error_is_as_the_text_has_it() {
    let mut rig = world();
    let mut wrong = Vec::new();
    let rows = include_str!("errors.txt").lines();
    let rows = rows.filter(|line| !line.is_empty() && !line.starts_with('#'));
    for row in rows {
        let [section, who, request, expected] = *row.split(" | ").collect::<Vec<_>>() else {
            panic!("{row}");
        };
        let answer = ask(&mut rig, &format!("{who}/phone"), HOST, &written(request));
        let found = said(&answer).map(|(kind, condition, app)| {
            let app = app.map(|app| format!(" {app}")).unwrap_or_default();
            format!("{kind} {condition}{app}")
        });
        if found.as_deref() != Some(expected) {
            wrong.push(format!(
                "{section}: {request}\n  {found:?}, not {expected:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// §6.1.3.2 and §6.5.9.6, which need somebody who does not see the owner's presence.
#[test]
fn presence_is_required() {
    let mut rig = world();
    rig.join("carol/phone", &[]);
    for request in [
        "set any <subscribe node='presence' jid='carol@example.org'/>",
        "get any <items node='presence'/>",
        // Of the roster's groups they learn nothing.
        "set any <subscribe node='roster' jid='carol@example.org'/>",
        "get any <items node='roster'/>",
    ] {
        let expected = (
            "auth".to_owned(),
            "not-authorized".to_owned(),
            Some("presence-subscription-required".to_owned()),
        );
        let found = said(&ask(&mut rig, "carol/phone", HOST, request));
        assert_eq!(found, Some(expected), "{request}");
        // Who sees it may.
        let bob = request.replace("carol", "bob");
        if bob.contains("'presence'") {
            done(&mut rig, BOB, HOST, &bob);
        }
    }
}
