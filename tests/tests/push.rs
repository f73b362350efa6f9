//! What the server posts to a push service by itself, and what it does when that goes wrong (XEP-0357, RFC 8030, RFC 8291,
//! RFC 8292). testkit's push service checks who signed, and decrypts.
//!
//! Length: one scene, and everything that a push service can do in it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use serde_json::{Value, json};
use waxwing_server::{OptionValue, Security, Settings, TokenSecret, WebAnswer, WebError};
use waxwing_stanza::BareJid;
use waxwing_stream::client::{Settings as ClientSettings, Tls};
use waxwing_stream::sasl::Password;
use waxwing_testkit::{
    ClientStream, Cut, Happening, LinkId, Post, PushClient, Said, Seed, Until, Wants, World,
};

const ALICE: &str = "alice@example.org";
const BOB: &str = "bob@example.org";
const ENDPOINT: &str = "https://push.example/abc";

struct Client {
    link: LinkId,
    stream: ClientStream,
    said: Vec<Said>,
}

/// Alice's phone has asked for notifications and is gone; Bob is here.
struct Scene {
    world: World,
    clients: Vec<Client>,
    phone: PushClient,
    /// The key that the phone has subscribed with.
    key: String,
}

impl Scene {
    fn new(options: &[(&str, OptionValue)]) -> Scene {
        let mut scene = Scene::with_everybody_here(options);
        let alice = scene.clients.remove(0);
        scene.world.cut(alice.link, Cut::Clean);
        scene.run(1);
        scene
    }

    fn with_everybody_here(options: &[(&str, OptionValue)]) -> Scene {
        let mut all = BTreeMap::from([("web_push".to_owned(), OptionValue::Flag(true))]);
        all.extend(
            options
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone())),
        );
        let settings = Settings {
            domains: vec!["example.org".to_owned()],
            push_key: Some(TokenSecret::new([9; 32])),
            options: all,
            ..Settings::default()
        };
        let mut scene = Scene {
            world: World::new(settings, Seed(1)).unwrap(),
            clients: Vec::new(),
            phone: PushClient::new(3).unwrap(),
            key: String::new(),
        };
        scene.log_in(ALICE);
        scene.log_in(BOB);
        scene.send(
            0,
            "<iq type='get' id='key' to='example.org'><key xmlns='urn:waxwing:push:0'/></iq>",
        );
        let elements = scene.clients[0].said.iter().filter_map(|said| match said {
            Said::Element(stanza) => Some(stanza),
            _ => None,
        });
        let mut keys = elements.filter_map(|stanza| stanza.children().next());
        scene.key = keys.next().unwrap().element().text();
        scene.enable(0);
        scene
    }

    fn log_in(&mut self, who: &str) {
        let jid: BareJid = who.parse().unwrap();
        self.world.add_account(&jid, "pencil").unwrap();
        self.come(who);
    }

    /// One more session of somebody who has an account.
    fn come(&mut self, who: &str) {
        let jid: BareJid = who.parse().unwrap();
        let mut settings = ClientSettings::new(jid, Password::prepare("pencil").unwrap());
        settings.iterations = 1..=*settings.iterations.end();
        if who == BOB {
            // Nobody answers for him what he has got.
            settings.stream_management = None;
        }
        let link = self.world.connect(&Security::StartTls);
        let stream = ClientStream::new(settings, Tls::Required, [5; 32], Until::Bound);
        self.clients.push(Client {
            link,
            stream,
            said: Vec::new(),
        });
        self.run(1);
        let client = self.clients.last().unwrap();
        let is_bound = client
            .said
            .iter()
            .any(|said| matches!(said, Said::Bound(..)));
        assert!(is_bound, "{:?}", client.said);
    }

    /// Lets so many seconds pass.
    fn run(&mut self, secs: u64) {
        let until = self.world.now_micros() + secs * 1_000_000;
        loop {
            for client in &mut self.clients {
                for bytes in client.stream.take_output() {
                    self.world.write(client.link, &bytes);
                }
            }
            match self.world.next(until) {
                Happening::Idle => return,
                Happening::Disconnected(_) => {}
                Happening::Received(at, bytes) => {
                    let here = self.clients.iter_mut().find(|client| client.link == at);
                    let Some(client) = here else { continue };
                    client.stream.receive(&bytes);
                    client
                        .said
                        .extend(std::iter::from_fn(|| client.stream.poll()));
                    if client.stream.wants() == Some(Wants::StartTls) {
                        client.stream.tls_started(World::binding(at));
                    }
                }
            }
        }
    }

    fn send(&mut self, who: usize, xml: &str) {
        self.clients[who].stream.send(xml.to_owned().into());
        self.run(1);
    }

    fn enable(&mut self, who: usize) {
        let (public, auth) = (self.phone.public(), self.phone.auth());
        let answer = self.ask_for(who, "phone", ENDPOINT, &public, &auth);
        assert!(answer.contains("type='result'"), "{answer}");
    }

    /// What is answered to whoever wants notifications there.
    fn ask_for(
        &mut self,
        who: usize,
        node: &str,
        endpoint: &str,
        public: &str,
        auth: &str,
    ) -> String {
        let enable = enable(node, endpoint, public, auth);
        let before = self.clients[who].said.len();
        self.send(who, &enable);
        let answers = self.clients[who].said[before..].iter();
        let answers = answers.filter_map(|said| match said {
            Said::Element(stanza) if stanza.id().as_deref() == Some("on") => Some(stanza),
            _ => None,
        });
        let bytes = answers.map(|stanza| stanza.bytes().to_vec());
        String::from_utf8(bytes.collect::<Vec<_>>().concat()).unwrap()
    }

    /// Bob, who is the last to have come, writes to Alice.
    fn write(&mut self, text: &str) {
        let message = format!("<message to='{ALICE}' type='chat'><body>{text}</body></message>");
        self.clients.last_mut().unwrap().stream.send(message.into());
    }

    /// What was posted, checked and decrypted.
    fn posted(&self) -> Vec<Value> {
        let now_secs = self.world.now_micros() / 1_000_000;
        let posts = self.world.posted().take().into_iter();
        posts
            .map(|post| {
                assert_eq!(post.endpoint.origin() + post.endpoint.path(), ENDPOINT);
                assert!(!post.private_addresses);
                self.phone.open(&post, &self.key, now_secs).unwrap()
            })
            .collect()
    }

    /// The state of the phone's service, and why.
    fn state(&mut self) -> (String, String) {
        let listed = self
            .world
            .admin("push list", json!({ "jid": ALICE }))
            .unwrap();
        let [service] = &listed["services"].as_array().unwrap()[..] else {
            panic!("{listed}");
        };
        let text = |key: &str| service[key].as_str().unwrap_or_default().to_owned();
        (text("state"), text("reason"))
    }
}

