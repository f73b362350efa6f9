//! Several devices of two accounts, cuts, crashes, messages taken back, pages read at any moment: in the end all hold the same
//! history.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "what was seen is told in figures")]

use std::collections::{BTreeMap, BTreeSet};

use waxwing_server::Settings;
use waxwing_stanza::BareJid;
use waxwing_testkit::{Crowd, Cut, Dice, Peer, Seed, World};
use waxwing_tests::with_seed;
use waxwing_wire::{Element, ns};

/// Runs of the whole.
const SEEDS: u64 = 1_000;

const ACCOUNTS: [&str; 2] = ["alice@example.org", "bob@example.org"];

/// Whose each device is, and what it is called.
const DEVICES: [(usize, &str); 4] = [(0, "phone"), (0, "desk"), (1, "phone"), (1, "desk")];

const CUTS: [Cut; 4] = [Cut::Clean, Cut::HalfOpen, Cut::Silent, Cut::Overtaken];

const MAM: &str = "urn:xmpp:mam:2";
const RSM: &str = "http://jabber.org/protocol/rsm";
const STANZA_IDS: &str = "urn:xmpp:sid:0";
const FORWARD: &str = "urn:xmpp:forward:0";
const CARBONS: &str = "urn:xmpp:carbons:2";
const RETRACT: &str = "urn:xmpp:message-retract:1";

/// A client that keeps the history of its account, as good clients do: what comes is added under its stanza-id, and from
/// time to time it asks for what lies behind the last message that it knows to have everything before.
#[derive(Debug, Default)]
struct Device {
    account: &'static str,
    /// What the sender calls each message, by the archive's id.
    known: BTreeMap<String, String>,
    /// Bodies as the archive showed them last; none of messages that were taken back.
    shown: BTreeMap<String, Option<String>>,
    /// The newest message of the last page.
    until: Option<String>,
    /// The query that is under way.
    query: Option<Query>,
    queries: u64,
    /// Messages that came by themselves after they had been read in the archive.
    came_again: u64,
    /// What was read in the archive.
    read: BTreeSet<String>,
}

/// A query until its result.
#[derive(Clone, Debug)]
struct Query {
    name: String,
    ids: Vec<String>,
    is_complete: Option<bool>,
}

impl Device {
    /// A query for the next page; `None` while another one is under way.
    fn ask(&mut self, page: &str) -> Option<String> {
        if self.query.is_some() {
            return None;
        }
        self.queries += 1;
        let name = format!("q{}", self.queries);
        let stanza = format!(
            "<iq type='set' id='{name}'><query xmlns='{MAM}' queryid='{name}'><set xmlns='{RSM}'>{page}</set></query></iq>"
        );
        self.query = Some(Query {
            name,
            ids: Vec::new(),
            is_complete: None,
        });
        Some(stanza)
    }

    /// A query for what lies behind the last page.
    fn go_on(&mut self, most: u64) -> Option<String> {
        let after = self.until.as_ref();
        let after = after.map_or_else(String::new, |id| format!("<after>{id}</after>"));
        self.ask(&format!("{after}<max>{most}</max>"))
    }

    fn receive(&mut self, stanza: &Element) {
        let id = stanza.attr("id");
        if let Some(query) = &mut self.query
            && stanza.name() == "iq"
            && id == Some(&query.name)
        {
            assert_eq!(stanza.attr("type"), Some("result"), "{stanza:?}");
            let fin = stanza.child(MAM, "fin").unwrap();
            query.is_complete = Some(fin.attr("complete") == Some("true"));
            let set = fin.child(RSM, "set").unwrap();
            let last = set.child(RSM, "last").map(Element::text);
            assert_eq!(last.as_ref(), query.ids.last(), "the last of the page");
            return;
        }
        if stanza.name() != "message" {
            return;
        }
        if let Some(result) = stanza.child(MAM, "result") {
            return self.found(result);
        }
        let copy = ["sent", "received"]
            .iter()
            .find_map(|name| stanza.child(CARBONS, name));
        match copy {
            Some(copy) => self.note(&forwarded(copy), false),
            None => self.note(stanza, false),
        };
    }

