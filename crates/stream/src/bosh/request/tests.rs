use super::*;
use waxwing_wire::{Fault, Limit};

fn read(attributes: &str, content: &str) -> Result<Request, RequestError> {
    let text = format!("<body xmlns='{HTTP_BIND}' {attributes}>{content}</body>");
    Request::parse(&Bytes::from(text), &Limits::CLIENT)
}

fn carry(rid: u64, content: &str) -> Request {
    read(&format!("rid='{rid}' sid='s'"), content).unwrap()
}

#[test]
fn requests_are_read() {
    let request = carry(7, " <iq xmlns='jabber:client'/>\n<x xmlns='y'/> ");
    assert_eq!(request.rid, 7);
    assert_eq!(request.sid.as_deref(), Some("s"));
    assert_eq!(request.task, Task::Carry);
    assert_eq!(
        request.elements,
        ["<iq xmlns='jabber:client'/>", "<x xmlns='y'/>"]
    );
    let attributes = "rid='1' to='a.example' xml:lang='de' wait='60' hold='2' ver='1.10' ack='1'";
    let Ok(Task::Create(create)) = read(attributes, "").map(|request| request.task) else {
        panic!("no session is asked for")
    };
    assert_eq!((create.wait_secs, create.hold, create.acks), (60, 2, true));
    assert_eq!(create.version, Some((1, 10)));
    let open = Element::parse(&create.open).unwrap();
    assert!(open.is(ns::FRAMING, "open"));
    assert_eq!(open.attr("to"), Some("a.example"));
    assert_eq!(open.attr("xml:lang"), Some("de"));
    let task = |attributes: &str| {
        let attributes = format!("rid='1' sid='s' xmlns:x='{XBOSH}' {attributes}");
        read(&attributes, "").map(|request| request.task)
    };
    assert_eq!(task("type='terminate' pause='1'"), Ok(Task::Terminate));
    assert_eq!(task("pause='60'"), Ok(Task::Pause(60)));
    assert!(matches!(task("x:restart='1'"), Ok(Task::Restart(_))));
    assert!(matches!(task("x:restart='true'"), Ok(Task::Restart(_))));
    assert_eq!(task("x:restart='false'"), Ok(Task::Carry));
    assert_eq!(task("restart='true'"), Ok(Task::Carry));
}

#[test]
fn what_is_no_request_is_refused() {
    let parse =
        |text: &str| Request::parse(&Bytes::copy_from_slice(text.as_bytes()), &Limits::CLIENT);
    let body = format!("<body xmlns='{HTTP_BIND}' rid='1' sid='s'");
    let deep = format!("{body}>{}{}</body>", "<a>".repeat(70), "</a>".repeat(70));
    let table = [
        (String::new(), WireError::from(Fault::Truncated).into()),
        (format!("{body}>"), WireError::from(Fault::Truncated).into()),
        (
            format!("{body}/>{body}/>"),
            WireError::from(Fault::Trailing).into(),
        ),
        (deep, WireError::from(Limit::Depth).into()),
        ("<body rid='1'/>".to_owned(), RequestError::Root),
        (
            format!("<bodies xmlns='{HTTP_BIND}' rid='1'/>"),
            RequestError::Root,
        ),
        (format!("<body xmlns='{HTTP_BIND}'/>"), RequestError::Rid),
        (format!("{body} pause='x'/>"), RequestError::Number("pause")),
        (format!("{body} ack='-1'/>"), RequestError::Number("ack")),
        (format!("{body}>text</body>"), RequestError::Text),
        (
            format!("{body}><a xmlns='b'/> text</body>"),
            RequestError::Text,
        ),
    ];
    for (text, error) in table {
        assert_eq!(parse(&text), Err(error), "{text}");
    }
    for rid in [
        "",
        "0",
        "-1",
        "+1",
        "1.0",
        "1e3",
        "9007199254740992",
        "99999999999999999999",
    ] {
        assert_eq!(
            read(&format!("rid='{rid}'"), ""),
            Err(RequestError::Rid),
            "{rid}"
        );
    }
    assert!(read("rid='9007199254740991'", "").is_ok());
}

/// What inherits something of the wrapper has it by itself, and is of the stream's kind.
#[test]
fn elements_stand_without_their_body() {
    let attributes = "rid='1' sid='s' xmlns:p='urn:p' xmlns:q='urn:q'";
    let content =
        "<message><body/></message><p:a q:b='1'/><c:iq xmlns:c='jabber:client'><x/></c:iq>";
    let request = read(attributes, content).unwrap();
    assert_eq!(
        request.elements,
        [
            "<message xmlns='jabber:client'><body/></message>",
            "<p:a xmlns='jabber:client' xmlns:p='urn:p' xmlns:q='urn:q' q:b='1'/>",
            "<c:iq xmlns='jabber:client' xmlns:c='jabber:client'><x/></c:iq>",
        ]
    );
    let text = format!("<b:body xmlns:b='{HTTP_BIND}' xmlns='urn:d' rid='1' sid='s'><x/></b:body>");
    let request = Request::parse(&Bytes::from(text), &Limits::CLIENT).unwrap();
    assert_eq!(request.elements, ["<x xmlns='urn:d'/>"]);
}

/// XEP-0124 §7.1: what becomes a header of responses.
#[test]
fn a_session_may_want_its_responses_to_have_a_type() {
    let asked = |content: &str| {
        let attributes = format!("rid='1' content='{content}'");
        read(&attributes, "").map(|request| match request.task {
            Task::Create(create) => create.content,
            _ => panic!("no session is asked for"),
        })
    };
    for content in [
        "text/xml; charset=utf-8",
        "text/xml;charset=UTF-8",
        "text/html",
        "TEXT/Plain",
        "text/xml ; charset=\"utf-8\"",
        "application/x-www-form-urlencoded",
        "application/soap+xml",
    ] {
        assert_eq!(asked(content), Ok(Some(content.to_owned())), "{content}");
    }
    let long = format!("text/{}", "x".repeat(128));
    for content in [
        "",
        "text",
        "text/",
        "/xml",
        "text/xml/xml",
        "text/x ml",
        " text/xml",
        "text/xml ",
        "text/xml;",
        "text/xml; charset=iso-8859-1",
        "text/xml; charset=utf-8; a=b",
        "text/xml; boundary=x",
        "text/xml&#13;&#10;Set-Cookie: a=b",
        "text/xml;&#10;charset=utf-8",
        "text/xml;&#9;charset=utf-8",
        "text/\u{fc}",
        "multipart/form-data",
        "image/svg+xml",
        "message/http",
        "*/*",
        "text/*",
        &long,
    ] {
        assert_eq!(asked(content), Err(RequestError::Content), "{content:?}");
    }
    // Of a session that has begun it is not asked again.
    assert!(read("rid='1' sid='s' content='nonsense'", "").is_ok());
}
