//! A server with people who bring and fetch files.

use std::collections::BTreeMap;

use bytes::Bytes;
use waxwing_server::uploads::{Offer, Receiving, UploadError};
use waxwing_server::{OptionValue, Security, Settings};
use waxwing_stanza::payload::Secret;
use waxwing_stanza::xep::xep_0363_upload::Slot as Given;
use waxwing_stanza::{BareJid, Payload};
use waxwing_store::{Store, StoreError};
use waxwing_stream::client::Tls;
use waxwing_testkit::{Happening, LinkId, Peer, Seed, World};
use waxwing_wire::Element;

/// Simulated time in which an answer comes.
const QUIET_MICROS: u64 = 2_000_000;
/// More than an hour: the clean-up has come by.
pub(crate) const CLEANED_SECS: u64 = 3_700;

const URL: &str = "https://files.example.org";

struct Client {
    peer: Peer,
    link: LinkId,
    got: Vec<Element>,
}

pub(crate) struct House {
    pub(crate) world: World,
    clients: BTreeMap<String, Client>,
    asked: u64,
}

/// Where a file goes.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) id: String,
    pub(crate) token: String,
    pub(crate) size: u64,
}

impl House {
    /// With these people, and options that are numbers.
    pub(crate) fn new(people: &[&str], options: &[(&str, u64)]) -> House {
        let mut given: BTreeMap<String, OptionValue> = options
            .iter()
            .map(|(name, value)| ((*name).to_owned(), OptionValue::Number(*value)))
            .collect();
        let url = OptionValue::Text(URL.to_owned());
        given.insert("upload_url".to_owned(), url);
        let settings = Settings {
            domains: vec!["example.org".to_owned()],
            options: given,
            ..Settings::default()
        };
        let mut house = House {
            world: World::new(settings, Seed(1)).unwrap(),
            clients: BTreeMap::new(),
            asked: 0,
        };
        for name in people {
            let account: BareJid = format!("{name}@example.org").parse().unwrap();
            house.world.add_account(&account, "pencil").unwrap();
            house.join(name);
        }
        house
    }

    /// A session of somebody begins.
    pub(crate) fn join(&mut self, name: &str) {
        let account: BareJid = format!("{name}@example.org").parse().unwrap();
        self.asked += 1;
        let seed = Seed(1).of(100 + self.asked);
        let peer = Peer::new(account, "phone", "pencil", seed).unwrap();
        let link = self.world.connect(&Security::PlainLoopback);
        let mut client = Client {
            peer,
            link,
            got: Vec::new(),
        };
        client.peer.connect(Tls::PlainAllowed);
        flush(&mut client, &mut self.world);
        self.clients.insert(name.to_owned(), client);
        self.pass(QUIET_MICROS);
    }

    /// Time passes, in microseconds.
    fn pass(&mut self, micros: u64) {
        let until = self.world.now_micros() + micros;
        while self.world.now_micros() < until {
            match self.world.next(until) {
                Happening::Idle => {}
                Happening::Disconnected(link) => {
                    self.clients.retain(|_, client| client.link != link);
                }
                Happening::Received(link, bytes) => {
                    let mut clients = self.clients.values_mut();
                    let Some(client) = clients.find(|client| client.link == link) else {
                        continue;
                    };
                    client.peer.receive(&bytes);
                    client.got.extend(std::iter::from_fn(|| client.peer.poll()));
                    flush(client, &mut self.world);
                }
            }
        }
    }

    /// Time passes.
    pub(crate) fn pass_secs(&mut self, secs: u64) {
        self.pass(secs * 1_000_000);
    }

    /// What the domain answers somebody who asks for a slot, with what the file is for.
    pub(crate) fn ask(&mut self, name: &str, size: u64, purpose: &str) -> Element {
        self.asked += 1;
        let id = format!("ask-{}", self.asked);
        let iq = format!(
            "<iq type='get' id='{id}' to='example.org'><request xmlns='urn:xmpp:http:upload:0' \
             filename='a.txt' size='{size}' content-type='text/plain'>{purpose}</request></iq>"
        );
        let client = self.clients.get_mut(name).unwrap();
        client.peer.send(0, iq);
        flush(client, &mut self.world);
        self.pass(QUIET_MICROS);
        let client = self.clients.get_mut(name).unwrap();
        let mut got = std::mem::take(&mut client.got).into_iter();
        got.find(|stanza| stanza.attr("id") == Some(&id)).unwrap()
    }

    /// A slot for a message's file.
    pub(crate) fn slot(&mut self, name: &str, size: u64) -> Slot {
        self.slot_for(name, size, "")
    }

    /// A slot for a file of this purpose.
    pub(crate) fn slot_for(&mut self, name: &str, size: u64, purpose: &str) -> Slot {
        let answer = self.ask(name, size, purpose);
        let given = Given::find(&answer).unwrap().unwrap();
        let (base, put) = given.put.url.split_once("/upload/").unwrap();
        assert_eq!((base, &given.get.url), (URL, &given.put.url));
        let [header] = given.put.headers.as_slice() else {
            unreachable!("{answer:?}");
        };
        let Secret(value) = &header.value;
        Slot {
            id: put.split_once('/').unwrap().0.to_owned(),
            token: value.strip_prefix("Bearer ").unwrap().to_owned(),
            size,
        }
    }

    /// Begins to bring a file.
    pub(crate) fn begin(&self, slot: &Slot) -> Result<Receiving, UploadError> {
        let slot = slot.clone();
        let begun = self.world.ask(|server| async move {
            let offer = Offer {
                id: &slot.id,
                token: Some(&slot.token),
                length: Some(slot.size),
                content_type: Some("text/plain"),
            };
            server.receive_upload(offer).await
        });
        begun.unwrap()
    }

    /// Brings the rest of it.
    pub(crate) fn end(&self, mut receiving: Receiving, text: &str) -> Result<(), UploadError> {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        let done = self.world.ask(|_| async move {
            receiving.write(bytes).await?;
            receiving.finish().await
        });
        done.unwrap()
    }

    /// Brings a file.
    pub(crate) fn bring(&self, slot: &Slot, text: &str) -> Result<(), UploadError> {
        self.end(self.begin(slot)?, text)
    }

    /// What is found at a file's address.
    pub(crate) fn fetch(&self, slot: &Slot) -> Option<String> {
        let id = slot.id.clone();
        let found = self.world.ask(|server| async move {
            let served = server.served_upload(&id).await?;
            let Some(served) = served else {
                return Ok(None);
            };
            assert_eq!(served.name, "a.txt");
            assert_eq!(served.media_type, "text/plain");
            let bytes = served.blob.read(0, 1 << 20).await?;
            Ok::<_, StoreError>(Some(String::from_utf8(bytes.to_vec()).unwrap()))
        });
        found.unwrap().unwrap()
    }

    /// Asks the store.
    pub(crate) fn look<T: Send + 'static, F>(&self, ask: impl FnOnce(&Store) -> F) -> T
    where
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        self.world.look(ask).unwrap()
    }
}

/// Writes what a client has to say.
fn flush(client: &mut Client, world: &mut World) {
    for bytes in client.peer.take_output() {
        world.write(client.link, &bytes);
    }
}
