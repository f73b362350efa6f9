//! How much is looked at for what is found by address and by text: among many entries about as much as among few.

use std::sync::atomic::AtomicU64;

use super::*;
use crate::Log;
use crate::owner::Owner;

#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Text {
    #[prost(string, tag = "1")]
    text: String,
}

static ENTRIES: Log<Text> = Log::new("entries", 1).text(|entry| Some(entry.text.clone()));

/// Entries that the index has not reached.
const WAITING: u64 = 100;

fn shapes() -> Shapes {
    let numbered = Numbered {
        id: 2,
        shape: ENTRIES.shape(),
        indexes: Vec::new(),
    };
    Shapes([("entries", numbered)].into_iter().collect())
}

fn counting(db: &mut Connection) -> Arc<AtomicU64> {
    let steps = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&steps);
    let count_one = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        false
    };
    db.progress_handler(1, Some(count_one)).unwrap();
    steps
}

/// A database of so many entries, and its index. Every one says "same", one in fifty "rare" too; one in twenty is of the
/// conversation with `b@example.org`, and four in all of that with `c@example.org`.
fn filled(count: u64) -> (Connection, Connection) {
    let main = Connection::open_in_memory().unwrap();
    main.execute_batch(include_str!("../schema.sql")).unwrap();
    let owner = Owner::account("a@example.org");
    let insert = "INSERT INTO owner (id, name) VALUES (1, ?1)";
    main.execute(insert, [owner.as_bytes()]).unwrap();
    let hex = |text: &str| -> String {
        let text = Text { text: text.into() };
        let bytes = prost::Message::encode_to_vec(&text);
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let (same, rare) = (hex("same"), hex("same rare"));
    let n = format!(
        "WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < {count})"
    );
    let number = |address| crate::sqlite::read::address_number(Some(address));
    let (b, c) = (number("b@example.org"), number("c@example.org"));
    let is_of_c = format!("id % {} = 7", count / 4);
    main.execute_batch(&format!(
        "{n} INSERT INTO log_entry SELECT 2, 1, id, id, 1, iif(id % 20 = 0, {b}, iif({is_of_c}, {c}, 0)) FROM n;
         {n} INSERT INTO log_payload SELECT id, 2, 1, id, iif(id % 20 = 0, 'b@example.org', iif({is_of_c}, 'c@example.org', NULL)), NULL,
             iif(id % 50 = 0, x'{rare}', x'{same}') FROM n;"
    ))
    .unwrap();
    let words = Connection::open_in_memory().unwrap();
    words.execute_batch(include_str!("../words.sql")).unwrap();
    let reach = count - WAITING;
    let [b, c] = ["b@example.org", "c@example.org"].map(|one| address_token(2, 1, one));
    words
        .execute_batch(&format!(
            "BEGIN;
             {n} INSERT INTO word (rowid, words) SELECT id, '{} ' || iif(id % 50 = 0, '{} ', '') || iif(id % 20 = 0, '{b}', iif({is_of_c}, '{c}', ''))
             FROM n WHERE id < {reach};
             INSERT INTO reach VALUES ({reach}, 1, 0, 0, 0, 0, 2, 1, {reach} - 1, '');
             COMMIT;",
            word_token(2, 1, "same"),
            word_token(2, 1, "rare"),
        ))
        .unwrap();
    (main, words)
}

fn pages(middle: LogId) -> Vec<Page> {
    let (forward, backward) = (Page::forward(50), Page::backward(50));
    let mut all = Vec::new();
    for page in [
        forward.clone(),
        backward.clone(),
        forward.after(middle),
        backward.before(middle),
    ] {
        let page = page.with_marks(Marks::ARCHIVED);
        all.push(page.clone().with_address("b@example.org"));
        all.push(page.clone().with_address("c@example.org"));
        all.push(page.clone().with_address("nobody@example.org"));
        all.push(page.clone().with_text("rare "));
        all.push(page.clone().with_text("same "));
        all.push(page.clone().with_text("SAME rare "));
        all.push(page.with_text("rare ").with_address("b@example.org"));
    }
    all
}

/// For each page: how many were found, and the steps of both databases.
fn steps_among(count: u64) -> Vec<(usize, u64, u64)> {
    let (mut main, mut words) = filled(count);
    let shapes = shapes();
    let (in_main, in_words) = (counting(&mut main), counting(&mut words));
    let mut all = Vec::new();
    for page in pages(LogId(count / 2)) {
        let query = PageOf {
            shape: "entries",
            owner: Owner::account("a@example.org"),
            page,
        };
        // What prepares a statement is not counted.
        let found = search(&main, &words, &shapes, &query).unwrap().unwrap();
        in_main.store(0, Ordering::Relaxed);
        in_words.store(0, Ordering::Relaxed);
        search(&main, &words, &shapes, &query).unwrap().unwrap();
        let steps = [&in_main, &in_words].map(|steps| steps.load(Ordering::Relaxed));
        all.push((found.entries.len(), steps[0], steps[1]));
    }
    all
}

/// In the log itself a page from many takes exactly the steps of one from few; in the index its segments count, of which there
/// are more among many, and never many.
#[test]
fn a_search_in_a_million_entries_costs_as_one_in_twenty_thousand() {
    let (few, many) = (steps_among(20_000), steps_among(1_000_000));
    for (few, many) in few.into_iter().zip(many) {
        assert_eq!((many.0, many.1), (few.0, few.1));
        assert!(many.1 < 20_000, "{}", many.1);
        assert!(many.2 <= few.2 * 4, "{} and {}", few.2, many.2);
    }
}

/// What a page through the index finds is what a look at each entry finds.
#[test]
fn the_index_finds_what_is_there() {
    let (main, words) = filled(3_000);
    let shapes = shapes();
    for page in pages(LogId(1_500)) {
        let mut asked = page;
        let (mut by_index, mut by_look) = (Vec::new(), Vec::new());
        let mut look = asked.clone();
        loop {
            let query = PageOf {
                shape: "entries",
                owner: Owner::account("a@example.org"),
                page: asked.clone(),
            };
            let found = search(&main, &words, &shapes, &query).unwrap().unwrap();
            by_index.extend(found.entries.iter().map(|entry| entry.id));
            asked = match (found.next, asked.direction) {
                (Some(next), Direction::Forward) => asked.after(next),
                (Some(next), Direction::Backward) => asked.before(next),
                (None, _) => break,
            };
        }
        look.limit = 5_000;
        loop {
            let query = PageOf {
                shape: "entries",
                owner: Owner::account("a@example.org"),
                page: look.clone(),
            };
            let found = super::page(&main, &shapes, &query).unwrap();
            by_look.extend(found.entries.iter().map(|entry| entry.id));
            look = match (found.next, look.direction) {
                (Some(next), Direction::Forward) => look.after(next),
                (Some(next), Direction::Backward) => look.before(next),
                (None, _) => break,
            };
        }
        assert_eq!(by_index, by_look);
    }
}

/// What somebody writes is words, whatever it means to FTS5, and however much it is.
#[test]
fn questions_have_no_language() {
    let (main, words) = filled(3_000);
    let shapes = shapes();
    let many: String = (0..1_000).map(|n| format!("word{n} ")).collect();
    for (text, found) in [
        ("\"same\"", true),
        ("\"same", true),
        ("same\" OR \"rare ", false),
        ("same OR rare", false),
        ("NOT same", false),
        ("NEAR(same rare, 2)", false),
        ("words:same", false),
        ("{words} : same", false),
        ("^same", true),
        ("-same +rare", true),
        ("sam* ", false),
        ("*", false),
        ("", false),
        ("same\0rare", true),
        ("'; DROP TABLE word; --", false),
        ("2x1xsame", false),
        ("2y1y7", false),
        ("\u{FEFF}\u{202E}same\u{200B}", true),
        ("(((((((((((((((same", true),
        (&"same ".repeat(1_000), true),
        (&"x".repeat(100_000), false),
        (&"\"".repeat(100_000), false),
        (&many, false),
    ] {
        let query = PageOf {
            shape: "entries",
            owner: Owner::account("a@example.org"),
            page: Page::forward(5).with_text(text),
        };
        let page = search(&main, &words, &shapes, &query).unwrap().unwrap();
        assert_eq!(!page.entries.is_empty(), found, "{text}");
    }
}
