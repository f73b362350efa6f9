//! Every error of §6 to §8, as it is numbered there. What the service does not do is not there to be refused: payment,
//! registration, and the features that it lacks.

use crate::rig::Rig;
use crate::service::{HOST, ask, configuration, create, done, form, publish, said};

const BOB: &str = "bob/phone";
const ALICE: &str = "alice/phone";

/// The section; who asks what; type, condition and the service's own word.
type Row = (&'static str, &'static str, String, &'static str, &'static str, &'static str);

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
            &[("access_model", "roster"), ("roster_groups_allowed", "friends")],
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
        &owner("<affiliations node='banned'><affiliation jid='bob@example.org' affiliation='outcast'/></affiliations>"),
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
    let subscribe = |node: &str| format!("set any <subscribe node='{node}' jid='bob@example.org'/>");
    done(&mut rig, BOB, HOST, &subscribe("auth"));
    // Twice to one node.
    done(&mut rig, BOB, HOST, &subscribe("small"));
    let options = form("subscribe_options", &[("deliver", "0")]);
    let again = format!("{}<options>{options}</options>", subscribe("small"));
    done(&mut rig, BOB, HOST, &again);
    done(&mut rig, BOB, HOST, &subscribe("open"));
    rig
}

fn subscribing() -> Vec<Row> {
    let sub = |node: &str| format!("set any <subscribe node='{node}' jid='bob@example.org'/>");
    vec![
        (
            "6.1.3.1",
            BOB,
            "set any <subscribe node='open' jid='alice@example.org'/>".to_owned(),
            "modify",
            "bad-request",
            "invalid-jid",
        ),
        (
            "6.1.3.1, no address",
            BOB,
            "set any <subscribe node='open'/>".to_owned(),
            "modify",
            "bad-request",
            "invalid-jid",
        ),
        ("6.1.3.3", BOB, sub("roster"), "auth", "not-authorized", "not-in-roster-group"),
        ("6.1.3.4", BOB, sub("white"), "cancel", "not-allowed", "closed-node"),
        ("6.1.3.7", BOB, sub("auth"), "auth", "not-authorized", "pending-subscription"),
        ("6.1.3.8", BOB, sub("banned"), "auth", "forbidden", ""),
        (
            "6.1.3.10",
            BOB,
            sub("closed"),
            "cancel",
            "feature-not-implemented",
            "unsupported subscribe",
        ),
        ("6.1.3.11", BOB, sub("moved"), "modify", "gone", ""),
        ("6.1.3.12", BOB, sub("nothing"), "cancel", "item-not-found", ""),
        (
            "6.1, no node",
            BOB,
            "set any <subscribe jid='bob@example.org'/>".to_owned(),
            "modify",
            "bad-request",
            "nodeid-required",
        ),
    ]
}

fn unsubscribing() -> Vec<Row> {
    let unsub = |rest: &str| format!("set any <unsubscribe {rest}/>");
    let bob = "jid='bob@example.org'";
    vec![
        (
            "6.2.3.1",
            BOB,
            unsub(&format!("node='small' {bob}")),
            "modify",
            "bad-request",
            "subid-required",
        ),
        (
            "6.2.3.2",
            BOB,
            unsub(&format!("node='full' {bob}")),
            "cancel",
            "unexpected-request",
            "not-subscribed",
        ),
        (
            "6.2.3.3",
            BOB,
            unsub("node='open' jid='alice@example.org'"),
            "auth",
            "forbidden",
            "",
        ),
        (
            "6.2.3.4",
            BOB,
            unsub(&format!("node='nothing' {bob}")),
            "cancel",
            "item-not-found",
            "",
        ),
        (
            "6.2.3.5",
            BOB,
            unsub(&format!("node='open' subid='no' {bob}")),
            "modify",
            "not-acceptable",
            "invalid-subid",
        ),
    ]
}

