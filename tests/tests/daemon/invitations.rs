//! Invitations, from the command that makes one to the account that comes of it: by the page, by the form, by a client.

use serde_json::Value;
use waxwing_tests::{Built, BuiltOptions};

use crate::rig::{ALICE, BOB, available, done, failed, log_in, next, say, server};
use crate::ws;

const PASSWORD: &str = "a password of carol's";
/// Where the pages of the server's domain are.
const BASE: &str = "https://waxwing.example:5281/invite/";

/// Makes an invitation; what the command says of it.
fn create(built: &Built, more: &[&str]) -> Value {
    done(built, &[&["invite", "create"], more].concat())
}

fn token(made: &Value) -> &str {
    made["token"].as_str().unwrap()
}

async fn get(built: &Built, token: &str, headers: &str) -> String {
    let request = format!(
        "GET /invite/{token} HTTP/1.1\r\nHost: waxwing.example:5281\r\nConnection: close\r\n{headers}\r\n"
    );
    ws::ask(built, true, &request).await
}

/// Sends a form.
async fn post(built: &Built, token: &str, headers: &str, form: &str) -> String {
    let length = form.len();
    let request = format!(
        "POST /invite/{token} HTTP/1.1\r\nHost: waxwing.example:5281\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n{headers}\r\n{form}"
    );
    ws::ask(built, true, &request).await
}

fn form(name: &str) -> String {
    let password = "a+password+of+carol%27s";
    format!("name={name}&password={password}&again={password}")
}

#[track_caller]
fn expect(answer: &str, status: &str) {
    let head = format!("HTTP/1.1 {status} ");
    assert!(answer.starts_with(&head), "{answer}");
}

