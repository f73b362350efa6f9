//! A server that loses, doubles and reorders messages: a relay before the built one does it on the way to the receiver.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::rig::{play, server};

/// What goes on in a message's place; the connection ends where nothing can.
type Fault = fn(number: u64, message: &str, held: &mut Option<String>) -> Option<String>;

const END: &str = "</message>";

/// The third message of the run never comes.
fn lose(number: u64, message: &str, _: &mut Option<String>) -> Option<String> {
    let lost = number == 3;
    Some(if lost { "" } else { message }.to_owned())
}

/// The third comes twice.
fn double(number: u64, message: &str, _: &mut Option<String>) -> Option<String> {
    Some(message.repeat(if number == 3 { 2 } else { 1 }))
}

/// The third comes after the next one of its stream.
fn reorder(number: u64, message: &str, held: &mut Option<String>) -> Option<String> {
    if number == 3 {
        *held = Some(message.to_owned());
        return Some(String::new());
    }
    Some(message.to_owned() + &held.take().unwrap_or_default())
}

/// With the third the connection breaks.
fn cut(number: u64, message: &str, _: &mut Option<String>) -> Option<String> {
    (number != 3).then(|| message.to_owned())
}

/// Listens, and relays to the server.
fn relay(server: SocketAddr, fault: Fault) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicU64::new(0));
    // Ends with the test's process.
    thread::spawn(move || {
        for client in listener.incoming() {
            let (client, count) = (client.unwrap(), count.clone());
            let there = TcpStream::connect(server).unwrap();
            let (mut up, mut up_to) = (client.try_clone().unwrap(), there.try_clone().unwrap());
            thread::spawn(move || std::io::copy(&mut up, &mut up_to));
            thread::spawn(move || tamper(there, client, fault, &count));
        }
    });
    address
}

fn tamper(mut from: TcpStream, mut to: TcpStream, fault: Fault, count: &AtomicU64) {
    let (mut text, mut held) = (String::new(), None);
    let mut bytes = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        // Everything on this stream is ASCII.
        text.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
        let mut out = String::new();
        loop {
            let Some(begin) = text.find("<message") else {
                out.push_str(&std::mem::take(&mut text));
                break;
            };
            let Some(end) = text.find(END).map(|end| end + END.len()) else {
                out.extend(text.drain(..begin));
                break;
            };
            out.extend(text.drain(..begin));
            let message: String = text.drain(..end - begin).collect();
            let number = count.fetch_add(1, Ordering::Relaxed) + 1;
            let Some(passed) = fault(number, &message, &mut held) else {
                let _ended = to.shutdown(Shutdown::Both);
                return;
            };
            out.push_str(&passed);
        }
        if to.write_all(out.as_bytes()).is_err() {
            return;
        }
    }
}

#[test]
fn what_a_server_does_to_messages_fails_the_run() {
    let built = server("load-false");
    for (fault, count, result) in [
        (
            lose as Fault,
            "20 sent, 19 came, 1 lost, 0 doubled, 0 out of order",
            "1 lost",
        ),
        (
            double,
            "20 sent, 20 came, 0 lost, 1 doubled, 0 out of order",
            "1 doubled",
        ),
        (
            reorder,
            "20 sent, 20 came, 0 lost, 0 doubled, 1 out of order",
            "1 out of order",
        ),
    ] {
        let server = relay(built.plain, fault).to_string();
        // Stream management would find some of it out, and end the stream.
        let words = "--transport plain --register --scenario chat --clients 2 --rate 40/s --duration 500ms --settle 1s --no-stream-management";
        let run = play(built.directory(), &server, words);
        assert!(run.failed().contains(count), "{}", run.out);
        assert!(
            run.out.ends_with(&format!("FAILED: {result}\n")),
            "{}",
            run.out
        );
    }
}

/// Who goes away in the middle is an error, and what was on its way is lost.
#[test]
fn a_server_that_goes_away_fails_the_run() {
    let built = server("load-gone");
    let server = relay(built.plain, cut).to_string();
    let words = "--transport plain --register --scenario chat --clients 2 --rate 40/s --duration 500ms --settle 100ms";
    let run = play(built.directory(), &server, words);
    let error = "\nerror                  1 × stream: the connection broke: ";
    assert!(run.failed().contains(error), "{}", run.out);
    assert!(run.count("/sum/messages/lost") >= 1);
}
