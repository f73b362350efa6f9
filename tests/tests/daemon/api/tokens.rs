//! Tokens: what none, a wrong one, an old one and one for something else can do.

use std::time::Duration;

use serde_json::json;
use waxwing_tests::{Built, BuiltOptions};

use super::client::{Api, ask};
use super::{ALL, create};
use crate::rig::{ALICE, BOB, done, failed, log_in, server, soon};

const LIST: &str = "/api/v1/account/list";

#[tokio::test]
async fn without_a_token_there_is_nothing() {
    let built = server("api-off");
    let elsewhere = ask(&built, "GET", "/nothing", "", b"").await;
    for (method, path) in [
        ("GET", "/api/openapi.json"),
        ("GET", LIST),
        ("POST", "/api/v1/account/add"),
        ("OPTIONS", "/api"),
    ] {
        let header = "Authorization: Bearer waxwing_0123456789abcdef_0\r\n";
        for header in ["", header] {
            let answer = ask(&built, method, path, header, b"").await;
            assert_eq!((answer.status, answer.content.as_str()), (404, ""));
            assert_eq!(answer.names(), elsewhere.names());
        }
    }
    let made = create(&built, "ci", "accounts:read", &[]);
    let api = Api::new(&built, &made);
    assert_eq!(api.get(LIST).await.status, 200);
    done(&built, &["api-token", "revoke", "ci"]);
    // And again nobody learns that there was one.
    let answer = api.get(LIST).await;
    assert_eq!((answer.status, answer.content.as_str()), (404, ""));
}

#[tokio::test]
async fn who_shows_no_token_or_a_wrong_one_learns_nothing() {
    let built = server("api-wrong-tokens");
    let made = create(&built, "ci", ALL, &[]);
    let token = made["token"].as_str().unwrap();
    for (method, path) in [
        ("GET", LIST),
        ("PUT", "/api/v1/nothing"),
        ("GET", "/api/openapi.json"),
    ] {
        let answer = ask(&built, method, path, "", b"").await;
        answer.is_problem(401, "token-needed");
        let challenge = answer.header("www-authenticate");
        assert_eq!(challenge, Some("Bearer realm=\"waxwing\""));
        let in_query = format!("{path}?access_token={token}");
        let answer = ask(&built, method, &in_query, "", b"").await;
        answer.is_problem(401, "token-needed");
    }
    let id = &token[..24];
    for wrong in [
        "Authorization: \r\n".to_owned(),
        "Authorization: Bearer\r\n".to_owned(),
        format!("Authorization: {token}\r\n"),
        format!("Authorization: Basic {token}\r\n"),
        format!("Authorization: Bearer {}\r\n", token.to_uppercase()),
        format!("Authorization: Bearer {token}0\r\n"),
        format!("Authorization: Bearer {}\r\n", &token[..token.len() - 1]),
        format!("Authorization: Bearer {id}_{}\r\n", "0".repeat(64)),
        format!(
            "Authorization: Bearer waxwing_{}{}\r\n",
            "0".repeat(16),
            &token[24..]
        ),
        format!("Authorization: Bearer \"{token}\"\r\n"),
        format!("Authorization: Bearer {token}\r\nAuthorization: Bearer {token}\r\n"),
    ] {
        let answer = ask(&built, "GET", LIST, &wrong, b"").await;
        answer.is_problem(401, "invalid-token");
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    }
    let lower = format!("Authorization: bearer {token}\r\n");
    assert_eq!(ask(&built, "GET", LIST, &lower, b"").await.status, 200);
}

#[tokio::test]
async fn a_token_is_good_for_what_it_says() {
    let built = server("api-scopes");
    let api = Api::new(&built, &create(&built, "ci", "accounts:read", &[]));
    let bob = json!({ "jid": "bob@waxwing.example" });
    for (path, scope) in [
        ("/api/v1/account/disable", "accounts:write"),
        ("/api/v1/account/remove", "accounts:write"),
        ("/api/v1/session/end", "sessions:write"),
        ("/api/v1/announce", "announcements:write"),
    ] {
        let answer = api.post(path, &bob).await;
        answer.is_problem(403, "insufficient-scope");
        assert_eq!(answer.json["scope"], scope);
        let challenge = answer.header("www-authenticate").unwrap();
        let wanted = format!("error=\"insufficient_scope\", scope=\"{scope}\"");
        assert!(challenge.contains(&wanted), "{challenge}");
    }
    let answer = api.get("/api/v1/session/list").await;
    answer.is_problem(403, "insufficient-scope");
    // Who may change may not read by that.
    let writer = Api::new(&built, &create(&built, "writer", "accounts:write", &[]));
    let answer = writer.get(LIST).await;
    answer.is_problem(403, "insufficient-scope");
    log_in(&built, BOB).await.unwrap();
}