#[tokio::test]
async fn an_account_is_made_in_a_browser_without_a_script() {
    let built = server("invite-form");
    let made = create(&built, &["--contact", "alice@waxwing.example"]);
    let token = token(&made);
    assert_eq!(made["url"], format!("{BASE}{token}"));
    assert_eq!(
        made["uri"],
        format!("xmpp:alice@waxwing.example?roster;preauth={token};ibr=y")
    );
    let page = get(
        &built,
        token,
        "User-Agent: Mozilla/5.0 (Linux; Android 15)\r\n",
    )
    .await;
    expect(&page, "200");
    let head = page.split("\r\n\r\n").next().unwrap().to_ascii_lowercase();
    for header in [
        "content-type: text/html; charset=utf-8",
        "cache-control: no-store",
        "x-content-type-options: nosniff",
        "referrer-policy: same-origin",
        "content-security-policy: default-src 'none'; style-src 'self'; form-action 'self'",
    ] {
        assert!(head.contains(header), "{header} in {head}");
    }
    for part in [
        "alice@waxwing.example invites you to chat",
        "<svg",
        "<dt class=\"own\">Android</dt>",
        "<form method=\"post\"",
        "href=\"xmpp:alice@waxwing.example?roster;preauth=",
        "href=\"style.css\"",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(!page.contains("<script"));
    let mut alice = available(&built, ALICE).await;
    say(
        &mut alice,
        "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>",
    )
    .await;
    next(&mut alice, "iq").await;
    let answer = post(&built, token, "", &form("Carol")).await;
    expect(&answer, "200");
    assert!(answer.contains("carol@waxwing.example"), "{answer}");
    // Who invited is told at once, as a contact of both directions (XEP-0401).
    let push = next(&mut alice, "iq").await.element();
    let item = push.child("jabber:iq:roster", "query");
    let item = item.and_then(|query| query.children().next()).unwrap();
    assert_eq!(item.attr("jid"), Some("carol@waxwing.example"));
    assert_eq!(item.attr("subscription"), Some("both"));
    log_in(&built, ("carol", PASSWORD)).await.unwrap();
    // It was good once.
    expect(&get(&built, token, "").await, "404");
    expect(&post(&built, token, "", &form("dave")).await, "404");
    assert!(log_in(&built, ("dave", PASSWORD)).await.is_err());
}

#[tokio::test]
async fn a_form_that_cannot_be_used_leaves_the_invitation_good() {
    let built = server("invite-bad-forms");
    let made = create(&built, &[]);
    let token = token(&made);
    let long = format!("name=carol&password={}", "x".repeat(9_000));
    for (form, status) in [
        ("", "422"),
        ("name=carol&password=a&again=b", "422"),
        ("name=carol&password=&again=", "422"),
        ("name=a%40b&password=a&again=a", "422"),
        ("name=%ff&password=a&again=a", "400"),
        ("name=%zz", "400"),
        ("name=alice&password=a&again=a", "409"),
        (long.as_str(), "413"),
    ] {
        let answer = post(&built, token, "", form).await;
        expect(&answer, status);
        assert!(answer.contains("class=\"problem\""), "{answer}");
        // A password that was filled in is not shown again.
        assert!(!answer.contains("xxxx"), "{answer}");
    }
    let answer = post(&built, token, "", "name=%22%3Ecarol&password=a&again=b").await;
    assert!(answer.contains("value=\"&quot;&gt;carol\""), "{answer}");
    let text = "POST /invite/TOKEN HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n";
    let answer = ws::ask(&built, true, &text.replace("TOKEN", token)).await;
    expect(&answer, "415");
    for headers in [
        "Origin: https://evil.example\r\n",
        "Origin: null\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n",
    ] {
        expect(&post(&built, token, headers, &form("carol")).await, "403");
    }
    let headers = "Origin: https://waxwing.example:5281\r\nSec-Fetch-Site: same-origin\r\n";
    expect(&post(&built, token, headers, &form("carol")).await, "200");
    log_in(&built, ("carol", PASSWORD)).await.unwrap();
}

#[tokio::test]
async fn what_is_no_invitation_is_not_found() {
    let built = server("invite-none");
    for token in [
        "",
        "x",
        "0123456789abcdef0123456789abcdef",
        "..%2f..%2fetc",
        "%00",
        "a/b",
    ] {
        expect(&get(&built, token, "").await, "404");
    }
    let style = get(&built, "style.css", "").await;
    expect(&style, "200");
    assert!(style.contains("prefers-color-scheme: dark"), "{style}");
}

#[tokio::test]
async fn of_many_at_a_time_one_uses_it() {
    let built = server("invite-race");
    let made = create(&built, &[]);
    let token = token(&made);
    let names: Vec<String> = (0..8).map(|number| format!("carol{number}")).collect();
    let forms: Vec<String> = names.iter().map(|name| form(name)).collect();
    let posts = forms.iter().map(|form| post(&built, token, "", form));
    let answers = futures_util::future::join_all(posts).await;
    let good: Vec<_> = answers
        .iter()
        .zip(&names)
        .filter(|(answer, _)| answer.starts_with("HTTP/1.1 200 "))
        .collect();
    assert_eq!(good.len(), 1, "{answers:?}");
    for answer in &answers {
        if answer != good[0].0 {
            expect(answer, "404");
        }
    }
    let listed = done(&built, &["account", "list"]);
    let made = listed["accounts"].as_array().unwrap().iter();
    let made = made.filter(|account| account["jid"].as_str().unwrap().starts_with("carol"));
    let made: Vec<_> = made.map(|account| account["jid"].clone()).collect();
    assert_eq!(made, [format!("{}@waxwing.example", good[0].1)]);
}

/// A page has the origin that its address has, whatever a proxy says of the host.
#[tokio::test]
async fn a_form_comes_from_where_its_page_is_said_to_be() {
    let mut options = BuiltOptions::new("invite-origin").account(ALICE.0, ALICE.1);
    options.config = "[options]\ninvite_url = \"https://join.example/x\"\n".to_owned();
    let built = Built::start(options).unwrap();
    let made = create(&built, &[]);
    let token = token(&made);
    assert_eq!(
        made["url"],
        format!("https://join.example/x/invite/{token}")
    );
    for origin in [
        "http://join.example",
        "https://join.example:8443",
        "https://join.example.evil.example",
        "https://join.example/x",
    ] {
        let headers = format!("Origin: {origin}\r\n");
        expect(&post(&built, token, &headers, &form("carol")).await, "403");
    }
    let headers = "Origin: https://join.example\r\n";
    expect(&post(&built, token, headers, &form("carol")).await, "200");
}

#[tokio::test]
async fn so_many_attempts_from_one_network_and_no_more() {
    let mut options = BuiltOptions::new("invite-attempts").account(ALICE.0, ALICE.1);
    options.config = "[options]\ninvited_per_network_max = 2\n".to_owned();
    let built = Built::start(options).unwrap();
    let made = create(&built, &["--uses", "10"]);
    let token = token(&made);
    expect(&post(&built, token, "", &form("alice")).await, "409");
    expect(&post(&built, token, "", &form("carol")).await, "200");
    expect(&post(&built, token, "", &form("dave")).await, "429");
    let listed = done(&built, &["invite", "list"]);
    assert_eq!(listed["invitations"][0]["used"], 1);
}

#[tokio::test]
async fn a_password_is_set_by_a_link_and_devices_need_it() {
    let built = server("invite-reset");
    let made = create(&built, &["--reset", "bob@waxwing.example"]);
    assert_eq!(made["uri"], Value::Null);
    let token = token(&made);
    let page = get(&built, token, "").await;
    expect(&page, "200");
    assert!(
        page.contains("<strong>bob@waxwing.example</strong>"),
        "{page}"
    );
    let mut bob = available(&built, BOB).await;
    let answer = post(&built, token, "", &form("alice")).await;
    expect(&answer, "200");
    crate::rig::end(&mut bob).await;
    assert!(log_in(&built, BOB).await.is_err());
    log_in(&built, ("bob", PASSWORD)).await.unwrap();
    log_in(&built, ALICE).await.unwrap();
    expect(&post(&built, token, "", &form("")).await, "404");
}

/// XEP-0445, where nobody else may make an account.
#[tokio::test]
async fn a_client_shows_the_token_and_registers() {
    let built = server("invite-in-band");
    let made = create(&built, &["--account", "carol"]);
    let token = token(&made);
    let (mut ws, features) = ws::open(&built).await;
    assert!(features.child("urn:xmpp:ibr-token:0", "register").is_some());
    let preauth = |token: &str| {
        format!(
            "<iq xmlns='jabber:client' type='set' id='p' to='waxwing.example'>\
             <preauth xmlns='urn:xmpp:pars:0' token='{token}'/></iq>"
        )
    };
    let register = |name: &str| {
        format!(
            "<iq xmlns='jabber:client' type='set' id='r' to='waxwing.example'><query xmlns='jabber:iq:register'>\
             <username>{name}</username><password>{PASSWORD}</password></query></iq>"
        )
    };
    for (said, kind) in [
        (register("carol"), "error"),
        (preauth("0123456789abcdef0123456789abcdef"), "error"),
        (preauth(token), "result"),
        (register("dave"), "error"),
        (register("carol"), "result"),
        (register("carol"), "error"),
    ] {
        ws.say(&said).await;
        assert_eq!(ws.named("iq").await.attr("type"), Some(kind), "{said}");
    }
    log_in(&built, ("carol", PASSWORD)).await.unwrap();
}

#[tokio::test]
async fn no_token_and_no_password_is_logged_or_stored() {
    let mut options = BuiltOptions::new("invite-leaks").account(ALICE.0, ALICE.1);
    options.log = "trace".to_owned();
    let mut built = Built::start(options).unwrap();
    let used = create(&built, &[]);
    let open = create(&built, &["--account", "erin"]);
    get(&built, token(&used), "").await;
    let password = "password-mark-zz9q";
    let form = format!("name=carol&password={password}&again={password}");
    expect(&post(&built, token(&used), "", &form).await, "200");
    built.stop().unwrap();
    let log = built.log().unwrap();
    let mut places = vec![log.into_bytes()];
    for file in std::fs::read_dir(&built.data_dir).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            places.push(std::fs::read(path).unwrap());
        }
    }
    for secret in [token(&used), token(&open), password] {
        for place in &places {
            let has = place
                .windows(secret.len())
                .any(|part| part == secret.as_bytes());
            assert!(!has, "{secret} stands somewhere");
        }
    }
}

