//! The PostgreSQL server that tests have, and its databases as places.

use std::fs;
use std::io::Write;
use std::sync::OnceLock;

use waxwing_store::{OpenError, PostgresAddress, PostgresOptions, Shape, Store};

use crate::place::Place;

pub(crate) use waxwing_postgresql::{Connection, Server, free_port};

/// A URL that is right.
pub(crate) fn address(url: &str) -> PostgresAddress {
    PostgresAddress::parse(url).expect("an address")
}

/// A test that cannot be done here says so to the runner.
fn skip(name: &str) {
    if let Some(file) = std::env::var_os("WAXWING_SKIPS") {
        let mut file = fs::File::options()
            .append(true)
            .create(true)
            .open(file)
            .unwrap();
        writeln!(
            file,
            "store/postgresql/{name}: PostgreSQL is not installed (Debian's package postgresql)"
        )
        .unwrap();
    }
}

/// A server of the test's own, which it may stop.
pub(crate) fn own_server(name: &str) -> Option<Server> {
    let server = Server::new();
    if server.is_none() {
        skip(name);
    }
    server
}

/// The server that most tests share: it goes with the process.
pub(crate) fn shared_server(name: &str) -> Option<&'static Server> {
    static SHARED: OnceLock<Option<Server>> = OnceLock::new();
    let server = SHARED.get_or_init(Server::new).as_ref();
    if server.is_none() {
        skip(name);
    }
    server
}

/// A database of the shared server.
pub(crate) struct InPostgres {
    pub(crate) server: &'static Server,
    pub(crate) database: String,
}

impl InPostgres {
    pub(crate) fn new(name: &str) -> Option<Self> {
        let server = shared_server(name)?;
        let database = server.database();
        Some(Self { server, database })
    }

    pub(crate) fn url(&self) -> String {
        self.server.url(&self.database, &[])
    }

    pub(crate) fn address(&self) -> PostgresAddress {
        address(&self.url())
    }
}

impl Place for InPostgres {
    fn try_open(&self, shapes: &[Shape]) -> Result<Store, OpenError> {
        Store::postgres(&self.address(), &PostgresOptions::default(), shapes)
    }
}
