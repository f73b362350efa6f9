//! Services for calls (XEP-0215): a reload changes them, and their secret is in no log.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use waxwing_dial::Stream;
use waxwing_stanza::Payload;
use waxwing_stanza::xep::xep_0215_external_services::{Service, Services};
use waxwing_tests::{Built, BuiltOptions};

use crate::reload::{edit, hang_up, logged};
use crate::rig::{ALICE, available, next, say};

const SECRET: &str = "a secret of a relay";
const MODE: &str = "mode = \"closed\"\n";

/// What is offered at the moment.
async fn offered(alice: &mut Stream) -> Vec<Service> {
    let asked =
        "<iq type='get' to='waxwing.example' id='s'><services xmlns='urn:xmpp:extdisco:2'/></iq>";
    say(alice, asked).await;
    let answer = next(alice, "iq").await;
    Services::find_in(&answer).unwrap().unwrap().services
}

#[tokio::test]
async fn a_reload_changes_what_clients_are_told() {
    let mut options = BuiltOptions::new("daemon-calls").account(ALICE.0, ALICE.1);
    options.secrets = vec![("turn.secret".to_owned(), format!("{SECRET}\n"))];
    let built = Built::start(options).unwrap();
    let mut alice = available(&built, ALICE).await;
    assert!(offered(&mut alice).await.is_empty());

    let section = "\n[external.relay]\ntype = \"turn\"\nhost = \"turn.example.org\"\nsecret_file = \"turn.secret\"\n";
    edit(&built, MODE, &format!("{MODE}{section}"));
    hang_up(&built);
    let log = logged(&built, "reloaded", 1).await;
    assert!(log.contains("external.relay"), "{log}");
    let one = offered(&mut alice).await;
    let first = one[0].password.clone().unwrap();
    assert_eq!((one.len(), one[0].host.as_str()), (1, "turn.example.org"));

    // Another secret in the same file gives other passwords.
    let file = built.directory().join("turn.secret");
    fs::write(&file, "another secret of a relay\n").unwrap();
    hang_up(&built);
    logged(&built, "reloaded", 2).await;
    assert_ne!(
        offered(&mut alice).await[0].password.clone().unwrap(),
        first
    );

    // With a file that others may read, everything stays as it was.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    edit(
        &built,
        "host = \"turn.example.org\"",
        "host = \"elsewhere.example\"",
    );
    hang_up(&built);
    let log = logged(&built, "not reloaded", 1).await;
    assert!(log.contains("external.relay.secret_file"), "{log}");
    assert_eq!(offered(&mut alice).await[0].host, "turn.example.org");
    assert!(!log.contains("secret of a relay"), "{log}");
}
