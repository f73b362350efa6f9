//! Messages between accounts, kept ones included, and sessions that go on.

use waxwing_dial::Closed;
use waxwing_stanza::Condition;

use crate::rig::{ALICE, BOB, available, body, log_in, next, resume, say, server, settle};

#[tokio::test]
async fn two_accounts_talk() {
    let built = server("daemon-talk");
    let mut alice = available(&built, ALICE).await;
    let mut bob = available(&built, BOB).await;
    say(
        &mut alice,
        "<message to='bob@waxwing.example' type='chat' id='1'><body>ahoy &lt;3</body></message>",
    )
    .await;
    let message = next(&mut bob, "message").await;
    assert_eq!(body(&message), "ahoy <3");
    assert_eq!(message.from().as_deref(), Some(alice.jid().as_str()));
    let answer = format!(
        "<message to='{}' type='chat'><body>ohoy</body></message>",
        alice.jid()
    );
    say(&mut bob, &answer).await;
    let message = next(&mut alice, "message").await;
    assert_eq!(body(&message), "ohoy");
    assert_eq!(message.from().as_deref(), Some(bob.jid().as_str()));
    assert_eq!(alice.close().await, Closed::Clean);
    assert_eq!(bob.close().await, Closed::Clean);
}

#[tokio::test]
async fn a_message_waits_for_its_receiver_over_a_restart_and_comes_once() {
    let mut built = server("daemon-offline");
    let mut alice = available(&built, ALICE).await;
    for number in 1..=3 {
        let message = format!(
            "<message to='bob@waxwing.example' type='chat'><body>{number}</body></message>"
        );
        say(&mut alice, &message).await;
    }
    settle(&mut alice).await;
    // What was answered after them is durable: nothing is stopped in order here.
    built.kill().unwrap();
    built.restart().unwrap();
    // Bob is not `available`: that would read over what waits for him.
    let mut bob = log_in(&built, BOB).await.unwrap();
    say(&mut bob, "<presence/>").await;
    for number in 1..=3 {
        let message = next(&mut bob, "message").await;
        assert_eq!(body(&message), number.to_string());
        assert!(message.has_child("urn:xmpp:delay", "delay"));
    }
    settle(&mut bob).await;
    assert_eq!(bob.close().await, Closed::Clean);
    let mut again = log_in(&built, BOB).await.unwrap();
    say(&mut again, "<presence/>").await;
    say(
        &mut again,
        "<message to='bob@waxwing.example' type='chat'><body>the last</body></message>",
    )
    .await;
    assert_eq!(body(&next(&mut again, "message").await), "the last");
}

#[tokio::test]
async fn a_cut_session_goes_on_without_loss_or_doubles() {
    let built = server("daemon-resume");
    let mut alice = available(&built, ALICE).await;
    let mut bob = available(&built, BOB).await;
    let address = bob.jid().clone();
    let message =
        |text: &str| format!("<message to='{address}' type='chat'><body>{text}</body></message>");
    say(&mut alice, &message("before")).await;
    assert_eq!(body(&next(&mut bob, "message").await), "before");
    let session = bob.into_session().expect("a session to resume");
    say(&mut alice, &message("meanwhile")).await;
    settle(&mut alice).await;
    let mut bob = resume(&built, BOB, session).await.unwrap();
    assert!(bob.is_resumed());
    assert_eq!(*bob.jid(), address);
    assert_eq!(body(&next(&mut bob, "message").await), "meanwhile");
    say(&mut alice, &message("after")).await;
    assert_eq!(body(&next(&mut bob, "message").await), "after");
}

#[tokio::test]
async fn a_session_that_is_gone_says_what_was_lost() {
    let mut built = server("daemon-gone");
    let mut alice = available(&built, ALICE).await;
    say(
        &mut alice,
        "<message to='bob@waxwing.example' type='chat'><body>arrived</body></message>",
    )
    .await;
    settle(&mut alice).await;
    built.kill().unwrap();
    // The connection may take this one still, but nobody reads it.
    let never = bytes::Bytes::from_static(
        b"<message to='bob@waxwing.example' type='chat'><body>never</body></message>",
    );
    let _broken = alice.send(never.clone()).await;
    let session = alice.into_session().expect("a session to resume");
    assert!(session.unacked().any(|stanza| *stanza == never));
    // While the server is down the session comes back.
    let down = resume(&built, ALICE, session).await;
    let session = *down.unwrap_err().session.expect("the session again");
    built.restart().unwrap();
    let mut alice = resume(&built, ALICE, session).await.unwrap();
    assert!(!alice.is_resumed());
    // The server remembers which messages it stored, over its own death. The question that was
    // answered is none of them, and may be asked again.
    let lost = alice.take_lost();
    let messages: Vec<_> = lost
        .iter()
        .filter(|stanza| stanza.starts_with(b"<message"))
        .collect();
    assert_eq!(messages, [&never]);
}

#[tokio::test]
async fn what_is_no_stanza_is_not_sent() {
    let built = server("daemon-misuse");
    let mut alice = available(&built, ALICE).await;
    for wrong in [
        "<message>",
        "<a/>",
        "hello",
        "<message/><message/>",
        "</stream:stream>",
        "",
    ] {
        let sent = alice.send(wrong.as_bytes().to_vec().into()).await;
        assert_eq!(sent, Err(waxwing_dial::SendError::NotAStanza), "{wrong}");
    }
    say(
        &mut alice,
        "<iq type='get' id='x' to='nobody@waxwing.example'><q xmlns='urn:none'/></iq>",
    )
    .await;
    let answer = next(&mut alice, "iq").await;
    assert_eq!(answer.kind().as_deref(), Some("error"));
    let condition = Condition::ServiceUnavailable.as_str();
    let error = answer.element();
    let error = error.child("jabber:client", "error").unwrap();
    assert!(error.children().any(|child| child.name() == condition));
}
