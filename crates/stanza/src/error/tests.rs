//! Every condition, the syntax of RFC 6120 §8.3.2 and its examples.

use super::*;

/// RFC 6120 §8.3.3.1 to §8.3.3.22, in that order.
const DEFAULTS: [(&str, &str); 22] = [
    ("bad-request", "modify"),
    ("conflict", "cancel"),
    ("feature-not-implemented", "cancel"),
    ("forbidden", "auth"),
    ("gone", "cancel"),
    ("internal-server-error", "cancel"),
    ("item-not-found", "cancel"),
    ("jid-malformed", "modify"),
    ("not-acceptable", "modify"),
    ("not-allowed", "cancel"),
    ("not-authorized", "auth"),
    ("policy-violation", "modify"),
    ("recipient-unavailable", "wait"),
    ("redirect", "modify"),
    ("registration-required", "auth"),
    ("remote-server-not-found", "cancel"),
    ("remote-server-timeout", "wait"),
    ("resource-constraint", "wait"),
    ("service-unavailable", "cancel"),
    ("subscription-required", "auth"),
    ("undefined-condition", "cancel"),
    ("unexpected-request", "wait"),
];

fn read(xml: &str) -> StanzaError {
    StanzaError::from_element(&Element::parse(xml).unwrap())
}

#[test]
fn conditions_and_their_types() {
    let ours =
        Condition::ALL.map(|condition| (condition.as_str(), condition.default_type().as_str()));
    assert_eq!(ours, DEFAULTS);
}

#[test]
fn syntax() {
    let error = StanzaError::new(Condition::NotAllowed)
        .with_text("No <way>")
        .with_by(Jid::new("example.net").unwrap())
        .with_app(Element::new("urn:example", "closed"));
    assert_eq!(
        error.to_element(ns::CLIENT).to_bytes(ns::CLIENT),
        "<error by='example.net' type='cancel'>\
         <not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
         <text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>No &lt;way&gt;</text>\
         <closed xmlns='urn:example'/></error>"
    );
}

#[test]
fn written_and_read() {
    for condition in Condition::ALL {
        for kind in ErrorType::ALL {
            for stanza_ns in [ns::CLIENT, ns::SERVER] {
                let error = StanzaError::new(condition).with_type(kind).with_text("why");
                assert_eq!(
                    StanzaError::from_element(&error.to_element(stanza_ns)),
                    error
                );
            }
        }
    }
    let moved = StanzaError {
        alternate: Some("xmpp:romeo@example.org".into()),
        ..StanzaError::new(Condition::Gone)
    };
    assert_eq!(
        StanzaError::from_element(&moved.to_element(ns::CLIENT)),
        moved
    );
}

/// RFC 6120 §8.3.3.5 and §8.3.4.
#[test]
fn examples() {
    let gone = read(
        "<error xmlns='jabber:client' by='example.net' type='cancel'>
           <gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>xmpp:romeo@afterlife.example.net</gone>
         </error>",
    );
    assert_eq!(
        (gone.kind, gone.condition),
        (ErrorType::Cancel, Condition::Gone)
    );
    assert_eq!(
        gone.alternate.as_deref(),
        Some("xmpp:romeo@afterlife.example.net")
    );
    assert_eq!(
        gone.by.map(|by| by.to_string()).as_deref(),
        Some("example.net")
    );

    let app = read(
        "<error xmlns='jabber:client' type='modify'>
           <bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>
           <text xml:lang='en' xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>[ ... ]</text>
           <too-many-parameters xmlns='http://example.org/ns'/>
         </error>",
    );
    assert_eq!(
        (app.kind, app.condition),
        (ErrorType::Modify, Condition::BadRequest)
    );
    assert_eq!(app.text.as_deref(), Some("[ ... ]"));
    assert_eq!(
        app.app,
        Some(Element::new("http://example.org/ns", "too-many-parameters"))
    );
}

#[test]
fn errors_that_lack_something_remain_errors() {
    for (xml, kind, condition) in [
        (
            "<error xmlns='jabber:client'/>",
            ErrorType::Cancel,
            Condition::UndefinedCondition,
        ),
        (
            "<error xmlns='jabber:client' code='404'/>",
            ErrorType::Cancel,
            Condition::UndefinedCondition,
        ),
        (
            "<error xmlns='jabber:client' type='nonsense' by='@@'>\
             <forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>",
            ErrorType::Auth,
            Condition::Forbidden,
        ),
        (
            "<error xmlns='jabber:client' type='wait'>\
             <out-of-coffee xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>",
            ErrorType::Wait,
            Condition::UndefinedCondition,
        ),
    ] {
        assert_eq!(
            read(xml),
            StanzaError::new(condition).with_type(kind),
            "{xml}"
        );
    }
}
