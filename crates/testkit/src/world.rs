//! A server in a simulated world: network, clock, disk and power, all from one seed.

mod link;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use bytes::Bytes;
use waxwing_server::accounts::{self, Role, StoredAccount, StoredKey};
use waxwing_server::{
    AdminError, Outside, Security, Server, Settings, StartError, TlsBinding, Transport,
};
use waxwing_stanza::BareJid;
use waxwing_store::{Batch, Memory, OpenError, Shape, Store, StoreError};
use waxwing_stream::sasl::{Hash, Password, PasswordError, ScramKeys};

use crate::dice::{Dice, Seed, SharedDice};
use crate::executor::Executor;
use crate::push_service::Posted;
use link::{Line, Step};

pub use link::{Cut, Direction};

/// Where the relay of byte streams is said to be; nobody reaches it.
const RELAY_PORT: u16 = 7777;

/// Rounds of key stretching: what is simulated is not how slow it is.
const ITERATIONS: u32 = 1;

/// Longest time that a commit waits for the simulated disk.
const DISK_MICROS_MAX: u64 = 20_000;
/// Longest time from one answer of a slow disk to the next.
const ANSWER_MICROS_MAX: u64 = 2_000;

/// A connection in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(u64);

/// What a client's machine notices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// Bytes came, as one read gives them.
    Received(LinkId, Bytes),
    /// The connection is gone.
    Disconnected(LinkId),
    /// Nothing will happen before the given time, or before somebody does something.
    Idle,
}

/// Why there is no world.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// The store.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The server.
    #[error(transparent)]
    Start(#[from] StartError),
    /// An admin command.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// A password.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// Something waits for what never comes.
    #[error("the server waits for ever")]
    Stuck,
}

/// Opens a store.
pub type OpenStore = Box<dyn Fn(&[Shape]) -> Result<Store, OpenError> + Send>;

/// A store that is real.
pub struct RealStore {
    /// Opens it as it was left.
    pub open: OpenStore,
    /// Waits for a moment, in which it may answer.
    pub pause: fn(),
}

/// A server and the connections to it.
pub struct World {
    settings: Settings,
    dice: Dice,
    random: Arc<SharedDice>,
    executor: Executor,
    memory: Memory,
    /// What is stored in instead of the memory, if anything.
    real: Option<RealStore>,
    posted: Posted,
    server: Option<Server>,
    lines: BTreeMap<LinkId, Line>,
    numbers: u64,
    slow_disk: bool,
    disk_at: Option<u64>,
    answer_at: Option<u64>,
}

impl World {
    /// Starts a server on an empty store.
    ///
    /// # Errors
    /// [`WorldError`] if the settings are wrong.
    pub fn new(settings: Settings, seed: Seed) -> Result<World, WorldError> {
        World::on(settings, seed, None)
    }

    /// The same on a real store, which is empty: its answers take no simulated time, and a crash loses nothing of it.
    ///
    /// # Errors
    /// [`WorldError`] if the settings are wrong, or the store does not open.
    pub fn on(
        settings: Settings,
        seed: Seed,
        real: Option<RealStore>,
    ) -> Result<World, WorldError> {
        let mut world = World {
            settings,
            dice: Dice::new(seed.of(0)),
            random: Arc::new(SharedDice::new(seed.of(1))),
            executor: Executor::new(seed.of(2)),
            memory: Memory::new(),
            real,
            posted: Posted::default(),
            server: None,
            lines: BTreeMap::new(),
            numbers: 0,
            slow_disk: false,
            disk_at: None,
            answer_at: None,
        };
        world.start()?;
        Ok(world)
    }

    /// From now on commits become durable some time after they were submitted, several at once, as on
    /// a real disk; those that a crash meets in between are lost. Questions are answered some time after they were
    /// asked, one later perhaps than another that was asked after it.
    pub fn slow_disk(&mut self) {
        self.slow_disk = true;
        self.memory.hold();
        self.memory.answer_late();
    }

