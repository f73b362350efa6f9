//! What only a database on a server does: it goes away and comes back, is slow, or belongs to somebody else.

mod lost;
mod plans;
mod proxy;
mod refusal;
mod slow;
mod ways;
mod words;

use waxwing_store::{OpenError, Owner, PostgresOptions, Store, StoreError};

use crate::place::wait;
use crate::server::address;
use crate::shapes::{COUNTERS, alice, all, commit};

fn open(url: &str, options: &PostgresOptions) -> Store {
    try_open(url, options).expect("the database can be opened")
}

fn try_open(url: &str, options: &PostgresOptions) -> Result<Store, OpenError> {
    Store::postgres(&address(url), options, &all())
}

/// Counts one up: whatever is lost or done twice is seen in the sum.
fn count_up(store: &Store) -> Result<i64, StoreError> {
    let committed = commit(store, |batch| batch.add(&COUNTERS, &alice(), "n", 1))?;
    Ok(committed.sums[0])
}

fn counted(store: &Store) -> Result<i64, StoreError> {
    counted_for(store, &alice())
}

fn counted_for(store: &Store, owner: &Owner) -> Result<i64, StoreError> {
    Ok(wait(store.get(&COUNTERS, owner, "n"))?.unwrap_or(0))
}

fn is_unreachable<T: std::fmt::Debug>(outcome: &Result<T, StoreError>) -> bool {
    matches!(outcome, Err(StoreError::Unreachable { .. }))
}
