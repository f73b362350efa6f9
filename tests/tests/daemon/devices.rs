//! Devices that log in by what they were given: SASL2, Bind 2 and tokens, over real TLS (XEP-0388, XEP-0386, XEP-0484).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use waxwing_dial::{Closed, DialError, Learned, Place, Security, Stream};
use waxwing_stanza::payload::Secret;
use waxwing_stanza::xep::xep_0388_sasl2::UserAgent;
use waxwing_stream::client::{FastToken, KnownOffer, NegotiationError, Sasl2, Settings};
use waxwing_stream::sasl::{Failure, Mechanism};
use waxwing_tests::Built;

use crate::rig::{ALICE, at, dialer, done, failed, seed, server, settings, settle, soon, starttls};

const PHONE: &str = "d4565fa7-4d72-4749-b3d3-740edbf87770";

fn sasl2(token: Option<FastToken>, known_offer: Option<KnownOffer>) -> Settings {
    let agent = UserAgent {
        id: Some(PHONE.to_owned()),
        software: Some("Example".to_owned()),
        device: None,
    };
    Settings {
        sasl2: Some(Sasl2 {
            token,
            known_offer,
            ..Sasl2::new(agent)
        }),
        ..settings(ALICE.0, ALICE.1)
    }
}

async fn log_in(
    built: &Built,
    place: &Place,
    settings: Settings,
) -> Result<(Stream, Learned), DialError> {
    let mut stream = soon(dialer(built).login(settings, place, seed())).await?;
    settle(&mut stream).await;
    let learned = stream.take_learned();
    Ok((stream, learned))
}

/// The token, for this log-in.
fn counted(token: &FastToken, count: u32) -> Option<FastToken> {
    Some(FastToken {
        count,
        ..token.clone()
    })
}

fn places(built: &Built) -> [Place; 2] {
    [starttls(built), at(built.c2s_tls, Security::DirectTls)]
}

#[tokio::test]
async fn a_token_bound_to_tls_is_good_for_the_next_log_ins_and_for_each_once() {
    let built = server("daemon-tokens");
    for place in places(&built) {
        let (first, learned) = log_in(&built, &place, sasl2(None, None)).await.unwrap();
        let token = learned.token.expect("a token was asked for");
        assert_eq!(token.mechanism, Mechanism::HtSha256Expr);
        let offer = learned.offer.expect("something was offered");
        let metadata = |bound: &waxwing_wire::Element| bound.name() == "metadata";
        assert!(learned.bound.iter().any(metadata), "{:?}", learned.bound);
        let jid = first.jid().clone();
        assert_eq!(soon(first.close()).await, Closed::Clean);
        // Without waiting for the features, as they are known.
        let again = sasl2(counted(&token, 1), Some(offer.clone()));
        let (again, learned) = log_in(&built, &place, again).await.unwrap();
        assert_eq!(learned.token_refused, None);
        assert!(learned.offer.is_none() && learned.token.is_none());
        assert_eq!(again.jid(), &jid, "the same client has the same address");
        assert_eq!(soon(again.close()).await, Closed::Clean);
        // The password is there where a token is not taken.
        let replayed = sasl2(counted(&token, 1), Some(offer));
        let (replayed, learned) = log_in(&built, &place, replayed).await.unwrap();
        assert_eq!(learned.token_refused, Some(Failure::NotAuthorized));
        assert!(
            learned
                .token
                .is_some_and(|other| other.token != token.token)
        );
        assert_eq!(soon(replayed.close()).await, Closed::Clean);
    }
}

#[tokio::test]
async fn a_token_made_up_is_refused_and_the_password_with_it() {
    let built = server("daemon-tokens-made-up");
    let (stream, learned) = log_in(&built, &starttls(&built), sasl2(None, None))
        .await
        .unwrap();
    assert_eq!(soon(stream.close()).await, Closed::Clean);
    let token = FastToken {
        token: Secret("made up".to_owned()),
        ..learned.token.unwrap()
    };
    let mut guess = sasl2(counted(&token, 9), None);
    guess.password = settings(ALICE.0, "a guess").password;
    let refused = log_in(&built, &starttls(&built), guess).await.map(drop);
    let is_refused = |error: &DialError| {
        matches!(
            error,
            DialError::Stream(NegotiationError::LoginRefused {
                reason: Failure::NotAuthorized,
                ..
            })
        )
    };
    assert!(refused.as_ref().is_err_and(is_refused), "{refused:?}");
}

fn holds(dir: &Path, what: &[u8]) -> bool {
    let files = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path());
    let files = files.filter(|path| path.is_file() && !path.ends_with("token-keys"));
    let found = |path: &Path| {
        let content = fs::read(path).unwrap();
        content.windows(what.len()).any(|window| window == what)
    };
    files.into_iter().any(|path| found(&path))
}

#[tokio::test]
async fn the_key_of_tokens_is_a_file_of_its_own() {
    let mut built = server("daemon-token-keys");
    let place = starttls(&built);
    let (_, learned) = log_in(&built, &place, sasl2(None, None)).await.unwrap();
    let token = learned.token.unwrap();
    let path = built.data_dir.join("token-keys");
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(!holds(&built.data_dir, token.token.0.as_bytes()));
    // It is looked for in the right place, unless a database has all of it.
    if built.data_dir.join("waxwing.db").exists() {
        assert!(holds(&built.data_dir, PHONE.as_bytes()));
    }
    // A new key before the old one: both are good.
    let keys = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{}\n{keys}", "5a".repeat(32))).unwrap();
    let said = done(&built, &["reload"]);
    assert_eq!(said["changed"], serde_json::json!(["token-keys"]));
    let (_, learned) = log_in(&built, &place, sasl2(counted(&token, 1), None))
        .await
        .unwrap();
    assert_eq!(learned.token_refused, None);
    // What cannot be read changes nothing.
    fs::write(&path, "no key").unwrap();
    let said = failed(&built, 1, &["reload"]);
    assert!(
        said.contains("token-keys:1: a key is 64 hexadecimal digits"),
        "{said}"
    );
    let (_, learned) = log_in(&built, &place, sasl2(counted(&token, 2), None))
        .await
        .unwrap();
    assert_eq!(learned.token_refused, None);
    // Whoever has the database alone has nothing; passwords are as before.
    built.stop().unwrap();
    fs::remove_file(&path).unwrap();
    built.restart().unwrap();
    let (_, learned) = log_in(&built, &starttls(&built), sasl2(counted(&token, 3), None))
        .await
        .unwrap();
    assert_eq!(learned.token_refused, Some(Failure::NotAuthorized));
    let other = learned.token.unwrap();
    let (_, learned) = log_in(&built, &starttls(&built), sasl2(counted(&other, 1), None))
        .await
        .unwrap();
    assert_eq!(learned.token_refused, None);
    assert_eq!(Mechanism::HtSha256Expr, other.mechanism);
}
