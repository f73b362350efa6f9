//! What a BOSH client must not do, and what it gets for that.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use waxwing_wire::ns;

use crate::hb::{BEGIN, Bosh, body, exchange, head, post};
use crate::rig::{ALICE, server, soon};

/// XEP-0124 §17.2: `bad-request`.
#[tokio::test]
async fn what_is_no_body_is_refused() {
    let built = server("bosh-bodies");
    let deep = format!("{}{}", "<a>".repeat(70), "</a>".repeat(70));
    let deep = body(&format!("rid='1' {BEGIN}"), &deep);
    let table: [&[u8]; 8] = [
        b"",
        b"rid=1&to=waxwing.example",
        b"<body/>",
        b"<body xmlns='http://jabber.org/protocol/httpbind' to='waxwing.example'/>",
        b"<body xmlns='http://jabber.org/protocol/httpbind' rid='-1' to='waxwing.example'/>",
        b"<!DOCTYPE body [<!ENTITY a 'b'>]><body xmlns='http://jabber.org/protocol/httpbind' rid='1'/>",
        b"<body xmlns='http://jabber.org/protocol/httpbind' rid='1' to='\xff\xfe'/>",
        deep.as_bytes(),
    ];
    for content in table {
        let answer = post(&built, "", content).await;
        assert!(answer.contains("condition='bad-request'"), "{answer}");
    }
    let get = "GET /http-bind HTTP/1.1\r\nHost: waxwing.example\r\nConnection: close\r\n\r\n";
    let answer = crate::ws::ask(&built, false, get).await;
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
}

#[tokio::test]
async fn a_session_needs_its_secret_name() {
    let built = server("bosh-sid");
    let (bosh, _) = Bosh::begin(&built, BEGIN).await;
    for sid in [
        "",
        "0",
        &bosh.sid.to_uppercase().replace(char::is_numeric, "0"),
    ] {
        let content = body(&format!("rid='{}' sid='{sid}'", bosh.rid + 1), "");
        let answer = exchange(&built, content).await;
        assert_eq!(answer.attr("condition"), Some("item-not-found"), "{sid}");
    }
}

/// XEP-0124 §14.2 and §14.3. Who knows the session's name but not its place in it ends it at worst.
#[tokio::test]
async fn a_place_outside_of_the_window_ends_the_session() {
    let built = server("bosh-window");
    for off in [-2_i64, 3, 1_000_000] {
        let (bosh, _) = Bosh::begin(&built, BEGIN).await;
        let rid = bosh.rid.saturating_add_signed(off);
        let answer = exchange(&built, bosh.at(rid, "", "")).await;
        assert_eq!(answer.attr("type"), Some("terminate"), "{off}");
        assert_eq!(answer.attr("condition"), Some("item-not-found"), "{off}");
        let next = exchange(&built, bosh.at(bosh.rid + 1, "", "")).await;
        assert_eq!(next.attr("condition"), Some("item-not-found"), "{off}");
    }
}

#[tokio::test]
async fn who_repeats_or_polls_too_often_is_sent_away() {
    let built = server("bosh-often");
    let (bosh, _) = Bosh::begin(&built, BEGIN).await;
    let mut answers = 0;
    loop {
        let again = exchange(&built, bosh.at(bosh.rid, "", "")).await;
        if again.attr("condition") == Some("policy-violation") {
            break;
        }
        assert!(again.child(ns::STREAMS, "features").is_some(), "{again:?}");
        answers += 1;
    }
    assert_eq!(answers, 16);
    let polling = "to='waxwing.example' wait='0' hold='0' ver='1.6'";
    let (mut bosh, _) = Bosh::begin(&built, polling).await;
    assert_eq!(bosh.say("").await.attr("type"), None);
    assert_eq!(
        bosh.say("").await.attr("condition"),
        Some("policy-violation")
    );
}

/// What ends a stream elsewhere ends it here: the error stands in the response.
#[tokio::test]
async fn a_stream_error_is_told() {
    let built = server("bosh-errors");
    let long = format!("<iq xmlns='jabber:client' id='{}'/>", "x".repeat(17 * 1024));
    for (content, condition) in [
        ("<unknown xmlns='urn:x'/>", "unsupported-stanza-type"),
        (long.as_str(), "policy-violation"),
    ] {
        let (mut bosh, _) = Bosh::begin(&built, BEGIN).await;
        let answer = bosh.say(content).await;
        assert_eq!(answer.attr("condition"), Some("remote-stream-error"));
        let error = answer.child(ns::STREAMS, "error").unwrap();
        assert!(
            error.child(ns::STREAM_ERRORS, condition).is_some(),
            "{error:?}"
        );
    }
    let elsewhere = body(
        "rid='9' to='other.example' wait='50' hold='1' ver='1.6'",
        "",
    );
    let answer = exchange(&built, elsewhere).await;
    let error = answer.child(ns::STREAMS, "error").unwrap();
    assert!(
        error.child(ns::STREAM_ERRORS, "host-unknown").is_some(),
        "{error:?}"
    );
}

