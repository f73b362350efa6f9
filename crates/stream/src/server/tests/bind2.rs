//! XEP-0386 and the inline parts of XEP-0198 by their examples, and what is sent ahead.

use waxwing_stanza::xep::xep_0280_carbons as carbons;
use waxwing_wire::Element;

use super::rig::{BIND, HEADER, Rig, binding};
use super::sasl2::{AGENT, CSI, SUCCESS, failure, plain, sasl2_settings, start, start_with};
use crate::StreamCondition;
use crate::sasl::Failure;
use crate::server::{ExtraFeature, HELD_EVENTS_MAX, Stage, Tls};
use crate::sm::SM;

const BOUND: &str = "<bound xmlns='urn:xmpp:bind:0'><metadata xmlns='urn:xmpp:mam:2'/></bound>";

/// XEP-0386, examples 2 to 4.
#[test]
fn a_resource_comes_with_the_log_in() {
    let bind = "<bind xmlns='urn:xmpp:bind:0'><tag>AwesomeXMPP</tag><enable xmlns='urn:xmpp:carbons:2'/>\
        <enable xmlns='urn:xmpp:sm:3'/><inactive xmlns='urn:xmpp:csi:0'/><x xmlns='urn:x'/></bind>";
    let mut settings = sasl2_settings();
    settings.features.push(ExtraFeature {
        domain: None,
        stage: Stage::Bind,
        element: Some(Element::new("urn:xmpp:features:rosterver", "ver")),
        takes: Vec::new(),
    });
    let mut rig = start_with(settings);
    let sent = rig.types(&plain(&format!("{AGENT}{bind}")));
    let jid = rig.bound.clone().unwrap();
    let expected = format!(
        "<success xmlns='urn:xmpp:sasl:2'><authorization-identifier>{jid}</authorization-identifier>\
         {BOUND}</success><stream:features><ver xmlns='urn:xmpp:features:rosterver'/></stream:features>"
    );
    assert_eq!(sent, expected);
    let request = &rig.bind2[0];
    assert_eq!(request.tag.as_deref(), Some("AwesomeXMPP"));
    let names: Vec<_> = request.features.iter().map(Element::ns).collect();
    assert_eq!(
        names,
        [carbons::NS, SM, CSI],
        "and nothing that is not offered"
    );
    assert_eq!(request.user_agent, rig.negotiation.user_agent().cloned());
    assert_eq!(rig.negotiation.stage(), Stage::Bound);
}

#[test]
fn a_resource_is_steady_by_user_agent_and_random_without() {
    let bound = |more: &str| {
        let mut rig = start();
        rig.types(&plain(&format!("{more}<bind xmlns='urn:xmpp:bind:0'/>")));
        rig.bound.unwrap().resource().to_owned()
    };
    let own = bound(AGENT);
    assert_eq!((own.len(), bound(AGENT)), (12, own.clone()));
    let capitals = AGENT.replace("d4565fa7", "D4565FA7");
    assert_eq!(bound(&capitals), own);
    assert_ne!(bound(&AGENT.replace("d4565fa7", "d4565fa8")), own);
    assert_eq!(bound("").len(), 24);
    for (tag, taken) in [
        ("Phone", true),
        ("\u{7}", false),
        ("", false),
        (&*"x".repeat(129), false),
    ] {
        let mut rig = start();
        let tag = format!("<bind xmlns='urn:xmpp:bind:0'><tag>{tag}</tag></bind>");
        rig.types(&plain(&format!("{AGENT}{}", tag.replace('\u{7}', "&#x9;"))));
        let resource = rig.bound.unwrap().resource().to_owned();
        assert_eq!(resource != own, taken, "{tag}: {resource}");
    }
}

