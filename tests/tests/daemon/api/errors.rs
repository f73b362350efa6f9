//! What programs are answered that ask for what is not there, or in a way that is none.

use serde_json::json;
use waxwing_tests::{Built, BuiltOptions};

use super::client::{Api, ask, send};
use super::{ALL, create};
use crate::rig::{ALICE, log_in, server};

const LIST: &str = "/api/v1/account/list";
const ADD: &str = "/api/v1/account/add";
const DISABLE: &str = "/api/v1/account/disable";

/// By another path to it, or another name, nothing is run.
#[tokio::test]
async fn a_path_is_one_alone() {
    let built = server("api-paths");
    let api = Api::new(&built, &create(&built, "ci", ALL, &[]));
    for path in [
        "/api",
        "/api/",
        "/api/v1",
        "/api/v1/",
        "/api/v1/account",
        "/api/v1/account/list/",
        "/api/v1//account/list",
        "/api/v1/./account/list",
        "/api/v1/x/../account/list",
        "/api/../api/v1/account/list",
        "/api/v1/account/list;x=y",
        "/api/v1/account/list%00",
        "/api/v1/account%2Flist",
        "/api/v1/account%20list",
        "/api/v1/account+list",
        "/api/v1/%61ccount/list",
        "/api/v1/Account/list",
        "/api/v1/account/list.json",
        "/api/v2/account/list",
        "/api/v1/openapi.json",
        // They are run on the machine alone.
        "/api/v1/api-token/list",
        "/api/v1/api-token/create",
        "/api/v1/reload",
        "/api/v1/backup",
    ] {
        api.get(path).await.is_problem(404, "no-such-command");
        let posted = api.post(path, &json!({})).await;
        posted.is_problem(404, "no-such-command");
    }
    for path in ["//api/v1/account/list", "/API/v1/account/list", "/apiv1"] {
        let other = api.get(path).await;
        assert_eq!((other.status, other.content.as_str()), (404, ""), "{path}");
    }
    // With the whole address in it, it is the same request (RFC 9112 §3.2.2).
    let whole = format!("https://waxwing.example:5281{LIST}");
    assert_eq!(api.get(&whole).await.status, 200);
}

#[tokio::test]
async fn a_command_has_one_method() {
    let built = server("api-methods");
    let api = Api::new(&built, &create(&built, "ci", ALL, &[]));
    let bob = b"{\"jid\":\"bob@waxwing.example\"}";
    let json_type = "Content-Type: application/json\r\n";
    for method in [
        "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "LIST", "get",
    ] {
        let answer = api.ask(method, LIST, json_type, b"{}").await;
        answer.is_problem(405, "method-not-allowed");
        assert_eq!(answer.header("allow"), Some("GET, HEAD"), "{method}");
    }
    let with_query = format!("{DISABLE}?jid=bob%40waxwing.example");
    for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"] {
        let answer = api.ask(method, &with_query, "", b"").await;
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("allow"), Some("POST"), "{method}");
    }
    let other = "X-HTTP-Method-Override: POST\r\nX-HTTP-Method: POST\r\n";
    let answer = api.ask("GET", &with_query, other, b"").await;
    answer.is_problem(405, "method-not-allowed");
    let answer = api.post_text(&with_query, "{}").await;
    answer.is_problem(400, "malformed");
    let answer = api.ask("GET", LIST, json_type, bob).await;
    answer.is_problem(400, "malformed");
    let head = api.ask("HEAD", LIST, "", b"").await;
    assert_eq!((head.status, head.content.as_str()), (200, ""));
    // Nothing of it was done.
    log_in(&built, crate::rig::BOB).await.unwrap();
}

/// Pages of other sites cannot even ask: browsers send no token with what they ask first.
#[tokio::test]
async fn no_page_is_let_in() {
    let built = server("api-pages-of-sites");
    let api = Api::new(&built, &create(&built, "ci", ALL, &[]));
    let origin = "Origin: https://evil.example\r\n";
    let preflight = format!(
        "{origin}Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization\r\n"
    );
    let first = ask(&built, "OPTIONS", ADD, &preflight, b"").await;
    first.is_problem(401, "token-needed");
    let answer = api.ask("GET", LIST, origin, b"").await;
    let names = answer.names();
    assert!(!names.iter().any(|name| name.starts_with("access-control")));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'"), "{policy}");
}

