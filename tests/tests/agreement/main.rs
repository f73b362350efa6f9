//! Ten clients, cut and crashed at random, and a small model of RFC 6121 beside them: whenever it is quiet, every
//! client's roster, and whom it sees, is what the model says.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stderr, reason = "a failure names its seed")]
#![expect(clippy::panic, reason = "a test fails by panicking")]

mod model;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use model::{Act, Item, Model};
use waxwing_server::Settings;
use waxwing_stanza::BareJid;
use waxwing_testkit::{Crowd, Cut, Dice, Peer, Seed, Tag, World};
use waxwing_tests::Ledger;
use waxwing_wire::Element;

const CLIENTS: usize = 10;
const SEEDS: u64 = 1_000;
/// Times that it is quiet, and looked at.
const ROUNDS: u64 = 3;
/// Acts between them.
const ACTS: u64 = 12;

const ROSTER: &str = "jabber:iq:roster";

fn name_of(client: usize) -> String {
    format!("user{client}@example.org")
}

fn client_of(jid: &str) -> Option<usize> {
    let user = jid.split('@').next()?;
    user.strip_prefix("user")?.parse().ok()
}

struct Rig {
    crowd: Crowd,
    model: Model,
    ledger: Ledger,
    dice: Dice,
    /// Whom each client saw available since its session began.
    seen: Vec<BTreeSet<usize>>,
    bound: Vec<u64>,
    rosters: BTreeMap<usize, Element>,
    sent: Tag,
    settled: BTreeSet<Tag>,
    said: Vec<String>,
}

impl Rig {
    fn new(seed: Seed) -> Rig {
        let settings = Settings {
            domains: vec!["example.org".to_owned()],
            ..Settings::default()
        };
        let mut world = World::new(settings, seed).unwrap();
        let mut peers = Vec::new();
        for client in 0..CLIENTS {
            let account: BareJid = name_of(client).parse().unwrap();
            world.add_account(&account, "pencil").unwrap();
            let seed = seed.of(10 + client as u64);
            let peer = Peer::new(account, "phone", "pencil", seed).unwrap();
            // Presence comes to who asked for it and to who has the roster.
            peers.push(peer.with_greeting([
                "<iq type='get' id='interested'><query xmlns='jabber:iq:roster'/></iq>",
                "<presence/>",
            ]));
        }
        world.slow_disk();
        Rig {
            crowd: Crowd::new(world, peers, seed.of(3)),
            model: Model::default(),
            ledger: Ledger::default(),
            dice: Dice::new(seed.of(4)),
            seen: vec![BTreeSet::new(); CLIENTS],
            bound: vec![0; CLIENTS],
            rosters: BTreeMap::new(),
            sent: 0,
            settled: BTreeSet::new(),
            said: Vec::new(),
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.dice.below(bound as u64)).unwrap()
    }

    fn send(&mut self, client: usize, stanza: String) -> Tag {
        self.sent += 1;
        let tag = self.sent;
        self.crowd.with(client, |peer| peer.send(tag, stanza));
        tag
    }

    fn step(&mut self) {
        self.crowd.step();
        for client in 0..CLIENTS {
            let heard = self.crowd.with(client, |peer| {
                let stanzas: Vec<Element> = std::iter::from_fn(|| peer.poll()).collect();
                (peer.counts().bound, stanzas, peer.take_settled())
            });
            let (bound, stanzas, settled) = heard.unwrap();
            if self.bound[client] != bound {
                self.bound[client] = bound;
                self.seen[client].clear();
            }
            self.settled.extend(settled);
            for stanza in stanzas {
                self.hear(client, &stanza);
            }
        }
    }

    fn hear(&mut self, client: usize, stanza: &Element) {
        self.ledger.receive(&name_of(client), stanza);
        let from = stanza.attr("from").and_then(client_of);
        match (stanza.name(), stanza.attr("type"), from) {
            ("presence", None, Some(from)) => {
                self.seen[client].insert(from);
            }
            ("presence", Some("unavailable"), Some(from)) => {
                self.seen[client].remove(&from);
            }
            ("iq", Some("result"), _) if stanza.attr("id") == Some("look") => {
                self.rosters.insert(client, stanza.clone());
            }
            ("iq", Some("error"), _) => {
                panic!("{} got an error: {stanza:?}", name_of(client));
            }
            _ => {}
        }
    }

    /// Goes on until these are acknowledged, and for some time after.
    fn settle(&mut self, tags: &[Tag]) {
        let limit = self.crowd.world.now_micros() + 3_600_000_000;
        while !tags.iter().all(|tag| self.settled.contains(tag)) || !self.ledger.has_all() {
            assert!(self.crowd.world.now_micros() < limit, "it does not settle");
            self.step();
        }
        let quiet = self.crowd.world.now_micros() + 30_000_000;
        while self.crowd.world.now_micros() < quiet {
            self.step();
        }
    }

