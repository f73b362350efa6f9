//! Log-in over every transport, and what it refuses.

use std::sync::Arc;
use waxwing_dial::{
    Blame, CertificateProblem, Closed, DialError, Dialer, Place, Security, Stream, Trust,
};
use waxwing_stream::client::{NegotiationError, Settings};
use waxwing_stream::sasl::{Failure, Mechanism, SaslError};
use waxwing_tests::{Built, BuiltOptions};

use crate::relay;
use crate::rig::{
    ALICE, NoNames, at, dialer, log_in, seed, server, settings, settle, soon, starttls, tls_client,
    trust,
};

async fn try_by(dialer: &Dialer, place: &Place, mechanism: Mechanism) -> Result<Stream, DialError> {
    let settings = Settings {
        mechanisms: vec![mechanism],
        ..settings(ALICE.0, ALICE.1)
    };
    soon(dialer.login(settings, place, seed())).await
}

async fn works(stream: Result<Stream, DialError>) {
    let mut stream = stream.unwrap();
    assert!(stream.jid().as_str().starts_with("alice@waxwing.example/"));
    settle(&mut stream).await;
    assert_eq!(stream.close().await, Closed::Clean);
}

const ALL: [Mechanism; 4] = [
    Mechanism::ScramSha256Plus,
    Mechanism::ScramSha256,
    Mechanism::ScramSha1Plus,
    Mechanism::ScramSha1,
];

#[tokio::test]
async fn every_mechanism_over_starttls_and_direct_tls() {
    let built = server("daemon-login");
    let dialer = dialer(&built);
    for place in [starttls(&built), at(built.c2s_tls, Security::DirectTls)] {
        for mechanism in ALL {
            works(try_by(&dialer, &place, mechanism).await).await;
        }
    }
    works(log_in(&built, ALICE).await).await;
}

#[tokio::test]
async fn loopback_needs_no_tls_where_both_sides_say_so() {
    let built = server("daemon-plain");
    let plain = at(built.plain, Security::Plain);
    works(try_by(&dialer(&built), &plain, Mechanism::ScramSha256).await).await;
    // The same socket, by somebody who insists on TLS.
    let wanted = at(built.plain, Security::StartTls);
    let refused = try_by(&dialer(&built), &wanted, Mechanism::ScramSha256).await;
    assert_eq!(refused.map(drop), Err(NegotiationError::TlsMissing.into()));
}

/// TLS 1.2 gives no exporter that is safe to bind to: `tls-server-end-point` is left.
#[tokio::test]
async fn tls_1_2_binds_by_the_certificate() {
    let built = server("daemon-tls12");
    let config = tls_client(&built.authority, &[&rustls::version::TLS12]);
    let trust = Trust::with_config(config);
    let dialer = Dialer::new(Arc::new(NoNames), trust);
    works(try_by(&dialer, &starttls(&built), Mechanism::ScramSha256Plus).await).await;
    // A relay with the same certificate is no other end point by this kind.
    let (tls_12, tls_13) = (&rustls::version::TLS12, &rustls::version::TLS13);
    let place = at(
        relay::tls(&built, tls_12, tls_12).await,
        Security::DirectTls,
    );
    works(try_by(&dialer, &place, Mechanism::ScramSha256Plus).await).await;
    // One that speaks another version beyond is found out, whatever the mechanism binds to (XEP-0515).
    let place = at(
        relay::tls(&built, tls_12, tls_13).await,
        Security::DirectTls,
    );
    for mechanism in [Mechanism::ScramSha256Plus, Mechanism::ScramSha256] {
        let found_out = try_by(&dialer, &place, mechanism).await.map(drop);
        let error = NegotiationError::Sasl(SaslError::OtherTls);
        assert_eq!(found_out, Err(error.into()));
    }
}

/// Who stands between with the server's own certificate and key is found out by `tls-exporter`.
#[tokio::test]
async fn tls_1_3_binds_by_the_connection() {
    let built = server("daemon-exporter");
    let tls_13 = &rustls::version::TLS13;
    let relay = relay::tls(&built, tls_13, tls_13).await;
    let place = at(relay, Security::DirectTls);
    let bound = try_by(&dialer(&built), &place, Mechanism::ScramSha256Plus).await;
    assert_eq!(refusal(bound), Failure::NotAuthorized);
    // The relay does carry streams; it is the binding that is refused.
    works(try_by(&dialer(&built), &place, Mechanism::ScramSha256).await).await;
}

pub(crate) fn refusal(outcome: Result<Stream, DialError>) -> Failure {
    match outcome {
        Err(DialError::Stream(NegotiationError::LoginRefused { reason, .. })) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_wrong_password_and_a_missing_account_look_the_same() {
    let built = server("daemon-refused");
    for user in [(ALICE.0, "a wrong password"), ("nobody", ALICE.1)] {
        for mechanism in ALL {
            let settings = Settings {
                mechanisms: vec![mechanism],
                ..settings(user.0, user.1)
            };
            let (dialer, place) = (dialer(&built), starttls(&built));
            let outcome = soon(dialer.login(settings, &place, seed())).await;
            let error = outcome.as_ref().unwrap_err();
            assert_eq!(error.blame(), Blame::Caller);
            assert_eq!(refusal(outcome), Failure::NotAuthorized);
        }
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let mut options = BuiltOptions::new("daemon-name").account(ALICE.0, ALICE.1);
    options.certificate = "other.example".to_owned();
    let built = Built::start(options).unwrap();
    for place in [starttls(&built), at(built.c2s_tls, Security::DirectTls)] {
        let refused = try_by(&dialer(&built), &place, Mechanism::ScramSha256).await;
        let error = CertificateProblem::OtherName.into();
        assert_eq!(refused.map(drop), Err(error));
    }
}

#[tokio::test]
async fn an_authority_that_nobody_trusts_is_refused() {
    let (built, other) = (server("daemon-authority"), server("daemon-other"));
    let dialer = Dialer::new(Arc::new(NoNames), trust(&other));
    for place in [starttls(&built), at(built.c2s_tls, Security::DirectTls)] {
        let refused = try_by(&dialer, &place, Mechanism::ScramSha256).await;
        let error = CertificateProblem::UnknownAuthority.into();
        assert_eq!(refused.map(drop), Err(error));
    }
}
