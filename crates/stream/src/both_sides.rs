//! The client's side of negotiation against the server's: they agree, or part for the right reason.

mod fast;
mod frames;
mod link;
mod random;
mod sasl2;

use self::link::{
    Cut, ITERATIONS, Link, Story, binding, client_settings, credentials, password, server_settings,
};
use crate::StreamCondition;
use crate::client::{self, NegotiationError};
use crate::sasl::{Account, Credentials, Failure, Mechanism, SaslError, TlsBinding};
use crate::server::{self, Tls};
use crate::sm::{Enable, Enabled, Failed, Resume};
use waxwing_stanza::Condition;

/// Only this mechanism, on both sides.
fn only(mechanism: Mechanism) -> (client::Settings, server::Settings) {
    let client = client::Settings {
        mechanisms: vec![mechanism],
        ..client_settings()
    };
    let server = server::Settings {
        mechanisms: vec![mechanism],
        plain_without_tls: true,
        ..server_settings()
    };
    (client, server)
}

fn meet(tls: Tls) -> Story {
    Link::new(client_settings(), server_settings(), tls).run()
}

#[track_caller]
fn assert_bound(story: &Story) {
    assert!(story.client_authenticated, "{story:?}");
    assert!(
        story.client_bound.is_some() && story.client_bound == story.server_bound,
        "{story:?}"
    );
    assert_eq!((&story.client_end, &story.server_end), (&None, &None));
}

#[track_caller]
fn refused(story: &Story, reason: Failure) {
    let expected = NegotiationError::LoginRefused { reason, text: None };
    assert_eq!(story.client_error(), Some(&expected), "{story:?}");
    assert_eq!(story.login_failures, [reason]);
    assert_eq!(story.server_end, Some(None), "the client goes in peace");
}

#[test]
fn agree_on_the_strongest_there_is() {
    for tls in [Tls::Required, Tls::Started(binding())] {
        let story = meet(tls);
        assert_bound(&story);
        assert_eq!(story.mechanism, Some(Mechanism::ScramSha512Plus));
    }
    let story = meet(Tls::Started(TlsBinding::default()));
    assert_bound(&story);
    assert_eq!(story.mechanism, Some(Mechanism::ScramSha512));
    let story = meet(Tls::PlainAllowed);
    assert_bound(&story);
    assert_eq!(story.mechanism, Some(Mechanism::ScramSha512));
}

#[test]
fn every_mechanism_works_however_bytes_are_cut() {
    for mechanism in Mechanism::ALL {
        for cut in [|| Cut::Never, || Cut::Everywhere] {
            for tls in [Tls::Required, Tls::Started(binding())] {
                let (client, server) = only(mechanism);
                let story = Link::new(client, server, tls).cut(cut).run();
                assert_bound(&story);
                assert_eq!(story.mechanism, Some(mechanism));
            }
        }
    }
}

#[test]
fn every_binding_works() {
    let mut exporter = TlsBinding::default();
    exporter.tls_exporter = Some([7; 32]);
    let mut end_point = TlsBinding::default();
    end_point.server_end_point = Some(vec![8; 32]);
    for (clients, servers, works) in [
        (exporter.clone(), exporter.clone(), true),
        (end_point.clone(), end_point.clone(), true),
        (binding(), end_point.clone(), true),
        (binding(), exporter.clone(), true),
        (end_point.clone(), binding(), true),
        (exporter.clone(), binding(), true),
        // No kind in common: only unbound, and only because the server's hash proves its list.
        (end_point.clone(), exporter.clone(), false),
        (exporter, end_point, false),
    ] {
        let mut link = Link::new(client_settings(), server_settings(), Tls::Required);
        (link.client_binding, link.server_binding) = (clients.clone(), servers.clone());
        let story = link.run();
        assert_bound(&story);
        let mechanism = if works {
            Mechanism::ScramSha512Plus
        } else {
            Mechanism::ScramSha512
        };
        assert_eq!(story.mechanism, Some(mechanism), "{clients:?} {servers:?}");
    }
}