#[tokio::test]
async fn a_token_ends() {
    let mut built = server("api-ends");
    let keeps = create(&built, "keeps", "accounts:read", &[]);
    let ends = create(&built, "ends", "accounts:read", &["--expires", "2s"]);
    let revoked = create(&built, "revoked", "accounts:read", &[]);
    let (keeps, ends) = (
        Api::new(&built, &keeps).token,
        Api::new(&built, &ends).token,
    );
    let revoked = Api::new(&built, &revoked).token;
    let get = async |built: &Built, token: &String| {
        let token = token.clone();
        Api { built, token }.get(LIST).await
    };
    assert_eq!(get(&built, &revoked).await.status, 200);
    done(&built, &["api-token", "revoke", "revoked"]);
    get(&built, &revoked).await.is_problem(401, "invalid-token");
    // One of the same name is another.
    create(&built, "revoked", "accounts:read", &[]);
    get(&built, &revoked).await.is_problem(401, "invalid-token");
    soon(async {
        while get(&built, &ends).await.status == 200 {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    })
    .await;
    get(&built, &ends).await.is_problem(401, "invalid-token");
    built.restart().unwrap();
    assert_eq!(get(&built, &keeps).await.status, 200);
    get(&built, &revoked).await.is_problem(401, "invalid-token");
    // With the last good one the API goes.
    done(&built, &["api-token", "revoke", "keeps"]);
    done(&built, &["api-token", "revoke", "revoked"]);
    assert_eq!(get(&built, &ends).await.status, 404);
    let listed = done(&built, &["api-token", "list"]);
    assert_eq!(listed["tokens"][0]["name"], "ends");
    assert_eq!(listed["tokens"][0]["expired"], true);
}

#[tokio::test]
async fn guessing_is_slowed_down_and_log_ins_are_not() {
    let mut options = BuiltOptions::new("api-guesses").account(ALICE.0, ALICE.1);
    options.config =
        "[options]\nlogin_failures_per_network_max = 3\nlog_failed_logins = true\n".to_owned();
    let built = Built::start(options).unwrap();
    let api = Api::new(&built, &create(&built, "ci", ALL, &[]));
    let wrong = Api {
        built: &built,
        token: format!("waxwing_{}_{}", "0".repeat(16), "0".repeat(64)),
    };
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(wrong.get(LIST).await.status);
    }
    assert_eq!(statuses[..3], [401; 3]);
    assert!(statuses.contains(&429), "{statuses:?}");
    // Even the right one is not looked at meanwhile, or it would be found by going on.
    let answer = api.get(LIST).await;
    answer.is_problem(429, "too-many-failures");
    assert_eq!(answer.header("retry-after"), Some("100"));
    log_in(&built, ALICE).await.unwrap();
    let log = built.log().unwrap();
    let line = "WARN an API token was refused peer=127.";
    assert!(log.contains(line), "{log}");
}

#[tokio::test]
async fn no_token_and_no_password_is_logged_or_stored() {
    let mut options = BuiltOptions::new("api-leaks").account(ALICE.0, ALICE.1);
    options.log = "trace".to_owned();
    let mut built = Built::start(options).unwrap();
    let made = create(&built, "ci", ALL, &[]);
    let api = Api::new(&built, &made);
    let password = "password-mark-zz9q";
    let carol = json!({ "jid": "carol@waxwing.example", "password": password });
    let answer = api.post("/api/v1/account/add", &carol).await;
    assert_eq!(answer.status, 200);
    let again = api.post("/api/v1/account/add", &carol).await;
    assert!(!again.content.contains(password));
    let unknown = json!({ "jid": "a@waxwing.example", "password": 1, "passwort": password });
    let answer = api.post("/api/v1/account/add", &unknown).await;
    assert!(!answer.content.contains(password));
    let listed = done(&built, &["api-token", "list"]);
    assert!(listed["tokens"][0]["used_micros"].is_u64(), "{listed}");
    assert!(!listed.to_string().contains(&api.token));
    let secret = api.token[25..].to_owned();
    built.stop().unwrap();
    let mut places = vec![built.log().unwrap().into_bytes()];
    for file in std::fs::read_dir(&built.data_dir).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            places.push(std::fs::read(path).unwrap());
        }
    }
    for secret in [secret.as_str(), password] {
        for place in &places {
            let mut parts = place.windows(secret.len());
            assert!(!parts.any(|part| part == secret.as_bytes()), "{secret}");
        }
    }
}

#[test]
fn commands_say_what_they_made_and_what_they_cannot() {
    let built = server("api-token-commands");
    let made = create(
        &built,
        "ci",
        "accounts:read,invites:write",
        &["--domain", "Waxwing.Example"],
    );
    assert_eq!(made["scopes"], json!(["accounts:read", "invites:write"]));
    assert_eq!(made["domain"], "waxwing.example");
    for (words, said) in [
        (&["ci", "--scope", "accounts:read"][..], "already"),
        (&["two words", "--scope", "accounts:read"], "a token's name"),
        (&["", "--scope", "accounts:read"], "a token's name"),
        (
            &["x", "--scope", "everything"],
            "there are accounts:read, accounts:write,",
        ),
        (
            &["x", "--scope", "accounts:read", "--domain", "other.example"],
            "does not serve",
        ),
        (
            &["x", "--scope", "accounts:read", "--expires", "soon"],
            "is no time",
        ),
        (
            &["x", "--scope", "accounts:read", "--expires", "0d"],
            "is no time",
        ),
    ] {
        let text = failed(&built, 1, &[&["api-token", "create"], words].concat());
        assert!(text.contains(said), "{words:?}: {text}");
    }
    failed(&built, 2, &["api-token", "create", "x"]);
    let listed = done(&built, &["api-token", "list"]);
    assert_eq!(listed["tokens"].as_array().unwrap().len(), 1);
    let text = failed(&built, 1, &["api-token", "revoke", "other"]);
    assert!(text.contains("there is no token"), "{text}");
    assert_eq!(done(&built, &["status"])["accounts"], 2);
    assert_eq!(done(&built, &["session", "list"])["sessions"], json!([]));
    assert_eq!(done(&built, &["announce", "hello"])["sessions"], 0);
}
