//! SASL2 where each element is a message of its own, as WebSocket carries them.

use std::sync::Arc;

use waxwing_stanza::FullJid;
use waxwing_wire::{FrameReader, Limits};

use super::link::{NOW_SECS, binding, credentials};
use super::sasl2::{first, sasl2_client, sasl2_server};
use crate::sasl::{Account, KnownTokens, Tokens};
use crate::server::{self, Bound2, Tls};
use crate::{Framing, Seed, client};

struct Frames {
    client: client::Negotiation,
    server: server::Negotiation,
    client_reader: FrameReader,
    server_reader: FrameReader,
    tokens: Tokens,
    client_bound: Option<FullJid>,
    server_bound: Option<FullJid>,
}

impl Frames {
    fn new(settings: client::Settings, tokens: Tokens) -> Frames {
        let (tls, framing) = (Tls::Started(binding()), Framing::Elements);
        let server = Arc::new(sasl2_server());
        let (seeds, limits) = ([Seed::new([5; 32]), Seed::new([6; 32])], Limits::CLIENT);
        let [ours, theirs] = seeds;
        Frames {
            client: client::Negotiation::framed(settings, tls.clone(), ours, framing),
            server: server::Negotiation::framed(server, tls, theirs, framing),
            client_reader: FrameReader::new(limits),
            server_reader: FrameReader::new(limits),
            tokens,
            client_bound: None,
            server_bound: None,
        }
    }

    /// What the client says; whether it says anything.
    fn drain_client(&mut self) -> bool {
        let mut said = false;
        while let Some(output) = self.client.poll() {
            match output {
                client::Output::Send(bytes) => {
                    said = true;
                    self.server_reader.push(Framing::Elements.element(bytes));
                }
                client::Output::Stretch(stretch) => self.client.handle_stretched(stretch.run()),
                client::Output::Bound { jid, .. } => self.client_bound = Some(jid),
                client::Output::Close(error) => panic!("{error:?}"),
                _ => {}
            }
        }
        said
    }

    fn drain_server(&mut self) {
        while let Some(output) = self.server.poll() {
            match output {
                server::Output::Send(bytes) => {
                    self.client_reader.push(Framing::Elements.element(bytes));
                }
                server::Output::NeedCredentials { .. } => {
                    let account = Account::Active(credentials());
                    self.server.provide_credentials(account);
                }
                server::Output::NeedTokens { .. } => {
                    let known = KnownTokens::Active(self.tokens.clone());
                    self.server.provide_tokens(known, NOW_SECS);
                }
                server::Output::StoreTokens { after, .. } => {
                    self.tokens = after;
                    self.server.tokens_stored(true);
                }
                server::Output::NeedBind2(request) => {
                    let (jid, results) = (request.jid, Vec::new());
                    self.server.provide_bind2(Some(Bound2 { jid, results }));
                }
                server::Output::Bound(jid) => self.server_bound = Some(jid),
                server::Output::Authenticated { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Lets them talk; how often the client spoke.
    fn run(&mut self) -> usize {
        let mut spoken = 0;
        while self.drain_client() {
            spoken += 1;
            while let Some(event) = self.server_reader.next().unwrap() {
                self.server.handle_event(event);
                self.drain_server();
            }
            while let Some(event) = self.client_reader.next().unwrap() {
                self.client.handle_event(event);
            }
        }
        spoken
    }
}

#[test]
fn messages_of_one_element_carry_all_of_it() {
    let mut frames = Frames::new(sasl2_client(), Tokens::default());
    assert_eq!(frames.run(), 3);
    assert!(frames.client_bound.is_some() && frames.client_bound == frames.server_bound);
    let (_, kept) = first();
    let mut frames = Frames::new(kept.client(), kept.tokens.clone());
    assert_eq!(frames.run(), 1);
    assert!(frames.client_bound.is_some() && frames.client_bound == frames.server_bound);
}
