//! The index of words follows what is written, and is never ahead of it.

use std::thread::sleep;
use std::time::{Duration, Instant};

use waxwing_store::{Append, LogId, Marks, Owner, Page, PostgresOptions, Shape, Store};

use crate::place::{Place, wait};
use crate::server::{InPostgres, address};
use crate::shapes::{SPOKEN, alice, bob, card, committed};

/// More than have to wait before the index takes any.
const MANY: u64 = 1_500;
/// How long it may take to follow, on whatever machine.
const FOLLOW: Duration = Duration::from_secs(60);

const COUNT: &str = "SELECT count(*)::text FROM waxwing.word";
const REACH: &str = "SELECT min(id)::text || ' of ' || count(*) FROM waxwing.word_reach";

fn shapes() -> Vec<Shape> {
    vec![SPOKEN.shape()]
}

fn say_all(store: &Store, owner: &Owner, text: impl Fn(u64) -> &'static str) {
    committed(store, |batch| {
        for id in 1..=MANY {
            let payload = card(text(id));
            let entry = Append {
                id: LogId(id),
                marks: Marks::ARCHIVED,
                unique: None,
                address: None,
                payload: &payload,
            };
            batch.append(&SPOKEN, owner, entry);
        }
    });
}

fn asked(place: &InPostgres, sql: &str) -> String {
    place.server.sql(&place.database, sql).concat()
}

/// Waits until the database says so.
fn until(place: &InPostgres, sql: &str, wanted: &str) {
    let began = Instant::now();
    while asked(place, sql) != wanted {
        assert!(
            began.elapsed() < FOLLOW,
            "{}, not {wanted}",
            asked(place, sql)
        );
        sleep(Duration::from_millis(20));
    }
}

fn found(store: &Store, owner: &Owner, text: &str) -> Vec<u64> {
    let page = Page::forward(100).with_text(text);
    let found = wait(store.page(&SPOKEN, owner, page)).unwrap();
    found.entries.iter().map(|entry| entry.id.0).collect()
}

/// What is found with nothing but the index: no text of an entry that it does not know is looked at.
fn by_index(place: &InPostgres, word: &str) -> String {
    let shown = "SELECT coalesce(string_agg(id::text, ' ' ORDER BY id), '') FROM waxwing.word
        WHERE word = (SELECT word FROM waxwing.word GROUP BY word HAVING count(*)";
    asked(place, &format!("{shown} {word})"))
}

#[test]
fn the_index_follows_what_is_written_replaced_and_removed() {
    let Some(place) = InPostgres::new("words/follows") else {
        return;
    };
    let store = place.open(&shapes());
    say_all(&store, &alice(), |id| {
        if id == 700 { "needle hay" } else { "hay" }
    });
    until(&place, REACH, "1500 of 1");
    assert_eq!(asked(&place, COUNT), "1501");
    assert_eq!(by_index(&place, "= 1"), "700");
    assert_eq!(found(&store, &alice(), "needle "), [700]);
    // With the commit of the change itself.
    committed(&store, |batch| {
        batch.replace(&SPOKEN, &alice(), LogId(700), &card("hay and thread"));
    });
    assert_eq!(asked(&place, COUNT), "1502");
    assert!(found(&store, &alice(), "needle ").is_empty());
    assert_eq!(found(&store, &alice(), "thread "), [700]);
    committed(&store, |batch| {
        batch.replace(&SPOKEN, &alice(), LogId(700), &card(""));
    });
    committed(&store, |batch| {
        batch.delete_entries(&SPOKEN, &alice(), LogId(1)..=LogId(100), 100);
    });
    assert_eq!(asked(&place, COUNT), "1399");
    // Not in the order of ids: it is where the index has been already.
    committed(&store, |batch| {
        let payload = card("needle");
        let entry = Append {
            id: LogId(50),
            marks: Marks::ARCHIVED,
            unique: None,
            address: None,
            payload: &payload,
        };
        batch.append(&SPOKEN, &alice(), entry);
    });
    assert_eq!(by_index(&place, "= 1"), "50");
    assert_eq!(found(&store, &alice(), "needle "), [50]);
}

#[test]
fn a_removed_owner_leaves_no_words() {
    let Some(place) = InPostgres::new("words/owner") else {
        return;
    };
    let store = place.open(&shapes());
    say_all(&store, &alice(), |_| "hay");
    say_all(&store, &bob(), |_| "straw");
    until(&place, REACH, "1500 of 2");
    committed(&store, |batch| batch.delete_owner(&alice()));
    until(&place, COUNT, "1500");
    until(&place, REACH, "1500 of 1");
    assert_eq!(found(&store, &bob(), "straw ").len(), 100);
    assert!(found(&store, &alice(), "hay ").is_empty());
}

/// A database of the layout before the index gets one, and so does one whose index was made by another program.
#[test]
fn an_older_database_gets_an_index() {
    let Some(place) = InPostgres::new("words/older") else {
        return;
    };
    say_all(&place.open(&shapes()), &alice(), |id| {
        if id == 700 { "needle" } else { "hay" }
    });
    for change in [
        "DROP TABLE waxwing.word, waxwing.word_reach, waxwing.word_kind; UPDATE waxwing.state SET layout = 1",
        "DELETE FROM waxwing.word; UPDATE waxwing.word_kind SET kind = 1",
    ] {
        asked(&place, change);
        let store = place.open(&shapes());
        assert_eq!(found(&store, &alice(), "needle "), [700]);
        until(&place, REACH, "1500 of 1");
        assert_eq!(asked(&place, COUNT), "1500");
        assert_eq!(found(&store, &alice(), "needle "), [700]);
        assert_eq!(asked(&place, "SELECT layout::text FROM waxwing.state"), "2");
    }
}

/// Connections end while the index follows: it has every word once in the end.
#[test]
fn a_lost_connection_loses_no_words() {
    let Some(place) = InPostgres::new("words/lost") else {
        return;
    };
    let options = PostgresOptions {
        recover_millis_max: 60_000,
        ..PostgresOptions::default()
    };
    let store = Store::postgres(&address(&place.url()), &options, &shapes()).unwrap();
    let terminate = "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    say_all(&store, &alice(), |_| "hay");
    for _ in 0..20 {
        asked(&place, terminate);
        sleep(Duration::from_millis(20));
        assert_eq!(found(&store, &alice(), "hay ").len(), 100);
    }
    until(&place, REACH, "1500 of 1");
    assert_eq!(asked(&place, COUNT), "1500");
    assert_eq!(
        asked(&place, "SELECT count(DISTINCT id)::text FROM waxwing.word"),
        "1500"
    );
}
