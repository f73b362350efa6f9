//! The relay of byte streams (XEP-0065): two connections become one, and what else is tried there ends.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use waxwing_dial::Stream;
use waxwing_stanza::Payload;
use waxwing_stanza::xep::xep_0065_bytestreams::Query;
use waxwing_tests::{Built, BuiltOptions};
use waxwing_wire::Stanza;

use crate::metrics::figures;
use crate::rig::{ALICE, BOB, available, next, say};

const PROXY: &str = "proxy.waxwing.example";
const PATIENCE: Duration = Duration::from_secs(20);
/// Both ways of each stream carry so much.
const BYTES: usize = 3 * 1024 * 1024;

fn server(name: &str, more: &str) -> Built {
    let options = BuiltOptions::new(name);
    let mut options = options.account(ALICE.0, ALICE.1).account(BOB.0, BOB.1);
    options.listen = "bytestreams = [\"{ip}:7777\"]\n".to_owned();
    options.config = format!("[options]\nbytestreams_host = \"proxy\"\n{more}");
    Built::start(options).unwrap()
}

/// SHA-1 of the id and of two addresses, as the program that everybody has computes it.
fn hash(sid: &str, asker: &str, other: &str) -> String {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let mut sum = Command::new("sha1sum");
    let sum = sum.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = sum.spawn().unwrap();
    let text = format!("{sid}{asker}{other}");
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap()[..40].to_owned()
}

/// What the relay says to who asks for this.
async fn ask(socket: &mut TcpStream, command: u8, name: &str, port: u16) -> u8 {
    socket.write_all(&[5, 1, 0]).await.unwrap();
    let mut method = [0; 2];
    socket.read_exact(&mut method).await.unwrap();
    assert_eq!(method, [5, 0]);
    let mut request = vec![5, command, 0, 3, u8::try_from(name.len()).unwrap()];
    request.extend_from_slice(name.as_bytes());
    request.extend_from_slice(&port.to_be_bytes());
    socket.write_all(&request).await.unwrap();
    let mut answer = vec![0; request.len()];
    timeout(PATIENCE, socket.read_exact(&mut answer))
        .await
        .unwrap()
        .unwrap();
    // The address is the one that was asked for.
    assert_eq!((answer[0], &answer[3..]), (5, &request[3..]));
    answer[1]
}

async fn connected(built: &Built, hash: &str) -> TcpStream {
    let mut socket = TcpStream::connect(built.bytestreams).await.unwrap();
    assert_eq!(ask(&mut socket, 1, hash, 0).await, 0);
    socket
}

/// The answer to an order to join.
async fn activate(asker: &mut Stream, sid: &str, other: &str) -> Stanza {
    let order = format!(
        "<iq type='set' id='{sid}' to='{PROXY}'><query xmlns='http://jabber.org/protocol/bytestreams' sid='{sid}'>\
         <activate>{other}</activate></query></iq>"
    );
    say(asker, &order).await;
    next(asker, "iq").await
}

async fn is_over(socket: &mut TcpStream) {
    let read = timeout(PATIENCE, socket.read(&mut [0; 16])).await.unwrap();
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
}

#[tokio::test]
async fn two_become_one() {
    let built = server("bytestreams", "");
    let mut alice = available(&built, ALICE).await;
    let bob = available(&built, BOB).await;
    let (own, other) = (alice.jid().to_string(), bob.jid().to_string());
    let asked = format!(
        "<iq type='get' id='a' to='{PROXY}'><query xmlns='http://jabber.org/protocol/bytestreams'/></iq>"
    );
    say(&mut alice, &asked).await;
    let told = Query::find_in(&next(&mut alice, "iq").await)
        .unwrap()
        .unwrap();
    assert_eq!(
        (told.hosts[0].host.as_str(), told.hosts[0].port),
        (PROXY, 7777)
    );

    let hash = hash("s1", &own, &other);
    let mut target = connected(&built, &hash).await;
    let half = activate(&mut alice, "s1", &other).await;
    let half = String::from_utf8(half.element().to_bytes("jabber:client").to_vec()).unwrap();
    assert!(half.contains("<not-allowed"), "{half}");
    let mut requester = connected(&built, &hash.to_uppercase()).await;
    // A third one would be neither.
    let mut third = TcpStream::connect(built.bytestreams).await.unwrap();
    assert_eq!(ask(&mut third, 1, &hash, 0).await, 2);
    is_over(&mut third).await;
    assert_eq!(
        activate(&mut alice, "s1", &other)
            .await
            .element()
            .attr("type"),
        Some("result")
    );
    // Once more, there is nothing to be joined.
    assert_eq!(
        activate(&mut alice, "s1", &other)
            .await
            .element()
            .attr("type"),
        Some("error")
    );

    let sent: Vec<u8> = (0..BYTES).map(|at| (at % 251) as u8).collect();
    let back: Vec<u8> = (0..BYTES).map(|at| (at % 241) as u8).collect();
    let (mut from_requester, mut to_requester) = requester.split();
    let (mut from_target, mut to_target) = target.split();
    let (mut came, mut came_back) = (Vec::new(), Vec::new());
    let there = async {
        to_requester.write_all(&sent).await.unwrap();
        to_requester.shutdown().await.unwrap();
    };
    let and_back = async {
        to_target.write_all(&back).await.unwrap();
        to_target.shutdown().await.unwrap();
    };
    timeout(PATIENCE, async {
        tokio::join!(
            there,
            and_back,
            async { from_target.read_to_end(&mut came).await.unwrap() },
            async { from_requester.read_to_end(&mut came_back).await.unwrap() },
        )
    })
    .await
    .unwrap();
    assert!(came == sent && came_back == back);
    let figures = figures(&built);
    assert_eq!(
        figures["waxwing_bytestream_bytes_total"],
        (2 * BYTES) as f64
    );
    // The hash may be used again, by whoever knows it.
    drop((requester, target));
    let _again = connected(&built, &hash).await;
}