/// Asks for notifications.
fn enable(node: &str, endpoint: &str, public: &str, auth: &str) -> String {
    let field =
        |name: &str, value: &str| format!("<field var='{name}'><value>{value}</value></field>");
    let form = [
        field(
            "FORM_TYPE",
            "http://jabber.org/protocol/pubsub#publish-options",
        ),
        field("endpoint", endpoint),
        field("p256dh", public),
        field("auth", auth),
    ];
    format!(
        "<iq type='set' id='on'><enable xmlns='urn:xmpp:push:0' jid='example.org' node='{node}'>\
         <x xmlns='jabber:x:data' type='submit'>{}</x></enable></iq>",
        form.concat()
    )
}

const NOTHING: [Value; 0] = [];

fn bare() -> Value {
    json!({ "account": ALICE })
}

fn errors_max(number: u64) -> (&'static str, OptionValue) {
    ("push_errors_max", OptionValue::Number(number))
}

#[test]
fn a_message_is_posted_once_sealed_and_signed() {
    let mut scene = Scene::new(&[]);
    assert_eq!(scene.state().0, "untried");
    scene.write("one");
    scene.write("two");
    scene.run(5);
    assert_eq!(scene.posted(), [bare()]);
    assert_eq!(scene.state().0, "works");
    scene.run(7_200);
    assert_eq!(scene.posted(), NOTHING);
    scene.write("three");
    scene.run(5);
    assert_eq!(scene.posted(), [bare()]);
}

#[test]
fn as_much_is_revealed_as_the_operator_wants() {
    let reveals = |word: &str| ("push_reveals", OptionValue::Text(word.to_owned()));
    for (word, has_count, has_sender, has_body) in [
        ("count", true, false, false),
        ("sender", true, true, false),
        ("body", true, true, true),
    ] {
        let mut scene = Scene::new(&[reveals(word)]);
        scene.write("one");
        scene.write("two");
        scene.run(5);
        let posted = scene.posted();
        let [content] = &posted[..] else {
            panic!("{posted:?}");
        };
        assert_eq!(content.get("messages"), has_count.then_some(&json!(2)));
        let from = content.get("from").and_then(Value::as_str);
        assert_eq!(from.is_some_and(|from| from.starts_with(BOB)), has_sender);
        assert_eq!(content.get("body"), has_body.then_some(&json!("two")));
    }
}

