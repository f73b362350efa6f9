//! How much is looked at for what is found by text: among many entries as much as among few.

use std::fs::File;
use std::io::Write;
use std::sync::OnceLock;

use waxwing_postgresql::Server;

use super::*;
use crate::numbered::{Numbered, Shapes};
use crate::owner::Owner;
use crate::postgres::address::Address;
use crate::postgres::page::page;
use crate::postgres::session::Session;
use crate::postgres::start::runtime;
use crate::{Log, PostgresAddress, PostgresOptions, Store};

#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Text {
    #[prost(string, tag = "1")]
    text: String,
}

static ENTRIES: Log<Text> = Log::new("entries", 1).text(|entry| Some(entry.text.clone()));

/// Entries that the index has not reached.
const WAITING: u64 = 10;
/// Entries that say "rare", however many there are.
const RARE: u64 = 20;
/// Blocks of the database that a question may read: some 12 for each of the 150 texts that a full page looks at, and 8 more for
/// each of nine others, where one in ten is of the conversation.
const BLOCKS_MAX: i64 = 15_000;

fn server() -> Option<&'static Server> {
    static SHARED: OnceLock<Option<Server>> = OnceLock::new();
    let server = SHARED.get_or_init(Server::new).as_ref();
    if let (None, Some(file)) = (server, std::env::var_os("WAXWING_SKIPS")) {
        let mut file = File::options()
            .append(true)
            .create(true)
            .open(file)
            .unwrap();
        let why = "PostgreSQL is not installed (Debian's package postgresql)";
        writeln!(file, "store/postgresql/search: {why}").unwrap();
    }
    server
}

/// A database of so many entries, and its index but for the last. Every one says "same" and "even" or "odd",
/// some odd ones "rare"; one in twenty is of the conversation with `b@example.org`.
struct Filled {
    session: Session,
    shapes: Shapes,
    runtime: tokio::runtime::Runtime,
}

impl Filled {
    fn new(server: &Server, count: u64) -> Self {
        let url = server.url(&server.database(), &[]);
        let options = PostgresOptions::default();
        let place = PostgresAddress::parse(&url).unwrap();
        drop(Store::postgres(&place, &options, &[ENTRIES.shape()]).unwrap());
        let address = Address::new(&place, &options).unwrap();
        let runtime = runtime(&address).unwrap();
        let session = runtime.block_on(Session::connect(&address)).unwrap();
        let log = "SELECT id FROM waxwing.shape WHERE name = 'entries'";
        let log: i64 = runtime
            .block_on(session.client.query_one(log, &[]))
            .unwrap()
            .get(0);
        let filled = runtime.block_on(session.client.batch_execute(&fill(log, count)));
        filled.unwrap();
        let numbered = Numbered {
            id: log,
            shape: ENTRIES.shape(),
            indexes: Vec::new(),
        };
        Self {
            session,
            shapes: Shapes([("entries", numbered)].into_iter().collect()),
            runtime,
        }
    }

    fn page(&self, page_of: Page) -> RawPage {
        let query = PageOf {
            shape: "entries",
            owner: Owner::account("a@example.org"),
            page: page_of,
        };
        self.runtime
            .block_on(page(&self.session, &self.shapes, &query))
            .unwrap()
    }

    /// How many are found, and the blocks of the database that were read for it, as it counts them.
    fn blocks(&self, page: Page) -> (usize, i64) {
        let sql = "SELECT sum(pg_stat_get_xact_blocks_fetched(c.oid))::bigint FROM pg_class c
            WHERE c.relnamespace = 'waxwing'::regnamespace";
        let execute = |sql| {
            self.runtime
                .block_on(self.session.client.batch_execute(sql))
                .unwrap();
        };
        // The database forgets what it has counted once in a while, but not within a transaction.
        let counted = || -> i64 {
            let row = self
                .runtime
                .block_on(self.session.client.query_one(sql, &[]));
            row.unwrap().get(0)
        };
        // What prepares a statement is not counted.
        self.page(page.clone());
        execute("BEGIN");
        let before = counted();
        let found = self.page(page);
        let blocks = counted() - before;
        execute("COMMIT");
        (found.entries.len(), blocks)
    }

    /// All ids that a page and those behind it find.
    fn all(&self, mut page: Page) -> Vec<u64> {
        let mut all = Vec::new();
        loop {
            let found = self.page(page.clone());
            all.extend(found.entries.iter().map(|entry| entry.id.0));
            page = match (found.next, page.direction) {
                (Some(next), Direction::Forward) => page.after(next),
                (Some(next), Direction::Backward) => page.before(next),
                (None, _) => return all,
            };
        }
    }
}

fn is_rare(id: u64, count: u64) -> bool {
    id % (count / RARE) == 1
}

fn text(id: u64, count: u64) -> String {
    let half = ["even", "odd"][usize::from(id % 2 == 1)];
    let rare = if is_rare(id, count) { "rare" } else { "" };
    format!("same {half} {rare}")
}

