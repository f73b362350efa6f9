//! One run: the clients, what they measure, and the server's processes.

mod measuring;
mod parts;
mod steered;

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::mpsc::Receiver;
use tokio::sync::{Barrier, Notify};
use tokio::time::{sleep, timeout};
use waxwing_dial::{DialError, Dialer, Place, Session, Stream};
use waxwing_stanza::xep::xep_0060_pubsub::NS_EVENT;
use waxwing_stream::client::{self, NegotiationError, Unlisted};
use waxwing_stream::sasl::Mechanism;
use waxwing_wire::Stanza;

use crate::accounts::Account;
use crate::figures::{Counted, Figures, Timed};
use crate::ledger::{Ledger, Mark};
use crate::pace::{Tick, micros, ticks};
use crate::process::Watched;
use crate::scenario::Plan;
use crate::target::{Target, TargetError};

pub use measuring::Readings;
pub use parts::PART_CLIENTS_MIN;
pub use steered::{Orders, Steered, leave};

/// How long presence may take to come back to its sender.
const PRESENCE_SECS_MAX: u64 = 60;

/// Messages that may be under way, in the server or here, before what is planned is left out.
const OPEN_MAX: u64 = 1_000_000;
/// Bytes of them.
const OPEN_BYTES_MAX: u64 = 1 << 30;
/// Bytes of a message but for its text, about.
const MESSAGE_BYTES: u64 = 300;

/// What clients ask first, and who does not is not told of changes.
const ROSTER: &[u8] = b"<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>";

/// Asks that a message is not stored (XEP-0334 §4.2).
const NO_STORE: &str = "<no-store xmlns='urn:xmpp:hints'/>";

/// A run under way, or a part of it that has clients of its own.
pub struct Run {
    /// What is to be done.
    pub plan: Plan,
    /// As whom.
    pub accounts: Vec<Account>,
    /// Number of the first of them among all of the run.
    first: u32,
    shared: Rc<Shared>,
}

/// What the parts of a run have in common.
struct Shared {
    dialer: Dialer,
    place: Place,
    began: Instant,
    figures: RefCell<Figures>,
    /// Numbers of those whose accounts were made in this run.
    made: RefCell<HashSet<u32>>,
    /// Why the server makes no account, for which all others need not be asked.
    refusal: RefCell<Option<String>>,
    refused: Notify,
    /// What is going on, for who watches.
    stage: Cell<&'static str>,
    processes: RefCell<Watched>,
    usage: Cell<Readings>,
    /// Parts that have something to measure begin together.
    ready: Barrier,
    /// Parts that have begun and not ended.
    measuring: Cell<usize>,
}

/// A client that is logged in.
pub struct Client {
    /// Its number.
    pub number: u32,
    /// Its stream.
    pub stream: Stream,
    counted: Counted,
}

impl Client {
    /// Closes the stream; the session counts no longer.
    pub async fn close(self) {
        drop(self.counted);
        self.stream.close().await;
    }
}

impl Run {
    /// A run that is about to begin.
    ///
    /// # Errors
    /// The server cannot be reached in the way that was asked for.
    pub fn new(
        plan: Plan,
        accounts: Vec<Account>,
        target: &Target,
        processes: &[u32],
    ) -> Result<Rc<Run>, TargetError> {
        let shared = Shared {
            dialer: target.dialer()?,
            place: target.place(),
            began: Instant::now(),
            figures: RefCell::new(Figures::new(Ledger::new(random().unwrap_or_default()))),
            made: RefCell::default(),
            refusal: RefCell::default(),
            refused: Notify::new(),
            stage: Cell::new("begins"),
            processes: RefCell::new(Watched::new(processes)),
            usage: Cell::default(),
            ready: Barrier::new(plan.mix.len().max(1)),
            measuring: Cell::new(0),
        };
        let run = Run {
            plan,
            accounts,
            first: 0,
            shared: Rc::new(shared),
        };
        let empty = run.read_usage();
        run.note(|readings| readings.empty = empty);
        Ok(Rc::new(run))
    }

