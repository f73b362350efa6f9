//! RFC 6120 §6: log-ins that fail, and how; those that succeed are tested with both sides.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::rig::{AUTH, HEADER, Rig, binding, credentials, settings};
use crate::StreamCondition;
use crate::sasl::{Account, Credentials, Failure, Mechanism, TlsBinding};
use crate::server::{LOGIN_FAILURES_MAX, Settings, Tls};

fn auth(mechanism: &str, content: &str) -> String {
    format!(
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='{mechanism}'>{content}</auth>"
    )
}

fn response(content: &str) -> String {
    format!("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{content}</response>")
}

const ABORT: &str = "<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>";

fn failure(reason: Failure) -> String {
    format!(
        "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><{}/></failure>",
        reason.name()
    )
}

#[test]
fn names_the_failure() {
    use base64::Engine as _;
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let plain = |text: &str| auth("PLAIN", &encode(text));
    let scram = |text: &str| auth("SCRAM-SHA-1", &encode(text));
    let table = [
        (plain("\0alice\0pencils"), Failure::NotAuthorized),
        (plain("\0bob\0pencil"), Failure::NotAuthorized),
        (plain("\0@\0pencil"), Failure::NotAuthorized),
        (
            plain("bob@example.org\0alice\0pencil"),
            Failure::InvalidAuthzid,
        ),
        (plain("alice\0alice\0pencil"), Failure::InvalidAuthzid),
        (
            plain("alice@example.org/x\0alice\0pencil"),
            Failure::InvalidAuthzid,
        ),
        (plain("@\0@\0pencil"), Failure::InvalidAuthzid),
        (plain("alice\0pencil"), Failure::MalformedRequest),
        (
            scram("n,a=bob@example.org,n=alice,r=x"),
            Failure::InvalidAuthzid,
        ),
        (scram("n,,n=alice"), Failure::MalformedRequest),
        (
            scram("p=tls-exporter,,n=alice,r=x"),
            Failure::MalformedRequest,
        ),
        (scram("y,,n=alice,r=x"), Failure::MalformedRequest),
        (auth("PLAIN", "%%%"), Failure::IncorrectEncoding),
        (
            auth("PLAIN", " AGFsaWNlAHBlbmNpbA=="),
            Failure::IncorrectEncoding,
        ),
        (
            auth("PLAIN", "AGFsaWNlAHBlbmNpbA"),
            Failure::IncorrectEncoding,
        ),
        (auth("PLAIN", "="), Failure::MalformedRequest),
        (auth("X-UNKNOWN", ""), Failure::InvalidMechanism),
        (auth("plain", ""), Failure::InvalidMechanism),
        (auth("", ""), Failure::InvalidMechanism),
        (
            AUTH.replace("mechanism='PLAIN'", ""),
            Failure::InvalidMechanism,
        ),
        (response("AAAA"), Failure::MalformedRequest),
        (ABORT.into(), Failure::Aborted),
    ];
    for (xml, expected) in table {
        let mut rig = Rig::in_tls();
        assert_eq!(rig.types(&xml), failure(expected), "{xml}");
        assert_eq!(rig.failures, [expected]);
        assert!(
            rig.types(AUTH).starts_with("<success "),
            "another try is allowed"
        );
        assert_eq!(rig.authenticated.as_deref(), Some("alice@example.org"));
    }
}

#[test]
fn an_authzid_that_is_the_account_itself_is_fine() {
    use base64::Engine as _;
    let text = "Alice@EXAMPLE.org\0ALICE\0pencil";
    let encoded = base64::engine::general_purpose::STANDARD.encode(text);
    let mut rig = Rig::in_tls();
    assert!(rig.types(&auth("PLAIN", &encoded)).starts_with("<success "));
    assert_eq!(rig.authenticated.as_deref(), Some("alice@example.org"));
}

#[test]
fn the_client_may_begin_without_initial_response() {
    let mut rig = Rig::in_tls();
    assert_eq!(
        rig.types(&auth("PLAIN", "")),
        "<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"
    );
    assert!(
        rig.types(&response("AGFsaWNlAHBlbmNpbA=="))
            .starts_with("<success ")
    );

    let mut rig = Rig::in_tls();
    rig.types(&auth("PLAIN", ""));
    assert_eq!(rig.types(ABORT), failure(Failure::Aborted));
    rig.types(&auth("PLAIN", ""));
    assert_eq!(
        rig.types(&auth("PLAIN", "")),
        failure(Failure::MalformedRequest),
        "one at a time"
    );
    rig.types(&auth("PLAIN", ""));
    assert_eq!(
        rig.types(&response("*")),
        failure(Failure::IncorrectEncoding)
    );
    assert_eq!(
        rig.types(&response("AGFsaWNlAHBlbmNpbA==")),
        failure(Failure::MalformedRequest),
        "it is over"
    );
}