/// All of STARTTLS, SCRAM with binding, a resource and stream management, cut in two at every byte.
#[test]
fn a_stream_may_be_cut_at_every_byte() {
    let settings = || client::Settings {
        resource: Some("Balkon ☼".into()),
        ..client_settings()
    };
    let mut whole = Link::new(settings(), server_settings(), Tls::Required);
    let expected = whole.run();
    assert_bound(&expected);
    assert_eq!(
        expected.client_bound.as_ref().map(|jid| jid.as_str()),
        Some("alice@example.org/Balkon ☼")
    );
    assert!(whole.carried() > 1000, "{}", whole.carried());
    for at in 1..whole.carried() {
        let story = Link::new(settings(), server_settings(), Tls::Required)
            .cut_at(at)
            .run();
        assert_eq!(story, expected, "cut at {at}");
    }
}

#[test]
fn a_wrong_password_and_a_missing_account_fare_alike() {
    for mechanism in Mechanism::ALL {
        let wrong = client::Settings {
            password: password("pencils"),
            ..only(mechanism).0
        };
        let missing = client::Settings {
            account: "bob@example.org".parse().unwrap(),
            ..only(mechanism).0
        };
        for client in [wrong, missing] {
            let story = Link::new(client, only(mechanism).1, Tls::Required).run();
            refused(&story, Failure::NotAuthorized);
        }
        // An imported account that has no keys for this hash.
        let mut link = Link::new(only(mechanism).0, only(mechanism).1, Tls::Required);
        link.account = Account::Active(Credentials::default());
        refused(&link.run(), Failure::NotAuthorized);
        for (account, reason) in [
            (Account::Disabled(credentials()), Failure::AccountDisabled),
            (Account::Expired(credentials()), Failure::CredentialsExpired),
            (Account::Unavailable, Failure::TemporaryAuthFailure),
        ] {
            let mut link = Link::new(only(mechanism).0, only(mechanism).1, Tls::Required);
            link.account = account;
            refused(&link.run(), reason);
        }
    }
}

#[test]
fn passwords_are_prepared_on_both_sides() {
    let settings = client::Settings {
        password: password("p\u{AD}en\u{FF43}il"),
        ..client_settings()
    };
    assert_bound(&Link::new(settings, server_settings(), Tls::Required).run());
}

#[test]
fn no_mechanism_in_common_is_no_log_in() {
    let client = only(Mechanism::ScramSha512).0;
    let server = only(Mechanism::ScramSha1).1;
    let story = Link::new(client, server, Tls::Required).run();
    assert_eq!(story.client_error(), Some(&NegotiationError::NoMechanism));
    // PLAIN without TLS is never said, even where the server would listen.
    let (client, server) = only(Mechanism::Plain);
    let story = Link::new(client, server, Tls::PlainAllowed).run();
    assert_eq!(story.client_error(), Some(&NegotiationError::NoMechanism));
    // Nor is it a client's way unless somebody allows it.
    let mut client = client_settings();
    client.mechanisms =
        client::Settings::new(client.account.clone(), password("pencil")).mechanisms;
    let story = Link::new(client, only(Mechanism::Plain).1, Tls::Required).run();
    assert_eq!(story.client_error(), Some(&NegotiationError::NoMechanism));
}

/// Somebody with a certificate of their own sits between.
#[test]
fn another_tls_connection_is_found_out() {
    for mechanism in [
        Mechanism::ScramSha512Plus,
        Mechanism::ScramSha256Plus,
        Mechanism::ScramSha1Plus,
    ] {
        let (client, server) = only(mechanism);
        let mut link = Link::new(client, server, Tls::Required);
        link.client_binding.tls_exporter = Some([9; 32]);
        refused(&link.run(), Failure::NotAuthorized);
    }
    let mut link = Link::new(client_settings(), server_settings(), Tls::Required);
    link.client_binding.tls_exporter = None;
    link.client_binding.server_end_point = Some(vec![9; 32]);
    refused(&link.run(), Failure::NotAuthorized);
}

