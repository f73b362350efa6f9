//! A server that stops for a while, and one that is slow while clients log in.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use waxwing_tests::{Built, BuiltOptions};

use crate::rig::{play, play_plain, server};

fn signal(process: u32, name: &str) {
    let status = Command::new("kill")
        .args([name, &process.to_string()])
        .status();
    assert!(status.unwrap().success());
}

/// Runs something while the server, from a second after its beginning on, stops for so long.
fn stopped<T>(built: &Built, secs: u64, what: impl FnOnce() -> T) -> T {
    let process = built.pid;
    let stopping = thread::spawn(move || {
        thread::sleep(Duration::from_secs(1));
        signal(process, "-STOP");
        thread::sleep(Duration::from_secs(secs));
        signal(process, "-CONT");
    });
    let result = what();
    stopping.join().unwrap();
    result
}

/// More than a stream takes without an acknowledgement: what is planned meanwhile waits, is late, and is not lost.
#[test]
fn what_a_server_does_not_take_waits_here() {
    let built = server("load-stall");
    let words =
        "--scenario chat --clients 2 --rate 4000/s --duration 5s --settle 60s --body-bytes 1";
    let run = stopped(&built, 4, || play_plain(&built, words));
    assert_eq!(run.clean(), 20_000);
    let slowest = run.count("/sum/latency/delivery/p99_micros");
    assert!(slowest > 1_000_000, "{}", run.out);
}

/// What was never sent is no loss of the server's, but is not good either.
#[test]
fn what_a_server_never_takes_is_not_lost() {
    let built = server("load-stalled");
    let words =
        "--scenario chat --clients 2 --rate 8000/s --duration 3s --settle 0s --body-bytes 1";
    let run = stopped(&built, 6, || play_plain(&built, words));
    let error = " × message: not sent, the server took no more of its sender\n";
    assert!(run.failed().contains(error), "{}", run.out);
    let lost = run.count("/sum/messages/lost");
    let unsent = run.count("/sum/errors/message: not sent, the server took no more of its sender");
    assert_eq!(run.count("/sum/messages/sent") + unsent, 24_000);
    // What two streams take is on its way.
    assert!((1..=10_000).contains(&lost), "{}", run.out);
    let note = format!("; the {lost} that never came have no time)\n");
    assert!(run.out.contains(&note), "{}", run.out);
}

/// Relays to the server what is admitted, by the number of the connection; and what clients have said.
fn relay(
    server: SocketAddr,
    admit: impl Fn(usize) -> bool + Send + 'static,
) -> (SocketAddr, Arc<Mutex<Vec<u8>>>) {
    fn pass(mut from: TcpStream, mut to: TcpStream, heard: &Mutex<Vec<u8>>) {
        let mut bytes = [0; 4096];
        while let Ok(read @ 1..) = from.read(&mut bytes) {
            heard.lock().unwrap().extend_from_slice(&bytes[..read]);
            if to.write_all(&bytes[..read]).is_err() {
                return;
            }
        }
        let _gone = to.shutdown(Shutdown::Both);
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let said: Arc<Mutex<Vec<u8>>> = Arc::default();
    let heard = said.clone();
    // Ends with the test's process.
    thread::spawn(move || {
        for (number, client) in listener.incoming().enumerate() {
            if !admit(number) {
                continue;
            }
            let client = client.unwrap();
            let there = TcpStream::connect(server).unwrap();
            let (up, up_to) = (client.try_clone().unwrap(), there.try_clone().unwrap());
            let heard = heard.clone();
            thread::spawn(move || pass(up, up_to, &heard));
            thread::spawn(move || pass(there, client, &Mutex::default()));
        }
    });
    (address, said)
}

/// Messages are named by when they were planned, not by when this program came to them.
#[test]
fn what_is_written_to_who_is_away_is_planned_too() {
    let built = server("load-planned");
    let (server, said) = relay(built.plain, |_| true);
    let words =
        "--transport plain --register --scenario offline --clients 2 --rate 20/s --duration 1s";
    let run = play(built.directory(), &server.to_string(), words);
    assert_eq!(run.clean(), 20);
    let said = String::from_utf8(said.lock().unwrap().clone()).unwrap();
    let names = said
        .split(" id='load-")
        .skip(1)
        .filter_map(|rest| rest.split('\'').next()?.rsplit('-').next());
    let planned: Vec<i64> = names
        .map(|micros| i64::from_str_radix(micros, 16).unwrap())
        .collect();
    assert_eq!(planned.len(), 20);
    for pair in planned.windows(2) {
        assert!((pair[1] - pair[0] - 50_000).abs() <= 1, "{planned:?}");
    }
}

/// A log-in that fails is not timed either.
#[test]
fn a_resumption_that_fails_is_not_timed() {
    let built = server("load-unresumed");
    let (server, _) = relay(built.plain, |number| number < 2);
    let words = "--transport plain --register --scenario reconnect --clients 2 --duration 100ms --settle 0s";
    let run = play(built.directory(), &server.to_string(), words);
    // Whether a connection that nobody takes up is ended or cut is the system's.
    let failed: u32 = run
        .failed()
        .lines()
        .filter_map(|line| line.strip_prefix("error")?.split_once(" × resumption: "))
        .map(|(times, _)| times.trim().parse::<u32>().unwrap())
        .sum();
    assert_eq!(failed, 2, "{}", run.out);
    assert_eq!(
        run.json.pointer("/sum/latency/resumption"),
        None,
        "{}",
        run.out
    );
}

/// The server gives up whoever does not answer for five seconds, which it finds out five seconds later at the latest.
#[test]
fn who_waits_for_others_to_log_in_answers_meanwhile() {
    let mut options = BuiltOptions::new("load-waiting");
    options.registration = "open".to_owned();
    options.config = "[options]\nack_secs_max = 5\nnegotiation_secs_max = 5\n".to_owned();
    let built = Built::start(options).unwrap();
    // They see each other: who is in is told of those that come, and asked whether that came.
    play_plain(&built, "--scenario presence --clients 3 --roster 2").clean();
    let (server, _) = relay(built.plain, |number| {
        if number > 1 {
            thread::sleep(Duration::from_secs(12));
        }
        true
    });
    let words =
        "--transport plain --register --scenario idle --clients 3 --at-once 1 --duration 100ms";
    let run = play(built.directory(), &server.to_string(), words);
    run.clean();
    assert_eq!(run.count("/readings/sessions"), 3, "{}", run.out);
}
