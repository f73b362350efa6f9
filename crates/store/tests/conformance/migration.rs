//! What happens when shapes change.

use waxwing_store::{
    Append, Batch, Direction, Index, KeyRange, Log, LogId, Marks, Migration, OpenError, Page, Row,
    RowError, Shape, Store, Table, Verdict,
};

use crate::place::{Place, wait};
use crate::shapes::{Card, alice, bob, card, tagged};

static CARDS_1: Table<String, Card> = Table::new("cards", 1);
static LOG_1: Log<Card> = Log::new("log", 1);

#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Loud {
    #[prost(string, tag = "7")]
    cry: String,
}

const TO_LOUD: Migration = |row: &mut Row| {
    let card: Card = row.value()?;
    if card.text == "drop" {
        return Ok(Verdict::Drop);
    }
    if card.text == "fail" {
        return Err(RowError::Unfit("it fails"));
    }
    row.set_value(&Loud {
        cry: card.text.to_uppercase(),
    });
    Ok(Verdict::Keep)
};
const TO_LOUDER: Migration = |row: &mut Row| {
    let Loud { cry } = row.value()?;
    row.set_value(&Loud { cry: cry + "!" });
    Ok(Verdict::Keep)
};
const TO_NUMBER: Migration = |row: &mut Row| {
    let key: String = row.key()?;
    row.set_key::<u64, _>(&(key.len() as u64));
    Ok(Verdict::Keep)
};

static CARDS_2: Table<String, Loud> = Table::new("cards", 2).migrations(&[TO_LOUD]);
static CARDS_3: Table<String, Loud> = Table::new("cards", 3).migrations(&[TO_LOUD, TO_LOUDER]);
static CARDS_3_FROM_2: Table<String, Loud> = Table::new("cards", 3).migrations(&[TO_LOUDER]);
static NUMBERED: Table<u64, Card> = Table::new("cards", 2).migrations(&[TO_NUMBER]);
static LOG_2: Log<Loud> = Log::new("log", 2).migrations(&[TO_LOUD]);

static BY_TAG: Index<String, Card, String> = Index::ordered("by-tag", |_, card| card.tags.clone());
static BY_UNIQUE_TAG: Index<String, Card, String> =
    Index::unique("by-tag", |_, card| card.tags.clone());
static INDEXED: Table<String, Card> = Table::new("cards", 1).index(&BY_TAG);
static INDEXED_UNIQUELY: Table<String, Card> = Table::new("cards", 1).index(&BY_UNIQUE_TAG);

fn entry(id: u64, payload: &Card) -> Append<'_, Card> {
    Append {
        id: LogId(id),
        marks: Marks::ARCHIVED,
        unique: None,
        address: None,
        payload,
    }
}

/// The first version, with these texts for keys, for Alice, and one card for Bob, who is deleted.
fn fill(place: &dyn Place, texts: &[&str]) {
    let store = place.open(&[CARDS_1.shape(), LOG_1.shape()]);
    let mut batch = Batch::new();
    for (id, text) in texts.iter().enumerate() {
        batch.put(&CARDS_1, &alice(), *text, &card(text));
        batch.append(&LOG_1, &alice(), entry(id as u64, &card(text)));
    }
    batch.put(&CARDS_1, &bob(), "fail", &card("fail"));
    wait(store.commit(batch)).unwrap();
    let mut batch = Batch::new();
    batch.delete_owner(&bob());
    wait(store.commit(batch)).unwrap();
}

fn cries(store: &Store, table: &Table<String, Loud>) -> Vec<(String, String)> {
    let rows = wait(store.scan(table, &alice(), &KeyRange::all(), Direction::Forward, 99)).unwrap();
    rows.into_iter()
        .map(|(key, loud)| (key, loud.cry))
        .collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(key, cry)| ((*key).to_owned(), (*cry).to_owned()))
        .collect()
}

pub(crate) fn rows_are_brought_to_the_declared_version(place: &dyn Place) {
    fill(place, &["a", "drop", "z"]);
    let shapes = [CARDS_2.shape(), LOG_1.shape()];
    let store = place.open(&shapes);
    assert_eq!(cries(&store, &CARDS_2), pairs(&[("a", "A"), ("z", "Z")]));
    drop(store);
    let store = place.open(&shapes);
    assert_eq!(
        cries(&store, &CARDS_2),
        pairs(&[("a", "A"), ("z", "Z")]),
        "once, not again"
    );
    let mut batch = Batch::new();
    batch.put(
        &CARDS_2,
        &bob(),
        "b",
        &Loud {
            cry: "B".to_owned(),
        },
    );
    wait(store.commit(batch)).unwrap();
    assert_eq!(
        wait(store.owners(&CARDS_2, None, 9)),
        Ok(vec![alice(), bob()])
    );
}

