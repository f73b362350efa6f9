//! Requests to subscribe, asked for by a command (XEP-0060 §8.7): which nodes are listed, and how many requests come at once.

use waxwing_wire::Element;

use crate::rig::Rig;
use crate::service::{HOST, create, done};

const ALICE: &str = "alice/phone";
const BOB: &str = "bob/phone";

/// More than are sent at once.
const WAITING: usize = 130;

/// Runs the command a step further, and says what it answers, and how many requests came with it.
fn command(rig: &mut Rig, who: &str, run: Option<&str>, node: Option<&str>) -> (Element, usize) {
    let run = run.map(|run| format!(" sessionid='{run}'"));
    let form = node.map(|node| {
        format!(
            "<x xmlns='jabber:x:data' type='submit'><field var='pubsub#node'><value>{node}</value></field></x>"
        )
    });
    rig.forget();
    rig.say(
        who,
        &format!(
            "<iq type='set' id='q' to='{HOST}'><command xmlns='http://jabber.org/protocol/commands' \
             node='http://jabber.org/protocol/pubsub#get-pending'{}>{}</command></iq>",
            run.unwrap_or_default(),
            form.unwrap_or_default(),
        ),
    );
    let mut got = rig.take(who).into_iter();
    let answer = got.next().unwrap();
    assert_eq!(answer.attr("type"), Some("result"), "{answer:?}");
    (answer.children().next().unwrap().clone(), got.count())
}

/// The nodes that are listed.
fn listed(command: &Element) -> Vec<String> {
    let form = command.child("jabber:x:data", "x").unwrap();
    let options = form.children().flat_map(Element::children);
    let options = options.filter(|child| child.name() == "option");
    let values = options.flat_map(Element::children);
    values.map(Element::text).collect()
}

fn wait(rig: &mut Rig, who: &str, node: &str, resource: &str) {
    let (account, _) = who.split_once('/').unwrap();
    let jid = format!("{account}@example.org/{resource}");
    let request = format!("set any <subscribe node='{node}' jid='{jid}'/>");
    done(rig, who, HOST, &request);
}

/// Nodes of others lie between, before and behind, and some of one's own where nobody waits.
#[test]
fn nodes_are_found_among_those_of_others() {
    let mut rig = Rig::new(&["alice", "bob", "carol"]);
    for who in [ALICE, BOB, "carol/phone"] {
        rig.join(who, &["<presence/>"]);
    }
    let authorize = [("access_model", "authorize")];
    for (number, who) in [BOB, ALICE, BOB, BOB, ALICE, ALICE, BOB, ALICE, BOB]
        .into_iter()
        .enumerate()
    {
        create(&mut rig, who, &format!("n{number}"), &authorize);
        // At one of Alice's nobody waits.
        if number != 5 {
            wait(&mut rig, "carol/phone", &format!("n{number}"), "x");
        }
    }
    create(&mut rig, ALICE, "open", &[]);
    wait(&mut rig, "carol/phone", "open", "x");
    let (answer, _) = command(&mut rig, ALICE, None, None);
    assert_eq!(listed(&answer), ["n1", "n4", "n7"]);
    let (answer, _) = command(&mut rig, BOB, None, None);
    assert_eq!(listed(&answer), ["n0", "n2", "n3", "n6", "n8"]);
}

#[test]
fn requests_come_some_at_a_time() {
    let mut rig = Rig::new(&["alice", "bob"]);
    rig.join(ALICE, &["<presence/>"]);
    rig.join(BOB, &["<presence/>"]);
    create(&mut rig, ALICE, "n", &[("access_model", "authorize")]);
    for number in 0..WAITING {
        wait(&mut rig, BOB, "n", &number.to_string());
    }
    let (form, none) = command(&mut rig, ALICE, None, None);
    assert_eq!((listed(&form), none), (vec!["n".to_owned()], 0));
    let run = form.attr("sessionid").unwrap();
    let (answer, came) = command(&mut rig, ALICE, Some(run), Some("n"));
    let note = answer.children().next().unwrap();
    assert_eq!((note.attr("type"), came), (Some("warn"), 100));
    // When some are decided, the others come.
    let decided: String = (0..WAITING)
        .take(100)
        .map(|number| format!("<subscription jid='bob@example.org/{number}' subscription='none'/>"))
        .collect();
    let request = format!("set owner <subscriptions node='n'>{decided}</subscriptions>");
    done(&mut rig, ALICE, HOST, &request);
    let (answer, came) = command(&mut rig, ALICE, Some(run), Some("n"));
    let note = answer.children().next().unwrap();
    assert_eq!((note.attr("type"), came), (None, WAITING - 100));
}
