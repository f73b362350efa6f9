//! Ten clients, some of them two of one account, cut and crashed at random, and a small model of RFC 6121 and XEP-0191 beside
//! them: whenever it is quiet, every account's roster and block list, and the presence that every client has before it, is
//! what the model says, and every message came, waits or was refused as the model says.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::panic, reason = "a test fails by panicking")]

mod model;
mod post;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use model::{
    ACCOUNTS, Account, Act, Blocked, CLIENTS, Client, Matter, Model, When, account_of, clients_of,
};
use post::Post;
use waxwing_server::Settings;
use waxwing_stanza::BareJid;
use waxwing_testkit::{Crowd, Cut, Dice, Peer, Seed, Tag, World};
use waxwing_tests::{each_seed, with_seed};
use waxwing_wire::{Element, ns};
use words::{
    BLOCKING, DOMAIN, ROSTER, account_named, address_of, client_named, items, listed, name_of,
    presence, request, resource_of,
};

const SEEDS: u64 = 1_000;
/// Times that it is quiet, and looked at.
const ROUNDS: u64 = 5;
/// Acts between them; often another of the same account at once.
const ACTS: u64 = 14;

/// Sent first by each session: who has asked for them is told of changes.
const QUESTIONS: [&str; 2] = [
    "<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>",
    "<iq type='get' id='list'><blocklist xmlns='urn:xmpp:blocking'/></iq>",
];

struct Rig {
    crowd: Crowd,
    model: Model,
    post: Post,
    dice: Dice,
    /// The presence that each client has before it.
    seen: Vec<BTreeMap<Client, String>>,
    bound: Vec<u64>,
    rosters: BTreeMap<Client, Element>,
    lists: BTreeMap<Client, Element>,
    sent: Tag,
    settled: BTreeSet<Tag>,
    /// Subscription stanzas that an error is the answer to, and those that one came to, by id and client.
    refusable: BTreeSet<(Client, String)>,
    refused: BTreeSet<(Client, String)>,
    /// Whom an answer may not have reached in this round.
    lossy: BTreeSet<Client>,
    said: Vec<String>,
    /// Presence that was compared, of contacts.
    shown: usize,
}

impl Rig {
    fn new(seed: Seed) -> Rig {
        let settings = Settings {
            domains: vec![DOMAIN.to_owned()],
            ..Settings::default()
        };
        let mut world = World::new(settings, seed).unwrap();
        for account in 0..ACCOUNTS {
            let account = name_of(account).parse().unwrap();
            world.add_account(&account, "pencil").unwrap();
        }
        let peer = |client: Client| {
            let account: BareJid = name_of(account_of(client)).parse().unwrap();
            let seed = seed.of(10 + client as u64);
            let peer = Peer::new(account, &resource_of(client), "pencil", seed).unwrap();
            peer.with_greeting(QUESTIONS.into_iter().chain(["<presence/>"]))
        };
        let peers = (0..CLIENTS).map(peer).collect();
        world.slow_disk();
        Rig {
            crowd: Crowd::new(world, peers, seed.of(3)),
            model: Model::new(),
            post: Post::default(),
            dice: Dice::new(seed.of(4)),
            seen: vec![BTreeMap::new(); CLIENTS],
            bound: vec![0; CLIENTS],
            rosters: BTreeMap::new(),
            lists: BTreeMap::new(),
            sent: 0,
            settled: BTreeSet::new(),
            refusable: BTreeSet::new(),
            refused: BTreeSet::new(),
            lossy: BTreeSet::new(),
            said: Vec::new(),
            shown: 0,
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.dice.below(bound as u64)).unwrap()
    }