#[tokio::test]
async fn what_is_no_stream_ends() {
    let built = server(
        "bytestreams-hostile",
        "bytestreams_max = 2\nbytestreams_waiting_per_network_max = 2\nbytestreams_per_account_max = 1\nbytestream_wait_secs_max = 5\nbytestream_idle_secs_max = 10\n",
    );
    let mut alice = available(&built, ALICE).await;
    let bob = available(&built, BOB).await;
    let (own, other) = (alice.jid().to_string(), bob.jid().to_string());
    // It connects to nobody, listens for nobody, and knows no other names than hashes.
    for (command, name, port, said) in [
        (1, "localhost", 0, 4),
        (1, "127.0.0.1", 22, 4),
        (1, &"a".repeat(40)[..], 80, 4),
        (1, &"x".repeat(40)[..], 0, 4),
        (1, "", 0, 4),
        (2, &"a".repeat(40)[..], 0, 7),
        (3, &"a".repeat(40)[..], 0, 7),
    ] {
        let mut socket = TcpStream::connect(built.bytestreams).await.unwrap();
        assert_eq!(ask(&mut socket, command, name, port).await, said, "{name}");
        is_over(&mut socket).await;
    }
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[4, 1, 0, 22, 127, 0, 0, 1, 0],
        &[5, 1, 2],
        &[5, 0],
        &[5, 1, 0, 5, 1, 0, 9],
        &[5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, 0, 22],
    ] {
        let mut socket = TcpStream::connect(built.bytestreams).await.unwrap();
        socket.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        let read = socket.read_to_end(&mut answer);
        // A connection that is closed with something unread is reset.
        let _read = timeout(PATIENCE, read).await.unwrap();
        assert!(answer.len() <= 12, "{answer:?}");
    }
    // Who was there and goes leaves room; one too many is refused.
    let (one, two) = (hash("s1", &own, &other), hash("s2", &own, &other));
    let mut legs = Vec::new();
    for hash in [&one, &one, &two, &two] {
        legs.push(connected(&built, hash).await);
    }
    let mut third = TcpStream::connect(built.bytestreams).await.unwrap();
    assert_eq!(ask(&mut third, 1, &hash("s3", &own, &other), 0).await, 2);
    assert_eq!(
        activate(&mut alice, "s1", &other)
            .await
            .element()
            .attr("type"),
        Some("result")
    );
    let full = activate(&mut alice, "s2", &other).await;
    assert_eq!(full.element().attr("type"), Some("error"));
    // What nobody has joined in time ends, and so does what carries nothing.
    for leg in legs.iter_mut().rev() {
        is_over(leg).await;
    }
    connected(&built, &hash("s3", &own, &other)).await;
}

/// Whether an order was carried out.
async fn is_joined(asker: &mut Stream, sid: &str, other: &str) -> bool {
    let answer = activate(asker, sid, other).await;
    answer.element().attr("type") == Some("result")
}

#[tokio::test]
async fn streams_end_with_what_their_account_may() {
    let built = server("bytestreams-ended", "");
    let mut alice = available(&built, ALICE).await;
    let (own, other) = (alice.jid().to_string(), "somebody@elsewhere.example/x");
    for (sid, command) in [("s1", "set-role restricted"), ("s2", "disable")] {
        let hash = hash(sid, &own, other);
        let mut first = connected(&built, &hash).await;
        // Who has gone may come again.
        drop(connected(&built, &hash).await);
        let mut second = loop {
            let mut socket = TcpStream::connect(built.bytestreams).await.unwrap();
            if ask(&mut socket, 1, &hash, 0).await == 0 {
                break socket;
            }
        };
        assert!(is_joined(&mut alice, sid, other).await);
        second.write_all(b"here").await.unwrap();
        let mut came = [0; 4];
        first.read_exact(&mut came).await.unwrap();
        assert_eq!(&came, b"here");
        built.account(command, ALICE.0).unwrap();
        for leg in [&mut first, &mut second] {
            is_over(leg).await;
        }
        if command != "disable" {
            // Nobody can know who is at the other end.
            let legs = waiting(&built, &own, other).await;
            assert!(!is_joined(&mut alice, "s3", other).await);
            drop(legs);
            built.account("set-role member", ALICE.0).unwrap();
        }
    }
}

/// Both sides of a stream that waits to be joined.
async fn waiting(built: &Built, own: &str, other: &str) -> [TcpStream; 2] {
    let hash = hash("s3", own, other);
    [connected(built, &hash).await, connected(built, &hash).await]
}
