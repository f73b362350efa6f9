use std::future::Future;
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use waxwing_stream::sm::SmLimits;

use super::*;
use crate::transport::{Carrier, Document, Transport};

const HEADER: &str = "<stream:stream xmlns='jabber:client' version='1.0' \
    xmlns:stream='http://etherx.jabber.org/streams'>";

/// A stream with a bound resource, and the server's end of it, which types XML.
async fn pair(sm: bool) -> (Stream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (mut far, _) = listener.accept().await.unwrap();
    far.write_all(HEADER.as_bytes()).await.unwrap();
    let mut link = Link::new(Carrier::Document(Document::new(Transport::Plain(near))));
    link.set_limits(INCOMING);
    assert!(matches!(link.event().await, Ok(Event::Header(_))));
    let managed = sm.then(|| Managed {
        sm: Sm::new(SmLimits::CLIENT),
        id: Some("id".to_owned()),
    });
    let jid = "alice@example.org/x".parse().unwrap();
    let seconds = Seconds::default();
    (Stream::new(link, jid, managed, Vec::new(), seconds), far)
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    let patience = Duration::from_secs(60);
    timeout(patience, what).await.expect("it never comes")
}

async fn types(far: &mut TcpStream, xml: &str) {
    far.write_all(xml.as_bytes()).await.unwrap();
}

/// Reads until `words` have come, and no byte more is expected before them.
async fn hears(far: &mut TcpStream, words: &str) {
    let mut heard = vec![0; words.len()];
    soon(far.read_exact(&mut heard)).await.unwrap();
    assert_eq!(String::from_utf8(heard).unwrap(), words);
}

async fn next(stream: &mut Stream) -> Result<String, End> {
    let stanza = soon(stream.next()).await?;
    Ok(stanza.id().unwrap_or_default().into_owned())
}

const ASK: &str = "<r xmlns='urn:xmpp:sm:3'/>";

fn answer(h: u32) -> String {
    format!("<a xmlns='urn:xmpp:sm:3' h='{h}'/>")
}

#[tokio::test]
async fn a_stanza_is_acknowledged_when_the_next_is_asked_for() {
    let (mut stream, mut far) = pair(true).await;
    types(
        &mut far,
        &format!("<message id='1'/><message id='2'/>{ASK}<message id='3'/>"),
    )
    .await;
    assert_eq!(next(&mut stream).await.unwrap(), "1");
    assert_eq!(next(&mut stream).await.unwrap(), "2");
    // The question is read with the third; the first two are dealt with then.
    assert_eq!(next(&mut stream).await.unwrap(), "3");
    types(&mut far, "<message id='4'/>").await;
    assert_eq!(next(&mut stream).await.unwrap(), "4");
    hears(&mut far, &answer(2)).await;
    let session = stream.into_session().unwrap();
    assert_eq!(session.request().h, 4);
}

#[tokio::test]
async fn what_is_sent_is_kept_until_it_is_acknowledged() {
    let (mut stream, mut far) = pair(true).await;
    for id in 1..=3 {
        let stanza = format!("<message id='{id}'/>");
        stream.send(stanza.into()).await.unwrap();
    }
    assert_eq!(stream.unacked_count(), 3);
    types(&mut far, &format!("{}<message id='x'/>", answer(2))).await;
    assert_eq!(next(&mut stream).await.unwrap(), "x");
    assert_eq!(stream.unacked_count(), 1);
    // Questions were asked by itself.
    let mut heard = vec![0; 1_000];
    let length = far.read(&mut heard).await.unwrap();
    let heard = String::from_utf8_lossy(&heard[..length]);
    assert!(heard.contains(ASK), "{heard}");
    let session = stream.into_session().unwrap();
    let left: Vec<_> = session.unacked().collect();
    assert_eq!(left, [&Bytes::from_static(b"<message id='3'/>")]);
}

