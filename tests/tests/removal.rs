//! An account is removed while it is written to from all sides: nothing of it is left.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use waxwing_server::delivery::MESSAGES;
use waxwing_server::{Settings, accounts};
use waxwing_stanza::BareJid;
use waxwing_store::{KeyRange, Marks, Table};
use waxwing_testkit::{Crowd, Dice, Peer, Seed, World};

/// What a table holds does not matter here.
#[derive(Clone, PartialEq, prost::Message)]
struct Anything {}

const BOB: &str = "bob@example.org";
/// Accounts that go, one in each run.
const RUNS: u64 = 48;
const GONE: &str = "gone@example.org";

const TABLES: [Table<String, Anything>; 7] = [
    Table::new("accounts", 1),
    Table::new("roster", 1),
    Table::new("roster-version", 1),
    Table::new("vcard", 1),
    Table::new("private", 1),
    Table::new("last-left", 1),
    Table::new("blocked", 1),
];

fn world(seed: Seed, by_operator: bool) -> Crowd {
    let settings = Settings {
        domains: vec!["example.org".to_owned()],
        ..Settings::default()
    };
    let mut world = World::new(settings, seed).unwrap();
    let mut peers = Vec::new();
    for (number, (name, resource)) in [(GONE, "phone"), (GONE, "desk"), (BOB, "phone")]
        .into_iter()
        .enumerate()
    {
        let account: BareJid = name.parse().unwrap();
        if resource == "phone" {
            world.add_account(&account, "pencil").unwrap();
        }
        let peer = Peer::new(account, resource, "pencil", seed.of(10 + number as u64)).unwrap();
        peers.push(peer.with_greeting(["<presence/>"]));
    }
    // A command waits for its answer, and the world for nothing meanwhile.
    if !by_operator {
        world.slow_disk();
    }
    Crowd::new(world, peers, seed.of(3))
}

/// What the account still has, by table.
fn left(crowd: &Crowd) -> Vec<(String, u64)> {
    let account: BareJid = GONE.parse().unwrap();
    let owner = accounts::owner(&account);
    let messages = crowd
        .world
        .look(|store| store.count_entries(&MESSAGES, &owner, Marks::UNDELIVERED));
    let mut left = vec![("messages".to_owned(), messages.unwrap())];
    for table in &TABLES {
        let rows = crowd
            .world
            .look(|store| store.count(table, &owner, &KeyRange::all()));
        left.push((table.shape().name().to_owned(), rows.unwrap()));
    }
    left.retain(|(_, rows)| *rows > 0);
    left
}

#[test]
fn nothing_is_left_of_an_account_that_is_removed() {
    let (mut written, mut refused) = (0, 0);
    for number in 0..RUNS {
        let seed = Seed(number);
        let by_operator = number % 4 == 0;
        let mut crowd = world(seed, by_operator);
        let mut dice = Dice::new(seed.of(5));
        let online = |crowd: &mut Crowd| crowd.peers().all(Peer::is_online);
        crowd.run_until(online).unwrap();
        let at = dice.below(12);
        for step in 0..24_u64 {
            if step == at {
                if by_operator {
                    let args = serde_json::json!({ "jid": GONE });
                    crowd.world.admin("account remove", args).unwrap();
                } else {
                    let remove = "<iq type='set' id='remove'><query xmlns='jabber:iq:register'><remove/></query></iq>";
                    crowd.with(0, |peer| peer.send(0, remove));
                }
                let own =
                    format!("<message to='{GONE}' type='chat'><body>to myself</body></message>");
                crowd.with(0, |peer| peer.send(0, own));
            }
            let message = format!("<message to='{GONE}' type='chat'><body>{step}</body></message>");
            crowd.with(2, |peer| peer.send(step, message));
            let vcard =
                "<iq type='set' id='v'><vCard xmlns='vcard-temp'><FN>left</FN></vCard></iq>";
            let private = "<iq type='set' id='p'><query xmlns='jabber:iq:private'><a xmlns='urn:a'>x</a></query></iq>";
            let contact = "<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item jid='c@example.org'/></query></iq>";
            crowd.with(1, |peer| {
                for stanza in [vcard, private, contact] {
                    peer.send(step, stanza);
                }
            });
            for _ in 0..dice.below(8) {
                crowd.step();
            }
        }
        let until = crowd.world.now_micros() + 60_000_000;
        while crowd.world.now_micros() < until {
            crowd.step();
        }
        assert_eq!(left(&crowd), [], "seed {seed}");
        crowd.with(2, |peer| {
            written += peer.take_settled().len();
            while let Some(stanza) = peer.poll() {
                refused += usize::from(stanza.attr("type") == Some("error"));
            }
        });
    }
    println!("figures: {written} stanzas to {RUNS} accounts that went, {refused} refused");
    assert!(refused > 50 && refused < written, "{refused} of {written}");
}
