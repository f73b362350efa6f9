//! Streams that begin, from either side, with a hostile peer at the other.

mod client;
mod honest;
mod server;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use waxwing_stanza::xep::xep_0388_sasl2::NS as SASL2;
use waxwing_stream::sasl::{Credentials, Hash, Mechanism, Password, ScramKeys, TlsBinding};
use waxwing_wire::{Element, Event, Limits, Reader, Stanza};

pub use client::{client_stream, scram_client};
pub use honest::{Transcript, transcripts};
pub use server::{scram_server, server_stream};

/// Rounds of PBKDF2, which are not what is tested.
const ITERATIONS: u32 = 2;
const ACCOUNT: &str = "alice@example.org";
const PASSWORD: &str = "pencil";
/// The time, in seconds since 1970.
const NOW_SECS: u64 = 1_700_000_000;
/// What is sent only after what came before it was worked off ends with this byte, which no XML has.
const PIECE_END: u8 = 0;

fn password() -> Password {
    Password::prepare(PASSWORD).unwrap_or_else(|error| panic!("{error}"))
}

fn credentials() -> Credentials {
    let keys = |hash| ScramKeys::derive(hash, &password(), b"a salt of 16 byt", ITERATIONS);
    Credentials::new(Hash::ALL.map(keys))
}

fn binding() -> TlsBinding {
    TlsBinding {
        tls_exporter: Some([7; 32]),
        server_end_point: Some(vec![8; 32]),
        sni: None,
        // Recorded log-ins are proved over messages without it.
        version: None,
    }
}

pub(crate) fn pieces(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == PIECE_END)
}

/// Lines of SASL messages, and the mechanism in the first.
fn lines(bytes: &[u8]) -> Option<(Mechanism, impl Iterator<Item = String>)> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let mechanism = std::str::from_utf8(lines.next()?).ok()?;
    let messages = lines.map(|line| STANDARD.encode(line));
    Some((Mechanism::from_name(mechanism)?, messages))
}

/// The SASL message in an element: in SASL2, one that may have others beside it has a child of its own.
fn message(stanza: &Stanza) -> Option<Vec<u8>> {
    let element = stanza.element();
    let own = |name: &str| element.child(SASL2, name).map(Element::text);
    let text = own("initial-response").or_else(|| own("additional-data"));
    let text = text.unwrap_or_else(|| element.text());
    // Blanks around it are for SASL2 to pass over.
    STANDARD.decode(text.trim_ascii()).ok()
}

/// In which words a log-in goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Profile {
    Sasl,
    Sasl2,
}

/// What one side says: XML within limits, or it panics.
struct Ear(Reader);

impl Ear {
    fn new() -> Ear {
        Ear(Reader::new(Limits::SERVER))
    }

    fn hear(&mut self, bytes: &[u8]) -> Vec<Event> {
        self.0.push(bytes);
        let mut events = Vec::new();
        loop {
            match self.0.next() {
                Ok(None) => break,
                Ok(Some(event)) => events.push(event),
                Err(error) => panic!("{error}: {}", bytes.escape_ascii()),
            }
        }
        assert_eq!(self.0.buffered(), 0, "half an element");
        events
    }

    fn restart(&mut self) {
        assert!(!self.0.restart(), "something was said before a restart");
    }
}
