//! External components over sockets: their listeners, their secrets, and what a reload does to them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use waxwing_stanza::Reply;
use waxwing_stream::component::{Connector, ConnectorError, ConnectorOutput, Secret};
use waxwing_stream::{StreamCondition, StreamError};
use waxwing_tests::{Built, BuiltError, BuiltOptions};
use waxwing_wire::{Event, Limits, Reader, Stanza, ns};

use crate::metrics::figures;
use crate::reload::{edit, hang_up, logged};
use crate::rig::{ALICE, available, next, say, soon, tls_client};

const HOST: &str = "irc.waxwing.example";
const SECRET: &str = "a secret of a component";

const SECTION: &str = "\n[component.\"irc.waxwing.example\"]\nsecret_file = \"irc.secret\"\n";

/// A server that lets in a component, over both listeners.
fn options(name: &str) -> BuiltOptions {
    let mut options = BuiltOptions::new(name).account(ALICE.0, ALICE.1);
    options.listen =
        "components_loopback = [\"{ip}:5347\"]\ncomponents_tls = [\"{ip}:5348\"]\n".into();
    options.secrets = vec![("irc.secret".to_owned(), format!("{SECRET}\n"))];
    options.config = SECTION.to_owned();
    options
}

/// A component's stream.
struct Component<S> {
    socket: S,
    reader: Reader,
    /// Whether it answers the pings by which the server learns what it has read.
    answers: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Component<S> {
    /// Goes through the handshake; an error is why it is not let in.
    async fn join(socket: S, secret: &str) -> Result<Component<S>, ConnectorError> {
        let reader = Reader::new(Limits::SERVER);
        let mut component = Component {
            socket,
            reader,
            answers: true,
        };
        let mut connector = Connector::new(HOST, Secret::new(secret).unwrap());
        loop {
            while let Some(output) = connector.poll() {
                match output {
                    ConnectorOutput::Send(bytes) => component.say(&bytes).await,
                    ConnectorOutput::Ready => return Ok(component),
                    ConnectorOutput::Close(error) => return Err(error),
                }
            }
            let event = component.event().await.expect("the server says why");
            connector.handle_event(event);
        }
    }

    async fn say(&mut self, bytes: &[u8]) {
        // The server may have gone before it has heard all.
        let _gone = soon(self.socket.write_all(bytes)).await;
    }

    /// What comes next; nothing at the end of the connection.
    async fn event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.reader.next().unwrap() {
                return Some(event);
            }
            let mut buffer = vec![0; 4_096];
            match soon(self.socket.read(&mut buffer)).await {
                Ok(count) if count > 0 => self.reader.push(&buffer[..count]),
                _ => return None,
            }
        }
    }

    async fn stanza(&mut self) -> Stanza {
        loop {
            match self.event().await {
                Some(Event::Stanza(stanza)) if stanza.has_child("urn:xmpp:ping", "ping") => {
                    if self.answers {
                        let answer = Reply::new(&stanza).result(None).unwrap();
                        self.say(&answer).await;
                    }
                }
                Some(Event::Stanza(stanza)) => return stanza,
                other => panic!("{other:?}"),
            }
        }
    }

    /// Why the server ends the stream.
    async fn end(&mut self) -> StreamCondition {
        let error = loop {
            let stanza = self.stanza().await;
            if stanza.ns() == ns::STREAMS {
                break StreamError::read(&stanza.element());
            }
        };
        while self.event().await.is_some() {}
        error.condition
    }
}

async fn plain(built: &Built) -> Component<TcpStream> {
    let socket = TcpStream::connect(built.components).await.unwrap();
    Component::join(socket, SECRET).await.unwrap()
}

