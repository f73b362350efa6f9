//! How much is looked at for an answer: as much among many rows as among few.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::key::encoded;
use crate::shape::Shape;
use crate::sqlite::shapes::NumberedIndex;
use crate::{Index, KeyRange, Log, Table};

#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Text {
    #[prost(string, tag = "1")]
    text: String,
}

static BY_TEXT: Index<u64, Text, String> =
    Index::ordered("by-text", |_, row| vec![row.text.clone()]);
static ROWS: Table<u64, Text> = Table::new("rows", 1).index(&BY_TEXT);
static ENTRIES: Log<Text> = Log::new("entries", 1);

fn shapes() -> Shapes {
    let numbered = |id, shape: Shape, indexes| (shape.name(), Numbered { id, shape, indexes });
    let by_text = NumberedIndex {
        id: 1,
        name: "by-text",
        unique: false,
    };
    let all = [
        numbered(1, ROWS.shape(), vec![by_text]),
        numbered(2, ENTRIES.shape(), Vec::new()),
    ];
    Shapes(all.into_iter().collect())
}

/// A database in which one owner has so many rows of a table and entries of a log, and counts its steps.
fn filled(count: u64) -> (Connection, Arc<AtomicU64>) {
    let mut db = Connection::open_in_memory().unwrap();
    db.execute_batch(include_str!("../schema.sql")).unwrap();
    let owner = Owner::account("a@example.org");
    db.execute(
        "INSERT INTO owner (id, name) VALUES (1, ?1)",
        [owner.as_bytes()],
    )
    .unwrap();
    let batch = db.transaction().unwrap();
    for number in 0..count {
        let (key, text) = (encoded::<u64, u64>(&number), encoded::<String, str>("same"));
        let name = owner.as_bytes();
        batch
            .execute(
                "INSERT INTO table_row VALUES (1, 1, ?1, x'', NULL, NULL)",
                [&key],
            )
            .unwrap();
        batch
            .execute(
                "INSERT INTO index_key VALUES (1, ?1, ?2, ?3, 1)",
                params![text, name, key],
            )
            .unwrap();
        let (id, marks) = (number as i64 + 1, if number % 2 == 0 { 2 } else { 0 });
        batch
            .execute(
                "INSERT INTO log_entry VALUES (2, 1, ?1, ?1, ?2, 0)",
                [id, marks],
            )
            .unwrap();
        batch
            .execute(
                "INSERT INTO log_payload VALUES (?1, 2, 1, ?1, NULL, NULL, x'')",
                [id],
            )
            .unwrap();
    }
    batch.commit().unwrap();
    let steps = Arc::new(AtomicU64::new(0));
    let counted = steps.clone();
    let count_one = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        false
    };
    db.progress_handler(1, Some(count_one)).unwrap();
    (db, steps)
}

