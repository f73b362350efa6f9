//! Figures for operators, as a program reads them.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;

use waxwing_tests::Built;

use crate::rig::{ALICE, BOB, available, body, log_in, next, say, server, settle};
use crate::ws;

/// Every figure with its labels.
pub(crate) fn figures(built: &Built) -> BTreeMap<String, f64> {
    let mut socket = TcpStream::connect(built.http).unwrap();
    let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let lines = text.lines().filter(|line| line.starts_with("waxwing_"));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}

#[tokio::test]
async fn what_happens_is_counted() {
    let built = server("daemon-metrics");
    let before = figures(&built);
    assert_eq!(before["waxwing_sessions"], 0.0);
    let mut alice = available(&built, ALICE).await;
    let mut bob = available(&built, BOB).await;
    log_in(&built, (ALICE.0, "a wrong one")).await.unwrap_err();
    let message = "<message to='bob@waxwing.example' type='chat'><body>hi</body></message>";
    say(&mut alice, message).await;
    assert_eq!(body(&next(&mut bob, "message").await), "hi");
    settle(&mut bob).await;
    let after = figures(&built);
    let grown = |name: &str| after[name] - before[name];
    for (name, by) in [
        ("waxwing_logins_total{result=\"success\"}", 2.0),
        ("waxwing_logins_total{result=\"not-authorized\"}", 1.0),
        (
            "waxwing_stanzas_total{kind=\"message\",direction=\"in\"}",
            1.0,
        ),
        (
            "waxwing_stanzas_total{kind=\"message\",direction=\"out\"}",
            1.0,
        ),
        (
            "waxwing_stanzas_total{kind=\"presence\",direction=\"in\"}",
            2.0,
        ),
        (
            "waxwing_streams{transport=\"starttls\",state=\"bound\"}",
            2.0,
        ),
        ("waxwing_streams{transport=\"bosh\",state=\"bound\"}", 0.0),
        ("waxwing_sessions", 2.0),
        ("waxwing_limits_hit_total{limit=\"stored\"}", 0.0),
    ] {
        assert_eq!(grown(name), by, "{name}");
    }
    // The message was made durable, and that was measured.
    assert!(grown("waxwing_commit_seconds_count") >= 1.0);
    assert!(grown("waxwing_store_batches_total") >= 1.0);
    assert!(grown("waxwing_store_group_batches_count") >= 1.0);
    assert!(after.contains_key("waxwing_store_queue_batches"));
}

#[tokio::test]
async fn limits_are_counted_where_they_are_met() {
    let built = server("daemon-metrics-limits");
    let mut alice = available(&built, ALICE).await;
    let before = figures(&built);
    let large = "x".repeat(200_000);
    let vcard = format!(
        "<iq type='set' id='v'><vCard xmlns='vcard-temp'><NOTE>{large}</NOTE></vCard></iq>"
    );
    say(&mut alice, &vcard).await;
    assert_eq!(
        next(&mut alice, "iq").await.kind().as_deref(),
        Some("error")
    );
    let huge = "x".repeat(300_000);
    say(
        &mut alice,
        &format!("<message><body>{huge}</body></message>"),
    )
    .await;
    crate::rig::end(&mut alice).await;
    let after = figures(&built);
    for (name, by) in [
        ("waxwing_limits_hit_total{limit=\"stored\"}", 1.0),
        ("waxwing_limits_hit_total{limit=\"element_size\"}", 1.0),
        (
            "waxwing_stream_errors_total{condition=\"policy-violation\"}",
            1.0,
        ),
    ] {
        assert_eq!(after[name] - before[name], by, "{name}");
    }
}

/// What waits is seen while it waits: three messages, and the presence of the one who gets them.
#[tokio::test]
async fn queues_are_as_deep_as_they_are() {
    const UNACKNOWLEDGED: &str = "waxwing_queue_unacknowledged_stanzas";
    let built = server("daemon-metrics-queues");
    let mut alice = ws::bound(&built, ALICE).await;
    let mut bob = ws::bound(&built, BOB).await;
    bob.say("<enable xmlns='urn:xmpp:sm:3'/>").await;
    while bob.next().await.name() != "enabled" {}
    bob.say("<presence xmlns='jabber:client'/>").await;
    bob.named("presence").await;
    for _ in 0..3 {
        alice
            .say("<message xmlns='jabber:client' to='bob@waxwing.example' type='chat'><body>hi</body></message>")
            .await;
        bob.named("message").await;
    }
    let waiting = figures(&built);
    assert_eq!(waiting[UNACKNOWLEDGED], 4.0);
    assert_eq!(waiting["waxwing_queue_out_bytes"], 0.0);
    assert!(waiting.contains_key("waxwing_queue_in_stanzas"));
    // What is behind it is answered when it was read.
    bob.say("<a xmlns='urn:xmpp:sm:3' h='4'/>").await;
    bob.say("<r xmlns='urn:xmpp:sm:3'/>").await;
    while bob.next().await.name() != "a" {}
    assert_eq!(figures(&built)[UNACKNOWLEDGED], 0.0);
}
