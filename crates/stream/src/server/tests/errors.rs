//! RFC 6120 §4.9.3 after the header, condition by condition, and the rules of STARTTLS and binding.

use waxwing_stanza::Condition;
use waxwing_wire::{Element, ns};

use super::rig::{AUTH, BIND, HEADER, Rig, STARTTLS, binding, settings};
use crate::server::{ExtraFeature, HELD_EVENTS_MAX, Stage, Takes, Tls};
use crate::{StreamCondition, StreamError};

fn in_the_clear() -> Rig {
    let mut rig = Rig::new(Tls::Required);
    rig.types(HEADER);
    rig
}

#[test]
fn refuses_at_every_stage_what_does_not_belong_there() {
    use StreamCondition::*;
    type Start = fn() -> Rig;
    let (clear, tls, login): (Start, Start, Start) = (in_the_clear, Rig::in_tls, Rig::logged_in);
    let bind = BIND.replace("id='b1'", "");
    let forged = BIND.replace("id='b1'", "id='b1' from='alice@example.org/x'");
    let table: Vec<(Start, &str, StreamCondition)> = vec![
        (clear, "<message to='bob@example.org'/>", NotAuthorized),
        (tls, "<message to='bob@example.org'/>", NotAuthorized),
        (
            tls,
            "<iq type='get' id='1'><query xmlns='x'/></iq>",
            NotAuthorized,
        ),
        (tls, "<presence/>", NotAuthorized),
        (tls, BIND, NotAuthorized),
        (login, "<message to='bob@example.org'/>", NotAuthorized),
        (
            login,
            "<iq type='get' id='1' to='bob@example.org'/>",
            NotAuthorized,
        ),
        (
            login,
            "<iq type='get' id='1' to='alice@example.org/x'/>",
            NotAuthorized,
        ),
        (login, "<iq type='get' id='1' to='@'/>", NotAuthorized),
        (tls, "<iq type='get'><query xmlns='x'/></iq>", InvalidXml),
        (login, "<presence from='bob@example.org'/>", InvalidFrom),
        (login, "<presence from='@'/>", InvalidFrom),
        (login, &forged, InvalidFrom),
        (login, "<iq id='1'/>", InvalidXml),
        (login, &bind, InvalidXml),
        (tls, "<message xmlns='jabber:server'/>", InvalidNamespace),
        (tls, "<message xmlns='urn:example'/>", UnsupportedStanzaType),
        (tls, "<stream:features/>", UnsupportedStanzaType),
        (
            tls,
            "<a xmlns='urn:xmpp:sm:3' h='0'/>",
            UnsupportedStanzaType,
        ),
        (tls, "<foo/>", UnsupportedStanzaType),
        (login, AUTH, PolicyViolation),
    ];
    for (start, xml, expected) in table {
        assert_refused(start(), xml, &expected);
    }
}

#[test]
fn refuses_what_is_no_xml_or_none_that_xmpp_allows() {
    use StreamCondition::*;
    let deep = "<a>".repeat(65) + &"</a>".repeat(65);
    let large = format!("<message><body>{}", "x".repeat(16 * 1024));
    let table: Vec<(&str, StreamCondition)> = vec![
        ("hello", BadFormat),
        ("<message></massage>", NotWellFormed),
        ("<message><x:y/></message>", NotWellFormed),
        ("</foo>", NotWellFormed),
        ("<message><!-- x --></message>", RestrictedXml),
        ("<?php echo 1; ?>", RestrictedXml),
        ("<message>&eacute;</message>", RestrictedXml),
        (&deep, PolicyViolation),
        (&large, PolicyViolation),
    ];
    for (xml, expected) in table {
        assert_refused(Rig::in_tls(), xml, &expected);
    }
}

