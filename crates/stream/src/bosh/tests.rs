use bytes::Bytes;
use waxwing_wire::{Element, Limits};

use super::*;

mod keys;
mod too_much;

const SECOND: u64 = 1_000_000;
const TERMS: Terms = Terms {
    wait_secs_max: 60,
    hold_max: 1,
    inactivity_secs_max: 30,
    pause_secs_max: 120,
    polling_secs_min: 5,
    response_bytes_max: 100,
};
const OPENED: &str = "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' from='a.example' id='x'/>";
const FEATURES: &str = "<stream:features xmlns:stream='http://etherx.jabber.org/streams'/>";

fn read(attributes: &str, content: &str) -> Result<Request, RequestError> {
    let text = format!("<body xmlns='{HTTP_BIND}' {attributes}>{content}</body>");
    Request::parse(&Bytes::from(text), &Limits::CLIENT)
}

fn carry(rid: u64, content: &str) -> Request {
    read(&format!("rid='{rid}' sid='s'"), content).unwrap()
}

/// A session whose first request has the number 10, and the time in microseconds.
struct Play {
    session: Session,
    now: u64,
    fed: Vec<String>,
    responses: Vec<(Handle, Element)>,
    received: u64,
    cut: bool,
}

impl Play {
    /// With a response to its first request.
    fn begun(attributes: &str) -> Play {
        let mut play = Play::new(attributes);
        play.say(OPENED);
        play.say(FEATURES);
        play.idle();
        let (handle, first) = play.responses.remove(0);
        assert_eq!(handle, 10);
        assert_eq!(first.attr("sid"), Some("s"));
        play.fed.clear();
        play
    }

    fn new(attributes: &str) -> Play {
        let request = read(&format!("rid='10' {attributes}"), "").unwrap();
        let Task::Create(create) = &request.task else {
            panic!("no session is asked for")
        };
        let mut play = Play {
            session: Session::new(TERMS, "s".to_owned(), &request, create),
            now: 0,
            fed: Vec::new(),
            responses: Vec::new(),
            received: 0,
            cut: false,
        };
        play.ask(request, 10);
        play
    }

    fn ask(&mut self, request: Request, handle: Handle) {
        self.session.handle_request(request, handle, self.now);
        self.drain();
    }

    /// Asks with an empty request, and lets the stream have nothing to say.
    fn wait(&mut self, rid: u64) {
        self.ask(carry(rid, ""), rid);
        self.idle();
    }

    fn say(&mut self, element: &'static str) {
        self.session
            .handle_element(Bytes::from_static(element.as_bytes()));
    }

    fn idle(&mut self) {
        self.session.handle_idle(self.now);
        self.drain();
    }

    fn pass(&mut self, secs: u64) {
        self.now += secs * SECOND;
        self.session.handle_time(self.now);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll() {
            match output {
                Output::Feed(bytes) => self.fed.push(String::from_utf8(bytes.into()).unwrap()),
                Output::Respond(handle, bytes, _) => {
                    let body = Element::parse(&bytes).unwrap();
                    assert!(body.is(HTTP_BIND, "body"));
                    self.responses.push((handle, body));
                }
                Output::Received(elements) => self.received = elements,
                Output::Cut => self.cut = true,
            }
        }
    }

    /// The responses since the last time: for whom, `type` and `condition` where they are, and the
    /// names of what is in it.
    fn responses(&mut self) -> Vec<(Handle, String)> {
        let responses = std::mem::take(&mut self.responses).into_iter();
        let short = |body: &Element| {
            let attributes = ["type", "condition"].map(|name| body.attr(name).unwrap_or_default());
            let names = body.children().map(Element::name);
            let words = attributes.into_iter().chain(names);
            words
                .filter(|word| !word.is_empty())
                .collect::<Vec<_>>()
                .join(" ")
        };
        responses
            .map(|(handle, body)| (handle, short(&body)))
            .collect()
    }

    fn assert_responses(&mut self, expected: &[(Handle, &str)]) {
        let got = self.responses();
        let got: Vec<_> = got
            .iter()
            .map(|(rid, text)| (*rid, text.as_str()))
            .collect();
        assert_eq!(got, expected);
    }
}

const ORDINARY: &str = "to='a.example' wait='60' hold='1' ver='1.6'";

type Told = &'static [(&'static str, Option<&'static str>)];
/// What is asked for, and what is told.
const ASKED_AND_TOLD: [(&str, Told); 5] = [
    (
        "wait='60' hold='1' ver='1.6'",
        &[
            ("wait", Some("60")),
            ("hold", Some("1")),
            ("requests", Some("2")),
            ("ver", Some("1.6")),
            ("polling", None),
            ("ack", None),
        ],
    ),
    (
        "wait='3600' hold='9' ver='2.0' ack='1'",
        &[
            ("wait", Some("60")),
            ("hold", Some("1")),
            ("ver", Some("1.11")),
            ("ack", Some("10")),
        ],
    ),
    (
        "",
        &[
            ("wait", Some("60")),
            ("hold", Some("1")),
            ("requests", Some("2")),
            ("inactivity", Some("30")),
        ],
    ),
    (
        "wait='0' hold='1'",
        &[
            ("wait", Some("0")),
            ("hold", Some("0")),
            ("requests", Some("1")),
            ("polling", Some("5")),
            ("inactivity", Some("40")),
            ("ver", None),
        ],
    ),
    (
        "wait='60' hold='0'",
        &[
            ("wait", Some("60")),
            ("hold", Some("0")),
            ("polling", Some("5")),
        ],
    ),
];