/// A question with sixteen answers, and its name.
type Question = (&'static str, Box<dyn Fn(&Connection, &Shapes) -> usize>);

/// Rows by key, in the middle of so many and at the ends.
fn scans(middle: u64) -> Vec<Question> {
    let of = |name, direction, range: KeyRange<u64>| -> Question {
        let ask = move |db: &Connection, shapes: &Shapes| {
            let query = Scan {
                shape: "rows",
                owner: Owner::account("a@example.org"),
                range: range.bytes.clone(),
                direction,
                limit: 16,
                now_micros: Some(1),
            };
            scan(db, shapes, &query).unwrap().len()
        };
        (name, Box::new(ask))
    };
    vec![
        of("after", Direction::Forward, KeyRange::all().after(&middle)),
        of(
            "before",
            Direction::Backward,
            KeyRange::all().before(&middle),
        ),
        of("first", Direction::Forward, KeyRange::all()),
        of("last", Direction::Backward, KeyRange::all()),
    ]
}

/// Rows by an index in which all stand under one key.
fn finds(middle: u64) -> Vec<Question> {
    let of = |name, after: Option<u64>| -> Question {
        let ask = move |db: &Connection, shapes: &Shapes| {
            let place = |number: u64| Place {
                index_key: encoded::<String, str>("same"),
                owner: Owner::account("a@example.org"),
                key: encoded::<u64, u64>(&number),
            };
            let query = Find {
                shape: "rows",
                index: "by-text",
                range: KeyRange::<String>::exactly("same").bytes,
                after: after.map(place),
                limit: 16,
                now_micros: None,
            };
            find(db, shapes, &query).unwrap().len()
        };
        (name, Box::new(ask))
    };
    vec![of("found", None), of("found after", Some(middle))]
}

/// Entries of a log.
fn pages(middle: u64) -> Vec<Question> {
    let of = |name, asked: Page| -> Question {
        let ask = move |db: &Connection, shapes: &Shapes| {
            let query = PageOf {
                shape: "entries",
                owner: Owner::account("a@example.org"),
                page: asked.clone(),
            };
            page(db, shapes, &query).unwrap().entries.len()
        };
        (name, Box::new(ask))
    };
    let after = Page::forward(16).after(LogId(middle));
    vec![
        of("page", after.clone()),
        of("newest", Page::backward(16)),
        of("undelivered", after.with_marks(Marks::UNDELIVERED)),
    ]
}

/// Steps of the database's machine for each question, among so many rows.
fn steps_among(count: u64) -> Vec<(&'static str, u64)> {
    let (db, steps) = filled(count);
    let (shapes, middle) = (shapes(), count / 2);
    let questions = [scans(middle), finds(middle), pages(middle)];
    let mut found = Vec::new();
    for (name, ask) in questions.into_iter().flatten() {
        // What prepares a statement is not counted.
        assert_eq!(ask(&db, &shapes), 16, "{name}");
        steps.store(0, Ordering::Relaxed);
        ask(&db, &shapes);
        found.push((name, steps.load(Ordering::Relaxed)));
    }
    found
}

/// A page from many takes no more than one from few, wherever it is.
#[test]
fn a_page_costs_the_same_among_many() {
    let few = steps_among(100);
    assert!(few.iter().all(|(_, steps)| *steps > 16));
    assert_eq!(steps_among(20_000), few);
}

/// A database with so many archived entries, and counts its steps.
fn archive(count: u64) -> (Connection, Arc<AtomicU64>) {
    let (db, steps) = filled(0);
    let fill = format!(
        "WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < {count})
         INSERT INTO log_entry SELECT 2, 1, id, id, 1, 0 FROM n;
         INSERT INTO log_payload SELECT id, 2, 1, id, NULL, NULL, x'' FROM log_entry;"
    );
    db.execute_batch(&fill).unwrap();
    (db, steps)
}

/// XEP-0313: as many steps for a page of a million messages as for one of a thousand, from both ends, in the middle, by time
/// and by id.
#[test]
fn a_page_of_a_million_entries_costs_as_one_of_a_thousand() {
    let steps_among = |count: u64| {
        let (db, steps) = archive(count);
        let shapes = shapes();
        let middle = LogId(count / 2);
        let forward = Page::forward(50).with_marks(Marks::ARCHIVED);
        let backward = Page::backward(50).with_marks(Marks::ARCHIVED);
        let pages = [
            forward.clone(),
            backward.clone(),
            forward.clone().after(middle),
            backward.clone().before(middle),
            forward.clone().from(middle).to(LogId(middle.0 + 60)),
            forward.from(middle).to(middle),
        ];
        pages.map(|page| {
            let query = PageOf {
                shape: "entries",
                owner: Owner::account("a@example.org"),
                page,
            };
            let found = super::page(&db, &shapes, &query).unwrap();
            steps.store(0, Ordering::Relaxed);
            let again = super::page(&db, &shapes, &query).unwrap();
            assert_eq!(again.entries.len(), found.entries.len());
            (found.entries.len(), steps.load(Ordering::Relaxed))
        })
    };
    let few = steps_among(1_000);
    assert_eq!(few.map(|(found, _)| found), [50, 50, 50, 50, 50, 1]);
    assert_eq!(steps_among(1_000_000), few);
}
