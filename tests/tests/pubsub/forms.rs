//! Forms that nobody should fill in so: fields of others, fields that are there twice, fields without a type or with a wrong one,
//! and conditions that disagree with the node or with each other.

use crate::rig::Rig;
use crate::service::{HOST, ask, create, done, said};

const ALICE: &str = "alice/phone";
const BOB: &str = "bob/phone";

/// Where a form stands in a request, and who sends it: `FORM` is the form.
const NODE: (&str, &str) = (ALICE, "set owner <configure node='n'>FORM</configure>");
const NEW: (&str, &str) = (
    ALICE,
    "set any <create node='new'/><configure>FORM</configure>",
);
const CONDITIONS: (&str, &str) = (
    ALICE,
    "set any <publish node='n'><item id='a'><x xmlns='urn:example'/></item></publish><publish-options>FORM</publish-options>",
);
const SUBSCRIPTION: (&str, &str) = (
    BOB,
    "set any <options node='n' jid='bob@example.org'>FORM</options>",
);

const TAKEN: &str = "taken";
const NODE_REFUSED: &str = "modify not-acceptable";
const CONDITION_REFUSED: &str = "modify bad-request";
const CONDITION_NOT_MET: &str = "cancel conflict precondition-not-met";
const OPTIONS_REFUSED: &str = "modify bad-request invalid-options";

fn world() -> Rig {
    let mut rig = Rig::new(&["alice", "bob"]);
    rig.join(ALICE, &["<presence/>"]);
    rig.join(BOB, &["<presence/>"]);
    create(&mut rig, ALICE, "n", &[("title", "before")]);
    let subscribe = "set any <subscribe node='n' jid='bob@example.org'/>";
    done(&mut rig, BOB, HOST, subscribe);
    rig
}

fn field(attributes: &str, values: &[&str]) -> String {
    let values: String = values
        .iter()
        .map(|value| format!("<value>{value}</value>"))
        .collect();
    format!("<field {attributes}>{values}</field>")
}

/// A form of these fields, each a name without `pubsub#` and a value.
fn form(fields: &[(&str, &str)]) -> String {
    let one = |(name, value): &(&str, &str)| field(&format!("var='pubsub#{name}'"), &[value]);
    fields.iter().map(one).collect()
}

/// Sends the form, and says what became of it.
fn outcome(rig: &mut Rig, (who, request): (&str, &str), fields: &str) -> String {
    let form = format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>");
    let answer = ask(rig, who, HOST, &request.replace("FORM", &form));
    match said(&answer) {
        None => TAKEN.to_owned(),
        Some((kind, condition, app)) => {
            let app = app.map(|app| format!(" {app}")).unwrap_or_default();
            format!("{kind} {condition}{app}")
        }
    }
}