    /// Microseconds since the run began.
    #[must_use]
    pub fn now_micros(&self) -> u64 {
        micros(self.shared.began.elapsed())
    }

    /// Does something to the figures.
    pub fn figures<T>(&self, with: impl FnOnce(&mut Figures) -> T) -> T {
        with(&mut self.shared.figures.borrow_mut())
    }

    /// What is going on.
    #[must_use]
    pub fn stage(&self) -> &'static str {
        self.shared.stage.get()
    }

    /// Says what is going on.
    pub fn enter(&self, stage: &'static str) {
        self.shared.stage.set(stage);
    }

    /// Waits until the server refuses to make an account.
    pub async fn refused(&self) {
        self.shared.refused.notified().await;
    }

    /// For whom the server makes no account, and why, if it does not.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        self.shared.refusal.borrow().clone()
    }

    /// The ticks of a rate for as long as the plan says.
    #[must_use]
    pub fn ticks(&self, rate: crate::units::Rate) -> Receiver<Tick> {
        ticks(self.shared.began, rate, self.plan.duration)
    }

    fn settings(&self, number: u32) -> Option<client::Settings> {
        let account = self.accounts.get(number as usize)?;
        let mut settings = client::Settings::new(account.jid.clone(), account.password.clone());
        settings.resource = Some("load".to_owned());
        // The server under load is known by its address, and old ones are to be reached too.
        settings.unlisted = Unlisted::Unbound;
        let is_made = |number| self.shared.made.borrow().contains(&number);
        settings.register = self.plan.register && !is_made(self.first + number);
        settings.iterations = 1..=*settings.iterations.end();
        if let Some(mechanism) = self.plan.mechanism {
            settings.mechanisms = vec![mechanism];
        } else if self.plan.plain_passwords {
            settings.mechanisms.push(Mechanism::Plain);
        }
        if !self.plan.stream_management {
            settings.stream_management = None;
        }
        Some(settings)
    }

    /// Logs one client in. What goes wrong is counted.
    pub async fn login(&self, number: u32) -> Option<Client> {
        self.login_as(number, Some("load".to_owned())).await
    }

    /// Logs one client in by this resource, or one that the server makes.
    pub async fn login_as(&self, number: u32, resource: Option<String>) -> Option<Client> {
        let settings = client::Settings {
            resource,
            ..self.settings(number)?
        };
        match self
            .shared
            .dialer
            .login(settings, &self.shared.place, seed()?)
            .await
        {
            Ok(stream) => {
                self.shared.made.borrow_mut().insert(self.first + number);
                let counted = self.figures(|figures| figures.count());
                Some(Client {
                    number,
                    stream,
                    counted,
                })
            }
            Err(error) => {
                let is_refusal = matches!(
                    error,
                    DialError::Stream(NegotiationError::RegistrationRefused(_))
                );
                if is_refusal && let Some(account) = self.accounts.get(number as usize) {
                    let refusal = format!("{}: {error}", account.jid);
                    self.shared.refusal.borrow_mut().get_or_insert(refusal);
                    self.shared.refused.notify_one();
                }
                self.failed("log-in", &error);
                None
            }
        }
    }

    /// Takes a session up again. What goes wrong is counted.
    pub async fn resume(&self, number: u32, session: Session) -> Option<Client> {
        let settings = self.settings(number)?;
        match self
            .shared
            .dialer
            .resume(session, settings, &self.shared.place, seed()?)
            .await
        {
            Ok(stream) => {
                if !stream.is_resumed() {
                    self.figures(|figures| figures.error("resumption: another session was begun"));
                }
                let counted = self.figures(|figures| figures.count());
                Some(Client {
                    number,
                    stream,
                    counted,
                })
            }
            Err(failed) => {
                self.failed("resumption", &failed.error);
                None
            }
        }
    }

    fn failed(&self, what: &str, error: &DialError) {
        let hint = match error {
            DialError::Connect(ErrorKind::AddrNotAvailable | ErrorKind::AddrInUse) => {
                "; --source names more addresses"
            }
            _ => "",
        };
        self.figures(|figures| figures.error(format!("{what}: {error}{hint}")));
    }

    /// Makes the accounts, where that is asked for and a log-in would be measured with it.
    pub async fn register_all(&self) {
        if !self.plan.register {
            return;
        }
        let numbers = 0..u32::try_from(self.plan.clients).unwrap_or(u32::MAX);
        let is_made = |number: &u32| self.shared.made.borrow().contains(&(self.first + number));
        let numbers = numbers.filter(|number| !is_made(number));
        self.enter("making accounts");
        let visits = numbers.map(|number| async move {
            if let Some(client) = self.login(number).await {
                client.close().await;
            }
        });
        let visits = futures_util::stream::iter(visits).buffer_unordered(self.plan.at_once);
        visits.for_each(|()| async {}).await;
    }

    /// Logs all clients of the plan in, a few at a time, makes them available, and drives them from then on: who is in
    /// waits for the others. `came` is called for each stanza that comes to a client, by its number, after it was counted.
    pub async fn login_all(
        self: &Rc<Self>,
        came: impl Fn(u32, &Stanza) + Clone + 'static,
    ) -> Vec<Steered> {
        self.enter("logging in");
        let numbers = 0..u32::try_from(self.plan.clients).unwrap_or(u32::MAX);
        let logins = numbers.map(|number| {
            let came = came.clone();
            async move {
                let client = self.login(number).await?;
                self.steer(client, move |stanza| came(number, stanza)).await
            }
        });
        let logins = futures_util::stream::iter(logins).buffer_unordered(self.plan.at_once);
        let here: Vec<Option<Steered>> = logins.collect().await;
        let mut here: Vec<Steered> = here.into_iter().flatten().collect();
        // Who has gone meanwhile was counted.
        here.retain(|one| !one.orders.is_closed());
        here.sort_by_key(|one| one.number);
        here
    }

    /// Makes a client available and drives it from then on; `None` where its presence did not come back.
    pub async fn steer(
        self: &Rc<Self>,
        mut client: Client,
        came: impl Fn(&Stanza) + 'static,
    ) -> Option<Steered> {
        let is_shown = self.show(&mut client, &came).await;
        is_shown.then(|| Steered::new(self, client, came))
    }

    /// Asks for a client's roster and sends its presence, as clients do, and waits until that has come back; whether it
    /// has. `came` is called for each other stanza, after it was counted.
    async fn show(&self, client: &mut Client, came: impl Fn(&Stanza)) -> bool {
        let limit = Duration::from_secs(PRESENCE_SECS_MAX);
        let shown = timeout(limit, async {
            let roster = client.stream.queue(Bytes::from_static(ROSTER));
            roster.map_err(|error| error.to_string())?;
            let presence = Bytes::from_static(b"<presence/>");
            client
                .stream
                .send(presence)
                .await
                .map_err(|error| error.to_string())?;
            let own = client.stream.jid().clone();
            loop {
                let stanza = client.stream.next().await.map_err(|end| end.to_string())?;
                let is_own =
                    stanza.name() == "presence" && stanza.from().as_deref() == Some(own.as_str());
                if is_own {
                    return Ok(());
                }
                self.take(client.number, &stanza);
                came(&stanza);
            }
        });
        let error = match shown.await {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => error,
            Err(_elapsed) => "it did not come back".to_owned(),
        };
        self.figures(|figures| figures.error(format!("presence: {error}")));
        false
    }

    /// A stanza came to a client. Of what comes only messages of this run count by themselves: what else a scenario is
    /// about it counts itself ([`Figures::delivered`]).
    pub fn take(&self, number: u32, stanza: &Stanza) {
        let now = self.now_micros();
        self.figures(|figures| match stanza.name() {
            "message" if stanza.kind().as_deref() == Some("error") => {
                match mark_of(stanza) {
                    // Who it was for is who answers for it.
                    Some(mark) => figures.came_back(self.first + self.partner(number), mark),
                    None => figures.error("a message came back as an error"),
                }
            }
            "message" => {
                if let Some(mark) = mark_of(stanza) {
                    figures.came(self.first + number, mark, now);
                }
            }
            "iq" if stanza.kind().as_deref() == Some("error") => {
                figures.error("a request was refused");
            }
            _ => {}
        });
    }

    /// Which client of this part sent a message.
    #[must_use]
    pub fn sender(&self, message: &Stanza) -> Option<u32> {
        let mark = message.id().as_deref().and_then(Mark::read)?;
        mark.from.checked_sub(self.first)
    }

    /// A chat message from one client to another's account, planned for then.
    #[must_use]
    pub fn message(&self, from: u32, to: u32, planned_micros: u64) -> Option<Bytes> {
        let jid = &self.accounts.get(to as usize)?.jid;
        let mark = self.figures(|figures| {
            figures
                .ledger
                .send(self.first + from, self.first + to, planned_micros)
        });
        let body = &self.plan.body;
        let hint = if self.plan.no_store { NO_STORE } else { "" };
        Some(
            format!(
                "<message to='{jid}' type='chat' id='{mark}'><body>{body}</body>{hint}</message>"
            )
            .into(),
        )
    }

    /// The name of an item that one client publishes for these others, planned for then.
    #[must_use]
    pub fn item(&self, from: u32, to: &[u32], planned_micros: u64) -> Option<String> {
        let mut name = None;
        for to in to {
            let (from, to) = (self.first + from, self.first + to);
            let mark = self.figures(|figures| figures.ledger.send(from, to, planned_micros));
            // All of them are told the same, and have been told as much before.
            name.get_or_insert(mark);
        }
        name.map(|mark| mark.to_string())
    }

    /// Whether one more message may be under way; counts it as an error where not. What a server does not take has to wait
    /// here.
    pub fn has_room(&self) -> bool {
        let bytes = self.plan.body.len() as u64 + MESSAGE_BYTES;
        let open_max = OPEN_MAX.min(OPEN_BYTES_MAX / bytes);
        self.figures(|figures| {
            let has_room = figures.ledger.open() < open_max;
            if !has_room {
                figures.error(format!(
                    "message: not sent, {open_max} others were under way"
                ));
            }
            has_room
        })
    }

    /// Waits until everything that was sent has come, but no longer than the plan says.
    pub async fn settle(&self) {
        self.enter("waiting for the last ones");
        let until = Instant::now() + self.plan.settle;
        while self.figures(|figures| figures.ledger.open()) > 0 && Instant::now() < until {
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Whoever is meant to talk to this client.
    #[must_use]
    pub fn partner(&self, number: u32) -> u32 {
        let other = number ^ 1;
        if (other as usize) < self.plan.clients {
            other
        } else {
            0
        }
    }

    /// Notes how long something took that was planned for then.
    pub fn timed(&self, what: Timed, planned_micros: u64) {
        let took = self.now_micros().saturating_sub(planned_micros);
        self.figures(|figures| figures.timed(what, took));
    }
}

/// The mark of a message, or of the item that it tells of (XEP-0060).
fn mark_of(message: &Stanza) -> Option<Mark> {
    let own = message.id().as_deref().and_then(Mark::read);
    own.or_else(|| {
        let event = message.child(NS_EVENT, "event")?.element();
        let items = event.child(NS_EVENT, "items")?;
        Mark::read(items.child(NS_EVENT, "item")?.attr("id")?)
    })
}

/// A number that other runs do not have.
fn random() -> Option<u32> {
    let [a, b, c, d, ..] = seed()?;
    Some(u32::from_be_bytes([a, b, c, d]))
}

/// Randomness of one stream; `None` where the system has none, which it always has.
fn seed() -> Option<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).ok()?;
    Some(seed)
}