    /// A message of the archive.
    fn found(&mut self, result: &Element) {
        let id = result.attr("id").unwrap().to_owned();
        let message = forwarded(result);
        assert_eq!(self.note(&message, true), id);
        let body = message.child(ns::CLIENT, "body").map(Element::text);
        let is_gone = message.child(RETRACT, "retracted").is_some();
        assert_eq!(body.is_none(), is_gone, "{message:?}");
        self.shown.insert(id.clone(), body);
        self.read.insert(id.clone());
        let of = result.attr("queryid");
        if let Some(query) = &mut self.query
            && of == Some(&query.name)
        {
            query.ids.push(id);
        }
    }

    /// A message, by itself or out of the archive: under one id it is always the same. Returns the id.
    fn note(&mut self, message: &Element, is_read: bool) -> String {
        let of_account = |child: &&Element| child.attr("by") == Some(self.account);
        let mut ids = message
            .children()
            .filter(|child| child.is(STANZA_IDS, "stanza-id"));
        let id = ids.find(of_account).and_then(|id| id.attr("id"));
        assert!(id.is_some(), "without an id: {message:?}");
        let id = id.unwrap().to_owned();
        let name = message.attr("id").unwrap().to_owned();
        self.came_again += u64::from(!is_read && self.read.contains(&id));
        let before = self.known.insert(id.clone(), name.clone());
        assert!(before.is_none_or(|before| before == name));
        id
    }
}

fn forwarded(wrapper: &Element) -> Element {
    let forwarded = wrapper.child(FORWARD, "forwarded").unwrap();
    forwarded.child(ns::CLIENT, "message").unwrap().clone()
}

/// A message that a device has sent.
#[derive(Clone, Debug)]
struct Sent {
    name: String,
    to: String,
    body: String,
    /// Whether it takes something back itself.
    is_retraction: bool,
    /// Whether the device has taken it back, and it is gone.
    is_taken_back: bool,
}

struct Rig {
    crowd: Crowd,
    dice: Dice,
    devices: Vec<Device>,
    /// What each device has sent, in order.
    sent: Vec<Vec<Sent>>,
    settled: BTreeSet<u64>,
    tags: u64,
}

impl Rig {
    fn new(seed: Seed) -> Rig {
        let settings = Settings {
            domains: vec!["example.org".to_owned()],
            ..Settings::default()
        };
        let mut world = World::new(settings, seed).unwrap();
        for account in ACCOUNTS {
            world
                .add_account(&account.parse().unwrap(), "pencil")
                .unwrap();
        }
        let peers = (10..).zip(DEVICES).map(|(number, (of, name))| {
            let account: BareJid = ACCOUNTS[of].parse().unwrap();
            let peer = Peer::new(account, name, "pencil", seed.of(number)).unwrap();
            peer.with_greeting([
                "<iq type='set' id='carbons'><enable xmlns='urn:xmpp:carbons:2'/></iq>",
                "<presence/>",
            ])
        });
        let peers = peers.collect();
        world.slow_disk();
        Rig {
            crowd: Crowd::new(world, peers, seed.of(3)),
            dice: Dice::new(seed.of(4)),
            devices: DEVICES
                .iter()
                .map(|(of, _)| Device {
                    account: ACCOUNTS[*of],
                    ..Device::default()
                })
                .collect(),
            sent: vec![Vec::new(); DEVICES.len()],
            settled: BTreeSet::new(),
            tags: 0,
        }
    }

    /// A device sends something to the other account, to one of its devices, or to its own account.
    fn send(&mut self, at: usize) {
        let (of, _) = DEVICES[at];
        let to = match self.dice.below(8) {
            0 => ACCOUNTS[of].to_owned(),
            1 | 2 => format!("{}/phone", ACCOUNTS[1 - of]),
            _ => ACCOUNTS[1 - of].to_owned(),
        };
        self.say(at, to, "");
    }

    fn say(&mut self, at: usize, to: String, more: &str) {
        self.tags += 1;
        let tag = self.tags;
        let body = format!("m{tag} {to}");
        let stanza = format!(
            "<message to='{to}' id='{tag}' type='chat'>{more}<body>{body}</body></message>"
        );
        self.sent[at].push(Sent {
            name: tag.to_string(),
            to,
            body,
            is_retraction: !more.is_empty(),
            is_taken_back: false,
        });
        self.crowd.with(at, |peer| peer.send(tag, stanza));
    }