#[tokio::test]
async fn a_content_is_one_object_of_json() {
    let built = server("api-contents");
    let api = Api::new(&built, &create(&built, "ci", ALL, &[]));
    let deep = format!("{{\"jid\":{}{}}}", "[".repeat(30_000), "]".repeat(30_000));
    let twice = "{\"jid\":\"alice@waxwing.example\",\"jid\":\"bob@waxwing.example\"}";
    for wrong in [
        "{",
        "[]",
        "null",
        "{}{}",
        "{\"jid\":\"\u{0}\"}",
        twice,
        &deep,
    ] {
        let answer = api.post_text(DISABLE, wrong).await;
        answer.is_problem(400, "malformed");
    }
    let bytes = b"{\"jid\":\"\xff\"}";
    let json_type = "Content-Type: application/json\r\n";
    let answer = api.ask("POST", DISABLE, json_type, bytes).await;
    answer.is_problem(400, "malformed");
    let bob = b"{\"jid\":\"bob@waxwing.example\"}";
    for kind in [
        "",
        "Content-Type: text/plain\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\n",
        "Content-Type: application/json; charset=utf-16\r\n",
        "Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
        "Content-Type: application/json\r\nContent-Type: text/plain\r\n",
    ] {
        let answer = api.ask("POST", DISABLE, kind, bob).await;
        answer.is_problem(415, "not-json");
    }
    let huge = format!("{{\"jid\":\"{}\"}}", "x".repeat(1_000_000));
    api.post_text(DISABLE, &huge)
        .await
        .is_problem(413, "too-large");
    // The same without saying before how long it is.
    let token = &api.token;
    let part = "x".repeat(8_000);
    let mut chunked = format!(
        "POST {DISABLE} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
         {json_type}Transfer-Encoding: chunked\r\n\r\n"
    );
    for _ in 0..20 {
        chunked.push_str(&format!("1f40\r\n{part}\r\n"));
    }
    let answer = send(&built, true, chunked.as_bytes()).await;
    answer.is_problem(413, "too-large");
    log_in(&built, crate::rig::BOB).await.unwrap();
}

