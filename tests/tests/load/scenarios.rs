//! Each scenario with few clients.

use crate::rig::{play_plain, program, server};

#[test]
fn each_scenario_is_listed_and_is_played_here() {
    let listed = program(&["scenarios"]);
    assert_eq!(listed.code, Some(0));
    let names: Vec<&str> = listed
        .out
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    let played = [
        "login",
        "idle",
        "chat",
        "flood",
        "presence",
        "reconnect",
        "offline",
        "pubsub",
        "mixed",
        "prepare",
    ];
    assert_eq!(names, played, "a new scenario wants a test in this file");
}

#[test]
fn login() {
    let built = server("load-login");
    let at_a_rate = play_plain(
        &built,
        "--scenario login --clients 6 --rate 6/s --duration 1s",
    );
    assert_eq!(at_a_rate.clean(), 0);
    assert_eq!(at_a_rate.count("/sum/latency/login/count"), 6);
    let freely = play_plain(
        &built,
        "--scenario login --clients 2 --at-once 2 --duration 300ms",
    );
    assert_eq!(freely.clean(), 0);
    let count = freely.count("/sum/latency/login/count");
    assert!(count >= 2, "{}", freely.out);
    assert_eq!(freely.count("/sum/delivered"), count);
}

#[test]
fn idle() {
    let built = server("load-idle");
    let words = format!(
        "--scenario idle --clients 5 --duration 1s --pid {}",
        built.pid
    );
    let run = play_plain(&built, &words);
    assert_eq!(run.clean(), 0);
    assert_eq!(run.count("/readings/sessions"), 5);
    assert!(run.count("/readings/end/rss_bytes") > 0);
    assert!(run.out.contains("\nserver's memory "), "{}", run.out);
}

#[test]
fn chat() {
    let built = server("load-chat");
    // A client without a partner of its own talks to the first.
    let run = play_plain(
        &built,
        "--scenario chat --clients 5 --rate 40/s --duration 1s --body-bytes 3",
    );
    assert_eq!(run.clean(), 40);
    assert_eq!(run.count("/sum/latency/delivery/count"), 40);
    let quiet = play_plain(
        &built,
        "--scenario chat --clients 2 --rate 20/s --duration 1s --no-store --no-stream-management",
    );
    assert_eq!(quiet.clean(), 20);
}

#[test]
fn flood() {
    let built = server("load-flood");
    let run = play_plain(
        &built,
        "--scenario flood --clients 3 --window 4 --duration 500ms",
    );
    assert!(
        run.clean() > 12,
        "each came, and made room for another: {}",
        run.out
    );
}

/// Two contacts each: four pairs, and in each both see the other. What an earlier run left in the rosters is good for the
/// next.
#[test]
fn presence() {
    let built = server("load-presence");
    for _ in 0..2 {
        let run = play_plain(
            &built,
            "--scenario presence --clients 4 --roster 2 --at-once 1",
        );
        assert_eq!(run.clean(), 0);
        assert_eq!(run.count("/sum/delivered"), 8, "{}", run.out);
        assert_eq!(run.count("/sum/latency/presence/count"), 4);
    }
    // Their presence is nothing that other scenarios are about, though they see each other there too.
    let chat = play_plain(
        &built,
        "--scenario chat --clients 4 --rate 20/s --duration 1s",
    );
    assert_eq!(chat.clean(), 20);
    assert!(chat.count("/sum/delivered") <= 20, "{}", chat.out);
    let offline = play_plain(
        &built,
        "--scenario offline --clients 4 --rate 20/s --duration 1s",
    );
    assert_eq!(offline.clean(), 20);
    assert_eq!(offline.count("/sum/delivered"), 20, "{}", offline.out);
}

#[test]
fn reconnect() {
    let built = server("load-reconnect");
    let run = play_plain(&built, "--scenario reconnect --clients 4 --duration 300ms");
    let sent = run.clean();
    assert!(sent >= 4 && sent.is_multiple_of(4), "{}", run.out);
    assert_eq!(run.count("/sum/latency/resumption/count"), sent);
}

#[test]
fn offline() {
    let built = server("load-offline");
    let run = play_plain(
        &built,
        "--scenario offline --clients 4 --rate 20/s --duration 1s",
    );
    assert_eq!(run.clean(), 20);
}

/// Three items, each for five subscribers.
#[test]
fn pubsub() {
    let built = server("load-pubsub");
    let run = play_plain(
        &built,
        "--scenario pubsub --clients 6 --rate 3/s --duration 1s",
    );
    assert_eq!(run.clean(), 15);
    assert_eq!(run.count("/sum/latency/delivery/count"), 15);
}

#[test]
fn mixed() {
    let built = server("load-mixed");
    let mix = built.directory().join("mix.toml");
    std::fs::write(&mix, "chat = 2\nlogin = 1\nidle = 0.5\nreconnect = 0.5\n").unwrap();
    let words = format!(
        "--scenario mixed --clients 24 --rate 20/s --duration 1s --mix {}",
        mix.display()
    );
    let run = play_plain(&built, &words);
    // Ten of the chat, and those of each reconnection.
    assert!(run.clean() >= 12, "{}", run.out);
    assert_eq!(run.count("/sum/latency/login/count"), 5);
}

/// Who leaves while others go on counts no longer.
#[test]
fn mixed_with_a_part_that_leaves() {
    let built = server("load-mixed-leaving");
    let mix = built.directory().join("mix.toml");
    std::fs::write(&mix, "chat = 1\npresence = 1\n").unwrap();
    let words = format!(
        "--scenario mixed --clients 12 --rate 12/s --duration 4s --roster 2 --settle 1s --mix {}",
        mix.display()
    );
    let run = play_plain(&built, &words);
    assert!(run.clean() > 0, "{}", run.out);
    assert_eq!(run.count("/readings/sessions"), 6);
}

#[test]
fn prepare() {
    let built = server("load-prepare");
    let run = play_plain(&built, "--scenario prepare --clients 3 --roster 5");
    assert_eq!(run.clean(), 0);
    assert_eq!(
        run.count("/sum/delivered"),
        6,
        "two others are in each roster"
    );
}
