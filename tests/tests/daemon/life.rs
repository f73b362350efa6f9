//! Start, stop, and what streams see of it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use waxwing_dial::{Closed, End};
use waxwing_stream::StreamCondition;
use waxwing_tests::{Built, BuiltOptions};

use crate::rig::{ALICE, BOB, available, end, log_in, server};

const PATIENCE: Duration = Duration::from_secs(60);
const HEADER: &[u8] = b"<stream:stream xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams' to='waxwing.example' version='1.0'>";
const STARTTLS: &[u8] = b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";

#[test]
fn a_server_starts_stops_and_starts_again() {
    let options = BuiltOptions::new("daemon-life").account(ALICE.0, ALICE.1);
    let mut built = Built::start(options).unwrap();
    let first = built.pid;
    assert!(built.stop().unwrap().unwrap().success());
    built.restart().unwrap();
    assert_ne!(built.pid, first);
    built.kill().unwrap();
    built.restart().unwrap();
    // The account is there: another of its name is refused.
    assert!(built.add_account(ALICE.0, "another password").is_err());
}

#[tokio::test]
async fn a_graceful_stop_says_system_shutdown_to_every_stream() {
    let mut built = server("daemon-shutdown");
    let mut alice = available(&built, ALICE).await;
    let mut bob = log_in(&built, BOB).await.unwrap();
    built.terminate().unwrap();
    for stream in [&mut alice, &mut bob] {
        let End::Server(Some(error)) = end(stream).await else {
            panic!("no reason given: {stream:?}");
        };
        assert_eq!(error.condition, StreamCondition::SystemShutdown);
    }
    drop((alice, bob));
    assert!(built.stop().unwrap().unwrap().success());
    built.restart().unwrap();
    let alice = log_in(&built, ALICE).await.unwrap();
    assert_eq!(alice.close().await, Closed::Clean);
}

/// What comes from a socket until its end.
fn rest(socket: &mut TcpStream) -> String {
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_graceful_stop_reaches_who_has_not_logged_in() {
    let mut built = server("daemon-shutdown-early");
    let silent = TcpStream::connect(built.c2s).unwrap();
    let shaking_hands = TcpStream::connect(built.c2s_tls).unwrap();
    let mut begun = TcpStream::connect(built.c2s).unwrap();
    begun.write_all(HEADER).unwrap();
    let mut starting_tls = TcpStream::connect(built.c2s).unwrap();
    starting_tls.write_all(HEADER).unwrap();
    starting_tls.write_all(STARTTLS).unwrap();
    let mut sockets = [silent, begun, starting_tls, shaking_hands];
    for socket in &sockets {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
    }
    // The server has read what was sent before it is told to stop.
    for (socket, until) in [(1, "</stream:features>"), (2, "<proceed")] {
        let mut seen = String::new();
        while !seen.contains(until) {
            let mut byte = [0];
            let read = sockets[socket].read(&mut byte).unwrap();
            assert_eq!(read, 1, "the server ends it: {seen}");
            seen.push(char::from(byte[0]));
        }
    }
    built.terminate().unwrap();
    let [silent, begun, starting_tls, shaking_hands] = &mut sockets;
    let said = rest(silent);
    assert!(said.contains("<stream:stream "), "{said}");
    assert!(said.contains("<system-shutdown "), "{said}");
    let said = rest(begun);
    assert!(said.contains("<system-shutdown "), "{said}");
    assert!(said.ends_with("</stream:stream>"), "{said}");
    // In the middle of a handshake there is nothing that could be said.
    let mut unsaid = Vec::new();
    starting_tls.read_to_end(&mut unsaid).unwrap();
    shaking_hands.read_to_end(&mut unsaid).unwrap();
    drop(sockets);
    assert!(built.stop().unwrap().unwrap().success());
    let log = built.log().unwrap();
    assert!(!log.contains("were cut"), "{log}");
}