fn without(text: &str, from: &str, to: &str) -> String {
    let Some((before, rest)) = text.split_once(from) else {
        return text.to_owned();
    };
    let after = rest.split_once(to).map_or(rest, |(_, after)| after);
    without(&format!("{before}{after}"), from, to)
}

fn without_list(text: String) -> String {
    without(&text, "<sasl-channel-binding", "</sasl-channel-binding>")
}

fn without_plus(text: String) -> String {
    let names =
        ["512", "256", "1"].map(|size| format!("<mechanism>SCRAM-SHA-{size}-PLUS</mechanism>"));
    names.iter().fold(text, |text, name| text.replace(name, ""))
}

/// Somebody in the middle changes what the server offers, to make the log-in weaker.
#[test]
fn a_changed_offer_is_found_out() {
    let run = |meddle: fn(String) -> String| {
        Link::new(client_settings(), server_settings(), Tls::Required)
            .meddle(meddle)
            .run()
    };
    let downgraded = Some(NegotiationError::Sasl(SaslError::Downgraded));

    // Bound, but by a weaker hash.
    let story = run(|text| text.replace("<mechanism>SCRAM-SHA-512-PLUS</mechanism>", ""));
    assert_eq!(story.client_error(), downgraded.as_ref());
    assert_eq!(story.login_failures, [Failure::Aborted]);
    // Bound, but by a weaker binding.
    let story = run(|text| text.replace("<channel-binding type='tls-exporter'/>", ""));
    assert_eq!(story.client_error(), downgraded.as_ref());
    // By a binding that nobody knows, so that there is none.
    let story = run(|text| text.replace("type='tls-", "type='x-tls-"));
    assert_eq!(story.client_error(), downgraded.as_ref());
    // The list of bindings without the mechanisms that need it.
    let story = run(without_plus);
    assert_eq!(story.client_error(), downgraded.as_ref());
    // The mechanisms without the list.
    let story = run(without_list);
    assert_eq!(story.client_error(), downgraded.as_ref());
    // Neither: our `y` tells the server.
    let story = run(|text| without_list(without_plus(text)));
    refused(&story, Failure::MalformedRequest);
    // Nothing but the password in the clear, where it is allowed: nobody can find that out.
    let story = run(|text| without(&without_list(text), "<mechanism>SCRAM", "</mechanism>"));
    assert_eq!(story.mechanism, Some(Mechanism::Plain));
}

#[test]
fn tls_cannot_be_taken_away() {
    let run = |meddle: fn(String) -> String| {
        Link::new(client_settings(), server_settings(), Tls::Required)
            .meddle(meddle)
            .run()
    };
    let story = run(|text| without(&text, "<starttls", "</starttls>"));
    assert_eq!(story.client_error(), Some(&NegotiationError::TlsMissing));
    let story = run(|text| text.replace("<proceed ", "<failure "));
    assert_eq!(story.client_error(), Some(&NegotiationError::TlsRefused));
    // Features of the attacker's, said in the clear, must not count inside TLS.
    let story = run(|text| match text.contains("<proceed ") {
        true => format!("{text}<stream:features/>"),
        false => text,
    });
    let Some(NegotiationError::Protocol(error)) = story.client_error() else {
        panic!("{story:?}")
    };
    assert_eq!(error.condition, StreamCondition::PolicyViolation);
    assert_eq!(story.login_failures, []);
}

