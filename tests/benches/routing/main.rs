//! The way of a stanza through the server: `cargo bench -p waxwing-tests --bench routing`.
//!
//! Bytes of one session go in, bytes for others come out: framed, checked, routed, written. The server is a whole one
//! on the store's double, so that what is stored costs the server's part of it alone (`commits` of the store measures
//! the rest); sockets, TLS and the kernel have no part. What is to be written counts as written at once, so that a
//! stored message is taken from the undelivered ones within the same round.
//!
//! A stanza comes alone, or with others in one read, as where a server is busy. Rounds are interleaved and the best of
//! each counts, since noise only ever adds. Allocations are those of the last round, the double's included.

mod house;

use std::hint::black_box;
use std::time::{Duration, Instant};

use house::{DOMAIN, House, Number};
use waxwing_counting::{Counting, allocations_of};

#[global_allocator]
static COUNTING: Counting = Counting;

/// Rounds of each row.
const ROUNDS: usize = 120;
/// Stanzas delivered in a round, about.
const DELIVERED: usize = 400;
/// Stanzas in one read: alone, or with others.
const TOGETHER: [usize; 2] = [1, 20];
/// Contacts that presence goes to.
const CONTACTS: [usize; 3] = [1, 20, 200];
/// The body of the messages.
const BODY: &str =
    "Did you see the notes from yesterday's meeting? I put them into the shared folder.";
const NO_STORE: &str = "<no-store xmlns='urn:xmpp:hints'/>";
const ENABLE_CARBONS: &[u8] = b"<iq type='set' id='c'><enable xmlns='urn:xmpp:carbons:2'/></iq>";

/// One row of the table: what is sent, and to how many.
struct Row {
    name: String,
    house: House,
    sender: Number,
    stanza: String,
    /// How many stanzas come of each.
    receivers: usize,
    /// For each of [`TOGETHER`].
    measured: [Measured; TOGETHER.len()],
}

#[derive(Clone, Copy)]
struct Measured {
    best: Duration,
    allocations: u64,
}

#[allow(clippy::print_stdout, reason = "the table is what the bench is for")]
fn main() {
    let mut rows = vec![
        messages("message, nothing stored", NO_STORE, false),
        messages("message, stored", "", false),
        messages("message and carbon, nothing stored", NO_STORE, true),
        messages("message and carbon, stored", "", true),
    ];
    rows.extend(CONTACTS.map(presence));
    for _ in 0..ROUNDS {
        rows.iter_mut().for_each(Row::round);
    }
    println!("best of {ROUNDS} rounds; ns and allocations for each stanza that is sent");
    println!(
        "{:<36} {:>10} {:>9} {:>13} {:>8} {:>11} {:>13} {:>8}",
        "", "receivers", "alone ns", "ns/delivered", "allocs", "of 20 ns", "ns/delivered", "allocs"
    );
    for row in &rows {
        print!("{:<36} {:>10}", row.name, row.receivers);
        for measured in &row.measured {
            let sent = row.sent() as f64;
            let nanos = measured.best.as_nanos() as f64 / sent;
            print!(
                " {nanos:>9.0} {:>13.0} {:>8.1}",
                nanos / row.receivers as f64,
                measured.allocations as f64 / sent
            );
        }
        println!();
    }
}

/// From one account to the session of another, with a second session that gets copies or without.
fn messages(name: &str, hint: &str, carbons: bool) -> Row {
    let mut house = House::new();
    house.add_account("alice");
    house.add_account("bob");
    let sender = house.log_in("alice", "phone");
    house.log_in("bob", "phone");
    if carbons {
        let laptop = house.log_in("bob", "laptop");
        house.send(laptop, ENABLE_CARBONS);
    }
    let stanza = format!(
        "<message to='bob@{DOMAIN}/phone' type='chat' id='8f3a2b1c-4b2c-4f0e-9c1d-0d9e8f3a2b1c'><body>{BODY}</body>\
         <active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/>{hint}</message>"
    );
    Row::new(name, house, sender, stanza, 1 + usize::from(carbons))
}

/// From a session to those who have subscribed to its account.
fn presence(contacts: usize) -> Row {
    let mut house = House::new();
    house.add_account("alice");
    let sender = house.log_in("alice", "phone");
    for number in 0..contacts {
        let name = format!("contact{number}");
        house.add_account(&name);
        let contact = house.log_in(&name, "phone");
        let ask = format!("<presence type='subscribe' to='alice@{DOMAIN}'/>");
        house.send(contact, ask.as_bytes());
        let grant = format!("<presence type='subscribed' to='{name}@{DOMAIN}'/>");
        house.send(sender, grant.as_bytes());
    }
    let stanza = "<presence><show>away</show><priority>5</priority>\
         <c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://example.com/client' \
         ver='q07IKJEyjvHSyhy//CH0CxmKi8w='/></presence>";
    // Whoever sends presence gets it too (RFC 6121 §4.2.2).
    let name = format!("presence, contacts: {contacts}");
    Row::new(&name, house, sender, stanza.to_owned(), 1 + contacts)
}

impl Row {
    fn new(name: &str, house: House, sender: Number, stanza: String, receivers: usize) -> Row {
        let measured = Measured {
            best: Duration::MAX,
            allocations: 0,
        };
        Row {
            name: name.to_owned(),
            house,
            sender,
            stanza,
            receivers,
            measured: [measured; TOGETHER.len()],
        }
    }

    /// Stanzas sent in a round: a multiple of each of [`TOGETHER`].
    fn sent(&self) -> usize {
        (DELIVERED / self.receivers).next_multiple_of(TOGETHER[1])
    }

    fn round(&mut self) {
        for (at, together) in TOGETHER.into_iter().enumerate() {
            let read = self.stanza.repeat(together);
            let reads = self.sent() / together;
            let start = Instant::now();
            let ((), allocations) = allocations_of(|| {
                for _ in 0..reads {
                    self.house.send(self.sender, black_box(read.as_bytes()));
                    let delivered = black_box(&self.house.delivered).len();
                    assert_eq!(delivered, together * self.receivers, "{}", self.name);
                }
            });
            let measured = &mut self.measured[at];
            measured.best = measured.best.min(start.elapsed());
            measured.allocations = allocations;
        }
    }
}
