//! Appendix A through the server: Alice sends each request in each of the nine states, and what becomes of it on both
//! sides is what the tables say.

use waxwing_wire::Element;

use super::rig::Rig;

/// A state of Appendix A.1: the subscription, whether one waits for an answer, whether the other does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    to: bool,
    from: bool,
    pending_out: bool,
    pending_in: bool,
}

const fn state(to: bool, from: bool, pending_out: bool, pending_in: bool) -> State {
    State {
        to,
        from,
        pending_out,
        pending_in,
    }
}

const NONE: State = state(false, false, false, false);
const OUT: State = state(false, false, true, false);
const IN: State = state(false, false, false, true);
const OUT_IN: State = state(false, false, true, true);
const TO: State = state(true, false, false, false);
const TO_IN: State = state(true, false, false, true);
const FROM: State = state(false, true, false, false);
const FROM_OUT: State = state(false, true, true, false);
const BOTH: State = state(true, true, false, false);

const ALICE: usize = 0;
const BOB: usize = 1;
const NAMES: [&str; 2] = ["alice", "bob"];

type Step = (usize, &'static str);

/// The states with a way to each.
const STATES: [(State, &[Step]); 9] = [
    (NONE, &[]),
    (OUT, &[(ALICE, "subscribe")]),
    (IN, &[(BOB, "subscribe")]),
    (OUT_IN, &[(ALICE, "subscribe"), (BOB, "subscribe")]),
    (TO, &[(ALICE, "subscribe"), (BOB, "subscribed")]),
    (
        TO_IN,
        &[
            (ALICE, "subscribe"),
            (BOB, "subscribed"),
            (BOB, "subscribe"),
        ],
    ),
    (FROM, &[(BOB, "subscribe"), (ALICE, "subscribed")]),
    (
        FROM_OUT,
        &[
            (BOB, "subscribe"),
            (ALICE, "subscribed"),
            (ALICE, "subscribe"),
        ],
    ),
    (
        BOTH,
        &[
            (ALICE, "subscribe"),
            (BOB, "subscribed"),
            (BOB, "subscribe"),
            (ALICE, "subscribed"),
        ],
    ),
];

/// Appendix A.2: in the order of [`STATES`], the new state and whether the stanza is routed.
const OUTBOUND: [(&str, [(State, bool); 9]); 4] = [
    (
        "subscribe",
        [
            (OUT, true),
            (OUT, true),
            (OUT_IN, true),
            (OUT_IN, true),
            (TO, true),
            (TO_IN, true),
            (FROM_OUT, true),
            (FROM_OUT, true),
            (BOTH, true),
        ],
    ),
    (
        "unsubscribe",
        [
            (NONE, true),
            (NONE, true),
            (IN, true),
            (IN, true),
            (NONE, true),
            (IN, true),
            (FROM, true),
            (FROM, true),
            (FROM, true),
        ],
    ),
    (
        "subscribed",
        [
            (NONE, false),
            (OUT, false),
            (FROM, true),
            (FROM_OUT, true),
            (TO, false),
            (BOTH, true),
            (FROM, false),
            (FROM_OUT, false),
            (BOTH, false),
        ],
    ),
    (
        "unsubscribed",
        [
            (NONE, false),
            (OUT, false),
            (NONE, true),
            (OUT, true),
            (TO, false),
            (TO, true),
            (NONE, true),
            (OUT, true),
            (TO, true),
        ],
    ),
];

/// Appendix A.3: the new state and whether the stanza is delivered.
const INBOUND: [(&str, [(State, bool); 9]); 4] = [
    (
        "subscribe",
        [
            (IN, true),
            (OUT_IN, true),
            (IN, false),
            (OUT_IN, false),
            (TO_IN, true),
            (TO_IN, false),
            (FROM, false),
            (FROM_OUT, false),
            (BOTH, false),
        ],
    ),
    (
        "unsubscribe",
        [
            (NONE, false),
            (OUT, false),
            (NONE, true),
            (OUT, true),
            (TO, false),
            (TO, true),
            (NONE, true),
            (OUT, true),
            (TO, true),
        ],
    ),
    (
        "subscribed",
        [
            (NONE, false),
            (TO, true),
            (IN, false),
            (TO_IN, true),
            (TO, false),
            (TO_IN, false),
            (FROM, false),
            (BOTH, true),
            (BOTH, false),
        ],
    ),
    (
        "unsubscribed",
        [
            (NONE, false),
            (NONE, true),
            (IN, false),
            (IN, true),
            (NONE, true),
            (IN, true),
            (FROM, false),
            (FROM, true),
            (FROM, true),
        ],
    ),
];

fn row(table: &[(&str, [(State, bool); 9])], request: &str, state: State) -> (State, bool) {
    let at = STATES.iter().position(|(other, _)| *other == state);
    let rows = table.iter().find(|(name, _)| *name == request).unwrap();
    rows.1[at.unwrap()]
}

/// How the other one's state looks if theirs is this.
fn mirrored(own: State) -> State {
    State {
        to: own.from,
        from: own.to,
        pending_out: own.pending_in,
        pending_in: own.pending_out,
    }
}

fn phone(who: usize) -> String {
    format!("{}/phone", NAMES[who])
}

fn request(rig: &mut Rig, (who, kind): Step) {
    let to = NAMES[1 - who];
    rig.say(
        &phone(who),
        &format!("<presence to='{to}@example.org' type='{kind}'/>"),
    );
}

fn sessions() -> Rig {
    let mut rig = Rig::new(&NAMES);
    for who in [ALICE, BOB] {
        let greeting = [
            "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>",
            "<presence/>",
        ];
        rig.join(&phone(who), &greeting);
    }
    rig
}

/// Presence of one kind that came from the other account; none is available presence.
fn presences(got: &[Element], from: usize, kind: Option<&str>) -> usize {
    let account = format!("{}@example.org", NAMES[from]);
    got.iter()
        .filter(|stanza| stanza.name() == "presence" && stanza.attr("type") == kind)
        .filter(|stanza| {
            let sender = stanza.attr("from").unwrap_or_default();
            sender.split('/').next() == Some(account.as_str())
        })
        .count()
}

/// What the roster says; a request that waits is shown at the next first presence.
fn look(rig: &mut Rig, who: usize) -> State {
    rig.forget();
    let name = phone(who);
    rig.say(
        &name,
        "<iq type='get' id='look'><query xmlns='jabber:iq:roster'/></iq>",
    );
    let answer = rig.take(&name);
    let query = answer
        .iter()
        .find(|stanza| stanza.attr("id") == Some("look"))
        .and_then(|stanza| stanza.children().next().cloned())
        .unwrap();
    let item = query.children().next();
    let subscription = item.and_then(|item| item.attr("subscription"));
    rig.say(&name, "<presence type='unavailable'/>");
    rig.forget();
    rig.say(&name, "<presence/>");
    let shown = rig.take(&name);
    State {
        to: matches!(subscription, Some("to" | "both")),
        from: matches!(subscription, Some("from" | "both")),
        pending_out: item.and_then(|item| item.attr("ask")) == Some("subscribe"),
        pending_in: presences(&shown, 1 - who, Some("subscribe")) == 1,
    }
}

/// What the roster shows of a state.
fn shown(state: State) -> (bool, bool, bool) {
    (state.to, state.from, state.pending_out)
}

fn pushes(got: &[Element]) -> usize {
    got.iter()
        .filter(|stanza| stanza.name() == "iq" && stanza.attr("type") == Some("set"))
        .count()
}

#[test]
fn every_cell_of_appendix_a() {
    for (before, way) in STATES {
        for (kind, _) in OUTBOUND {
            let what = format!("{before:?} and {kind}");
            let mut rig = sessions();
            for step in way {
                request(&mut rig, *step);
            }
            assert_eq!(look(&mut rig, ALICE), before, "{what}: the way there");
            assert_eq!(
                look(&mut rig, BOB),
                mirrored(before),
                "{what}: the way there"
            );
            rig.forget();
            request(&mut rig, (ALICE, kind));
            let (after, routed) = row(&OUTBOUND, kind, before);
            let theirs = mirrored(before);
            let (their_after, delivered) = match routed {
                true => row(&INBOUND, kind, theirs),
                false => (theirs, false),
            };
            let (got, their_got) = (rig.take(&phone(ALICE)), rig.take(&phone(BOB)));
            let came = presences(&their_got, ALICE, Some(kind));
            assert_eq!(came, usize::from(delivered), "{what}: {their_got:?}");
            // §2.1.6, §3: sessions that follow the roster learn what changed in it, and nothing else.
            let approved = kind == "subscribed" && !routed && !before.from;
            let changed = shown(before) != shown(after) || approved;
            assert_eq!(pushes(&got), usize::from(changed), "{what}: {got:?}");
            let changed = shown(theirs) != shown(their_after);
            assert_eq!(
                pushes(&their_got),
                usize::from(changed),
                "{what}: {their_got:?}"
            );
            // §3.1.5, §3.2.2, §3.3.3: who gains or loses sight sees it.
            for (got, from, before, after) in [
                (&their_got, ALICE, theirs.to, their_after.to),
                (&got, BOB, before.to, after.to),
            ] {
                let seen = (
                    presences(got, from, None),
                    presences(got, from, Some("unavailable")),
                );
                let expected = (usize::from(!before && after), usize::from(before && !after));
                assert_eq!(seen, expected, "{what}: {got:?}");
            }
            assert_eq!(look(&mut rig, ALICE), after, "{what}: her side");
            assert_eq!(look(&mut rig, BOB), their_after, "{what}: his side");
        }
    }
}

/// §3.4: whoever is allowed before asking is answered by the server, in each state in which that can be.
#[test]
fn approved_in_advance() {
    for (before, after) in [(NONE, FROM), (OUT, FROM_OUT), (TO, BOTH)] {
        let way = STATES.iter().find(|(state, _)| *state == before).unwrap();
        let mut rig = sessions();
        for step in way.1 {
            request(&mut rig, *step);
        }
        request(&mut rig, (ALICE, "subscribed"));
        assert_eq!(look(&mut rig, ALICE), before, "she waits for him");
        rig.forget();
        request(&mut rig, (BOB, "subscribe"));
        let (got, his) = (rig.take(&phone(ALICE)), rig.take(&phone(BOB)));
        assert_eq!(presences(&got, BOB, Some("subscribe")), 0, "{got:?}");
        assert_eq!(pushes(&got), 1, "{got:?}");
        assert_eq!(presences(&his, ALICE, Some("subscribed")), 1, "{his:?}");
        assert_eq!(presences(&his, ALICE, None), 1, "{his:?}");
        assert_eq!(look(&mut rig, ALICE), after);
        assert_eq!(look(&mut rig, BOB), mirrored(after));
    }
    // Taken back before he asks, it is as if it had never been (§3.4.3).
    let mut rig = sessions();
    request(&mut rig, (ALICE, "subscribed"));
    request(&mut rig, (ALICE, "unsubscribed"));
    rig.forget();
    request(&mut rig, (BOB, "subscribe"));
    let got = rig.take(&phone(ALICE));
    assert_eq!(presences(&got, BOB, Some("subscribe")), 1, "{got:?}");
    assert_eq!(look(&mut rig, ALICE), IN);
}
