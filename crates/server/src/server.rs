//! The server: what all features and connections share.
//!
//! Length: what everything shares is started, staged and released under the rules of one order.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::FutureExt;
use waxwing_stanza::{BareJid, Condition, ErrorType, Reply, StanzaError};
use waxwing_store::{Batch, LogId, Marks, Shape, Store, StoreError};
use waxwing_stream::{Seed, StreamCondition};
use waxwing_wire::{Limits, Stanza, WireError, ns};

use crate::accounts::{self, ACCOUNTS};
use crate::admin::AdminError;
use crate::admission::Admission;
use crate::archive::NextTimer;
use crate::bytestreams::Bytestreams;
use crate::capabilities::Capabilities;
use crate::component::Components;
use crate::confirmed;
use crate::connection::Connection;
use crate::delivery::{Delivery, MESSAGES};
use crate::directory::{Account, Directory};
use crate::effects::{After, Effects};
use crate::ending::Ending;
use crate::external::Names;
use crate::hooks::Sent;
use crate::keep::Fate;
use crate::link::Link;
use crate::live::{Keys, Live};
use crate::metrics::{Metrics, Queues};
use crate::notices::Said;
use crate::options::OptionError;
use crate::outside::Outside;
use crate::pubsub::attachments;
use crate::pubsub::links::Family;
use crate::registry::{Registry, RegistryError};
use crate::release::{Held, OnFailure, Releaser};
use crate::roster_turns::RosterTurns;
use crate::session::Session;
use crate::settings::Settings;
use crate::sharers::Sharers;
use crate::stanza_id::StanzaIds;
use crate::throttle::Throttle;
use crate::uploads::Uploads;
use crate::xep::xep_0050_commands::Runs;
use crate::xep::xep_0175_guests::Guests;
use crate::xep::{self, xep_0198_sm as stream_management};

/// Limits for stanzas that passed the gate and were changed by us: additions must never make them too large, nor too many.
const REPARSE_LIMITS: Limits = Limits {
    stanza_bytes_max: 1024 * 1024,
    ..Limits::SERVER.with_room()
};

/// Reads again what passed the gate, whatever was added to it.
pub(crate) fn read_again(bytes: Bytes) -> Result<Stanza, WireError> {
    Stanza::parse(bytes, ns::CLIENT, &REPARSE_LIMITS)
}

/// Why a server does not start.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// No domain, or one that is none.
    #[error("'{0}' cannot be a domain: {1}")]
    Domain(String, String),
    /// No domain at all.
    #[error("no domain is configured")]
    NoDomain,
    /// A service host that cannot be.
    #[error(
        "'{name}' cannot be a host of {domain}: {reason}. Set '{option}' of that domain to another name, or to an empty text"
    )]
    Host {
        /// The host.
        name: String,
        /// Whose it would be.
        domain: String,
        /// The option that names it.
        option: &'static str,
        /// Why not.
        reason: String,
    },
    /// The key of push services.
    #[error(
        "the key by which push services know the server is none of the curve P-256; another one is"
    )]
    PushKey,
    /// A service beside the server that clients cannot be told of.
    #[error("the external service '{name}' cannot be: {reason}")]
    External {
        /// What the operator calls it.
        name: String,
        /// Why.
        reason: String,
    },
    /// An external component that cannot be.
    #[error("the component '{host}' cannot be served: {reason}")]
    Component {
        /// Its host.
        host: String,
        /// Why not.
        reason: String,
    },
    /// A setting of a feature.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// Two features disagree: a fault of this build.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A stanza's way in.
pub(crate) struct FromClient {
    /// Number of the connection that it came over.
    pub(crate) connection: u64,
    /// What the client is told if the writes do not become durable.
    pub(crate) on_failure: OnFailure,
}

pub(crate) struct Inner {
    domains: Vec<String>,
    pub(crate) live: Live,
    pub(crate) outside: Outside,
    pub(crate) registry: Registry,
    pub(crate) directory: Directory,
    pub(crate) metrics: Metrics,
    throttle: Throttle,
    guests: Guests,
    admission: Admission,
    capabilities: Capabilities,
    releaser: Releaser,
    stanza_ids: StanzaIds,
    runs: Runs,
    uploads: Uploads,
    bytestreams: Bytestreams,
    /// Subscriptions change two rosters at once, each of which is read first.
    rosters: RosterTurns,
    /// A node is read before it is changed, too.
    nodes: RosterTurns,
    sharers: Sharers,
    said: Said,
    pub(crate) components: Components,
    timers: NextTimer,
    /// The newest log id given. Held while a batch is handed to the store, so that ids and commits have one order.
    staging: Mutex<LogId>,
    numbers: AtomicU64,
    /// How many removals of accounts were staged.
    removals: AtomicU64,
    /// How often something that clients log in by was made worthless.
    withdrawals: AtomicU64,
    /// Batches of streams whose effects are still to come.
    unreleased: AtomicU64,
    stopping: AtomicBool,
    ending: Ending,
    started_micros: u64,
}