#[tokio::test]
async fn arguments_are_what_the_document_says() {
    let built = server("api-arguments");
    let api = Api::new(&built, &create(&built, "ci", ALL, &[]));
    let long = format!("{}@waxwing.example", "x".repeat(3_000));
    let jid = "carol@waxwing.example";
    for (given, argument) in [
        (json!({}), "jid"),
        (json!({ "jid": jid }), "password"),
        (json!({ "jid": null, "password": "p" }), "jid"),
        (json!({ "jid": 1, "password": "p" }), "jid"),
        (json!({ "jid": [jid], "password": "p" }), "jid"),
        (json!({ "jid": { "jid": jid }, "password": "p" }), "jid"),
        (json!({ "jid": "", "password": "p" }), "jid"),
        (json!({ "jid": "waxwing.example", "password": "p" }), "jid"),
        (
            json!({ "jid": "a b@waxwing.example", "password": "p" }),
            "jid",
        ),
        (json!({ "jid": long, "password": "p" }), "jid"),
        (json!({ "jid": jid, "password": 1234 }), "password"),
        (
            json!({ "jid": jid, "password": "p".repeat(1_025) }),
            "password",
        ),
        (
            json!({ "jid": jid, "password": "p", "role": "king" }),
            "role",
        ),
        (
            json!({ "jid": jid, "password": "p", "reuse": "yes" }),
            "reuse",
        ),
        (
            json!({ "jid": jid, "password": "p", "admin": true }),
            "admin",
        ),
        (json!({ "jid": jid, "password": "p", "JID": jid }), "JID"),
    ] {
        let answer = api.post(ADD, &given).await;
        answer.is_problem(422, "invalid-argument");
        assert_eq!(answer.json["argument"], argument, "{given}");
    }
    let left = api.get(LIST).await;
    assert_eq!(left.json["accounts"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_cannot_be_is_told_apart() {
    let built = server("api-refusals");
    let api = Api::new(&built, &create(&built, "ci", ALL, &[]));
    let jid = "carol@waxwing.example";
    for (path, given, status, name) in [
        (ADD, json!({ "jid": jid, "password": "" }), 422, "refused"),
        (
            ADD,
            json!({ "jid": "carol@other.example", "password": "p" }),
            422,
            "refused",
        ),
        (
            ADD,
            json!({ "jid": "alice@waxwing.example", "password": "p" }),
            409,
            "conflict",
        ),
        (DISABLE, json!({ "jid": jid }), 404, "absent"),
        ("/api/v1/invite/revoke", json!({ "id": "0" }), 404, "absent"),
        (
            "/api/v1/invite/create",
            json!({ "uses": 0 }),
            422,
            "invalid-argument",
        ),
        (
            "/api/v1/invite/create",
            json!({ "uses": "1" }),
            422,
            "invalid-argument",
        ),
        (
            "/api/v1/invite/create",
            json!({ "expires": "400d" }),
            422,
            "refused",
        ),
        (
            "/api/v1/announce",
            json!({ "text": " " }),
            422,
            "invalid-argument",
        ),
        (
            "/api/v1/announce",
            json!({ "text": "\u{1}" }),
            422,
            "invalid-argument",
        ),
        (
            "/api/v1/announce",
            json!({ "text": "x".repeat(16_385) }),
            422,
            "invalid-argument",
        ),
    ] {
        let answer = api.post(path, &given).await;
        answer.is_problem(status, name);
    }
}

#[tokio::test]
async fn what_stands_behind_a_question_mark_is_looked_at() {
    let built = server("api-queries");
    let api = Api::new(&built, &create(&built, "ci", ALL, &[]));
    for (query, status, name) in [
        ("?domain=a&domain=b", 400, "malformed"),
        ("?domain=%ff", 400, "malformed"),
        ("?domain=%4", 400, "malformed"),
        ("?disabled=1", 422, "invalid-argument"),
        ("?password=p", 422, "invalid-argument"),
        ("?domain=other.example", 422, "refused"),
    ] {
        let answer = api.get(&format!("{LIST}{query}")).await;
        answer.is_problem(status, name);
    }
}

/// On this machine nobody is on the way; what a proxy has passed on is not from this machine.
#[tokio::test]
async fn nothing_is_done_where_others_can_read() {
    let built = server("api-plain");
    let made = create(&built, "ci", ALL, &[]);
    let token = made["token"].as_str().unwrap();
    let plain = async |headers: &str| {
        let request = format!(
            "GET {LIST} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n{headers}\r\n"
        );
        send(&built, false, request.as_bytes()).await
    };
    assert_eq!(plain("").await.status, 200);
    for headers in [
        "X-Forwarded-For: 192.0.2.1\r\n",
        "Forwarded: for=192.0.2.1\r\n",
        "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n",
    ] {
        let answer = plain(headers).await;
        answer.is_problem(403, "tls-needed");
    }
}

#[tokio::test]
async fn requests_with_one_token_are_limited() {
    let mut options = BuiltOptions::new("api-requests").account(ALICE.0, ALICE.1);
    options.config = "[options]\napi_requests_per_token_max = 3\n".to_owned();
    let built = Built::start(options).unwrap();
    let api = Api::new(&built, &create(&built, "ci", ALL, &[]));
    let other = Api::new(&built, &create(&built, "other", ALL, &[]));
    let mut statuses = Vec::new();
    for _ in 0..5 {
        let answer = api.get(LIST).await;
        statuses.push(answer.status);
        if answer.status == 429 {
            answer.is_problem(429, "too-many-requests");
            assert_eq!(answer.header("retry-after"), Some("20"));
        }
    }
    assert_eq!(statuses[..3], [200; 3]);
    assert!(statuses.contains(&429), "{statuses:?}");
    assert_eq!(other.get(LIST).await.status, 200);
    let metrics = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let metrics = send(&built, false, metrics.as_bytes()).await.content;
    assert!(metrics.contains("waxwing_limits_hit_total{limit=\"api_requests\"}"));
}
