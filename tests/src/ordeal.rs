//! Clients that talk to the built server while it is struck down again and again.
//!
//! Every client keeps its session as a good one does: it reconnects, asks to resume, and sends again what the server says
//! it has not handled. What each was told, and what each got, stands in a [`Ledger`] over all the server's lives.

mod power;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use waxwing_stanza::BareJid;
use waxwing_testkit::{Counts, Dice, Peer, Seed, Tag};
use waxwing_wire::{Element, ns};

use crate::caller::Caller;
use crate::power::Syncs;
use crate::{Built, BuiltError, BuiltOptions, Ledger};
use power::Power;

pub use power::PowerError;

const DOMAIN: &str = "waxwing.example";
const PASSWORD: &str = "pencil and paper";
/// Those who talk. The last one is seldom there.
const TALKERS: [&str; 5] = ["alice", "bob", "carol", "dora", "erin"];
/// Of so many lives of the server, the seldom one is there in one.
const SELDOM: u64 = 4;
/// Those who are only asked for their presence, and look at the end.
const ASKED: usize = 24;
/// Messages of one client under way at a time.
const UNSETTLED_MAX: usize = 40;
/// Longest wait for something that should come, on a machine that is busy elsewhere.
const PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_micros(300);

/// How the server is struck down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blow {
    /// SIGKILL.
    Kill,
    /// SIGKILL, and the disk keeps what was synced and a random part of the rest.
    PowerCut(Syncs),
}

/// Why an ordeal cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum OrdealError {
    /// The server does not start (any more).
    #[error(transparent)]
    Built(#[from] BuiltError),
    /// The recorder or the disk.
    #[error(transparent)]
    Power(#[from] PowerError),
    /// A client cannot be made.
    #[error("a client: {0}")]
    Client(String),
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Blows.
    pub blows: u64,
    /// Messages sent, each counted once.
    pub sent: usize,
    /// Of those, acknowledged by the server.
    pub acknowledged: usize,
    /// Of those, come to their receiver.
    pub received: usize,
    /// Messages that came once more under the stanza-id that they had.
    pub redelivered: u64,
    /// Roster items that the server said it has.
    pub contacts: usize,
    /// Requests for presence that the server said it has.
    pub requests: usize,
    /// Sessions resumed.
    pub resumed: u64,
    /// Sessions that were gone, and whose count the server knew.
    pub failed_with_count: u64,
    /// Sessions that were gone, with nothing known.
    pub failed_without_count: u64,
    /// Stanzas sent again.
    pub resent: u64,
    /// What was acknowledged and is not there.
    pub lost: Vec<String>,
    /// What is there more than once.
    pub twice: Vec<String>,
    /// What came before what the same sender had sent before it.
    pub disordered: Vec<String>,
    /// What should not have happened.
    pub strange: Vec<String>,
}

impl Report {
    /// Whether nothing was lost, doubled or out of order, and nothing strange happened.
    #[must_use]
    pub fn is_good(&self) -> bool {
        [&self.lost, &self.twice, &self.disordered, &self.strange]
            .iter()
            .all(|found| found.is_empty())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} blows; {} messages sent, {} acknowledged, {} received, {} redelivered with their ids; {} roster items and \
             {} requests acknowledged; {} sessions resumed, {} gone with a count and {} without, {} stanzas resent; {} lost, \
             {} twice, {} out of order, {} strange",
            self.blows,
            self.sent,
            self.acknowledged,
            self.received,
            self.redelivered,
            self.contacts,
            self.requests,
            self.resumed,
            self.failed_with_count,
            self.failed_without_count,
            self.resent,
            self.lost.len(),
            self.twice.len(),
            self.disordered.len(),
            self.strange.len(),
        )
    }
}

/// What a stanza that awaits its acknowledgement is.
#[derive(Clone, Debug)]
enum Sent {
    Message { body: String },
    Contact { of: String, contact: String },
    Request { from: String, to: String },
}

