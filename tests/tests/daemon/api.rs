//! The HTTP API, from the command that makes a token to what programs are answered: every command of the document, and
//! pages of lists.

mod client;
mod domains;
mod errors;
mod tokens;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use waxwing_tests::Built;

use crate::rig::{ALICE, BOB, available, body, done, end, log_in, next, say, server};
use client::{Api, admits};

/// Makes a token; what the command says of it.
fn create(built: &Built, name: &str, scopes: &str, more: &[&str]) -> Value {
    let words = ["api-token", "create", name, "--scope", scopes];
    done(built, &[&words, more].concat())
}

/// All that tokens can be good for.
const ALL: &str = "accounts:read,accounts:write,announcements:read,announcements:write,invites:read,invites:write,\
                   push:read,reports:read,reports:write,server:write,sessions:read,sessions:write,status:read";

/// Asks by one token, and notes which commands were run with success.
struct Tried<'b> {
    api: Api<'b>,
    document: Value,
    paths: BTreeSet<String>,
}

impl Tried<'_> {
    /// Runs a command that has to go well; its answer is such as the document says.
    async fn run(&mut self, method: &str, path: &str, given: &Value) -> Value {
        let full = format!("/api/v1/{path}");
        let answer = match method {
            "get" => {
                let pairs = given.as_object().unwrap().iter();
                let pairs = pairs.map(|(name, value)| {
                    let text = value.as_str().map_or(value.to_string(), str::to_owned);
                    format!("{name}={}", text.replace('@', "%40"))
                });
                let query = pairs.collect::<Vec<_>>().join("&");
                self.api.get(&format!("{full}?{query}")).await
            }
            _ => self.api.post(&full, given).await,
        };
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let operation = &self.document["paths"][&full][method];
        let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
        assert!(admits(schema, &answer.json), "{path}: {answer:?}");
        self.paths.insert(full);
        answer.json
    }
}

async fn of_accounts(tried: &mut Tried<'_>) {
    let built = tried.api.built;
    let carol = json!({ "jid": "carol@waxwing.example" });
    let with_password = |password: &str| json!({ "jid": carol["jid"], "password": password });
    tried
        .run("post", "account/add", &with_password("a password"))
        .await;
    log_in(built, ("carol", "a password")).await.unwrap();
    let role = json!({ "jid": carol["jid"], "role": "restricted" });
    tried.run("post", "account/set-role", &role).await;
    tried
        .run("post", "account/passwd", &with_password("another password"))
        .await;
    log_in(built, ("carol", "another password")).await.unwrap();
    tried.run("post", "account/disable", &carol).await;
    let listed = json!({ "domain": "waxwing.example", "disabled": true });
    let listed = tried.run("get", "account/list", &listed).await;
    assert_eq!(listed["accounts"][0]["jid"], carol["jid"]);
    assert_eq!(listed["accounts"].as_array().unwrap().len(), 1);
    tried.run("post", "account/enable", &carol).await;
    let shown = tried.run("get", "account/show", &carol).await;
    assert_eq!(
        (&shown["role"], &shown["resources"], &shown["contacts"]),
        (&json!("restricted"), &json!([]), &json!(0))
    );
    assert!(shown["left_micros"].is_null(), "{shown}");
    tried.run("post", "account/remove", &carol).await;
    assert!(log_in(built, ("carol", "another password")).await.is_err());
    tried
        .run(
            "get",
            "push/list",
            &json!({ "jid": "alice@waxwing.example" }),
        )
        .await;
}

async fn of_sessions(tried: &mut Tried<'_>) {
    let built = tried.api.built;
    let mut alice = available(built, ALICE).await;
    let counts = tried.run("get", "status", &json!({})).await;
    assert_eq!(
        (&counts["accounts"], &counts["online"]),
        (&json!(2), &json!(1))
    );
    let bobs = json!({ "jid": "bob@waxwing.example" });
    let bobs = tried.run("get", "session/list", &bobs).await;
    assert_eq!(bobs["sessions"], json!([]));
    let all = tried.run("get", "session/list", &json!({})).await;
    let own = all["sessions"][0]["jid"].as_str().unwrap().to_owned();
    assert!(own.starts_with("alice@waxwing.example/"), "{own}");
    let told = json!({ "text": "back at <noon>" });
    let told = tried.run("post", "announce", &told).await;
    assert_eq!(told["sessions"], 1);
    assert_eq!(body(&next(&mut alice, "message").await), "back at <noon>");
    let ended = tried
        .run("post", "session/end", &json!({ "jid": own }))
        .await;
    assert_eq!(ended["ended"], 1);
    end(&mut alice).await;
}

