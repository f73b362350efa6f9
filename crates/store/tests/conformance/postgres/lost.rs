//! A connection is lost, a server goes down, another takes its place.

use std::fs;
use std::sync::mpsc;
use std::thread;

use waxwing_store::{
    Batch, LogId, Marks, OpenError, Owner, Page, PostgresOptions, Shape, Store, StoreError,
};

use super::proxy::{Cut, Proxy};
use super::{count_up, counted, counted_for, is_unreachable, open};
use crate::model::random_writes_do_what_the_model_does;
use crate::place::{Place, TestDirectory, wait};
use crate::server::{InPostgres, address, free_port, own_server};
use crate::shapes::{COUNTERS, MESSAGES, alice, append, commit};

/// Long enough for any machine to be reached again.
fn patient() -> PostgresOptions {
    PostgresOptions {
        recover_millis_max: 60_000,
        ..PostgresOptions::default()
    }
}

/// Gives up soon.
fn impatient() -> PostgresOptions {
    PostgresOptions {
        recover_millis_max: 200,
        ..PostgresOptions::default()
    }
}

const TERMINATE: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()";

#[test]
fn what_is_written_while_connections_end_is_there_once() {
    let Some(place) = InPostgres::new("lost/connections") else {
        return;
    };
    let store = open(&place.url(), &patient());
    let (tell, told) = mpsc::channel();
    let url = place.url();
    // One cut for each round, wherever the writer and the readers are by then.
    let terminator = thread::spawn(move || {
        let connection = crate::server::Connection::open(&url).unwrap();
        for () in told {
            connection.sql(TERMINATE).unwrap();
        }
    });
    for round in 1..=150_i64 {
        tell.send(()).unwrap();
        let mut batch = Batch::new();
        batch.add(&COUNTERS, &alice(), "n", 1);
        append(&mut batch, &alice(), round.unsigned_abs(), Marks::ARCHIVED);
        let committed = wait(store.commit(batch)).unwrap();
        assert_eq!(committed.sums, [round], "once, and not twice");
        assert_eq!(counted(&store), Ok(round));
    }
    drop(tell);
    terminator.join().unwrap();
    let entries = wait(store.count_entries(&MESSAGES, &alice(), Marks::NONE));
    assert_eq!(entries, Ok(150));
    drop(store);
    assert_eq!(counted(&open(&place.url(), &patient())), Ok(150));
}

/// Each of the worst moments, one after another.
#[test]
fn a_commit_of_which_nobody_hears_is_made_once() {
    let Some(place) = InPostgres::new("lost/commit") else {
        return;
    };
    let proxy = Proxy::new(place.server.port());
    let store = open(&proxy.url(&place.database), &patient());
    for round in 0..20_i64 {
        let cut = if round % 2 == 0 {
            Cut::AfterCommit
        } else {
            Cut::BeforeCommit
        };
        proxy.cut(cut);
        assert_eq!(count_up(&store), Ok(2 * round + 1), "{cut:?}");
        assert_eq!(proxy.cuts(), usize::try_from(round).unwrap() + 1);
        assert_eq!(count_up(&store), Ok(2 * round + 2), "{cut:?}");
    }
    assert_eq!(counted(&store), Ok(40));
}

/// What was told as failed may be there; what was told as stored is, and nothing is there twice.
#[test]
fn a_commit_that_cannot_be_looked_up_is_told_as_failed() {
    let Some(place) = InPostgres::new("lost/unknown") else {
        return;
    };
    let proxy = Proxy::new(place.server.port());
    let store = open(&proxy.url(&place.database), &impatient());
    assert_eq!(count_up(&store), Ok(1));
    proxy.accept(false);
    assert!(is_unreachable(&count_up(&store)));
    assert!(is_unreachable(&counted(&store)));
    assert!(is_unreachable(&count_up(&store)), "at once now");
    proxy.accept(true);
    let after = loop {
        match count_up(&store) {
            Ok(sum) => break sum,
            Err(error) => assert!(matches!(error, StoreError::Unreachable { .. }), "{error}"),
        }
    };
    assert_eq!(
        after, 2,
        "what failed before it was sent was not made later"
    );
    assert_eq!(counted(&store), Ok(2));
}

/// A database whose connection is cut at one in a few commits, before or after.
struct Shaky {
    proxy: Proxy,
    database: String,
}

