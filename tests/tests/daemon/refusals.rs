//! Reloads that are refused, and those that are not and yet need a word: the same by command and by signal.

use std::fs;
use std::process::Command;

use serde_json::json;
use waxwing_tests::Built;

use crate::reload::{edit, hang_up, logged};
use crate::rig::{ALICE, done, failed, log_in, server};

/// The line, from 1, of the configuration that has this.
fn line_of(built: &Built, text: &str) -> usize {
    let config = fs::read_to_string(built.directory().join("waxwing.toml")).unwrap();
    let at = config.lines().position(|line| line.contains(text));
    at.unwrap() + 1
}

/// Has the server reload both ways; what it says to the one, which is what it logs of both.
async fn refused(built: &Built, code: i32) -> String {
    const KEPT: &str = "everything stays as it was";
    let before = built.log().unwrap().len();
    let said = failed(built, code, &["reload"]);
    let said = said.strip_prefix("error: ").unwrap().trim_end();
    let said = said.strip_suffix(&format!("; {KEPT}")).unwrap().to_owned();
    let times = |log: &str| log.matches(&said).count();
    assert_eq!(times(&built.log().unwrap()[before..]), 1, "{said}");
    hang_up(built);
    let total = built.log().unwrap()[..before].matches(KEPT).count() + 2;
    let log = logged(built, KEPT, total).await;
    assert_eq!(times(&log[before..]), 2, "{said}: {log}");
    said
}

#[tokio::test]
async fn each_names_file_line_and_key_and_is_logged() {
    let built = server("daemon-refusals");
    let config = built.directory().join("waxwing.toml");
    let good = fs::read_to_string(&config).unwrap();
    let tls = built.authority.parent().unwrap().display().to_string();
    let own = format!(
        "[domain.\"waxwing.example\"]\ncertificate = \"{tls}/cert.pem\"\nkey = \"{tls}/none.pem\"\n[registration]"
    );
    for (code, from, to, key, reason) in [
        (
            1,
            "mode = \"closed\"",
            "mode = \"closed\"\n[options]\nrooms_host = \"same\"\npubsub_host = \"same\"",
            "pubsub_host = ",
            "'options.pubsub_host': 'same.waxwing.example' cannot be a host of waxwing.example",
        ),
        (
            1,
            "/tls/key.pem",
            "/tls/cert.pem",
            "key = ",
            "it holds a certificate, and no private key",
        ),
        (
            1,
            "/tls/cert.pem",
            "/tls/absent.pem",
            "certificate = ",
            "absent.pem: No such file",
        ),
        (
            1,
            "/tls/cert.pem",
            "",
            "certificate = ",
            "it is a directory, not a file",
        ),
        (
            1,
            "[registration]",
            &own,
            "none.pem",
            "none.pem: No such file",
        ),
        (
            2,
            "mode = \"closed\"",
            "mode = closed",
            "mode = ",
            "string values must be quoted",
        ),
        (
            2,
            "[registration]",
            "[registartion]",
            "[regis",
            "did you mean 'registration'?",
        ),
    ] {
        edit(&built, from, to);
        let said = refused(&built, code).await;
        let place = format!("{}: line {}: ", config.display(), line_of(&built, key));
        assert!(said.starts_with(&place), "{place}: {said}");
        assert!(said.contains(reason), "{said}");
        fs::write(&config, &good).unwrap();
    }
    assert_eq!(done(&built, &["reload"])["changed"], json!([]));
}

#[tokio::test]
async fn what_is_no_file_is_not_waited_for() {
    let built = server("daemon-fifo");
    let config = built.directory().join("waxwing.toml");
    let good = built.directory().join("good.toml");
    fs::rename(&config, &good).unwrap();
    let fifo = |path: &std::path::Path| {
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    };
    fifo(&config);
    let said = failed(&built, 2, &["reload"]);
    assert!(
        said.contains("cannot be read: it is a FIFO, not a file"),
        "{said}"
    );
    hang_up(&built);
    logged(&built, "it is a FIFO, not a file", 1).await;
    fs::remove_file(&config).unwrap();
    fs::rename(&good, &config).unwrap();

    // The same for what the configuration names.
    let key = built.authority.with_file_name("key.pem");
    let kept = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    fifo(&key);
    let said = refused(&built, 1).await;
    assert!(said.contains("key.pem: it is a FIFO, not a file"), "{said}");
    fs::remove_file(&key).unwrap();
    fs::write(&key, kept).unwrap();

    let backup = built.directory().join("a.backup");
    fifo(&backup);
    let backup = backup.display().to_string();
    for word in ["verify", "restore"] {
        let said = failed(&built, 1, &[word, &backup]);
        assert!(
            said.contains("a.backup: it is a FIFO, not a file"),
            "{said}"
        );
        let said = failed(&built, 1, &[word, "."]);
        assert!(said.contains(".: it is a directory, not a file"), "{said}");
    }
    let said = failed(&built, 1, &["backup", &backup]);
    assert!(said.contains("is there and is no Waxwing backup"), "{said}");
    for word in ["backup", "verify", "restore"] {
        let said = failed(&built, 1, &[word, "-"]);
        assert!(said.contains("'./-' is one of that name"), "{said}");
    }
    log_in(&built, ALICE).await.unwrap();
}

#[tokio::test]
async fn a_certificate_that_clients_refuse_is_taken_with_a_word() {
    let built = server("daemon-reload-warned");
    edit(&built, "[tls]\n", "[tls]\nwatch_secs = 1\n");
    let trusted = |warnings: &serde_json::Value| -> Vec<String> {
        let warnings = warnings.as_array().unwrap().iter();
        let texts = warnings.map(|warning| warning["text"].as_str().unwrap().to_owned());
        texts
            .filter(|text| !text.contains("no authority that this machine trusts"))
            .collect()
    };
    let said = done(&built, &["reload"]);
    assert_eq!(trusted(&said["warnings"]), Vec::<String>::new());

    let other = built.directory().join("other").display().to_string();
    let words = [
        "certificate",
        "local",
        "--domain",
        "other.example",
        "--dir",
        &other,
    ];
    done(&built, &words);
    let place = built.authority.parent().unwrap().display().to_string();
    edit(
        &built,
        &format!("{place}/cert.pem"),
        &format!("{other}/cert.pem"),
    );
    edit(
        &built,
        &format!("{place}/key.pem"),
        &format!("{other}/key.pem"),
    );
    let output = built.command(["reload"]).unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    let text = "it does not name waxwing.example, but other.example";
    assert!(
        said.starts_with("Reloaded; changed: tls.certificate, tls.key, certificate.\n"),
        "{said}"
    );
    assert!(
        said.contains(&format!("bad      certificate    {text}")),
        "{said}"
    );
    assert!(
        said.contains("-> get a certificate that names waxwing.example"),
        "{said}"
    );
    let warned = format!("WARN has to be mended: the certificate: {text}");
    logged(&built, &warned, 1).await;
    let said = done(&built, &["reload"]);
    let bad = said["warnings"].as_array().unwrap().iter();
    assert!(
        bad.clone().any(|warning| warning["level"] == "bad"),
        "{said}"
    );
    hang_up(&built);
    logged(&built, &warned, 3).await;
    // Files that are noticed by themselves.
    done(&built, &[&words[..], &["--replace"]].concat());
    logged(&built, &warned, 4).await;
}