    /// Makes an account.
    ///
    /// # Errors
    /// [`WorldError`] if the password is none, or the store fails.
    pub fn add_account(&mut self, jid: &BareJid, password: &str) -> Result<(), WorldError> {
        let password = Password::prepare(password)?;
        let keys = Hash::ALL
            .map(|hash| ScramKeys::derive(hash, &password, b"a salt of 16 byt", ITERATIONS));
        let stored = StoredAccount {
            role: Role::Member.into(),
            disabled: false,
            created_micros: self.now_micros(),
            keys: keys.iter().map(StoredKey::new).collect(),
        };
        let server = self.server()?;
        let mut batch = Batch::new();
        accounts::save(&mut batch, jid, &stored);
        let commit = server.store().commit(batch);
        self.executor.block_on(commit).ok_or(WorldError::Stuck)??;
        Ok(())
    }

    /// Runs an admin command.
    ///
    /// # Errors
    /// [`WorldError::Admin`] with what it says.
    pub fn admin(
        &mut self,
        command: &str,
        args: serde_json::Value,
    ) -> Result<serde_json::Value, WorldError> {
        let (server, command) = (self.server()?, command.to_owned());
        let run = async move { server.admin(&command, args).await };
        let done = self.at_once(|| self.executor.block_on(run));
        Ok(done.ok_or(WorldError::Stuck)??)
    }

    /// The simulated time in microseconds since the Unix epoch, whatever [`set_clock`](Self::set_clock) did.
    #[must_use]
    pub fn now_micros(&self) -> u64 {
        self.executor.now_micros()
    }

    /// Sets the server's clock forward, or back, by so many microseconds, as somebody sets that of a machine. What
    /// waits for a time to pass is not concerned.
    pub fn set_clock(&self, by_micros: i64) {
        self.executor.set_clock(by_micros);
    }

    /// A connection to the server, which cannot fail to be made; it may be gone at once.
    pub fn connect(&mut self, security: &Security) -> LinkId {
        let transport = match security {
            Security::StartTls => Transport::StartTls,
            Security::Tls(_) => Transport::Tls,
            Security::PlainLoopback => Transport::Plain,
        };
        self.connect_by(transport, security)
    }

    /// A connection of an external component.
    pub fn connect_component(&mut self) -> LinkId {
        self.connect_by(Transport::Component, &Security::PlainLoopback)
    }

    fn connect_by(&mut self, transport: Transport, security: &Security) -> LinkId {
        self.numbers += 1;
        let id = LinkId(self.numbers);
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let link = waxwing_server::Link {
            peer,
            transport,
            security: security.clone(),
            framing: waxwing_server::Framing::Document,
        };
        let connection = self.server.as_ref().map(|server| server.accept(link));
        self.lines
            .insert(id, Line::new(connection, self.now_micros()));
        id
    }

    /// The channel binding that both ends of a connection have once TLS is up.
    #[must_use]
    pub fn binding(link: LinkId) -> TlsBinding {
        let mut exporter = [0xb1; 32];
        exporter[..8].copy_from_slice(&link.0.to_be_bytes());
        TlsBinding {
            tls_exporter: Some(exporter),
            server_end_point: Some(vec![0xce; 32]),
            sni: None,
            version: Some(0x0304),
        }
    }

    /// The binding of the next connection, for [`Security::Tls`].
    #[must_use]
    pub fn next_binding(&self) -> TlsBinding {
        World::binding(LinkId(self.numbers + 1))
    }

    /// Writes bytes of the client.
    pub fn write(&mut self, link: LinkId, bytes: &[u8]) {
        let now = self.now_micros();
        if let Some(line) = self.lines.get_mut(&link) {
            line.write(now, bytes, &mut self.dice);
        }
    }

    /// The client closes its connection; the server learns of it when the bytes before have come.
    pub fn close(&mut self, link: LinkId) {
        if let Some(line) = self.lines.get_mut(&link) {
            line.close(self.executor.now_micros());
        }
    }

