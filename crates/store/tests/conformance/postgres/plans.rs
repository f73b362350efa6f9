//! What a statement costs when it was planned while there was next to nothing.

use std::time::{Duration, Instant};

use waxwing_store::{LogId, Marks, Page, PostgresOptions, Store};

use super::open;
use crate::place::wait;
use crate::server::InPostgres;
use crate::shapes::{BOTH, MESSAGES, alice, append, commit};

/// More entries of the same kind, without asking our store: it knows its plans from before.
fn fill(place: &InPostgres, entries: u32) {
    let entry = "INSERT INTO waxwing.log_entry SELECT log, owner, n * 10, archived, address_number, address, NULL, NULL, payload
        FROM waxwing.log_entry CROSS JOIN generate_series(2, ";
    let mark =
        "INSERT INTO waxwing.log_undelivered SELECT log, owner, n * 10 FROM waxwing.log_undelivered
        CROSS JOIN generate_series(2, ";
    for sql in [entry, mark] {
        place
            .server
            .sql(&place.database, &format!("{sql}{entries}) n"));
    }
}

/// Pages in either direction, wherever they begin, and what is confirmed.
fn ask(store: &Store, last: u64) {
    for page in [
        Page::forward(20),
        Page::forward(20).after(LogId(last / 2)),
        Page::backward(20),
        Page::backward(20).with_marks(Marks::ARCHIVED),
        Page::backward(20).with_marks(Marks::UNDELIVERED),
    ] {
        wait(store.page(&MESSAGES, &alice(), page)).unwrap();
    }
    let ids: Vec<LogId> = (1..10).map(|n| LogId(last - n * 10)).collect();
    let confirm = |batch: &mut waxwing_store::Batch| {
        batch.clear_marks(&MESSAGES, &alice(), &ids, Marks::UNDELIVERED);
    };
    commit(store, confirm).unwrap();
}

/// Rows of indexes that were looked at on the way to the same answers.
fn looked_at(entries: u32) -> Option<i64> {
    let place = InPostgres::new("plans/rows")?;
    let options = PostgresOptions {
        readers: 1,
        ..PostgresOptions::default()
    };
    let store = open(&place.url(), &options);
    commit(&store, |batch| append(batch, &alice(), 10, BOTH())).unwrap();
    ask(&store, 1_000);
    fill(&place, entries);
    ask(&store, u64::from(entries) * 10);
    drop(store);
    let one = |sql: &str| -> i64 {
        let rows = place.server.sql(&place.database, sql);
        rows[0].parse().unwrap()
    };
    // A connection tells what it has looked at when it ends.
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let until = Instant::now() + Duration::from_secs(60);
    while one(others) > 0 {
        assert!(Instant::now() < until, "connections are left");
        std::thread::sleep(Duration::from_millis(20));
    }
    Some(one(
        "SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes WHERE relname IN ('log_entry', 'log_undelivered')",
    ))
}

#[test]
fn what_was_planned_among_few_costs_the_same_among_many() {
    let (Some(few), Some(many)) = (looked_at(2_000), looked_at(20_000)) else {
        return;
    };
    assert!(few > 0, "they are counted");
    // A scan from which many entries fall away looks at each of them.
    assert!(
        many < few + 100,
        "{few} rows among 2,000, {many} among 20,000"
    );
}
