//! What a server's data directory held, version by version.
//!
//! `tests/stored/VERSION` is a data directory as the server of that version left it when it stopped, never changed
//! again; every later server has to start on it and find everything. [`make`] makes one of the present version:
//! `WAXWING_BIN=…/debug/waxwing cargo run --package waxwing-tests --bin stored-data -- tests/stored/VERSION`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use waxwing_stanza::BareJid;
use waxwing_testkit::{Peer, Seed};
use waxwing_wire::Element;

use crate::caller::Caller;
use crate::{Built, BuiltError, BuiltOptions};

/// The domain.
pub const DOMAIN: &str = "waxwing.example";
/// She has a roster.
pub const ALICE: (&str, &str) = ("alice", "the rabbit-hole is deep");
/// Messages wait for him.
pub const BOB: (&str, &str) = ("bob", "builds more than one would");
/// She has been asked for her presence, and her account is disabled.
pub const CAROL: (&str, &str) = ("carol", "sings, sometimes");
/// How Alice calls Bob, and in which group.
pub const NAME: (&str, &str) = ("Bob ☃", "Friends & family");
/// What waits for Bob: the content of each message.
pub const MESSAGES: [&str; 3] = [
    "<body>Are you there?</body>",
    "<subject>¿Qué?</subject><body>One &amp; two &lt; three — 四</body>",
    "<body>third</body><x:odd xmlns:x='urn:example:odd' x:a=\"it's\"><y xmlns='urn:y'/></x:odd>",
];

const PATIENCE: Duration = Duration::from_secs(120);

/// Why nothing was stored.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    /// The server.
    #[error(transparent)]
    Built(#[from] BuiltError),
    /// A file.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A client was not answered as it should be.
    #[error("{0}")]
    Client(String),
}

/// The stored data directories, oldest first.
///
/// # Errors
/// If the folder cannot be read.
pub fn all() -> io::Result<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("stored");
    let mut all: Vec<PathBuf> = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    all.sort();
    Ok(all)
}

/// Has the built server store all of the above, and puts its data directory into `folder`, which must not exist.
///
/// # Errors
/// [`StoredError`].
pub fn make(folder: &Path) -> Result<(), StoredError> {
    let mut options = BuiltOptions::new("stored");
    for (user, password) in [ALICE, BOB, CAROL] {
        options = options.account(user, password);
    }
    let mut built = Built::start(options)?;
    let (mut alice, mut bob) = (client(ALICE)?, client(BOB)?);
    let contact = format!(
        "<iq type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='bob@{DOMAIN}' name='{}'><group>{}</group></item></query></iq>",
        NAME.0,
        NAME.1.replace('&', "&amp;")
    );
    exchange(&built, &mut alice, &contact)?;
    let ask = |who: &str, what: &str| format!("<presence to='{who}@{DOMAIN}' type='{what}'/>");
    exchange(&built, &mut alice, &ask("bob", "subscribe"))?;
    exchange(&built, &mut bob, &ask("alice", "subscribed"))?;
    exchange(&built, &mut bob, &ask("alice", "subscribe"))?;
    exchange(&built, &mut alice, &ask("bob", "subscribed"))?;
    exchange(&built, &mut alice, &ask("carol", "subscribe"))?;
    bob.leave();
    while bob.is_connected() {
        bob.work(Some(built.plain));
    }
    for content in MESSAGES {
        let message = format!("<message to='bob@{DOMAIN}' type='chat'>{content}</message>");
        exchange(&built, &mut alice, &message)?;
    }
    built.account("disable", CAROL.0)?;
    built.stop()?;
    fs::create_dir(folder)?;
    for entry in fs::read_dir(&built.data_dir)? {
        let entry = entry?;
        // Locks and sockets are of the process, and empty folders are made again.
        if entry.file_type()?.is_file() && entry.metadata()?.len() > 0 {
            fs::copy(entry.path(), folder.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// Sends a stanza, and waits until the server has handled it.
fn exchange(built: &Built, caller: &mut Caller, stanza: &str) -> Result<(), StoredError> {
    caller.peer.send(0, stanza.to_owned());
    let ping = format!("<iq type='get' id='ping' to='{DOMAIN}'><ping xmlns='urn:xmpp:ping'/></iq>");
    caller.peer.send(0, ping);
    let pong = |stanza: &Element| stanza.attr("id") == Some("ping");
    match caller.hear(built.plain, PATIENCE, pong) {
        Some(_) => Ok(()),
        None => Err(StoredError::Client(format!("no answer behind {stanza}"))),
    }
}

fn client((user, password): (&str, &str)) -> Result<Caller, StoredError> {
    let account: BareJid = format!("{user}@{DOMAIN}")
        .parse()
        .map_err(|error| StoredError::Client(format!("{error}")))?;
    let peer = Peer::new(account, "phone", password, Seed(1));
    let peer = peer.map_err(|error| StoredError::Client(error.to_string()))?;
    Ok(Caller::new(peer.with_greeting(["<presence/>"])))
}