    /// A device takes back something that it has said; that it has taken something back, too.
    fn take_back(&mut self, at: usize) {
        let count = u64::try_from(self.sent[at].len()).unwrap();
        if count == 0 {
            return;
        }
        let which = usize::try_from(self.dice.below(count)).unwrap();
        let sent = &mut self.sent[at][which];
        // That something was taken back stays: who has it has to learn of it.
        sent.is_taken_back = !sent.is_retraction;
        let (to, name) = (sent.to.clone(), sent.name.clone());
        self.say(at, to, &format!("<retract xmlns='{RETRACT}' id='{name}'/>"));
    }

    fn step(&mut self) {
        self.crowd.step();
        for (at, device) in self.devices.iter_mut().enumerate() {
            let settled = &mut self.settled;
            self.crowd.with(at, |peer| {
                while let Some(stanza) = peer.poll() {
                    device.receive(&stanza);
                }
                settled.extend(peer.take_settled());
            });
        }
    }

    /// Asks for a page, or takes the one that has come.
    fn turn(&mut self, at: usize) {
        let most = 1 + self.dice.below(7);
        let device = &mut self.devices[at];
        if let Some(query) = device.query.take_if(|query| query.is_complete.is_some()) {
            device.until = query.ids.last().cloned().or(device.until.take());
        }
        if let Some(stanza) = device.go_on(most) {
            self.crowd.with(at, |peer| peer.send(0, stanza));
        }
    }

    /// The pages of a whole walk through the archive; `page` says what comes after a page.
    fn walk(&mut self, at: usize, page: impl Fn(&[String]) -> String) -> Vec<Vec<String>> {
        let mut pages: Vec<Vec<String>> = Vec::new();
        loop {
            let last = pages.last().map_or(&[][..], Vec::as_slice);
            let stanza = self.devices[at].ask(&page(last)).unwrap();
            self.crowd.with(at, |peer| peer.send(0, stanza));
            let query = self.answer(at);
            pages.push(query.ids);
            if query.is_complete == Some(true) {
                return pages;
            }
        }
    }

    /// Waits for the result of the query that is under way.
    fn answer(&mut self, at: usize) -> Query {
        let limit = self.crowd.world.now_micros() + 3_600_000_000;
        loop {
            let query = &mut self.devices[at].query;
            if let Some(query) = query.take_if(|query| query.is_complete.is_some()) {
                return query;
            }
            assert!(self.crowd.world.now_micros() < limit, "no answer");
            self.step();
        }
    }

    /// Until everything is acknowledged, and everything in flight has come.
    fn settle(&mut self) {
        let limit = self.crowd.world.now_micros() + 3_600_000_000;
        while (1..=self.tags).any(|tag| !self.settled.contains(&tag)) {
            assert!(self.crowd.world.now_micros() < limit, "not acknowledged");
            self.step();
        }
        let quiet = self.crowd.world.now_micros() + 200_000_000;
        while self.crowd.world.now_micros() < quiet {
            self.step();
        }
        // What was asked in a session that is gone is not answered any more.
        for device in &mut self.devices {
            device.query = None;
        }
    }

    /// What an account has exchanged, by its name.
    fn exchanged(&self, of: usize) -> BTreeMap<&str, &Sent> {
        let all = self.sent.iter().enumerate();
        all.flat_map(|(at, sent)| sent.iter().map(move |sent| (at, sent)))
            .filter(|(at, sent)| DEVICES[*at].0 == of || sent.to.starts_with(ACCOUNTS[of]))
            .map(|(_, sent)| (sent.name.as_str(), sent))
            .collect()
    }

