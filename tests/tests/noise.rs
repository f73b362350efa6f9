//! A client's bytes bent at every place: nothing falls over, nobody else notices, nobody is imitated.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use waxwing_server::{Security, Settings};
use waxwing_stanza::BareJid;
use waxwing_stream::client::Tls;
use waxwing_testkit::{Dice, Happening, LinkId, Peer, PeerError, Seed, Wants, World};
use waxwing_tests::with_seed;

const NOISY: &str = "mallory@example.org";
const QUIET: &str = "bob@example.org";

/// Simulated time after which every time-out for a stream has run out.
const LONG_MICROS: u64 = 1_000_000_000;

/// What happens to bytes on their way.
#[derive(Clone, Debug)]
enum Bend {
    Flip(u8),
    Drop(usize),
    Insert(&'static [u8]),
    Repeat(usize),
}

const INSERTED: [&[u8]; 14] = [
    b"<",
    b">",
    b"/>",
    b"'",
    b"&",
    b"&lt;",
    b"]]>",
    b"<!--x-->",
    b"<![CDATA[",
    b"\xc3",
    b"\0",
    b"</stream:stream>",
    b"<message from='bob@example.org/phone' to='bob@example.org'><body>forged</body></message>",
    b"<r xmlns='urn:xmpp:sm:3'/><a xmlns='urn:xmpp:sm:3' h='4294967295'/>",
];

impl Bend {
    fn pick(dice: &mut Dice) -> Bend {
        match dice.below(4) {
            0 => Bend::Flip(1 << dice.below(8)),
            1 => Bend::Drop(usize::try_from(dice.within(1..40)).unwrap()),
            2 => Bend::Insert(dice.pick(&INSERTED).unwrap()),
            _ => Bend::Repeat(usize::try_from(dice.within(1..400)).unwrap()),
        }
    }

    /// The bytes with this done to them at `at`.
    fn apply(&self, bytes: &[u8], at: usize) -> Vec<u8> {
        let (before, after) = bytes.split_at(at);
        let bent = match self {
            Bend::Flip(mask) => {
                let mut bent = after.to_vec();
                bent[0] ^= mask;
                bent
            }
            Bend::Drop(count) => after[(*count).min(after.len())..].to_vec(),
            Bend::Insert(inserted) => [inserted, after].concat(),
            Bend::Repeat(count) => {
                let repeated = &before[before.len().saturating_sub(*count)..];
                [repeated, after].concat()
            }
        };
        [before, &bent].concat()
    }
}

struct Member {
    peer: Peer,
    link: LinkId,
    /// Bytes written until now, and what happens to those at a place.
    written: usize,
    bend: Option<(usize, Bend)>,
    closed: bool,
    /// What the server wrote.
    heard: Vec<u8>,
}

impl Member {
    fn new(world: &mut World, name: &str, seed: Seed) -> Member {
        let account: BareJid = name.parse().unwrap();
        world.add_account(&account, "pencil").unwrap();
        let peer = Peer::new(account, "phone", "pencil", seed).unwrap();
        let mut member = Member {
            peer: peer.with_greeting(["<presence/>"]),
            link: world.connect(&Security::PlainLoopback),
            written: 0,
            bend: None,
            closed: false,
            heard: Vec::new(),
        };
        member.peer.connect(Tls::PlainAllowed);
        member.flush(world);
        member
    }

    fn flush(&mut self, world: &mut World) {
        for bytes in self.peer.take_output() {
            let from = self.written;
            self.written += bytes.len();
            match &self.bend {
                Some((at, bend)) if (from..self.written).contains(at) => {
                    world.write(self.link, &bend.apply(&bytes, at - from));
                }
                _ => world.write(self.link, &bytes),
            }
        }
        if self.peer.wants() == Some(Wants::Close) && !self.closed {
            self.closed = true;
            world.close(self.link);
        }
    }

    fn send(&mut self, world: &mut World, stanza: &'static str) {
        self.peer.send(0, stanza);
        self.flush(world);
    }

