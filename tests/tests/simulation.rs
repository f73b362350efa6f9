//! Two clients, a server, one seed: connections cut at every byte, power cut at any time.
//!
//! Length: each test is a scene of the same two clients, and is read beside the others.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use waxwing_server::xep::xep_0198_sm::{COUNT_KEPT_MICROS, SM_COUNTS};
use waxwing_server::{Settings, accounts};
use waxwing_stanza::BareJid;
use waxwing_store::{KeyRange, Store};
use waxwing_testkit::{Crowd, Cut, Dice, Direction, Happening, Peer, Seed, World};
use waxwing_tests::{Ledger, Verdict, with_seed};

const NAMES: [&str; 2] = ["alice@example.org", "bob@example.org"];

/// Place of the second's other session, where there is one.
const DESK: usize = 2;

/// Messages that each of the two sends to the other.
const MESSAGES: u64 = 3;

const CUTS: [Cut; 4] = [Cut::Clean, Cut::HalfOpen, Cut::Silent, Cut::Overtaken];

struct Rig {
    crowd: Crowd,
    ledger: Ledger,
    sent: u64,
}

impl Rig {
    fn new(seed: Seed) -> Rig {
        Rig::of(seed, |_| ())
    }

    fn of(seed: Seed, more: impl FnOnce(&mut Vec<Peer>)) -> Rig {
        let settings = Settings {
            domains: vec!["example.org".to_owned()],
            ..Settings::default()
        };
        let mut world = World::new(settings, seed).unwrap();
        let mut peers = Vec::new();
        for (number, name) in (10..).zip(NAMES) {
            let account: BareJid = name.parse().unwrap();
            world.add_account(&account, "pencil").unwrap();
            let peer = Peer::new(account, "phone", "pencil", seed.of(number)).unwrap();
            peers.push(peer.with_greeting(["<presence/>"]));
        }
        more(&mut peers);
        world.slow_disk();
        Rig {
            crowd: Crowd::new(world, peers, seed.of(3)),
            ledger: Ledger::default(),
            sent: 0,
        }
    }

    /// With a second session of the second, logged in and not available.
    fn with_desk(seed: Seed) -> Rig {
        Rig::of(seed, |peers| {
            let account: BareJid = NAMES[1].parse().unwrap();
            peers.push(Peer::new(account, "desk", "pencil", seed.of(20)).unwrap());
        })
    }

    /// Each sends one more message to the other.
    fn send(&mut self) {
        self.send_to("");
    }

    /// The same, to a resource: `/phone`, or none.
    fn send_to(&mut self, resource: &str) {
        for (at, to) in [(0, NAMES[1]), (1, NAMES[0])] {
            self.sent += 1;
            let body = format!("m{}", self.sent);
            self.ledger.send(to, &body);
            let stanza = format!(
                "<message to='{to}{resource}' id='{body}' type='chat'><body>{body}</body></message>"
            );
            self.crowd.with(at, |peer| peer.send(self.sent, stanza));
        }
    }

    fn note(&mut self) {
        for (at, name) in NAMES.iter().enumerate() {
            let ledger = &mut self.ledger;
            self.crowd.with(at, |peer| {
                while let Some(stanza) = peer.poll() {
                    ledger.receive(name, &stanza);
                }
                for tag in peer.take_settled() {
                    ledger.acknowledge(&format!("m{tag}"));
                }
            });
        }
    }

    /// Goes on until everything sent has come, and everything in flight is over.
    fn settle(&mut self) {
        let verdict = self.verdict();
        assert!(verdict.is_good(), "{verdict:?}");
    }

    /// The same, where messages to one session were sent before it was available: it has them at once, and
    /// what waits for the account only when it asks for that by its presence.
    fn settle_without_order(&mut self) {
        let verdict = Verdict {
            disordered: Vec::new(),
            ..self.verdict()
        };
        assert!(verdict.is_good(), "{verdict:?}");
    }

    fn verdict(&mut self) -> Verdict {
        let limit = self.crowd.world.now_micros() + 3_600_000_000;
        while !self.ledger.is_settled() {
            assert!(
                self.crowd.world.now_micros() < limit,
                "{} of {} have come",
                self.ledger.received(),
                self.sent
            );
            self.crowd.step();
            self.note();
        }
        // What comes twice would come late.
        let quiet = self.crowd.world.now_micros() + 200_000_000;
        while self.crowd.world.now_micros() < quiet {
            self.crowd.step();
            self.note();
        }
        self.ledger.verdict()
    }
}