impl Place for Shaky {
    fn try_open(&self, shapes: &[Shape]) -> Result<Store, OpenError> {
        self.proxy.cut_one_in(0);
        let store = Store::postgres(
            &address(&self.proxy.url(&self.database)),
            &patient(),
            shapes,
        )?;
        self.proxy.cut_one_in(3);
        Ok(store)
    }
}

#[test]
fn random_writes_do_what_the_model_does_while_commits_are_cut() {
    let Some(place) = InPostgres::new("lost/model") else {
        return;
    };
    let shaky = Shaky {
        proxy: Proxy::new(place.server.port()),
        database: place.database,
    };
    random_writes_do_what_the_model_does(&shaky);
    assert!(shaky.proxy.cuts() > 20, "{}", shaky.proxy.cuts());
}

/// Writes until the server is gone and back: everything that was acknowledged is there.
fn survives(stop: &'static str) {
    let Some(server) = own_server("lost/restart") else {
        return;
    };
    let database = server.database();
    let port = server.port();
    let store = open(&server.url(&database, &[]), &patient());
    let (tell, told) = mpsc::channel();
    let writers: Vec<_> = (0..4)
        .map(|number| {
            let (store, tell) = (store.clone(), tell.clone());
            thread::spawn(move || {
                let owner = Owner::account(&format!("user-{number}"));
                for round in 1..=400_i64 {
                    let mut batch = Batch::new();
                    batch.add(&COUNTERS, &owner, "n", 1);
                    assert_eq!(wait(store.commit(batch)).unwrap().sums, [round]);
                    let _told = tell.send(());
                }
                owner
            })
        })
        .collect();
    // Somewhere in the middle.
    told.iter().take(300).for_each(drop);
    server.stop(stop);
    server.start(port);
    for writer in writers {
        let owner = writer.join().unwrap();
        assert_eq!(counted_for(&store, &owner), Ok(400));
    }
}

#[test]
fn a_server_that_is_started_again_is_used_again() {
    survives("INT");
}

#[test]
fn a_server_that_crashes_keeps_what_was_acknowledged() {
    survives("QUIT");
}

#[test]
fn another_server_of_the_url_takes_its_place() {
    let Some(server) = own_server("lost/failover") else {
        return;
    };
    let database = server.database();
    let second = free_port();
    let store = open(&server.url(&database, &[second]), &patient());
    assert_eq!(count_up(&store), Ok(1));
    server.stop("QUIT");
    server.start(second);
    assert_eq!(count_up(&store), Ok(2));
    assert_eq!(counted(&store), Ok(2));
}

fn write_down(store: &Store, id: u64) {
    commit(store, |batch| append(batch, &alice(), id, Marks::ARCHIVED)).unwrap();
}

/// How many entries a connection beside the writer's finds.
fn written_down(store: &Store) -> usize {
    let page = wait(store.page(&MESSAGES, &alice(), Page::forward(9)));
    page.unwrap().entries.len()
}

/// A primary of before a failover that is back, and takes writes.
#[test]
fn a_server_that_lacks_something_is_passed_over() {
    let Some(old) = own_server("lost/behind") else {
        return;
    };
    let (database, directory) = (old.database(), TestDirectory::new());
    fs::create_dir_all(directory.path()).unwrap();
    let notes = directory.path().join("commits");
    let (first, second) = (old.port(), free_port());
    let alone = address(&old.url(&database, &[])).with_notes(notes.clone());
    let both = address(&old.url(&database, &[second])).with_notes(notes.clone());
    let opened = |url| Store::postgres(url, &patient(), &crate::shapes::all());
    let store = opened(&both).unwrap();
    write_down(&store, 1);
    let new = old.fail_over(second);
    write_down(&store, 2);
    old.start(first);
    assert_eq!(written_down(&store), 2, "nobody reads there");
    new.sql(&database, TERMINATE);
    write_down(&store, 3);
    assert_eq!(written_down(&store), 3, "nobody writes there");
    drop(store);
    let store = opened(&both).unwrap();
    assert_eq!(written_down(&store), 3, "nor does who is started again");
    drop(store);
    let Err(OpenError::Behind { commits, .. }) = opened(&alone) else {
        panic!("something that was acknowledged is gone, and nobody says so");
    };
    assert!(commits >= 2, "{commits}");
    // Whoever gives it up says so.
    fs::remove_file(&notes).unwrap();
    assert_eq!(written_down(&opened(&alone).unwrap()), 1);
    // Of another database, or of none, they say nothing.
    for text in ["another 99999\n", "", "99999"] {
        fs::write(&notes, text).unwrap();
        assert_eq!(written_down(&opened(&alone).unwrap()), 1);
    }
}

