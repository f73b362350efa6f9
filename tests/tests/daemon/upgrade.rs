//! The server starts on what earlier ones stored, and finds everything.

use std::collections::BTreeSet;

use waxwing_dial::{Security, Stream};
use waxwing_stream::client::Settings;
use waxwing_stream::sasl::{Failure, Mechanism};
use waxwing_tests::stored::{self, ALICE, BOB, CAROL, MESSAGES, NAME};
use waxwing_tests::{Built, BuiltOptions};
use waxwing_wire::{Element, Stanza};

use crate::login::refusal;
use crate::rig::{
    at, available, body, dialer, log_in, next, say, seed, settings, settle, soon, starttls,
};

/// Every mechanism has keys of its own in the store.
async fn keys(built: &Built) {
    for mechanism in [
        Mechanism::ScramSha1Plus,
        Mechanism::ScramSha256Plus,
        Mechanism::ScramSha512Plus,
    ] {
        let settings = Settings {
            mechanisms: vec![mechanism],
            ..settings(ALICE.0, ALICE.1)
        };
        let login = dialer(built);
        let place = at(built.c2s_tls, Security::DirectTls);
        soon(login.login(settings, &place, seed())).await.unwrap();
    }
    let place = starttls(built);
    let carol = settings(CAROL.0, CAROL.1);
    let refused = soon(dialer(built).login(carol, &place, seed())).await;
    assert_eq!(refusal(refused), Failure::AccountDisabled);
}

async fn roster(stream: &mut Stream) -> Vec<(String, String, String, Vec<String>)> {
    say(
        stream,
        "<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>",
    )
    .await;
    let answer = next(stream, "iq").await.element();
    let query = answer.child("jabber:iq:roster", "query").unwrap().clone();
    let item = |item: &Element| {
        let attribute = |name| item.attr(name).unwrap_or_default().to_owned();
        let state = format!("{}{}", attribute("subscription"), attribute("ask"));
        let groups = item.children().map(Element::text).collect();
        (attribute("jid"), attribute("name"), state, groups)
    };
    let mut items: Vec<_> = query.children().map(item).collect();
    items.sort();
    items
}

fn stanza_id(message: &Stanza) -> String {
    let element = message.element();
    let id = element.child("urn:xmpp:sid:0", "stanza-id").unwrap();
    id.attr("id").unwrap().to_owned()
}

async fn everything_is_there(built: &Built) {
    keys(built).await;
    let mut alice = log_in(built, ALICE).await.unwrap();
    let (name, group) = (NAME.0.to_owned(), NAME.1.to_owned());
    let domain = stored::DOMAIN;
    let expected = [
        (
            format!("bob@{domain}"),
            name,
            "both".to_owned(),
            vec![group],
        ),
        (
            format!("carol@{domain}"),
            String::new(),
            "nonesubscribe".to_owned(),
            vec![],
        ),
    ];
    assert_eq!(roster(&mut alice).await, expected);

    let mut bob = log_in(built, BOB).await.unwrap();
    say(&mut bob, "<presence/>").await;
    let mut ids = Vec::new();
    for content in MESSAGES {
        let message = next(&mut bob, "message").await;
        let bytes = String::from_utf8(message.bytes().to_vec()).unwrap();
        assert!(bytes.contains(content), "{bytes}");
        assert!(message.has_child("urn:xmpp:delay", "delay"), "{bytes}");
        ids.push(stanza_id(&message));
    }
    settle(&mut bob).await;
    // What comes now comes after all that waited, and has a name of its own.
    let more = format!("<message to='bob@{domain}' type='chat'><body>and now</body></message>");
    say(&mut alice, &more).await;
    let message = next(&mut bob, "message").await;
    assert_eq!(body(&message), "and now");
    ids.push(stanza_id(&message));
    let names: BTreeSet<&String> = ids.iter().collect();
    assert_eq!(names.len(), ids.len(), "{ids:?}");
    settle(&mut bob).await;
    bob.close().await;

    // What was acknowledged waits no longer.
    let mut bob = available(built, BOB).await;
    say(&mut bob, &more).await;
    let message = next(&mut bob, "message").await;
    assert!(!message.has_child("urn:xmpp:delay", "delay"), "{message:?}");
}

#[tokio::test]
async fn what_earlier_versions_stored_is_there() {
    let all = stored::all().unwrap();
    assert!(!all.is_empty());
    for data in all {
        println!("{}", data.display());
        let mut options = BuiltOptions::new("upgrade");
        options.data = Some(data);
        let mut built = Built::start(options).unwrap();
        everything_is_there(&built).await;
        // And the next start finds it in order.
        built.restart().unwrap();
        log_in(&built, ALICE).await.unwrap();
    }
}
