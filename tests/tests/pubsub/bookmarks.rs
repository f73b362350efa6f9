//! Bookmarks in both of their forms (XEP-0402 §4.3), where a node is opened and closed again, and changed with that.

use waxwing_wire::Element;

use crate::rig::Rig;
use crate::service::{ask, done, form, said};

const ALICE: &str = "alice/phone";
const OWN: &str = "alice@example.org";
const NEW: &str = "urn:xmpp:bookmarks:1";
const OLD: &str = "storage:bookmarks";

fn rig() -> Rig {
    let mut rig = Rig::new(&["alice"]);
    rig.join(ALICE, &[]);
    rig
}

fn configure(rig: &mut Rig, node: &str, fields: &[(&str, &str)]) {
    let form = form("node_config", fields);
    let request = format!("set owner <configure node='{node}'>{form}</configure>");
    done(rig, ALICE, OWN, &request);
}

fn publish(rig: &mut Rig, room: &str) {
    let bookmark = format!("<conference xmlns='{NEW}'/>");
    let item = format!("<item id='{room}@rooms.example.org'>{bookmark}</item>");
    let request = format!("set any <publish node='{NEW}'>{item}</publish>");
    done(rig, ALICE, OWN, &request);
}

fn publish_old(rig: &mut Rig, rooms: &[&str]) {
    let rooms: String = rooms
        .iter()
        .map(|room| format!("<conference jid='{room}@rooms.example.org' name='{room}'/>"))
        .collect();
    let storage = format!("<storage xmlns='{OLD}'>{rooms}</storage>");
    let item = format!("<item id='current'>{storage}</item>");
    let request = format!("set any <publish node='{OLD}'>{item}</publish>");
    done(rig, ALICE, OWN, &request);
}

fn items(rig: &mut Rig, node: &str) -> Vec<Element> {
    let answer = done(rig, ALICE, OWN, &format!("get any <items node='{node}'/>"));
    let pubsub = answer.children().next().unwrap();
    let list = pubsub.children().next().unwrap();
    list.children().cloned().collect()
}

fn room(jid: Option<&str>) -> String {
    let room = jid.and_then(|jid| jid.split_once('@'));
    room.unwrap().0.to_owned()
}

/// The rooms of the newer form and those of the older one, of which there is one item.
fn rooms(rig: &mut Rig) -> (Vec<String>, Vec<String>) {
    let mut new: Vec<String> = items(rig, NEW)
        .iter()
        .map(|item| room(item.attr("id")))
        .collect();
    let old = items(rig, OLD);
    assert!(old.len() < 2, "{old:?}");
    let shown = old
        .iter()
        .flat_map(Element::children)
        .flat_map(Element::children);
    let mut old: Vec<String> = shown.map(|shown| room(shown.attr("jid"))).collect();
    new.sort_unstable();
    old.sort_unstable();
    (new, old)
}

fn both(rooms: &[&str]) -> (Vec<String>, Vec<String>) {
    let rooms: Vec<String> = rooms.iter().map(|room| (*room).to_owned()).collect();
    (rooms.clone(), rooms)
}

#[test]
fn a_node_is_closed_and_keeps_fewer_at_once() {
    let mut rig = rig();
    for name in ["a", "b", "c", "d", "e"] {
        publish(&mut rig, name);
    }
    configure(&mut rig, NEW, &[("access_model", "open")]);
    let fewer = [("access_model", "whitelist"), ("max_items", "3")];
    configure(&mut rig, NEW, &fewer);
    assert_eq!(rooms(&mut rig), both(&["c", "d", "e"]));
    publish(&mut rig, "f");
    assert_eq!(rooms(&mut rig), both(&["d", "e", "f"]));
}

#[test]
fn what_is_published_is_never_written_over_by_what_the_older_form_had() {
    let mut rig = rig();
    publish(&mut rig, "a");
    configure(&mut rig, NEW, &[("access_model", "open")]);
    publish_old(&mut rig, &["a", "b"]);
    done(
        &mut rig,
        ALICE,
        OWN,
        &format!("set owner <delete node='{NEW}'/>"),
    );
    let other = "<item id='a@rooms.example.org'><x xmlns='urn:example'/></item>";
    done(
        &mut rig,
        ALICE,
        OWN,
        &format!("set any <publish node='{NEW}'>{other}</publish>"),
    );
    let found = items(&mut rig, NEW);
    let of_a = found.iter().filter(|item| room(item.attr("id")) == "a");
    let of_a: Vec<&Element> = of_a.flat_map(Element::children).collect();
    assert_eq!(of_a.len(), 1);
    assert_eq!(of_a[0].ns(), "urn:example");
    let retract =
        format!("set any <retract node='{NEW}'><item id='a@rooms.example.org'/></retract>");
    done(&mut rig, ALICE, OWN, &retract);
    assert_eq!(rooms(&mut rig), both(&["b"]));
}

#[test]
fn an_open_node_that_is_deleted_takes_no_bookmark_along() {
    for open in [NEW, OLD] {
        let mut rig = rig();
        publish(&mut rig, "a");
        publish(&mut rig, "b");
        configure(&mut rig, open, &[("access_model", "open")]);
        done(
            &mut rig,
            ALICE,
            OWN,
            &format!("set owner <delete node='{open}'/>"),
        );
        publish(&mut rig, "c");
        assert_eq!(rooms(&mut rig), both(&["a", "b", "c"]), "{open}");
    }
}

#[test]
fn nothing_keeps_a_node_open() {
    let mut rig = rig();
    publish(&mut rig, "a");
    configure(
        &mut rig,
        NEW,
        &[("access_model", "open"), ("max_items", "1")],
    );
    publish_old(&mut rig, &["b"]);
    configure(&mut rig, NEW, &[("access_model", "whitelist")]);
    let (new, old) = rooms(&mut rig);
    assert_eq!((new, old), (vec!["a".to_owned()], vec!["b".to_owned()]));
}

/// A vCard is everybody's: what was private and is gone when its node is opened is not shown there.
#[test]
fn what_goes_while_a_node_is_opened_is_shown_to_nobody() {
    let mut rig = Rig::new(&["alice", "bob"]);
    rig.join(ALICE, &[]);
    rig.join("bob/phone", &[]);
    let card =
        "<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'><fn><text>secret</text></fn></vcard>";
    let private = form("publish-options", &[("access_model", "whitelist")]);
    let request = format!(
        "set any <publish node='urn:xmpp:vcard4'><item id='current'>{card}</item></publish>\
         <publish-options>{private}</publish-options>"
    );
    done(&mut rig, ALICE, OWN, &request);
    let fields = [("access_model", "open"), ("persist_items", "0")];
    configure(&mut rig, "urn:xmpp:vcard4", &fields);
    rig.forget();
    rig.say(
        "bob/phone",
        "<iq type='get' id='q' to='alice@example.org'><vCard xmlns='vcard-temp'/></iq>",
    );
    let answer = rig.take("bob/phone").remove(0);
    assert_eq!(said(&answer).unwrap().1, "service-unavailable");
}

/// Nobody is refused where the newer node takes no more, and nothing that somebody else's client wrote is lost.
#[test]
fn a_refusal_says_what_it_is_about() {
    let mut rig = rig();
    publish(&mut rig, "a");
    let none = format!("set any <publish node='{OLD}'><item id='current'/></publish>");
    let answer = ask(&mut rig, ALICE, OWN, &none);
    assert_eq!(
        said(&answer).unwrap().2.as_deref(),
        Some("payload-required")
    );
    assert_eq!(rooms(&mut rig), both(&["a"]));
}
