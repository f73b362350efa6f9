//! RFC 7395 over the HTTPS port, and how clients find it (XEP-0156).

use futures_util::SinkExt;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use waxwing_tests::{Built, BuiltOptions};
use waxwing_wire::{Element, ns};

use crate::rig::{ALICE, BOB, available, body, next, say, server, settle, soon};
use crate::ws::{self, CLOSE, OPEN};

fn mechanisms(features: &Element) -> Vec<String> {
    let list = features.child(ns::SASL, "mechanisms").unwrap();
    list.children().map(Element::text).collect()
}

/// RFC 7395 §3.3 to §3.6.
#[tokio::test]
async fn messages_go_each_way() {
    let built = server("websocket-chat");
    let mut bob = available(&built, BOB).await;
    let (_, features) = ws::open(&built).await;
    let offered = mechanisms(&features);
    assert!(offered.iter().any(|name| name == "SCRAM-SHA-256"));
    // TLS may end in a proxy: there is nothing to bind to.
    assert!(!offered.iter().any(|name| name.ends_with("-PLUS")));
    let mut alice = ws::bound(&built, ALICE).await;
    alice.say("<presence xmlns='jabber:client'/>").await;
    alice
        .say("<c:message xmlns:c='jabber:client' to='bob@waxwing.example' type='chat'><c:body>over a web</c:body><plain/></c:message>")
        .await;
    let got = next(&mut bob, "message").await;
    assert_eq!(body(&got), "over a web");
    assert!(got.has_child("", "plain"), "{got:?}");
    // Bob's client writes no namespace on TCP: the server declares it for the frame, and no more.
    let payload = "<body>over a wire</body><x xmlns='urn:x' b = \"1\"  a='2'/>";
    say(
        &mut bob,
        &format!("<message to='alice@waxwing.example' type='chat'>{payload}</message>"),
    )
    .await;
    loop {
        let text = alice.text().await;
        let element = Element::parse(&text).unwrap();
        assert_eq!(element.ns(), ns::CLIENT, "{text}");
        if element.name() == "message" {
            assert!(text.contains(payload), "{text}");
            break;
        }
    }
    alice.say(CLOSE).await;
    assert_eq!(alice.end().await, (None, Some(1000)));
}

/// RFC 7395 §3.6: a socket that is gone is no `<close/>`; the session waits (XEP-0198 §5).
#[tokio::test]
async fn a_cut_session_is_resumed() {
    let built = server("websocket-resume");
    let mut bob = available(&built, BOB).await;
    let mut alice = ws::bound(&built, ALICE).await;
    alice
        .say("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")
        .await;
    let enabled = alice.next().await;
    assert_eq!(enabled.name(), "enabled");
    let id = enabled.attr("id").unwrap().to_owned();
    alice.say("<presence xmlns='jabber:client'/>").await;
    while alice.named("presence").await.attr("type").is_some() {}
    drop(alice);
    say(
        &mut bob,
        "<message to='alice@waxwing.example' type='chat'><body>are you there?</body></message>",
    )
    .await;
    settle(&mut bob).await;
    let (mut alice, _) = ws::log_in(&built, ALICE).await;
    alice
        .say(&format!(
            "<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='1'/>"
        ))
        .await;
    assert_eq!(alice.next().await.name(), "resumed");
    let message = alice.named("message").await;
    let text = message.child(ns::CLIENT, "body").map(Element::text);
    assert_eq!(text.as_deref(), Some("are you there?"));
}

/// RFC 6455 §5.4 and §5.5: pieces of a message are one message, with pings in between.
#[tokio::test]
async fn fragments_are_joined() {
    let built = server("websocket-fragments");
    let mut ws = ws::new(&built).await;
    let (head, tail) = OPEN.split_at(20);
    let piece = |text: &str, kind, last| {
        Message::Frame(Frame::message(
            text.as_bytes().to_vec(),
            OpCode::Data(kind),
            last,
        ))
    };
    for message in [
        piece(head, Data::Text, false),
        Message::Ping("are you there?".into()),
        piece(tail, Data::Continue, true),
    ] {
        soon(ws.0.send(message)).await.unwrap();
    }
    let pong = ws.message().await;
    assert_eq!(pong, Some(Message::Pong("are you there?".into())));
    assert_eq!(ws.next().await.name(), "open");
    assert_eq!(ws.next().await.name(), "features");
}