    /// Reads what came; the server's own words are well-formed whatever it was told.
    fn receive(&mut self, world: &mut World, bytes: &[u8]) {
        self.heard.extend_from_slice(bytes);
        self.peer.receive(bytes);
        let error = self.peer.take_error();
        assert!(!matches!(error, Some(PeerError::Garbled(_))), "{error:?}");
        self.flush(world);
    }
}

struct Rig {
    world: World,
    members: [Member; 2],
    heard: Vec<(Option<String>, String)>,
}

impl Rig {
    fn new(seed: Seed, bend: Option<(usize, Bend)>) -> Rig {
        let settings = Settings {
            domains: vec!["example.org".to_owned()],
            ..Settings::default()
        };
        let mut world = World::new(settings, seed).unwrap();
        let quiet = Member::new(&mut world, QUIET, seed.of(1));
        let noisy = Member::new(&mut world, NOISY, seed.of(2));
        let mut rig = Rig {
            world,
            members: [quiet, noisy],
            heard: Vec::new(),
        };
        rig.members[1].bend = bend;
        for stanza in [
            "<iq type='get' id='r'><query xmlns='jabber:iq:roster'/></iq>",
            "<message to='bob@example.org' type='chat' id='m1'><body>one &amp; only</body></message>",
            "<iq type='set' id='s'><query xmlns='jabber:iq:roster'><item jid='bob@example.org' name='Bob'/></query></iq>",
            "<presence to='bob@example.org' type='subscribe'/>",
            "<message to='bob@example.org/phone' id='m2'><x xmlns='urn:x' a='&lt;'><y/></x><body>two</body></message>",
            "<iq type='get' id='p' to='example.org'><ping xmlns='urn:xmpp:ping'/></iq>",
        ] {
            rig.members[1].send(&mut rig.world, stanza);
        }
        rig
    }

    fn run(&mut self, micros: u64) {
        let until = self.world.now_micros() + micros;
        while self.world.now_micros() < until {
            match self.world.next(until) {
                Happening::Received(link, bytes) => {
                    for member in self.members.iter_mut().filter(|member| member.link == link) {
                        member.receive(&mut self.world, &bytes);
                    }
                }
                Happening::Disconnected(link) => {
                    for member in self.members.iter_mut().filter(|member| member.link == link) {
                        member.closed = true;
                    }
                }
                Happening::Idle => {}
            }
            while let Some(stanza) = self.members[0].peer.poll() {
                let from = stanza.attr("from").map(str::to_owned);
                let text = stanza
                    .child("jabber:client", "body")
                    .map(|body| body.text());
                self.heard.push((from, text.unwrap_or_default()));
            }
        }
    }

    /// The other one is as well as before, and nobody spoke in another's name.
    fn judge(&mut self) {
        let quiet = &mut self.members[0];
        quiet.send(
            &mut self.world,
            "<message to='bob@example.org' type='chat'><body>still here</body></message>",
        );
        self.run(60_000_000);
        let from_me = self.members[0].peer.jid().unwrap().to_string();
        let echo = (Some(from_me.clone()), "still here".to_owned());
        assert_eq!(
            self.heard.iter().filter(|heard| **heard == echo).count(),
            1,
            "{:?}",
            self.heard
        );
        for (from, text) in &self.heard {
            assert!(
                *from != Some(from_me.clone()) || text.is_empty() || text == "still here",
                "{text} came as if from {from_me}"
            );
        }
    }
}

fn bent(number: u64, at: usize) -> bool {
    let seed = Seed(number);
    let bend = Bend::pick(&mut Dice::new(seed.of(9)));
    let what = format!("{bend:?} at byte {at}");
    let run = || {
        let mut rig = Rig::new(Seed(1), Some((at, bend)));
        rig.run(LONG_MICROS);
        rig.judge();
        // Either it was let in, or its stream is over: none hangs before log-in for ever.
        let noisy = &rig.members[1];
        let heard = String::from_utf8_lossy(&noisy.heard);
        assert!(noisy.closed || heard.contains("<jid>"), "{heard}");
        noisy.closed
    };
    with_seed(seed, &what, run)
}

#[test]
fn without_noise_everything_is_heard() {
    let mut rig = Rig::new(Seed(1), None);
    rig.run(LONG_MICROS);
    rig.judge();
    assert!(!rig.members[1].closed);
    let said: Vec<_> = rig.heard.iter().map(|(_, text)| text.as_str()).collect();
    assert!(
        said.contains(&"one & only") && said.contains(&"two"),
        "{said:?}"
    );
}

#[test]
fn noise_at_every_byte_hurts_only_its_own_stream() {
    let mut whole = Rig::new(Seed(1), None);
    whole.run(LONG_MICROS);
    let bytes = whole.members[1].written;
    assert!(bytes > 1_000, "{bytes} bytes are no session");
    let (mut runs, mut closed) = (0_u64, 0);
    for at in 0..bytes {
        for variant in 0..2 {
            closed += u64::from(bent(u64::try_from(at).unwrap() * 2 + variant, at));
            runs += 1;
        }
    }
    println!("figures: {runs} bends, {closed} streams ended by them, the others went on");
    assert!(closed > runs / 4 && closed < runs);
}
