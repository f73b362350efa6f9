//! §4.1: what each affiliation may do with a node, tried out.

use waxwing_stanza::xep::xep_0060_pubsub::Affiliation;

use crate::rig::Rig;
use crate::service::{HOST, ask, create, done, publish, said};

const OWNER: &str = "alice/phone";
const WHO: &str = "bob/phone";

fn world(affiliation: Affiliation, model: &str) -> Rig {
    let mut rig = Rig::new(&["alice", "bob"]);
    rig.join(OWNER, &[]);
    rig.join(WHO, &[]);
    // Nobody is made an owner by somebody whom they show no presence.
    rig.say(OWNER, "<presence to='bob@example.org' type='subscribe'/>");
    rig.say(WHO, "<presence to='alice@example.org' type='subscribed'/>");
    create(&mut rig, OWNER, "n", &[("access_model", model)]);
    done(&mut rig, OWNER, HOST, &publish("n", "alices"));
    let set = format!(
        "set owner <affiliations node='n'><affiliation jid='bob@example.org' affiliation='{}'/></affiliations>",
        affiliation.as_str()
    );
    done(&mut rig, OWNER, HOST, &set);
    rig
}

/// Subscribe, retrieve, publish, delete another's item, purge, configure, delete the node.
const REQUESTS: [&str; 7] = [
    "set any <subscribe node='n' jid='bob@example.org'/>",
    "get any <items node='n'/>",
    "set any <publish node='n'><item id='bobs'><x xmlns='urn:example'/></item></publish>",
    "set any <retract node='n'><item id='alices'/></retract>",
    "set owner <purge node='n'/>",
    "get owner <configure node='n'/>",
    "set owner <delete node='n'/>",
];

#[test]
fn the_table_holds_at_a_node_that_lets_nobody_in() {
    use Affiliation as A;
    let (y, n) = (true, false);
    for (affiliation, allowed) in [
        (A::Owner, [y, y, y, y, y, y, y]),
        (A::Publisher, [y, y, y, y, n, n, n]),
        (A::PublishOnly, [n, n, y, n, n, n, n]),
        (A::Member, [y, y, n, n, n, n, n]),
        (A::None, [n, n, n, n, n, n, n]),
        (A::Outcast, [n, n, n, n, n, n, n]),
    ] {
        let mut rig = world(affiliation, "whitelist");
        let found = REQUESTS.map(|request| said(&ask(&mut rig, WHO, HOST, request)).is_none());
        assert_eq!(found, allowed, "{affiliation:?}");
    }
}

#[test]
fn an_open_node_lets_in_whom_nobody_has_cast_out() {
    for (affiliation, allowed) in [
        (Affiliation::None, [true, true]),
        (Affiliation::PublishOnly, [false, false]),
        (Affiliation::Outcast, [false, false]),
    ] {
        let mut rig = world(affiliation, "open");
        let found = [REQUESTS[0], REQUESTS[1]];
        let found = found.map(|request| said(&ask(&mut rig, WHO, HOST, request)).is_none());
        assert_eq!(found, allowed, "{affiliation:?}");
    }
}

/// §4.1, the note: who may publish alone takes back what it published itself.
#[test]
fn ones_own_item_can_be_taken_back() {
    let mut rig = world(Affiliation::PublishOnly, "whitelist");
    done(&mut rig, WHO, HOST, REQUESTS[2]);
    done(
        &mut rig,
        WHO,
        HOST,
        "set any <retract node='n'><item id='bobs'/></retract>",
    );
}