/// The lines of an answer's head, as they are read.
fn headers(answer: &str) -> String {
    let (head, _) = answer.split_once("\r\n\r\n").unwrap();
    format!("{head}\r\n").to_ascii_lowercase()
}

/// XEP-0124 §7.1: all responses of a session have the type that it asked for. It cannot become more than a header, and
/// what others have written cannot act as a page.
#[tokio::test]
async fn responses_have_the_type_that_was_asked_for() {
    let built = server("bosh-content");
    let begin = |content: &str| body(&format!("rid='7' {BEGIN} {content}"), "");
    for (content, told) in [
        ("", "text/xml; charset=utf-8"),
        ("content='text/html'", "text/html"),
        (
            "content='text/plain;charset=utf-8'",
            "text/plain;charset=utf-8",
        ),
    ] {
        let answer = post(&built, "", begin(content).as_bytes()).await;
        let line = format!("\r\ncontent-type: {told}\r\n");
        assert!(headers(&answer).contains(&line), "{answer}");
        let sid = answer.split("sid='").nth(1).unwrap();
        let sid = sid.split('\'').next().unwrap();
        for (rid, attributes) in [(8, "pause='5'"), (9, "type='terminate'")] {
            let next = body(&format!("rid='{rid}' sid='{sid}' {attributes}"), "");
            let answer = post(&built, "", next.as_bytes()).await;
            assert!(headers(&answer).contains(&line), "{answer}");
            let sandbox = "\r\ncontent-security-policy: default-src 'none'; sandbox\r\n";
            assert!(headers(&answer).contains(sandbox), "{answer}");
        }
    }
    for content in [
        "content='text/html&#13;&#10;set-cookie: a=b'",
        "content='text/xml; charset=utf-16'",
        "content='image/png'",
        "content=''",
    ] {
        let answer = post(&built, "", begin(content).as_bytes()).await;
        let head = headers(&answer);
        assert!(
            head.contains("\r\ncontent-type: text/xml; charset=utf-8\r\n"),
            "{answer}"
        );
        assert!(!head.contains("set-cookie"), "{answer}");
        assert!(answer.contains("condition='bad-request'"), "{answer}");
    }
}

/// XEP-0124 §17.1: a client older than 1.6, which says no version, is told by the status.
#[tokio::test]
async fn an_old_client_is_told_by_the_status() {
    let built = server("bosh-legacy");
    for (version, status) in [("", "404"), ("ver='1.5'", "200")] {
        let begin = body(
            &format!("rid='7' to='waxwing.example' wait='9' hold='1' {version}"),
            "",
        );
        let answer = post(&built, "", begin.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        let sid = answer.split("sid='").nth(1).unwrap();
        let sid = sid.split('\'').next().unwrap();
        let beyond = body(&format!("rid='100' sid='{sid}'"), "");
        let answer = post(&built, "", beyond.as_bytes()).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
        assert!(answer.contains("condition='item-not-found'"), "{answer}");
    }
}

/// More than a stanza of the greatest size is not read.
#[tokio::test]
async fn a_request_has_its_size() {
    let built = server("bosh-size");
    let mut bosh = Bosh::bound(&built, ALICE).await;
    let message = |length| {
        let text = "x".repeat(length);
        format!(
            "<message xmlns='jabber:client' to='alice@waxwing.example' type='headline'><body>{text}</body></message>"
        )
    };
    let answer = bosh
        .say(&format!(
            "{}<presence xmlns='jabber:client'/>",
            message(255 * 1024)
        ))
        .await;
    assert_eq!(answer.attr("type"), None);
    let content = bosh.next("", &message(261 * 1024));
    let answer = post(&built, "", content.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    // The session is as it was.
    let again = exchange(&built, bosh.at(bosh.rid, "pause='5'", "")).await;
    assert_eq!(again.attr("type"), None);
}

/// A content that does not come holds nothing up, and is given up.
#[tokio::test]
async fn a_slow_request_is_given_up() {
    let built = server("bosh-slow");
    let mut bosh = Bosh::bound(&built, ALICE).await;
    let content = bosh.next("", "");
    let mut slow = crate::ws::tls(&built).await;
    let begun = head(content.len(), "") + &content[..20];
    slow.write_all(begun.as_bytes()).await.unwrap();
    let ping = "<iq xmlns='jabber:client' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>";
    let answer = exchange(&built, bosh.at(bosh.rid, "", ping)).await;
    assert!(answer.child(ns::CLIENT, "iq").is_some(), "{answer:?}");
    let mut answer = String::new();
    soon(slow.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}