#[test]
fn what_the_account_is_shows_only_with_its_password() {
    let wrong = AUTH.replace("AGFsaWNlAHBlbmNpbA==", "AGFsaWNlAHBlbmNpbHM=");
    let table = [
        (
            Account::Disabled(credentials()),
            AUTH,
            Failure::AccountDisabled,
        ),
        (
            Account::Disabled(credentials()),
            &wrong,
            Failure::NotAuthorized,
        ),
        (
            Account::Expired(credentials()),
            AUTH,
            Failure::CredentialsExpired,
        ),
        (
            Account::Expired(credentials()),
            &wrong,
            Failure::NotAuthorized,
        ),
        (Account::Missing, AUTH, Failure::NotAuthorized),
        (Account::Unavailable, AUTH, Failure::TemporaryAuthFailure),
    ];
    for (account, xml, expected) in table {
        let mut rig = Rig::in_tls();
        rig.account = account;
        assert_eq!(rig.types(xml), failure(expected));
    }
}

/// The challenge to an account that does not exist is the same each time, and of the same form.
#[test]
fn a_missing_account_looks_like_one() {
    use base64::Engine as _;
    let engine = base64::engine::general_purpose::STANDARD;
    let challenge = |user: &str| {
        let mut rig = Rig::in_tls();
        let sent = rig.types(&auth(
            "SCRAM-SHA-256",
            &engine.encode(format!("n,,n={user},r=fixed")),
        ));
        let content = sent.split_once('>').unwrap().1.split_once('<').unwrap().0;
        String::from_utf8(engine.decode(content).unwrap()).unwrap()
    };
    let (real, missing) = (challenge("alice"), challenge("bob"));
    assert_eq!(missing, challenge("bob"));
    assert_ne!(missing, challenge("carol"));
    assert_eq!(real.len(), missing.len());
    let form = |text: &str| {
        text.split(',')
            .map(|part| part[..2].to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(form(&real), form(&missing));
    assert!(missing.contains(",i=10,"), "{missing}");
}

#[test]
fn too_many_failures_end_the_stream() {
    let wrong = AUTH.replace("AGFsaWNlAHBlbmNpbA==", "AGFsaWNlAHBlbmNpbHM=");
    let mut rig = Rig::in_tls();
    for tried in 1..LOGIN_FAILURES_MAX {
        assert_eq!(
            rig.types(&wrong),
            failure(Failure::NotAuthorized),
            "{tried}"
        );
    }
    let sent = rig.types(&wrong);
    assert!(sent.starts_with(&failure(Failure::NotAuthorized)), "{sent}");
    assert!(sent.contains("<stream:error><policy-violation "), "{sent}");
    assert_eq!(rig.condition(), Some(StreamCondition::PolicyViolation));
    assert_eq!(rig.failures.len(), LOGIN_FAILURES_MAX as usize);
}

fn offered(settings: Settings, tls: Tls) -> Vec<String> {
    let features = Rig::with(settings, tls).types(HEADER);
    let names = features.split("<mechanism>").skip(1);
    names
        .map(|rest| rest.split_once('<').unwrap().0.to_owned())
        .collect()
}

#[test]
fn offers_what_policy_and_transport_allow() {
    let with = |binding: TlsBinding| Tls::Started(binding);
    let mut exporter = TlsBinding::default();
    exporter.tls_exporter = Some([1; 32]);
    let all = Mechanism::ALL.map(|mechanism| mechanism.name().to_owned());
    assert_eq!(offered(settings(), with(exporter)), all);
    assert_eq!(offered(settings(), with(TlsBinding::default())), all[3..]);
    assert_eq!(offered(settings(), Tls::PlainAllowed), all[3..6]);
    let plain = Settings {
        plain_without_tls: true,
        ..settings()
    };
    assert_eq!(offered(plain, Tls::PlainAllowed), all[3..]);
    assert_eq!(offered(settings(), Tls::Required), [""; 0]);
    let few = Settings {
        mechanisms: vec![Mechanism::Plain, Mechanism::ScramSha256],
        ..settings()
    };
    assert_eq!(
        offered(few, with(super::rig::binding())),
        ["SCRAM-SHA-256", "PLAIN"]
    );
}

/// Lists are kept for streams to come; each gets the one that a first stream of its kind would have got, and its
/// challenge is protected by it (XEP-0474).
#[test]
fn streams_share_the_lists_of_those_they_are_alike() {
    let mut shared = settings();
    shared.guests.insert("second.example".to_owned());
    let shared = Arc::new(shared);
    let second = HEADER.replace("example.org", "second.example");
    // n,,n=alice,r=abc
    let auth = auth("SCRAM-SHA-256", "biwsbj1hbGljZSxyPWFiYw==");
    let said = |settings: Arc<Settings>, header: &str, tls: &Tls| {
        let mut rig = Rig::with(settings, tls.clone());
        [rig.types(header), rig.types(&auth)]
    };
    let kinds = [
        Tls::Required,
        Tls::PlainAllowed,
        Tls::Started(TlsBinding::default()),
        Tls::Started(binding()),
    ];
    let mut different = BTreeSet::new();
    for _ in 0..2 {
        for header in [HEADER, &second] {
            for tls in &kinds {
                let first = said(Arc::new((*shared).clone()), header, tls);
                assert_eq!(said(shared.clone(), header, tls), first);
                different.insert(first);
            }
        }
    }
    assert_eq!(different.len(), 2 * kinds.len());
}

#[test]
fn says_which_bindings_it_knows() {
    let list = |settings: Settings, binding: TlsBinding| {
        let features = Rig::with(settings, Tls::Started(binding)).types(HEADER);
        features
            .split_once("<sasl-channel-binding")
            .map(|(_, rest)| {
                rest.split_once("</sasl-channel-binding>")
                    .unwrap()
                    .0
                    .to_owned()
            })
    };
    assert_eq!(
        list(settings(), super::rig::binding()).as_deref(),
        Some(
            " xmlns='urn:xmpp:sasl-cb:0'><channel-binding type='tls-exporter'/>\
             <channel-binding type='tls-server-end-point'/>"
        )
    );
    assert_eq!(list(settings(), TlsBinding::default()), None);
    let unbound = Settings {
        mechanisms: vec![Mechanism::ScramSha256],
        ..settings()
    };
    assert_eq!(list(unbound, super::rig::binding()), None);
}

#[test]
fn what_is_not_offered_is_refused() {
    let weak = Settings {
        mechanisms: vec![Mechanism::ScramSha256],
        ..settings()
    };
    let table = [
        (
            settings(),
            Tls::Required,
            "PLAIN",
            Failure::EncryptionRequired,
        ),
        (
            settings(),
            Tls::Required,
            "SCRAM-SHA-1",
            Failure::EncryptionRequired,
        ),
        (
            settings(),
            Tls::PlainAllowed,
            "PLAIN",
            Failure::EncryptionRequired,
        ),
        (
            settings(),
            Tls::PlainAllowed,
            "SCRAM-SHA-1-PLUS",
            Failure::InvalidMechanism,
        ),
        (
            weak.clone(),
            Tls::PlainAllowed,
            "SCRAM-SHA-1",
            Failure::MechanismTooWeak,
        ),
        (
            weak,
            Tls::Started(TlsBinding::default()),
            "PLAIN",
            Failure::MechanismTooWeak,
        ),
    ];
    for (settings, tls, mechanism, expected) in table {
        let mut rig = Rig::with(settings, tls.clone());
        rig.types(HEADER);
        assert_eq!(
            rig.types(&auth(mechanism, "")),
            failure(expected),
            "{mechanism} {tls:?}"
        );
    }
}

/// Whoever reads a log must not find a password in it, not even one that still waits to be looked at.
#[test]
fn nothing_secret_is_printed() {
    let mut rig = Rig::in_tls();
    rig.silent = true;
    rig.types(AUTH);
    rig.types(AUTH);
    let shown = format!("{:?} {:?}", rig.negotiation, rig.account);
    assert!(shown.contains("held: 1"), "{shown}");
    for secret in ["pencil", "AGFsaWNlAHBlbmNpbA==", "7, 7, 7"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

/// XEP-0175: where guests are taken, one gets a name of its own without proving anything.
#[test]
fn guests() {
    let mut settings = settings();
    settings.guests = BTreeSet::from(["second.example".to_owned()]);
    let auth = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>";
    let mut rig = Rig::with(settings.clone(), Tls::Started(binding()));
    assert!(!rig.types(HEADER).contains("ANONYMOUS"));
    assert!(rig.types(auth).contains("<invalid-mechanism/>"));
    let header = HEADER.replace("example.org", "second.example");
    for (account, success) in [
        (Account::Active(Credentials::new([])), true),
        (Account::Unavailable, false),
        (Account::Missing, false),
    ] {
        let mut rig = Rig::with(settings.clone(), Tls::Started(binding()));
        assert!(
            rig.types(&header)
                .contains("<mechanism>ANONYMOUS</mechanism>")
        );
        rig.others = account;
        let answer = rig.types(auth);
        assert_eq!(answer.contains("<success"), success, "{answer}");
        let named = rig.authenticated.is_some_and(|name| {
            name.len() == "00000000-0000-4000-8000-000000000000@second.example".len()
        });
        assert_eq!(named, success);
    }
    // What a client says of itself may be 255 characters long.
    for (chars, success) in [(255, true), (256, false)] {
        let mut rig = Rig::with(settings.clone(), Tls::Started(binding()));
        rig.types(&header);
        rig.others = Account::Active(Credentials::new([]));
        let trace = crate::sasl::base64::encode("ä".repeat(chars).as_bytes());
        let auth = auth.replace("/>", &format!(">{trace}</auth>"));
        assert_eq!(rig.types(&auth).contains("<success"), success);
    }
}