    /// Somebody does something to somebody; a pair does one thing at a time, so that there is one outcome.
    fn act(&mut self, busy: &mut BTreeSet<(usize, usize)>) -> Option<Tag> {
        // Neighbours, so that each pair has a history.
        let who = self.below(CLIENTS);
        let whom = (who + [1, CLIENTS - 1][self.below(2)]) % CLIENTS;
        if !busy.insert((who.min(whom), who.max(whom))) {
            return None;
        }
        let name = format!("name {}", self.sent);
        let act = match self.below(8) {
            0 => Act::Set { name: name.clone() },
            1 => Act::Remove,
            2..5 => Act::Subscribe,
            5 => Act::Unsubscribe,
            6 => Act::Unsubscribed,
            _ => Act::Subscribed,
        };
        // Those who are asked mostly agree.
        let act = match act {
            Act::Subscribe if self.model.makes_sense(who, whom, &Act::Subscribed) => {
                Act::Subscribed
            }
            act => act,
        };
        if !self.model.makes_sense(who, whom, &act) {
            return None;
        }
        let contact = name_of(whom);
        let presence = |kind: &str| format!("<presence to='{contact}' type='{kind}'/>");
        let item = |attributes: &str| {
            format!(
                "<iq type='set' id='set'><query xmlns='{ROSTER}'><item jid='{contact}' {attributes}/></query></iq>"
            )
        };
        let stanza = match &act {
            Act::Set { name } => item(&format!("name='{name}'")),
            Act::Remove => item("subscription='remove'"),
            Act::Subscribe => presence("subscribe"),
            Act::Subscribed => presence("subscribed"),
            Act::Unsubscribe => presence("unsubscribe"),
            Act::Unsubscribed => presence("unsubscribed"),
        };
        self.said.push(format!("{who} to {whom}: {act:?}"));
        self.model.act(who, whom, &act);
        Some(self.send(who, stanza))
    }

    fn message(&mut self) -> Tag {
        let (who, whom) = (self.below(CLIENTS), name_of(self.below(CLIENTS)));
        let body = format!("m{}", self.sent);
        self.ledger.send(&whom, &body);
        self.send(
            who,
            format!("<message to='{whom}' type='chat'><body>{body}</body></message>"),
        )
    }

    fn trouble(&mut self) {
        match self.below(6) {
            0 => {
                self.said.push("crash".to_owned());
                self.crowd.world.crash();
                self.crowd.world.start().unwrap();
            }
            1..4 => {
                let client = self.below(CLIENTS);
                let cut = [Cut::Clean, Cut::HalfOpen, Cut::Silent, Cut::Overtaken][self.below(4)];
                if let Some(link) = self.crowd.link(client) {
                    self.said.push(format!("{cut:?} cut of {client}"));
                    self.crowd.world.cut(link, cut);
                }
            }
            _ => {}
        }
    }

    fn round(&mut self) {
        let (mut busy, mut tags) = (BTreeSet::new(), Vec::new());
        for _ in 0..ACTS {
            tags.extend(self.act(&mut busy));
            if self.dice.chance(400) {
                tags.push(self.message());
            }
            for _ in 0..self.dice.below(30) {
                self.step();
            }
            self.trouble();
        }
        self.settle(&tags);
        self.look();
    }

    /// Compares what everybody has with the model.
    fn look(&mut self) {
        self.rosters.clear();
        let get = format!("<iq type='get' id='look'><query xmlns='{ROSTER}'/></iq>");
        let tags: Vec<Tag> = (0..CLIENTS)
            .map(|client| self.send(client, get.clone()))
            .collect();
        self.settle(&tags);
        for client in 0..CLIENTS {
            let said = &self.said;
            let roster = items(self.rosters.get(&client).unwrap());
            let expected = self.model.roster(client);
            assert_eq!(roster, expected, "the roster of {client} after {said:#?}");
            let mut sees = self.seen[client].clone();
            sees.remove(&client);
            let expected = self.model.sees(client);
            assert_eq!(sees, expected, "whom {client} sees after {said:#?}");
        }
        let verdict = self.ledger.verdict();
        assert!(verdict.is_good(), "{verdict:?}");
    }
}

fn items(answer: &Element) -> BTreeMap<usize, Item> {
    let query = answer.child(ROSTER, "query").unwrap();
    let item = |item: &Element| {
        let subscription = item.attr("subscription").unwrap();
        let read = Item {
            name: item.attr("name").unwrap_or_default().to_owned(),
            to: matches!(subscription, "to" | "both"),
            from: matches!(subscription, "from" | "both"),
            ask: item.attr("ask") == Some("subscribe"),
        };
        (client_of(item.attr("jid").unwrap()).unwrap(), read)
    };
    query.children().map(item).collect()
}

fn run(seed: Seed) -> Rig {
    let run = || {
        let mut rig = Rig::new(seed);
        for _ in 0..ROUNDS {
            rig.round();
        }
        rig
    };
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|failure| {
        eprintln!("failed with seed {seed}");
        resume_unwind(failure)
    })
}

#[test]
fn everybody_agrees_with_the_model() {
    let (mut acts, mut messages, mut lives) = (0, 0, 0);
    for seed in 0..SEEDS {
        let rig = run(Seed(seed));
        acts += rig.said.len();
        messages += rig.ledger.received();
        lives += rig.bound.iter().sum::<u64>();
    }
    println!(
        "figures: {SEEDS} seeds: {acts} acts and troubles, {messages} messages, {lives} sessions"
    );
    assert!(lives > SEEDS * CLIENTS as u64 && messages > 1_000);
}