fn options() -> Vec<Row> {
    let get = |rest: &str| format!("get any <options {rest}/>");
    let bob = "jid='bob@example.org'";
    let wrong = form("subscribe_options", &[("deliver", "perhaps")]);
    let twice = form("subscribe_options", &[("deliver", "1"), ("deliver", "0")]);
    let other = form("node_config", &[("deliver", "1")]);
    let past = form("subscribe_options", &[("expire", "2001-01-01T00:00:00Z")]);
    let set = |form: &str| format!("set any <options node='open' {bob}>{form}</options>");
    let subscribe = format!("<subscribe node='full' {bob}/>");
    let fine = form("subscribe_options", &[("deliver", "1")]);
    vec![
        (
            "6.3.4.1",
            BOB,
            get("node='open' jid='alice@example.org'"),
            "auth",
            "forbidden",
            "",
        ),
        (
            "6.3.4.2",
            BOB,
            get(&format!("node='full' {bob}")),
            "modify",
            "unexpected-request",
            "not-subscribed",
        ),
        ("6.3.4.3", BOB, get("node='open'"), "modify", "bad-request", "jid-required"),
        (
            "6.3.4.4",
            BOB,
            get(&format!("node='small' {bob}")),
            "modify",
            "bad-request",
            "subid-required",
        ),
        (
            "6.3.4.5",
            BOB,
            get(&format!("node='open' subid='no' {bob}")),
            "modify",
            "not-acceptable",
            "invalid-subid",
        ),
        (
            "6.3.4.7",
            BOB,
            get(&format!("node='nothing' {bob}")),
            "cancel",
            "item-not-found",
            "",
        ),
        ("6.3.6.2", BOB, set(&wrong), "modify", "bad-request", "invalid-options"),
        ("6.3.6.2, twice", BOB, set(&twice), "modify", "bad-request", "invalid-options"),
        ("6.3.6.2, another form", BOB, set(&other), "modify", "bad-request", "invalid-options"),
        ("6.3.6.2, over", BOB, set(&past), "modify", "bad-request", "invalid-options"),
        ("6.3.6.2, no form", BOB, set(""), "modify", "bad-request", "invalid-options"),
        (
            "6.3.7, the order",
            BOB,
            format!("set any <options>{fine}</options>{subscribe}"),
            "modify",
            "bad-request",
            "",
        ),
        (
            "6.3.7, a node",
            BOB,
            format!("set any {subscribe}<options node='full'>{fine}</options>"),
            "modify",
            "bad-request",
            "",
        ),
    ]
}

fn reading() -> Vec<Row> {
    let get = |rest: &str| format!("get any <items {rest}/>");
    vec![
        ("6.5.9.1", BOB, get("node='small'"), "modify", "bad-request", "subid-required"),
        (
            "6.5.9.2",
            BOB,
            get("node='open' subid='no'"),
            "modify",
            "not-acceptable",
            "invalid-subid",
        ),
        ("6.5.9.3", BOB, get("node='auth'"), "auth", "not-authorized", "not-subscribed"),
        (
            "6.5.9.4",
            BOB,
            get("node='transient'"),
            "cancel",
            "feature-not-implemented",
            "unsupported persistent-items",
        ),
        (
            "6.5.9.7",
            BOB,
            get("node='roster'"),
            "auth",
            "not-authorized",
            "not-in-roster-group",
        ),
        ("6.5.9.8", BOB, get("node='white'"), "cancel", "not-allowed", "closed-node"),
        ("6.5.9.10", BOB, get("node='banned'"), "auth", "forbidden", ""),
        ("6.5.9.11", BOB, get("node='nothing'"), "cancel", "item-not-found", ""),
        ("6.5, moved", BOB, get("node='moved'"), "modify", "gone", ""),
    ]
}