    /// Cuts a connection at once. What is on its way is lost.
    pub fn cut(&mut self, link: LinkId, cut: Cut) {
        let now = self.now_micros();
        if let Some(line) = self.lines.get_mut(&link) {
            line.cut(now, cut, &mut self.dice);
        }
    }

    /// Cuts a connection after so many bytes have come through in one direction.
    pub fn cut_after(&mut self, link: LinkId, direction: Direction, bytes: u64, cut: Cut) {
        if let Some(line) = self.lines.get_mut(&link) {
            line.cut_after(direction, bytes, cut);
        }
    }

    /// Bytes that came through until now.
    #[must_use]
    pub fn carried(&self, link: LinkId, direction: Direction) -> u64 {
        self.lines
            .get(&link)
            .map_or(0, |line| line.carried(direction))
    }

    /// The power goes: the process is dead, commits that were not durable are lost, and every client
    /// sees its connection end.
    pub fn crash(&mut self) {
        self.memory.crash();
        let now = self.now_micros();
        for line in self.lines.values_mut() {
            line.server_died(now);
        }
        self.server = None;
        self.executor.kill();
        self.executor.wait_for_none();
        self.disk_at = None;
        self.answer_at = None;
    }

    /// Starts the server on what the store holds.
    ///
    /// # Errors
    /// [`WorldError`] if it does not start.
    pub fn start(&mut self) -> Result<(), WorldError> {
        let store = match &self.real {
            Some(real) => {
                let store = (real.open)(&Server::shapes())?;
                self.executor.wait_for(store.clone(), real.pause);
                store
            }
            None => self.memory.open(&Server::shapes())?,
        };
        let outside = Outside {
            store,
            clock: Arc::new(self.executor.clone()),
            random: self.random.clone(),
            tasks: Arc::new(self.executor.clone()),
            web: Arc::new(self.posted.clone()),
        };
        let start = Server::start(self.settings.clone(), outside);
        let started = self.at_once(|| self.executor.block_on(start));
        let server = started.ok_or(WorldError::Stuck)??;
        server.bytestreams().listens_at(RELAY_PORT);
        self.server = Some(server);
        if self.slow_disk {
            self.slow_disk();
        }
        Ok(())
    }

    /// Stops the server as an operator does: streams end in order.
    pub fn stop(&mut self) {
        if let Some(server) = &self.server {
            server.stop();
        }
    }

    /// Goes on to the next thing that a client notices, at most to `until_micros`. Timers before then
    /// run out; with `until_micros` in the past none does.
    pub fn next(&mut self, until_micros: u64) -> Happening {
        loop {
            if let Some(happening) = self.work() {
                return happening;
            }
            let network = self.lines.values().filter_map(Line::next_micros).min();
            let disk = self.next_disk_micros();
            let soon = network.into_iter().chain(disk).min();
            let timer = self.next_timer_micros().filter(|at| *at <= until_micros);
            let Some(at) = soon.into_iter().chain(timer).min() else {
                self.executor.advance_to(until_micros);
                return Happening::Idle;
            };
            self.executor.advance_to(at);
            self.run_due();
        }
    }

