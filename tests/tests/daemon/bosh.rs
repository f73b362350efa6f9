//! XEP-0124 and XEP-0206: streams in HTTP requests.

use waxwing_wire::{Element, ns};

use crate::hb::{BEGIN, Bosh, begin, body, exchange, head, post};
use crate::rig::{ALICE, BOB, available, next, say, server, settle, soon};
use crate::ws;

fn text(message: &Element) -> Option<String> {
    message.child(ns::CLIENT, "body").map(Element::text)
}

#[tokio::test]
async fn messages_go_each_way() {
    let built = server("bosh-chat");
    let mut bob = available(&built, BOB).await;
    let (_, first) = Bosh::begin(&built, BEGIN).await;
    assert_eq!(first.attr("from"), Some("waxwing.example"));
    assert_eq!(first.attr("hold"), Some("1"));
    let features = first.child(ns::STREAMS, "features").unwrap();
    let mechanisms = features.child(ns::SASL, "mechanisms").unwrap();
    assert!(
        mechanisms
            .children()
            .any(|name| name.text() == "SCRAM-SHA-256")
    );
    assert!(
        !mechanisms
            .children()
            .any(|name| name.text().ends_with("-PLUS"))
    );
    let mut alice = Bosh::bound(&built, ALICE).await;
    let answer = alice
        .say("<presence xmlns='jabber:client'/><message xmlns='jabber:client' to='bob@waxwing.example' type='chat'><body>over requests</body></message>")
        .await;
    assert!(answer.child(ns::CLIENT, "presence").is_some());
    assert_eq!(
        crate::rig::body(&next(&mut bob, "message").await),
        "over requests"
    );
    say(
        &mut bob,
        "<message to='alice@waxwing.example' type='chat'><body>over a wire</body></message>",
    )
    .await;
    let message = alice.wait_for("message").await;
    assert_eq!(text(&message).as_deref(), Some("over a wire"));
    let end = alice
        .send(
            "type='terminate'",
            "<presence xmlns='jabber:client' type='unavailable'/>",
        )
        .await;
    assert_eq!(
        (end.attr("type"), end.attr("condition")),
        (Some("terminate"), None)
    );
    let gone = alice.say("").await;
    assert_eq!(gone.attr("condition"), Some("item-not-found"));
}

/// A request is held until there is something to say, while another one carries what the client says.
#[tokio::test]
async fn a_held_request_is_answered_when_something_comes() {
    let built = server("bosh-held");
    let mut alice = Bosh::bound(&built, ALICE).await;
    let held = begin(&built, alice.next("", ""));
    let message = "<message xmlns='jabber:client' to='alice@waxwing.example' type='chat'><body>to myself</body></message>";
    let carrying = alice.next("", &format!("<presence xmlns='jabber:client'/>{message}"));
    let carried = begin(&built, carrying);
    let mut answers = vec![soon(held).await.unwrap(), soon(carried).await.unwrap()];
    while !answers
        .iter()
        .any(|answer| answer.child(ns::CLIENT, "message").is_some())
    {
        answers.push(alice.say("").await);
    }
}

/// What a client has not received counts as undelivered, without XEP-0198 too.
#[tokio::test]
async fn a_response_that_got_lost_is_repeated() {
    let built = server("bosh-repeat");
    let mut bob = available(&built, BOB).await;
    let mut alice = Bosh::bound(&built, ALICE).await;
    alice.say("<presence xmlns='jabber:client'/>").await;
    say(
        &mut bob,
        "<message to='alice@waxwing.example' type='chat'><body>once</body></message>",
    )
    .await;
    settle(&mut bob).await;
    let message = alice.wait_for("message").await;
    let again = alice.at(
        alice.rid,
        "",
        "<iq xmlns='jabber:client' type='get' id='never'><ping xmlns='urn:xmpp:ping'/></iq>",
    );
    let repeated = exchange(&built, again).await;
    assert_eq!(repeated.child(ns::CLIENT, "message"), Some(&message));
    assert!(repeated.child(ns::CLIENT, "iq").is_none());
}

/// Requests that overtake each other on the way are worked on in their order.
#[tokio::test]
async fn requests_have_their_order() {
    let built = server("bosh-order");
    let mut alice = Bosh::bound(&built, ALICE).await;
    let ping = |id: &str| {
        format!("<iq xmlns='jabber:client' type='get' id='{id}'><ping xmlns='urn:xmpp:ping'/></iq>")
    };
    let first = alice.next("", &ping("first"));
    let second = begin(&built, alice.next("", &ping("second")));
    let first = exchange(&built, first).await;
    let mut ids = Vec::new();
    for answer in [first, soon(second).await.unwrap()] {
        let answered = answer.children().filter_map(|iq| iq.attr("id"));
        ids.extend(answered.map(str::to_owned));
    }
    assert_eq!(ids, ["first", "second"]);
}

