//! A database that does not answer, and connections that are all in use.

use waxwing_store::{PostgresOptions, StoreError};

use super::{count_up, counted, open};
use crate::place::wait;
use crate::server::{Connection, InPostgres};
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