/// The whole exchange. `plan` names the peer whose first connection is cut, and where.
fn exchange(seed: Seed, plan: Option<(usize, Direction, u64, Cut)>) -> Rig {
    let mut rig = Rig::new(seed);
    if let Some((at, direction, bytes, cut)) = plan {
        let link = rig.crowd.link(at).unwrap();
        rig.crowd.world.cut_after(link, direction, bytes, cut);
    }
    for _ in 0..MESSAGES {
        rig.send();
        rig.crowd.step();
        rig.note();
    }
    rig.settle();
    rig
}

#[test]
fn a_connection_may_be_cut_at_every_byte() {
    let seed = Seed(1);
    let whole = exchange(seed, None);
    let (mut cuts, mut resumed, mut redelivered) = (0, 0, 0);
    for (at, name) in NAMES.iter().enumerate() {
        for direction in [Direction::Up, Direction::Down] {
            let carried = whole
                .crowd
                .world
                .carried(whole.crowd.link(at).unwrap(), direction);
            assert!(carried > 500, "{carried} bytes are no log-in");
            for bytes in 0..carried {
                let cut = CUTS[usize::try_from(bytes).unwrap() % CUTS.len()];
                let what =
                    format!("{cut:?} cut of {name}'s connection after {bytes} bytes {direction:?}");
                let rig = with_seed(seed, &what, || {
                    exchange(seed, Some((at, direction, bytes, cut)))
                });
                cuts += 1;
                resumed += rig
                    .crowd
                    .peers()
                    .map(|peer| peer.counts().resumed)
                    .sum::<u64>();
                redelivered += rig.ledger.redelivered();
            }
        }
    }
    println!(
        "figures: {cuts} cuts, {resumed} sessions resumed, {redelivered} messages redelivered, nothing lost, nothing twice"
    );
    assert!(resumed > 100);
}

/// A message may come while a session is sent what waited for it: it comes with that or by itself.
#[test]
fn nothing_comes_twice_while_a_session_catches_up() {
    for number in 0..200 {
        let seed = Seed(number);
        for resource in ["", "/phone"] {
            with_seed(seed, resource, || {
                let mut rig = Rig::new(seed);
                for _ in 0..40 {
                    rig.send_to(resource);
                    rig.crowd.step();
                    rig.note();
                }
                match resource {
                    "" => rig.settle(),
                    _ => rig.settle_without_order(),
                }
                assert_eq!(rig.ledger.redelivered(), 0);
            });
        }
    }
}

/// A session that still gets what waited for it is there all the same: what is sent to the account goes
/// to it, and not to one that is less available.
#[test]
fn a_session_that_catches_up_is_the_most_available() {
    const MESSAGES: u64 = 60;
    const STEPS: u64 = 8;
    let mut both = 0;
    for number in 0..100 {
        let seed = Seed(number);
        with_seed(seed, "a session that catches up", || {
            let mut rig = Rig::with_desk(seed);
            let online = |crowd: &mut Crowd| crowd.peers().all(Peer::is_online);
            rig.crowd.run_until(online).unwrap();
            let (mut came, mut desk_seen) = (0, None);
            for tag in 1..=MESSAGES {
                // Others are told of it some time later.
                if tag == MESSAGES / 4 {
                    let presence = "<presence><priority>5</priority></presence>";
                    rig.crowd.with(DESK, |peer| peer.send(0, presence));
                }
                let to = NAMES[1];
                let stanza =
                    format!("<message to='{to}' id='{tag}' type='chat'><body>x</body></message>");
                rig.crowd.with(0, |peer| peer.send(tag, stanza));
                (0..STEPS).for_each(|_| rig.crowd.step());
                rig.crowd.with(1, |peer| {
                    while let Some(stanza) = peer.poll() {
                        let from = stanza.attr("from").unwrap_or_default();
                        if stanza.name() == "presence" && from.ends_with("/desk") {
                            desk_seen = Some(tag);
                        } else if stanza.name() == "message" {
                            came += 1;
                            let sent: u64 = stanza.attr("id").unwrap().parse().unwrap();
                            assert!(
                                desk_seen.is_none_or(|seen| sent <= seen),
                                "{sent} came to the telephone"
                            );
                        }
                    }
                });
            }
            both += u64::from(came > 0 && desk_seen.is_some_and(|seen| seen < MESSAGES));
        });
    }
    assert!(both > 50, "in {both} runs only was there anything to see");
}

