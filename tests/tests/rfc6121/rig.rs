//! A server and sessions of a few accounts, without disturbance.

use waxwing_server::{Security, Settings};
use waxwing_stanza::BareJid;
use waxwing_store::{Store, StoreError};
use waxwing_stream::client::Tls;
use waxwing_testkit::{Happening, LinkId, Peer, Seed, World};
use waxwing_wire::Element;

/// Simulated time after which nothing comes any more.
const QUIET_MICROS: u64 = 2_000_000;

struct Client {
    name: String,
    peer: Peer,
    link: LinkId,
    got: Vec<Element>,
    heard: Vec<u8>,
}

pub(crate) struct Rig {
    world: World,
    clients: Vec<Client>,
}

impl Rig {
    /// A server with these accounts.
    pub(crate) fn new(accounts: &[&str]) -> Rig {
        let settings = Settings {
            domains: vec!["example.org".to_owned()],
            ..Settings::default()
        };
        let mut world = World::new(settings, Seed(1)).unwrap();
        for account in accounts {
            let jid: BareJid = format!("{account}@example.org").parse().unwrap();
            world.add_account(&jid, "pencil").unwrap();
        }
        Rig {
            world,
            clients: Vec::new(),
        }
    }

    /// A session begins, such as `alice/phone`, and says these.
    pub(crate) fn join(&mut self, name: &str, greeting: &[&'static str]) {
        let (account, resource) = name.split_once('/').unwrap();
        let account: BareJid = format!("{account}@example.org").parse().unwrap();
        let seed = Seed(1).of(10 + self.clients.len() as u64);
        let peer = Peer::new(account, resource, "pencil", seed).unwrap();
        let link = self.world.connect(&Security::PlainLoopback);
        let mut client = Client {
            name: name.to_owned(),
            peer: peer.with_greeting(greeting.iter().copied()),
            link,
            got: Vec::new(),
            heard: Vec::new(),
        };
        client.peer.connect(Tls::PlainAllowed);
        flush(&mut client, &mut self.world);
        self.clients.push(client);
        self.settle();
    }

    /// Asks the store, or writes into it, behind the server's back.
    pub(crate) fn look<T: Send + 'static, F>(&self, ask: impl FnOnce(&Store) -> F) -> T
    where
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        self.world.look(ask).unwrap()
    }

    /// How many questions the server has asked its store.
    pub(crate) fn questions(&self) -> u64 {
        self.world.questions()
    }

    fn client(&mut self, name: &str) -> &mut Client {
        let mut clients = self.clients.iter_mut();
        clients.find(|client| client.name == name).unwrap()
    }

    /// A session says something, and everything that comes of it comes.
    pub(crate) fn say(&mut self, name: &str, stanza: &str) {
        let at = self.clients.iter().position(|client| client.name == name);
        let client = self.clients.get_mut(at.unwrap()).unwrap();
        client.peer.send(0, stanza.to_owned());
        flush(client, &mut self.world);
        self.settle();
    }

    /// What a session got since this was asked last.
    pub(crate) fn take(&mut self, name: &str) -> Vec<Element> {
        std::mem::take(&mut self.client(name).got)
    }

    /// The same, as bytes.
    pub(crate) fn take_bytes(&mut self, name: &str) -> String {
        let heard = std::mem::take(&mut self.client(name).heard);
        String::from_utf8(heard).unwrap()
    }

    /// Forgets what all got until now.
    pub(crate) fn forget(&mut self) {
        for client in &mut self.clients {
            client.got.clear();
            client.heard.clear();
        }
    }

    fn settle(&mut self) {
        let until = self.world.now_micros() + QUIET_MICROS;
        while self.world.now_micros() < until {
            match self.world.next(until) {
                Happening::Idle => {}
                Happening::Disconnected(link) => {
                    let ended = self.clients.iter().find(|client| client.link == link);
                    let name = ended.map(|client| client.name.as_str());
                    assert_eq!(name, None, "was disconnected");
                }
                Happening::Received(link, bytes) => {
                    let client = self.clients.iter_mut().find(|client| client.link == link);
                    let client = client.unwrap();
                    client.heard.extend_from_slice(&bytes);
                    client.peer.receive(&bytes);
                    client.got.extend(std::iter::from_fn(|| client.peer.poll()));
                    flush(client, &mut self.world);
                }
            }
        }
    }
}

fn flush(client: &mut Client, world: &mut World) {
    for bytes in client.peer.take_output() {
        world.write(client.link, &bytes);
    }
    assert_eq!(client.peer.take_error(), None, "{}", client.name);
}

/// Whether the stanza is an error, and the name of its condition.
pub(crate) fn condition(stanza: &Element) -> Option<String> {
    let error = stanza.child("jabber:client", "error")?;
    error.children().next().map(|child| child.name().to_owned())
}
