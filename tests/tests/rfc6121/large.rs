//! RFC 6121 §4.2.3 and §3.1.3: however much others show, and ask, nobody is kept from logging in by it.

use super::rig::Rig;

/// Contacts, each with presence of some size: more in all than may wait for one session.
const CONTACTS: usize = 40;
const STATUS_BYTES: usize = 240_000;

#[test]
fn nobody_is_locked_out_by_what_others_show() {
    let names: Vec<String> = (0..CONTACTS).map(|number| format!("c{number}")).collect();
    let all: Vec<&str> = names.iter().map(String::as_str).chain(["alice"]).collect();
    let mut rig = Rig::new(&all);
    let roster = "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>";
    rig.join("alice/early", &[roster]);
    for name in &names {
        let session = format!("{name}/phone");
        rig.join(&session, &[roster]);
        rig.say(
            "alice/early",
            &format!("<presence to='{name}@example.org' type='subscribe'/>"),
        );
        rig.say(
            &session,
            "<presence to='alice@example.org' type='subscribed'/>",
        );
        let status = "s".repeat(STATUS_BYTES);
        rig.say(
            &session,
            &format!("<presence><status>{status}</status></presence>"),
        );
        rig.forget();
    }
    rig.join("alice/late", &["<presence/>"]);
    rig.say(
        "alice/late",
        "<iq type='get' id='p' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq>",
    );
    let got = rig.take("alice/late");
    let shown = got
        .iter()
        .filter(|stanza| stanza.name() == "presence")
        .count();
    // Of each contact, and its own.
    assert_eq!(shown, CONTACTS + 1);
    assert!(got.iter().any(|stanza| stanza.attr("id") == Some("p")));
}

#[test]
fn a_request_has_a_size() {
    let mut rig = Rig::new(&["alice", "bob"]);
    rig.join("alice/phone", &["<presence/>"]);
    rig.join("bob/phone", &["<presence/>"]);
    rig.forget();
    let ask = |bytes: usize| {
        let status = "s".repeat(bytes);
        format!(
            "<presence to='bob@example.org' type='subscribe' id='s'><status>{status}</status></presence>"
        )
    };
    rig.say("alice/phone", &ask(5_000));
    assert!(rig.take("bob/phone").is_empty());
    let refused = rig.take("alice/phone");
    assert!(
        refused
            .iter()
            .any(|stanza| stanza.attr("type") == Some("error")),
        "{refused:?}"
    );
    rig.say("alice/phone", &ask(3_000));
    assert_eq!(rig.take("bob/phone").len(), 1);
}

/// What is written of contacts has a limit for all of them together: a roster is read and sent whole.
#[test]
fn a_roster_has_a_size() {
    let mut rig = Rig::new(&["alice"]);
    rig.join("alice/phone", &[]);
    let name = "n".repeat(1_000);
    let mut taken = 0;
    loop {
        let groups = format!("<group>{name}</group><group>2{name}</group><group>3{name}</group>");
        let item = format!("<item jid='c{taken}@example.org' name='{name}'>{groups}</item>");
        rig.say(
            "alice/phone",
            &format!("<iq type='set' id='s'><query xmlns='jabber:iq:roster'>{item}</query></iq>"),
        );
        let got = rig.take("alice/phone");
        if got
            .iter()
            .any(|stanza| stanza.attr("type") == Some("error"))
        {
            break;
        }
        taken += 1;
    }
    assert!((250..=270).contains(&taken), "{taken}");
    // Those that are small still fit.
    rig.say(
        "alice/phone",
        "<iq type='set' id='t'><query xmlns='jabber:iq:roster'><item jid='d@example.org' name='D'/></query></iq>",
    );
    let got = rig.take("alice/phone");
    assert!(
        got.iter()
            .all(|stanza| stanza.attr("type") != Some("error")),
        "{got:?}"
    );
}