    /// All devices of an account hold the same history.
    fn check(&mut self, of: usize) {
        let devices: Vec<usize> = (0..DEVICES.len())
            .filter(|at| DEVICES[*at].0 == of)
            .collect();
        let [one, other] = devices[..] else {
            unreachable!("each account has two devices")
        };
        let most = 1 + self.dice.below(9);
        let forward = self.walk(one, |page| {
            let after = page.last().map(|id| format!("<after>{id}</after>"));
            format!("{}<max>{most}</max>", after.unwrap_or_default())
        });
        let forward = forward.concat();
        let most = 1 + self.dice.below(9);
        let mut backward = self.walk(other, |page| {
            let before = page.first().map_or("", String::as_str);
            format!("<before>{before}</before><max>{most}</max>")
        });
        backward.reverse();
        assert_eq!(forward, backward.concat(), "there and back");
        // What the devices have put together goes on from where they were.
        for at in devices {
            let until = self.devices[at].until.clone();
            let rest = self.walk(at, |page| {
                let after = page.last().or(until.as_ref());
                let after = after.map(|id| format!("<after>{id}</after>"));
                format!("{}<max>3</max>", after.unwrap_or_default())
            });
            let known = until.map_or(0, |until| {
                let place = forward.iter().position(|id| *id == until);
                place.expect("what was the last page's is in the archive") + 1
            });
            assert_eq!(forward[known..], rest.concat());
            let device = &self.devices[at];
            assert!(
                device
                    .known
                    .keys()
                    .eq(forward.iter().collect::<BTreeSet<_>>()),
                "{device:?}"
            );
            let names: Vec<&str> = forward.iter().map(|id| device.known[id].as_str()).collect();
            let once: BTreeSet<&str> = names.iter().copied().collect();
            assert_eq!(once.len(), names.len(), "nothing twice: {names:?}");
            let exchanged = self.exchanged(of);
            assert!(once.iter().eq(exchanged.keys()), "nothing missing");
            for sent in &self.sent {
                let sent: Vec<&str> = sent.iter().map(|sent| sent.name.as_str()).collect();
                let order = names.iter().filter(|name| sent.contains(name));
                let expected = sent.iter().filter(|name| once.contains(*name));
                assert!(order.eq(expected), "in the order of each device: {names:?}");
            }
        }
        // Each of these two has just read all of it.
        let exchanged = self.exchanged(of);
        for device in [one, other].map(|at| &self.devices[at]) {
            for id in &forward {
                let sent = exchanged[device.known[id].as_str()];
                let expected = (!sent.is_taken_back).then_some(&sent.body);
                assert_eq!(device.shown[id].as_ref(), expected, "{sent:?}");
            }
        }
    }
}

/// Sends, reads, cuts and crashes at random.
fn run(seed: Seed) -> Rig {
    let mut rig = Rig::new(seed);
    for _ in 0..14 {
        for _ in 0..rig.dice.below(4) {
            let at = usize::try_from(rig.dice.below(4)).unwrap();
            match rig.dice.below(6) {
                0 => rig.take_back(at),
                _ => rig.send(at),
            }
        }
        for _ in 0..rig.dice.below(60) {
            rig.step();
        }
        let at = usize::try_from(rig.dice.below(4)).unwrap();
        match rig.dice.below(8) {
            0 => {
                rig.crowd.world.crash();
                rig.crowd.world.start().unwrap();
            }
            1 | 2 => {
                let cut = *rig.dice.pick(&CUTS).unwrap();
                if let Some(link) = rig.crowd.link(at) {
                    rig.crowd.world.cut(link, cut);
                }
            }
            _ => rig.turn(at),
        }
    }
    rig.settle();
    for of in 0..ACCOUNTS.len() {
        rig.check(of);
    }
    rig
}

/// Some of the runs: each is a test, so that they share the processors.
fn runs(of: std::ops::Range<u64>) {
    let count = of.end - of.start;
    let (mut messages, mut queries, mut came_again, mut lost) = (0, 0, 0, 0);
    for number in of {
        let seed = Seed(number);
        let rig = with_seed(seed, "with several devices", || run(seed));
        messages += rig.tags;
        queries += rig.devices.iter().map(|device| device.queries).sum::<u64>();
        came_again += rig
            .devices
            .iter()
            .map(|device| device.came_again)
            .sum::<u64>();
        let counts = rig
            .crowd
            .peers()
            .map(|peer| peer.counts().failed_with_count);
        lost += counts.sum::<u64>();
    }
    println!(
        "figures: {count} runs, {messages} messages, {queries} pages, {lost} sessions lost, {came_again} messages that had been \
         read came by themselves too"
    );
    assert!(lost > count / 10, "{lost}");
}

#[test]
fn all_devices_hold_the_same_history() {
    runs(0..SEEDS / 2);
}

#[test]
fn all_devices_hold_the_same_history_with_other_seeds() {
    runs(SEEDS / 2..SEEDS);
}
