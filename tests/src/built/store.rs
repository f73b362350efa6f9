//! What a built server stores in, where that is not its data directory.

use std::sync::OnceLock;
use std::time::Duration;

use waxwing_postgresql::Server;
use waxwing_store::{PostgresAddress, PostgresOptions, Store};
use waxwing_testkit::RealStore;

use super::BuiltError;

/// Names it: `postgresql`, as `cargo xtask test` has it in its second run of what is stored. Without it, SQLite.
const VARIABLE: &str = "WAXWING_TEST_STORE";

/// A database of the server that the tests of this process share.
#[derive(Debug)]
pub(super) struct Database {
    server: &'static Server,
    name: String,
}

impl Database {
    /// A new one, if that is what servers are tested with.
    pub(super) fn wanted() -> Result<Option<Database>, BuiltError> {
        static SHARED: OnceLock<Option<Server>> = OnceLock::new();
        let unknown = |store: &str| BuiltError::Store(store.to_owned());
        match std::env::var(VARIABLE).as_deref() {
            Err(_) | Ok("") => Ok(None),
            Ok("postgresql") => {
                let server = SHARED.get_or_init(Server::new).as_ref();
                let server = server.ok_or_else(|| unknown("postgresql"))?;
                let name = server.database();
                Ok(Some(Database { server, name }))
            }
            Ok(other) => Err(unknown(other)),
        }
    }

    /// Another one in its place, which is empty.
    pub(super) fn renew(&mut self) {
        self.name = self.server.database();
    }

    pub(super) fn url(&self) -> String {
        self.server.url(&self.name, &[])
    }

    /// The section of the configuration.
    pub(super) fn section(&self) -> String {
        format!("[store]\nurl = {:?}\n\n", self.url())
    }
}

/// How long a simulated server waits before it looks again whether its real store has answered.
const PAUSE: Duration = Duration::from_micros(20);

/// What simulated servers store in, where that is a real store: an empty one, opened as often as it is asked for.
///
/// # Errors
/// Where there is none of what is wanted.
pub fn real_store() -> Result<Option<RealStore>, BuiltError> {
    let Some(database) = Database::wanted()? else {
        return Ok(None);
    };
    let address = PostgresAddress::parse(&database.url());
    let address = address.map_err(|error| BuiltError::Store(error.to_string()))?;
    let options = PostgresOptions {
        readers: 2,
        // A machine that does much else is slow, which is not what is tested.
        answer_millis_max: 60_000,
        ..PostgresOptions::default()
    };
    Ok(Some(RealStore {
        open: Box::new(move |shapes| Store::postgres(&address, &options, shapes)),
        pause: || std::thread::sleep(PAUSE),
    }))
}
