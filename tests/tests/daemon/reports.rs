//! Reports of abuse (XEP-0377) on the command line.

use waxwing_tests::{Built, BuiltOptions};

use crate::rig::{ALICE, available, done, failed, next, say};

/// What was acknowledged is there after a kill, for whoever may run commands; what somebody wrote moves no cursor.
#[tokio::test]
async fn a_report_is_listed_shown_and_dismissed() {
    let options = BuiltOptions::new("daemon-reports").account(ALICE.0, ALICE.1);
    let mut built = Built::start(options).unwrap();
    let none = done(&built, &["report", "list"]);
    assert_eq!(none["reports"].as_array().map(Vec::len), Some(0));
    let mut alice = available(&built, ALICE).await;
    say(
        &mut alice,
        "<iq type='set' id='b'><block xmlns='urn:xmpp:blocking'><item jid='romeo@example.net'>\
         <report xmlns='urn:xmpp:reporting:1' reason='urn:xmpp:reporting:spam'>\
         <stanza-id xmlns='urn:xmpp:sid:0' by='alice@waxwing.example' id='7'/>\
         <text>first\nabout     somebody else &#x9b;31m</text><third-party/></report></item></block></iq>",
    )
    .await;
    let answer = next(&mut alice, "iq").await;
    assert_eq!(answer.kind().as_deref(), Some("result"));
    built.kill().unwrap();
    built.restart().unwrap();

    let listed = done(&built, &["report", "list", "--domain", "waxwing.example"]);
    let report = &listed["reports"][0];
    assert_eq!(report["reporter"], "alice@waxwing.example");
    assert_eq!(report["reported"], "romeo@example.net");
    assert_eq!(report["messages"], 1);
    let id = report["id"].as_str().unwrap();
    let shown = done(&built, &["report", "show", id]);
    assert_eq!(shown["messages"][0]["id"], "7");
    assert_eq!(shown["third_party"], true);
    assert_eq!(shown["report_origin"], false);
    let words = ["report", "show", id];
    let shown = built.command(words).unwrap();
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("\n  | about     somebody else"), "{shown}");
    assert!(!shown.contains('\u{9b}'), "{shown}");

    done(&built, &["report", "dismiss", id]);
    let said = failed(&built, 1, &["report", "show", id]);
    assert!(said.contains("there is no report"), "{said}");
    let said = failed(&built, 1, &["report", "list", "--domain", "x.example"]);
    assert!(said.contains("does not serve 'x.example'"), "{said}");
}