async fn of_invitations(tried: &mut Tried<'_>) {
    let invitation = json!({ "account": "erin", "uses": 1, "expires": "24h", "role": "admin" });
    let made = tried.run("post", "invite/create", &invitation).await;
    assert!(made["url"].as_str().unwrap().contains("/invite/"), "{made}");
    let listed = tried.run("get", "invite/list", &json!({})).await;
    assert_eq!(listed["invitations"][0]["id"], made["id"]);
    let id = json!({ "id": made["id"] });
    tried.run("post", "invite/revoke", &id).await;
    let used = tried.run("get", "invite/used", &json!({})).await;
    assert_eq!(used["used"], json!([]));
}

async fn of_reports(tried: &mut Tried<'_>) {
    let mut bob = available(tried.api.built, BOB).await;
    say(
        &mut bob,
        "<iq type='set' id='b'><block xmlns='urn:xmpp:blocking'><item jid='romeo@example.net'>\
         <report xmlns='urn:xmpp:reporting:1' reason='urn:xmpp:reporting:spam'>\
         <stanza-id xmlns='urn:xmpp:sid:0' by='bob@waxwing.example' id='7'/></report></item>\
         <item jid='tybalt@example.net'><report xmlns='urn:xmpp:reporting:1' reason='urn:xmpp:reporting:abuse'/></item>\
         <item jid='paris@example.net'><report xmlns='urn:xmpp:reporting:1' reason=''/></item></block></iq>",
    )
    .await;
    next(&mut bob, "iq").await;
    // One a page; the one without a reason is none.
    let first = tried
        .run("get", "report/list", &json!({ "limit": 1 }))
        .await;
    assert_eq!(first["reports"].as_array().unwrap().len(), 1);
    let rest = json!({ "limit": 1, "cursor": first["next"] });
    let second = tried.run("get", "report/list", &rest).await;
    assert_eq!(second["next"], json!(null));
    let both = [&first, &second].map(|page| page["reports"][0].clone());
    let of = |jid: &str| {
        both.iter()
            .find(|report| report["reported"] == jid)
            .unwrap()
    };
    tried
        .run(
            "post",
            "report/dismiss",
            &json!({ "id": of("tybalt@example.net")["id"] }),
        )
        .await;
    let id = json!({ "id": of("romeo@example.net")["id"] });
    let shown = tried.run("get", "report/show", &id).await;
    assert_eq!(shown["messages"][0]["id"], "7");
    // Whoever looks after another domain finds none.
    let elsewhere = json!({ "id": id["id"], "domain": "other.example" });
    let dismissed = tried.api.post("/api/v1/report/dismiss", &elsewhere).await;
    dismissed.is_problem(404, "absent");
    tried.run("post", "report/dismiss", &id).await;
    let listed = tried.run("get", "report/list", &json!({})).await;
    assert_eq!(listed["reports"], json!([]));
}

async fn of_notices(tried: &mut Tried<'_>) {
    let bob = json!({ "jid": "bob@waxwing.example" });
    let roster = tried.run("get", "account/roster", &bob).await;
    assert_eq!(roster["contacts"], json!([]));
    for (name, commands) in [
        ("motd", &["set", "edit", "clear"][..]),
        ("welcome", &["set", "clear"]),
    ] {
        for command in commands {
            let given = match *command {
                "clear" => json!({}),
                _ => json!({ "text": "hello", "domain": "waxwing.example" }),
            };
            tried
                .run("post", &format!("{name}/{command}"), &given)
                .await;
        }
        let shown = tried.run("get", &format!("{name}/show"), &json!({})).await;
        assert!(shown["text"].is_null(), "{shown}");
    }
}

/// Last of all; it is still far away.
async fn of_the_end(tried: &mut Tried<'_>) {
    let far = json!({ "delay": "24h", "text": "tomorrow" });
    let told = tried.run("post", "shutdown", &far).await;
    assert_eq!(told["delay_secs"], 86_400);
    let again = tried.api.post("/api/v1/shutdown", &json!({})).await;
    again.is_problem(409, "conflict");
}