/// A running server; clones share it.
#[derive(Clone)]
pub struct Server(pub(crate) Arc<Inner>);

/// In which row they wait who change a node, and what stands there.
enum Row {
    /// That of the rosters, by account.
    Rosters,
    /// That of the nodes, by this name.
    Nodes(String),
}

impl Server {
    /// What the store must hold.
    pub fn shapes() -> Vec<Shape> {
        let mut shapes = vec![
            ACCOUNTS.shape(),
            accounts::SECRETS.shape(),
            accounts::REMOVED.shape(),
            crate::throttle::KNOWN.shape(),
            crate::logins::LAST.shape(),
            crate::api_tokens::TOKENS.shape(),
            MESSAGES.shape(),
        ];
        for feature in xep::FEATURES {
            shapes.extend((feature.shapes)());
        }
        shapes
    }

    /// Starts a server on an open store.
    pub async fn start(settings: Settings, outside: Outside) -> Result<Server, StartError> {
        let settings = settings.prepared()?;
        let registry = Registry::new(xep::FEATURES)?;
        let last = outside.store.last_log_id().await?;
        let names = [
            accounts::DECOY_SALTS,
            accounts::ORIGINS,
            accounts::STANZA_IDS,
            accounts::RUNS,
            accounts::RESOURCES,
            accounts::UPLOADS,
            accounts::SERVICE_NAMES,
        ];
        let [
            decoys,
            origins,
            stanza_ids,
            runs,
            resources,
            uploads,
            services,
        ] = accounts::secrets(&outside, names).await?;
        let keys = Keys {
            decoys,
            resources,
            services: Names(services),
        };
        let live = Live::new(&settings, &registry, keys)?;
        let server = Server(Arc::new(Inner {
            domains: settings.domains,
            live,
            registry,
            directory: Directory::default(),
            metrics: Metrics::default(),
            throttle: Throttle::new(origins),
            guests: Guests::default(),
            admission: Admission::default(),
            capabilities: Capabilities::default(),
            releaser: Releaser::default(),
            stanza_ids: StanzaIds::new(stanza_ids),
            runs: Runs::new(runs),
            uploads: Uploads::new(uploads),
            bytestreams: Bytestreams::default(),
            rosters: RosterTurns::new(&*outside.random),
            sharers: Sharers::default(),
            said: Said::default(),
            components: Components::default(),
            timers: NextTimer::default(),
            nodes: RosterTurns::new(&*outside.random),
            staging: Mutex::new(last),
            numbers: AtomicU64::new(1),
            removals: AtomicU64::new(0),
            withdrawals: AtomicU64::new(0),
            unreleased: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
            ending: Ending::default(),
            started_micros: outside.clock.steady_micros(),
            outside,
        }));
        server.start_releases();
        crate::housekeeping::start(&server);
        Ok(server)
    }

    /// Has what follows durable writes happen, for as long as there is a server.
    fn start_releases(&self) {
        let weak = Arc::downgrade(&self.0);
        let releases = std::future::poll_fn(move |cx| match weak.upgrade() {
            Some(inner) => {
                let server = Server(inner);
                server.0.releaser.poll(&server, cx)
            }
            None => std::task::Poll::Ready(()),
        });
        self.0.outside.tasks.spawn(releases.boxed());
    }

    /// A client's new stream.
    pub fn accept(&self, link: Link) -> Connection {
        Connection::new(self.clone(), link)
    }

    /// Ends every stream with `<system-shutdown/>`; new ones are refused the same way.
    pub fn stop(&self) {
        self.0.stopping.store(true, Ordering::SeqCst);
        for session in self.all_sessions() {
            session.kick(StreamCondition::SystemShutdown.into());
        }
        self.admission().wake_all();
    }

    pub(crate) fn admission(&self) -> &Admission {
        &self.0.admission
    }

    /// What clients can, by hash.
    pub(crate) fn capabilities(&self) -> &Capabilities {
        &self.0.capabilities
    }

