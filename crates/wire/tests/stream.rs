//! A stream as the reader sees it.

#![allow(clippy::panic, reason = "helpers of tests fail by panics")]

use waxwing_wire::{
    Beyond, Event, Fault, Header, Limit, Limits, Reader, Restricted, Stanza, StreamFault,
    WireError, ns,
};

const HEADER: &str =
    "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

/// Events of bytes that come in pieces of this length, but for whitespace.
fn events(limits: Limits, bytes: &[u8], piece: usize) -> (Vec<Event>, Result<(), WireError>) {
    let mut reader = Reader::new(limits);
    let mut events = Vec::new();
    for piece in bytes.chunks(piece) {
        reader.push(piece);
        loop {
            match reader.next() {
                Ok(None) => break,
                Ok(Some(Event::Whitespace)) => {}
                Ok(Some(event)) => events.push(event),
                Err(error) => return (events, Err(error)),
            }
        }
    }
    (events, Ok(()))
}

/// The same, whatever the pieces.
fn read(limits: Limits, bytes: &[u8]) -> (Vec<Event>, Result<(), WireError>) {
    let whole = events(limits, bytes, bytes.len().max(1));
    for piece in (1..bytes.len()).take(64) {
        assert_eq!(events(limits, bytes, piece), whole, "in pieces of {piece}");
    }
    whole
}

fn header(bytes: &str) -> Result<Header, WireError> {
    let (events, end) = read(Limits::CLIENT, bytes.as_bytes());
    end?;
    match events.into_iter().next() {
        Some(Event::Header(header)) => Ok(header),
        other => panic!("{other:?}"),
    }
}

/// What the stream says after its header.
fn after_header(limits: Limits, rest: &str) -> (Vec<Event>, Result<(), WireError>) {
    let (mut events, end) = read(limits, format!("{HEADER}{rest}").as_bytes());
    assert!(matches!(events.remove(0), Event::Header(_)));
    (events, end)
}

fn error(rest: &str) -> WireError {
    after_header(Limits::CLIENT, rest).1.expect_err(rest)
}

fn reader(limits: Limits) -> Reader {
    let mut reader = Reader::new(limits);
    reader.push(HEADER.as_bytes());
    assert!(matches!(reader.next(), Ok(Some(Event::Header(_)))));
    assert_eq!(reader.next(), Ok(None));
    reader
}

