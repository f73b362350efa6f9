//! A client over WebSocket, one frame at a time.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};
use waxwing_tests::Built;
use waxwing_wire::{Element, ns};

use crate::rig::{soon, tls_client};

pub(crate) const OPEN: &str =
    "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='waxwing.example' version='1.0'/>";
pub(crate) const CLOSE: &str = "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>";
const URL: &str = "wss://waxwing.example/xmpp-websocket";

/// A WebSocket to the server.
pub(crate) struct Ws(pub(crate) WebSocketStream<TlsStream<TcpStream>>);

/// TLS to the HTTPS port.
pub(crate) async fn tls(built: &Built) -> TlsStream<TcpStream> {
    tls_at(built.https, &built.authority).await
}

pub(crate) async fn tls_at(https: SocketAddr, authority: &Path) -> TlsStream<TcpStream> {
    tls_over(TcpStream::connect(https).await.unwrap(), authority).await
}

/// TLS over a connection that there is.
pub(crate) async fn tls_over(socket: TcpStream, authority: &Path) -> TlsStream<TcpStream> {
    let config = tls_client(authority, rustls::DEFAULT_VERSIONS);
    let name = ServerName::try_from("waxwing.example").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    soon(connector.connect(name, socket)).await.unwrap()
}

/// Asks for a WebSocket with these headers.
pub(crate) async fn connect(built: &Built, headers: &[(&'static str, &str)]) -> Result<Ws, Error> {
    let mut request = URL.into_client_request().unwrap();
    for (name, value) in headers {
        let value = HeaderValue::from_str(value).unwrap();
        request.headers_mut().insert(*name, value);
    }
    let stream = tls(built).await;
    let (socket, _) = soon(tokio_tungstenite::client_async(request, stream)).await?;
    Ok(Ws(socket))
}

/// Connected, nothing said.
pub(crate) async fn new(built: &Built) -> Ws {
    connect(built, &[("sec-websocket-protocol", "xmpp")])
        .await
        .unwrap()
}

/// Connected, and the stream is open; gives the features too.
pub(crate) async fn open(built: &Built) -> (Ws, Element) {
    let mut ws = new(built).await;
    let features = ws.restart().await;
    (ws, features)
}

/// Logged in, nothing bound.
pub(crate) async fn log_in(built: &Built, user: (&str, &str)) -> (Ws, Element) {
    let (mut ws, _) = open(built).await;
    let secret = BASE64_STANDARD.encode(format!("\0{}\0{}", user.0, user.1));
    ws.say(&format!(
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>"
    ))
    .await;
    let success = ws.next().await;
    assert_eq!((success.ns(), success.name()), (ns::SASL, "success"));
    let features = ws.restart().await;
    (ws, features)
}

/// With a resource bound.
pub(crate) async fn bound(built: &Built, user: (&str, &str)) -> Ws {
    let (mut ws, features) = log_in(built, user).await;
    assert!(features.child(ns::BIND, "bind").is_some());
    ws.say("<iq xmlns='jabber:client' type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>")
        .await;
    let answer = ws.named("iq").await;
    assert_eq!(answer.attr("type"), Some("result"));
    ws
}

impl Ws {
    pub(crate) async fn say(&mut self, text: &str) {
        soon(self.0.send(Message::text(text))).await.unwrap();
    }

    /// Says bytes where frames are expected.
    pub(crate) async fn raw(&mut self, bytes: &[u8]) {
        let stream = self.0.get_mut();
        soon(stream.write_all(bytes)).await.unwrap();
        soon(stream.flush()).await.unwrap();
    }

    /// The next message of the WebSocket that is not a ping.
    pub(crate) async fn message(&mut self) -> Option<Message> {
        loop {
            match soon(self.0.next()).await {
                Some(Ok(Message::Ping(_))) => {}
                Some(Ok(message)) => return Some(message),
                Some(Err(_)) | None => return None,
            }
        }
    }

    /// The text of the next frame.
    pub(crate) async fn text(&mut self) -> String {
        match self.message().await {
            Some(Message::Text(text)) => text.to_string(),
            other => panic!("no text came, but {other:?}"),
        }
    }

    /// The next frame, which must be an element without context.
    pub(crate) async fn next(&mut self) -> Element {
        let text = self.text().await;
        Element::parse(&text).unwrap()
    }

    /// The next stanza of this name.
    pub(crate) async fn named(&mut self, name: &str) -> Element {
        loop {
            let element = self.next().await;
            if (element.ns(), element.name()) == (ns::CLIENT, name) {
                return element;
            }
        }
    }

    /// Opens the stream, at first or again, and gives its features.
    pub(crate) async fn restart(&mut self) -> Element {
        self.say(OPEN).await;
        let open = self.next().await;
        assert_eq!((open.ns(), open.name()), (ns::FRAMING, "open"));
        assert_eq!(open.attr("from"), Some("waxwing.example"));
        assert!(open.attr("id").is_some());
        let features = self.next().await;
        assert_eq!((features.ns(), features.name()), (ns::STREAMS, "features"));
        features
    }

    /// Waits for the end: the condition of the stream error, and the code of the WebSocket.
    pub(crate) async fn end(&mut self) -> (Option<String>, Option<u16>) {
        let mut condition = None;
        let mut closed = false;
        loop {
            match self.message().await {
                Some(Message::Text(text)) => {
                    let element = Element::parse(text.as_str()).unwrap();
                    match (element.ns(), element.name()) {
                        (ns::STREAMS, "error") => {
                            let first = element.children().next();
                            condition = first.map(|child| child.name().to_owned());
                        }
                        (ns::FRAMING, "close") => closed = true,
                        _ => assert!(!closed, "{text} comes after <close/>"),
                    }
                }
                Some(Message::Close(frame)) => {
                    return (condition, frame.map(|frame| frame.code.into()));
                }
                Some(_) => {}
                None => return (condition, None),
            }
        }
    }
}

/// One request and all of its answer, over TLS or not.
pub(crate) async fn ask(built: &Built, over_tls: bool, request: &str) -> String {
    let mut answer = Vec::new();
    if over_tls {
        let mut stream = tls(built).await;
        stream.write_all(request.as_bytes()).await.unwrap();
        soon(stream.read_to_end(&mut answer)).await.unwrap();
    } else {
        let mut stream = TcpStream::connect(built.http).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        soon(stream.read_to_end(&mut answer)).await.unwrap();
    }
    String::from_utf8(answer).unwrap()
}
