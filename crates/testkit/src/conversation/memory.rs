//! Conversations in memory: a server in a simulated world.

use std::collections::BTreeMap;

use waxwing_server::{ComponentSettings, Security, Settings, TokenSecret};
use waxwing_stanza::BareJid;
use waxwing_stream::component::Secret;
use waxwing_stream::sasl::TlsBinding;

use super::network::{Happened, Network, Transport, Wait};
use super::{Cast, DOMAIN, Failure, PASSWORD, Runner, Section};
use crate::dice::Seed;
use crate::world::{Happening, LinkId, RealStore, World};

/// Plays a section against a server of its own. The seed decides how bytes are cut and in what order
/// tasks run.
///
/// # Errors
/// The first thing that goes otherwise.
pub fn run_in_memory(path: &str, section: &Section, seed: Seed) -> Result<(), Failure> {
    run(path, section, seed, None)
}

/// The same with a server that stores for real, on an empty store: its answers take no simulated time.
///
/// # Errors
/// The first thing that goes otherwise.
pub fn run_on(path: &str, section: &Section, seed: Seed, store: RealStore) -> Result<(), Failure> {
    run(path, section, seed, Some(store))
}

fn run(path: &str, section: &Section, seed: Seed, store: Option<RealStore>) -> Result<(), Failure> {
    let world = world(&section.cast, seed.of(0), store).map_err(|what| Failure {
        path: path.to_owned(),
        line: section.line,
        what,
    })?;
    Runner::new(world, seed.of(1))
        .play(path, section)
        .map_err(|mut failure| {
            failure.what.push_str(&format!("\n  (seed {seed})"));
            failure
        })
}

fn world(cast: &Cast, seed: Seed, store: Option<RealStore>) -> Result<World, String> {
    let settings = Settings {
        domains: std::iter::once(DOMAIN.to_owned())
            .chain(cast.domains.keys().cloned())
            .collect(),
        registration: cast.registration.unwrap_or_default(),
        domain_registration: cast.domains.clone(),
        options: cast.options.clone(),
        token_keys: vec![TokenSecret::new([7; 32])],
        push_key: Some(TokenSecret::new([7; 32])),
        components: components(cast)?,
        external: cast.external.clone(),
        ..Settings::default()
    };
    let mut world = World::on(settings, seed, store).map_err(|error| error.to_string())?;
    for account in cast.accounts() {
        let jid: Result<BareJid, _> = format!("{account}@{DOMAIN}").parse();
        let jid = jid.map_err(|error| error.to_string())?;
        world
            .add_account(&jid, PASSWORD)
            .map_err(|error| error.to_string())?;
    }
    Ok(world)
}

/// The components of the cast, which all know the password.
fn components(cast: &Cast) -> Result<BTreeMap<String, ComponentSettings>, String> {
    let secret = Secret::new(PASSWORD).map_err(|error| error.to_string())?;
    let all = cast.components.iter().map(|(name, grants)| {
        let settings = ComponentSettings {
            secret: secret.clone(),
            grants: grants.clone(),
        };
        (format!("{name}.{DOMAIN}"), settings)
    });
    Ok(all.collect())
}

impl Network for World {
    type Link = LinkId;

    fn connect(&mut self, transport: Transport) -> Result<LinkId, String> {
        Ok(match transport {
            Transport::StartTls => World::connect(self, &Security::StartTls),
            Transport::Plain => World::connect(self, &Security::PlainLoopback),
            Transport::Component => self.connect_component(),
        })
    }

    fn write(&mut self, link: LinkId, bytes: &[u8]) {
        World::write(self, link, bytes);
    }

    fn start_tls(&mut self, link: LinkId) -> Result<TlsBinding, String> {
        Ok(World::binding(link))
    }

    fn close(&mut self, link: LinkId) {
        World::close(self, link);
    }

    fn next(&mut self, wait: Wait) -> Happened<LinkId> {
        let until = match wait {
            Wait::Answer | Wait::Moment => self.now_micros(),
            Wait::Until(micros) => micros,
        };
        match World::next(self, until) {
            Happening::Received(link, bytes) => Happened::Received(link, bytes),
            Happening::Disconnected(link) => Happened::Disconnected(link),
            Happening::Idle => Happened::Nothing,
        }
    }

    fn now_micros(&self) -> u64 {
        World::now_micros(self)
    }

    fn restart(&mut self, in_order: bool) -> Result<(), String> {
        if in_order {
            self.stop();
            let now = self.now_micros();
            while World::next(self, now) != Happening::Idle {}
        }
        self.crash();
        self.start().map_err(|error| error.to_string())
    }

    fn operate(&mut self, command: &str, account: &str) -> Result<(), String> {
        let mut args = serde_json::json!({ "jid": format!("{account}@{DOMAIN}") });
        let (command, role) = match command.split_once(' ') {
            Some((command, role)) => (command, Some(role)),
            None => (command, None),
        };
        if let (Some(role), Some(args)) = (role, args.as_object_mut()) {
            args.insert("role".to_owned(), role.into());
        }
        self.admin(&format!("account {command}"), args)
            .map(|_| ())
            .map_err(|error| error.to_string())
    }

    fn is_exact(&self) -> bool {
        true
    }
}
