//! The conversation runner: what it plays, and that it fails where it must.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use waxwing_testkit::Seed;
use waxwing_testkit::conversation::{Conversation, Failure, run_in_memory};

const HEAD: &str = "# Title\n\n```cast\nalice/phone is available\nbob/phone is available\n```\n\n\
    ## Section\n\n<https://xmpp.org/>\n\n";

/// A conversation whose one section holds this, from line 12 on.
fn with(steps: &str) -> String {
    format!("{HEAD}{steps}\n")
}

fn parse(text: &str) -> Result<Conversation, Failure> {
    Conversation::parse("file.md", text)
}

fn played(steps: &str) -> Result<(), Failure> {
    let conversation = parse(&with(steps))?;
    assert_eq!(conversation.sections.len(), 1);
    run_in_memory("file.md", &conversation.sections[0], Seed(1))
}

/// The line and the words of a failure.
fn failure<T: std::fmt::Debug>(outcome: Result<T, Failure>) -> (usize, String) {
    let failure = outcome.unwrap_err();
    (failure.line, failure.what)
}

const HELLO: &str = "```xml\nalice/phone → server\n<message to='bob@example.org' type='chat'>\
    <body>Hello</body></message>\n";

#[test]
fn what_comes_as_written_passes() {
    let steps = format!(
        "{HELLO}\nserver -> bob/phone:\n<message type='chat' …><body>Hello</body>…</message>\n```\n\n\
         > alice/phone and bob/phone get nothing"
    );
    played(&steps).unwrap();
}

#[test]
fn what_comes_otherwise_fails_at_its_line() {
    let steps = format!(
        "{HELLO}\nserver → bob/phone\n<message type='chat' …><body>Bye</body>…</message>\n```"
    );
    let (line, what) = failure(played(&steps));
    assert_eq!(line, 16);
    assert!(what.contains("holds the text 'Hello', not 'Bye'"), "{what}");
    assert!(what.contains("  -   <body>Bye</body>"), "{what}");
    assert!(what.contains("  +   <body>Hello</body>"), "{what}");
    assert!(what.contains("seed 1"), "{what}");
}

#[test]
fn what_does_not_come_fails() {
    let steps = "```xml\nserver → bob/phone\n<message/>\n```";
    let (line, what) = failure(played(steps));
    assert_eq!(line, 13);
    assert!(what.contains("bob/phone got nothing"), "{what}");
}

#[test]
fn what_nobody_expects_fails() {
    let steps = format!("{HELLO}```\n\n> bob/phone gets nothing");
    let (line, what) = failure(played(&steps));
    assert_eq!(line, 17);
    assert!(
        what.contains("bob/phone got what nobody expected"),
        "{what}"
    );
    // Also where nobody asks.
    let steps = format!("{HELLO}```\n\n> alice/phone gets nothing");
    assert!(failure(played(&steps)).1.contains("nobody expected"));
}

#[test]
fn connections_that_end_are_asserted() {
    let closing = "```xml\nalice/phone → server\n</stream:stream>\n\nserver → alice/phone\n</stream:stream>\n```\n";
    played(&format!("{closing}\n> alice/phone is disconnected")).unwrap();
    let (_, what) = failure(played(closing));
    assert!(what.contains("connection, which nobody expected"), "{what}");
    assert!(played("> alice/phone is disconnected").is_err());
}

#[test]
fn log_ins_that_are_refused_are_asserted() {
    played("> alice/laptop cannot log in with the password \"x\"").unwrap();
    let (_, what) = failure(played("> alice/laptop cannot log in"));
    assert!(what.contains("alice/laptop can log in"), "{what}");
    let steps = "> alice/laptop logs in with the password \"x\"\n\n> alice/laptop gets nothing";
    assert_eq!(failure(played(steps)).0, 12);
}

#[test]
fn a_restart_ends_every_connection() {
    for act in ["restarts", "crashes"] {
        let gone = format!("> the server {act}\n\n> alice/phone gets nothing");
        let (line, what) = failure(played(&gone));
        assert_eq!((line, what.contains("has no connection")), (14, true));
        let back =
            format!("> the server {act}\n\n> alice/phone logs in\n\n> alice/phone gets nothing");
        played(&back).unwrap();
    }
}