#[track_caller]
fn assert_refused(mut rig: Rig, xml: &str, expected: &StreamCondition) {
    let sent = rig.types(xml);
    assert_eq!(rig.condition().as_ref(), Some(expected), "{xml}: {sent}");
    let start = format!(
        "<stream:error><{} xmlns='urn:ietf:params:xml:ns:xmpp-streams'",
        expected.name()
    );
    assert!(sent.starts_with(&start), "{xml}: {sent}");
    assert!(
        sent.ends_with("</stream:error></stream:stream>"),
        "{xml}: {sent}"
    );
    assert!(rig.negotiation.is_closed());
    assert_eq!(rig.types("<presence/>"), "", "nothing more is said");
}

/// Conditions that are not the client's doing come from the server.
#[test]
fn the_server_can_end_a_stream_with_any_condition() {
    let starts: [fn() -> Rig; 3] = [in_the_clear, Rig::in_tls, Rig::logged_in];
    for condition in StreamCondition::all() {
        for start in starts {
            let mut rig = start();
            rig.negotiation.close(condition.clone().into());
            let sent = rig.drains();
            assert!(
                sent.starts_with(&format!("<stream:error><{} ", condition.name())),
                "{sent}"
            );
            assert_eq!(rig.condition(), Some(condition.clone()));
            rig.negotiation.close(StreamCondition::Reset.into());
            assert_eq!(rig.drains(), "", "an end is the end");
        }
    }
}

#[test]
fn negotiation_has_its_time() {
    let mut rig = Rig::in_tls();
    rig.negotiation.handle_timeout();
    assert!(rig.drains().contains("<connection-timeout "));
    assert_eq!(rig.condition(), Some(StreamCondition::ConnectionTimeout));
}

#[test]
fn either_side_may_end_the_stream_in_peace() {
    let mut rig = Rig::in_tls();
    assert_eq!(rig.types("</stream:stream>"), "</stream:stream>");
    assert_eq!(rig.closed, Some(None));
    let mut rig = Rig::in_tls();
    rig.negotiation.finish();
    assert_eq!(rig.drains(), "</stream:stream>");
    assert_eq!(rig.closed, Some(None));
    let mut rig = Rig::in_tls();
    let error = StreamError::from(StreamCondition::UndefinedCondition).to_bytes();
    assert_eq!(
        rig.types(std::str::from_utf8(&error).unwrap()),
        "</stream:stream>"
    );
    assert_eq!(
        rig.closed,
        Some(None),
        "an error of the client is not answered with one"
    );
}

#[test]
fn starttls_starts_tls_and_nothing_read_before_survives() {
    let mut rig = in_the_clear();
    assert_eq!(
        rig.types(STARTTLS),
        "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
    );
    assert!(rig.start_tls && rig.closed.is_none());
    rig.negotiation.tls_started(binding());
    assert!(
        rig.types(HEADER)
            .contains("<mechanism>SCRAM-SHA-512-PLUS</mechanism>")
    );

    // In one piece with the request: an attacker in front of TLS.
    let mut rig = in_the_clear();
    let sent = rig.types(&format!("{STARTTLS}{HEADER}{AUTH}"));
    assert_eq!(
        sent, "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
        "nothing more in the clear"
    );
    assert_eq!(rig.condition(), Some(StreamCondition::PolicyViolation));

    // Between the request and the handshake.
    let mut rig = in_the_clear();
    rig.types(STARTTLS);
    assert_eq!(rig.types(HEADER), "");
    assert_eq!(rig.condition(), Some(StreamCondition::PolicyViolation));

    // Whitespace is no command.
    let mut rig = in_the_clear();
    rig.types(&format!("{STARTTLS}\n"));
    assert!(rig.closed.is_none());
}

