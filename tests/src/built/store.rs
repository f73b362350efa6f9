//! What a built server stores in, where that is not its data directory.

use std::sync::OnceLock;

use waxwing_postgresql::Server;

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
