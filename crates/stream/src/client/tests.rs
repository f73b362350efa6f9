//! The client against servers that type XML: old ones, strange ones, false ones.

mod rig;
mod sasl2;

use rig::*;
use waxwing_wire::{Limits, Reader, ns};

use super::*;
use crate::sasl::{Failure, Mechanism, SaslError};

#[test]
fn says_who_it_is_only_inside_tls() {
    let rig = Rig::new(settings(), Tls::Required);
    assert!(
        rig.sent.contains("to='example.org'") && !rig.sent.contains("alice"),
        "{}",
        rig.sent
    );
    let rig = Rig::new(settings(), Tls::Started(binding()));
    assert!(
        rig.sent.contains("from='alice@example.org'"),
        "{}",
        rig.sent
    );
}

#[test]
fn leaves_servers_that_break_the_rules() {
    use StreamCondition::*;
    type Start = fn() -> Rig;
    let (login, tls): (Start, Start) = (Rig::logged_in, Rig::in_tls);
    let new: Start = || Rig::new(settings(), Tls::Started(binding()));
    let other = format!(
        "<iq type='result' id='bind'>{}</iq>",
        BIND.replace("/>", "><jid>bob@example.org/x</jid></bind>")
    );
    let table: Vec<(Start, String, StreamCondition)> = vec![
        (
            new,
            HEADER.replace("jabber:client", "jabber:server"),
            InvalidNamespace,
        ),
        (
            new,
            HEADER.replace("version='1.0' ", "") + &features(""),
            UnsupportedVersion,
        ),
        (new, "<html/>".into(), InvalidNamespace),
        (
            new,
            "<stream".to_owned() + &"x".repeat(5000),
            PolicyViolation,
        ),
        (tls, "<message/>".into(), UnsupportedStanzaType),
        (tls, SUCCESS.into(), UnsupportedStanzaType),
        (
            tls,
            "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>".into(),
            UnsupportedStanzaType,
        ),
        (tls, "<message>".to_owned() + "</massage>", NotWellFormed),
        (
            tls,
            format!("<message x='{}'/>", "x".repeat(300_000)),
            PolicyViolation,
        ),
        (login, features(""), UnsupportedFeature),
        (
            login,
            features("<x xmlns='urn:x'><required/></x>"),
            UnsupportedFeature,
        ),
        (
            login,
            features(BIND) + &features(BIND),
            UnsupportedStanzaType,
        ),
        (
            login,
            features(BIND) + "<iq type='result' id='bind'/>",
            InvalidXml,
        ),
        (login, features(BIND) + &other, InvalidXml),
    ];
    for (start, xml, expected) in table {
        let mut rig = start();
        let sent = rig.types(&xml);
        assert_eq!(rig.complaint(), expected, "{xml}");
        assert!(
            sent.contains(&format!("<stream:error><{} ", expected.name())),
            "{xml}: {sent}"
        );
        assert!(sent.ends_with("</stream:stream>"), "{sent}");
        assert_eq!(rig.types("<presence/>"), "", "nothing more is said");
    }
}

#[test]
fn knows_why_a_stream_ended() {
    let mut rig = Rig::in_tls();
    rig.types("</stream:stream>");
    assert_eq!(rig.error(), Some(&NegotiationError::Closed));
    let mut rig = Rig::in_tls();
    let reset = StreamError::new(StreamCondition::Reset, "new keys");
    assert_eq!(
        rig.types(std::str::from_utf8(&reset.to_bytes()).unwrap()),
        "</stream:stream>"
    );
    assert_eq!(rig.error(), Some(&NegotiationError::Server(reset)));
    let mut rig = Rig::in_tls();
    rig.negotiation.handle_timeout();
    rig.drain();
    assert_eq!(rig.error(), Some(&NegotiationError::Timeout));
    let mut rig = Rig::in_tls();
    rig.negotiation.close();
    rig.drain();
    assert_eq!(rig.closed, Some(None));
    let nameless = Settings {
        account: "example.org".parse().unwrap(),
        ..settings()
    };
    let mut rig = Rig::new(nameless, Tls::Started(binding()));
    rig.types(&(HEADER.to_owned() + &mechanisms(&["SCRAM-SHA-1"])));
    assert_eq!(rig.error(), Some(&NegotiationError::NoName));
    let mut rig = Rig::in_tls();
    rig.types(&mechanisms(&["PLAIN"]));
    rig.types("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><account-disabled/><text>Pay!</text></failure>");
    let text = Some("Pay!".to_owned());
    let refused = NegotiationError::LoginRefused {
        reason: Failure::AccountDisabled,
        text,
    };
    assert_eq!(rig.error(), Some(&refused));
}

