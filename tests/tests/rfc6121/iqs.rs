//! §8.5 and RFC 6120 §8.2.3: what becomes of an IQ, by its type and its address.

use super::rig::{Rig, condition};

/// What becomes of an IQ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Bob's session gets it.
    Delivered,
    /// Its sender gets an error with this condition.
    Refused(&'static str),
    /// Nobody hears of it.
    Ignored,
}
use Fate::{Delivered, Ignored, Refused};

const NOT_HERE: Fate = Refused("service-unavailable");
const NOT_THERE: Fate = Refused("remote-server-not-found");

/// Where it goes; what becomes of a request, and of an answer.
const TABLE: [(Option<&str>, Fate, Fate); 11] = [
    (None, NOT_HERE, Ignored),
    (Some("alice@example.org"), NOT_HERE, Ignored),
    (Some("bob@example.org"), NOT_HERE, Ignored),
    (Some("nobody@example.org"), NOT_HERE, Ignored),
    (Some("bob@example.org/phone"), Delivered, Delivered),
    (Some("bob@example.org/gone"), NOT_HERE, Ignored),
    (Some("nobody@example.org/phone"), NOT_HERE, Ignored),
    (Some("example.org"), NOT_HERE, Ignored),
    (Some("example.org/somewhere"), NOT_HERE, Ignored),
    (Some("carol@elsewhere.example"), NOT_THERE, Ignored),
    (Some("elsewhere.example"), NOT_THERE, Ignored),
];

#[test]
fn every_type_to_every_kind_of_address() {
    for (to, request, answer) in TABLE {
        for (kind, expected) in [
            ("get", request),
            ("set", request),
            ("result", answer),
            ("error", answer),
        ] {
            let mut rig = Rig::new(&["alice", "bob"]);
            rig.join("alice/phone", &["<presence/>"]);
            // Who is meant gets it without presence too.
            rig.join("bob/phone", &[]);
            rig.forget();
            let to_attr = to.map(|to| format!(" to='{to}'")).unwrap_or_default();
            let error = match kind {
                "error" => {
                    "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
                }
                _ => "",
            };
            rig.say(
                "alice/phone",
                &format!(
                    "<iq id='q' type='{kind}'{to_attr}><x xmlns='urn:example:unknown'/>{error}</iq>"
                ),
            );
            let (got, theirs) = (rig.take("alice/phone"), rig.take("bob/phone"));
            let what = format!("{kind} to {to:?}");
            let seen = match (got.as_slice(), theirs.as_slice()) {
                ([], []) => Ignored,
                ([], [one]) => {
                    assert_eq!(one.attr("from"), Some("alice@example.org/phone"), "{what}");
                    assert_eq!(one.attr("type"), Some(kind), "{what}");
                    Delivered
                }
                ([one], []) => {
                    assert_eq!(
                        (one.attr("type"), one.attr("id")),
                        (Some("error"), Some("q")),
                        "{what}"
                    );
                    assert_eq!(one.attr("from"), to, "{what}");
                    let Refused(name) = expected else {
                        assert_eq!(condition(one), None, "{what}");
                        continue;
                    };
                    assert_eq!(condition(one).as_deref(), Some(name), "{what}");
                    Refused(name)
                }
                other => {
                    assert_eq!(other, (&[][..], &[][..]), "{what}");
                    continue;
                }
            };
            assert_eq!(seen, expected, "{what}");
        }
    }
}

/// RFC 6120 §8.2.3: what no IQ can be.
#[test]
fn iqs_that_are_none() {
    for iq in [
        "<iq id='q'><x xmlns='urn:example'/></iq>",
        "<iq id='q' type='ask'><x xmlns='urn:example'/></iq>",
        "<iq id='q' type='get'/>",
        "<iq id='q' type='set' to='bob@example.org/phone'/>",
        "<iq id='q' type='get'><x xmlns='urn:example'/><y xmlns='urn:example'/></iq>",
        "<iq id='q' type='get' to='bob@example.org/phone'><x xmlns='urn:example'/><y xmlns='urn:example'/></iq>",
    ] {
        let mut rig = Rig::new(&["alice", "bob"]);
        rig.join("alice/phone", &[]);
        rig.join("bob/phone", &[]);
        rig.forget();
        rig.say("alice/phone", iq);
        let got = rig.take("alice/phone");
        let conditions: Vec<_> = got.iter().map(condition).collect();
        assert_eq!(conditions, [Some("bad-request".to_owned())], "{iq}");
        assert_eq!(rig.take("bob/phone"), [], "{iq}");
    }
}