#[test]
fn nothing_is_posted_to_whom_somebody_looks_at() {
    let mut scene = Scene::with_everybody_here(&[]);
    scene.send(0, "<presence/>");
    scene.write("one");
    scene.run(5);
    assert_eq!(scene.posted(), NOTHING);
    scene.send(0, "<inactive xmlns='urn:xmpp:csi:0'/>");
    scene.write("two");
    scene.run(5);
    assert_eq!(scene.posted(), [bare()]);
}

/// XEP-0198: a client that says nothing any more counts as gone, and what it may not have got is pushed; once, though its
/// session ends later, too.
#[test]
fn what_was_on_its_way_is_pushed_when_the_stream_breaks() {
    let mut scene = Scene::with_everybody_here(&[]);
    scene.send(0, "<presence/>");
    scene.write("one");
    scene.run(5);
    assert_eq!(scene.posted(), NOTHING);
    scene.run(300);
    assert_eq!(scene.posted(), [bare()]);
    scene.run(7_200);
    assert_eq!(scene.posted(), NOTHING);
}

#[test]
fn one_that_hangs_is_tried_again() {
    let mut scene = Scene::new(&[]);
    scene.world.posted().behave(Post::Hang);
    scene.write("one");
    scene.run(5);
    assert_eq!(scene.posted(), [bare()]);
    // 30 seconds for the answer.
    scene.run(30);
    assert_eq!(scene.state(), ("failing".to_owned(), "late".to_owned()));
    scene.world.posted().behave(Post::status(201));
    // And 30 to the next attempt.
    scene.run(60);
    assert_eq!(scene.posted(), [bare()]);
    assert_eq!(scene.state().0, "works");
    scene.run(7_200);
    assert_eq!(scene.posted(), NOTHING);
}

#[test]
fn one_that_redirects_is_not_followed_and_given_up() {
    let mut scene = Scene::new(&[errors_max(3)]);
    scene.world.posted().behave(Post::status(302));
    scene.write("one");
    scene.run(3_600);
    assert_eq!(scene.posted(), [bare(), bare(), bare()]);
    assert_eq!(scene.state(), ("dead".to_owned(), "redirect".to_owned()));
    scene.write("two");
    scene.run(3_600);
    assert_eq!(scene.posted(), NOTHING);
}

#[test]
fn one_that_is_gone_is_dropped_at_once() {
    for status in [404, 410] {
        let mut scene = Scene::new(&[]);
        scene.world.posted().behave(Post::status(status));
        scene.write("one");
        scene.run(3_600);
        assert_eq!(scene.posted(), [bare()]);
        assert_eq!(scene.state(), ("dead".to_owned(), "gone".to_owned()));
    }
}

#[test]
fn one_that_has_too_much_is_left_alone_for_as_long_as_it_wants() {
    let mut scene = Scene::new(&[]);
    scene.world.posted().behave(Post::Answer(WebAnswer {
        status: 429,
        retry_after_secs: Some(600),
    }));
    scene.write("one");
    scene.run(5);
    assert_eq!(scene.posted(), [bare()]);
    scene.world.posted().behave(Post::status(201));
    scene.write("two");
    scene.run(590);
    assert_eq!(scene.posted(), NOTHING);
    scene.run(20);
    assert_eq!(scene.posted(), [bare()]);
    assert_eq!(scene.state().0, "works");
}

#[test]
fn one_that_may_not_be_reached_says_why() {
    let mut scene = Scene::new(&[]);
    scene.world.posted().behave(Post::Fail(WebError::Private));
    scene.write("one");
    scene.run(5);
    let expected = ("failing".to_owned(), "private-address".to_owned());
    assert_eq!(scene.state(), expected);
}

#[test]
fn one_that_fails_is_told_apart() {
    for (status, word) in [(500, "service-error"), (403, "rejected"), (413, "rejected")] {
        let mut scene = Scene::new(&[]);
        scene.world.posted().behave(Post::status(status));
        scene.write("one");
        scene.run(5);
        assert_eq!(scene.state(), ("failing".to_owned(), word.to_owned()));
    }
}