/// XEP-0198 §5, over requests: the session of a client that is gone goes on in another one.
#[tokio::test]
async fn a_session_is_resumed() {
    let built = server("bosh-resume");
    let mut bob = available(&built, BOB).await;
    let mut alice = Bosh::bound(&built, ALICE).await;
    let answer = alice
        .say("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
        .await;
    let enabled = answer.child("urn:xmpp:sm:3", "enabled").unwrap();
    let id = enabled.attr("id").unwrap().to_owned();
    alice.say("<presence xmlns='jabber:client'/>").await;
    say(
        &mut bob,
        "<message to='alice@waxwing.example' type='chat'><body>are you there?</body></message>",
    )
    .await;
    settle(&mut bob).await;
    let mut again = Bosh::log_in(&built, ALICE).await;
    let answer = again
        .say(&format!(
            "<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='1'/>"
        ))
        .await;
    assert!(
        answer.child("urn:xmpp:sm:3", "resumed").is_some(),
        "{answer:?}"
    );
    let message = match answer.child(ns::CLIENT, "message") {
        Some(message) => message.clone(),
        None => again.wait_for("message").await,
    };
    assert_eq!(text(&message).as_deref(), Some("are you there?"));
    let former = alice.say("").await;
    assert_eq!(former.attr("condition"), Some("remote-stream-error"));
    let error = former.child(ns::STREAMS, "error").unwrap();
    assert!(error.child(ns::STREAM_ERRORS, "conflict").is_some());
}

#[tokio::test]
async fn a_server_that_stops_says_so() {
    let built = server("bosh-stop");
    let mut alice = Bosh::bound(&built, ALICE).await;
    // Of two that are alike, one waits when the other was told that it does not any more.
    let content = alice.next("", "");
    let mut one = begin(&built, content.clone());
    let mut other = begin(&built, content);
    let (told, waiting) = tokio::select! {
        told = &mut one => (told.unwrap(), other),
        told = &mut other => (told.unwrap(), one),
    };
    assert_eq!(told.attr("type"), Some("error"));
    built.terminate().unwrap();
    let told = soon(waiting).await.unwrap();
    assert_eq!(told.attr("type"), Some("terminate"));
    let told = told.child(ns::STREAMS, "error").unwrap();
    assert!(told.child(ns::STREAM_ERRORS, "system-shutdown").is_some());
}

/// The same over TLS; a session that began there goes on nowhere else.
#[tokio::test]
async fn a_session_stays_with_its_protection() {
    let built = server("bosh-tls");
    let content = body(&format!("rid='7' {BEGIN}"), "");
    let request = head(content.len(), "") + &content;
    let answer = ws::ask(&built, true, &request).await;
    let (_, first) = answer.split_once("\r\n\r\n").unwrap();
    let sid = Element::parse(first)
        .unwrap()
        .attr("sid")
        .unwrap()
        .to_owned();
    let next = body(&format!("rid='8' sid='{sid}' pause='1'"), "");
    let request = head(next.len(), "") + &next;
    let elsewhere = ws::ask(&built, false, &request).await;
    assert!(
        elsewhere.contains("condition='item-not-found'"),
        "{elsewhere}"
    );
    let answer = ws::ask(&built, true, &request).await;
    let (_, second) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!(
        Element::parse(second).unwrap().attr("type"),
        None,
        "{second}"
    );
}

/// What browsers ask before they let a page of another host post (CORS).
#[tokio::test]
async fn pages_of_other_hosts_need_permission() {
    let mut options = waxwing_tests::BuiltOptions::new("bosh-origin");
    options.config = "[web]\nallowed_origins = [\"https://app.example\"]\n".to_owned();
    let built = waxwing_tests::Built::start(options).unwrap();
    for (origin, allowed) in [
        ("https://app.example", true),
        ("https://evil.example", false),
    ] {
        let preflight = format!(
            "OPTIONS /http-bind HTTP/1.1\r\nHost: waxwing.example\r\nOrigin: {origin}\r\n\
             Access-Control-Request-Method: POST\r\nConnection: close\r\n\r\n"
        );
        let asked = ws::ask(&built, false, &preflight).await;
        let content = body(&format!("rid='7' {BEGIN}"), "");
        let posted = post(&built, &format!("Origin: {origin}\r\n"), content.as_bytes()).await;
        let grant = format!("access-control-allow-origin: {origin}\r\n");
        for (answer, status) in [(asked, "HTTP/1.1 204 "), (posted, "HTTP/1.1 200 ")] {
            let status = if allowed { status } else { "HTTP/1.1 403 " };
            assert!(answer.starts_with(status), "{answer}");
            assert_eq!(answer.contains(&grant), allowed, "{answer}");
        }
    }
    let both = "Origin: https://app.example\r\nOrigin: https://evil.example\r\n";
    let answer = post(&built, both, body("rid='7'", "").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
}

/// Without XEP-0198, what is known to have come through counts as delivered, and nothing else.
#[tokio::test]
async fn an_offline_message_comes_until_it_was_received() {
    let built = server("bosh-offline");
    let mut bob = available(&built, BOB).await;
    say(
        &mut bob,
        "<message to='alice@waxwing.example' type='chat'><body>for later</body></message>",
    )
    .await;
    settle(&mut bob).await;
    let presence = "<presence xmlns='jabber:client'/>";
    let ping = "<iq xmlns='jabber:client' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>";
    for (pings, comes) in [(0, true), (3, true), (3, false)] {
        let mut alice = Bosh::bound(&built, ALICE).await;
        let mut answers = vec![alice.say(presence).await];
        for _ in 0..pings {
            answers.push(alice.say(ping).await);
        }
        let came = |answer: &Element| answer.child(ns::CLIENT, "message").is_some();
        let end = alice.send("type='terminate'", "").await;
        assert_eq!(end.attr("condition"), None);
        answers.push(end);
        assert_eq!(answers.iter().any(came), comes, "{answers:?}");
    }
}