    /// What the server's store answers.
    ///
    /// # Errors
    /// [`WorldError::Store`] with what it says, [`WorldError::Stuck`] if no server runs.
    pub fn look<T: Send + 'static, F>(&self, ask: impl FnOnce(&Store) -> F) -> Result<T, WorldError>
    where
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let answer = ask(self.server()?.store());
        self.at_once(|| self.executor.block_on(answer))
            .ok_or(WorldError::Stuck)?
            .map_err(WorldError::from)
    }

    /// What comes of what the daemon asks the server, as it does when a file comes by HTTP.
    ///
    /// # Errors
    /// [`WorldError::Stuck`] if no server runs, or it never answers.
    pub fn ask<T: Send + 'static, F>(&self, ask: impl FnOnce(Server) -> F) -> Result<T, WorldError>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let answer = ask(self.server()?);
        let answer = self.at_once(|| self.executor.block_on(answer));
        answer.ok_or(WorldError::Stuck)
    }

    /// How many sessions an account has, with those that wait to be resumed.
    #[must_use]
    pub fn sessions(&self, account: &BareJid) -> usize {
        let known = self.server.as_ref();
        let known = known.and_then(|server| server.directory().known(account));
        known.map_or(0, |account| account.sessions().len())
    }

    /// The push service that all requests of the server go to.
    #[must_use]
    pub fn posted(&self) -> &Posted {
        &self.posted
    }

    /// How many questions the store was asked.
    pub fn questions(&self) -> u64 {
        self.memory.questions()
    }

    fn server(&self) -> Result<Server, WorldError> {
        self.server.clone().ok_or(WorldError::Stuck)
    }

    /// Does what can be done without time passing.
    fn work(&mut self) -> Option<Happening> {
        let now = self.now_micros();
        loop {
            let awake: Vec<LinkId> = self
                .lines
                .iter()
                .filter(|(_, line)| line.is_awake(now))
                .map(|(id, _)| *id)
                .collect();
            let tasks_first = self.dice.chance(500);
            if tasks_first && self.executor.run_one() {
                continue;
            }
            let Some(id) = self.dice.pick(&awake).copied() else {
                // A real store may have answered behind the look at the connections, and woken one.
                if self.executor.run_one() || self.lines.values().any(|line| line.is_awake(now)) {
                    continue;
                }
                return None;
            };
            match self
                .lines
                .get_mut(&id)
                .map(|line| line.work(now, id, &mut self.dice))
            {
                Some(Step::Received(bytes)) => return Some(Happening::Received(id, bytes)),
                Some(Step::Disconnected) => return Some(Happening::Disconnected(id)),
                Some(Step::Over) => {
                    self.lines.remove(&id);
                }
                Some(Step::Worked) | None => {}
            }
        }
    }

    /// Does something that waits for nothing but the store's answers.
    fn at_once<T>(&self, work: impl FnOnce() -> T) -> T {
        let late = self.memory.answer_at_once();
        let done = work();
        if late {
            self.memory.answer_late();
        }
        done
    }

    fn next_timer_micros(&self) -> Option<u64> {
        let deadlines = self.lines.values().filter_map(Line::deadline_micros);
        deadlines.chain(self.executor.next_timer_micros()).min()
    }

    fn next_disk_micros(&mut self) -> Option<u64> {
        if self.slow_disk && self.memory.held() > 0 && self.disk_at.is_none() {
            self.disk_at = Some(self.now_micros() + self.dice.below(DISK_MICROS_MAX));
        }
        if self.memory.unanswered() > 0 && self.answer_at.is_none() {
            self.answer_at = Some(self.now_micros() + self.dice.below(ANSWER_MICROS_MAX));
        }
        self.disk_at.into_iter().chain(self.answer_at).min()
    }

    fn run_due(&mut self) {
        let now = self.now_micros();
        for line in self.lines.values_mut() {
            line.handle_deadline(now);
        }
        if self.answer_at.is_some_and(|at| at <= now) {
            self.answer_at = None;
            let unanswered = self.memory.unanswered() as u64;
            if unanswered > 0 {
                let which = self.dice.below(unanswered);
                self.memory
                    .answer_one(usize::try_from(which).unwrap_or_default());
            }
        }
        if self.disk_at.is_some_and(|at| at <= now) {
            self.disk_at = None;
            let held = self.memory.held() as u64;
            let durable = self.dice.within(1..held + 1);
            self.memory
                .release_first(usize::try_from(durable).unwrap_or(usize::MAX));
        }
    }
}

impl Drop for World {
    /// Tasks have the server, which has the tasks: a real store would stay open.
    fn drop(&mut self) {
        self.crash();
        self.lines.clear();
    }
}