/// The server, its clients, and what is known of both.
#[derive(Debug)]
pub struct Ordeal {
    built: Built,
    power: Option<Power>,
    callers: Vec<Caller>,
    dice: Dice,
    ledger: Ledger,
    under_way: BTreeMap<Tag, Sent>,
    /// Owner and contact, as the server acknowledged them.
    contacts: BTreeSet<(String, String)>,
    /// Who asked and who is asked, as the server acknowledged them.
    requests: BTreeSet<(String, String)>,
    /// Pairs that were asked for at all: each is asked for once.
    requested: BTreeSet<(usize, usize)>,
    tags: Tag,
    blows: u64,
    /// From now on the seldom one is there too.
    ending: bool,
    strange: Vec<String>,
}

impl Ordeal {
    /// Starts a server with accounts, and clients that are not connected yet.
    ///
    /// # Errors
    /// [`OrdealError`].
    pub fn begin(name: &str, blow: Blow, seed: Seed) -> Result<Ordeal, OrdealError> {
        let mut options = BuiltOptions::new(name);
        // On a slow machine, more waits for who is cut off again and again than strangers may leave.
        options.config =
            "\n[options]\nscram_iterations = 4096\nundelivered_strangers_percent = 100\n\
            undelivered_messages_max = 1000000\n"
                .to_owned();
        let asked = (0..ASKED).map(|number| format!("asked{number}"));
        for user in TALKERS.map(str::to_owned).into_iter().chain(asked) {
            options = options.account(&user, PASSWORD);
        }
        let mut built = Built::start(options)?;
        let power = match blow {
            Blow::Kill => None,
            Blow::PowerCut(syncs) => Some(Power::connect(&mut built, syncs)?),
        };
        let callers = (1..).zip(TALKERS);
        let callers = callers.map(|(number, user)| caller(user, seed.of(number)));
        Ok(Ordeal {
            built,
            power,
            callers: callers.collect::<Result<_, _>>()?,
            dice: Dice::new(seed.of(0)),
            ledger: Ledger::default(),
            under_way: BTreeMap::new(),
            contacts: BTreeSet::new(),
            requests: BTreeSet::new(),
            requested: BTreeSet::new(),
            tags: 0,
            blows: 0,
            ending: false,
            strange: Vec::new(),
        })
    }

    /// Lets everybody talk for a random while, then strikes, and starts the server again.
    ///
    /// # Errors
    /// [`OrdealError`] if the server does not start on what it left.
    pub fn blow(&mut self) -> Result<(), OrdealError> {
        for _ in 0..self.dice.below(240) {
            self.act();
            self.pump();
        }
        self.blows += 1;
        // What has been acknowledged until here must be durable here.
        let position = self.power.as_ref().map(Power::position);
        for caller in &mut self.callers {
            caller.cut();
        }
        self.built.kill()?;
        if let (Some(power), Some(position)) = (&mut self.power, position) {
            power.cut(&self.built, position, &mut self.dice)?;
        }
        self.built.restart()?;
        Ok(())
    }

    /// Lets everything come that is under way, looks at what the server has, and stops it.
    ///
    /// # Errors
    /// [`OrdealError::Client`].
    pub fn end(mut self) -> Result<Report, OrdealError> {
        self.ending = true;
        self.wait(|ordeal| ordeal.ledger.is_settled() && ordeal.under_way.is_empty());
        // A new session gets again what the server still holds as undelivered.
        for caller in &mut self.callers {
            caller.leave();
        }
        self.wait(|ordeal| ordeal.callers.iter().all(|caller| !caller.is_connected()));
        let present = self.look_at_rosters()?;
        let asked = self.look_at_requests()?;
        let verdict = self.ledger.verdict();
        let mut report = self.counted();
        report.lost = verdict.lost;
        report.twice = verdict.twice;
        report.disordered = verdict.disordered;
        report.strange.extend(verdict.strange);
        compare(&mut report, "contact", &self.contacts, &present);
        compare(&mut report, "request", &self.requests, &asked);
        self.built.stop()?;
        Ok(report)
    }

