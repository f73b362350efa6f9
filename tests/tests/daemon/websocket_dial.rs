//! The client's own WebSocket (crate `dial`) against the server: RFC 7395 from both sides.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use waxwing_dial::{
    Closed, DialError, Dialer, End, Family, NameError, Place, Resolve, SrvRecord, Stream,
};
use waxwing_tests::Built;

use crate::rig::{
    ALICE, BOB, available, body, next, say, seed, server, settings, settle, soon, trust,
};

/// Knows where the server is.
struct OneName(IpAddr);

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<Vec<T>, NameError>> + Send + 'a>>;

impl Resolve for OneName {
    fn srv<'a>(&'a self, name: &'a str) -> Answer<'a, SrvRecord> {
        panic!("somebody looks up {name}");
    }

    fn addresses<'a>(&'a self, host: &'a str, family: Family) -> Answer<'a, IpAddr> {
        assert_eq!(host, "waxwing.example");
        let found = (family == Family::V4).then_some(vec![self.0]);
        Box::pin(async move { found.ok_or(NameError::Absent) })
    }
}

fn dialer(built: &Built) -> Dialer {
    Dialer::new(Arc::new(OneName(built.ip().into())), trust(built))
}

fn place(scheme: &str, port: u16, path: &str) -> Place {
    let url = format!("{scheme}://waxwing.example:{port}{path}");
    Place::WebSocket { url }
}

/// Inside TLS, and without.
fn both(built: &Built) -> [Place; 2] {
    let path = "/xmpp-websocket";
    [
        place("wss", built.https.port(), path),
        place("ws", built.http.port(), path),
    ]
}

async fn log_in(built: &Built, place: &Place, user: (&str, &str)) -> Result<Stream, DialError> {
    soon(dialer(built).login(settings(user.0, user.1), place, seed())).await
}

#[tokio::test]
async fn messages_go_each_way_and_the_stream_closes() {
    let built = server("websocket-dial");
    let mut bob = available(&built, BOB).await;
    for place in both(&built) {
        let mut alice = log_in(&built, &place, ALICE).await.unwrap();
        say(&mut alice, "<presence/>").await;
        settle(&mut alice).await;
        let long = "y".repeat(100_000);
        say(
            &mut alice,
            &format!("<message to='bob@waxwing.example' type='chat'><body>{long}</body></message>"),
        )
        .await;
        assert_eq!(body(&next(&mut bob, "message").await), long);
        say(
            &mut bob,
            &format!(
                "<message to='{}' type='chat'><body>and back</body></message>",
                alice.jid()
            ),
        )
        .await;
        assert_eq!(body(&next(&mut alice, "message").await), "and back");
        assert_eq!(soon(alice.close()).await, Closed::Clean);
    }
}

/// XEP-0198 §5: what came while the connection was gone comes with the resumed session.
#[tokio::test]
async fn a_session_is_resumed() {
    let built = server("websocket-dial-resume");
    let mut bob = available(&built, BOB).await;
    for place in both(&built) {
        let mut alice = log_in(&built, &place, ALICE).await.unwrap();
        say(&mut alice, "<presence/>").await;
        settle(&mut alice).await;
        let to = alice.jid().clone();
        let session = alice.into_session().unwrap();
        let message = format!("<message to='{to}' type='chat'><body>meanwhile</body></message>");
        say(&mut bob, &message).await;
        settle(&mut bob).await;
        let settings = settings(ALICE.0, ALICE.1);
        let dialer = dialer(&built);
        let resumed = dialer.resume(session, settings, &place, seed());
        let mut alice = soon(resumed).await.unwrap();
        assert!(alice.is_resumed());
        assert_eq!(alice.jid(), &to);
        assert_eq!(body(&next(&mut alice, "message").await), "meanwhile");
        assert_eq!(soon(alice.close()).await, Closed::Clean);
    }
}

#[tokio::test]
async fn what_is_no_websocket_of_xmpp_is_told() {
    let built = server("websocket-dial-other");
    let elsewhere = place("wss", built.https.port(), "/elsewhere");
    let error = log_in(&built, &elsewhere, ALICE).await.unwrap_err();
    assert_eq!(error, DialError::WebSocket(Some(404)));
    let stream = place("ws", built.plain.port(), "/xmpp-websocket");
    let error = log_in(&built, &stream, ALICE).await.unwrap_err();
    assert_eq!(error, DialError::WebSocket(None));
}

/// Whoever is thrown out is told why, in a frame (RFC 7395 §3.5).
#[tokio::test]
async fn an_end_has_its_reason() {
    let built = server("websocket-dial-end");
    let [place, _] = both(&built);
    let mut alice = log_in(&built, &place, ALICE).await.unwrap();
    built.account("disable", ALICE.0).unwrap();
    let end = crate::rig::end(&mut alice).await;
    assert!(matches!(end, End::Server(Some(_))), "{end:?}");
}
