//! RFC 6120 §4.7: the answer to a header.

use waxwing_wire::{Event, Header, Limits, Reader};

use super::rig::{AUTH, BIND, HEADER, Rig, STARTTLS, binding};
use crate::StreamCondition;
use crate::server::Tls;

fn header(attributes: &str) -> String {
    format!(
        "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' {attributes}>"
    )
}

/// The first header in what the server sent, and what follows it.
fn answer(sent: &str) -> (Header, String) {
    let mut reader = Reader::new(Limits::SERVER);
    reader.push(sent.as_bytes());
    let Ok(Some(Event::Header(header))) = reader.next() else {
        panic!("no header: {sent:?}")
    };
    let end = sent
        .find("streams'")
        .map(|at| at + sent[at..].find('>').unwrap() + 1);
    (header, sent[end.unwrap()..].to_owned())
}

#[test]
fn answers_to_from_id_version_and_lang() {
    let table = [
        ("to='example.org' version='1.0'", "example.org", None, "en"),
        (
            "to='EXAMPLE.org.' version='1.0' xml:lang='de'",
            "example.org",
            None,
            "en",
        ),
        // The lower version counts (RFC 6120 §4.7.5).
        ("to='example.org' version='2.0'", "example.org", None, "en"),
        (
            "to='second.example' from='Alice@second.example/x' version='1.7' xml:lang='EN-gb'",
            "second.example",
            Some("alice@second.example"),
            "EN-gb",
        ),
    ];
    for (attributes, from, to, lang) in table {
        let mut rig = Rig::new(Tls::Required);
        let (answered, features) = answer(&rig.types(&header(attributes)));
        assert_eq!(answered.from.as_deref(), Some(from));
        assert_eq!(answered.to.as_deref(), to);
        assert_eq!(answered.version.as_deref(), Some("1.0"));
        assert_eq!(answered.lang.as_deref(), Some(lang));
        assert_eq!(
            features,
            "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>\
             </stream:features>"
        );
        assert!(rig.closed.is_none());
    }
}

#[test]
fn only_what_can_be_a_language_is_one() {
    let table = [
        ("xml:lang='de'", Some("de")),
        (
            "xml:lang='sl-rozaj-biske-1994'",
            Some("sl-rozaj-biske-1994"),
        ),
        ("", None),
        ("xml:lang=''", None),
        ("xml:lang='-de'", None),
        ("xml:lang='de-'", None),
        ("xml:lang='d e'", None),
        ("xml:lang='12'", None),
        ("xml:lang='de-&apos;'", None),
        ("xml:lang='ninechars'", None),
        (
            "xml:lang='a-b2345678-b2345678-b2345678-b23456'",
            Some("a-b2345678-b2345678-b2345678-b23456"),
        ),
        ("xml:lang='a-b2345678-b2345678-b2345678-b234567'", None),
    ];
    for (lang, taken) in table {
        let mut rig = Rig::new(Tls::Required);
        rig.types(&header(&format!("to='example.org' version='1.0' {lang}")));
        assert_eq!(rig.negotiation.lang(), taken, "{lang}");
    }
}

#[test]
fn each_stream_has_an_id_of_its_own() {
    let mut rig = Rig::new(Tls::Required);
    let mut ids = vec![answer(&rig.types(HEADER)).0.id.unwrap()];
    rig.types(STARTTLS);
    rig.negotiation.tls_started(binding());
    ids.push(answer(&rig.types(HEADER)).0.id.unwrap());
    rig.types(AUTH);
    ids.push(answer(&rig.types(HEADER)).0.id.unwrap());
    rig.types(BIND);
    assert_eq!(rig.bound.unwrap().bare(), "alice@example.org");
    assert!(ids.iter().all(|id| id.len() >= 16), "{ids:?}");
    assert!(
        ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2],
        "{ids:?}"
    );
}