/// There are no words for it in XEP-0386: those of RFC 6120 are next.
#[test]
fn who_gets_no_resource_is_logged_in_all_the_same() {
    let mut rig = start();
    rig.gives_bind2 = false;
    let sent = rig.types(&plain("<bind xmlns='urn:xmpp:bind:0'/>"));
    assert!(
        sent.starts_with(SUCCESS) && sent.contains("urn:ietf:params:xml:ns:xmpp-bind"),
        "{sent}"
    );
    assert_eq!(rig.negotiation.stage(), Stage::Bind);
    rig.types(BIND);
    assert!(rig.bound.is_some());
}

/// XEP-0388, example 9; XEP-0198, examples of inlining.
#[test]
fn a_session_is_resumed_or_else_a_new_one_bound() {
    let asked =
        plain("<bind xmlns='urn:xmpp:bind:0'/><resume xmlns='urn:xmpp:sm:3' h='3' previd='124'/>");
    let mut rig = start();
    rig.session = Some("124");
    let sent = rig.types(&asked);
    let expected = "<success xmlns='urn:xmpp:sasl:2'>\
        <authorization-identifier>alice@example.org/former</authorization-identifier>\
        <resumed xmlns='urn:xmpp:sm:3' h='7' previd='124'/></success>";
    assert_eq!(sent, expected, "no features, and no resource");
    assert_eq!((rig.bind2.len(), &rig.bound), (0, &None));
    assert_eq!(rig.resumed.unwrap().resource(), "former");

    let failed = "<failed xmlns='urn:xmpp:sm:3' h='9'>\
        <item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>";
    let mut rig = start();
    let sent = rig.types(&asked);
    assert!(
        sent.contains(&format!("{failed}{BOUND}</success>")),
        "{sent}"
    );
    assert!(rig.bound.is_some() && rig.resumed.is_none());

    let malformed = plain("<bind xmlns='urn:xmpp:bind:0'/><resume xmlns='urn:xmpp:sm:3'/>");
    let mut rig = start();
    let sent = rig.types(&malformed);
    assert!(
        sent.contains("<failed xmlns='urn:xmpp:sm:3'><bad-request "),
        "{sent}"
    );
    assert!(rig.bound.is_some());

    // Alone, without a resource: the client may go on as it likes.
    let mut rig = start();
    let sent = rig.types(&plain(
        "<resume xmlns='urn:xmpp:sm:3' h='3' previd='gone'/>",
    ));
    assert!(
        sent.contains(failed) && sent.contains("<stream:features>"),
        "{sent}"
    );
    assert_eq!(rig.negotiation.stage(), Stage::Bind);
}

/// What is sent behind a log-in waits for it, in order.
#[test]
fn what_is_sent_ahead_keeps_its_order() {
    let bind = plain("<bind xmlns='urn:xmpp:bind:0'/>");
    let mut rig = Rig::with(sasl2_settings(), Tls::Started(binding()));
    let ahead = "<presence/><message id='1'/><message id='2'/></stream:stream>";
    let sent = rig.types(&format!("{HEADER}{bind}{ahead}"));
    assert!(rig.bound.is_some(), "{sent}");
    assert_eq!(rig.elements.len(), 3);
    for (element, part) in rig.elements.iter().zip(["presence", "id='1'", "id='2'"]) {
        assert!(element.contains(part), "{element}");
    }
    assert_eq!(rig.closed, Some(None));

    // Behind one that fails it counts for nothing.
    let mut rig = start();
    let wrong = bind.replace("AGFsaWNlAHBlbmNpbA==", "AGFsaWNlAHBlbmNpbHM=");
    let sent = rig.types(&format!("{wrong}{ahead}"));
    assert!(sent.starts_with(&failure(Failure::NotAuthorized)), "{sent}");
    assert_eq!(rig.condition(), Some(StreamCondition::NotAuthorized));
    assert!(rig.elements.is_empty());

    // There is a limit to it.
    let mut rig = start();
    rig.silent = true;
    rig.types(&format!("{bind}{}", "<message/>".repeat(HELD_EVENTS_MAX)));
    assert!(rig.closed.is_none());
    rig.types("<message/>");
    assert_eq!(rig.condition(), Some(StreamCondition::PolicyViolation));
}