#[test]
fn the_first_response_tells_the_terms() {
    for (asked, told) in ASKED_AND_TOLD {
        let mut play = Play::new(asked);
        assert_eq!(play.fed.len(), 1);
        play.idle();
        play.pass(600);
        assert!(play.responses.is_empty(), "without features");
        play.say(OPENED);
        play.say(FEATURES);
        play.idle();
        let [(10, body)] = &play.responses[..] else {
            panic!("not one response")
        };
        for (name, value) in told {
            assert_eq!(body.attr(name), *value, "{asked}: {name}");
        }
        assert_eq!(body.attr("from"), Some("a.example"));
        assert_eq!(body.attr("maxpause"), Some("120"));
        let restarts = body
            .attributes()
            .find(|attribute| *attribute.name == *"restartlogic");
        let restarts = restarts.map(|attribute| (&*attribute.ns, attribute.value.as_str()));
        assert_eq!(restarts, Some((XBOSH, "true")));
        assert_eq!(
            body.children().map(Element::name).collect::<Vec<_>>(),
            ["features"]
        );
    }
}

#[test]
fn a_request_is_held_until_there_is_something_to_say() {
    let mut play = Play::begun(ORDINARY);
    play.wait(11);
    play.assert_responses(&[]);
    play.say("<a/>");
    play.say("<b/>");
    play.idle();
    play.assert_responses(&[(11, "a b")]);
    // Another one, and the first is let go.
    play.wait(12);
    play.ask(carry(13, "<iq xmlns='jabber:client'/>"), 13);
    play.idle();
    assert_eq!(play.fed, ["<iq xmlns='jabber:client'/>"]);
    play.assert_responses(&[(12, "")]);
    play.pass(59);
    play.assert_responses(&[]);
    play.pass(1);
    play.assert_responses(&[(13, "")]);
    // What is said meanwhile waits.
    play.say("<c/>");
    play.idle();
    play.wait(14);
    play.assert_responses(&[(14, "c")]);
}

#[test]
fn requests_have_their_order() {
    let mut play = Play::begun(ORDINARY);
    play.ask(carry(12, "<b xmlns='x'/>"), 12);
    play.idle();
    assert!(play.fed.is_empty());
    play.ask(carry(11, "<a xmlns='x'/>"), 11);
    play.idle();
    assert_eq!(play.fed, ["<a xmlns='x'/>", "<b xmlns='x'/>"]);
    play.assert_responses(&[(11, "")]);
}

#[test]
fn a_place_beyond_the_window_ends_the_session() {
    for (attributes, rid, refused) in [
        ("", 12, false),
        ("", 13, true),
        ("type='terminate'", 13, false),
        ("type='terminate'", 14, true),
        ("pause='9'", 14, true),
        ("", 9_007_199_254_740_991_u64, true),
    ] {
        let mut play = Play::begun(ORDINARY);
        play.ask(
            read(&format!("rid='{rid}' sid='s' {attributes}"), "").unwrap(),
            99,
        );
        play.idle();
        let expected: &[_] = if refused {
            &[(99, "terminate item-not-found")]
        } else {
            &[]
        };
        play.assert_responses(expected);
        assert_eq!(
            (play.cut, play.session.is_over()),
            (refused, refused),
            "{rid}"
        );
    }
}

/// XEP-0124 §14.3.
#[test]
fn responses_are_repeated() {
    let mut play = Play::begun(ORDINARY);
    for rid in 11..14 {
        play.say("<a/>");
        play.wait(rid);
    }
    play.assert_responses(&[(11, "a"), (12, "a"), (13, "a")]);
    play.ask(carry(13, "<never xmlns='x'/>"), 23);
    play.ask(carry(12, ""), 22);
    play.assert_responses(&[(23, "a"), (22, "a")]);
    assert!(play.fed.is_empty(), "a repetition is not worked on");
    // One that waits: the former sender is told to try again, the new one gets the response.
    play.wait(14);
    play.ask(carry(14, ""), 24);
    play.assert_responses(&[(14, "error")]);
    play.say("<b/>");
    play.idle();
    play.assert_responses(&[(24, "b")]);
    // No longer kept.
    play.ask(carry(11, ""), 31);
    play.assert_responses(&[(31, "terminate item-not-found")]);
    assert!(play.cut);
}