fn publishing() -> Vec<Row> {
    let item = |node: &str, item: &str| format!("set any <publish node='{node}'>{item}</publish>");
    let x = "<x xmlns='urn:example'/>";
    let conditions = |fields: &[(&str, &str)]| {
        let form = form("publish-options", fields);
        format!("{}<publish-options>{form}</publish-options>", publish("open", "two"))
    };
    let large = format!("<item><x xmlns='urn:example'>{}</x></item>", "a".repeat(200_000));
    vec![
        ("7.1.3.1", BOB, publish("open", "two"), "auth", "forbidden", ""),
        ("7.1.3.1, cast out", BOB, publish("banned", "two"), "auth", "forbidden", ""),
        ("7.1.3.4", ALICE, publish("full", "two"), "cancel", "conflict", "node-full"),
        (
            "7.1.3.5",
            ALICE,
            publish("small", "two"),
            "modify",
            "not-acceptable",
            "payload-too-big",
        ),
        (
            "7.1.3.5, the service's",
            ALICE,
            item("open", &large),
            "modify",
            "not-acceptable",
            "payload-too-big",
        ),
        (
            "7.1.3.6",
            ALICE,
            item("open", &format!("<item>{x}{x}</item>")),
            "modify",
            "bad-request",
            "invalid-payload",
        ),
        (
            "7.1.3.7, persistent",
            ALICE,
            item("open", ""),
            "modify",
            "bad-request",
            "item-required",
        ),
        (
            "7.1.3.7, with payloads",
            ALICE,
            item("open", "<item/>"),
            "modify",
            "bad-request",
            "payload-required",
        ),
        (
            "7.1.3.7, neither",
            ALICE,
            publish("event", "two"),
            "modify",
            "bad-request",
            "item-forbidden",
        ),
        (
            "7.1.1, two items",
            ALICE,
            item("open", &format!("<item>{x}</item><item>{x}</item>")),
            "modify",
            "bad-request",
            "",
        ),
        ("7.1, no node", ALICE, item("", ""), "modify", "bad-request", "nodeid-required"),
        (
            "7.1.5",
            ALICE,
            conditions(&[("access_model", "whitelist")]),
            "cancel",
            "conflict",
            "precondition-not-met",
        ),
        (
            "7.1.5, unknown",
            ALICE,
            conditions(&[("colour", "blue")]),
            "cancel",
            "conflict",
            "precondition-not-met",
        ),
        (
            "7.1.5, twice",
            ALICE,
            conditions(&[("max_items", "1"), ("max_items", "2")]),
            "modify",
            "bad-request",
            "",
        ),
    ]
}

fn retracting() -> Vec<Row> {
    let retract = |rest: &str, item: &str| format!("set any <retract {rest}>{item}</retract>");
    vec![
        (
            "7.2.3.1",
            BOB,
            retract("node='open'", "<item id='one'/>"),
            "auth",
            "forbidden",
            "",
        ),
        (
            "7.2.3.2, node",
            ALICE,
            retract("node='nothing'", "<item id='one'/>"),
            "cancel",
            "item-not-found",
            "",
        ),
        (
            "7.2.3.2, item",
            ALICE,
            retract("node='open'", "<item id='no'/>"),
            "cancel",
            "item-not-found",
            "",
        ),
        (
            "7.2.3.3",
            ALICE,
            retract("", "<item id='one'/>"),
            "modify",
            "bad-request",
            "nodeid-required",
        ),
        ("7.2.3.4", ALICE, retract("node='open'", ""), "modify", "bad-request", "item-required"),
        (
            "7.2.3.4, no name",
            ALICE,
            retract("node='open'", "<item/>"),
            "modify",
            "bad-request",
            "item-required",
        ),
        (
            "7.2.3.5",
            ALICE,
            retract("node='transient'", "<item id='one'/>"),
            "cancel",
            "feature-not-implemented",
            "unsupported persistent-items",
        ),
    ]
}

fn creating_and_configuring() -> Vec<Row> {
    let create = |fields: &[(&str, &str)]| {
        let form = configuration(fields);
        format!("set any <create node='new'/><configure>{form}</configure>")
    };
    let configure = |fields: &[(&str, &str)]| {
        let form = configuration(fields);
        format!("set owner <configure node='open'>{form}</configure>")
    };
    let own = |kind: &str, parts: &str| format!("{kind} owner {parts}");
    vec![
        (
            "8.1.1",
            ALICE,
            "set any <create node='open'/>".to_owned(),
            "cancel",
            "conflict",
            "",
        ),
        (
            "8.1.2",
            ALICE,
            create(&[("access_model", "secret")]),
            "modify",
            "not-acceptable",
            "unsupported-access-model",
        ),
        (
            "8.1.3, the order",
            ALICE,
            "set any <configure/><create node='new'/>".to_owned(),
            "modify",
            "bad-request",
            "",
        ),
        (
            "8.1.3, a node",
            ALICE,
            "set any <create node='new'/><configure node='new'/>".to_owned(),
            "modify",
            "bad-request",
            "",
        ),
        ("8.2.3.2", BOB, own("get", "<configure node='open'/>"), "auth", "forbidden", ""),
        (
            "8.2.3.3",
            ALICE,
            own("get", "<configure/>"),
            "modify",
            "bad-request",
            "nodeid-required",
        ),
        (
            "8.2.3.5",
            ALICE,
            own("get", "<configure node='nothing'/>"),
            "cancel",
            "item-not-found",
            "",
        ),
        (
            "8.2.5.2",
            ALICE,
            configure(&[("max_items", "many")]),
            "modify",
            "not-acceptable",
            "",
        ),
        (
            "8.2.5.2, none",
            ALICE,
            configure(&[("max_items", "0")]),
            "modify",
            "not-acceptable",
            "",
        ),
        (
            "8.2.5.2, twice",
            ALICE,
            configure(&[("title", "a"), ("title", "b")]),
            "modify",
            "not-acceptable",
            "",
        ),
        ("8.2.4, by another", BOB, configure(&[]), "auth", "forbidden", ""),
        (
            "8.3",
            ALICE,
            own("get", "<default type='collection'/>"),
            "cancel",
            "feature-not-implemented",
            "unsupported collections",
        ),
    ]
}

