//! What clients do. A scenario is one file, which has its constant `SCENARIO`, and one line in the list below.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use waxwing_stream::sasl::Mechanism;

use crate::run::Run;
use crate::units::Rate;

macro_rules! scenarios {
    ($($name:ident)*) => {
        $(mod $name;)*

        /// All scenarios.
        pub static SCENARIOS: &[Scenario] = &[$($name::SCENARIO),*];
    };
}

scenarios! {
    login
    idle
    chat
    flood
    presence
    reconnect
    offline
    pubsub
    mixed
    prepare
}

/// What clients do, from the first log-in to the last farewell.
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it does, in a line.
    pub about: &'static str,
    /// Whether it needs a rate.
    pub rate: Need,
    /// Fewer clients than these have nothing to do.
    pub clients_min: usize,
    /// Does it.
    pub play: fn(Rc<Run>) -> Playing,
}

/// A scenario that is being played.
pub type Playing = Pin<Box<dyn Future<Output = ()>>>;

/// Whether something has to be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// It has to.
    Must,
    /// It may.
    May,
    /// It says nothing here.
    No,
}

/// The scenario of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Scenario> {
    SCENARIOS.iter().find(|scenario| scenario.name == name)
}

/// How a scenario is to be played.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many clients there are.
    pub clients: usize,
    /// How often what the scenario does is done, by all clients together.
    pub rate: Option<Rate>,
    /// How long it is measured.
    pub duration: Duration,
    /// How long the last messages are waited for.
    pub settle: Duration,
    /// How many log in at once, where no rate says when.
    pub at_once: usize,
    /// Messages under way from each client, where they come as fast as they go.
    pub window: usize,
    /// Contacts of each client, where the scenario makes rosters.
    pub roster: usize,
    /// What is said.
    pub body: String,
    /// Whether messages ask not to be stored (XEP-0334).
    pub no_store: bool,
    /// Whether each client makes its account first.
    pub register: bool,
    /// The only mechanism to log in by.
    pub mechanism: Option<Mechanism>,
    /// Whether passwords may be sent, inside TLS, to servers that know no other way.
    pub plain_passwords: bool,
    /// Whether clients use stream management (XEP-0198).
    pub stream_management: bool,
    /// Parts of a mixed run, with their weights.
    pub mix: Vec<(&'static Scenario, f64)>,
}

impl std::fmt::Debug for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}