#[test]
fn a_server_that_cannot_prove_itself_is_left() {
    type Meddler = fn(String) -> String;
    let table: [(Meddler, SaslError); 3] = [
        (
            |text| {
                text.replace(
                    "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>",
                    "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>AAAA",
                )
            },
            SaslError::ServerUnproven,
        ),
        (
            |text| {
                without(&text, "<challenge", "</challenge>")
                    + if text.contains("<challenge") {
                        "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"
                    } else {
                        ""
                    }
            },
            SaslError::ServerUnproven,
        ),
        (
            |text| {
                text.replace(
                    "<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>",
                    "<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>*",
                )
            },
            SaslError::Malformed,
        ),
    ];
    for (meddle, expected) in table {
        let story = Link::new(client_settings(), server_settings(), Tls::Required)
            .meddle(meddle)
            .run();
        assert!(!story.client_authenticated);
        assert_eq!(
            story.client_error(),
            Some(&NegotiationError::Sasl(expected)),
            "{story:?}"
        );
    }
    let careful = client::Settings {
        iterations: ITERATIONS + 1..=100,
        ..client_settings()
    };
    let story = Link::new(careful, server_settings(), Tls::Required).run();
    let few = SaslError::IterationsTooFew(ITERATIONS);
    assert_eq!(story.client_error(), Some(&NegotiationError::Sasl(few)));
    let weak = client::Settings {
        iterations: 0..=ITERATIONS - 1,
        ..client_settings()
    };
    let story = Link::new(weak, server_settings(), Tls::Required).run();
    let many = SaslError::IterationsTooMany(ITERATIONS);
    assert_eq!(story.client_error(), Some(&NegotiationError::Sasl(many)));
}

#[test]
fn binds_the_resource_or_learns_why_not() {
    let mut link = Link::new(client_settings(), server_settings(), Tls::Required);
    link.refuse_bind = Some(Condition::ResourceConstraint.into());
    let story = link.run();
    let Some(NegotiationError::BindRefused(error)) = story.client_error() else {
        panic!("{story:?}")
    };
    assert_eq!(error.condition, Condition::ResourceConstraint);
}

#[test]
fn enables_stream_management_as_wished() {
    let enabled = |enable| {
        let client = client::Settings {
            stream_management: enable,
            ..client_settings()
        };
        let story = Link::new(client, server_settings(), Tls::Required).run();
        assert_bound(&story);
        story.enabled
    };
    let resumable = Enabled {
        id: Some("new".into()),
        resume: true,
        max: Some(600),
        location: None,
    };
    assert_eq!(
        enabled(Some(Enable {
            resume: true,
            max: Some(60)
        })),
        Some(resumable.clone())
    );
    let plain = Enabled {
        id: None,
        resume: false,
        ..resumable
    };
    assert_eq!(
        enabled(Some(Enable {
            resume: false,
            max: None
        })),
        Some(plain)
    );
    assert_eq!(enabled(None), None);
    let mut server = server_settings();
    server.features.clear();
    let story = Link::new(client_settings(), server, Tls::Required).run();
    assert_bound(&story);
    assert_eq!(story.enabled, None, "a server without it");
}

#[test]
fn resumes_a_session_or_binds_a_new_one() {
    let resume = Some(Resume {
        previd: "old".into(),
        h: 3,
    });
    let client = || client::Settings {
        resume: resume.clone(),
        ..client_settings()
    };
    let mut link = Link::new(client(), server_settings(), Tls::Required);
    link.session = Some(("old", 5));
    let story = link.run();
    assert_eq!(
        (story.resumed, &story.client_bound, &story.client_end),
        (Some(5), &None, &None)
    );

    let story = Link::new(client(), server_settings(), Tls::Required).run();
    assert_bound(&story);
    assert_eq!(story.resumed, None);
    assert_eq!(
        story.resume_failed,
        Some(Failed {
            h: Some(9),
            condition: Some(Condition::ItemNotFound)
        })
    );
    assert!(story.enabled.is_some());
}

#[test]
fn the_server_s_errors_reach_the_client() {
    let elsewhere = client::Settings {
        account: "alice@other.example".parse().unwrap(),
        ..client_settings()
    };
    let story = Link::new(elsewhere, server_settings(), Tls::Required).run();
    let Some(NegotiationError::Server(error)) = story.client_error() else {
        panic!("{story:?}")
    };
    assert_eq!(error.condition, StreamCondition::HostUnknown);
    assert_eq!(
        story.server_end.flatten().map(|error| error.condition),
        Some(StreamCondition::HostUnknown)
    );
}