#[test]
fn chooses_by_what_is_offered() {
    let both = ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "PLAIN", "X-OTHER"];
    let unbound = ["SCRAM-SHA-1", "SCRAM-SHA-256", "PLAIN"];
    let list = bindings(&["tls-exporter", "tls-server-end-point"]);
    let end_point = bindings(&["tls-server-end-point", "x"]);
    let none = TlsBinding::default;
    let (by_exporter, by_end_point) = ("p=tls-exporter,", "p=tls-server-end-point,");
    // What TLS gives us, their list of bindings, their mechanisms; our choice and GS2 header.
    let table = [
        (
            binding(),
            &*list,
            &both[..],
            "SCRAM-SHA-1-PLUS",
            by_exporter,
        ),
        (
            binding(),
            &*end_point,
            &both,
            "SCRAM-SHA-1-PLUS",
            by_end_point,
        ),
        // A server without XEP-0440.
        (binding(), "", &both, "SCRAM-SHA-1-PLUS", by_end_point),
        (exporter(), "", &both, "SCRAM-SHA-256", "n,"),
        // It binds, we do not.
        (none(), &list, &both, "SCRAM-SHA-256", "n,"),
        (exporter(), &end_point, &both, "SCRAM-SHA-256", "n,"),
        // We could, it does not.
        (binding(), "", &unbound, "SCRAM-SHA-256", "y,"),
        (none(), "", &unbound, "SCRAM-SHA-256", "n,"),
        (binding(), "", &["PLAIN"], "PLAIN", "\0alice"),
    ];
    for (binding, list, names, mechanism, header) in table {
        let mut rig = Rig::new(settings(), Tls::Started(binding));
        let offer = mechanisms(names).replace("<mechanisms ", &format!("{list}<mechanisms "));
        let sent = rig.types(&(HEADER.to_owned() + &offer));
        assert!(
            sent.contains(&format!("mechanism='{mechanism}'")),
            "{offer}: {sent}"
        );
        let data = sent
            .split_once('>')
            .and_then(|(_, rest)| rest.split_once('<'))
            .unwrap()
            .0;
        let data = crate::sasl::base64::decode(data).unwrap();
        assert!(data.starts_with(header.as_bytes()), "{offer}: {data:?}");
    }
}

