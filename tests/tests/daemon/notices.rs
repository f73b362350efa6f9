//! Messages of the day, welcomes, rosters, log-ins and the end of the server, on the command line.

use waxwing_dial::{End, Stream};
use waxwing_stream::StreamCondition;
use waxwing_tests::{Built, BuiltOptions};

use crate::rig::{
    ALICE, BOB, available, body, done, end, failed, log_in, next, say, server, settle,
};

/// Available, with whatever comes from then on still to be read.
async fn here(built: &Built, user: (&str, &str)) -> Stream {
    let mut stream = log_in(built, user).await.unwrap();
    say(&mut stream, "<presence/>").await;
    stream
}

/// Once over a kill, for who had it before and for who had not.
#[tokio::test]
async fn a_message_of_the_day_comes_once() {
    let mut built = server("daemon-motd");
    let none = done(&built, &["motd", "show"]);
    assert!(
        none["text"].is_null() && none["set_micros"].is_null(),
        "{none}"
    );
    let said = failed(&built, 1, &["motd", "edit", "x"]);
    assert!(
        said.contains("there is no message of the day to correct"),
        "{said}"
    );
    let mut alice = available(&built, ALICE).await;
    let set = done(&built, &["motd", "set", "The server\nmoves on Friday."]);
    assert_eq!(
        body(&next(&mut alice, "message").await),
        "The server\nmoves on Friday."
    );
    // What is stored behind it says that the message is noted as delivered.
    let kept = "<iq type='set' id='k'><query xmlns='jabber:iq:private'><kept xmlns='urn:example:kept'/></query></iq>";
    say(&mut alice, kept).await;
    let answer = next(&mut alice, "iq").await;
    assert_eq!(answer.kind().as_deref(), Some("result"));
    built.kill().unwrap();
    built.restart().unwrap();
    let shown = done(&built, &["motd", "show", "--domain", "waxwing.example"]);
    assert_eq!(shown, set);
    let words = built.command(["motd", "show"]).unwrap();
    let words = String::from_utf8(words.stdout).unwrap();
    assert!(
        words.ends_with("\n\nThe server\nmoves on Friday.\n"),
        "{words}"
    );
    done(&built, &["motd", "edit", "The server moves on Saturday."]);
    let mut alice = here(&built, ALICE).await;
    let mut bob = here(&built, BOB).await;
    assert_eq!(
        body(&next(&mut bob, "message").await),
        "The server moves on Saturday."
    );
    settle(&mut alice).await;
    done(&built, &["announce", "now"]);
    assert_eq!(body(&next(&mut alice, "message").await), "now");
    assert_eq!(body(&next(&mut bob, "message").await), "now");
    assert_eq!(done(&built, &["motd", "clear"])["cleared"], true);
    assert_eq!(done(&built, &["motd", "clear"])["cleared"], false);
    for wrong in [" ", "\u{1}"] {
        failed(&built, 1, &["motd", "set", wrong]);
    }
    let long = "a".repeat(16 * 1024 + 1);
    let said = failed(&built, 1, &["welcome", "set", &long]);
    assert!(said.contains("16384 bytes"), "{said}");
    let said = failed(&built, 1, &["motd", "set", "x", "--domain", "x.example"]);
    assert!(said.contains("does not serve 'x.example'"), "{said}");
}

#[tokio::test]
async fn each_domain_says_its_own() {
    let mut options = BuiltOptions::new("daemon-notices-domains").account(ALICE.0, ALICE.1);
    options.other_domains.push("other.example".to_owned());
    let built = Built::start(options).unwrap();
    let said = failed(&built, 1, &["welcome", "set", "Hello."]);
    assert!(
        said.contains("several domains are served; say which"),
        "{said}"
    );
    done(
        &built,
        &["welcome", "set", "Hello.", "--domain", "waxwing.example"],
    );
    done(
        &built,
        &["motd", "set", "Elsewhere.", "--domain", "other.example"],
    );
    let shown = done(&built, &["welcome", "show", "--domain", "other.example"]);
    assert!(shown["text"].is_null(), "{shown}");
    built.add_account("carol", "a password").unwrap();
    let mut carol = here(&built, ("carol", "a password")).await;
    assert_eq!(body(&next(&mut carol, "message").await), "Hello.");
    let mut alice = here(&built, ALICE).await;
    settle(&mut alice).await;
    done(&built, &["announce", "now"]);
    assert_eq!(body(&next(&mut alice, "message").await), "now");
    assert_eq!(body(&next(&mut carol, "message").await), "now");
}

#[tokio::test]
async fn a_roster_and_the_last_log_in_are_shown() {
    let mut built = server("daemon-people");
    let shown = done(&built, &["account", "show", "bob@waxwing.example"]);
    assert!(shown["login_micros"].is_null(), "{shown}");
    let none = built.command(["account", "roster", "bob@waxwing.example"]);
    let none = String::from_utf8(none.unwrap().stdout).unwrap();
    assert_eq!(none, "There are no contacts.\n");
    let mut bob = log_in(&built, BOB).await.unwrap();
    let set = "<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='romeo@example.net' name='Romeo&#10;x'>\
               <group>Friends</group></item></query></iq>";
    say(&mut bob, set).await;
    let answer = next(&mut bob, "iq").await;
    assert_eq!(answer.kind().as_deref(), Some("result"));
    built.kill().unwrap();
    built.restart().unwrap();
    let shown = done(&built, &["account", "show", "bob@waxwing.example"]);
    let (made, login) = (&shown["created_micros"], &shown["login_micros"]);
    assert!(login.as_u64() > made.as_u64(), "{shown}");
    let roster = done(&built, &["account", "roster", "bob@waxwing.example"]);
    let romeo = &roster["contacts"][0];
    assert_eq!(romeo["jid"], "romeo@example.net");
    assert_eq!(romeo["subscription"], "none");
    assert_eq!(romeo["groups"][0], "Friends");
    let lines = built.command(["account", "roster", "bob@waxwing.example"]);
    let lines = String::from_utf8(lines.unwrap().stdout).unwrap();
    assert_eq!(lines, "romeo@example.net  none  Romeo x  Friends\n");
    let said = failed(&built, 1, &["account", "roster", "nobody@waxwing.example"]);
    assert!(said.contains("there is no account"), "{said}");
}

/// As by a signal: streams are told, and the program ends with success.
#[tokio::test]
async fn a_command_ends_the_server_in_order() {
    let mut built = server("daemon-shutdown-command");
    let said = failed(&built, 1, &["shutdown", "--delay", "25h"]);
    assert!(said.contains("of a day at most"), "{said}");
    let mut alice = available(&built, ALICE).await;
    let told = done(
        &built,
        &["shutdown", "--delay", "2s", "--message", "Back at one."],
    );
    assert_eq!(
        (&told["sessions"], &told["delay_secs"]),
        (&1.into(), &2.into())
    );
    assert_eq!(body(&next(&mut alice, "message").await), "Back at one.");
    let End::Server(Some(error)) = end(&mut alice).await else {
        panic!("no reason given: {alice:?}");
    };
    assert_eq!(error.condition, StreamCondition::SystemShutdown);
    drop(alice);
    assert!(built.stop().unwrap().unwrap().success());
    built.restart().unwrap();
    log_in(&built, ALICE).await.unwrap();
}
