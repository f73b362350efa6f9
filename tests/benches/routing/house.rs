//! A server in memory and the sessions that are connected to it, without sockets between them.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use waxwing_server::accounts::{self, Role, StoredAccount, StoredKey};
use waxwing_server::{
    Action, Connection, Framing, Link, Outside, Security, Server, Settings, Transport,
};
use waxwing_stanza::BareJid;
use waxwing_store::{Batch, Memory};
use waxwing_stream::client;
use waxwing_stream::sasl::{Hash, Mechanism, Password, ScramKeys};
use waxwing_testkit::{
    ClientStream, Executor, Posted, START_MICROS, Said, Seed, SharedDice, Until,
};

pub(crate) const DOMAIN: &str = "example.org";
const PASSWORD: &str = "pencil";
/// Rounds of key stretching: no log-in is measured.
const ITERATIONS: u32 = 1;

/// A session, by the order of log-ins.
pub(crate) type Number = usize;

/// A server, its sessions, and what was delivered last.
pub(crate) struct House {
    server: Server,
    executor: Executor,
    lines: Vec<Line>,
    woken: Arc<Mutex<Vec<Number>>>,
    /// What came out of the last call of [`House::send`], and to whom.
    pub(crate) delivered: Vec<(Number, Bytes)>,
    output: Vec<Bytes>,
}

struct Line {
    connection: Connection,
    waker: Waker,
    flag: Arc<Flag>,
}

/// Puts its connection onto the list of those to be worked on, once.
struct Flag {
    number: Number,
    queued: AtomicBool,
    woken: Arc<Mutex<Vec<Number>>>,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
            woken.push(self.number);
        }
    }
}

impl House {
    pub(crate) fn new() -> House {
        let executor = Executor::new(Seed(1));
        let outside = Outside {
            store: Memory::new().open(&Server::shapes()).expect("a store"),
            clock: Arc::new(executor.clone()),
            random: Arc::new(SharedDice::new(Seed(2))),
            tasks: Arc::new(executor.clone()),
            web: Arc::new(Posted::default()),
        };
        let settings = Settings {
            domains: vec![DOMAIN.to_owned()],
            ..Settings::default()
        };
        let start = Server::start(settings, outside);
        let server = executor.block_on(start).expect("no end of waiting");
        House {
            server: server.expect("a server"),
            executor,
            lines: Vec::new(),
            woken: Arc::default(),
            delivered: Vec::new(),
            output: Vec::new(),
        }
    }

    pub(crate) fn add_account(&mut self, name: &str) {
        let password = Password::prepare(PASSWORD).expect("a password");
        let keys = ScramKeys::derive(Hash::Sha256, &password, b"a salt of 16 byt", ITERATIONS);
        let stored = StoredAccount {
            role: Role::Member.into(),
            disabled: false,
            created_micros: START_MICROS,
            keys: vec![StoredKey::new(&keys)],
        };
        let mut batch = Batch::new();
        accounts::save(&mut batch, &jid(name), &stored);
        let commit = self.executor.block_on(self.server.store().commit(batch));
        commit.expect("no end of waiting").expect("a commit");
    }

    /// Logs in, and is available.
    pub(crate) fn log_in(&mut self, name: &str, resource: &str) -> Number {
        let password = Password::prepare(PASSWORD).expect("a password");
        let wanted = client::Settings {
            resource: Some(resource.to_owned()),
            mechanisms: vec![Mechanism::ScramSha256],
            iterations: ITERATIONS..=ITERATIONS,
            stream_management: None,
            ..client::Settings::new(jid(name), password)
        };
        let tls = client::Tls::PlainAllowed;
        let mut stream = ClientStream::new(wanted, tls, [3; 32], Until::Bound);
        let number = self.connect();
        loop {
            let bytes = stream.take_output().concat();
            self.send(number, &bytes);
            for (_, bytes) in &self.delivered {
                stream.receive(bytes);
            }
            match stream.poll() {
                Some(Said::Bound(..)) => break,
                None => {}
                Some(other) => unreachable!("{other:?}"),
            }
        }
        self.send(number, b"<presence/>");
        number
    }

    fn connect(&mut self) -> Number {
        let number = self.lines.len();
        let link = Link {
            peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
            transport: Transport::Plain,
            security: Security::PlainLoopback,
            framing: Framing::Document,
        };
        let flag = Arc::new(Flag {
            number,
            queued: AtomicBool::new(false),
            woken: self.woken.clone(),
        });
        self.lines.push(Line {
            connection: self.server.accept(link),
            waker: Waker::from(flag.clone()),
            flag,
        });
        number
    }

    /// Hands bytes of a client to the server, as one read gives them, and works until nothing is left to do; what is to
    /// be written is in `delivered` then, and counts as written.
    pub(crate) fn send(&mut self, from: Number, bytes: &[u8]) {
        self.delivered.clear();
        self.lines[from].connection.receive(bytes);
        self.lines[from].flag.wake_by_ref();
        loop {
            self.executor.run_ready();
            let next = self
                .woken
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop();
            match next {
                Some(number) => self.work(number),
                None => return,
            }
        }
    }

    fn work(&mut self, number: Number) {
        let line = &mut self.lines[number];
        line.flag.queued.store(false, Ordering::Relaxed);
        let mut context = Context::from_waker(&line.waker);
        loop {
            match line.connection.poll(&mut context) {
                Poll::Pending => return,
                Poll::Ready(Action::Send) => {
                    line.connection.take_output(&mut self.output);
                    let output = self.output.drain(..).map(|bytes| (number, bytes));
                    self.delivered.extend(output);
                    line.connection.written();
                }
                Poll::Ready(Action::StartTls | Action::Close) => {
                    unreachable!("the server ends no stream here: {:?}", self.delivered)
                }
            }
        }
    }
}

fn jid(name: &str) -> BareJid {
    format!("{name}@{DOMAIN}").parse().expect("an address")
}