/// XEP-0440, rule 4: by the end point, unless the caller says that such a server is not to be bound to. The server's proof of
/// its offer (XEP-0474) counts all the same.
#[test]
fn a_server_without_a_list_is_bound_to_unless_the_caller_says_otherwise() {
    let offer = mechanisms(&["SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"]);
    let listed = bindings(&["tls-server-end-point"]);
    let listed = offer.replace("<mechanisms ", &format!("{listed}<mechanisms "));
    let began = |offer: &str, unlisted| {
        let settings = Settings {
            unlisted,
            ..settings()
        };
        let mut rig = Rig::new(settings, Tls::Started(binding()));
        let sent = rig.types(&(HEADER.to_owned() + offer));
        (rig, sent)
    };
    for (offer, unlisted, bound) in [
        (&offer, Unlisted::EndPoint, true),
        (&offer, Unlisted::Unbound, false),
        (&listed, Unlisted::Unbound, true),
    ] {
        let (_, sent) = began(offer, unlisted);
        assert_eq!(sent.contains("-PLUS"), bound, "{offer} {unlisted:?}");
    }
    for (proof, error) in [
        ("", None),
        (
            ",h=AAAA",
            Some(NegotiationError::Sasl(SaslError::Downgraded)),
        ),
    ] {
        let (mut rig, sent) = began(&offer, Unlisted::Unbound);
        let data = sent.split_once('>').unwrap().1.split_once('<').unwrap().0;
        let first = crate::sasl::base64::decode(data).unwrap();
        let first = String::from_utf8(first).unwrap();
        let (header, nonce) = first.split_once("r=").unwrap();
        assert!(header.starts_with("n,"), "{first}");
        let challenge = format!("r={nonce}x,s=c2FsdA==,i=1{proof}");
        let challenge = crate::sasl::base64::encode(challenge.as_bytes());
        rig.types(&format!(
            "<challenge xmlns='{}'>{challenge}</challenge>",
            ns::SASL
        ));
        assert_eq!(rig.error(), error.as_ref());
    }
}

/// Whoever allows no -PLUS must not claim to be able to.
#[test]
fn claims_no_more_than_it_allows() {
    let unbound = ["SCRAM-SHA-1", "SCRAM-SHA-256", "PLAIN"];
    let few = Settings {
        mechanisms: vec![Mechanism::ScramSha256],
        ..settings()
    };
    let mut rig = Rig::new(few, Tls::Started(binding()));
    let sent = rig.types(&(HEADER.to_owned() + &mechanisms(&unbound)));
    assert!(sent.contains(">biws"), "{sent}");
}

/// A list without the kind that every server has is believed only if the server's hash proves it.
#[test]
fn a_strange_list_of_bindings_needs_proof() {
    for (list, expected) in [
        (
            bindings(&["x"]),
            Some(NegotiationError::Sasl(SaslError::Downgraded)),
        ),
        (bindings(&["x", "tls-server-end-point"]), None),
    ] {
        let mut rig = Rig::new(settings(), Tls::Started(exporter()));
        let offer = mechanisms(&["SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"])
            .replace("<mechanisms ", &format!("{list}<mechanisms "));
        let sent = rig.types(&(HEADER.to_owned() + &offer));
        let data = sent
            .split_once('>')
            .and_then(|(_, rest)| rest.split_once('<'))
            .unwrap()
            .0;
        let first = String::from_utf8(crate::sasl::base64::decode(data).unwrap()).unwrap();
        let nonce = first.split_once("r=").unwrap().1;
        let challenge =
            crate::sasl::base64::encode(format!("r={nonce}x,s=c2FsdA==,i=1").as_bytes());
        rig.types(&format!(
            "<challenge xmlns='{}'>{challenge}</challenge>",
            ns::SASL
        ));
        assert_eq!(rig.error(), expected.as_ref());
    }
}

#[test]
fn without_tls_it_says_no_password_and_heeds_a_server_that_wants_tls() {
    let mut rig = Rig::new(settings(), Tls::PlainAllowed);
    let sent = rig.types(&(HEADER.to_owned() + &mechanisms(&["PLAIN"])));
    assert_eq!(
        (sent.as_str(), rig.error()),
        ("</stream:stream>", Some(&NegotiationError::NoMechanism))
    );
    let starttls = |inside: &str| {
        features(&format!(
            "<starttls xmlns='{}'>{inside}</starttls>",
            ns::TLS
        ))
    };
    let mut rig = Rig::new(settings(), Tls::PlainAllowed);
    let sent = rig.types(&(HEADER.to_owned() + &starttls("<required/>")));
    assert_eq!(rig.error(), Some(&NegotiationError::TlsInsisted));
    assert!(sent.contains("<unsupported-feature "), "{sent}");
    let mut rig = Rig::new(settings(), Tls::Required);
    let sent = rig.types(&(HEADER.to_owned() + &starttls("")));
    assert_eq!(
        sent, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
        "offered is enough"
    );
}

