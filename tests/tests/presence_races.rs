//! Two sessions of one account at once: one says how it is, the other who may see that. Whoever watches ends up with what is
//! true, whichever came first.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use waxwing_server::Settings;
use waxwing_stanza::BareJid;
use waxwing_testkit::{Crowd, Dice, Peer, Seed, World};

const BOB: &str = "bob@example.org";
const CAROL: &str = "carol@example.org";
/// Worlds in which each race is run.
const WORLDS: u64 = 60;
/// Races in each of them.
const ROUNDS: u64 = 6;
/// Bob's other contacts: a roster of some length takes some time to read.
const OTHERS: u64 = 40;

fn world(seed: Seed) -> Crowd {
    let settings = Settings {
        domains: vec!["example.org".to_owned()],
        ..Settings::default()
    };
    let mut world = World::new(settings, seed).unwrap();
    let mut peers = Vec::new();
    let all = [(BOB, "one"), (BOB, "two"), (CAROL, "phone")];
    for (number, (name, resource)) in all.into_iter().enumerate() {
        let account: BareJid = name.parse().unwrap();
        if resource != "two" {
            world.add_account(&account, "pencil").unwrap();
        }
        let peer = Peer::new(account, resource, "pencil", seed.of(10 + number as u64)).unwrap();
        let roster = "<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>";
        peers.push(peer.with_greeting([roster, "<presence/>"]));
    }
    world.slow_disk();
    Crowd::new(world, peers, seed.of(3))
}

/// Bob's sessions as Carol was told of them, with what they show.
#[derive(Default)]
struct View(BTreeMap<String, String>);

impl View {
    fn look(&mut self, crowd: &mut Crowd) {
        crowd.with(2, |carol| {
            while let Some(stanza) = carol.poll() {
                let from = stanza.attr("from").unwrap_or_default().to_owned();
                if stanza.name() != "presence" || !from.starts_with("bob@example.org/") {
                    continue;
                }
                match stanza.attr("type") {
                    Some("unavailable") => drop(self.0.remove(&from)),
                    Some(_) => {}
                    None => {
                        let show = stanza.child("jabber:client", "show");
                        let show = show.map(waxwing_wire::Element::text).unwrap_or_default();
                        self.0.insert(from, show);
                    }
                }
            }
        });
    }
}

fn settle(crowd: &mut Crowd) {
    let until = crowd.world.now_micros() + 5_000_000;
    while crowd.world.now_micros() < until {
        crowd.step();
    }
}

#[test]
fn who_may_see_presence_sees_the_last_and_who_may_not_sees_none() {
    for number in 0..WORLDS {
        let seed = Seed(number);
        let mut crowd = world(seed);
        let mut dice = Dice::new(seed.of(5));
        let online = |crowd: &mut Crowd| crowd.peers().all(Peer::is_online);
        crowd.run_until(online).unwrap();
        for other in 0..OTHERS {
            let item = format!(
                "<iq type='set' id='o{other}'><query xmlns='jabber:iq:roster'><item jid='o{other}@example.org'/></query></iq>"
            );
            crowd.with(0, |bob| bob.send(other, item));
        }
        settle(&mut crowd);
        let mut view = View::default();
        for round in 0..ROUNDS {
            let allows = round % 2 == 0;
            if allows {
                let ask = format!("<presence to='{BOB}' type='subscribe'/>");
                crowd.with(2, |carol| carol.send(round, ask));
                settle(&mut crowd);
            }
            let show = ["away", "chat", "dnd", "xa"][usize::try_from(round % 4).unwrap()];
            let shown = format!("<presence><show>{show}</show></presence>");
            let answer = if allows { "subscribed" } else { "unsubscribed" };
            let answer = format!("<presence to='{CAROL}' type='{answer}'/>");
            let mut said = [(1, shown), (0, answer)];
            if dice.below(2) == 0 {
                said.reverse();
            }
            for (who, stanza) in said {
                crowd.with(who, |bob| bob.send(round, stanza));
                for _ in 0..dice.below(4) {
                    crowd.step();
                }
            }
            settle(&mut crowd);
            view.look(&mut crowd);
            let two = view.0.get("bob@example.org/two").map(String::as_str);
            let expected = allows.then_some(show);
            assert_eq!(two, expected, "seed {seed}, round {round}");
            assert_eq!(
                view.0.len(),
                if allows { 2 } else { 0 },
                "seed {seed}, round {round}"
            );
        }
    }
}
