//! A database that does not answer, and connections that are all in use.

use waxwing_store::{PostgresOptions, StoreError};

use super::{count_up, counted, open};
use crate::place::wait;
use crate::server::{Connection, InPostgres, own_server};
use crate::shapes::{COUNTERS, alice};

fn hasty(readers: usize) -> PostgresOptions {
    PostgresOptions {
        readers,
        answer_millis_max: 2_000,
        recover_millis_max: 200,
        ..PostgresOptions::default()
    }
}

#[test]
fn what_takes_too_long_is_told_as_failed_and_not_stored() {
    let Some(place) = InPostgres::new("slow/write") else {
        return;
    };
    let store = open(&place.url(), &hasty(2));
    assert_eq!(count_up(&store), Ok(1));
    let holder = Connection::open(&place.url()).unwrap();
    holder.sql("BEGIN; LOCK waxwing.state").unwrap();
    assert_eq!(count_up(&store), Err(StoreError::Slow { millis: 2_000 }));
    assert_eq!(counted(&store), Ok(1), "what is not held can be read");
    holder.sql("ROLLBACK").unwrap();
    let sum = loop {
        match count_up(&store) {
            Ok(sum) => break sum,
            Err(error) => assert!(
                matches!(
                    error,
                    StoreError::Slow { .. } | StoreError::Unreachable { .. }
                ),
                "{error}"
            ),
        }
    };
    assert_eq!(sum, 2, "what failed was not made later");
    assert_eq!(counted(&store), Ok(2));
}

/// Where a commit waits for standbys, what is seen of it after its connection was lost is not acknowledged before they have it.
#[test]
fn what_no_standby_has_is_not_acknowledged() {
    let Some(server) = own_server("slow/standby") else {
        return;
    };
    let database = server.database();
    let url = server.url(&database, &[]);
    let store = open(&url, &hasty(2));
    assert_eq!(count_up(&store), Ok(1));
    let wait_for = |standby: &str| {
        server.sql(
            "postgres",
            &format!("ALTER SYSTEM SET synchronous_standby_names = '{standby}'"),
        );
        server.sql("postgres", "SELECT pg_reload_conf()");
        let shown = || server.sql("postgres", "SHOW synchronous_standby_names");
        while shown() != [standby] {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    };
    wait_for("nobody");
    // Connections that are there learn of it a moment later than new ones.
    let mut tries = (0..100).map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        let begun = std::time::Instant::now();
        let answer = count_up(&store);
        (answer, begun.elapsed() < std::time::Duration::from_secs(1))
    });
    let (answer, _) = tries
        .find(|(answer, is_soon)| answer.is_err() || !is_soon)
        .unwrap();
    let refused = answer.expect_err("whoever waits in vain for standbys is told so");
    assert!(
        matches!(
            refused,
            StoreError::Slow { .. } | StoreError::Unreachable { .. }
        ),
        "{refused}"
    );
    // It is seen by now, and nobody else has it.
    let again = count_up(&store);
    assert!(again.is_err(), "{again:?}");
    wait_for("");
    let sum = (0..100).find_map(|_| count_up(&store).ok()).unwrap();
    assert_eq!(counted(&store), Ok(sum));
}

#[test]
fn questions_that_find_no_connection_are_told_so() {
    let Some(place) = InPostgres::new("slow/pool") else {
        return;
    };
    let store = open(&place.url(), &hasty(1));
    assert_eq!(count_up(&store), Ok(1));
    let holder = Connection::open(&place.url()).unwrap();
    holder.sql("BEGIN; LOCK waxwing.table_row").unwrap();
    let first = store.get(&COUNTERS, &alice(), "n");
    let second = store.get(&COUNTERS, &alice(), "n");
    assert_eq!(wait(second), Err(StoreError::Busy { millis: 1_000 }));
    assert_eq!(wait(first), Err(StoreError::Slow { millis: 2_000 }));
    holder.sql("ROLLBACK").unwrap();
    assert_eq!(counted(&store), Ok(1));
}