/// Two sessions of an account come back to more than a client is sent without acknowledging it: from where
/// it begins, each gets everything; what the quicker one confirms is not taken away from under the other.
#[test]
fn who_catches_up_gets_everything_from_there() {
    const WAITING: u64 = 250;
    const RUNS: u64 = 100;
    let mut both = 0;
    for number in 0..RUNS {
        let seed = Seed(number);
        with_seed(seed, "two that catch up", || {
            let mut rig = Rig::of(seed, |peers| {
                let account: BareJid = NAMES[1].parse().unwrap();
                let desk = Peer::new(account, "desk", "pencil", seed.of(20)).unwrap();
                peers.push(desk.with_greeting(["<presence/>"]));
            });
            let online = |crowd: &mut Crowd| crowd.peers().all(Peer::is_online);
            rig.crowd.run_until(online).unwrap();
            for at in [1, DESK] {
                let link = rig.crowd.link(at).unwrap();
                rig.crowd.world.cut(link, Cut::Silent);
            }
            for tag in 1..=WAITING {
                let to = NAMES[1];
                let stanza =
                    format!("<message to='{to}' id='{tag}' type='chat'><body>x</body></message>");
                rig.crowd.with(0, |peer| peer.send(tag, stanza));
            }
            let acknowledged =
                |crowd: &mut Crowd| crowd.with(0, |peer| peer.unsettled()) == Some(0);
            rig.crowd.run_until(acknowledged).unwrap();
            rig.crowd.world.crash();
            rig.crowd.world.start().unwrap();
            let mut got = [Vec::new(), Vec::new()];
            let patience = rig.crowd.world.now_micros() + 200_000_000;
            while rig.crowd.world.now_micros() < patience {
                rig.crowd.step();
                for (at, ids) in [1, DESK].into_iter().zip(&mut got) {
                    rig.crowd.with(at, |peer| {
                        while let Some(stanza) = peer.poll() {
                            if stanza.name() == "message" {
                                ids.push(stanza.attr("id").unwrap().parse().unwrap());
                            }
                        }
                    });
                }
            }
            for ids in &got {
                let first = ids.first().copied().unwrap_or(WAITING + 1);
                assert!(ids.iter().copied().eq(first..=WAITING), "{ids:?}");
            }
            both += u64::from(got.iter().all(|ids| !ids.is_empty()));
        });
    }
    println!("figures: in {both} of {RUNS} runs, two caught up at a time");
    assert!(both > RUNS / 20, "{both}");
}

/// What a client wrote on a connection that it has given up may come before, while and after it resumes
/// its session on another; it sends again what `<resumed/>` does not count (XEP-0198 §5).
#[test]
fn the_next_connection_may_overtake_the_last() {
    const BURST: u64 = 25;
    let mut resumed = 0;
    for number in 0..400 {
        let seed = Seed(number);
        with_seed(seed, "overtaken", || {
            let mut rig = Rig::new(seed);
            let online = |crowd: &mut Crowd| crowd.peers().all(Peer::is_online);
            rig.crowd.run_until(online).unwrap();
            for _ in 0..BURST {
                rig.send();
                rig.note();
            }
            let link = rig.crowd.link(0).unwrap();
            rig.crowd.world.cut(link, Cut::Overtaken);
            rig.settle();
            resumed += rig
                .crowd
                .peers()
                .map(|peer| peer.counts().resumed)
                .sum::<u64>();
        });
    }
    println!("figures: {resumed} sessions resumed, nothing lost, nothing twice");
    assert!(resumed > 300, "{resumed}");
}

/// Cuts and crashes at random moments, with commits that were not durable lost in each crash.
fn storm(seed: Seed) -> Rig {
    storm_with(seed, |_| ())
}

/// The same, with something more before each round.
fn storm_with(seed: Seed, mut more: impl FnMut(&mut Rig)) -> Rig {
    let mut rig = Rig::new(seed);
    let mut dice = Dice::new(seed.of(4));
    for _ in 0..12 {
        more(&mut rig);
        for _ in 0..dice.below(4) {
            rig.send();
        }
        for _ in 0..dice.below(60) {
            rig.crowd.step();
            rig.note();
        }
        match dice.below(4) {
            0 => {
                rig.crowd.world.crash();
                rig.crowd.world.start().unwrap();
            }
            1 => {
                let cut = *dice.pick(&CUTS).unwrap();
                if let Some(link) = rig.crowd.link(usize::try_from(dice.below(2)).unwrap()) {
                    rig.crowd.world.cut(link, cut);
                }
            }
            _ => {}
        }
    }
    rig.settle();
    rig
}

const HOUR_MICROS: i64 = 3_600_000_000;