    /// Whether [`Server::stop`] was called.
    pub fn stopping(&self) -> bool {
        self.0.stopping.load(Ordering::SeqCst)
    }

    /// Whether an admin ends it.
    pub(crate) fn ending(&self) -> &Ending {
        &self.0.ending
    }

    pub(crate) fn throttle(&self) -> &Throttle {
        &self.0.throttle
    }

    /// When messages disappear.
    pub(crate) fn timers(&self) -> &NextTimer {
        &self.0.timers
    }

    /// Names of entries of logs.
    pub(crate) fn stanza_ids(&self) -> &StanzaIds {
        &self.0.stanza_ids
    }

    /// Names of runs of commands.
    pub(crate) fn runs(&self) -> &Runs {
        &self.0.runs
    }

    /// Files that people leave here.
    pub(crate) fn uploads(&self) -> &Uploads {
        &self.0.uploads
    }

    /// Byte streams between clients.
    pub fn bytestreams(&self) -> &Bytestreams {
        &self.0.bytestreams
    }

    pub(crate) fn guests(&self) -> &Guests {
        &self.0.guests
    }

    /// Runs an admin command; the same for all faces.
    pub async fn admin(
        &self,
        command: &str,
        args: serde_json::Value,
    ) -> Result<serde_json::Value, AdminError> {
        crate::admin::run(self, command, args).await
    }

    /// The same, for whoever looks after one domain alone.
    pub async fn admin_within(
        &self,
        domain: &str,
        command: &str,
        args: serde_json::Value,
    ) -> Result<serde_json::Value, AdminError> {
        crate::admin::run_within(self, domain, command, args).await
    }

    /// Counts that somebody went over a limit of the daemon's.
    pub fn note_limit(&self, limit: crate::Limit) {
        self.0.metrics.limit(limit);
    }

    /// Adds the server's metrics.
    pub fn register_metrics(&self, registry: &mut prometheus_client::registry::Registry) {
        let queues = Queues::of(Arc::downgrade(&self.0));
        self.0.metrics.register(self.store(), queues, registry);
    }

