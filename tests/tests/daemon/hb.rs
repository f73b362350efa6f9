//! A client over BOSH, one request at a time or several.

use std::net::SocketAddr;
use std::path::PathBuf;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;
use waxwing_tests::Built;
use waxwing_wire::{Element, ns};

use crate::rig::soon;
use crate::ws::tls_at;

pub(crate) const HTTP_BIND: &str = "http://jabber.org/protocol/httpbind";
pub(crate) const BEGIN: &str =
    "to='waxwing.example' xml:lang='en' wait='50' hold='1' ver='1.6' xmpp:version='1.0'";

/// The content of a request.
pub(crate) fn body(attributes: &str, content: &str) -> String {
    format!("<body xmlns='{HTTP_BIND}' xmlns:xmpp='urn:xmpp:xbosh' {attributes}>{content}</body>")
}

/// The head of a request with so much content.
pub(crate) fn head(length: usize, headers: &str) -> String {
    format!(
        "POST /http-bind HTTP/1.1\r\nHost: waxwing.example\r\nContent-Type: text/xml; charset=utf-8\r\n\
         Content-Length: {length}\r\nConnection: close\r\n{headers}\r\n"
    )
}

/// The HTTPS port of a server.
#[derive(Clone)]
pub(crate) struct Port {
    https: SocketAddr,
    authority: PathBuf,
}

impl From<&Built> for Port {
    fn from(built: &Built) -> Port {
        Port {
            https: built.https,
            authority: built.authority.clone(),
        }
    }
}

/// Posts; the whole answer.
pub(crate) async fn post(port: impl Into<Port>, headers: &str, content: &[u8]) -> String {
    let port = port.into();
    let mut stream = tls_at(port.https, &port.authority).await;
    let head = head(content.len(), headers);
    stream.write_all(head.as_bytes()).await.unwrap();
    // The server may have answered and gone before it has read all.
    let _cut = stream.write_all(content).await;
    let mut answer = Vec::new();
    let _reset = soon(stream.read_to_end(&mut answer)).await;
    String::from_utf8(answer).unwrap()
}

/// Posts a `<body/>`, and gives that of the answer.
pub(crate) async fn exchange(port: impl Into<Port>, content: String) -> Element {
    let answer = post(port, "", content.as_bytes()).await;
    let (head, content) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let body = Element::parse(content).unwrap();
    assert!(body.is(HTTP_BIND, "body"), "{content}");
    body
}

/// Posts a `<body/>` while the test goes on.
pub(crate) fn begin(port: impl Into<Port>, content: String) -> JoinHandle<Element> {
    tokio::spawn(exchange(port.into(), content))
}

/// A session.
pub(crate) struct Bosh {
    pub(crate) port: Port,
    pub(crate) sid: String,
    pub(crate) rid: u64,
}

impl Bosh {
    /// A session without log-in; gives the first response too.
    pub(crate) async fn begin(built: &Built, attributes: &str) -> (Bosh, Element) {
        let rid = 1_573_741_820;
        let content = body(&format!("rid='{rid}' {attributes}"), "");
        let first = exchange(built, content).await;
        let sid = first.attr("sid").unwrap().to_owned();
        let port = built.into();
        (Bosh { port, sid, rid }, first)
    }

    /// Logged in, nothing bound.
    pub(crate) async fn log_in(built: &Built, user: (&str, &str)) -> Bosh {
        let (mut bosh, _) = Bosh::begin(built, BEGIN).await;
        let secret = BASE64_STANDARD.encode(format!("\0{}\0{}", user.0, user.1));
        let auth = format!(
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>"
        );
        let answer = bosh.say(&auth).await;
        assert!(answer.child(ns::SASL, "success").is_some(), "{answer:?}");
        let restart = "to='waxwing.example' xmpp:restart='true'";
        let answer = bosh.send(restart, "").await;
        let features = answer.child(ns::STREAMS, "features").unwrap();
        assert!(features.child(ns::BIND, "bind").is_some());
        bosh
    }

    /// With a resource bound.
    pub(crate) async fn bound(built: &Built, user: (&str, &str)) -> Bosh {
        let mut bosh = Bosh::log_in(built, user).await;
        let bind = "<iq xmlns='jabber:client' type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";
        let answer = bosh.say(bind).await;
        let iq = answer.child(ns::CLIENT, "iq").unwrap();
        assert_eq!(iq.attr("type"), Some("result"));
        bosh
    }

    /// The content of the next request.
    pub(crate) fn next(&mut self, attributes: &str, content: &str) -> String {
        self.rid += 1;
        self.at(self.rid, attributes, content)
    }

    /// The content of a request with this place.
    pub(crate) fn at(&self, rid: u64, attributes: &str, content: &str) -> String {
        let sid = &self.sid;
        body(&format!("rid='{rid}' sid='{sid}' {attributes}"), content)
    }

    pub(crate) async fn send(&mut self, attributes: &str, content: &str) -> Element {
        let content = self.next(attributes, content);
        exchange(self.port.clone(), content).await
    }

    pub(crate) async fn say(&mut self, content: &str) -> Element {
        self.send("", content).await
    }

    /// Asks until a stanza of this name comes.
    pub(crate) async fn wait_for(&mut self, name: &str) -> Element {
        let mut answer = self.say("").await;
        loop {
            if let Some(stanza) = answer.child(ns::CLIENT, name) {
                return stanza.clone();
            }
            assert_eq!(answer.attr("type"), None, "{answer:?}");
            answer = self.say("").await;
        }
    }
}