/// The server's clock is set back by a day, by a year, forward by an hour, in the middle of everything: log ids go on
/// upwards, so that what waited comes in its order; sessions are resumed, and nothing waits for a time that has passed.
#[test]
fn the_clock_may_be_set_at_any_moment() {
    let mut resumed = 0;
    for number in 0..200 {
        let seed = Seed(number);
        let rig = with_seed(seed, "in a storm with clocks", || {
            let mut dice = Dice::new(seed.of(5));
            storm_with(seed, |rig| {
                let jumps = [0, -24 * HOUR_MICROS, HOUR_MICROS, -365 * 24 * HOUR_MICROS];
                let by = *dice.pick(&jumps).unwrap();
                rig.crowd.world.set_clock(by);
            })
        });
        let counts = rig.crowd.peers().map(|peer| peer.counts().resumed);
        resumed += counts.sum::<u64>();
    }
    println!("figures: {resumed} sessions resumed, nothing lost, nothing twice");
    assert!(resumed > 10, "{resumed}");
}

/// A year forward, with cuts and without crashes: sessions are in memory, and wait as long as they always do.
#[test]
fn a_year_forward_ends_no_session() {
    for number in 0..100 {
        let seed = Seed(number);
        with_seed(seed, "a year forward", || {
            let mut rig = Rig::new(seed);
            let online = |crowd: &mut Crowd| crowd.peers().all(Peer::is_online);
            rig.crowd.run_until(online).unwrap();
            for (round, cut) in CUTS.into_iter().enumerate() {
                rig.send();
                let link = rig.crowd.link(round % 2).unwrap();
                rig.crowd.world.cut(link, cut);
                rig.crowd.world.set_clock(365 * 24 * HOUR_MICROS);
                rig.crowd.run_until(online).unwrap();
                rig.note();
            }
            rig.settle();
            let counts = rig.crowd.peers().map(Peer::counts);
            let (resumed, failed) = counts.fold((0, 0), |(resumed, failed), counts| {
                let lost = counts.failed_with_count + counts.failed_without_count;
                (resumed + counts.resumed, failed + lost)
            });
            assert!(resumed > 0 && failed == 0, "{resumed} {failed}");
        });
    }
}

/// Who never logs in is sent away after the time that the option says, however the clock is set meanwhile.
#[test]
fn a_time_out_does_not_follow_the_clock() {
    for by in [0, -24 * HOUR_MICROS, 365 * 24 * HOUR_MICROS] {
        let mut rig = Rig::new(Seed(1));
        let world = &mut rig.crowd.world;
        let link = world.connect(&waxwing_server::Security::StartTls);
        let began = world.now_micros();
        world.set_clock(by);
        let limit = began + 600_000_000;
        let took = loop {
            assert!(world.now_micros() < limit, "it is never sent away");
            match world.next(limit) {
                Happening::Disconnected(gone) if gone == link => break world.now_micros() - began,
                _ => {}
            }
        };
        assert!((59_000_000..120_000_000).contains(&took), "{by}: {took}");
    }
}

#[test]
fn the_power_may_go_at_any_moment() {
    let (mut messages, mut redelivered, mut failed, mut unknown) = (0, 0, 0, 0);
    for number in 0..400 {
        let seed = Seed(number);
        let rig = with_seed(seed, "in a storm", || storm(seed));
        messages += rig.ledger.received();
        redelivered += rig.ledger.redelivered();
        failed += rig
            .crowd
            .peers()
            .map(|peer| peer.counts().failed_with_count)
            .sum::<u64>();
        unknown += rig
            .crowd
            .peers()
            .map(|peer| peer.counts().failed_without_count)
            .sum::<u64>();
    }
    println!(
        "figures: {messages} messages, {redelivered} redelivered, {failed} sessions lost whose count was known and {unknown} \
         whose count was not, nothing lost, nothing twice"
    );
    assert!(failed > 100);
}

/// Rows of stream counts that the store holds for an account, expired or not.
fn counts_held(rig: &mut Rig, name: &str) -> u64 {
    let account: BareJid = name.parse().unwrap();
    let count = |store: &Store| {
        store.count(
            &SM_COUNTS.at(0),
            &accounts::owner(&account),
            &KeyRange::all(),
        )
    };
    rig.crowd.world.look(count).unwrap()
}

#[test]
fn what_has_expired_is_removed() {
    let mut rig = exchange(Seed(5), None);
    assert!(counts_held(&mut rig, NAMES[0]) > 0);
    let week = rig.crowd.world.now_micros() + COUNT_KEPT_MICROS;
    // Both leave for good, and nothing more happens but by the clock.
    for at in 0..NAMES.len() {
        let link = rig.crowd.link(at).unwrap();
        rig.crowd.world.cut(link, Cut::Clean);
    }
    let hour = 3_600 * 1_000_000;
    for (until, is_there) in [(week - 2 * hour, true), (week + 2 * hour, false)] {
        while rig.crowd.world.now_micros() < until {
            rig.crowd.world.next(until);
        }
        assert_eq!(counts_held(&mut rig, NAMES[0]) > 0, is_there);
    }
}
