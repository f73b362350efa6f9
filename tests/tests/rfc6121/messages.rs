//! §8.5: what becomes of a message, by its type and by who is there.

use super::rig::{Rig, condition};

const TYPES: [&str; 5] = ["normal", "chat", "groupchat", "headline", "error"];

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// These sessions get it, and nobody else, now or later.
    Gets(&'static [&'static str]),
    /// Nobody gets it now; it waits.
    Waits,
    /// Its sender gets `<service-unavailable/>`.
    Refused,
    /// Nobody hears of it.
    Ignored,
}
use Fate::{Gets, Ignored, Refused, Waits};

/// Sessions of Bob with what they say at first.
type Sessions = &'static [(&'static str, &'static str)];

const HIGH: &str = "<presence><priority>5</priority></presence>";
const LOW: &str = "<presence/>";
const NEGATIVE: &str = "<presence><priority>-1</priority></presence>";
/// Something that is no presence.
const SILENT: &str = "<iq type='result' id='x'/>";

/// Who is there, where the message goes, and what becomes of it, in the order of [`TYPES`].
const TABLE: [(&str, Sessions, &str, [Fate; 5]); 13] = [
    // An error is never answered; everything else to nobody is (§8.5.1).
    (
        "no such account",
        &[],
        "nobody@example.org",
        [Refused, Refused, Refused, Refused, Ignored],
    ),
    (
        "no such account, full address",
        &[],
        "nobody@example.org/phone",
        [Refused, Refused, Refused, Refused, Ignored],
    ),
    // §8.5.2.1.1
    (
        "one is available",
        &[("bob/phone", LOW)],
        "bob@example.org",
        [
            Gets(&["bob/phone"]),
            Gets(&["bob/phone"]),
            Refused,
            Gets(&["bob/phone"]),
            Ignored,
        ],
    ),
    (
        "several are, of different priority",
        &[
            ("bob/phone", HIGH),
            ("bob/desk", LOW),
            ("bob/watch", NEGATIVE),
        ],
        "bob@example.org",
        [
            Gets(&["bob/phone"]),
            Gets(&["bob/phone"]),
            Refused,
            Gets(&["bob/phone", "bob/desk"]),
            Ignored,
        ],
    ),
    (
        "several are, of the same priority",
        &[("bob/phone", LOW), ("bob/desk", LOW)],
        "bob@example.org",
        [
            Gets(&["bob/phone", "bob/desk"]),
            Gets(&["bob/phone", "bob/desk"]),
            Refused,
            Gets(&["bob/phone", "bob/desk"]),
            Ignored,
        ],
    ),
    // §8.5.2.2.1
    (
        "none is available",
        &[("bob/phone", SILENT)],
        "bob@example.org",
        [Waits, Waits, Refused, Ignored, Ignored],
    ),
    (
        "none is but negatively",
        &[("bob/phone", NEGATIVE)],
        "bob@example.org",
        [Waits, Waits, Refused, Ignored, Ignored],
    ),
    // §8.5.3.1
    (
        "the one that is meant",
        &[("bob/phone", LOW), ("bob/desk", HIGH)],
        "bob@example.org/phone",
        [Gets(&["bob/phone"]); 5],
    ),
    (
        "the one that is meant, negative",
        &[("bob/phone", NEGATIVE), ("bob/desk", HIGH)],
        "bob@example.org/phone",
        [Gets(&["bob/phone"]); 5],
    ),
    (
        "the one that is meant, without presence",
        &[("bob/phone", SILENT), ("bob/desk", HIGH)],
        "bob@example.org/phone",
        [Gets(&["bob/phone"]); 5],
    ),
    // §8.5.3.2.1. Normal messages go the way of chat: XEP-0160 §3 would have them wait, where the RFC would have them
    // refused, and what is a chat message to some clients is a normal one to others.
    (
        "another than the one that is meant",
        &[("bob/desk", HIGH), ("bob/watch", LOW)],
        "bob@example.org/phone",
        [
            Gets(&["bob/desk"]),
            Gets(&["bob/desk"]),
            Refused,
            Ignored,
            Ignored,
        ],
    ),
    (
        "another, negative",
        &[("bob/watch", NEGATIVE)],
        "bob@example.org/phone",
        [Waits, Waits, Refused, Ignored, Ignored],
    ),
    (
        "another, without presence",
        &[("bob/watch", SILENT)],
        "bob@example.org/phone",
        [Waits, Waits, Refused, Ignored, Ignored],
    ),
];

fn bodies(rig: &mut Rig, name: &str) -> usize {
    let got = rig.take(name);
    let messages = got.iter().filter(|stanza| {
        stanza.name() == "message" && stanza.child("jabber:client", "body").is_some()
    });
    messages.count()
}

/// What became of a message, as far as one can see.
fn fate(rig: &mut Rig, sessions: Sessions) -> (Vec<&'static str>, bool, bool) {
    let answers = rig.take("alice/phone");
    let refused = answers
        .iter()
        .filter(|answer| condition(answer).as_deref() == Some("service-unavailable"));
    let refused = refused.count() == 1;
    let mut got = Vec::new();
    for (name, _) in sessions {
        match bodies(rig, name) {
            0 => {}
            once => {
                assert_eq!(once, 1, "{name}");
                got.push(*name);
            }
        }
    }
    // Whatever waits comes to somebody who comes.
    rig.join("bob/late", &[HIGH]);
    let waited = bodies(rig, "bob/late") == 1;
    (got, waited, refused)
}

#[test]
fn every_type_to_every_kind_of_address() {
    for (who, sessions, to, fates) in TABLE {
        for (kind, expected) in TYPES.into_iter().zip(fates) {
            let mut rig = Rig::new(&["alice", "bob"]);
            rig.join("alice/phone", &[LOW]);
            for (name, greeting) in sessions {
                rig.join(name, &[*greeting]);
            }
            rig.forget();
            let error = match kind {
                "error" => {
                    "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
                }
                _ => "",
            };
            rig.say(
                "alice/phone",
                &format!("<message id='m' to='{to}' type='{kind}'><body>x</body>{error}</message>"),
            );
            let fated = match expected {
                Gets(names) => (names.to_vec(), false, false),
                Waits => (vec![], true, false),
                Refused => (vec![], false, true),
                Ignored => (vec![], false, false),
            };
            let mut seen = fate(&mut rig, sessions);
            let mut fated = fated;
            seen.0.sort_unstable();
            fated.0.sort_unstable();
            assert_eq!(seen, fated, "{kind} to {to}: {who}");
        }
    }
}