/// What this server has no room for is tried again, and is nobody's fault.
/// Clients ask each time that they come: that is no reason to post to whoever wants to be left alone, and no excuse for what
/// fails.
#[test]
fn who_asks_anew_for_the_same_changes_nothing() {
    let mut scene = Scene::new(&[errors_max(2)]);
    scene.world.posted().behave(Post::Answer(WebAnswer {
        status: 429,
        retry_after_secs: Some(600),
    }));
    scene.write("one");
    scene.run(5);
    assert_eq!(scene.posted(), [bare()]);
    let ask_anew = |scene: &mut Scene| {
        scene.come(ALICE);
        let phone = scene.clients.len() - 1;
        scene.enable(phone);
        let alice = scene.clients.remove(phone);
        scene.world.cut(alice.link, Cut::Clean);
        scene.write("more");
        scene.run(5);
    };
    for _ in 0..5 {
        ask_anew(&mut scene);
        assert_eq!(scene.posted(), NOTHING);
        assert_eq!(scene.state(), ("failing".to_owned(), "too-many".to_owned()));
    }
    scene.run(600);
    assert_eq!(scene.posted(), [bare()]);
    assert_eq!(scene.state().0, "dead");
    // It is let be for an hour, and then has one more chance.
    ask_anew(&mut scene);
    assert_eq!(scene.posted(), NOTHING);
    scene.run(3_600);
    ask_anew(&mut scene);
    assert_eq!(scene.posted(), [bare()]);
    assert_eq!(scene.state().0, "dead");
    scene.run(3_600);
    scene.world.posted().behave(Post::status(201));
    ask_anew(&mut scene);
    assert_eq!(scene.posted(), [bare()]);
    assert_eq!(scene.state().0, "works");
}

/// Whoever knows only the password of before is told nothing, be it that a message waits to be told.
#[test]
fn another_password_ends_what_was_asked_for() {
    let mut scene = Scene::new(&[]);
    scene.world.posted().behave(Post::status(503));
    scene.write("one");
    scene.run(5);
    assert_eq!(scene.posted(), [bare()]);
    let arguments = json!({ "jid": ALICE, "password": "another one" });
    scene.world.admin("account passwd", arguments).unwrap();
    scene.write("two");
    scene.run(600);
    assert_eq!(scene.posted(), NOTHING);
    let listed = scene.world.admin("push list", json!({ "jid": ALICE }));
    assert_eq!(listed.unwrap()["services"], json!([]));
}

#[test]
fn what_there_is_no_room_for_counts_for_nothing() {
    let mut scene = Scene::new(&[errors_max(1)]);
    scene.world.posted().behave(Post::Fail(WebError::Busy));
    scene.write("one");
    scene.run(300);
    let tried = scene.posted();
    assert!((2..=10).contains(&tried.len()), "{tried:?}");
    assert_eq!(scene.state().0, "untried");
    scene.world.posted().behave(Post::status(201));
    scene.run(60);
    assert_eq!(scene.posted(), [bare()]);
    // What the operator has to set up is no fault of the service either, and the next message tells it.
    scene.world.posted().behave(Post::Fail(WebError::Unready));
    scene.write("two");
    scene.run(300);
    assert_eq!(scene.posted(), [bare()]);
    scene.world.posted().behave(Post::status(201));
    scene.run(60);
    assert_eq!(scene.posted(), NOTHING);
    scene.write("three");
    scene.run(5);
    assert_eq!(scene.posted(), [bare()]);
    assert_eq!(scene.state().0, "works");
}

/// The origins of what was posted.
fn origins(scene: &Scene) -> Vec<String> {
    let posts = scene.world.posted().take().into_iter();
    posts.map(|post| post.endpoint.origin()).collect()
}

/// Alice has two services more, and is gone: one hangs, or fails and wants to be left alone.
#[test]
fn one_that_hangs_or_fails_holds_up_no_other() {
    let late = Post::Answer(WebAnswer {
        status: 503,
        retry_after_secs: Some(3_600),
    });
    for does in [Post::Hang, late] {
        let mut scene = Scene::with_everybody_here(&[]);
        let (public, auth) = (scene.phone.public(), scene.phone.auth());
        let answer = scene.ask_for(0, "other", "https://other.example/", &public, &auth);
        assert!(answer.contains("type='result'"), "{answer}");
        scene
            .world
            .posted()
            .behave_at("https://other.example", does);
        let alice = scene.clients.remove(0);
        scene.world.cut(alice.link, Cut::Clean);
        scene.write("one");
        scene.run(5);
        let mut both = origins(&scene);
        both.sort();
        assert_eq!(both, ["https://other.example", "https://push.example"]);
        for _ in 0..3 {
            scene.write("more");
            scene.run(3);
            assert_eq!(origins(&scene), ["https://push.example"], "{does:?}");
        }
    }
}