#[test]
fn a_server_that_stays_away_is_told_and_found_again() {
    let Some(server) = own_server("lost/away") else {
        return;
    };
    let database = server.database();
    let port = server.port();
    let store = open(&server.url(&database, &[]), &impatient());
    assert_eq!(count_up(&store), Ok(1));
    server.stop("INT");
    assert!(is_unreachable(&count_up(&store)));
    assert!(is_unreachable(&counted(&store)));
    assert_eq!(
        wait(store.commit(Batch::new())).map(|_| ()),
        Ok(()),
        "nothing to store"
    );
    server.start(port);
    assert_eq!(counted(&store), Ok(1));
    assert_eq!(again(&store), 2);
}

/// Counts up as soon as the writer has found the server again, which it looks for by itself.
fn again(store: &Store) -> i64 {
    loop {
        match count_up(store) {
            Ok(sum) => return sum,
            Err(error) => assert!(matches!(error, StoreError::Unreachable { .. }), "{error}"),
        }
    }
}

#[test]
fn who_lost_the_database_to_another_server_writes_no_more() {
    let Some(place) = InPostgres::new("lost/taken") else {
        return;
    };
    let proxy = Proxy::new(place.server.port());
    let first = open(&proxy.url(&place.database), &impatient());
    assert_eq!(count_up(&first), Ok(1));
    proxy.accept(false);
    let second = open(&place.url(), &patient());
    assert_eq!(count_up(&second), Ok(2));
    drop(second);
    proxy.accept(true);
    let Err(StoreError::Unreachable { reason }) = last_word(&first) else {
        panic!("it wrote what it must not");
    };
    assert!(reason.contains("another Waxwing server"), "{reason}");
    assert!(is_unreachable(&count_up(&first)));
    drop(first);
    let store = open(&place.url(), &patient());
    assert_eq!(counted(&store), Ok(2));
}

/// What it says once it has found the database again.
fn last_word(store: &Store) -> Result<i64, StoreError> {
    loop {
        match count_up(store) {
            Err(StoreError::Unreachable { reason }) if !reason.contains("another") => {}
            said => return said,
        }
    }
}

#[test]
fn what_a_new_server_knows_by_heart_is_what_is_stored() {
    let Some(place) = InPostgres::new("lost/heart") else {
        return;
    };
    let store = open(&place.url(), &patient());
    for id in 1..=20 {
        let mut batch = Batch::new();
        append(&mut batch, &alice(), id * 10, Marks::UNDELIVERED);
        batch.add(&COUNTERS, &Owner::account(&format!("new-{id}")), "n", 1);
        wait(store.commit(batch)).unwrap();
        place.server.sql(&place.database, TERMINATE);
        assert_eq!(wait(store.last_log_id()), Ok(LogId(id * 10)));
        let newest = wait(store.page(&MESSAGES, &alice(), Page::backward(1))).unwrap();
        assert_eq!(newest.entries[0].id, LogId(id * 10));
    }
    let owners = wait(store.owners(&COUNTERS, None, 99)).unwrap();
    assert_eq!(owners.len(), 20);
}

#[test]
fn a_blob_is_written_and_read_over_lost_connections() {
    let Some(place) = InPostgres::new("lost/blob") else {
        return;
    };
    let store = open(&place.url(), &patient());
    let terminate = || drop(place.server.sql(&place.database, TERMINATE));
    let content: Vec<u8> = (0..1_500_000_u32).map(|n| (n % 253) as u8).collect();
    let mut writer = wait(store.blob_writer()).unwrap();
    for part in content.chunks(200_000) {
        terminate();
        wait(writer.write(part.to_vec().into())).unwrap();
    }
    terminate();
    let blob = wait(writer.finish()).unwrap();
    let mut batch = Batch::new();
    batch.blob_ref(&alice(), &blob);
    terminate();
    wait(store.commit(batch)).unwrap();
    let hash = *blob.hash();
    drop((blob, store));
    let store = open(&place.url(), &patient());
    let blob = wait(store.blob(&hash)).unwrap().unwrap();
    assert_eq!(blob.length(), 1_500_000);
    let mut read = Vec::new();
    while read.len() < content.len() {
        terminate();
        read.extend(wait(blob.read(read.len() as u64, 1 << 20)).unwrap());
    }
    assert!(read == content);
    let parts = "SELECT count(*) FROM waxwing.blob_part";
    assert_eq!(place.server.sql(&place.database, parts), ["6"]);
}