#[test]
fn commands_say_what_they_made_and_what_they_cannot() {
    let built = server("invite-commands");
    let made = create(
        &built,
        &["--account", "Carol", "--role", "admin", "--expires", "24h"],
    );
    assert_eq!(made["account"], "carol@waxwing.example");
    assert_eq!(made["role"], "admin");
    let (created, expires) = (&made["created_micros"], &made["expires_micros"]);
    let secs = (expires.as_u64().unwrap() - created.as_u64().unwrap()) / 1_000_000;
    assert_eq!(secs, 86_400);
    for (words, said) in [
        (&["--account", "carol"][..], "kept for somebody"),
        (&["--account", "alice"], "exists already"),
        (&["--account", "alice@other.example"], "does not serve"),
        (&["--contact", "nobody@waxwing.example"], "no such account"),
        (&["--reset", "nobody@waxwing.example"], "no such account"),
        (&["--expires", "soon"], "is no time"),
        (&["--expires", "400d"], "is no time"),
        (&["--uses", "0"], "is no number from 1"),
        (&["--account", "dave", "--uses", "2"], "is used once"),
    ] {
        let text = failed(&built, 1, &[&["invite", "create"], words].concat());
        assert!(text.contains(said), "{words:?}: {text}");
    }
    let listed = done(&built, &["invite", "list"]);
    let listed = listed["invitations"].as_array().unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["id"], made["id"]);
    assert!(listed[0].get("token").is_none() && listed[0].get("uri").is_none());
    let id = made["id"].as_str().unwrap();
    done(&built, &["invite", "revoke", id]);
    let text = failed(&built, 1, &["invite", "revoke", id]);
    assert!(text.contains("there is no invitation"), "{text}");
    // The name is free again.
    create(&built, &["--account", "carol"]);
    // Who goes takes along what they have given out.
    create(&built, &["--contact", "bob@waxwing.example"]);
    built.account("remove", "bob").unwrap();
    let left = done(&built, &["invite", "list"]);
    assert_eq!(left["invitations"].as_array().unwrap().len(), 1);
}
