//! What was taken out is not in the index any more, whatever ended the store in between, and not in its file.

use std::path::PathBuf;

use rusqlite::Connection;

use super::*;
use crate::Log;
use crate::owner::Owner;
use crate::sqlite::shapes::{Numbered, Shapes};

#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Text {
    #[prost(string, tag = "1")]
    text: String,
}

static ENTRIES: Log<Text> = Log::new("entries", 1).text(|entry| Some(entry.text.clone()));

/// The only payload with this word.
const SECRET: i64 = 300;
const COUNT: i64 = 600;

/// A database in a folder of its own, which goes with it.
struct Place {
    path: PathBuf,
    main: Connection,
    shapes: Shapes,
}

impl Place {
    fn new(name: &str) -> Place {
        let name = format!("waxwing-words-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        let main = Connection::open_in_memory().unwrap();
        main.execute_batch(include_str!("../schema.sql")).unwrap();
        let owner = Owner::account("a@example.org");
        main.execute(
            "INSERT INTO owner (id, name) VALUES (1, ?1)",
            [owner.as_bytes()],
        )
        .unwrap();
        let numbered = Numbered {
            id: 2,
            shape: ENTRIES.shape(),
            indexes: Vec::new(),
        };
        let shapes = Shapes([("entries", numbered)].into_iter().collect());
        let place = Place { path, main, shapes };
        for id in 1..=COUNT {
            place.append(id, if id == SECRET { "same zebra" } else { "same" });
        }
        place
    }

    fn append(&self, id: i64, text: &str) {
        let insert = "INSERT INTO log_payload VALUES (?1, 2, 1, ?1, 'b@example.org', NULL, ?2)";
        self.main
            .execute(insert, params![id, payload(text)])
            .unwrap();
        let insert = "INSERT INTO log_entry VALUES (2, 1, ?1, ?1, 1, 0)";
        self.main.execute(insert, [id]).unwrap();
    }

    fn remove(&self, id: i64) {
        for statement in [
            "DELETE FROM log_payload WHERE id = ?1",
            "DELETE FROM log_entry WHERE payload = ?1",
        ] {
            self.main.execute(statement, [id]).unwrap();
        }
    }

    fn open(&self) -> WordIndex {
        let database = self.path.join("waxwing.db");
        WordIndex::open(&database, &self.main, &self.shapes).unwrap()
    }

    /// Makes steps as long as any is due.
    fn follow(&self, index: &mut WordIndex) {
        let mut steps = 0;
        while index.is_due(COUNT + 1) {
            index.step(&self.main, &self.shapes, COUNT + 1);
            steps += 1;
            assert!(steps < 1_000, "steps without an end");
        }
        assert!(!index.is_failing);
    }

    /// Whether the file has this anywhere.
    fn has_bytes(&self, bytes: &[u8]) -> bool {
        let file = fs::read(self.path.join("waxwing-words.db")).unwrap();
        file.windows(bytes.len()).any(|some| some == bytes)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What stays is in a folder for such things.
        drop(fs::remove_dir_all(&self.path));
    }
}

fn payload(text: &str) -> Vec<u8> {
    prost::Message::encode_to_vec(&Text { text: text.into() })
}

fn known(index: &WordIndex, word: &str) -> Vec<i64> {
    let mut select = index
        .db
        .prepare("SELECT rowid FROM word WHERE word MATCH ?1 ORDER BY rowid")
        .unwrap();
    let given = format!("\"{}\"", word_token(2, 1, word));
    let rows = select.query_map([given], |row| row.get(0)).unwrap();
    rows.collect::<rusqlite::Result<_>>().unwrap()
}

#[test]
fn what_is_there_is_in_it() {
    let place = Place::new("there");
    let mut index = place.open();
    place.follow(&mut index);
    assert_eq!(known(&index, "zebra"), [SECRET]);
    assert_eq!(known(&index, "same"), (1..=COUNT).collect::<Vec<_>>());
    assert_eq!(index.reach(), COUNT + 1);
    drop(index);
    assert!(place.has_bytes(b"zebra"));
}

/// A part for each payload would cost ten times as much as all else that is done for it.
#[test]
fn a_step_is_one_part_of_the_index() {
    let place = Place::new("part");
    let mut index = place.open();
    index.step(&place.main, &place.shapes, COUNT + 1);
    assert!(index.reach() > 100 && index.reach() <= COUNT);
    let count = "SELECT count(DISTINCT segid) FROM word_idx";
    let parts: i64 = index.db.query_row(count, [], |row| row.get(0)).unwrap();
    assert_eq!(parts, 1);
}

#[test]
fn what_was_removed_goes_out_of_the_file() {
    let place = Place::new("removed");
    let mut index = place.open();
    place.follow(&mut index);
    place.remove(SECRET);
    index.note_gone(&[SECRET]);
    place.follow(&mut index);
    assert_eq!(known(&index, "zebra"), [0; 0]);
    assert_eq!(known(&index, "same").len(), 599);
    index.settle(&place.main, &place.shapes);
    drop(index);
    assert!(!place.has_bytes(b"zebra"));
    // Nothing has to be looked for after an end like that.
    assert_eq!(place.open().sweep, None);
}

#[test]
fn what_was_removed_before_a_kill_goes_at_the_next_start() {
    let place = Place::new("killed");
    let mut index = place.open();
    place.follow(&mut index);
    place.remove(SECRET);
    index.note_gone(&[SECRET]);
    // Without a word that it ends.
    drop(index);
    let mut index = place.open();
    assert_eq!(known(&index, "zebra"), [SECRET]);
    place.follow(&mut index);
    assert_eq!(known(&index, "zebra"), [0; 0]);
    assert_eq!(known(&index, "same").len(), 599);
    drop(index);
    assert!(!place.has_bytes(b"zebra"));
}

#[test]
fn what_was_replaced_before_a_kill_goes_at_the_next_start() {
    for (name, now) in [("retracted", None), ("replaced", Some("lion"))] {
        let place = Place::new(name);
        let mut index = place.open();
        place.follow(&mut index);
        index
            .note_text(&place.main, &place.shapes, SECRET, now)
            .unwrap();
        // As long as it is not known whether the change is on disk, both are found.
        assert_eq!(known(&index, "zebra"), [SECRET]);
        assert_eq!(known(&index, "lion").len(), now.into_iter().count());
        let update = "UPDATE log_payload SET payload = ?2 WHERE id = ?1";
        place
            .main
            .execute(update, params![SECRET, payload(now.unwrap_or_default())])
            .unwrap();
        drop(index);
        let mut index = place.open();
        place.follow(&mut index);
        assert_eq!(known(&index, "zebra"), [0; 0]);
        assert_eq!(known(&index, "lion").len(), now.into_iter().count());
        drop(index);
        assert!(!place.has_bytes(b"zebra"), "{name}");
    }
}

#[test]
fn a_change_that_was_rolled_back_leaves_what_was_there() {
    let place = Place::new("rolled-back");
    let mut index = place.open();
    place.follow(&mut index);
    index
        .note_text(&place.main, &place.shapes, SECRET, Some("lion"))
        .unwrap();
    index.note_gone(&[SECRET + 1]);
    place.follow(&mut index);
    assert_eq!(known(&index, "zebra"), [SECRET]);
    assert_eq!(known(&index, "lion"), [0; 0]);
    assert_eq!(known(&index, "same").len(), 600);
}

/// Many that go at once, as an account's archive does, go in steps; an end in between is none.
#[test]
fn many_that_go_go_in_steps() {
    let place = Place::new("many");
    let mut index = place.open();
    place.follow(&mut index);
    let all: Vec<i64> = (1..=COUNT).collect();
    all.iter().for_each(|id| place.remove(*id));
    index.note_gone(&all);
    index.step(&place.main, &place.shapes, COUNT + 1);
    assert!(!index.stale.is_empty());
    index.settle(&place.main, &place.shapes);
    drop(index);
    let mut index = place.open();
    assert_eq!(index.sweep, None);
    assert_eq!(known(&index, "same"), [0; 0]);
    place.follow(&mut index);
    drop(index);
    assert!(!place.has_bytes(b"zebra"));
}
