//! Who is told no more: whoever has lost access, and whom the owner has blocked.

use crate::rig::Rig;
use crate::service::{HOST, create, done, form, publish};

const ALICE: &str = "alice/phone";
const BOB: &str = "bob/phone";
const NODE: &str = "urn:example:news";

fn rig() -> Rig {
    let mut rig = Rig::new(&["alice", "bob"]);
    rig.join(ALICE, &["<presence/>"]);
    rig.join(BOB, &["<presence/>"]);
    rig
}

/// How many messages came.
fn messages(rig: &mut Rig, who: &str) -> usize {
    let got = rig.take(who).into_iter();
    got.filter(|stanza| stanza.name() == "message").count()
}

#[test]
fn who_has_lost_access_is_told_nothing() {
    let subscribe = format!("set any <subscribe node='{NODE}' jid='bob@example.org'/>");
    for lost in [
        format!(
            "set owner <configure node='{NODE}'>{}</configure>",
            form("node_config", &[("access_model", "whitelist")])
        ),
        format!(
            "set owner <affiliations node='{NODE}'><affiliation jid='bob@example.org' affiliation='publish-only'/></affiliations>"
        ),
    ] {
        let mut rig = rig();
        let is_listed = lost.contains("publish-only");
        let model = if is_listed { "whitelist" } else { "open" };
        create(&mut rig, ALICE, NODE, &[("access_model", model)]);
        if is_listed {
            let member = lost.replace("publish-only", "member");
            done(&mut rig, ALICE, HOST, &member);
        }
        done(&mut rig, BOB, HOST, &subscribe);
        rig.forget();
        done(&mut rig, ALICE, HOST, &publish(NODE, "one"));
        assert_eq!(messages(&mut rig, BOB), 1, "{lost}");
        done(&mut rig, ALICE, HOST, &lost);
        rig.forget();
        done(&mut rig, ALICE, HOST, &publish(NODE, "two"));
        assert_eq!(messages(&mut rig, BOB), 0, "{lost}");
        rig.say(BOB, "<presence type='unavailable'/>");
        rig.say(BOB, "<presence/>");
        assert_eq!(messages(&mut rig, BOB), 0, "{lost}");
    }
}

#[test]
fn whom_the_owner_has_blocked_is_told_nothing() {
    for blocked in ["bob@example.org", "bob@example.org/phone"] {
        let mut rig = rig();
        let options = form("publish-options", &[("access_model", "open")]);
        let first = format!(
            "{}<publish-options>{options}</publish-options>",
            publish(NODE, "one")
        );
        done(&mut rig, ALICE, "alice@example.org", &first);
        let subscribe = format!("set any <subscribe node='{NODE}' jid='bob@example.org'/>");
        done(&mut rig, BOB, "alice@example.org", &subscribe);
        rig.say(
            ALICE,
            &format!("<iq type='set' id='b'><block xmlns='urn:xmpp:blocking'><item jid='{blocked}'/></block></iq>"),
        );
        rig.forget();
        done(&mut rig, ALICE, "alice@example.org", &publish(NODE, "two"));
        assert_eq!(messages(&mut rig, BOB), 0, "{blocked}");
        // The newest item is not told to an account that is blocked as a whole.
        rig.say(BOB, "<presence type='unavailable'/>");
        rig.say(BOB, "<presence/>");
        if !blocked.contains('/') {
            assert_eq!(messages(&mut rig, BOB), 0, "{blocked}");
        }
    }
}