/// RFC 6120 §4.9.1.2: an error in the header is answered by a header, the error, and the end.
#[test]
fn answers_a_wrong_header_with_a_header_first() {
    let table = [
        ("", "example.org", StreamCondition::UnsupportedVersion),
        (
            "to='example.org' version='0.9'",
            "example.org",
            StreamCondition::UnsupportedVersion,
        ),
        (
            "version='1.0'",
            "example.org",
            StreamCondition::ImproperAddressing,
        ),
        (
            "to='' version='1.0'",
            "example.org",
            StreamCondition::ImproperAddressing,
        ),
        (
            "to='a@example.org' version='1.0'",
            "example.org",
            StreamCondition::ImproperAddressing,
        ),
        (
            "to='example.org/x' version='1.0'",
            "example.org",
            StreamCondition::ImproperAddressing,
        ),
        (
            "to='example.org' from='@' version='1.0'",
            "example.org",
            StreamCondition::ImproperAddressing,
        ),
        (
            "to='other.example' version='1.0'",
            "example.org",
            StreamCondition::HostUnknown,
        ),
        (
            "to='gone.example' version='1.0'",
            "example.org",
            StreamCondition::HostGone,
        ),
        (
            "to='moved.example' version='1.0'",
            "example.org",
            StreamCondition::SeeOtherHost("[2001:db8::1]:5222".into()),
        ),
    ];
    for (attributes, from, expected) in table {
        let mut rig = Rig::in_tls_unopened();
        let (answered, rest) = answer(&rig.types(&header(attributes)));
        assert_eq!(answered.from.as_deref(), Some(from), "{attributes}");
        assert!(answered.id.is_some() && answered.version.is_some() && answered.lang.is_some());
        let start = format!(
            "<stream:error><{} xmlns='urn:ietf:params:xml:ns:xmpp-streams'",
            expected.name()
        );
        assert!(rest.starts_with(&start), "{attributes}: {rest}");
        assert!(rest.ends_with("</stream:error></stream:stream>"), "{rest}");
        assert_eq!(rig.condition(), Some(expected), "{attributes}");
    }
}

#[test]
fn answers_what_is_no_header_with_a_header_first() {
    let streams = "xmlns:stream='http://etherx.jabber.org/streams'";
    let table = [
        (format!("<stream:stream to='example.org' version='1.0' xmlns='jabber:server' {streams}>"), StreamCondition::InvalidNamespace),
        (format!("<stream:stream to='example.org' version='1.0' {streams}>"), StreamCondition::InvalidNamespace),
        ("<stream:stream to='example.org' version='1.0' xmlns='jabber:client' xmlns:stream='urn:other'>".into(), StreamCondition::InvalidNamespace),
        (format!("<stream:strom to='example.org' version='1.0' xmlns='jabber:client' {streams}>"), StreamCondition::BadFormat),
        ("<?xml version='1.0' encoding='latin1'?><stream:stream>".into(), StreamCondition::UnsupportedEncoding),
        ("<!DOCTYPE x><stream:stream>".into(), StreamCondition::RestrictedXml),
        ("<!-- hello --><stream:stream>".into(), StreamCondition::RestrictedXml),
        ("GET / HTTP/1.1\r\n\r\n".into(), StreamCondition::NotWellFormed),
        ("\u{16}\u{3}\u{1}".into(), StreamCondition::NotWellFormed),
        (format!("<stream:stream x='{}'", "y".repeat(5000)), StreamCondition::PolicyViolation),
    ];
    for (xml, expected) in table {
        let mut rig = Rig::in_tls_unopened();
        let sent = rig.types(&xml);
        assert!(!sent.is_empty(), "{xml}");
        let (answered, rest) = answer(&sent);
        assert_eq!(answered.from.as_deref(), Some("example.org"));
        assert!(rest.starts_with("<stream:error>"), "{rest}");
        assert_eq!(rig.condition(), Some(expected), "{xml}");
    }
}

/// With the namespace of streams as the default one, its content would be in it too.
#[test]
fn a_stream_without_prefix_is_refused() {
    let mut rig = Rig::in_tls_unopened();
    rig.types("<stream to='example.org' version='1.0' xmlns='http://etherx.jabber.org/streams'>");
    assert_eq!(rig.condition(), Some(StreamCondition::BadNamespacePrefix));
}

#[test]
fn after_log_in_the_stream_belongs_to_the_account() {
    let table = [
        (
            "to='example.org' version='1.0' from='alice@example.org'",
            None,
        ),
        (
            "to='example.org' version='1.0' from='alice@example.org/x'",
            None,
        ),
        (
            "to='example.org' version='1.0' from='bob@example.org'",
            Some(StreamCondition::InvalidFrom),
        ),
        (
            "to='second.example' version='1.0'",
            Some(StreamCondition::NotAuthorized),
        ),
    ];
    for (attributes, expected) in table {
        let mut rig = Rig::in_tls();
        rig.types(AUTH);
        rig.types(&header(attributes));
        assert_eq!(rig.condition(), expected, "{attributes}");
    }
}

#[test]
fn an_error_before_any_header_is_told_in_a_stream() {
    let mut rig = Rig::in_tls_unopened();
    rig.negotiation
        .close(StreamCondition::SystemShutdown.into());
    let (answered, rest) = answer(&rig.drains());
    assert_eq!(answered.from.as_deref(), Some("example.org"));
    assert_eq!(
        rest,
        "<stream:error><system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>"
    );
}

impl Rig {
    fn in_tls_unopened() -> Rig {
        Rig::new(Tls::Started(binding()))
    }
}