#[tokio::test]
async fn a_server_that_stops_says_so() {
    let built = server("websocket-stop");
    let mut bound = ws::bound(&built, ALICE).await;
    let (mut unbound, _) = ws::open(&built).await;
    built.terminate().unwrap();
    let said = (Some("system-shutdown".to_owned()), Some(1001));
    assert_eq!(bound.end().await, said);
    assert_eq!(unbound.end().await, said);
}

fn get(path: &str, host: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
}

async fn find(built: &Built, over_tls: bool, host: &str) -> [String; 2] {
    let xml = get("/.well-known/host-meta", host);
    let json = get("/.well-known/host-meta.json", host);
    let both = [
        ws::ask(built, over_tls, &xml).await,
        ws::ask(built, over_tls, &json).await,
    ];
    for answer in &both {
        let head = answer.to_ascii_lowercase();
        assert!(
            head.contains("access-control-allow-origin: *\r\n"),
            "{answer}"
        );
    }
    both
}

fn assert_linked(answers: &[String; 2], url: &str) {
    let [xml, json] = answers;
    let document = xml.split_once("?>\n").unwrap().1;
    let xrd = Element::parse(document.trim_end()).unwrap();
    let links: Vec<_> = xrd
        .children()
        .map(|link| (link.attr("rel").unwrap(), link.attr("href").unwrap()))
        .collect();
    assert!(
        links.contains(&("urn:xmpp:alt-connections:websocket", url)),
        "{xml}"
    );
    let bosh = url.replacen("ws", "http", 1);
    let bosh = bosh.replace("/xmpp-websocket", "/http-bind");
    assert!(
        links.contains(&("urn:xmpp:alt-connections:xbosh", &bosh)),
        "{xml}"
    );
    for url in [url, &bosh] {
        assert!(json.contains(&format!("\"href\":\"{url}\"")), "{json}");
    }
}

/// XEP-0156 §3 and §4.
#[tokio::test]
async fn host_meta_links_what_is_served() {
    let built = server("host-meta");
    let port = built.https.port();
    assert_linked(
        &find(&built, true, "waxwing.example").await,
        &format!("wss://waxwing.example:{port}/xmpp-websocket"),
    );
    assert_linked(
        &find(&built, false, &built.http.to_string()).await,
        &format!("ws://{}/xmpp-websocket", built.http),
    );
    // Asked through a proxy that nobody has told us of.
    for answer in find(&built, false, "chat.waxwing.example").await {
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    }
    let mut options = BuiltOptions::new("host-meta-public");
    options.config = "[web]\npublic_url = \"https://chat.waxwing.example/\"\n".to_owned();
    let built = Built::start(options).unwrap();
    assert_linked(
        &find(&built, false, "chat.waxwing.example").await,
        "wss://chat.waxwing.example/xmpp-websocket",
    );
}

/// RFC 6455 §10.2: which pages may connect.
#[tokio::test]
async fn pages_of_other_hosts_need_permission() {
    let mut options = BuiltOptions::new("websocket-origin");
    options.config = "[web]\nallowed_origins = [\"https://app.example\"]\n".to_owned();
    let built = Built::start(options).unwrap();
    for (origin, allowed) in [
        ("https://waxwing.example", true),
        ("https://waxwing.example:8443", true),
        ("https://app.example", true),
        ("https://app.example:8443", false),
        ("http://app.example", false),
        ("https://evil.example", false),
        ("https://waxwing.example.evil.example", false),
        ("chrome-extension://waxwing.example", false),
        ("null", false),
    ] {
        let headers = [("sec-websocket-protocol", "xmpp"), ("origin", origin)];
        let connected = ws::connect(&built, &headers).await;
        assert_eq!(connected.is_ok(), allowed, "{origin}");
        if let Err(error) = connected {
            assert!(error.to_string().contains("403"), "{error}");
        }
    }
}
