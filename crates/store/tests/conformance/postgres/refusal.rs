//! What is not opened, and stays as it is.

use waxwing_store::{OpenError, PostgresOptions, Store};

use super::{count_up, open, try_open};
use crate::server::{InPostgres, free_port};
use crate::shapes::{CARDS, all};

fn refused(url: &str) -> OpenError {
    try_open(url, &PostgresOptions::default())
        .map(drop)
        .unwrap_err()
}

/// Everything that a database has of tables.
fn tables(place: &InPostgres) -> Vec<String> {
    place.server.sql(
        &place.database,
        "SELECT schemaname || '.' || tablename FROM pg_tables
         WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1",
    )
}

#[test]
fn a_database_has_one_server_at_a_time() {
    let Some(place) = InPostgres::new("refusal/in_use") else {
        return;
    };
    let options = PostgresOptions::default();
    let store = open(&place.url(), &options);
    let OpenError::DatabaseInUse(database) = refused(&place.url()) else {
        panic!("two servers have it");
    };
    assert!(!database.contains("secret"), "{database}");
    assert_eq!(count_up(&store), Ok(1), "the first goes on");
    drop(store);
    assert_eq!(count_up(&open(&place.url(), &options)), Ok(2));
}

#[test]
fn a_foreign_database_is_left_as_it_is() {
    let Some(place) = InPostgres::new("refusal/foreign") else {
        return;
    };
    place
        .server
        .sql(&place.database, "CREATE TABLE letters (text text)");
    let OpenError::ForeignDatabase { found, .. } = refused(&place.url()) else {
        panic!("it was taken");
    };
    assert_eq!(found, "public.letters");
    assert_eq!(tables(&place), ["public.letters"]);
    let looked = Store::postgres_look(&place.address(), &PostgresOptions::default(), &all());
    assert!(matches!(looked, Err(OpenError::ForeignDatabase { .. })));
}

#[test]
fn a_schema_of_our_name_that_is_not_ours_is_left_as_it_is() {
    for content in [
        "CREATE TABLE waxwing.birds (name text)",
        "CREATE TABLE waxwing.state (name text)",
        "CREATE TABLE waxwing.state (product text, layout int);
         INSERT INTO waxwing.state VALUES ('another', 1)",
        "CREATE TABLE waxwing.state (product text, layout int)",
    ] {
        let Some(place) = InPostgres::new("refusal/schema") else {
            return;
        };
        let create = format!("CREATE SCHEMA waxwing; {content}");
        place.server.sql(&place.database, &create);
        let before = tables(&place);
        let refused = refused(&place.url());
        assert!(
            matches!(refused, OpenError::ForeignDatabase { .. }),
            "{content}: {refused:?}"
        );
        assert_eq!(tables(&place), before);
    }
}

#[test]
fn a_newer_database_is_left_as_it_is() {
    let Some(place) = InPostgres::new("refusal/newer") else {
        return;
    };
    let options = PostgresOptions::default();
    assert_eq!(
        Store::postgres_look(&place.address(), &options, &all()),
        Ok(false)
    );
    assert_eq!(tables(&place), [""; 0], "a look creates nothing");
    drop(open(&place.url(), &options));
    assert_eq!(
        Store::postgres_look(&place.address(), &options, &all()),
        Ok(true)
    );
    let state = "SELECT (starts, commits)::text FROM waxwing.state";
    let before = place.server.sql(&place.database, state);
    let other = Store::postgres(&place.address(), &options, &[CARDS.shape()]).map(drop);
    assert!(matches!(other, Err(OpenError::UnknownShape(_))));
    place
        .server
        .sql(&place.database, "UPDATE waxwing.state SET layout = 3");
    let newer = OpenError::Newer {
        what: "the layout of the database".to_owned(),
        stored: 3,
        known: 2,
    };
    assert_eq!(refused(&place.url()), newer);
    assert_eq!(place.server.sql(&place.database, state), before);
}

#[test]
fn who_cannot_be_reached_is_named_without_the_password() {
    let Some(place) = InPostgres::new("refusal/unreachable") else {
        return;
    };
    let nobody = format!("postgresql://waxwing:secret@127.0.0.1:{}/x", free_port());
    let refusal = refused(&nobody);
    assert!(
        matches!(refusal, OpenError::Unreachable { .. }),
        "{refusal:?}"
    );
    assert!(!refusal.to_string().contains("secret"), "{refusal}");
    let port = place.server.port();
    let nowhere = format!("postgresql://127.0.0.1:{port}/nothing");
    let refusal = refused(&place.server.url("nothing", &[]));
    assert_eq!(refusal, OpenError::NoDatabase(nowhere));
    // One of several hosts is enough.
    let hosts = format!("127.0.0.1:{},127.0.0.1:{port}", free_port());
    let url = format!("postgresql://waxwing@{hosts}/{}", place.database);
    assert_eq!(count_up(&open(&url, &PostgresOptions::default())), Ok(1));
}
