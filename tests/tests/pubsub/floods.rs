//! One client floods a service while another one asks for something: what is taken at a time has a bound, what is kept has a limit
//! with a name, and the other one is answered long before the flood is over.

use std::collections::BTreeMap;

use waxwing_server::{OptionValue, Settings};
use waxwing_stanza::BareJid;
use waxwing_testkit::{Crowd, Direction, Peer, Seed, World};
use waxwing_wire::Element;

use crate::service::{HOST, form, said};

const FLOODER: usize = 0;
const OTHER: usize = 1;
const NAMES: [&str; 2] = ["mallory@example.org", "bob@example.org"];

/// Requests of a flood.
const FLOOD: usize = 3_000;

/// Requests that are written together: the flood is over long before the disk has written its beginning.
const AT_ONCE: usize = 20;

/// Most requests of a flood that may have come and have no answer yet: 256 that wait for the disk, those that 64 KiB hold, and
/// those whose answers are on their way.
const AHEAD_MAX: usize = 900;

/// What an answer says, in words: `done`, or the condition and that of the service's own.
type Word = String;

struct Flood {
    crowd: Crowd,
    answers: [BTreeMap<Word, usize>; 2],
}

impl Flood {
    fn new(options: &[(&str, u64)]) -> Flood {
        let value = |(name, value): &(&str, u64)| ((*name).to_owned(), OptionValue::Number(*value));
        let settings = Settings {
            domains: vec!["example.org".to_owned()],
            options: options.iter().map(value).collect(),
            ..Settings::default()
        };
        let seed = Seed(7);
        let mut world = World::new(settings, seed).unwrap();
        let mut peers = Vec::new();
        for (number, name) in (10..).zip(NAMES) {
            let account: BareJid = name.parse().unwrap();
            world.add_account(&account, "pencil").unwrap();
            peers.push(Peer::new(account, "phone", "pencil", seed.of(number)).unwrap());
        }
        world.slow_disk();
        let mut crowd = Crowd::new(world, peers, seed.of(3));
        let online = crowd.run_until(|crowd| crowd.peers().all(Peer::is_online));
        online.unwrap();
        Flood {
            crowd,
            answers: [BTreeMap::new(), BTreeMap::new()],
        }
    }

    fn say(&mut self, who: usize, kind: &str, parts: &str) {
        let request = request(kind, parts);
        self.crowd.with(who, |peer| peer.send(0, request));
    }

    fn answered(&self, who: usize) -> usize {
        self.answers[who].values().sum()
    }

    fn step(&mut self) {
        self.crowd.step();
        for who in [FLOODER, OTHER] {
            let answers = &mut self.answers[who];
            self.crowd.with(who, |peer| {
                while let Some(stanza) = peer.poll() {
                    if let Some(word) = word(&stanza) {
                        *answers.entry(word).or_default() += 1;
                    }
                }
            });
        }
    }

    fn carried(&self) -> usize {
        let link = self.crowd.link(FLOODER).unwrap();
        let carried = self.crowd.world.carried(link, Direction::Up);
        usize::try_from(carried).unwrap()
    }

    /// Sends a flood, and something of the other one's, and goes on until all of it is answered.
    fn run(&mut self, flood: &str) {
        let (before, flood) = (self.carried(), request("set", flood));
        let own = "<publish node='mine'><item id='a'><x xmlns='urn:example'/></item></publish>";
        let (mut sent, mut ahead, mut meanwhile) = (0, 0, None);
        while self.answered(FLOODER) < FLOOD {
            let more = AT_ONCE.min(FLOOD - sent);
            self.crowd.with(FLOODER, |peer| {
                for _ in 0..more {
                    peer.send(0, flood.clone());
                }
            });
            if sent == 0 {
                self.say(OTHER, "set", own);
            }
            sent += more;
            self.step();
            let come = (self.carried() - before) / flood.len();
            ahead = ahead.max(come.saturating_sub(self.answered(FLOODER)));
            if meanwhile.is_none() && self.answered(OTHER) == 1 {
                meanwhile = Some(self.answered(FLOODER));
            }
        }
        assert!(ahead <= AHEAD_MAX, "{ahead} requests were taken at once");
        let meanwhile = meanwhile.unwrap();
        assert!(
            meanwhile < FLOOD / 4,
            "answered after {meanwhile} of the flood"
        );
        assert_eq!(
            self.answers[OTHER],
            BTreeMap::from([("done".to_owned(), 1)])
        );
    }

    /// What became of the flood.
    fn outcome(&self) -> Vec<(&str, usize)> {
        let outcome = self.answers[FLOODER].iter();
        outcome
            .map(|(word, count)| (word.as_str(), *count))
            .collect()
    }
}

fn request(kind: &str, parts: &str) -> String {
    format!(
        "<iq type='{kind}' id='q' to='{HOST}'>\
         <pubsub xmlns='http://jabber.org/protocol/pubsub'>{parts}</pubsub></iq>"
    )
}

fn word(stanza: &Element) -> Option<Word> {
    if stanza.name() != "iq" || stanza.attr("id") != Some("q") {
        return None;
    }
    Some(match said(stanza) {
        None => "done".to_owned(),
        Some((_, condition, app)) => format!("{condition} {}", app.unwrap_or_default()),
    })
}

/// All of them are done, some at a time: whoever is ahead of the disk is read no further.
#[test]
fn publications() {
    let mut flood = Flood::new(&[("pubsub_items_max", 10)]);
    flood.run("<publish node='n'><item><x xmlns='urn:example'/></item></publish>");
    assert_eq!(flood.outcome(), [("done", FLOOD)]);
}

/// `pubsub_subscriptions_max`: with options, each is one more.
#[test]
fn subscriptions() {
    let mut flood = Flood::new(&[("pubsub_subscriptions_max", 40)]);
    flood.say(FLOODER, "set", "<create node='n'/>");
    while flood.answered(FLOODER) < 1 {
        flood.step();
    }
    flood.answers[FLOODER].clear();
    let options = form("subscribe_options", &[("deliver", "0")]);
    flood.run(&format!(
        "<subscribe node='n' jid='{}'/><options>{options}</options>",
        NAMES[FLOODER]
    ));
    let refused = ("policy-violation too-many-subscriptions", FLOOD - 40);
    assert_eq!(flood.outcome(), [("done", 40), refused]);
}

/// `pubsub_nodes_max`.
#[test]
fn nodes() {
    let mut flood = Flood::new(&[("pubsub_nodes_max", 30)]);
    flood.run("<create/>");
    let refused = ("resource-constraint ", FLOOD - 30);
    assert_eq!(flood.outcome(), [("done", 30), refused]);
}
