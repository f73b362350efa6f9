//! What commands say when they cannot do what was asked, and that nothing comes of it.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use waxwing_tests::{Built, BuiltOptions};

use crate::rig::{ALICE, done, failed, server};

/// Runs a command that has to fail with this code; its error as JSON.
fn error(built: &Built, code: i32, words: &[&str]) -> Value {
    let said = failed(built, code, &[words, &["--json"]].concat());
    assert_eq!(said.lines().count(), 1, "{said}");
    serde_json::from_str::<Value>(&said).unwrap()["error"].take()
}

#[test]
fn errors_are_json_where_results_are() {
    let mut built = server("daemon-json-errors");
    let missing = error(&built, 1, &["account", "disable", "nobody@waxwing.example"]);
    assert_eq!(missing["blame"], "caller");
    let text = missing["text"].as_str().unwrap();
    assert!(text.contains("nobody@waxwing.example"), "{text}");
    assert_eq!(error(&built, 2, &["account", "ad"])["blame"], "caller");
    let absent = built.directory().join("absent").display().to_string();
    let text = error(&built, 1, &["verify", &absent])["text"].to_string();
    assert!(text.contains("absent: No such file"), "{text}");
    built.stop().unwrap();
    let stopped = error(&built, 1, &["account", "list"]);
    assert_eq!(stopped["blame"], "environment");
    fs::write(built.directory().join("waxwing.toml"), "domains = 1").unwrap();
    let wrong = error(&built, 2, &["account", "list"]);
    let text = wrong["text"].as_str().unwrap();
    assert!(text.contains("line 1: 'domains' must be a list"), "{text}");
}

#[test]
fn a_role_is_changed_and_listed() {
    let built = server("daemon-roles");
    let alice = "alice@waxwing.example";
    let set = done(&built, &["account", "set-role", alice, "restricted"]);
    assert_eq!(set, json!({ "jid": alice, "role": "restricted" }));
    let listed = done(&built, &["account", "list"]);
    let role = |jid: &str| {
        let all = listed["accounts"].as_array().unwrap();
        let account = all.iter().find(|account| account["jid"] == jid);
        account.unwrap()["role"].clone()
    };
    assert_eq!(role(alice), "restricted");
    assert_eq!(role("bob@waxwing.example"), "member");
    let upper = done(&built, &["account", "list", "--domain", "Waxwing.Example"]);
    assert_eq!(upper, listed);
    let said = failed(
        &built,
        1,
        &["account", "list", "--domain", "waxwnig.example"],
    );
    assert!(said.contains("does not serve 'waxwnig.example'"), "{said}");
    let nobody = ["account", "set-role", "nobody@waxwing.example", "admin"];
    let said = failed(&built, 1, &nobody);
    assert!(said.contains("there is no account"), "{said}");
    let said = failed(&built, 2, &["account", "set-role", alice, "king"]);
    assert!(said.contains("king"), "{said}");
}

#[test]
fn what_was_typed_does_nothing_to_the_terminal() {
    let built = server("daemon-controls");
    let active = "a\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}";
    let (address, folder) = (format!("{active}@waxwing.example"), format!("/{active}"));
    let remove = ["account", "remove", &address];
    for (code, words) in [
        (1, &remove[..]),
        (2, &[active]),
        (2, &["account", active]),
        (2, &["serve", "--log-format", active]),
        (
            2,
            &["certificate", "local", "--domain", active, "--dir", "x"],
        ),
        (1, &["verify", &folder]),
        (2, &["--config", &folder, "account", "list"]),
    ] {
        for more in [&[][..], &["--json"]] {
            if words[0] == "serve" && !more.is_empty() {
                continue;
            }
            let said = failed(&built, code, &[words, more].concat());
            let quiet = |c: char| c == '\n' || !(c.is_control() || c == '\u{202e}');
            assert!(said.chars().all(quiet), "{words:?}: {said:?}");
            assert!(said.contains("error"), "{words:?}: {said:?}");
        }
    }
}

#[test]
fn a_log_filter_that_is_none_is_told() {
    let mut options = BuiltOptions::new("daemon-filter").account(ALICE.0, ALICE.1);
    options.log = "debgu".to_owned();
    let built = Built::start(options).unwrap();
    let log = built.log().unwrap();
    let told = "WARN WAXWING_LOG is not followed, and the level is info: 'debgu' is none of";
    assert!(log.contains(told), "{log}");
    assert!(log.contains("did you mean 'debug'?"), "{log}");
    assert!(log.contains(" INFO ready"), "{log}");
}

/// The name of everything in a directory.
fn names(directory: &Path) -> Vec<String> {
    let files = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_certificate_that_is_refused_leaves_nothing_behind() {
    let built = server("daemon-certificates");
    let folder = built.directory().join("certificates");
    let dir = folder.display().to_string();
    let words = |domains: &[&'static str], more: &[&'static str]| {
        let domains = domains.iter().flat_map(|domain| ["--domain", domain]);
        let words = ["certificate", "local"].into_iter().chain(domains);
        words.chain(more.iter().copied()).collect::<Vec<_>>()
    };
    let refused = |code, domains: &[&'static str], more: &[&'static str]| {
        failed(
            &built,
            code,
            &[&words(domains, more)[..], &["--dir", &dir]].concat(),
        )
    };
    for domain in [
        "a@waxwing.example",
        "exa_mple",
        "a b",
        "*.waxwing.example",
        "",
        ".",
    ] {
        let said = refused(2, &["waxwing.example", domain], &[]);
        assert!(said.contains("Write it like chat.example.org"), "{said}");
        assert!(!folder.exists(), "{domain}");
    }
    let three = ["Waxwing.Example.", "B\u{FC}cher.example", "waxwing.example"];
    let made = done(
        &built,
        &[&words(&three, &[])[..], &["--dir", &dir]].concat(),
    );
    assert_eq!(
        made["domains"],
        json!(["waxwing.example", "b\u{FC}cher.example"])
    );
    assert_eq!(made["names"][3], "xn--bcher-kva.example");
    assert_eq!(made["authority_is_new"], true);
    let all = ["ca-key.pem", "ca.pem", "cert.pem", "key.pem"];
    assert_eq!(names(&folder), all);
    let before: Vec<_> = all
        .map(|name| fs::read(folder.join(name)).unwrap())
        .to_vec();
    let said = refused(1, &["waxwing.example"], &[]);
    assert!(
        said.contains("is there already and was left as it is; --replace"),
        "{said}"
    );
    let said = refused(1, &["other.example"], &["--replace"]);
    assert!(
        said.contains("may not sign for other.example, but only for waxwing.example"),
        "{said}"
    );
    let after: Vec<_> = all
        .map(|name| fs::read(folder.join(name)).unwrap())
        .to_vec();
    assert!(before == after);
    assert_eq!(names(&folder), all);
    // A file where a folder would have to be.
    let inside = folder.join("ca.pem/deeper").display().to_string();
    let said = failed(&built, 1, &["certificate", "local", "--dir", &inside]);
    assert!(said.contains("deeper: Not a directory"), "{said}");
}

#[test]
fn no_password_is_asked_for_what_no_account_can_be() {
    let built = server("daemon-no-address");
    for address in ["foo", "waxwing.example", "a b@waxwing.example"] {
        // Standard input has no password: what is said of that would be said.
        let words = ["account", "add", address, "--password-stdin"];
        let said = failed(&built, 1, &words);
        assert!(said.contains("is no account's address"), "{said}");
    }
}
