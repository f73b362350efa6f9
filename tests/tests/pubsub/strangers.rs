//! What who does not see an account's presence learns of its nodes: nothing, but for those that are open. Not even whether
//! there is such an account.

use waxwing_wire::Element;

use crate::rig::Rig;
use crate::service::{ask, done, form};

const OWNER: &str = "alice/phone";
const STRANGER: &str = "bob/phone";

fn world() -> Rig {
    let mut rig = Rig::new(&["alice", "bob"]);
    rig.join(OWNER, &["<presence/>"]);
    rig.join(STRANGER, &["<presence/>"]);
    for model in ["open", "presence", "roster", "whitelist"] {
        let options = form("publish-options", &[("access_model", model)]);
        let request = format!(
            "set any <publish node='node-{model}'><item id='one'><x xmlns='urn:example'/></item></publish>\
             <publish-options>{options}</publish-options>"
        );
        done(&mut rig, OWNER, "alice@example.org", &request);
    }
    rig
}

/// The answer, with the address and the name of the node taken out, and how many questions to the store it took.
fn answer(rig: &mut Rig, to: &str, node: &str, request: &str) -> (String, u64) {
    let request = request.replace("NODE", node);
    let before = rig.questions();
    let answer: Element = ask(rig, STRANGER, to, &request);
    let text = String::from_utf8(answer.to_bytes("jabber:client").to_vec()).unwrap();
    let text = text.replace(to, "ACCOUNT").replace(node, "NODE");
    (text, rig.questions() - before)
}

#[test]
fn what_is_hidden_is_as_what_is_not_there() {
    let mut rig = world();
    let publish = "set any <publish node='NODE'><item><x xmlns='urn:example'/></item></publish>";
    for request in [
        "get any <items node='NODE'/>",
        "get any <items node='NODE'><item id='one'/></items>",
        "get any <default node='NODE'/>",
        "set any <subscribe node='NODE' jid='bob@example.org'/>",
        "set any <unsubscribe node='NODE' jid='bob@example.org'/>",
        "get any <options node='NODE' jid='bob@example.org'/>",
        "set any <retract node='NODE'><item id='one'/></retract>",
        publish,
        "get any <affiliations node='NODE'/>",
        "get any <subscriptions node='NODE'/>",
        "get owner <configure node='NODE'/>",
        "set owner <delete node='NODE'/>",
        "set owner <purge node='NODE'/>",
        "get owner <affiliations node='NODE'/>",
        "get owner <subscriptions node='NODE'/>",
    ] {
        let absent = answer(&mut rig, "nobody@example.org", "node-presence", request);
        for node in ["node-presence", "node-roster", "node-whitelist", "nothing"] {
            let found = answer(&mut rig, "alice@example.org", node, request);
            assert_eq!(found, absent, "{node}: {request}");
        }
    }
}

/// The name of the node of what is attached to an item, at an account.
fn attachments(to: &str, node: &str) -> String {
    format!("urn:xmpp:pubsub-attachments:1/xmpp:{to}?;node={node};item=one")
}

/// That of the summaries.
fn summary(_: &str, node: &str) -> String {
    format!("urn:xmpp:pubsub-attachments:summary:1/{node}")
}

/// XEP-0470: what is attached to items, and summaries of it. Where the item is, something is attached to it.
#[test]
fn what_belongs_to_a_hidden_node_is_hidden() {
    let mut rig = world();
    for model in ["presence", "roster", "whitelist"] {
        let node = attachments("alice@example.org", &format!("node-{model}"));
        let payload = "<attachments xmlns='urn:xmpp:pubsub-attachments:1'/>";
        let item = format!("<item id='alice@example.org'>{payload}</item>");
        let request = format!("set any <publish node='{node}'>{item}</publish>");
        done(&mut rig, OWNER, "alice@example.org", &request);
    }
    let names: [fn(&str, &str) -> String; 2] = [attachments, summary];
    let requests = [
        "get any <items node='NODE'/>",
        "set any <subscribe node='NODE' jid='bob@example.org'/>",
        "set any <retract node='NODE'><item id='one'/></retract>",
        "set any <create node='NODE'/>",
        "set any <publish node='NODE'><item id='bob@example.org'>\
         <attachments xmlns='urn:xmpp:pubsub-attachments:1'/></item></publish>",
        "get owner <configure node='NODE'/>",
        "set owner <purge node='NODE'/>",
        "get owner <subscriptions node='NODE'/>",
    ];
    for (name, request) in names
        .iter()
        .flat_map(|name| requests.iter().map(move |request| (name, request)))
    {
        let nobody = name("nobody@example.org", "node-presence");
        let absent = answer(&mut rig, "nobody@example.org", &nobody, request);
        for node in ["node-presence", "node-roster", "node-whitelist", "nothing"] {
            let node = name("alice@example.org", node);
            let found = answer(&mut rig, "alice@example.org", &node, request);
            assert_eq!(found, absent, "{node}: {request}");
        }
    }
}

#[test]
fn what_is_open_is_read_by_whoever_knows_its_name() {
    let mut rig = world();
    done(
        &mut rig,
        STRANGER,
        "alice@example.org",
        "get any <items node='node-open'/>",
    );
    let subscribe = "set any <subscribe node='node-open' jid='bob@example.org'/>";
    done(&mut rig, STRANGER, "alice@example.org", subscribe);
}

/// XEP-0030 §8.
#[test]
fn nodes_are_not_listed_for_strangers() {
    let mut rig = world();
    let mut items = |to: &str, node: &str| {
        rig.forget();
        rig.say(
            STRANGER,
            &format!("<iq type='get' id='q' to='{to}'><query xmlns='http://jabber.org/protocol/disco#items'{node}/></iq>"),
        );
        let got = rig.take(STRANGER).remove(0);
        let text = String::from_utf8(got.to_bytes("jabber:client").to_vec()).unwrap();
        text.replace(to, "ACCOUNT")
    };
    for node in ["", " node='node-presence'", " node='nothing'"] {
        assert_eq!(
            items("alice@example.org", node),
            items("nobody@example.org", node),
            "{node}"
        );
    }
}