fn stanza(events: &[Event]) -> &Stanza {
    match events {
        [Event::Stanza(stanza)] => stanza,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_stream_is_read_whole_and_in_pieces() {
    let (events, end) = after_header(
        Limits::CLIENT,
        "<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>\n<presence/> <message><body>é<![CDATA[]><]]]]></body></message></stream:stream >",
    );
    assert_eq!(end, Ok(()));
    let [
        Event::Stanza(iq),
        Event::Stanza(presence),
        Event::Stanza(message),
        Event::Close,
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!(
        (iq.ns(), iq.name(), iq.id().as_deref()),
        (ns::CLIENT, "iq", Some("1"))
    );
    assert_eq!(&presence.bytes()[..], b"<presence/>");
    assert_eq!(
        message
            .child(ns::CLIENT, "body")
            .map(|body| body.element().text())
            .as_deref(),
        Some("é]><]]")
    );
}

#[test]
fn the_header_says_who_and_what() {
    let read = header(
        "<?xml version=\"1.0\" encoding='utf-8'?>\n<s:stream from='a&amp;b' to='c' id='d' version='1.0' xml:lang='en' e='f'\n \
         xmlns='jabber:server' xmlns:s='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback'>",
    );
    let read = read.expect("a header");
    assert_eq!(
        (read.from.as_deref(), read.to.as_deref(), read.id.as_deref()),
        (Some("a&b"), Some("c"), Some("d"))
    );
    assert_eq!(
        (read.version.as_deref(), read.lang.as_deref()),
        (Some("1.0"), Some("en"))
    );
    assert_eq!(read.default_ns, ns::SERVER);
    let prefixes: Vec<_> = read
        .prefixes
        .iter()
        .map(|(prefix, ns)| (prefix.as_str(), ns.as_str()))
        .collect();
    assert_eq!(prefixes, [("s", ns::STREAMS), ("db", ns::DIALBACK)]);
    let bare = header("<stream xmlns='http://etherx.jabber.org/streams'>").expect("a header");
    assert_eq!(
        (bare.to, bare.version, &*bare.default_ns),
        (None, None, ns::STREAMS)
    );
}

/// Every case with `STREAMS` for the declaration of the streams' namespace.
fn refuses_headers(error: impl Into<WireError>, cases: &[&str]) {
    let error = error.into();
    for case in cases {
        let bytes = case.replace("STREAMS", "xmlns:stream='http://etherx.jabber.org/streams'");
        assert_eq!(header(&bytes), Err(error), "{bytes}");
    }
}

#[test]
fn a_header_that_is_none_is_refused_by_name() {
    refuses_headers(
        StreamFault::Namespace,
        &["<stream>", "<stream:stream xmlns:stream='other'>"],
    );
    refuses_headers(StreamFault::Root, &["<stream:x STREAMS>"]);
    refuses_headers(Fault::UnboundPrefix, &["<stream:stream>"]);
    // At once: nobody waits for the rest of what is no header.
    refuses_headers(
        Fault::Tag,
        &[
            "GET / HTTP/1.1\r\n",
            " x<stream:stream STREAMS>",
            "\u{FEFF}<stream:stream STREAMS>",
        ],
    );
    refuses_headers(
        Fault::DuplicateAttribute,
        &["<stream:stream STREAMS to='a' to='b'>"],
    );
    refuses_headers(Restricted::Doctype, &["<!DOCTYPE x"]);
    refuses_headers(Restricted::Comment, &["<!-- x"]);
    let long = format!("<stream:stream STREAMS to='{}'>", "a".repeat(5000));
    refuses_headers(Limit::HeaderBytes, &[&long, &long[..4500]]);
}

#[test]
fn a_declaration_that_is_none_is_refused_by_name() {
    refuses_headers(
        Restricted::ProcessingInstruction,
        &[
            " <?xml version='1.0'?><stream:stream STREAMS>",
            "<?xml-x y?><stream:stream STREAMS>",
            "<?xml version='1.0'?><?x?><stream:stream STREAMS>",
        ],
    );
    refuses_headers(
        StreamFault::Encoding,
        &[
            "<?xml version='1.0' encoding='latin1'?><stream:stream STREAMS>",
            "<?xml version='1.0' encoding='UTF-16'?><stream:stream STREAMS>",
        ],
    );
    refuses_headers(
        Fault::Declaration,
        &[
            "<?xml?><stream:stream STREAMS>",
            "<?xml encoding='UTF-8'?><stream:stream STREAMS>",
            "<?xml version='2.0'?><stream:stream STREAMS>",
            "<?xml version=1.0?><stream:stream STREAMS>",
            "<?xml version='1.0'encoding='UTF-8'?><stream:stream STREAMS>",
            "<?xml version='1.0' standalone='maybe'?><stream:stream STREAMS>",
            "<?xml version='1.0' x='y'?><stream:stream STREAMS>",
        ],
    );
}

#[test]
fn conditions_are_those_of_the_rfc() {
    let conditions: &[(WireError, &str)] = &[
        (Fault::EndTag.into(), "not-well-formed"),
        (Fault::Utf8.into(), "not-well-formed"),
        (Restricted::Comment.into(), "restricted-xml"),
        (Limit::Depth.into(), "policy-violation"),
        (StreamFault::Text.into(), "bad-format"),
        (StreamFault::Root.into(), "bad-format"),
        (StreamFault::Namespace.into(), "invalid-namespace"),
        (StreamFault::Encoding.into(), "unsupported-encoding"),
    ];
    for (error, condition) in conditions {
        assert_eq!(error.condition(), *condition);
    }
}

#[test]
fn what_is_no_stanza_ends_the_stream() {
    assert_eq!(error("x"), StreamFault::Text.into());
    assert_eq!(error("<a/>&lt;"), StreamFault::Text.into());
    assert_eq!(error("<a/><![CDATA[ ]]>"), StreamFault::Text.into());
    assert_eq!(error("</stream>"), Fault::EndTag.into());
    assert_eq!(error("</stream:stream x='y'>"), Fault::EndTag.into());
    assert_eq!(error("<!-- x -->"), Restricted::Comment.into());
    assert_eq!(error("<a><!-- x --></a>"), Restricted::Comment.into());
    assert_eq!(error("<?x?>"), Restricted::ProcessingInstruction.into());
    assert_eq!(
        error("<?xml version='1.0'?><stream:stream/>"),
        Restricted::ProcessingInstruction.into()
    );
    assert_eq!(error("<a><b></a></b>"), Fault::EndTag.into());
    assert_eq!(error("<a>\0</a>"), Fault::Character.into());
    let (events, end) = after_header(Limits::CLIENT, "<a/><b>&x;</b><c/>");
    assert_eq!(
        (stanza(&events).name(), end),
        ("a", Err(Restricted::Entity.into()))
    );
}

#[test]
fn an_error_stays() {
    let mut reader = reader(Limits::CLIENT);
    reader.push(b"<a></b>");
    assert_eq!(reader.next(), Err(Fault::EndTag.into()));
    reader.push(b"<a/>");
    assert_eq!(reader.next(), Err(Fault::EndTag.into()));
    assert_eq!(reader.buffered(), 0);
}

#[test]
fn after_its_end_a_stream_says_nothing() {
    let mut reader = reader(Limits::CLIENT);
    reader.push(b"<a/></stream:stream><b></c>");
    assert!(matches!(reader.next(), Ok(Some(Event::Stanza(_)))));
    assert_eq!(reader.next(), Ok(Some(Event::Close)));
    reader.push(b"<d/>");
    assert_eq!((reader.next(), reader.buffered()), (Ok(None), 0));

    let (events, end) = read(
        Limits::CLIENT,
        format!("{}/><a/>", HEADER.trim_end_matches('>')).as_bytes(),
    );
    assert!(matches!(events[..], [Event::Header(_), Event::Close]));
    assert_eq!(end, Ok(()));
}

#[test]
fn whitespace_between_stanzas_is_a_sign_of_life() {
    let mut reader = reader(Limits::CLIENT);
    reader.push(b" \n\t\r ");
    assert_eq!(reader.next(), Ok(Some(Event::Whitespace)));
    assert_eq!((reader.next(), reader.buffered()), (Ok(None), 0));
    reader.push(b"<a> ");
    assert_eq!(reader.next(), Ok(None));
}

#[test]
fn restart_drops_what_was_not_read() {
    let mut reader = reader(Limits::CLIENT);
    reader.push(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>\n");
    assert!(matches!(reader.next(), Ok(Some(Event::Stanza(_)))));
    assert!(!reader.restart(), "only whitespace");
    reader.push(HEADER.as_bytes());
    reader.push(b"<starttls/><auth>injected</auth>");
    assert!(matches!(reader.next(), Ok(Some(Event::Header(_)))));
    assert!(matches!(reader.next(), Ok(Some(Event::Stanza(_)))));
    assert!(reader.restart(), "a whole stanza");
    assert_eq!((reader.next(), reader.buffered()), (Ok(None), 0));
    reader.push(HEADER.as_bytes());
    assert!(matches!(reader.next(), Ok(Some(Event::Header(_)))));
}

#[test]
fn prefixes_of_the_header_are_declared_where_they_are_used() {
    let header = "<s:stream xmlns='jabber:server' xmlns:s='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback' xmlns:q='a&amp;b'>";
    let cases = [
        (
            "<db:result to='a'/>",
            "<db:result xmlns:db='jabber:server:dialback' to='a'/>",
        ),
        (
            "<s:error><a/></s:error>",
            "<s:error xmlns:s='http://etherx.jabber.org/streams'><a/></s:error>",
        ),
        (
            "<a><b db:c=''><s:d/></b></a>",
            "<a xmlns:s='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback'><b db:c=''><s:d/></b></a>",
        ),
        ("<a><q:b/></a>", "<a xmlns:q='a&amp;b'><q:b/></a>"),
        ("<db:a xmlns:db='x'/>", "<db:a xmlns:db='x'/>"),
        (
            "<a><db:b xmlns:db='x'/><db:c/></a>",
            "<a xmlns:db='jabber:server:dialback'><db:b xmlns:db='x'/><db:c/></a>",
        ),
    ];
    for (written, expected) in cases {
        let (events, end) = read(Limits::SERVER, format!("{header}{written}").as_bytes());
        assert_eq!(end, Ok(()));
        assert_eq!(stanza(&events[1..]).bytes(), expected, "{written}");
    }
    let (events, _) = read(Limits::SERVER, format!("{header}<db:result/>").as_bytes());
    assert_eq!(stanza(&events[1..]).ns(), ns::DIALBACK);
    assert_eq!(stanza(&events[1..]).outer_ns(), ns::SERVER);
    let (_, end) = read(
        Limits::SERVER,
        format!("{header}<a xmlns:t='jabber:server:dialback' t:b='' db:b=''/>").as_bytes(),
    );
    assert_eq!(end, Err(Fault::DuplicateAttribute.into()));
}

#[test]
fn limits_close_a_clients_stream() {
    let limits = Limits {
        stanza_bytes_max: 100,
        depth_max: 3,
        attributes_max: 2,
        prefixes_max: 1,
        elements_max: 4,
        ..Limits::CLIENT
    };
    let exactly = format!("<a>{}</a>", "x".repeat(93));
    assert_eq!(exactly.len(), 100);
    for fits in [
        &*exactly,
        "<a><b><c/></b></a>",
        "<a b='' c=''/>",
        "<a><b/><c/><d/></a>",
        "<a xmlns:p=''/>".replace("=''", "='n'").as_str(),
    ] {
        assert_eq!(after_header(limits, fits).1, Ok(()), "{fits}");
    }
    let cases = [
        (exactly.replace('x', "é"), Limit::StanzaBytes),
        (format!("<a>{}</a>", "x".repeat(94)), Limit::StanzaBytes),
        (format!("<a b='{}'/>", "x".repeat(100)), Limit::StanzaBytes),
        (format!("<a>{}", "x".repeat(1000)), Limit::StanzaBytes),
        ("<a><b><c><d/></c></b></a>".to_owned(), Limit::Depth),
        ("<a b='' c='' d=''/>".to_owned(), Limit::Attributes),
        ("<a><b/><c/><d/><e/></a>".to_owned(), Limit::Elements),
        (
            "<a xmlns:p='n'><b xmlns:q='n'><q:c/></b></a>".to_owned(),
            Limit::Prefixes,
        ),
    ];
    for (beyond, limit) in cases {
        assert_eq!(
            after_header(limits, &beyond),
            (vec![], Err(limit.into())),
            "{beyond}"
        );
    }
    // Refused by itself, the stanza is not too large: the declaration makes it so.
    let declared = format!("<stream:a>{}</stream:a>", "x".repeat(70));
    assert_eq!(
        after_header(limits, &declared).1,
        Err(Limit::StanzaBytes.into())
    );
}

#[test]
fn ill_formed_is_not_called_too_large() {
    let limits = Limits {
        stanza_bytes_max: 100,
        depth_max: 3,
        ..Limits::CLIENT
    };
    let long = "x".repeat(200);
    for (bytes, fault) in [
        (format!("<a></b>{long}</a>"), Fault::EndTag),
        (format!("<a b='<{long}'/>"), Fault::LessThan),
        (format!("<p:a>{long}</p:a>"), Fault::UnboundPrefix),
        ("<a><b><c><d></c></d></b></a>".to_owned(), Fault::EndTag),
    ] {
        let (_, end) = after_header(limits, &bytes);
        assert_eq!(end, Err(fault.into()), "{bytes}");
    }
    // Names of tags beyond `depth_max` are not kept.
    let (_, end) = after_header(limits, "<a><b><c><d><e></d></e></c></b></a>");
    assert_eq!(end, Err(Limit::Depth.into()));
}

#[test]
fn a_servers_stream_outlives_what_is_beyond_limits() {
    let limits = Limits {
        stanza_bytes_max: 100,
        depth_max: 3,
        attributes_max: 4,
        beyond: Beyond::Skip,
        ..Limits::SERVER
    };
    let cases = [
        (
            format!("<a to='b' id='&amp;' ><b>{}</b></a>", "x>".repeat(100)),
            Limit::StanzaBytes,
            Some("<a to='b' id='&amp;' />"),
        ),
        (
            format!("<a to='{}'/>", "x".repeat(200)),
            Limit::StanzaBytes,
            None,
        ),
        (
            "<a to='b'><b><c><d>x</d></c></b></a>".to_owned(),
            Limit::Depth,
            Some("<a to='b'/>"),
        ),
        (
            "<a to='b'><b c='' d='' e='' f='' g=''/></a>".to_owned(),
            Limit::Attributes,
            Some("<a to='b'/>"),
        ),
        (
            "<a b='' c='' d='' e='' f=''/>".to_owned(),
            Limit::Attributes,
            None,
        ),
        (
            "<a to='é'><é/></a>".to_owned(),
            Limit::NonAsciiName,
            Some("<a to='é'/>"),
        ),
        (
            "<a to='b'/>".replace("<a", "<a xmlns='}'"),
            Limit::NamespaceName,
            None,
        ),
    ];
    for (beyond, limit, root) in cases {
        let (events, end) = after_header(limits, &format!("<x/>{beyond}<y/>"));
        assert_eq!(end, Ok(()));
        let [Event::Stanza(x), Event::Skipped(skipped), Event::Stanza(y)] = &events[..] else {
            panic!("{events:?}")
        };
        assert_eq!((x.name(), y.name(), skipped.limit), ("x", "y", limit));
        assert_eq!(
            skipped.root.as_ref().map(|root| root.bytes().as_ref()),
            root.map(str::as_bytes)
        );
    }
    let (_, end) = after_header(limits, "<a><é></b></a>");
    assert_eq!(end, Err(Fault::EndTag.into()), "ill-formed is not skipped");
}

#[test]
fn skipping_holds_no_more_than_one_stanza() {
    let mut reader = reader(Limits::SERVER);
    reader.push(b"<message to='a@b' id='c'><body>");
    let piece = [b'x'; 16 * 1024];
    for _ in 0..1000 {
        reader.push(&piece);
        assert_eq!(reader.next(), Ok(None));
        assert!(reader.buffered() <= Limits::SERVER.stanza_bytes_max);
    }
    reader.push(b"</body></message><presence/>");
    let Ok(Some(Event::Skipped(skipped))) = reader.next() else {
        panic!("not skipped")
    };
    let root = skipped.root.expect("its root");
    assert_eq!(
        (root.to().as_deref(), root.id().as_deref()),
        (Some("a@b"), Some("c"))
    );
    assert!(
        matches!(reader.next(), Ok(Some(Event::Stanza(presence))) if presence.name() == "presence")
    );
}

#[test]
fn new_limits_hold_from_the_next_stanza_on() {
    let mut reader = reader(Limits::BEFORE_LOGIN);
    reader.set_limits(Limits::CLIENT);
    reader.push(format!("<a>{}</a>", "x".repeat(20_000)).as_bytes());
    assert!(matches!(reader.next(), Ok(Some(Event::Stanza(_)))));
}
