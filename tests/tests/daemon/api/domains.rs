//! Tokens for one domain: nothing of another, nothing of the server, and nobody who may do more.

use serde_json::{Value, json};
use waxwing_tests::{Built, BuiltOptions};

use super::client::Api;
use super::{ALL, create};
use crate::rig::{ALICE, BOB, done};

/// A server of two domains, with an operator, and accounts at both.
fn two(name: &str) -> Built {
    let mut options = BuiltOptions::new(name)
        .account(ALICE.0, ALICE.1)
        .account(BOB.0, BOB.1);
    options.other_domains = vec!["other.example".to_owned()];
    let built = Built::start(options).unwrap();
    let words = [
        "account",
        "add",
        "erin@other.example",
        "--password",
        "a password",
    ];
    done(&built, &words);
    done(
        &built,
        &["account", "set-role", "bob@waxwing.example", "operator"],
    );
    built
}

#[tokio::test]
async fn a_token_for_a_domain_reaches_no_other() {
    let built = two("api-domains");
    let made = create(&built, "ci", ALL, &["--domain", "waxwing.example"]);
    let api = Api::new(&built, &made);
    let erin = "erin@other.example";
    for (path, given) in [
        (
            "account/add",
            json!({ "jid": "x@other.example", "password": "p" }),
        ),
        ("account/remove", json!({ "jid": erin })),
        ("account/disable", json!({ "jid": erin })),
        ("account/passwd", json!({ "jid": erin, "password": "p" })),
        ("account/set-role", json!({ "jid": erin, "role": "admin" })),
        ("session/end", json!({ "jid": erin })),
        ("session/end", json!({ "jid": "erin@other.example/x" })),
        ("session/end", json!({ "jid": "other.example" })),
        (
            "announce",
            json!({ "text": "x", "domain": "other.example" }),
        ),
        (
            "motd/set",
            json!({ "text": "x", "domain": "other.example" }),
        ),
        ("welcome/clear", json!({ "domain": "other.example" })),
        ("invite/create", json!({ "domain": "other.example" })),
        ("invite/create", json!({ "account": "x@other.example" })),
        ("invite/create", json!({ "contact": erin })),
        ("invite/create", json!({ "reset": erin })),
    ] {
        let answer = api.post(&format!("/api/v1/{path}"), &given).await;
        answer.is_problem(403, "other-domain");
    }
    for path in [
        "account/list?domain=other.example",
        "account/list?domain=",
        "session/list?domain=other.example",
        "session/list?jid=erin%40other.example",
        "push/list?jid=erin%40other.example",
        "account/roster?jid=erin%40other.example",
        "motd/show?domain=other.example",
        "status?domain=other.example",
        "invite/list?domain=other.example",
    ] {
        let answer = api.get(&format!("/api/v1/{path}")).await;
        answer.is_problem(403, "other-domain");
    }
    // What names no domain is about the own one.
    let listed = api.get("/api/v1/account/list").await;
    let listed = listed.json["accounts"].as_array().unwrap().clone();
    let jids: Vec<&Value> = listed.iter().map(|one| &one["jid"]).collect();
    assert_eq!(jids, ["alice@waxwing.example", "bob@waxwing.example"]);
    let named = api.get("/api/v1/account/list?domain=Waxwing.Example").await;
    assert_eq!(named.status, 200);
    assert_eq!(api.get("/api/v1/status").await.json["accounts"], 2);
    let made = api.post("/api/v1/invite/create", &json!({})).await;
    assert_eq!(made.json["domain"], "waxwing.example");
    // An invitation of another domain is not there.
    let other = done(&built, &["invite", "create", "--domain", "other.example"]);
    let listed = api.get("/api/v1/invite/list").await;
    assert_eq!(listed.json["invitations"].as_array().unwrap().len(), 1);
    let id = json!({ "id": other["id"] });
    let revoked = api.post("/api/v1/invite/revoke", &id).await;
    revoked.is_problem(404, "absent");
    let both = done(&built, &["invite", "list"]);
    assert_eq!(both["invitations"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_token_for_a_domain_makes_no_operator_and_touches_none() {
    let built = two("api-operators");
    let made = create(&built, "ci", ALL, &["--domain", "waxwing.example"]);
    let api = Api::new(&built, &made);
    let (alice, bob) = ("alice@waxwing.example", "bob@waxwing.example");
    for (path, given) in [
        (
            "account/set-role",
            json!({ "jid": alice, "role": "operator" }),
        ),
        (
            "account/add",
            json!({ "jid": "x@waxwing.example", "password": "p", "role": "operator" }),
        ),
        ("invite/create", json!({ "role": "operator" })),
        ("account/passwd", json!({ "jid": bob, "password": "p" })),
        ("account/set-role", json!({ "jid": bob, "role": "member" })),
        ("account/disable", json!({ "jid": bob })),
        ("account/remove", json!({ "jid": "BOB@waxwing.example" })),
        ("session/end", json!({ "jid": bob })),
        ("session/end", json!({ "jid": "bob@waxwing.example/x" })),
        ("invite/create", json!({ "reset": bob })),
        ("shutdown", json!({})),
    ] {
        let answer = api.post(&format!("/api/v1/{path}"), &given).await;
        answer.is_problem(403, "forbidden");
    }
    let admin = json!({ "jid": alice, "role": "admin" });
    let answer = api.post("/api/v1/account/set-role", &admin).await;
    assert_eq!(answer.status, 200);
    // One for the server does.
    let all = Api::new(&built, &create(&built, "all", ALL, &[]));
    let member = json!({ "jid": bob, "role": "member" });
    let answer = all.post("/api/v1/account/set-role", &member).await;
    assert_eq!(answer.status, 200);
}