/// Who waits for room is told of it, though no stanza comes.
#[tokio::test]
async fn room_is_made_by_acknowledgements() {
    let (mut stream, mut far) = pair(true).await;
    let presence = Bytes::from_static(b"<presence/>");
    let most = SmLimits::CLIENT.unacked_stanzas_max;
    for _ in 0..most {
        assert!(stream.has_room(presence.len()));
        stream.queue(presence.clone()).unwrap();
    }
    assert!(!stream.has_room(presence.len()));
    assert_eq!(stream.queue(presence.clone()), Err(SendError::Full));
    types(&mut far, &(answer(0) + &answer(1))).await;
    assert_eq!(soon(stream.next_or_acked()).await, Ok(None));
    assert_eq!(stream.unacked_count(), most - 1);
    assert!(stream.has_room(presence.len()));
    types(&mut far, "<message id='a'/>").await;
    let came = soon(stream.next_or_acked()).await.unwrap();
    assert_eq!(came.unwrap().id().as_deref(), Some("a"));
    let (without, _far) = pair(false).await;
    assert!(without.has_room(usize::MAX));
}

#[tokio::test]
async fn a_server_that_acknowledges_too_much_is_told_so() {
    let (mut stream, mut far) = pair(true).await;
    stream
        .send(Bytes::from_static(b"<presence/>"))
        .await
        .unwrap();
    types(&mut far, &answer(2)).await;
    let end = next(&mut stream).await.unwrap_err();
    assert!(matches!(end, End::Protocol(_)), "{end:?}");
    assert_eq!(next(&mut stream).await, Err(end.clone()));
    let sent = stream.send(Bytes::from_static(b"<presence/>")).await;
    assert_eq!(sent, Err(SendError::Ended(end)));
    assert_eq!(stream.close().await, Closed::Cut);
    let mut heard = String::new();
    soon(far.read_to_string(&mut heard)).await.unwrap();
    assert!(heard.contains("handled-count-too-high"), "{heard}");
    assert!(heard.ends_with("</stream:stream>"), "{heard}");
}

#[tokio::test]
async fn the_servers_reason_is_told_and_its_end_answered() {
    let (mut stream, mut far) = pair(false).await;
    types(&mut far, "<message id='1'/><stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>").await;
    assert_eq!(next(&mut stream).await.unwrap(), "1");
    let end = next(&mut stream).await.unwrap_err();
    let reason = StreamError::from(StreamCondition::Conflict);
    assert_eq!(end, End::Server(Some(Box::new(reason))));
    hears(&mut far, "</stream:stream>").await;
    assert_eq!(stream.close().await, Closed::Clean);
}

#[tokio::test]
async fn every_end_has_its_name() {
    for (words, expected) in [
        ("</stream:stream>", End::Server(None)),
        ("", End::Broken(io::ErrorKind::UnexpectedEof)),
        ("<message>", End::Broken(io::ErrorKind::UnexpectedEof)),
    ] {
        let (mut stream, mut far) = pair(true).await;
        types(&mut far, words).await;
        far.shutdown().await.unwrap();
        assert_eq!(next(&mut stream).await, Err(expected), "{words}");
    }
    for words in ["<message></presence>", "<!-- -->", "<?x?>", "\u{1}"] {
        let (mut stream, mut far) = pair(true).await;
        types(&mut far, words).await;
        let end = next(&mut stream).await;
        assert!(matches!(end, Err(End::Protocol(_))), "{words}: {end:?}");
    }
}

#[tokio::test]
async fn what_is_not_understood_is_read_over() {
    let (mut stream, mut far) = pair(true).await;
    types(
        &mut far,
        " <x xmlns='urn:none'/> <enabled xmlns='urn:xmpp:sm:3'/><message id='1'/>",
    )
    .await;
    assert_eq!(next(&mut stream).await.unwrap(), "1");
}

#[tokio::test]
async fn last_words_are_heard_by_who_notices_the_end_while_sending() {
    let (mut stream, mut far) = pair(true).await;
    types(&mut far, "<stream:error><system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>").await;
    drop(far);
    let stanza = Bytes::from_static(b"<presence/>");
    // The first bytes that nobody takes are answered by a reset, which the next ones meet.
    let refused = loop {
        if let Err(refused) = soon(stream.send(stanza.clone())).await {
            break refused;
        }
        tokio::task::yield_now().await;
    };
    assert!(
        matches!(refused, SendError::Ended(End::Broken(_))),
        "{refused:?}"
    );
    let end = next(&mut stream).await.unwrap_err();
    let reason = StreamError::from(StreamCondition::SystemShutdown);
    assert_eq!(end, End::Server(Some(Box::new(reason))));
    assert!(stream.unacked_count() > 0);
}