/// What waits to be pushed is bounded, and so are the attempts.
#[test]
fn one_that_never_answers_while_ten_thousand_messages_come() {
    let counts = ("push_reveals", OptionValue::Text("count".to_owned()));
    let mut scene = Scene::new(&[counts]);
    scene.world.posted().behave(Post::Hang);
    for burst in 0..100 {
        for _ in 0..100 {
            scene.write(&format!("message {burst}"));
        }
        scene.run(1);
    }
    let tried = scene.posted();
    assert!((1..=3).contains(&tried.len()), "{tried:?}");
    scene.world.posted().behave(Post::status(201));
    scene.run(300);
    let told = scene.posted();
    let [content] = &told[..] else {
        panic!("{told:?}");
    };
    let count = content["messages"].as_u64().unwrap();
    assert!((100..=1_000).contains(&count), "{count}");
    assert_eq!(scene.state().0, "works");
    scene.run(7_200);
    assert_eq!(scene.posted(), NOTHING);
}

#[test]
fn thousands_of_services_are_as_many_as_there_may_be() {
    let mut scene = Scene::with_everybody_here(&[]);
    let (public, auth) = (scene.phone.public(), scene.phone.auth());
    for number in 0..2_000 {
        let enable = enable(&format!("n{number}"), ENDPOINT, &public, &auth);
        scene.clients[0].stream.send(enable.into());
        if number % 100 == 0 {
            scene.run(1);
        }
    }
    scene.run(5);
    let arguments = json!({ "jid": ALICE });
    let listed = scene.world.admin("push list", arguments).unwrap();
    let services = listed["services"].as_array().unwrap();
    assert_eq!(services.len(), 20);
    assert!(services.iter().any(|service| service["node"] == "n1999"));
    // No more than a few are posted to at a time.
    scene.world.posted().behave(Post::Hang);
    let alice = scene.clients.remove(0);
    scene.world.cut(alice.link, Cut::Clean);
    scene.write("one");
    scene.run(20);
    assert_eq!(scene.posted().len(), 4);
    scene.world.posted().behave(Post::status(201));
    scene.run(300);
    assert_eq!(scene.posted().len(), 20);
}

#[test]
fn what_cannot_be_posted_to_is_refused_where_the_client_learns_of_it() {
    let mut scene = Scene::with_everybody_here(&[]);
    let (public, auth) = (scene.phone.public(), scene.phone.auth());
    // A point beside the curve: the other half of the key is as it was.
    let elsewhere = format!("BAAA{}", &public[4..]);
    let long = |bytes: usize| format!("https://push.example/{}", "x".repeat(bytes));
    let (endpoint, private) = ("not-acceptable", "private address");
    let refused = [
        ("http://push.example/abc", &*public, &*auth, endpoint),
        ("https://127.0.0.1/abc", &public, &auth, private),
        ("https://[fe80::1]:8443/", &public, &auth, private),
        ("https://169.254.169.254/latest", &public, &auth, private),
        ("https://[::ffff:10.0.0.1]/", &public, &auth, private),
        (&long(2_000), &public, &auth, "1024 bytes"),
        (&long(10_000), &public, &auth, "policy-violation"),
        (ENDPOINT, &elsewhere, &auth, "p256dh"),
        (ENDPOINT, &public, "AAAA", "auth"),
        ("", "", "", endpoint),
    ];
    for (at, public, auth, why) in refused {
        let answer = scene.ask_for(0, "n", at, public, auth);
        let is_refused = answer.contains("type='error'") && answer.contains(why);
        assert!(is_refused, "{at} {public} {auth}: {answer}");
    }
    // What the operator allows.
    let option = ("web_push_private_addresses", OptionValue::Flag(true));
    let mut scene = Scene::with_everybody_here(&[option]);
    let answer = scene.ask_for(0, "n", "https://127.0.0.1/abc", &public, &auth);
    assert!(answer.contains("type='result'"), "{answer}");
}
