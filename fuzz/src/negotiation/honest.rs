//! What an honest client and our server say to each other: where fuzzing begins, and what nobody who
//! does not know the password can say.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use waxwing_stream::client::{FastToken, KnownOffer};
use waxwing_stream::sasl::{Mechanism, Tokens};
use waxwing_stream::server::Tls;

use super::client::Client;
use super::server::Server;
use super::{PIECE_END, Profile, binding};

/// How a client opens a stream.
pub(super) const HEADER: &[u8] = b"<stream:stream xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams' to='example.org' version='1.0'>";

/// How our server opens one inside of TLS, and what it offers.
pub(super) fn offer() -> Vec<u8> {
    let mut server = Server::trusting(Tls::Started(binding()), Profile::Sasl);
    server.read(HEADER);
    std::mem::take(&mut server.said)
}

/// Messages that prove to know the password.
pub(super) struct Proofs {
    /// The client's last ones.
    pub(super) clients: BTreeSet<Vec<u8>>,
    /// The server's last ones.
    pub(super) servers: BTreeSet<Vec<u8>>,
}

pub(super) static PROOFS: LazyLock<Proofs> = LazyLock::new(|| {
    let mut proofs = Proofs {
        clients: BTreeSet::new(),
        servers: BTreeSet::new(),
    };
    let mut add = |meeting: Meeting| {
        proofs.clients.extend(meeting.of_client.last().cloned());
        proofs.servers.extend(meeting.of_server.last().cloned());
    };
    for tls in [Tls::Required, Tls::Started(binding())] {
        for mechanism in Mechanism::ALL {
            add(Meeting::of(tls.clone(), mechanism, Profile::Sasl));
            add(Meeting::of(tls.clone(), mechanism, Profile::Sasl2));
        }
        add(Meeting::by_token(tls));
    }
    proofs
});

/// What a client keeps of its first log-in, and what the server's store does.
pub(super) static KEPT: LazyLock<((FastToken, KnownOffer), Tokens)> = LazyLock::new(|| {
    let (tls, client_tls) = (Tls::Started(binding()), both(&Tls::Started(binding())));
    let mechanisms = [Mechanism::ScramSha256];
    let mut client = Client::trusting(client_tls, &mechanisms, Profile::Sasl2);
    let mut server = Server::trusting(tls, Profile::Sasl2);
    Meeting::between(&mut client, &mut server);
    let (Some(mut token), Some(offer)) = client.kept else {
        panic!("no token, or no offer")
    };
    token.count += 1;
    ((token, offer), server.tokens)
});

fn both(tls: &Tls) -> waxwing_stream::client::Tls {
    match tls {
        Tls::Required => waxwing_stream::client::Tls::Required,
        _ => waxwing_stream::client::Tls::Started(binding()),
    }
}

/// One log-in that succeeded.
struct Meeting {
    client_said: Vec<Vec<u8>>,
    server_said: Vec<Vec<u8>>,
    /// The client's SASL messages.
    of_client: Vec<Vec<u8>>,
    /// The server's.
    of_server: Vec<Vec<u8>>,
}

impl Meeting {
    fn of(tls: Tls, mechanism: Mechanism, profile: Profile) -> Meeting {
        let mut client = Client::trusting(both(&tls), &[mechanism], profile);
        let mut server = Server::trusting(tls, profile);
        Meeting::between(&mut client, &mut server)
    }

    /// By a token, sent ahead.
    fn by_token(tls: Tls) -> Meeting {
        let (kept, tokens) = KEPT.clone();
        let mut client = Client::again(both(&tls), kept);
        let mut server = Server::trusting(tls, Profile::Sasl2);
        server.tokens = tokens;
        Meeting::between(&mut client, &mut server)
    }

    fn between(client: &mut Client, server: &mut Server) -> Meeting {
        let (mut client_said, mut server_said) = (Vec::new(), Vec::new());
        loop {
            let said = std::mem::take(&mut client.said);
            if said.is_empty() {
                break;
            }
            server.read(&said);
            client_said.push(said);
            let said = std::mem::take(&mut server.said);
            client.read(&said);
            server_said.push(said);
        }
        assert!(client.is_logged_in() && server.is_logged_in());
        Meeting {
            client_said,
            server_said,
            of_client: server.heard().to_vec(),
            of_server: client.heard().to_vec(),
        }
    }
}

/// A corpus's input: its target, its file's name, its bytes.
pub type Transcript = (&'static str, String, Vec<u8>);

/// Inputs of the targets of negotiation.
#[must_use]
pub fn transcripts() -> Vec<Transcript> {
    let mut transcripts = Vec::new();
    for mechanism in Mechanism::ALL {
        let name = format!("{}.txt", mechanism.name().to_ascii_lowercase());
        let mut add = |target, bytes| transcripts.push((target, name.clone(), bytes));
        let lines = |messages: &[Vec<u8>]| {
            [&[mechanism.name().as_bytes().to_vec()], messages]
                .concat()
                .join(&b'\n')
        };
        let meeting = Meeting::of(Tls::Required, mechanism, Profile::Sasl);
        add("client_stream", meeting.server_said.join(&PIECE_END));
        add("server_stream", meeting.client_said.join(&PIECE_END));
        let meeting = Meeting::of(Tls::Started(binding()), mechanism, Profile::Sasl);
        add("scram_client", lines(&meeting.of_server));
        add("scram_server", lines(&meeting.of_client));
        let meeting = Meeting::of(Tls::Required, mechanism, Profile::Sasl2);
        let mut add = |target, bytes| transcripts.push((target, format!("sasl2-{name}"), bytes));
        add("client_stream", meeting.server_said.join(&PIECE_END));
        add("server_stream", meeting.client_said.join(&PIECE_END));
    }
    let meeting = Meeting::by_token(Tls::Required);
    let said = meeting.client_said.join(&PIECE_END);
    transcripts.push(("server_stream", "sasl2-token.txt".to_owned(), said));
    transcripts
}
