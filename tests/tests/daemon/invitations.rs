//! Invitations, from the command that makes one to the account that comes of it: by the page, by the form, by a client.
//!
//! Length: one test after the other, each a way that an invitation goes.

use serde_json::Value;
use waxwing_dial::Stream;
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
    let long = format!("name=carol&password={}", "x".repeat(17_000));
    for (form, status) in [
        ("", "422"),
        ("name=carol&password=a&again=b", "422"),
        ("name=carol&password=&again=", "422"),
        ("name=a%40b&password=abcdefgh&again=abcdefgh", "422"),
        ("name=carol&password=seven77&again=seven77", "422"),
        ("name=Postmaster&password=abcdefgh&again=abcdefgh", "422"),
        ("name=%ff&password=a&again=a", "400"),
        ("name=%zz", "400"),
        ("name=alice&password=abcdefgh&again=abcdefgh", "409"),
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

/// Whatever gives the account another password ends every link for one.
#[tokio::test]
async fn a_link_for_a_password_is_good_for_the_password_that_was() {
    let built = server("invite-reset-ends");
    let reset = || create(&built, &["--reset", "bob@waxwing.example"]);
    let (first, second) = (reset(), reset());
    expect(&post(&built, token(&first), "", &form("")).await, "200");
    expect(&get(&built, token(&second), "").await, "404");
    expect(&post(&built, token(&second), "", &form("")).await, "404");
    let third = reset();
    let mut bob = available(&built, ("bob", PASSWORD)).await;
    let change = "<iq type='set' id='p'><query xmlns='jabber:iq:register'><username>bob</username><password>yet another one</password></query></iq>";
    say(&mut bob, change).await;
    while next(&mut bob, "iq").await.element().attr("id") != Some("p") {}
    expect(&post(&built, token(&third), "", &form("")).await, "404");
    // What else is changed of an account ends none.
    let fourth = reset();
    done(&built, &["account", "disable", "bob@waxwing.example"]);
    let page = get(&built, token(&fourth), "").await;
    expect(&page, "200");
    assert!(page.contains("switched off"), "{page}");
    let answer = post(&built, token(&fourth), "", &form("")).await;
    expect(&answer, "200");
    assert!(answer.contains("switched off"), "{answer}");
}

#[tokio::test]
async fn a_name_is_kept_no_longer_than_its_invitation() {
    let built = server("invite-name-over");
    let held = create(&built, &["--account", "carol", "--expires", "1s"]);
    let other = create(&built, &[]);
    let over = std::time::Instant::now() + std::time::Duration::from_secs(30);
    // Until its time is over; nothing else says that it is.
    while get(&built, token(&held), "")
        .await
        .starts_with("HTTP/1.1 200 ")
    {
        assert!(std::time::Instant::now() < over);
    }
    expect(
        &post(&built, token(&other), "", &form("carol")).await,
        "200",
    );
    let held = create(&built, &["--account", "dave"]);
    let text = failed(&built, 1, &["invite", "create", "--account", "dave"]);
    assert!(text.contains(held["id"].as_str().unwrap()), "{text}");
}

/// An admin has made the account in another way: there is nothing left to be offered.
#[tokio::test]
async fn a_name_that_was_taken_otherwise_is_not_offered() {
    let built = server("invite-name-taken");
    let made = create(&built, &["--account", "carol"]);
    expect(&get(&built, token(&made), "").await, "200");
    built.add_account("carol", PASSWORD).unwrap();
    expect(&get(&built, token(&made), "").await, "404");
    expect(&post(&built, token(&made), "", &form("")).await, "404");
    let listed = done(&built, &["invite", "list"]);
    assert_eq!(listed["invitations"][0]["good"], false);
}

#[test]
fn what_an_invitation_gives_is_listed() {
    let built = server("invite-listed");
    let words = ["--contact", "alice@waxwing.example", "--role", "admin"];
    let text = |words: &[&str]| {
        let output = built.command([&["invite"], words].concat()).unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let said = "a contact of alice@waxwing.example, with an account as admin";
    let made = text(&[&["create"], &words[..]].concat());
    assert!(made.contains(said), "{made}");
    let listed = text(&["list"]);
    assert!(listed.contains(said), "{listed}");
}

#[test]
fn of_two_invitations_for_one_name_at_a_time_one_is_made() {
    let built = server("invite-same-name");
    let words = ["invite", "create", "--account", "zoe"];
    let ask = || built.command(words).unwrap().status.success();
    let made: Vec<bool> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..6).map(|_| scope.spawn(ask)).collect();
        asking.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(made.iter().filter(|made| **made).count(), 1, "{made:?}");
    let listed = done(&built, &["invite", "list"]);
    assert_eq!(listed["invitations"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn nobody_is_invited_by_who_is_not_there() {
    let built = server("invite-disabled");
    let made = create(&built, &["--contact", "alice@waxwing.example"]);
    expect(&get(&built, token(&made), "").await, "200");
    done(&built, &["account", "disable", "alice@waxwing.example"]);
    expect(&get(&built, token(&made), "").await, "404");
    expect(&post(&built, token(&made), "", &form("carol")).await, "404");
    let listed = done(&built, &["invite", "list"]);
    assert_eq!(listed["invitations"][0]["good"], false);
    done(&built, &["account", "enable", "alice@waxwing.example"]);
    expect(&post(&built, token(&made), "", &form("carol")).await, "200");
    let listed = done(&built, &["invite", "used"]);
    let used = &listed["used"][0];
    assert_eq!(used["id"], made["id"]);
    assert_eq!(used["account"], "carol@waxwing.example");
    assert_eq!(used["creator"], "operator");
}

#[tokio::test]
async fn what_was_not_done_is_not_said() {
    let built = server("invite-blocked");
    let made = create(&built, &["--contact", "alice@waxwing.example"]);
    let mut alice = available(&built, ALICE).await;
    let block = "<iq type='set' id='b'><block xmlns='urn:xmpp:blocking'><item jid='carol@waxwing.example'/></block></iq>";
    say(&mut alice, block).await;
    while next(&mut alice, "iq").await.element().attr("id") != Some("b") {}
    let answer = post(&built, token(&made), "", &form("carol%40Waxwing.example")).await;
    expect(&answer, "200");
    assert!(answer.contains("carol@waxwing.example"), "{answer}");
    assert!(answer.contains("could not be entered"), "{answer}");
    assert!(!answer.contains("is in your list"), "{answer}");
}

#[tokio::test]
async fn every_answer_below_the_pages_is_guarded() {
    let built = server("invite-guards");
    let made = create(&built, &[]);
    let token = token(&made);
    let answer = get(&built, &format!("{token}/"), "").await;
    expect(&answer, "308");
    assert!(
        answer.contains(&format!("location: ../{token}\r\n")),
        "{answer}"
    );
    for (method, path, status) in [
        ("PUT", token.to_owned(), "405"),
        ("DELETE", token.to_owned(), "405"),
        ("GET", format!("{token}/"), "308"),
        ("GET", "%0d%0a/".to_owned(), "404"),
    ] {
        let request = format!(
            "{method} /invite/{path} HTTP/1.1\r\nHost: waxwing.example:5281\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        );
        let answer = ws::ask(&built, true, &request).await;
        expect(&answer, status);
        for header in [
            "referrer-policy: same-origin",
            "cache-control: no-store",
            "x-frame-options: DENY",
        ] {
            assert!(answer.contains(header), "{header} in {answer}");
        }
    }
}

/// Each invitation is made and used before the next, so few are ever open.
#[tokio::test]
async fn a_member_lets_in_so_many_and_no_more() {
    let mut options = BuiltOptions::new("invite-members").account(BOB.0, BOB.1);
    options.config =
        "[options]\ninvite_by_members = \"accounts\"\ninvited_accounts_max = 1\n".to_owned();
    let built = Built::start(options).unwrap();
    let mut bob = available(&built, BOB).await;
    let mut tokens: Vec<String> = Vec::new();
    for id in ["i1", "i2", "i3"] {
        let ask = format!(
            "<iq type='set' id='{id}' to='waxwing.example'><command xmlns='http://jabber.org/protocol/commands' \
             action='execute' node='urn:xmpp:invite#invite'/></iq>"
        );
        if id == "i3" {
            expect(&post(&built, &tokens[0], "", &form("carol")).await, "200");
            let answer = post(&built, &tokens[1], "", &form("dave")).await;
            expect(&answer, "429");
            assert!(answer.contains("as many accounts as they may"), "{answer}");
        }
        say(&mut bob, &ask).await;
        let answer = loop {
            let answer = next(&mut bob, "iq").await.element();
            if answer.attr("id") == Some(id) {
                break answer;
            }
        };
        let text = String::from_utf8(answer.to_bytes("jabber:client").to_vec()).unwrap();
        if id == "i3" {
            assert!(text.contains("resource-constraint"), "{text}");
            break;
        }
        let token = text.split("preauth=").nth(1).unwrap();
        tokens.push(token.chars().take(32).collect::<String>());
    }
    let listed = done(&built, &["invite", "used"]);
    assert_eq!(listed["used"][0]["creator"], "bob@waxwing.example");
}

/// Runs a command (XEP-0050), to its end where a form is filled in; what the server answers.
async fn execute(stream: &mut Stream, node: &str, filled: Option<&str>) -> String {
    let command = |id: &str, more: &str, form: &str| {
        format!(
            "<iq type='set' id='{id}' to='waxwing.example'><command xmlns='http://jabber.org/protocol/commands' \
             node='{node}'{more}>{form}</command></iq>"
        )
    };
    say(stream, &command("begin", "", "")).await;
    let begun = answer(stream, "begin").await;
    let Some(filled) = filled else {
        return begun;
    };
    let run = begun.split("sessionid='").nth(1).unwrap();
    let run = run.split('\'').next().unwrap();
    let form = format!("<x xmlns='jabber:x:data' type='submit'>{filled}</x>");
    say(
        stream,
        &command("end", &format!(" sessionid='{run}'"), &form),
    )
    .await;
    answer(stream, "end").await
}

async fn answer(stream: &mut Stream, id: &str) -> String {
    loop {
        let answer = next(stream, "iq").await.element();
        if answer.attr("id") == Some(id) {
            return String::from_utf8(answer.to_bytes("jabber:client").to_vec()).unwrap();
        }
    }
}

/// The token in an answer.
fn token_in(answer: &str) -> String {
    let token = answer.split("preauth=").nth(1);
    let token = token.unwrap_or_else(|| panic!("no token: {answer}"));
    token.chars().take(32).collect()
}

#[tokio::test]
async fn a_link_for_a_password_ends_when_an_admin_sets_another() {
    let built = server("invite-reset-admin");
    done(
        &built,
        &["account", "set-role", "alice@waxwing.example", "admin"],
    );
    let made = create(&built, &["--reset", "bob@waxwing.example"]);
    expect(&get(&built, token(&made), "").await, "200");
    let mut alice = available(&built, ALICE).await;
    let filled = "<field var='accountjid'><value>bob@waxwing.example</value></field>\
                  <field var='password'><value>one that an admin has set</value></field>";
    let node = "http://jabber.org/protocol/admin#change-user-password";
    let said = execute(&mut alice, node, Some(filled)).await;
    assert!(said.contains("has another password"), "{said}");
    expect(&get(&built, token(&made), "").await, "404");
    expect(&post(&built, token(&made), "", &form("")).await, "404");
    let set = ("bob", "one that an admin has set");
    log_in(&built, set).await.unwrap();
}

/// What somebody gave out as an admin is worth no more than what they may give out now.
#[tokio::test]
async fn invitations_of_a_former_admin_make_no_accounts() {
    let built = server("invite-former-admin");
    let role = async |name: &str| {
        done(
            &built,
            &["account", "set-role", "alice@waxwing.example", name],
        );
    };
    role("admin").await;
    let mut alice = available(&built, ALICE).await;
    let node = "urn:xmpp:invite#create-account";
    let token = token_in(&execute(&mut alice, node, Some("")).await);
    expect(&get(&built, &token, "").await, "200");
    role("member").await;
    expect(&get(&built, &token, "").await, "404");
    expect(&post(&built, &token, "", &form("carol")).await, "404");
    assert!(log_in(&built, ("carol", PASSWORD)).await.is_err());
    let refused = execute(&mut alice, node, None).await;
    assert!(refused.contains("<forbidden"), "{refused}");
    role("admin").await;
    expect(&post(&built, &token, "", &form("carol")).await, "200");
    log_in(&built, ("carol", PASSWORD)).await.unwrap();
}

/// Its page has no form; whoever sends one all the same gets no account.
#[tokio::test]
async fn a_link_to_become_a_contact_makes_no_account() {
    let mut options = BuiltOptions::new("invite-contact-only").account(BOB.0, BOB.1);
    options.config = "[options]\ninvite_by_members = \"contacts\"\n".to_owned();
    let built = Built::start(options).unwrap();
    let mut bob = available(&built, BOB).await;
    let said = execute(&mut bob, "urn:xmpp:invite#invite", None).await;
    assert!(!said.contains("ibr=y"), "{said}");
    let token = token_in(&said);
    let page = get(&built, &token, "").await;
    expect(&page, "200");
    assert!(!page.contains("<form"), "{page}");
    expect(&post(&built, &token, "", &form("carol")).await, "403");
    assert!(log_in(&built, ("carol", PASSWORD)).await.is_err());
    // It is as good as before for what it is for.
    expect(&get(&built, &token, "").await, "200");
}

/// Whom members let in counts as whom anybody lets in; whom the operator invites does not.
#[tokio::test]
async fn members_let_in_as_many_from_a_network_as_may_register_there() {
    let mut options = BuiltOptions::new("invite-members-network").account(BOB.0, BOB.1);
    options.config =
        "[options]\ninvite_by_members = \"accounts\"\nregistrations_per_network_max = 1\n"
            .to_owned();
    let built = Built::start(options).unwrap();
    let mut bob = available(&built, BOB).await;
    let node = "urn:xmpp:invite#invite";
    let first = token_in(&execute(&mut bob, node, None).await);
    let second = token_in(&execute(&mut bob, node, None).await);
    expect(&post(&built, &first, "", &form("carol")).await, "200");
    expect(&post(&built, &second, "", &form("dave")).await, "429");
    assert!(log_in(&built, ("dave", PASSWORD)).await.is_err());
    let made = create(&built, &[]);
    expect(&post(&built, token(&made), "", &form("dave")).await, "200");
    log_in(&built, ("dave", PASSWORD)).await.unwrap();
}