#[test]
fn tls_is_negotiated_once_and_only_where_it_is_missing() {
    let starts: [fn() -> Rig; 2] = [Rig::in_tls, Rig::logged_in];
    for start in starts {
        let mut rig = start();
        let sent = rig.types(STARTTLS);
        assert_eq!(
            sent,
            "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>"
        );
        assert_eq!(rig.closed, Some(None));
    }
    let mut rig = in_the_clear();
    let sent = rig.types("<startssl xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    assert!(sent.starts_with("<failure "), "{sent}");
    // The handshake of a stream that did not ask for one.
    let mut rig = Rig::new(Tls::PlainAllowed);
    rig.negotiation.tls_started(binding());
    assert!(!rig.types(HEADER).contains("-PLUS"));
}

#[test]
fn binds_what_the_server_decides() {
    let resource = |text: &str| {
        format!(
            "<iq type='set' id='b&amp;1' to='example.org'><bind xmlns='{}'>{text}</bind></iq>",
            ns::BIND
        )
    };
    let mut rig = Rig::logged_in();
    let sent = rig.types(&resource("<resource>Balcony &amp; co</resource>"));
    assert_eq!(
        sent,
        "<iq type='result' id='b&amp;1' from='example.org'>\
         <bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>alice@example.org/Balcony &amp; co</jid></bind></iq>"
    );
    for nothing in ["", "<resource/>"] {
        let mut rig = Rig::logged_in();
        rig.types(&resource(nothing));
        assert_eq!(rig.bound.unwrap().resource().len(), 24, "random");
    }
    let one = Rig::logged_in().types(BIND);
    assert!(one.contains("alice@example.org/"));
}

#[test]
fn a_refused_resource_may_be_asked_for_again_but_not_for_ever() {
    let mut rig = Rig::logged_in();
    rig.refuse_bind = Some(Condition::Conflict.into());
    let sent = rig.types(BIND);
    assert!(
        sent.contains("type='error'") && sent.contains("<conflict "),
        "{sent}"
    );
    rig.refuse_bind = None;
    rig.types(BIND);
    assert!(rig.bound.is_some());

    let mut rig = Rig::logged_in();
    let long = format!(
        "<iq type='set' id='1'><bind xmlns='{}'><resource>{}</resource></bind></iq>",
        ns::BIND,
        "x".repeat(1024)
    );
    for tried in 1..=10 {
        assert!(rig.types(&long).contains("<bad-request "), "{tried}");
    }
    assert_eq!(rig.condition(), Some(StreamCondition::PolicyViolation));
    let mut rig = Rig::logged_in();
    assert!(
        rig.types(&BIND.replace("'set'", "'get'"))
            .contains("<bad-request ")
    );
}

#[test]
fn without_a_resource_the_server_answers_but_does_nothing() {
    let mut rig = Rig::logged_in();
    for to in ["", "to='example.org'", "to='alice@example.org'"] {
        let sent = rig.types(&format!(
            "<iq type='get' id='1' {to}><ping xmlns='urn:xmpp:ping'/></iq>"
        ));
        assert!(sent.contains("<unexpected-request "), "{to}: {sent}");
    }
    assert_eq!(rig.types("<presence/>"), "");
    assert_eq!(rig.types("<presence from='alice@example.org'/>"), "");
    assert_eq!(rig.types("<iq type='result' id='1'/>"), "");
    for early in [
        "<enable xmlns='urn:xmpp:sm:3'/>",
        "<resume xmlns='urn:xmpp:sm:3' h='0' previd='x'/>",
    ] {
        assert_eq!(
            rig.types(early),
            "<failed xmlns='urn:xmpp:sm:3'>\
             <unexpected-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>"
        );
    }
    assert!(rig.closed.is_none());
}

#[test]
fn features_of_the_server_are_offered_and_handed_out_at_their_stage() {
    let mut settings = settings();
    let register = Element::new("http://jabber.org/features/iq-register", "register");
    let sm = Element::new("urn:xmpp:sm:3", "sm");
    let resume = Takes::Element {
        ns: "urn:xmpp:sm:3",
        name: "resume",
    };
    let query = Takes::Iq {
        ns: "jabber:iq:register",
        name: "query",
    };
    settings.features = vec![
        ExtraFeature {
            domain: None,
            stage: Stage::Login,
            element: Some(register),
            takes: vec![query],
        },
        ExtraFeature {
            domain: None,
            stage: Stage::Bind,
            element: Some(sm),
            takes: vec![resume],
        },
    ];
    let mut rig = Rig::with(settings, Tls::Required);
    let iq = "<iq type='get' id='r'><query xmlns='jabber:iq:register'/></iq>";
    assert!(!rig.types(HEADER).contains("iq-register"), "only after TLS");
    rig.types(STARTTLS);
    rig.negotiation.tls_started(binding());
    let features = rig.types(HEADER);
    assert!(
        features.contains("<register xmlns='http://jabber.org/features/iq-register'/>"),
        "{features}"
    );
    assert!(!features.contains("urn:xmpp:sm:3"));
    let resume = "<resume xmlns='urn:xmpp:sm:3' h='0' previd='x'/>";
    assert!(rig.types(resume).starts_with("<failed "), "too early");
    assert_eq!(rig.types(iq), "");
    assert_eq!(rig.elements, [iq]);
    rig.types(AUTH);
    let features = rig.types(HEADER);
    assert!(!features.contains("iq-register"));
    assert!(
        features.contains("<sm xmlns='urn:xmpp:sm:3'/>"),
        "{features}"
    );
    assert!(rig.types(iq).contains("<unexpected-request "), "too late");
    assert_eq!(rig.types(resume), "");
    assert_eq!(rig.elements, [iq, resume]);
    rig.negotiation
        .resumed("alice@example.org/old".parse().unwrap());
    assert_eq!(rig.negotiation.stage(), Stage::Bound);
    rig.types("<message/>");
    assert_eq!(rig.elements.last().map(String::as_str), Some("<message/>"));
}

#[test]
fn what_comes_while_a_question_is_open_waits_within_a_limit() {
    let mut rig = Rig::logged_in();
    rig.silent = true;
    rig.types(BIND);
    assert!(rig.negotiation.awaits_answer());
    assert_eq!(rig.types("<presence/><message to='bob@example.org'/>"), "");
    rig.negotiation
        .provide_bind(Ok("alice@example.org/x".parse().unwrap()));
    assert!(rig.drains().contains("alice@example.org/x"));
    assert_eq!(
        rig.elements,
        ["<presence/>", "<message to='bob@example.org'/>"]
    );

    let mut rig = Rig::logged_in();
    rig.silent = true;
    rig.types(BIND);
    rig.types(&"<presence/>".repeat(HELD_EVENTS_MAX));
    assert!(rig.closed.is_none());
    rig.types("<presence/>");
    assert_eq!(rig.condition(), Some(StreamCondition::PolicyViolation));
    rig.negotiation
        .provide_bind(Ok("alice@example.org/x".parse().unwrap()));
    assert_eq!(rig.drains(), "", "an answer that comes too late");
}

/// What one domain offers is not offered, and not taken, at another.
#[test]
fn a_feature_of_one_domain() {
    let element = Element::new("urn:example", "extra");
    let mut settings = settings();
    settings.features = vec![ExtraFeature {
        domain: Some("second.example".to_owned()),
        stage: Stage::Login,
        element: Some(element),
        takes: vec![Takes::Element {
            ns: "urn:example",
            name: "use",
        }],
    }];
    for (domain, has) in [("example.org", false), ("second.example", true)] {
        let mut rig = Rig::with(settings.clone(), Tls::Started(binding()));
        let features = rig.types(&HEADER.replace("example.org", domain));
        assert_eq!(features.contains("urn:example"), has, "{features}");
        rig.types("<use xmlns='urn:example'/>");
        assert_eq!(rig.elements.len(), usize::from(has));
        assert_eq!(rig.closed.is_some(), !has);
    }
}