    fn counted(&self) -> Report {
        let sum = |count: fn(Counts) -> u64| -> u64 {
            let counts = self.callers.iter().map(|caller| caller.peer.counts());
            counts.map(count).sum()
        };
        Report {
            blows: self.blows,
            sent: self.ledger.sent(),
            acknowledged: self.ledger.acknowledged(),
            received: self.ledger.received(),
            redelivered: self.ledger.redelivered(),
            contacts: self.contacts.len(),
            requests: self.requests.len(),
            resumed: sum(|counts| counts.resumed),
            failed_with_count: sum(|counts| counts.failed_with_count),
            failed_without_count: sum(|counts| counts.failed_without_count),
            resent: sum(|counts| counts.resent),
            strange: self.strange.clone(),
            ..Report::default()
        }
    }

    /// Pumps until it is so, or for as long as anybody would wait.
    fn wait(&mut self, is_so: impl Fn(&Ordeal) -> bool) {
        let began = Instant::now();
        while !is_so(self) && began.elapsed() < PATIENCE {
            self.pump();
        }
    }

    /// Somebody does something, or nobody does.
    fn act(&mut self) {
        let at = usize::try_from(self.dice.below(TALKERS.len() as u64)).unwrap_or_default();
        let Some(caller) = self.callers.get_mut(at) else {
            return;
        };
        if self.dice.chance(10) {
            // The network fails, not the server: the session is resumed.
            return caller.cut();
        }
        if caller.peer.unsettled() > UNSETTLED_MAX {
            return;
        }
        let (from, me) = (TALKERS[at], format!("{}@{DOMAIN}", TALKERS[at]));
        self.tags += 1;
        let tag = self.tags;
        let (sent, stanza) = match self.dice.below(20) {
            0..3 => {
                let contact = format!("contact{tag}@elsewhere.example");
                let stanza = format!(
                    "<iq type='set' id='{tag}'><query xmlns='jabber:iq:roster'><item jid='{contact}' name='{tag}'/></query></iq>"
                );
                (Sent::Contact { of: me, contact }, stanza)
            }
            3 => {
                let asked = usize::try_from(self.dice.below(ASKED as u64)).unwrap_or_default();
                if !self.requested.insert((at, asked)) {
                    return;
                }
                let to = format!("asked{asked}@{DOMAIN}");
                let stanza = format!("<presence type='subscribe' to='{to}' id='{tag}'/>");
                (Sent::Request { from: me, to }, stanza)
            }
            _ => {
                let to = self.dice.pick(&TALKERS).copied().unwrap_or(from);
                let (to, body) = (format!("{to}@{DOMAIN}"), format!("m{tag}"));
                self.ledger.send(&to, &body);
                let stanza = format!(
                    "<message type='chat' to='{to}' id='{body}'><body>{body}</body></message>"
                );
                (Sent::Message { body }, stanza)
            }
        };
        self.under_way.insert(tag, sent);
        if let Some(caller) = self.callers.get_mut(at) {
            caller.peer.send(tag, stanza);
        }
    }

    /// Carries what waits at the sockets, both ways.
    fn pump(&mut self) {
        let mut busy = false;
        let seldom_here = self.ending || self.blows % SELDOM == SELDOM - 1;
        for (at, user) in TALKERS.iter().enumerate() {
            let Some(caller) = self.callers.get_mut(at) else {
                continue;
            };
            let is_here = at + 1 < TALKERS.len() || seldom_here;
            busy |= caller.work(is_here.then_some(self.built.plain));
            let stanzas: Vec<Element> = std::iter::from_fn(|| caller.peer.poll()).collect();
            let settled = caller.peer.take_settled();
            self.strange.extend(caller.take_complaint());
            for stanza in stanzas {
                self.heard(user, &stanza);
            }
            for tag in settled {
                self.acknowledged(tag);
            }
        }
        if !busy {
            thread::sleep(PAUSE);
        }
    }