fn refusal(error: Option<ConnectorError>) -> StreamCondition {
    match error {
        Some(ConnectorError::Refused(error)) => error.condition,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_component_connects_with_tls_and_without_and_nobody_is_shown_its_secret() {
    let built = Built::start({
        let mut options = options("daemon-component");
        options.log = "trace".to_owned();
        options
    });
    let built = built.unwrap();
    let mut alice = available(&built, ALICE).await;
    let mut address = built.components;
    address.set_port(5348);
    let config = Arc::new(tls_client(&built.authority, rustls::DEFAULT_VERSIONS));
    let name = ServerName::try_from("waxwing.example").unwrap();
    let socket = TcpStream::connect(address).await.unwrap();
    let socket = TlsConnector::from(config)
        .connect(name, socket)
        .await
        .unwrap();
    let mut component = Component::join(socket, SECRET).await.unwrap();
    say(
        &mut alice,
        &format!("<message to='x@{HOST}' id='1'><body>hello</body></message>"),
    )
    .await;
    let came = component.stanza().await;
    assert_eq!((came.ns(), came.name()), (ns::COMPONENT, "message"));
    assert_eq!(came.to().as_deref(), Some("x@irc.waxwing.example"));
    let answer = format!(
        "<message from='x@{HOST}' to='alice@waxwing.example' id='2'><body>hi</body></message>"
    );
    component.say(answer.as_bytes()).await;
    assert_eq!(next(&mut alice, "message").await.id().as_deref(), Some("2"));

    // One at a time; the first one goes on.
    let socket = TcpStream::connect(built.components).await.unwrap();
    let second = Component::join(socket, SECRET).await.err();
    assert_eq!(refusal(second), StreamCondition::Conflict);
    let socket = TcpStream::connect(built.components).await.unwrap();
    let wrong = Component::join(socket, "another").await.err();
    assert_eq!(refusal(wrong), StreamCondition::NotAuthorized);
    component.say(b"</stream:stream>").await;
    while component.event().await.is_some() {}
    drop(plain(&built).await);
    assert!(!built.log().unwrap().contains(SECRET));
}

/// What was acknowledged is there after a kill: the message's own stream has confirmed nothing else.
#[tokio::test]
async fn what_waits_for_a_component_survives_the_server() {
    let mut built = Built::start(options("daemon-component-kill")).unwrap();
    let mut alice = available(&built, ALICE).await;
    say(
        &mut alice,
        &format!("<message to='x@{HOST}' id='1'><body>one</body></message>"),
    )
    .await;
    // The answer comes behind the commit.
    say(
        &mut alice,
        "<iq type='get' to='waxwing.example' id='p'><ping xmlns='urn:xmpp:ping'/></iq>",
    )
    .await;
    assert_eq!(next(&mut alice, "iq").await.id().as_deref(), Some("p"));
    built.kill().unwrap();
    built.restart().unwrap();
    let mut component = plain(&built).await;
    let came = component.stanza().await;
    assert_eq!(came.id().as_deref(), Some("1"));
    assert!(came.has_child("urn:xmpp:delay", "delay"));
}

/// What one session with it has read, until it dies: nothing is lost, and no more comes twice than was on its way.
#[tokio::test]
async fn a_component_that_dies_gets_what_it_had_not_read() {
    const MESSAGES: usize = 1_000;
    let built = Built::start(options("daemon-component-dies")).unwrap();
    let mut alice = available(&built, ALICE).await;
    for number in 0..MESSAGES {
        let message = format!("<message to='x@{HOST}' id='{number}'><body>one</body></message>");
        say(&mut alice, &message).await;
    }
    let ping = "<iq type='get' to='waxwing.example' id='p'><ping xmlns='urn:xmpp:ping'/></iq>";
    say(&mut alice, ping).await;
    assert_eq!(next(&mut alice, "iq").await.id().as_deref(), Some("p"));

    let mut read = Vec::new();
    for lives in [150, 1, 300, MESSAGES] {
        let mut component = plain(&built).await;
        for _ in 0..lives {
            let id = component.stanza().await.id().unwrap().into_owned();
            let number: usize = id.parse().unwrap();
            read.push(number);
            if number == MESSAGES - 1 {
                break;
            }
        }
        // It has read this much, and says no more of it.
        component.socket.set_zero_linger().unwrap();
        drop(component);
        gone(&built).await;
    }
    let again = read.len();
    read.sort_unstable();
    read.dedup();
    assert!(read.into_iter().eq(0..MESSAGES));
    assert!(again - MESSAGES <= 3 * 200, "{again}");
}

/// Waits until the server has seen that the component is gone.
async fn gone(built: &Built) {
    let bound = r#"waxwing_streams{transport="component",state="bound"}"#;
    while figures(built)[bound] > 0.0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_reload_lets_in_a_component_and_ends_those_that_are_others_now() {
    let mut options = options("daemon-component-reload");
    options.config = String::new();
    let built = Built::start(options).unwrap();
    let socket = TcpStream::connect(built.components).await.unwrap();
    let unknown = Component::join(socket, SECRET).await.err();
    assert_eq!(refusal(unknown), StreamCondition::HostUnknown);

    let mode = "mode = \"closed\"\n";
    edit(&built, mode, &format!("{mode}{SECTION}"));
    hang_up(&built);
    let log = logged(&built, "reloaded", 1).await;
    assert!(log.contains("component.irc.waxwing.example"), "{log}");
    let mut component = plain(&built).await;

    let secret = "secret_file = \"irc.secret\"\n";
    edit(&built, secret, &format!("{secret}message = \"outgoing\"\n"));
    hang_up(&built);
    assert_eq!(component.end().await, StreamCondition::Reset);
    let mut component = plain(&built).await;
    let granted = component.stanza().await;
    assert!(granted.has_child("urn:xmpp:privilege:2", "privilege"));

    edit(&built, SECTION, "");
    edit(&built, "message = \"outgoing\"\n", "");
    hang_up(&built);
    assert_eq!(component.end().await, StreamCondition::HostGone);
}

/// A secret that others may read is none, and a server that would listen for components does not start with it.
#[tokio::test]
async fn a_secret_that_others_may_read_is_refused() {
    let mut built = Built::start(options("daemon-component-secret")).unwrap();
    built.stop().unwrap();
    let file = built.directory().join("irc.secret");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let checked = built.command(["check", "--offline"]).unwrap();
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(
        said.contains("'component.irc.waxwing.example.secret_file'"),
        "{said}"
    );
    assert!(
        said.contains("others may read or change it (its mode is 644)"),
        "{said}"
    );
    assert!(!said.contains(SECRET), "{said}");
    assert!(matches!(built.restart(), Err(BuiltError::Ended { .. })));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    built.restart().unwrap();
    drop(plain(&built).await);
}
