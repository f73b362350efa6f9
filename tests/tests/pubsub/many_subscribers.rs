//! What a publication costs does not hang on how often somebody has subscribed, and lists of many come in pages.

use std::collections::BTreeSet;

use waxwing_wire::Element;

use crate::rig::Rig;
use crate::service::{HOST, create, done, form, publish};

const ALICE: &str = "alice/phone";
const BOB: &str = "bob/phone";
const NS_RSM: &str = "http://jabber.org/protocol/rsm";

/// A node to which so many addresses of one account have subscribed.
fn subscribed(rig: &mut Rig, node: &str, addresses: usize) {
    create(rig, ALICE, node, &[]);
    for number in 0..addresses {
        let request = format!("set any <subscribe node='{node}' jid='bob@example.org/{number}'/>");
        done(rig, BOB, HOST, &request);
    }
}

/// Each account is asked about once, whatever the model.
#[test]
fn many_addresses_of_one_account_are_asked_about_once() {
    let mut rig = Rig::new(&["alice", "bob"]);
    rig.join(ALICE, &[]);
    rig.join(BOB, &[]);
    let [few, many] = [2, 120].map(|addresses| {
        let node = format!("of {addresses}");
        subscribed(&mut rig, &node, addresses);
        ["presence", "authorize", "whitelist"].map(|model| {
            let model = form("node_config", &[("access_model", model)]);
            let configure = format!("set owner <configure node='{node}'>{model}</configure>");
            done(&mut rig, ALICE, HOST, &configure);
            let before = rig.questions();
            done(&mut rig, ALICE, HOST, &publish(&node, "one"));
            rig.questions() - before
        })
    });
    assert_eq!(few, many);
}

fn page<'a>(answer: &'a Element, list: &str) -> (Vec<&'a Element>, Option<&'a Element>) {
    let pubsub = answer.children().next().unwrap();
    let all = pubsub.children().filter(|child| child.name() == list);
    (
        all.flat_map(Element::children).collect(),
        pubsub.child(NS_RSM, "set"),
    )
}

/// §5.6, §5.7, §8.8.1 and §8.9.1, each page by page: all of it, nothing twice.
#[test]
fn long_lists_come_in_pages() {
    const MANY: usize = 25;
    let mut rig = Rig::new(&["alice", "bob"]);
    rig.join(ALICE, &[]);
    rig.join(BOB, &[]);
    subscribed(&mut rig, "n", MANY);
    let mut members = String::new();
    for number in 0..MANY - 1 {
        create(&mut rig, ALICE, &format!("node {number}"), &[]);
        members += &format!("<affiliation jid='m{number}@example.org' affiliation='member'/>");
    }
    let members = format!("set owner <affiliations node='n'>{members}</affiliations>");
    done(&mut rig, ALICE, HOST, &members);
    for (who, whose, list, element) in [
        (BOB, "any", "subscriptions", "<subscriptions/>"),
        (ALICE, "any", "affiliations", "<affiliations/>"),
        (ALICE, "owner", "subscriptions", "<subscriptions node='n'/>"),
        (ALICE, "owner", "affiliations", "<affiliations node='n'/>"),
    ] {
        let whole = done(&mut rig, who, HOST, &format!("get {whose} {element}"));
        let (whole, set) = page(&whole, list);
        assert_eq!((whole.len(), set), (MANY, None), "{whose} {list}");
        let whole: Vec<Element> = whole.into_iter().cloned().collect();
        let (mut found, mut after) = (Vec::new(), String::new());
        while found.len() < MANY {
            let request = format!(
                "get {whose} {element}<set xmlns='{NS_RSM}'><max>10</max><after>{after}</after></set>"
            );
            let answer = done(&mut rig, who, HOST, &request);
            let (some, set) = page(&answer, list);
            assert!(!some.is_empty() && some.len() <= 10);
            found.extend(some.into_iter().cloned());
            let last = set.unwrap().child(NS_RSM, "last").unwrap().text();
            after = last.replace('&', "&amp;");
        }
        assert_eq!(found, whole, "{whose} {list}");
    }
}