    fn heard(&mut self, user: &str, stanza: &Element) {
        self.ledger.receive(&format!("{user}@{DOMAIN}"), stanza);
        if stanza.name() != "iq" {
            return;
        }
        let tag = stanza.attr("id").and_then(|id| id.parse::<Tag>().ok());
        match (stanza.attr("type"), tag) {
            (Some("result"), Some(tag)) => self.acknowledged(tag),
            (Some("error"), _) => self
                .strange
                .push(format!("{user} got an error for {tag:?}")),
            _ => {}
        }
    }

    fn acknowledged(&mut self, tag: Tag) {
        match self.under_way.remove(&tag) {
            Some(Sent::Message { body }) => self.ledger.acknowledge(&body),
            Some(Sent::Contact { of, contact }) => {
                self.contacts.insert((of, contact));
            }
            Some(Sent::Request { from, to }) => {
                self.requests.insert((from, to));
            }
            // An IQ has two acknowledgements.
            None => {}
        }
    }

    /// What the rosters hold now: owner and contact, of those that were put there by hand.
    fn look_at_rosters(&mut self) -> Result<Vec<(String, String)>, OrdealError> {
        let mut present = Vec::new();
        for user in TALKERS {
            let mut looker = caller(user, Seed(self.blows))?;
            let get = "<iq type='get' id='all'><query xmlns='jabber:iq:roster'/></iq>";
            looker.peer.send(0, get);
            let owner = format!("{user}@{DOMAIN}");
            let mut redelivered = Vec::new();
            let roster = looker.hear(self.built.plain, PATIENCE, |stanza| {
                redelivered.push(stanza.clone());
                stanza.attr("id") == Some("all")
            });
            for stanza in &redelivered {
                self.ledger.receive(&owner, stanza);
            }
            let Some(roster) = roster else {
                self.strange.push(format!("{user} cannot get the roster"));
                continue;
            };
            let query = roster.child("jabber:iq:roster", "query");
            for item in query.into_iter().flat_map(Element::children) {
                let contact = item.attr("jid").unwrap_or_default().to_owned();
                present.push((owner.clone(), contact));
            }
        }
        Ok(present)
    }

    /// Who is asked by whom, as those who are asked learn when they come.
    fn look_at_requests(&mut self) -> Result<Vec<(String, String)>, OrdealError> {
        let mut asked = Vec::new();
        for number in 0..ASKED {
            let user = format!("asked{number}");
            let mut looker = caller(&user, Seed(self.blows + 1))?;
            let me = format!("{user}@{DOMAIN}");
            // What comes to oneself comes behind what waited.
            let mark = format!("<message to='{me}' type='chat'><body>mark</body></message>");
            looker.peer.send(0, mark);
            let marked = looker.hear(self.built.plain, PATIENCE, |stanza| {
                let from = stanza.attr("from").unwrap_or_default();
                if stanza.attr("type") == Some("subscribe") {
                    asked.push((from.to_owned(), me.clone()));
                }
                stanza.child(ns::CLIENT, "body").is_some()
            });
            if marked.is_none() {
                self.strange.push(format!("{user} cannot log in"));
            }
        }
        Ok(asked)
    }
}

/// Notes what is missing and what is there twice.
fn compare(
    report: &mut Report,
    what: &str,
    acknowledged: &BTreeSet<(String, String)>,
    present: &[(String, String)],
) {
    for pair in acknowledged {
        let name = format!("{what} {} of {}", pair.1, pair.0);
        match present.iter().filter(|there| *there == pair).count() {
            0 => report.lost.push(name),
            1 => {}
            _ => report.twice.push(name),
        }
    }
}

fn caller(user: &str, seed: Seed) -> Result<Caller, OrdealError> {
    let client = |error: String| OrdealError::Client(error);
    let account: BareJid = format!("{user}@{DOMAIN}")
        .parse()
        .map_err(|error| client(format!("{error}")))?;
    let peer = Peer::new(account, "phone", PASSWORD, seed);
    let peer = peer.map_err(|error| client(error.to_string()))?;
    Ok(Caller::new(peer.with_greeting(["<presence/>"])))
}