fn check(rig: &mut Rig, rows: &[(&str, (&str, &str), String, &str)]) {
    let mut wrong = Vec::new();
    for (what, place, fields, expected) in rows {
        let found = outcome(rig, *place, fields);
        if found != *expected {
            wrong.push(format!("{what}: {fields}\n  {found}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// XEP-0004 §3.1: what is unknown is passed over, but as a condition, which cannot be met (XEP-0060 §7.1.5).
#[test]
fn fields_of_others() {
    let mut rig = world();
    let foreign = form(&[("colour", "blue")]);
    let unprefixed = field("var='title'", &["x"]);
    let nameless = field("type='fixed'", &["a heading"]);
    let other = field("var='FORM_TYPE'", &["urn:example:other"]);
    let rows = [
        ("foreign", NODE, foreign.clone(), TAKEN),
        ("foreign", CONDITIONS, foreign.clone(), CONDITION_NOT_MET),
        ("foreign", SUBSCRIPTION, foreign, TAKEN),
        ("no prefix", NODE, unprefixed.clone(), TAKEN),
        ("no prefix", CONDITIONS, unprefixed, CONDITION_NOT_MET),
        ("no name", NODE, nameless.clone(), TAKEN),
        ("no name", CONDITIONS, nameless.clone(), TAKEN),
        ("no name", SUBSCRIPTION, nameless, TAKEN),
        ("another form", NODE, other.clone(), NODE_REFUSED),
        ("another form", CONDITIONS, other.clone(), CONDITION_REFUSED),
        ("another form", SUBSCRIPTION, other, OPTIONS_REFUSED),
        ("nothing at all", NODE, String::new(), TAKEN),
        ("nothing at all", CONDITIONS, String::new(), TAKEN),
        ("nothing at all", SUBSCRIPTION, String::new(), TAKEN),
    ];
    check(&mut rig, &rows);
}

/// Two fields of one name, even if they say the same, and two values where there is one.
#[test]
fn fields_that_are_there_twice() {
    let mut rig = world();
    let twice = form(&[("title", "a"), ("title", "a")]);
    let deliver = form(&[("deliver", "1"), ("deliver", "0")]);
    let two = field("var='pubsub#max_items'", &["1", "2"]);
    let delivered = field("var='pubsub#deliver'", &["1", "1"]);
    let same = field("var='pubsub#contact'", &["a@b.example", "A@B.example"]);
    let rows = [
        ("twice", NODE, twice.clone(), NODE_REFUSED),
        ("twice", NEW, twice.clone(), NODE_REFUSED),
        ("twice", CONDITIONS, twice, CONDITION_REFUSED),
        ("twice", SUBSCRIPTION, deliver, OPTIONS_REFUSED),
        ("two values", NODE, two.clone(), NODE_REFUSED),
        ("two values", CONDITIONS, two, CONDITION_REFUSED),
        ("two values", SUBSCRIPTION, delivered, OPTIONS_REFUSED),
        ("of many, the same", NODE, same, TAKEN),
    ];
    check(&mut rig, &rows);
}

/// XEP-0004 §3.2: whoever submits leaves the type out, or says what it likes.
#[test]
fn fields_of_another_type() {
    let mut rig = world();
    let typed = |kind: &str| field(&format!("var='pubsub#notify_sub' type='{kind}'"), &["true"]);
    let mut rows: Vec<_> = ["boolean", "text-single", "list-multi", "colour", ""]
        .into_iter()
        .map(|kind| (kind, NODE, typed(kind), TAKEN))
        .collect();
    let empty = field("var='pubsub#notify_sub'", &[]);
    rows.push(("no value", NODE, empty, NODE_REFUSED));
    rows.push(("no text", NODE, field("var='pubsub#title'", &[]), TAKEN));
    rows.push((
        "no number",
        NODE,
        form(&[("max_items", "-1")]),
        NODE_REFUSED,
    ));
    let many: Vec<String> = (0..101)
        .map(|number| format!("{number}@b.example"))
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let many = field("var='pubsub#contact'", &many);
    rows.push(("too many", NODE, many, NODE_REFUSED));
    let long = form(&[("title", &"a".repeat(1_025))]);
    rows.push(("too long", NODE, long, NODE_REFUSED));
    // One character that stands for eighteen, so that the address grows over the limit when it is prepared.
    let grown = format!("{}@b.example", "\u{FDFA}".repeat(50));
    rows.push(("grows", NODE, form(&[("contact", &grown)]), NODE_REFUSED));
    check(&mut rig, &rows);
    let found = ask(&mut rig, ALICE, HOST, "get owner <configure node='n'/>");
    let text = String::from_utf8(found.to_bytes("").to_vec()).unwrap();
    // What was refused has changed nothing.
    assert!(text.contains("var='pubsub#contact' type='jid-multi' label="));
    assert!(!text.contains("@b.example"), "{text}");
}

/// XEP-0060 §7.1.5: all of them are to be met; a node that is not there yet is made so, or not at all.
#[test]
fn conditions_that_disagree() {
    let mut rig = world();
    let absent = (
        ALICE,
        "set any <publish node='absent'><item id='a'><x xmlns='urn:example'/></item></publish><publish-options>FORM</publish-options>",
    );
    let met = form(&[("access_model", "open"), ("persist_items", "true")]);
    let half = form(&[("access_model", "open"), ("persist_items", "0")]);
    let nothing = form(&[("max_items", "0")]);
    let secret = form(&[("access_model", "secret")]);
    let rows = [
        ("all are met", CONDITIONS, met.clone(), TAKEN),
        ("one is not", CONDITIONS, half.clone(), CONDITION_NOT_MET),
        ("no node can be so", absent, nothing, NODE_REFUSED),
        ("nor so", absent, secret, CONDITION_REFUSED),
        ("no node is there", absent, half.clone(), TAKEN),
        ("now it is", absent, half, TAKEN),
        ("and is not so", absent, met, CONDITION_NOT_MET),
    ];
    check(&mut rig, &rows);
}

/// What an owner's form is answered with, if it is: the condition of an error.
fn decided(rig: &mut Rig, kind: &str, fields: &str) -> Option<String> {
    let form_type = "<field var='FORM_TYPE' type='hidden'>\
         <value>http://jabber.org/protocol/pubsub#subscribe_authorization</value></field>";
    let form = format!("<x xmlns='jabber:x:data' type='{kind}'>{form_type}{fields}</x>");
    rig.forget();
    rig.say(
        ALICE,
        &format!("<message to='{HOST}' id='d'>{form}</message>"),
    );
    let got = rig.take(ALICE);
    got.first().and_then(crate::rig::condition)
}

/// XEP-0060 §8.6: an owner's decision. Each form is sent while somebody waits, and what comes back is an error or nothing.
#[test]
fn decisions() {
    let mut rig = world();
    create(&mut rig, ALICE, "closed", &[("access_model", "authorize")]);
    let subscribe = "set any <subscribe node='closed' jid='bob@example.org'/>";
    done(&mut rig, BOB, HOST, subscribe);
    let whole = [
        ("node", "closed"),
        ("subscriber_jid", "bob@example.org"),
        ("allow", "true"),
    ];
    let without = |name: &str| {
        let rest = whole.iter().filter(|(other, _)| *other != name);
        form(&rest.copied().collect::<Vec<_>>())
    };
    let with = |name: &'static str, value: &'static str| without(name) + &form(&[(name, value)]);
    let twice = form(&whole) + &form(&[("allow", "false")]);
    let rows = [
        (without("allow"), "bad-request"),
        (without("node"), "bad-request"),
        (without("subscriber_jid"), "bad-request"),
        (with("allow", "perhaps"), "bad-request"),
        (with("subscriber_jid", "@"), "jid-malformed"),
        (with("node", "nothing"), "item-not-found"),
        (twice, "bad-request"),
    ];
    for (fields, expected) in rows {
        let found = decided(&mut rig, "submit", &fields);
        assert_eq!(found.as_deref(), Some(expected), "{fields}");
        assert!(rig.take(BOB).is_empty(), "{fields}");
    }
    let question = decided(&mut rig, "form", &form(&whole));
    assert_eq!(question.as_deref(), Some("bad-request"));
    assert_eq!(decided(&mut rig, "cancel", &form(&whole)), None);
    let other = with("subscriber_jid", "carol@example.org");
    assert_eq!(decided(&mut rig, "submit", &other), None);
    // It was put off all the time.
    assert!(rig.take(BOB).is_empty());
    let again = ask(&mut rig, BOB, HOST, "get any <items node='closed'/>");
    assert_eq!(said(&again).unwrap().1, "not-authorized");
}