/// XEP-0060 §5.5: names of items are listed in pages, too.
#[test]
fn names_of_items_are_told_in_pages() {
    let mut rig = Rig::new(&["alice"]);
    rig.join(ALICE, &[]);
    create(&mut rig, ALICE, "n", &[]);
    for number in 0..12 {
        done(&mut rig, ALICE, HOST, &publish("n", &number.to_string()));
    }
    let (mut found, mut after) = (BTreeSet::new(), String::new());
    for expected in [5, 5, 2] {
        rig.forget();
        rig.say(
            ALICE,
            &format!(
                "<iq type='get' id='q' to='{HOST}'><query xmlns='http://jabber.org/protocol/disco#items' node='n'>\
                 <set xmlns='{NS_RSM}'><max>5</max>{after}</set></query></iq>"
            ),
        );
        let answer = rig.take(ALICE).remove(0);
        let query = answer.children().next().unwrap();
        let items = query.children().filter(|child| child.name() == "item");
        let names: Vec<String> = items
            .filter_map(|item| item.attr("name").map(str::to_owned))
            .collect();
        assert_eq!(names.len(), expected);
        found.extend(names);
        let last = query
            .child(NS_RSM, "set")
            .unwrap()
            .child(NS_RSM, "last")
            .unwrap();
        after = format!("<after>{}</after>", last.text());
    }
    assert_eq!(found.len(), 12);
}

/// Where many have subscribed, what is asked of each is read once: who is told is the same.
#[test]
fn who_of_many_is_told() {
    let names: Vec<String> = (0..20).map(|number| format!("user{number:02}")).collect();
    let accounts: Vec<&str> = ["alice"]
        .into_iter()
        .chain(names.iter().map(String::as_str))
        .collect();
    let mut rig = Rig::new(&accounts);
    rig.join(ALICE, &["<presence/>"]);
    create(&mut rig, ALICE, "n", &[]);
    let sessions: Vec<String> = names.iter().map(|name| format!("{name}/phone")).collect();
    for (name, session) in names.iter().zip(&sessions) {
        rig.join(session, &["<presence/>"]);
        let request = format!("set any <subscribe node='n' jid='{name}@example.org'/>");
        done(&mut rig, session, HOST, &request);
    }
    let members: String = names
        .iter()
        .take(7)
        .map(|name| format!("<affiliation jid='{name}@example.org' affiliation='member'/>"))
        .collect();
    let members = format!("set owner <affiliations node='n'>{members}</affiliations>");
    done(&mut rig, ALICE, HOST, &members);
    let outcast = "<affiliation jid='user19@example.org' affiliation='outcast'/>";
    let outcast = format!("set owner <affiliations node='n'>{outcast}</affiliations>");
    // Of those who are no members, these see Alice's presence, and one of them stands in a group.
    for name in ["user10", "user11"] {
        rig.say(
            &format!("{name}/phone"),
            "<presence type='subscribe' to='alice@example.org'/>",
        );
        rig.say(
            ALICE,
            &format!("<presence type='subscribed' to='{name}@example.org'/>"),
        );
    }
    rig.say(
        ALICE,
        "<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='user11@example.org'><group>friends</group></item></query></iq>",
    );
    for (model, told) in [
        ("open", 20),
        ("whitelist", 7),
        ("presence", 9),
        ("roster", 8),
        ("authorize", 20),
    ] {
        let fields = [
            ("access_model", model),
            ("roster_groups_allowed", "friends"),
        ];
        let model_form = form("node_config", &fields);
        let configure = format!("set owner <configure node='n'>{model_form}</configure>");
        done(&mut rig, ALICE, HOST, &configure);
        rig.forget();
        done(&mut rig, ALICE, HOST, &publish("n", "one"));
        let mut got = 0;
        for session in &sessions {
            got += rig
                .take(session)
                .iter()
                .filter(|stanza| stanza.name() == "message")
                .count();
        }
        assert_eq!(got, told, "{model}");
    }
    // Who is cast out is subscribed no more.
    done(&mut rig, ALICE, HOST, &outcast);
    rig.forget();
    done(&mut rig, ALICE, HOST, &publish("n", "two"));
    let last = rig.take("user19/phone");
    assert!(last.iter().all(|stanza| stanza.name() != "message"));
}