#[test]
fn names_that_are_bound_to_nothing_fail() {
    let steps =
        "```xml\nalice/phone → server\n<iq id='{id}' type='get'/>\n```\n\n> bob/phone gets nothing";
    assert!(failure(played(steps)).1.contains("{id}"));
}

#[test]
fn what_cannot_be_read_is_an_error_at_its_line() {
    for (steps, line, word) in [
        ("> bob/phone sleeps", 12, "sleeps"),
        ("> 5 fortnights pass", 12, "fortnights"),
        ("> carol/phone gets nothing", 12, "not in the cast"),
        ("```xml\n<message/>\n```", 13, "who says this"),
        ("```xml\n```", 12, "nobody says anything"),
        (
            "```xml\nserver → bob/phone\n<message>\n```",
            13,
            "no whole element",
        ),
        ("```xml\nserver → bob/phone\n```", 13, "expects nothing"),
        ("```xml\nalice/phone → server\n<a></b>\n```", 13, "raw"),
        (
            "```xml\nalice/phone → bob/phone\n<a/>\n```",
            13,
            "who speaks",
        ),
        (
            "```xml\nserver → bob/phone, slowly\n<a/>\n```",
            13,
            "who speaks",
        ),
        ("```xml\nserver → bob/phone\n<a b='{'/>\n```", 13, "brace"),
        ("```json\n{}\n```", 12, "json"),
        ("```xml\nserver → bob/phone", 12, "no end"),
        ("```cast\nalice is happy\n```", 13, "happy"),
        ("```cast\nalice is available\n```", 13, "needs a resource"),
        (
            "> bob/phone gets nothing\n\n## Section",
            14,
            "second section",
        ),
    ] {
        let (at, what) = failure(parse(&with(steps)));
        assert_eq!((at, what.contains(word)), (line, true), "{steps}: {what}");
    }
}

#[test]
fn a_file_that_asserts_nothing_is_an_error() {
    let asserting = with("> bob/phone gets nothing");
    parse(&asserting).unwrap();
    for (text, word) in [
        (String::new(), "no title"),
        (with(""), "no section"),
        (with("> \"Nothing happens\" is a quotation."), "no section"),
        (with(&format!("{HELLO}```")), "asserts nothing"),
        (
            asserting.replace("<https://xmpp.org/>", ""),
            "does not link",
        ),
    ] {
        let (_, what) = failure(parse(&text));
        assert!(what.contains(word), "{what}");
    }
}

#[test]
fn what_stands_before_the_first_section_begins_each() {
    let text = "# Title\n\n```cast\nalice/phone is bound\n```\n\n```xml\nalice/phone → server\n\
        <iq id='1' type='get'><ping xmlns='urn:xmpp:ping'/></iq>\n\nserver → alice/phone\n\
        <iq id='1' to='alice@example.org/phone' type='result'/>\n```\n\n\
        ## One\n\n<https://xmpp.org/>\n\n> alice/phone gets nothing\n\n\
        ## Words\n\nNo steps.\n\n\
        ## Two\n\n<https://xmpp.org/>\n\n```cast\nalice/phone is available\n```\n\n> alice/phone gets nothing\n";
    let conversation = parse(text).unwrap();
    assert_eq!(conversation.sections.len(), 2);
    for section in &conversation.sections {
        assert_eq!(section.steps.len(), 3);
        run_in_memory("file.md", section, Seed(1)).unwrap();
    }
}

#[test]
fn what_a_new_specification_begins_with_can_be_read() {
    let template = include_str!("../../../xtask/src/new_xep/conversation.txt");
    let text = template
        .replace("{number}", "0280")
        .replace("{title}", "Message Carbons")
        .replace("{word}", "carbons")
        .replace("{ns}", "urn:xmpp:carbons:2");
    assert_eq!(parse(&text).unwrap().sections.len(), 1);
}
