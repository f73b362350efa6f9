//! Clients that take more than they give.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use waxwing_dial::Stream;
use waxwing_tests::{Built, BuiltOptions};

use crate::rig::{ALICE, BOB, available, body, next, resume, say, settle};

/// What a client that does not read is sent, in bytes a message, and messages.
const MESSAGE_BYTES: usize = 8 * 1_024;
const MESSAGES: usize = 3_000;
/// Clients that do not read, beside the first one.
const MORE: usize = 3;
const PATIENCE: Duration = Duration::from_secs(60);
/// What each of them may cost the server, in KiB: half of what it was sent. Four megabytes may wait to be acknowledged, one
/// to be written; the rest is what the store has read and keeps at hand.
const COST_KIB_MAX: u64 = 12 * 1_024;
/// Room in the account for what the test sends: a stranger's share is less.
const ROOM: &str = "[options]\nundelivered_strangers_percent = 100\n\
    undelivered_messages_max = 100000\nundelivered_bytes_max = 1000000000\n";

/// Memory that the server has had at most, in KiB.
pub(crate) fn memory_peak(built: &Built) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", built.pid)).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    kib.and_then(|kib| kib.parse().ok()).unwrap()
}

async fn send_all(alice: &mut Stream, to: &str) {
    let padding = "x".repeat(MESSAGE_BYTES);
    for number in 0..MESSAGES {
        let text =
            format!("<message to='{to}' type='chat'><body>{number} {padding}</body></message>");
        say(alice, &text).await;
        if number % 50 == 0 {
            settle(alice).await;
        }
    }
    settle(alice).await;
}

async fn gets_all(bob: &mut Stream) {
    for expected in 0..MESSAGES {
        let body = body(&next(bob, "message").await);
        let number = body.split(' ').next().unwrap();
        assert_eq!(number, expected.to_string());
    }
}

#[tokio::test]
async fn who_does_not_read_costs_little_and_loses_nothing() {
    let mut options = BuiltOptions::new("daemon-slow-reader");
    options.config = ROOM.to_owned();
    let options = options.account(ALICE.0, ALICE.1).account(BOB.0, BOB.1);
    let built = Built::start(options).unwrap();
    let mut alice = available(&built, ALICE).await;
    // Their streams are open, and they do not look at them.
    let bob = available(&built, BOB).await;
    send_all(&mut alice, bob.jid().as_str()).await;
    let one = memory_peak(&built);
    let mut bobs = vec![bob];
    for _ in 0..MORE {
        let bob = available(&built, BOB).await;
        send_all(&mut alice, bob.jid().as_str()).await;
        bobs.push(bob);
    }
    // The kernel counts in lots: the figure of a process that has not grown may be a little less than before.
    let cost = memory_peak(&built).saturating_sub(one) / MORE as u64;
    assert!(cost < COST_KIB_MAX, "{cost} KiB for each");
    for bob in bobs {
        let session = bob.into_session().expect("a session to resume");
        let mut bob = resume(&built, BOB, session).await.unwrap();
        assert!(bob.is_resumed());
        gets_all(&mut bob).await;
        let last = format!("<message to='{}'><body>last</body></message>", bob.jid());
        say(&mut alice, &last).await;
        assert_eq!(body(&next(&mut bob, "message").await), "last");
    }
}

/// Streams that begin and never log in, against a server that bears so many of them.
const NEGOTIATING_MAX: usize = 20;

/// Whether the server has ended a stream, and said why.
fn is_shed(socket: &mut TcpStream) -> bool {
    let mut said = String::new();
    socket.read_to_string(&mut said).unwrap();
    said.contains("<resource-constraint ") && said.ends_with("</stream:stream>")
}

#[tokio::test]
async fn a_flood_of_streams_that_never_log_in_keeps_nobody_out() {
    let mut options = BuiltOptions::new("daemon-flood").account(ALICE.0, ALICE.1);
    options.config = format!("[options]\nnegotiating_max = {NEGOTIATING_MAX}\n");
    let built = Built::start(options).unwrap();
    let mut alice = available(&built, ALICE).await;
    let mut idle: Vec<TcpStream> = (0..NEGOTIATING_MAX * 5)
        .map(|_| {
            let mut socket = TcpStream::connect(built.c2s).unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            // It is among the streams from here on.
            socket.write_all(b"<").unwrap();
            socket
        })
        .collect();
    // The oldest went to make room for the rest, and for who logs in.
    let mut another = available(&built, ALICE).await;
    settle(&mut another).await;
    settle(&mut alice).await;
    let gone = NEGOTIATING_MAX * 4;
    assert!(idle[..gone].iter_mut().all(is_shed));
    // Who is left goes on.
    let youngest = idle.last_mut().unwrap();
    let header = b"stream:stream xmlns='jabber:client' \
        xmlns:stream='http://etherx.jabber.org/streams' to='waxwing.example' version='1.0'>";
    youngest.write_all(header).unwrap();
    let mut said = [0; 16];
    youngest.read_exact(&mut said).unwrap();
}