fn fill(log: i64, count: u64) -> String {
    let owner: String = hex(Owner::account("a@example.org").as_bytes());
    let payload = |id| {
        let text = Text {
            text: text(id, count),
        };
        hex(&prost::Message::encode_to_vec(&text))
    };
    let [same, even, odd, rare] =
        ["same", "even", "odd", "rare"].map(|word| word_number(log, word));
    let b = address_number(Some("b@example.org"));
    let address = hex(b"b@example.org");
    // Entries 1 to 3 are one of each kind: 1 is rare and odd, as all that are rare, 2 is even, 3 is odd.
    let (every, reach) = (count / RARE, count - WAITING);
    assert_eq!(every % 2, 0);
    format!(
        "INSERT INTO waxwing.owner (id, name) VALUES (1, {owner});
         INSERT INTO waxwing.log_entry (log, owner, id, archived, address_number, address, payload)
            SELECT {log}, 1, n, true, CASE WHEN n % 20 = 0 THEN {b} ELSE 0 END, CASE WHEN n % 20 = 0 THEN {address} END,
                CASE WHEN n % {every} = 1 THEN {} WHEN n % 2 = 0 THEN {} ELSE {} END FROM generate_series(1, {count}) n;
         INSERT INTO waxwing.word (owner, word, id)
            SELECT 1, unnest(CASE WHEN n % {every} = 1 THEN ARRAY[{same}, {odd}, {rare}] WHEN n % 2 = 0 THEN ARRAY[{same}, {even}]
                ELSE ARRAY[{same}, {odd}] END), n FROM generate_series(1, {reach}) n;
         INSERT INTO waxwing.word_reach VALUES (1, {log}, {reach});",
        payload(1),
        payload(2),
        payload(3),
    )
}

fn hex(bytes: &[u8]) -> String {
    let bytes: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("'\\x{bytes}'::bytea")
}

/// Questions, and how many fit.
fn pages(count: u64) -> Vec<Page> {
    let (forward, backward) = (Page::forward(50), Page::backward(50));
    let middle = LogId(count / 2);
    let mut all = Vec::new();
    for page in [
        forward.clone(),
        backward.clone(),
        forward.after(middle),
        backward.before(middle),
    ] {
        let page = page.with_marks(Marks::ARCHIVED);
        for text in [
            "rare ",
            "same ",
            "SAME rare ",
            "rare even ",
            "same nowhere ",
            "rare sam",
        ] {
            all.push(page.clone().with_text(text));
        }
        all.push(
            page.clone()
                .with_text("even ")
                .with_address("b@example.org"),
        );
        all.push(page.with_text("rare ").with_address("nobody@example.org"));
    }
    all
}

#[test]
fn a_search_among_many_entries_reads_as_much_as_among_few() {
    let Some(server) = server() else { return };
    let (few, many) = (Filled::new(server, 8_000), Filled::new(server, 200_000));
    for (of_few, of_many) in pages(8_000).into_iter().zip(pages(200_000)) {
        let question = format!("{of_many:?}");
        let (few, many) = (few.blocks(of_few), many.blocks(of_many));
        assert_eq!(few.0, many.0, "{question}");
        // The tree of the index is a little higher.
        assert!(many.1 <= few.1 * 2, "{} and {}: {question}", few.1, many.1);
        assert!(many.1 <= BLOCKS_MAX, "{}: {question}", many.1);
    }
}

#[test]
fn the_index_finds_what_is_there() {
    let Some(server) = server() else { return };
    let count = 3_000;
    let filled = Filled::new(server, count);
    for (sought, address) in [
        ("rare ", None),
        ("odd ", None),
        ("even same ", None),
        ("rare even ", None),
        ("odd rar", None),
        ("even ", Some("b@example.org")),
        ("rare ", Some("b@example.org")),
    ] {
        let fits = |id: &u64| {
            let is_of = address.is_none() || id.is_multiple_of(20);
            is_of && crate::words::fits(&crate::words::sought(sought), &text(*id, count))
        };
        let mut wanted: Vec<u64> = (1..=count).filter(fits).collect();
        for limit in [1_000, 7] {
            let asked = |page: Page| match address {
                Some(address) => page.with_text(sought).with_address(address),
                None => page.with_text(sought),
            };
            assert_eq!(filled.all(asked(Page::forward(limit))), wanted, "{sought}");
            wanted.reverse();
            assert_eq!(filled.all(asked(Page::backward(limit))), wanted, "{sought}");
            wanted.reverse();
        }
    }
}

/// Two frequent words that never meet: a page looks for so long, and says where to go on.
#[test]
fn a_page_ends_where_it_was_looked_far_enough() {
    let Some(server) = server() else { return };
    let filled = Filled::new(server, 60_000);
    let page = Page::forward(50).with_text("odd even ");
    let found = filled.page(page.clone());
    assert!(found.entries.is_empty());
    let next = found.next.unwrap().0;
    assert!((1_000..30_000).contains(&next), "{next}");
    assert!(filled.all(page).is_empty());
}