#[test]
fn a_silent_client_is_gone() {
    let mut play = Play::begun(ORDINARY);
    play.pass(29);
    play.wait(11);
    play.pass(60);
    play.assert_responses(&[(11, "")]);
    assert_eq!(play.session.deadline_micros(), Some(play.now + 30 * SECOND));
    play.pass(30);
    assert!(play.cut && play.session.is_over());
    play.ask(carry(12, ""), 12);
    play.assert_responses(&[(12, "terminate item-not-found")]);
    // A request whose turn never came keeps no session, and is not left without response.
    let mut play = Play::begun(ORDINARY);
    play.wait(12);
    play.pass(31);
    assert!(play.cut && play.session.is_over());
    play.assert_responses(&[(12, "terminate item-not-found")]);
}

/// XEP-0124 §10.
#[test]
fn a_client_may_ask_for_silence() {
    let mut play = Play::begun(ORDINARY);
    let pause =
        |rid: u64, secs: u64| read(&format!("rid='{rid}' sid='s' pause='{secs}'"), "").unwrap();
    play.wait(11);
    play.ask(pause(12, 100), 12);
    play.assert_responses(&[(11, ""), (12, "")]);
    play.say("<a/>");
    play.pass(99);
    assert!(!play.cut);
    // Answered without what waits.
    play.ask(pause(13, 100), 13);
    play.idle();
    play.assert_responses(&[(13, "")]);
    // Back to normal.
    play.wait(14);
    play.assert_responses(&[(14, "a")]);
    play.pass(30);
    assert!(play.cut);
    // More than there may be is an ordinary request.
    let mut play = Play::begun(ORDINARY);
    play.ask(pause(11, 121), 11);
    play.idle();
    play.assert_responses(&[]);
}

#[test]
fn what_came_through_is_known() {
    // By the window: the place of 10 is used again by 12. Elements 1 and 2 are the stream's beginning.
    let mut play = Play::begun(ORDINARY);
    play.wait(11);
    play.say("<a/>");
    play.idle();
    assert_eq!(play.received, 0);
    play.wait(12);
    assert_eq!(play.received, 2);
    play.say("<b/>");
    play.say("<c/>");
    play.idle();
    play.wait(13);
    assert_eq!(play.received, 3);
    play.wait(14);
    assert_eq!(play.received, 5);
    // By saying so, and by not saying otherwise.
    let mut play = Play::begun("wait='60' hold='1' ver='1.6' ack='1'");
    play.wait(11);
    assert_eq!(play.received, 2);
    play.say("<a/>");
    play.idle();
    play.ask(read("rid='12' sid='s' ack='10'", "").unwrap(), 12);
    assert_eq!(play.received, 2);
    play.ask(read("rid='13' sid='s' ack='11'", "").unwrap(), 13);
    assert_eq!(play.received, 3);
    // A client cannot have received what it asks for.
    play.idle();
    play.say("<b/>");
    play.idle();
    play.ask(read("rid='14' sid='s' ack='99'", "").unwrap(), 14);
    assert_eq!(play.received, 4);
    play.idle();
    let acks: Vec<_> = play
        .responses
        .iter()
        .map(|(rid, body)| (*rid, body.attr("ack").map(str::to_owned)))
        .collect();
    assert_eq!(acks, [(11, None), (12, Some("13".to_owned())), (13, None)]);
}

#[test]
fn a_response_has_its_size() {
    let mut play = Play::begun(ORDINARY);
    let large = "<large>0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789</large>";
    for element in ["<a/>", large, "<b/>", "<c/>"] {
        play.say(element);
    }
    for rid in 11..14 {
        play.wait(rid);
    }
    play.assert_responses(&[(11, "a"), (12, "large"), (13, "b c")]);
}

#[test]
fn the_end_is_told() {
    let close = "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>";
    // By the client, whose other request is let go.
    let mut play = Play::begun(ORDINARY);
    play.wait(11);
    let end = read(
        "rid='12' sid='s' type='terminate'",
        "<presence xmlns='jabber:client' type='unavailable'/>",
    );
    play.ask(end.unwrap(), 12);
    assert_eq!(play.fed.len(), 2);
    assert_eq!(play.fed[1], close);
    play.say(close);
    play.session.handle_end();
    play.idle();
    play.assert_responses(&[(11, "terminate"), (12, "")]);
    assert!(play.session.is_over() && !play.cut);
    // By the stream, with a request that waits or with the next one.
    for waits in [true, false] {
        let mut play = Play::begun(ORDINARY);
        if waits {
            play.wait(11);
        }
        play.say("<message xmlns='jabber:client'/>");
        play.say("<stream:error xmlns:stream='http://etherx.jabber.org/streams'/>");
        play.say(close);
        play.session.handle_end();
        play.idle();
        assert_eq!(play.session.is_over(), waits);
        if !waits {
            play.wait(11);
        }
        play.assert_responses(&[(11, "terminate remote-stream-error message error")]);
        assert!(play.session.is_over());
    }
}
