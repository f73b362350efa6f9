//! `waxwing check` and `waxwing serve` agree about what keeps the server from starting.

use std::fs;
use std::net::TcpListener;

use serde_json::Value;
use waxwing_tests::{Built, BuiltOptions};

use crate::rig::{failed, server};

/// What `check` finds, without asking any name server.
pub(crate) fn check(built: &Built) -> Value {
    let words = ["check", "--offline", "--json"];
    let output = built.command(words).unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.success(), found["well"] == true, "{found}");
    assert!(output.stderr.is_empty(), "{output:?}");
    // How full this machine's disk is says nothing about the server.
    let mut found = found;
    let findings = found["findings"].as_array_mut().unwrap();
    findings.retain(|finding| finding["about"] != "disk");
    found
}

/// The texts of one level.
pub(crate) fn texts(found: &Value, level: &str) -> Vec<String> {
    let all = found["findings"].as_array().unwrap().iter();
    let all = all.filter(|finding| finding["level"] == level);
    all.map(|finding| finding["text"].as_str().unwrap().to_owned())
        .collect()
}

fn edit(built: &Built, change: impl Fn(&str) -> String) {
    let path = built.directory().join("waxwing.toml");
    let text = fs::read_to_string(&path).unwrap();
    let changed = change(&text);
    assert_ne!(changed, text);
    fs::write(path, changed).unwrap();
}

#[test]
fn a_server_that_runs_is_well() {
    let built = server("daemon-check");
    let found = check(&built);
    assert_eq!(
        (&found["starts"], &found["well"]),
        (&true.into(), &true.into())
    );
    let good = texts(&found, "good");
    for text in [
        "is in use by a server that runs".to_owned(),
        format!("{} (listen.c2s) is in use by this server", built.c2s),
        format!(
            "{} (listen.http_loopback) is in use by this server",
            built.http
        ),
        "it names waxwing.example".to_owned(),
    ] {
        assert!(good.iter().any(|good| good.contains(&text)), "{good:?}");
    }
    let words = built.command(["check", "--offline"]).unwrap();
    let words = String::from_utf8(words.stdout).unwrap();
    assert!(words.starts_with("good     configuration  "), "{words}");
}

#[test]
fn a_certificate_for_another_name_is_warned_of_at_the_start() {
    let mut options = BuiltOptions::new("daemon-check-name");
    options.certificate = "other.example".to_owned();
    let built = Built::start(options).unwrap();
    let found = check(&built);
    assert_eq!(
        (&found["starts"], &found["well"]),
        (&true.into(), &false.into())
    );
    let text = "it does not name waxwing.example, but other.example, rooms.other.example, pubsub.other.example: clients refuse to connect";
    assert_eq!(texts(&found, "bad"), [text]);
    let log = built.log().unwrap();
    assert!(
        log.contains(&format!("WARN has to be mended: the certificate: {text}")),
        "{log}"
    );
}

#[test]
fn what_check_calls_fatal_the_server_refuses() {
    let mut built = server("daemon-check-fatal");
    built.stop().unwrap();
    let fatal = |said: &str| {
        let found = check(&built);
        assert_eq!(found["starts"], false, "{found}");
        let fatal = texts(&found, "fatal");
        assert!(fatal.iter().any(|text| text.contains(said)), "{fatal:?}");
        assert!(texts(&found, "bad").is_empty(), "{found}");
        failed(&built, 1, &["serve"])
    };
    let other = TcpListener::bind(built.c2s_tls).unwrap();
    let said = fatal("port 5223 is in use by another program");
    assert!(
        said.contains("port 5223 is in use by another program"),
        "{said}"
    );
    drop(other);
    let key = built.authority.with_file_name("key.pem");
    let kept = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    let said = fatal("key.pem: ");
    assert!(said.contains("key.pem: "), "{said}");
    fs::write(&key, kept).unwrap();
    assert_eq!(check(&built)["starts"], true);
    // A file system that has no room for anything of others.
    edit(&built, |text| {
        let own = format!("data_dir = {:?}", built.data_dir);
        text.replace(&own, "data_dir = \"/proc/waxwing\"")
    });
    let said = fatal("/proc/waxwing cannot be made");
    assert!(said.contains("/proc/waxwing"), "{said}");
}

#[test]
fn what_stands_twice_is_refused_with_its_line() {
    let mut built = server("daemon-check-twice");
    built.stop().unwrap();
    let both = |said: &str| {
        for words in [
            &["serve"][..],
            &["check", "--offline"],
            &["account", "list"],
        ] {
            let error = failed(&built, 2, words);
            assert!(error.contains(said), "{error}");
        }
    };
    edit(&built, |text| {
        text.replace("domains = [", "domains = [\"Waxwing.Example.\", ")
    });
    both("waxwing.toml: line 1: 'domains' has waxwing.example twice; remove \"waxwing.example\"");
    edit(&built, |text| text.replace("\"Waxwing.Example.\", ", ""));
    let (c2s, tls) = (built.c2s.to_string(), built.c2s_tls.to_string());
    edit(&built, |text| text.replace(&tls, &c2s));
    both(&format!(
        "line 6: 'listen.c2s_tls' cannot have \"{c2s}\": 'listen.c2s' in line 5"
    ));
}