#[tokio::test]
async fn every_command_is_run_as_the_document_says() {
    let built = server("api-commands");
    let made = create(&built, "ci", ALL, &["--expires", "30d"]);
    let api = Api::new(&built, &made);
    let document = api.get("/api/openapi.json").await.json;
    let mut tried = Tried {
        api,
        document,
        paths: BTreeSet::new(),
    };
    of_accounts(&mut tried).await;
    of_sessions(&mut tried).await;
    of_invitations(&mut tried).await;
    of_reports(&mut tried).await;
    of_notices(&mut tried).await;
    of_the_end(&mut tried).await;
    let paths = tried.document["paths"].as_object().unwrap().keys();
    let commands = paths.filter(|path| path.starts_with("/api/v1/")).cloned();
    assert_eq!(tried.paths, commands.collect::<BTreeSet<_>>());
    let log = built.log().unwrap();
    for line in [
        "token=\"ci\" command=\"account add\" status=200",
        "token=\"ci\" command=\"status\" status=200",
    ] {
        assert!(log.contains(line), "{line} in {log}");
    }
    assert!(!log.contains("carol"), "{log}");
}

/// What is committed is what is served, and what a reader of OpenAPI needs of it is there.
#[tokio::test]
async fn the_document_is_the_one_that_is_committed() {
    let built = server("api-document");
    let api = Api::new(&built, &create(&built, "ci", "status:read", &[]));
    let served = api.get("/api/openapi.json").await;
    assert_eq!(served.status, 200);
    let committed = include_str!("../../../docs/operate/openapi.json");
    let committed: Value = serde_json::from_str(committed).unwrap();
    assert_eq!(served.json, committed);
    assert_eq!(committed["openapi"], "3.1.0");
    let mut ids = BTreeSet::new();
    for (path, methods) in committed["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            assert!(["get", "post"].contains(&method.as_str()), "{path}");
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{id} twice");
            assert!(operation["security"][0]["token"].is_array(), "{path}");
            assert_eq!(operation.get("requestBody").is_some(), method == "post");
            for response in operation["responses"].as_object().unwrap().values() {
                client::resolved(&committed, response);
            }
            // Secrets would stand in logs behind '?'.
            let parameters = operation["parameters"].as_array();
            for parameter in parameters.into_iter().flatten() {
                assert_ne!(parameter["schema"]["format"], "password", "{path}");
            }
        }
    }
}

#[tokio::test]
async fn lists_come_in_pages() {
    let built = server("api-pages");
    let api = Api::new(&built, &create(&built, "ci", "accounts:read", &[]));
    for user in ["erin", "carol", "dave"] {
        built.add_account(user, "a password").unwrap();
    }
    let mut found = Vec::new();
    let mut cursor = String::new();
    let mut pages = 0;
    loop {
        let page = api
            .get(&format!("/api/v1/account/list?limit=2{cursor}"))
            .await;
        assert_eq!(page.status, 200, "{page:?}");
        let accounts = page.json["accounts"].as_array().unwrap();
        assert!(accounts.len() <= 2);
        found.extend(accounts.iter().map(|one| one["jid"].clone()));
        pages += 1;
        match page.json["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
        // Who comes meanwhile, before the cursor, moves nobody.
        if pages == 1 {
            built.add_account("aaron", "a password").unwrap();
        }
    }
    let all = ["alice", "bob", "carol", "dave", "erin"];
    let all: Vec<Value> = all
        .map(|user| json!(format!("{user}@waxwing.example")))
        .to_vec();
    assert_eq!((found, pages), (all, 3));
    // The command line puts the pages together.
    let listed = done(&built, &["account", "list"]);
    assert_eq!(listed["accounts"].as_array().unwrap().len(), 6);
    for wrong in [
        "limit=0",
        "limit=1001",
        "limit=two",
        "limit=",
        "cursor=%25",
        "cursor=a",
    ] {
        let refused = api.get(&format!("/api/v1/account/list?{wrong}")).await;
        refused.is_problem(422, "invalid-argument");
    }
    // One that somebody made up begins elsewhere in the same list.
    let made_up = api.get("/api/v1/account/list?cursor=eg").await;
    assert_eq!(made_up.json, json!({ "accounts": [], "next": null }));
}

#[tokio::test]
async fn what_has_a_resource_is_ended_alone() {
    let built = server("api-one-session");
    let api = Api::new(&built, &create(&built, "ci", "sessions:write", &[]));
    let mut bob = available(&built, BOB).await;
    let other = json!({ "jid": "bob@waxwing.example/not-his" });
    let ended = api.post("/api/v1/session/end", &other).await;
    assert_eq!(ended.json, json!({ "ended": 0 }));
    let all = json!({ "jid": "bob@waxwing.example" });
    let ended = api.post("/api/v1/session/end", &all).await;
    assert_eq!(ended.json, json!({ "ended": 1 }));
    end(&mut bob).await;
}