#[test]
fn a_success_without_proof_is_none() {
    for offered in ["SCRAM-SHA-1", "SCRAM-SHA-256"] {
        let mut rig = Rig::in_tls();
        rig.types(&mechanisms(&[offered]));
        let sent = rig.types(SUCCESS);
        assert_eq!(
            sent,
            "<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/></stream:stream>"
        );
        assert_eq!(
            rig.error(),
            Some(&NegotiationError::Sasl(SaslError::ServerUnproven))
        );
    }
    let mut rig = Rig::in_tls();
    rig.types(&mechanisms(&["PLAIN"]));
    rig.types("<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
    assert_eq!(
        rig.error(),
        Some(&NegotiationError::Sasl(SaslError::Malformed))
    );
}

#[test]
fn asks_old_servers_for_a_session() {
    let bound = format!(
        "<iq type='result' id='bind'>{}</iq>",
        BIND.replace("/>", "><jid>alice@example.org/x</jid></bind>")
    );
    let session = |inside: &str| {
        features(&format!(
            "{BIND}<session xmlns='urn:ietf:params:xml:ns:xmpp-session'>{inside}</session>"
        ))
    };
    for (offer, needed) in [
        (session(""), true),
        (session("<optional/>"), false),
        (features(BIND), false),
    ] {
        let mut rig = Rig::logged_in();
        rig.types(&offer);
        let sent = rig.types(&bound);
        assert_eq!(sent.contains("xmpp-session"), needed, "{offer}: {sent}");
        assert_eq!(rig.bound.is_some(), !needed);
        rig.types("<message/>");
        rig.types("<iq type='result' id='session'/>");
        assert!(rig.bound.is_some());
        assert_eq!(
            rig.elements,
            if needed { 1 } else { 2 },
            "what is not awaited is handed on"
        );
    }
}

#[test]
fn works_where_stream_management_fails() {
    let bound = format!(
        "<iq type='result' id='bind'>{}</iq>",
        BIND.replace("/>", "><jid>alice@example.org/x</jid></bind>")
    );
    let start = || {
        let mut rig = Rig::logged_in();
        rig.types(&features(&format!("{BIND}<sm xmlns='urn:xmpp:sm:3'/>")));
        assert_eq!(
            rig.types(&bound),
            "<enable xmlns='urn:xmpp:sm:3' resume='true'/>"
        );
        rig
    };
    let mut rig = start();
    rig.types("<failed xmlns='urn:xmpp:sm:3'/>");
    assert_eq!(rig.bound.map(|(_, enabled)| enabled), Some(None));
    let mut rig = start();
    rig.types("<enabled xmlns='urn:xmpp:sm:3'/>");
    assert_eq!(
        rig.bound.map(|(_, enabled)| enabled),
        Some(Some(Enabled {
            id: None,
            resume: false,
            max: None,
            location: None
        }))
    );
    let mut rig = start();
    rig.types("<resumed xmlns='urn:xmpp:sm:3' h='0' previd='x'/>");
    assert_eq!(rig.complaint(), StreamCondition::InvalidXml);
    let mut rig = start();
    rig.types("<a xmlns='urn:xmpp:sm:3'/>");
    assert_eq!(rig.complaint(), StreamCondition::InvalidXml);
}

#[test]
fn nothing_secret_is_printed() {
    let mut negotiation = Negotiation::new(settings(), Tls::Started(binding()), Seed::new([4; 32]));
    let mut reader = Reader::new(Limits::CLIENT);
    reader.push((HEADER.to_owned() + &mechanisms(&["PLAIN"])).as_bytes());
    while let Ok(Some(event)) = reader.next() {
        negotiation.handle_event(event);
    }
    let shown = format!("{negotiation:?}");
    assert!(shown.contains("alice"), "{shown}");
    for secret in ["pencil", "AGFsaWNlAHBlbmNpbA==", "7, 7, 7"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