pub(crate) fn steps_are_taken_one_after_another(place: &dyn Place) {
    fill(place, &["a"]);
    drop(place.open(&[CARDS_2.shape(), LOG_1.shape()]));
    let store = place.open(&[CARDS_3.shape(), LOG_1.shape()]);
    assert_eq!(cries(&store, &CARDS_3), pairs(&[("a", "A!")]));
    drop(store);
    let store = place.open(&[CARDS_3_FROM_2.shape(), LOG_1.shape()]);
    assert_eq!(cries(&store, &CARDS_3), pairs(&[("a", "A!")]));
}

pub(crate) fn keys_can_change(place: &dyn Place) {
    // More than are read at a time, in another order afterwards.
    let texts: Vec<String> = (1..=2_500).rev().map(|length| "x".repeat(length)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    fill(place, &texts);
    let store = place.open(&[NUMBERED.shape(), LOG_1.shape()]);
    let rows = wait(store.scan(
        &NUMBERED,
        &alice(),
        &KeyRange::all(),
        Direction::Forward,
        9_999,
    ))
    .unwrap();
    assert_eq!(rows.len(), 2_500);
    assert!(
        rows.iter()
            .zip(1..)
            .all(|((key, card), length)| *key == length && card.text.len() as u64 == length)
    );
}

pub(crate) fn a_log_is_brought_to_the_declared_version(place: &dyn Place) {
    fill(place, &["a", "b", "drop"]);
    let store = place.open(&[CARDS_1.shape(), LOG_2.shape()]);
    let page = wait(store.page(&LOG_2, &alice(), Page::forward(9))).unwrap();
    let entries: Vec<_> = page
        .entries
        .iter()
        .map(|entry| (entry.id.0, entry.payload.cry.as_str()))
        .collect();
    assert_eq!(entries, [(0, "A"), (1, "B")]);
    assert_eq!(
        wait(store.last_log_id()),
        Ok(LogId(2)),
        "the id of what was dropped was given out"
    );
}

pub(crate) fn an_index_that_is_added_is_filled(place: &dyn Place) {
    let store = place.open(&[CARDS_1.shape()]);
    let mut batch = Batch::new();
    batch.put(&CARDS_1, &alice(), "a", &tagged("a", &["t", "u"]));
    batch.put(&CARDS_1, &bob(), "b", &tagged("b", &["t"]));
    wait(store.commit(batch)).unwrap();
    drop(store);
    let store = place.open(&[INDEXED.shape()]);
    let keys = |store: &Store| {
        let found = wait(store.find(&INDEXED, &BY_TAG, &KeyRange::exactly("t"), 9)).unwrap();
        found.into_iter().map(|found| found.key).collect::<Vec<_>>()
    };
    assert_eq!(keys(&store), ["a", "b"]);
    let mut batch = Batch::new();
    batch.delete(&INDEXED, &alice(), "a");
    wait(store.commit(batch)).unwrap();
    assert_eq!(keys(&store), ["b"]);
    drop(store);
    assert_eq!(keys(&place.open(&[INDEXED.shape()])), ["b"]);
}

pub(crate) fn an_index_that_is_taken_away_is_gone(place: &dyn Place) {
    let store = place.open(&[INDEXED_UNIQUELY.shape()]);
    let put = |store: &Store, key: &str| {
        let mut batch = Batch::new();
        batch.put(&INDEXED_UNIQUELY, &alice(), key, &tagged(key, &["t"]));
        wait(store.commit(batch)).is_ok()
    };
    assert!(put(&store, "a"));
    assert!(!put(&store, "b"));
    drop(store);
    let store = place.open(&[CARDS_1.shape()]);
    let mut batch = Batch::new();
    batch.put(&CARDS_1, &alice(), "b", &tagged("b", &["t"]));
    wait(store.commit(batch)).unwrap();
    drop(store);
    let taken = OpenError::MigrationTaken {
        shape: "cards",
        index: "by-tag",
    };
    assert_eq!(
        place.try_open(&[INDEXED_UNIQUELY.shape()]).unwrap_err(),
        taken
    );
    // The same name, now not unique.
    let store = place.open(&[INDEXED.shape()]);
    assert_eq!(
        wait(store.find(&INDEXED, &BY_TAG, &KeyRange::exactly("t"), 9))
            .unwrap()
            .len(),
        2
    );
}

pub(crate) fn a_failed_migration_changes_nothing(place: &dyn Place) {
    fill(place, &["a", "drop", "fail"]);
    let error = OpenError::Migration {
        shape: "log",
        error: RowError::Unfit("it fails"),
    };
    // The table comes first, and would have gone through without Alice's last card.
    let store = place.open(&[CARDS_1.shape(), LOG_1.shape()]);
    let mut batch = Batch::new();
    batch.delete(&CARDS_1, &alice(), "fail");
    wait(store.commit(batch)).unwrap();
    drop(store);
    assert_eq!(
        place
            .try_open(&[CARDS_2.shape(), LOG_2.shape()])
            .unwrap_err(),
        error
    );
    let store = place.open(&[CARDS_1.shape(), LOG_1.shape()]);
    let rows =
        wait(store.scan(&CARDS_1, &alice(), &KeyRange::all(), Direction::Forward, 9)).unwrap();
    assert_eq!(
        rows.iter()
            .map(|(_, card)| card.text.as_str())
            .collect::<Vec<_>>(),
        ["a", "drop"]
    );
    assert_eq!(
        wait(store.page(&LOG_1, &alice(), Page::forward(9)))
            .unwrap()
            .entries
            .len(),
        3
    );
}

pub(crate) fn two_rows_with_one_key_fail_a_migration(place: &dyn Place) {
    fill(place, &["ab", "cd"]);
    let taken = OpenError::MigrationTaken {
        shape: "cards",
        index: "key",
    };
    assert_eq!(
        place
            .try_open(&[NUMBERED.shape(), LOG_1.shape()])
            .unwrap_err(),
        taken
    );
    drop(place.open(&[CARDS_1.shape(), LOG_1.shape()]));
}

pub(crate) fn a_newer_shape_is_refused(place: &dyn Place) {
    fill(place, &["a"]);
    drop(place.open(&[CARDS_3.shape(), LOG_1.shape()]));
    let newer = OpenError::Newer {
        what: "cards".to_owned(),
        stored: 3,
        known: 2,
    };
    assert_eq!(
        place
            .try_open(&[CARDS_2.shape(), LOG_1.shape()])
            .unwrap_err(),
        newer
    );
    let store = place.open(&[CARDS_3.shape(), LOG_1.shape()]);
    assert_eq!(cries(&store, &CARDS_3), pairs(&[("a", "A!")]));
}

pub(crate) fn a_shape_that_is_too_old_is_refused(place: &dyn Place) {
    fill(place, &["a"]);
    let too_old = OpenError::TooOld {
        shape: "cards",
        stored: 1,
        declared: 3,
    };
    assert_eq!(
        place
            .try_open(&[CARDS_3_FROM_2.shape(), LOG_1.shape()])
            .unwrap_err(),
        too_old
    );
}

pub(crate) fn an_unknown_shape_is_refused(place: &dyn Place) {
    fill(place, &["a"]);
    assert_eq!(
        place.try_open(&[CARDS_1.shape()]).unwrap_err(),
        OpenError::UnknownShape("log".to_owned())
    );
    drop(place.open(&[CARDS_1.shape(), LOG_1.shape()]));
}

pub(crate) fn a_shape_of_another_kind_is_refused(place: &dyn Place) {
    fill(place, &["a"]);
    let log: Log<Card> = Log::new("cards", 1);
    assert_eq!(
        place.try_open(&[log.shape(), LOG_1.shape()]).unwrap_err(),
        OpenError::OtherKind("cards")
    );
}

pub(crate) fn contradicting_declarations_are_refused(place: &dyn Place) {
    let refused = |shapes: &[Shape]| match place.try_open(shapes).unwrap_err() {
        OpenError::Declared { shape, reason } => (shape, reason),
        other => panic!("{other}"),
    };
    let name = "a name is made of lower-case letters, digits and -";
    assert_eq!(
        refused(&[Table::<String, Card>::new("No", 1).shape()]),
        ("No", name)
    );
    assert_eq!(
        refused(&[Table::<String, Card>::new("", 1).shape()]),
        ("", name)
    );
    assert_eq!(
        refused(&[CARDS_1.shape(), CARDS_2.shape()]),
        ("cards", "two shapes have one name")
    );
    let twice: Table<String, Card> = Table::new("cards", 1).index(&BY_TAG).index(&BY_UNIQUE_TAG);
    assert_eq!(
        refused(&[twice.shape()]),
        ("cards", "two indexes have one name")
    );
    let steps: Table<String, Card> = Table::new("cards", 1).migrations(&[TO_LOUD]);
    assert_eq!(
        refused(&[steps.shape()]),
        ("cards", "there are more migrations than versions")
    );
    drop(place.open(&[CARDS_1.shape()]));
}