/// Asking is given up and taken up again between any two bytes.
#[tokio::test]
async fn cancelling_loses_nothing() {
    let (mut stream, mut far) = pair(true).await;
    let words = format!("<message id='1'><body>é</body></message>{ASK}<iq id='2' type='get'/>");
    let mut ids = Vec::new();
    for byte in words.as_bytes() {
        far.write_all(&[*byte]).await.unwrap();
        // Polled once, and dropped.
        let mut asked = Box::pin(stream.next());
        let polled = futures_util::poll!(&mut asked);
        drop(asked);
        if let std::task::Poll::Ready(stanza) = polled {
            ids.push(stanza.unwrap().id().unwrap().into_owned());
        }
    }
    while ids.len() < 2 {
        ids.push(next(&mut stream).await.unwrap());
    }
    assert_eq!(ids, ["1", "2"]);
    types(&mut far, "<message id='3'/>").await;
    assert_eq!(next(&mut stream).await.unwrap(), "3");
    hears(&mut far, &answer(1)).await;
}

/// Both sides write before they read, more than the system keeps for them.
#[tokio::test]
async fn writing_does_not_wait_for_a_server_that_writes() {
    const STANZAS: usize = 800;
    let (mut stream, mut far) = pair(false).await;
    let long = format!(
        "<message id='x'><body>{}</body></message>",
        "a".repeat(8_000)
    );
    let ours = Bytes::from(long.clone());
    let server = tokio::spawn(async move {
        // Six megabytes are more than two socket buffers and what is read ahead.
        for _ in 0..STANZAS {
            far.write_all(long.as_bytes()).await.unwrap();
        }
        let mut left = STANZAS * long.len();
        let mut bytes = vec![0; 65_536];
        while left > 0 {
            left -= far.read(&mut bytes).await.unwrap();
        }
        far
    });
    let mut sent = 0;
    let mut got = 0;
    while sent < STANZAS || got < STANZAS {
        if sent < STANZAS {
            // What cannot be written now is written by `next`.
            let sending = stream.send(ours.clone());
            let _later = timeout(Duration::from_millis(20), sending)
                .await
                .map(|sent| sent.unwrap());
            sent += 1;
        }
        if got < STANZAS {
            next(&mut stream).await.unwrap();
            got += 1;
        }
    }
    stream.link.flush().await.unwrap();
    drop(soon(server).await.unwrap());
}

#[tokio::test]
async fn closing_says_what_was_handled_and_waits_for_the_server() {
    let (mut stream, mut far) = pair(true).await;
    types(&mut far, "<message id='1'/>").await;
    assert_eq!(next(&mut stream).await.unwrap(), "1");
    let closing = tokio::spawn(stream.close());
    hears(&mut far, &answer(1)).await;
    hears(&mut far, "</stream:stream>").await;
    // What comes now is not for anybody any more.
    types(&mut far, "<message id='2'/></stream:stream>").await;
    assert_eq!(soon(closing).await.unwrap(), Closed::Clean);
    let mut rest = Vec::new();
    soon(far.read_to_end(&mut rest)).await.unwrap();
    assert!(rest.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_is_not_waited_for() {
    let (stream, _far) = pair(true).await;
    let begun = tokio::time::Instant::now();
    assert_eq!(stream.close().await, Closed::Cut);
    assert_eq!(begun.elapsed().as_secs(), 5);
}

#[tokio::test]
async fn nothing_of_a_stanza_is_shown() {
    let (mut stream, _far) = pair(true).await;
    stream
        .send(Bytes::from_static(
            b"<message><body>secret</body></message>",
        ))
        .await
        .unwrap();
    let shown = format!("{stream:?}");
    let shown = format!("{shown} {:?}", stream.into_session());
    assert!(
        !shown.contains("secret") && !shown.contains("alice"),
        "{shown}"
    );
}