    /// Everything that features registered.
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.0.outside.store
    }

    /// Time, randomness, tasks.
    pub fn outside(&self) -> &Outside {
        &self.0.outside
    }

    /// The domains that are served, as JIDs write them.
    pub fn domains(&self) -> &[String] {
        &self.0.domains
    }

    /// Who is here.
    pub fn directory(&self) -> &Directory {
        &self.0.directory
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Whether `domain`, as JIDs write it, is one of ours.
    pub fn serves(&self, domain: &str) -> bool {
        self.0.domains.iter().any(|own| own == domain)
    }

    /// Microseconds since the Unix epoch.
    pub fn now_micros(&self) -> u64 {
        self.0.outside.clock.now_micros()
    }

    /// Microseconds of the clock that nobody sets.
    pub fn steady_micros(&self) -> u64 {
        self.0.outside.clock.steady_micros()
    }

    /// When the server was started, in microseconds of the clock that nobody sets.
    pub fn started_micros(&self) -> u64 {
        self.0.started_micros
    }

    /// Waits for the turn to change the rosters of these accounts.
    pub(crate) async fn roster_turn(&self, accounts: &[&BareJid]) -> crate::effects::Turn {
        self.0.rosters.of(accounts).await
    }

    /// Who shows itself to whom without a subscription.
    pub(crate) fn sharers(&self) -> &Sharers {
        &self.0.sharers
    }

    /// What the domains say to their accounts.
    pub(crate) fn said(&self) -> &Said {
        &self.0.said
    }

    /// Waits for the turn to change everybody's roster.
    pub(crate) async fn turn_of_all_rosters(&self) -> crate::effects::Turn {
        self.0.rosters.of_all().await
    }

    /// Waits for the turn to change a node of a service, with all that is linked to it.
    pub(crate) async fn node_turn(&self, service: &BareJid, node: &str) -> crate::effects::Turn {
        match self.row_of(service, node) {
            Row::Rosters => self.roster_turn(&[service]).await,
            Row::Nodes(name) => self.0.nodes.of_one(&(service, name.as_str())).await,
        }
    }

    /// The same, while nobody changes an account's roster either, nor who sees its presence.
    pub(crate) async fn node_turn_with_roster(
        &self,
        service: &BareJid,
        node: &str,
        account: &BareJid,
    ) -> crate::effects::Turn {
        match self.row_of(service, node) {
            // Both at once, in the order that everybody takes them in: asked for one after the other, they could
            // be the same, and would wait for each other.
            Row::Rosters => self.roster_turn(&[service, account]).await,
            Row::Nodes(name) => {
                let mut turn = self.roster_turn(&[account]).await;
                turn.extend(self.0.nodes.of_one(&(service, name.as_str())).await);
                turn
            }
        }
    }

    /// In which row those wait who change a node.
    fn row_of(&self, service: &BareJid, node: &str) -> Row {
        let node = attachments::ruled_by(service, node);
        match self.registry().family(&node) {
            Some(Family::Roster) => Row::Rosters,
            Some(Family::Named(family)) => Row::Nodes(family.to_owned()),
            None => Row::Nodes(node),
        }
    }

    /// The served domain that `to` names.
    pub(crate) fn domain_of(&self, to: Option<&str>) -> Option<String> {
        let jid: BareJid = to?.parse().ok()?;
        (jid.node().is_none() && self.serves(jid.domain())).then(|| jid.domain().to_owned())
    }

    /// Randomness for one stream or one password.
    pub(crate) fn seed(&self) -> Seed {
        let mut bytes = [0; 32];
        self.0.outside.random.fill(&mut bytes);
        Seed::new(bytes)
    }

    /// A number that nothing else in this process has.
    pub(crate) fn next_number(&self) -> u64 {
        self.0.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// The account, if it exists and is not disabled.
    pub async fn account(&self, jid: &BareJid) -> Result<Option<Arc<Account>>, StanzaError> {
        if let Some(account) = self.0.directory.known(jid) {
            return Ok(Some(account));
        }
        if jid.node().is_none() || !self.serves(jid.domain()) {
            return Ok(None);
        }
        loop {
            let removals = self.0.removals.load(Ordering::SeqCst);
            let stored = accounts::load(self.store(), jid)
                .await
                .map_err(|error| unavailable(&error))?;
            let Some(stored) = stored.filter(|stored| !stored.disabled) else {
                return Ok(None);
            };
            let blocked = crate::blocking::load(self.store(), &accounts::owner(jid))
                .await
                .map_err(|error| unavailable(&error))?;
            let archiving = crate::archive::load(self.store(), &accounts::owner(jid))
                .await
                .map_err(|error| unavailable(&error))?;
            let role = stored.role();
            let account = self.0.directory.note(jid, role, blocked, archiving);
            // What was read may be gone, and who removed it did not see what is noted now.
            if self.0.removals.load(Ordering::SeqCst) == removals {
                return Ok(Some(account));
            }
            self.0.directory.unnote(&account);
        }
    }

    /// Why something of `session` does not go to another server.
    pub(crate) fn beyond(&self, session: &Session) -> StanzaError {
        if session.account.stays_here() {
            let text = "this account reaches only people and services of its own server";
            return StanzaError::from(Condition::Forbidden).with_text(text);
        }
        Condition::RemoteServerNotFound.into()
    }

    /// Validates again what we changed, so that nothing ill-formed ever leaves.
    pub(crate) fn reparse(&self, bytes: Bytes) -> Result<Stanza, StanzaError> {
        read_again(bytes).map_err(|_| Condition::InternalServerError.into())
    }

    /// The error stanza for a stanza that `session` sent; `None` where an error must not be answered.
    pub(crate) fn error_reply(
        &self,
        stanza: &Stanza,
        error: &StanzaError,
        session: &Session,
    ) -> Option<Bytes> {
        if matches!(
            error.condition,
            Condition::PolicyViolation | Condition::ResourceConstraint
        ) {
            self.metrics().limit(crate::Limit::Stored);
        }
        self.store_error_reply(stanza, error, session)
    }

    /// The same, where the store has failed: no account went over a limit of its own.
    pub(crate) fn store_error_reply(
        &self,
        stanza: &Stanza,
        error: &StanzaError,
        session: &Session,
    ) -> Option<Bytes> {
        Reply::new(stanza).to(Some(session.address())).error(error)
    }

    /// Stages what a session's element causes: gives the log id, hands the writes to the store, and
    /// queues the rest behind them. Nothing is awaited.
    ///
    /// A `stanza` that came over a connection which has lost its session to another meanwhile is
    /// dropped: it was not counted, so the client sends it again.
    pub(crate) fn stage(
        &self,
        session: &Arc<Session>,
        effects: Effects,
        stanza: Option<FromClient>,
    ) {
        let Effects {
            mut batch,
            message,
            sent,
            more,
            after: mut follow,
            removes,
            behind_commits,
            exclusive,
        } = effects;
        {
            let mut last = self
                .0
                .staging
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if stanza
                .as_ref()
                .is_some_and(|stanza| session.state().connection != Some(stanza.connection))
            {
                return;
            }
            if session.account.is_removed() {
                // Its sessions are about to end. What one of them still sends is not handled, nor acknowledged.
                if stanza.is_some() {
                    return;
                }
                batch = Batch::new();
            }
            self.enter_logs(&mut last, (message, sent, more), &mut batch, &mut follow);
            let counts = stanza.is_some() && self.count_inbound(session, &mut batch);
            let mut on_failure = stanza.map(|stanza| stanza.on_failure);
            if let Some(account) = removes {
                self.note_removal(&account);
                on_failure = on_failure.map(|on_failure| undo_removal(account, on_failure));
            }
            let held = Held {
                after: follow,
                on_failure,
                counts,
            };
            // What is told because of what others staged, as presence because of a roster, is not told before that is.
            let is_behind = exclusive.is_some() && self.0.unreleased.load(Ordering::SeqCst) > 0;
            let waits = !batch.is_empty() || is_behind || behind_commits;
            let number = session.release.push(held, waits);
            if waits {
                self.submit(session.clone(), number, batch);
            }
        }
        session.release.drain(self, session);
        // What follows at once has followed when another's turn comes.
        drop(exclusive);
    }

    /// Writes what nobody asked for by a stanza, and does what follows once that is durable.
    pub(crate) async fn carry_out(&self, effects: Effects) -> Result<(), StoreError> {
        let Effects {
            mut batch,
            message,
            sent,
            more,
            after: mut follow,
            removes: _,
            // It waits for its own commit, which is the last.
            behind_commits: _,
            exclusive,
        } = effects;
        let committed = {
            let mut last = self
                .0
                .staging
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            self.enter_logs(&mut last, (message, sent, more), &mut batch, &mut follow);
            self.store().commit(batch)
        };
        committed.await?;
        for after in follow {
            after.run(self);
        }
        drop(exclusive);
        Ok(())
    }

    /// Gives messages their places in logs; they are delivered with what follows, the one that was sent before all else.
    fn enter_logs(
        &self,
        last: &mut LogId,
        (message, sent, more): (Option<Box<Delivery>>, Option<Box<Sent>>, Vec<Delivery>),
        batch: &mut Batch,
        follow: &mut Vec<After>,
    ) {
        if let Some(mut delivery) = message {
            self.enter_log(last, &mut delivery, batch);
            follow.insert(0, After::Message(delivery));
        }
        if let Some(mut sent) = sent {
            if sent.is_archived && !sent.session.account.is_removed() {
                let id = self.next_entry(last, &sent.fate);
                sent.enter_log(id, &self.0.stanza_ids, batch);
            }
            follow.push(After::Sent(sent));
        }
        for mut delivery in more {
            self.enter_log(last, &mut delivery, batch);
            follow.push(After::Message(Box::new(delivery)));
        }
    }

    /// Gives a message that is kept the next id of the log.
    fn enter_log(&self, last: &mut LogId, delivery: &mut Delivery, batch: &mut Batch) {
        // Nobody has it any more: its sender is told so.
        if delivery.account.is_removed() {
            delivery.marks = Marks::NONE;
        }
        if delivery.marks != Marks::NONE {
            let id = self.next_entry(last, &delivery.fate);
            delivery.account.note_log(id);
            delivery.enter_log(id, &self.0.stanza_ids, batch);
        }
    }

    /// The place of the next entry of any log.
    fn next_entry(&self, last: &mut LogId, fate: &Fate) -> LogId {
        *last = LogId(self.now_micros().max(last.0 + 1));
        if let Some(secs) = fate.timer_secs {
            self.0.timers.note(*last, secs);
        }
        *last
    }

    /// Hands an account's removal to the store, at the call; whatever is staged from then on stores nothing for it.
    pub(crate) fn commit_removal(
        &self,
        account: &Account,
        batch: Batch,
    ) -> impl Future<Output = Result<waxwing_store::Committed, StoreError>> + Send + use<> {
        self.while_nothing_is_staged(|| {
            self.note_removal(account);
            self.store().commit(batch)
        })
    }

    /// The removal of an account is being staged.
    fn note_removal(&self, account: &Account) {
        account.set_removed(true);
        self.0.removals.fetch_add(1, Ordering::SeqCst);
    }

    /// Queues `after` behind everything that was handed to the store until now.
    pub(crate) fn stage_behind_commits(&self, session: &Arc<Session>, after: Vec<After>) {
        {
            let _order = self
                .0
                .staging
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let number = session.release.push(
                Held {
                    after,
                    on_failure: None,
                    counts: false,
                },
                true,
            );
            self.submit(session.clone(), number, Batch::new());
        }
        session.release.drain(self, session);
    }

    /// Runs `check` while no log entry can be staged.
    pub(crate) fn while_nothing_is_staged<T>(&self, check: impl FnOnce() -> T) -> T {
        let _order = self
            .0
            .staging
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        check()
    }

    fn submit(&self, session: Arc<Session>, number: u64, batch: Batch) {
        let inner = self.0.clone();
        let since = self.steady_micros();
        self.0.unreleased.fetch_add(1, Ordering::SeqCst);
        let done = move |result: Result<waxwing_store::Committed, StoreError>| {
            inner.metrics.commit(
                inner.outside.clock.steady_micros().saturating_sub(since),
                result.as_ref().err(),
            );
            inner.releaser.note(session, number, result.map(|_| ()));
        };
        self.store().submit(batch, done);
    }

    /// What a batch of a stream had to cause has come.
    pub(crate) fn note_released(&self) {
        self.0.unreleased.fetch_sub(1, Ordering::SeqCst);
    }

    /// Writes down how many of the stream's stanzas are handled with this commit, so that
    /// `<failed h='…'/>` is exact after a restart (XEP-0198 §5). Says whether the stream counts at all.
    fn count_inbound(&self, session: &Session, batch: &mut Batch) -> bool {
        let mut state = session.state();
        let Some(resumable) = state.sm.as_mut() else {
            return false;
        };
        resumable.sm.handle_stanza();
        stream_management::note_count(self, session, resumable, batch);
        true
    }

    /// How often something that clients log in by was made worthless until now: where nothing was meanwhile, what was proved
    /// still holds.
    pub(crate) fn withdrawals(&self) -> u64 {
        self.0.withdrawals.load(Ordering::SeqCst)
    }

    /// A password has changed, or a token was taken back.
    pub(crate) fn note_withdrawal(&self) {
        self.0.withdrawals.fetch_add(1, Ordering::SeqCst);
    }

    /// Clears *undelivered* from entries that a client has, once no other session has to read them.
    pub(crate) fn confirm_delivered(&self, session: &Session, ids: Vec<LogId>) {
        if !ids.is_empty() {
            let settled = confirmed::settle(session, ids);
            self.clear_undelivered(&session.account, &settled);
        }
    }

    /// Clears *undelivered* from what was confirmed before a session had read it, which has caught up or is gone.
    pub(crate) fn release_confirmed(&self, account: &Account) {
        self.clear_undelivered(account, &confirmed::release(account));
    }

    fn clear_undelivered(&self, account: &Account, ids: &[LogId]) {
        if ids.is_empty() {
            return;
        }
        let mut batch = Batch::new();
        batch.unhurried();
        batch.clear_marks(&MESSAGES, &account.owner, ids, crate::delivery::UNDELIVERED);
        let inner = self.0.clone();
        self.store().submit(batch, move |result| {
            if let Err(error) = result {
                // Harmless: the entries are delivered once more, with the same stanza-ids.
                inner.metrics.commit_failed();
                tracing::warn!(%error, "a delivery could not be noted");
            }
        });
        account.waiting.forget();
    }
}

/// An account whose removal did not become durable is there as before.
fn undo_removal(account: Arc<Account>, on_failure: OnFailure) -> OnFailure {
    Box::new(move |error: &StoreError| {
        account.set_removed(false);
        on_failure(error)
    })
}

/// The stanza error for a store that does not answer, or has no room.
pub(crate) fn unavailable(error: &StoreError) -> StanzaError {
    match error {
        StoreError::DiskFull => {
            return StanzaError::from(Condition::ResourceConstraint).with_type(ErrorType::Wait);
        }
        // The store says once that it cannot write, is damaged or away, and not for each stanza.
        StoreError::Unwritable { .. }
        | StoreError::Damaged { .. }
        | StoreError::Unreachable { .. } => {}
        error => tracing::error!(%error, "the store failed"),
    }
    StanzaError::from(Condition::InternalServerError).with_type(ErrorType::Wait)
}