    fn send(&mut self, client: Client, stanza: String) -> Tag {
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

    fn hear(&mut self, client: Client, stanza: &Element) {
        let id = stanza.attr("id").unwrap_or_default();
        match (stanza.name(), stanza.attr("type"), id) {
            ("message", ..) => {
                let name = name_of(account_of(client));
                self.post.receive(client, &name, stanza);
            }
            ("presence", None | Some("unavailable"), _) => self.watch(client, stanza),
            ("presence", Some("error"), _) => {
                self.refused.insert((client, id.to_owned()));
            }
            ("iq", Some("result"), "look") => {
                self.rosters.insert(client, stanza.clone());
            }
            ("iq", Some("result"), "look at the list") => {
                self.lists.insert(client, stanza.clone());
            }
            ("iq", Some("set"), _) => self.note_roster(client, stanza),
            ("iq", Some("error"), _) => panic!("{} got an error: {stanza:?}", address_of(client)),
            _ => {}
        }
    }

    /// That somebody whom one has blocked is not to be seen any more is not told by presence.
    fn note_roster(&mut self, client: Client, push: &Element) {
        let own = account_of(client);
        let items = push.child(ROSTER, "query").into_iter();
        for item in items.flat_map(Element::children) {
            let contact = item.attr("jid").and_then(account_named);
            if !matches!(item.attr("subscription"), Some("to" | "both")) {
                self.seen[client].retain(|who, _| {
                    let address = (account_of(*who), Some(*who));
                    Some(address.0) != contact || !self.model.blocks(When::Ever, own, address)
                });
            }
        }
    }

    /// Somebody is there, or is not any more.
    fn watch(&mut self, client: Client, stanza: &Element) {
        let from = stanza.attr("from").unwrap_or_default();
        let (whose, who) = (account_named(from), client_named(from));
        let seen = &mut self.seen[client];
        match (who, stanza.attr("type")) {
            (Some(who), None) => {
                let child = |name| stanza.child(ns::CLIENT, name).map(Element::text);
                let shown = child("show").zip(child("status"));
                let shown = shown.map(|(show, status)| format!("{show} {status}"));
                seen.insert(who, shown.unwrap_or_default());
            }
            // Who leaves is shown nothing more.
            (Some(who), _) if who == client => seen.clear(),
            (Some(who), _) => drop(seen.remove(&who)),
            (None, _) => seen.retain(|who, _| Some(account_of(*who)) != whose),
        }
    }

    /// Goes on until these are acknowledged and nothing is owed, and for some time after.
    fn settle(&mut self, tags: &[Tag]) {
        let limit = self.crowd.world.now_micros() + 3_600_000_000;
        while !tags.iter().all(|tag| self.settled.contains(tag))
            || self.post.is_owed(&self.model, &self.lossy)
        {
            let (post, said) = (&self.post, &self.said);
            let now = self.crowd.world.now_micros();
            assert!(now < limit, "it does not settle: {post:#?} after {said:#?}");
            self.step();
        }
        let quiet = self.crowd.world.now_micros() + 30_000_000;
        while self.crowd.world.now_micros() < quiet {
            self.step();
        }
    }

    /// What a client might do, and to whom.
    fn idea(&mut self, client: Client) -> (Account, Act) {
        let who = account_of(client);
        // Neighbours, so that each pair has a history.
        let whom = (who + [1, ACCOUNTS - 1][self.below(2)]) % ACCOUNTS;
        let act = match self.below(24) {
            0..2 => Act::Set {
                name: format!("name {}", self.sent),
            },
            2 => Act::Remove,
            3..10 => Act::Subscribe,
            10 => Act::Unsubscribe,
            11 => Act::Unsubscribed,
            12..15 => Act::Block(self.target(whom)),
            15..18 => {
                let list: Vec<Blocked> = self.model.block_list(who).into_iter().collect();
                let freed = self.dice.pick(&list).copied();
                Act::Unblock(freed.unwrap_or(Blocked::Domain))
            }
            18 => Act::Leave,
            _ => {
                let show = ["away", "chat", "dnd", "xa"][self.below(4)];
                Act::Show(format!("{show} {}", self.sent))
            }
        };
        // Those who are asked mostly agree.
        let agrees = self.model.makes_sense(client, whom, &Act::Subscribed);
        match act {
            Act::Subscribe | Act::Set { .. } if agrees => (whom, Act::Subscribed),
            act => (whom, act),
        }
    }

    fn target(&mut self, whom: Account) -> Blocked {
        let clients: Vec<Client> = clients_of(whom).collect();
        match self.below(8) {
            0 => Blocked::Domain,
            1..5 => Blocked::Account(whom),
            _ => Blocked::Client(self.dice.pick(&clients).copied().unwrap()),
        }
    }

    /// A client does something, unless it is about what is being changed already.
    fn act(&mut self, client: Client, busy: &mut BTreeSet<Matter>) -> Option<Tag> {
        let (whom, act) = self.idea(client);
        let matters = Model::matters(client, whom, &act);
        if matters.iter().any(|matter| busy.contains(matter))
            || !self.model.makes_sense(client, whom, &act)
        {
            return None;
        }
        busy.extend(matters);
        Some(self.does(client, whom, &act))
    }

    fn does(&mut self, client: Client, whom: Account, act: &Act) -> Tag {
        let id = format!("act {}", self.sent);
        if self.model.is_refused(client, whom, act) {
            self.refusable.insert((client, id.clone()));
        }
        self.said.push(format!("{client} to {whom}: {act:?}"));
        self.model.act(client, whom, act);
        let left = "<presence type='unavailable'/>".to_owned();
        let stanza = match act {
            Act::Show(_) | Act::Leave => {
                let presence = presence(self.model.shown(client));
                let greeting = QUESTIONS.map(str::to_owned).into_iter();
                let greeting = greeting.chain(presence.clone()).map(Into::into);
                self.crowd.with(client, |peer| peer.set_greeting(greeting));
                presence.unwrap_or(left)
            }
            act => request(&id, whom, act),
        };
        self.send(client, stanza)
    }

    fn message(&mut self) -> Tag {
        let (client, to) = (self.below(CLIENTS), self.below(CLIENTS));
        let whom = account_of(to);
        let full = self.dice.chance(300).then_some(to);
        let address = full.map_or_else(|| name_of(whom), address_of);
        let body = self.post.send(client, whom, full);
        self.said.push(format!("{client} to {address}: {body}"));
        let message = format!(
            "<message to='{address}' type='chat' id='{body}'><body>{body}</body></message>"
        );
        self.send(client, message)
    }

    fn trouble(&mut self) {
        let client = self.below(CLIENTS);
        match self.below(20) {
            0..2 => {
                self.said.push("crash".to_owned());
                self.lossy.extend(0..CLIENTS);
                self.crowd.world.crash();
                self.crowd.world.start().unwrap();
            }
            2..11 => {
                let cut = [Cut::Clean, Cut::HalfOpen, Cut::Silent, Cut::Overtaken][self.below(4)];
                if let Some(link) = self.crowd.link(client) {
                    self.said.push(format!("{cut:?} cut of {client}"));
                    self.crowd.world.cut(link, cut);
                }
            }
            11 => self.restart(client),
            _ => {}
        }
    }

    /// A client begins anew, when all that it sent is acknowledged: it could not tell what was handled of the rest.
    fn restart(&mut self, client: Client) {
        let Some(link) = self.crowd.link(client) else {
            return;
        };
        let is_settled = |peer: &mut Peer| peer.unsettled() == 0;
        if self.crowd.with(client, is_settled).unwrap() {
            let cut = [Cut::Clean, Cut::HalfOpen][self.below(2)];
            self.said.push(format!("restart of {client}, {cut:?}"));
            self.lossy.insert(client);
            self.crowd.with(client, Peer::forget);
            self.crowd.world.cut(link, cut);
        }
    }

    /// Most of those who are neighbours see each other when it begins.
    fn befriend(&mut self) {
        let online = |crowd: &mut Crowd| crowd.peers().all(Peer::is_online);
        self.crowd.run_until(online).unwrap();
        for act in [Act::Subscribe, Act::Subscribed] {
            let mut tags = Vec::new();
            for client in 0..CLIENTS {
                let who = account_of(client);
                for whom in [who + 1, who + ACCOUNTS - 1].map(|whom| whom % ACCOUNTS) {
                    if self.dice.chance(700) && self.model.makes_sense(client, whom, &act) {
                        tags.push(self.does(client, whom, &act));
                    }
                }
            }
            self.settle(&tags);
        }
    }

    fn round(&mut self) {
        let (mut busy, mut tags) = (BTreeSet::new(), Vec::new());
        self.model.begin_round();
        self.said.push("a round begins".to_owned());
        for _ in 0..ACTS {
            let client = self.below(CLIENTS);
            tags.extend(self.act(client, &mut busy));
            for other in clients_of(account_of(client)).filter(|other| *other != client) {
                if self.dice.chance(700) {
                    tags.extend(self.act(other, &mut busy));
                }
            }
            if self.dice.chance(600) {
                tags.push(self.message());
            }
            for _ in 0..self.dice.below(30) {
                self.step();
            }
            self.trouble();
        }
        self.settle(&tags);
        self.look();
        self.lossy.clear();
    }

    /// Compares what everybody has with the model.
    fn look(&mut self) {
        self.rosters.clear();
        self.lists.clear();
        let look = [
            format!("<iq type='get' id='look'><query xmlns='{ROSTER}'/></iq>"),
            format!("<iq type='get' id='look at the list'><blocklist xmlns='{BLOCKING}'/></iq>"),
        ];
        let mut tags = Vec::new();
        for client in 0..CLIENTS {
            tags.extend(look.iter().map(|look| self.send(client, look.clone())));
        }
        self.settle(&tags);
        for client in 0..CLIENTS {
            let said = &self.said;
            let own = account_of(client);
            let roster = items(self.rosters.get(&client).unwrap());
            let expected = self.model.roster(own);
            assert_eq!(roster, expected, "the roster of {client} after {said:#?}");
            let list = listed(self.lists.get(&client).unwrap());
            let expected = self.model.block_list(own);
            assert_eq!(list, expected, "whom {client} blocks after {said:#?}");
            let expected = self.model.sees(client);
            let mut seen = self.seen[client].clone();
            // A client knows whom it has blocked, and that it is told nothing of them.
            seen.retain(|other, _| {
                !self
                    .model
                    .blocks(When::Now, own, (account_of(*other), Some(*other)))
            });
            assert_eq!(seen, expected, "whom {client} sees after {said:#?}");
            let contacts = expected.keys().filter(|who| account_of(**who) != own);
            self.shown += contacts.count();
        }
        let wrong = self.post.judge(&self.model, &self.lossy);
        assert!(wrong.is_empty(), "{wrong:#?} after {:#?}", self.said);
        let told: BTreeSet<_> = self.refused.union(&self.refusable).collect();
        let astray = told.into_iter().find(|(client, id)| {
            let what = (*client, id.clone());
            let is_lost = self.lossy.contains(client) && self.refusable.contains(&what);
            !is_lost && self.refused.contains(&what) != self.refusable.contains(&what)
        });
        assert_eq!(astray, None, "presence refused after {:#?}", self.said);
        self.refused.clear();
        self.refusable.clear();
    }
}

fn run(seed: Seed) -> Rig {
    let run = || {
        let mut rig = Rig::new(seed);
        rig.befriend();
        for _ in 0..ROUNDS {
            rig.round();
        }
        rig
    };
    with_seed(seed, "beside the model", run)
}

#[test]
fn everybody_agrees_with_the_model() {
    let (mut acts, mut messages, mut refused, mut shown, mut lives) = (0, 0, 0, 0, 0);
    let seen = each_seed(0..SEEDS, |seed| {
        let rig = run(seed);
        let (post, lives) = (&rig.post, rig.bound.iter().sum::<u64>());
        (
            rig.said.len(),
            post.sent(),
            post.refused(),
            rig.shown,
            lives,
        )
    });
    for one in seen {
        acts += one.0;
        messages += one.1;
        refused += one.2;
        shown += one.3;
        lives += one.4;
    }
    println!(
        "figures: {SEEDS} seeds: {acts} acts and troubles, {messages} messages, {refused} of them refused, presence of {shown} contacts' sessions, {lives} sessions"
    );
    assert!(lives > SEEDS * CLIENTS as u64 && messages > 1_000 && refused > 100 && shown > 10_000);
}