fn owning() -> Vec<Row> {
    let own = |kind: &str, parts: &str| format!("{kind} owner {parts}");
    let mut rows = vec![
        (
            "8.5.3.3",
            ALICE,
            own("set", "<purge node='transient'/>"),
            "cancel",
            "feature-not-implemented",
            "unsupported persistent-items",
        ),
        (
            "8.8.2.4",
            ALICE,
            own(
                "set",
                "<subscriptions node='open'><subscription jid='bob@example.org' subscription='pending'/></subscriptions>",
            ),
            "modify",
            "not-acceptable",
            "",
        ),
        (
            "8.9.2.4, the last owner",
            ALICE,
            own(
                "set",
                "<affiliations node='open'><affiliation jid='alice@example.org' affiliation='none'/></affiliations>",
            ),
            "modify",
            "not-acceptable",
            "",
        ),
        (
            "8.9.2.4, twice",
            ALICE,
            own(
                "set",
                "<affiliations node='open'><affiliation jid='bob@example.org' affiliation='member'/>\
                 <affiliation jid='bob@example.org/x' affiliation='none'/></affiliations>",
            ),
            "modify",
            "bad-request",
            "",
        ),
    ];
    for (section, kind, name) in [
        ("8.4.3", "set", "delete"),
        ("8.5.3", "set", "purge"),
        ("8.8.1.3", "get", "subscriptions"),
        ("8.8.2.3", "set", "subscriptions"),
        ("8.9.1.3", "get", "affiliations"),
        ("8.9.2.3", "set", "affiliations"),
    ] {
        let named = |node: &str| own(kind, &format!("<{name}{node}/>"));
        rows.push((section, BOB, named(" node='open'"), "auth", "forbidden", ""));
        let nothing = named(" node='nothing'");
        rows.push((section, ALICE, nothing, "cancel", "item-not-found", ""));
        rows.push((section, ALICE, named(""), "modify", "bad-request", "nodeid-required"));
    }
    rows
}

/// What cannot be understood at all.
fn malformed() -> Vec<Row> {
    let mut rows = Vec::new();
    for request in [
        "get any <publish node='open'/>",
        "set any <items node='open'/>",
        "set any ",
        "get any ",
        "set any <purge node='open'/>",
        "set owner <publish node='open'/>",
        "get any <items node='open'/><items node='open'/>",
        "set any <publish node='open'/><create node='x'/>",
    ] {
        rows.push(("malformed", ALICE, request.to_owned(), "modify", "bad-request", ""));
    }
    rows
}

#[test]
fn each_error_is_as_the_text_has_it() {
    let mut rig = world();
    let rows = [
        subscribing(),
        unsubscribing(),
        options(),
        reading(),
        publishing(),
        retracting(),
        creating_and_configuring(),
        owning(),
        malformed(),
    ];
    let mut wrong = Vec::new();
    for (section, who, request, kind, condition, app) in rows.into_iter().flatten() {
        let expected = Some((
            kind.to_owned(),
            condition.to_owned(),
            (!app.is_empty()).then(|| app.to_owned()),
        ));
        let found = said(&ask(&mut rig, who, HOST, &request));
        if found != expected {
            let request: String = request.chars().take(200).collect();
            wrong.push(format!("{section}: {request}\n  {found:?}, not {expected:?}"));
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
