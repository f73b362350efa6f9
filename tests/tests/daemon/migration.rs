//! A server that is stopped or killed while it brings what is stored to what it declares.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use waxwing_server::Server;
use waxwing_store::{Batch, Index, KeyRange, Owner, SqliteOptions, Store, Table};
use waxwing_tests::stored::{self, ALICE};
use waxwing_tests::{Built, BuiltOptions};

use crate::rig::log_in;

/// Rows that the migration writes anew: enough for a second of work.
const ROWS: u64 = 60_000;
const ROWS_AT_A_TIME: u64 = 5_000;

/// A contact, of which nothing but the key matters here.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Anything {}

/// An index that some earlier version had on the roster, and that no later one knows.
static BY_CONTACT: Index<String, Anything, String> =
    Index::ordered("by-contact", |contact, _| vec![contact.clone()]);
static EARLIER: Table<String, Anything> = Table::new("roster", 1).index(&BY_CONTACT);

fn filler() -> Owner {
    Owner::account("filler@waxwing.example")
}

/// Makes a data directory one of that earlier version, with a long roster.
async fn make_earlier(data: &Path) {
    let mut shapes = Server::shapes();
    shapes.retain(|shape| shape.name() != "roster");
    shapes.push(EARLIER.shape());
    let store = Store::sqlite(data, &SqliteOptions::default(), &shapes).unwrap();
    for start in (0..ROWS).step_by(ROWS_AT_A_TIME as usize) {
        let mut batch = Batch::new();
        for row in start..start + ROWS_AT_A_TIME {
            let contact = format!("contact-{row}@far.example");
            batch.put(&EARLIER, &filler(), &contact, &Anything {});
        }
        store.commit(batch).await.unwrap();
    }
}

fn count(built: &Built, what: &str) -> usize {
    built.log().unwrap().matches(what).count()
}

/// The database as it was, without what a kill has left beside it.
fn put_back(earlier: &Path, database: &Path) {
    for left in ["waxwing.db-wal", "waxwing.db-shm"] {
        let left = database.with_file_name(left);
        if left.exists() {
            fs::remove_file(left).unwrap();
        }
    }
    fs::copy(earlier, database).unwrap();
}

const MIGRATING: &str = "migrating a table";
const READY: &str = " ready";

/// Starts the server, waits until it has begun to migrate, and then so long. Says whether it has: not where a start
/// before was through and had not said so yet when it was killed.
fn into_it(built: &mut Built, millis: u64) -> bool {
    let (begun, ready) = (count(built, MIGRATING), count(built, READY));
    built.begin().unwrap();
    for _ in 0..6_000 {
        if count(built, MIGRATING) > begun {
            sleep(Duration::from_millis(millis));
            return true;
        }
        if count(built, READY) > ready {
            return false;
        }
        sleep(Duration::from_millis(10));
    }
    panic!("it does not start: {}", built.log().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_is_cut_short_is_begun_again() {
    let data = stored::all().unwrap().pop().unwrap();
    let mut options = BuiltOptions::new("migration");
    options.data = Some(data);
    let mut built = Built::start(options).unwrap();
    built.stop().unwrap();
    make_earlier(&built.data_dir).await;
    let earlier = built.directory().join("earlier.db");
    let database = built.data_dir.join("waxwing.db");
    fs::copy(&database, &earlier).unwrap();

    // How long the whole takes here, from its first word to being ready.
    let mut cut = 0;
    for millis in [0, 1, 5, 20, 50, 100, 150, 200, 300, 400, 600, 800] {
        let ready = count(&built, READY);
        let begun = into_it(&mut built, millis);
        built.kill().unwrap();
        if begun && count(&built, READY) == ready {
            // As it was before, with or without what the log has of it; or just through.
            cut += 1;
        } else {
            // It was through already: once more from the beginning.
            built.restart().unwrap();
            built.stop().unwrap();
            put_back(&earlier, &database);
        }
    }
    assert!(cut >= 3, "the kill comes too late: {cut}");

    // One who asks it to stop is heard too, whenever that is.
    for millis in [0, 30, 200] {
        put_back(&earlier, &database);
        assert!(into_it(&mut built, millis));
        let status = built.stop().unwrap().unwrap();
        assert!(status.success(), "{status}");
    }
    put_back(&earlier, &database);
    assert!(into_it(&mut built, 100));
    built.kill().unwrap();
    built.restart().unwrap();
    log_in(&built, ALICE).await.unwrap();
    built.stop().unwrap();
    // And every row is there, once.
    static LATER: Table<String, Anything> = Table::new("roster", 1);
    let store = Store::sqlite(
        &built.data_dir,
        &SqliteOptions::default(),
        &Server::shapes(),
    );
    let rows = store.unwrap().count(&LATER, &filler(), &KeyRange::all());
    assert_eq!(rows.await, Ok(ROWS));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_every_earlier_version_stored_survives_kills_at_the_start() {
    for data in stored::all().unwrap() {
        let mut options = BuiltOptions::new("migration-stored");
        options.data = Some(data);
        // Made and not started with: its own start is what is cut short.
        let mut built = Built::start(options.clone()).unwrap();
        built.stop().unwrap();
        let from = options.data.clone().unwrap();
        for millis in [0, 1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 100] {
            fs::remove_dir_all(&built.data_dir).unwrap();
            fs::create_dir(&built.data_dir).unwrap();
            fs::copy(from.join("waxwing.db"), built.data_dir.join("waxwing.db")).unwrap();
            built.begin().unwrap();
            sleep(Duration::from_millis(millis));
            built.kill().unwrap();
            built.restart().unwrap();
            log_in(&built, ALICE).await.unwrap();
        }
    }
}
