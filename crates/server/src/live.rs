//! What can change while the server runs.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use waxwing_stream::sasl::TokenKey;
use waxwing_stream::server::Settings as StreamSettings;

use crate::addressee::Place;
use crate::component::settings::{self as components, Served};
use crate::external::{self, Names, Services};
use crate::hosts::Hosts;
use crate::login::Common;
use crate::options::Options;
use crate::push::vapid::Vapid;
use crate::registry::Registry;
use crate::server::{Server, StartError};
use crate::settings::{Registration, SCRAM_ITERATIONS, Settings};
use crate::xep::xep_0484_fast::TOKEN_DAYS;

/// Keys that the server made for itself.
#[derive(Clone, Copy)]
pub(crate) struct Keys {
    /// What salts of accounts that do not exist are made from.
    pub(crate) decoys: [u8; 32],
    /// What resources that clients keep are made from (XEP-0386 §3.2.1), and what they are called to their owners.
    pub(crate) resources: [u8; 32],
    /// What TURN servers call people by.
    pub(crate) services: Names,
}

/// The settings that count at the moment. Who asks gets them as they are, and keeps them as long as it likes.
pub(crate) struct Live {
    now: RwLock<Now>,
    keys: Keys,
}

#[derive(Clone)]
struct Now {
    /// By domain.
    registration: BTreeMap<String, Registration>,
    options: Arc<Options>,
    /// By domain.
    domain_options: BTreeMap<String, Arc<Options>>,
    hosts: Arc<Hosts>,
    /// By host.
    components: Arc<BTreeMap<String, Served>>,
    /// By what the operator calls them.
    services: Services,
    stream: Arc<StreamSettings>,
    /// By what push services know the server.
    vapid: Option<Arc<Vapid>>,
}

impl Live {
    pub(crate) fn new(
        settings: &Settings,
        registry: &Registry,
        keys: Keys,
    ) -> Result<Live, StartError> {
        let now = Now::new(settings, &settings.domains, registry, keys)?;
        Ok(Live {
            now: RwLock::new(now),
            keys,
        })
    }

    fn now<T>(&self, look: impl FnOnce(&Now) -> T) -> T {
        look(&self.now.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Now {
    fn new(
        settings: &Settings,
        domains: &[String],
        registry: &Registry,
        keys: Keys,
    ) -> Result<Now, StartError> {
        let options = settings.checked_options()?;
        let mut of_domains = settings.checked_domain_options()?;
        let domain_options: BTreeMap<_, _> = domains
            .iter()
            .map(|domain| {
                let own = of_domains.remove(domain);
                (domain.clone(), own.unwrap_or_else(|| options.clone()))
            })
            .collect();
        let hosts = Hosts::new(&domain_options)?;
        let components = components::checked(&settings.components, domains, &hosts)?;
        external::check(&settings.external)?;
        let registration = domains.iter().map(|domain| {
            let mode = settings.registration_of(domain);
            (domain.clone(), mode)
        });
        let registration = registration.collect();
        let common = Common {
            domains: &domain_options,
            default: domains.first().map_or("", String::as_str),
            keys,
            token_keys: &settings.token_keys,
            iterations: iterations(&options),
            token_days: options.number(&TOKEN_DAYS),
        };
        let vapid = match &settings.push_key {
            Some(secret) => Some(Arc::new(Vapid::new(secret).ok_or(StartError::PushKey)?)),
            None => None,
        };
        Ok(Now {
            vapid,
            stream: crate::login::settings(&common, registry),
            registration,
            options: Arc::new(options),
            hosts: Arc::new(hosts),
            components: Arc::new(components),
            services: Arc::new(settings.external.clone()),
            domain_options: domain_options
                .into_iter()
                .map(|(domain, options)| (domain, Arc::new(options)))
                .collect(),
        })
    }
}

fn iterations(options: &Options) -> u32 {
    u32::try_from(options.number(&SCRAM_ITERATIONS)).unwrap_or(u32::MAX)
}

impl Server {
    /// What resources of clients are made from.
    pub(crate) fn resource_key(&self) -> TokenKey {
        TokenKey::new(self.0.live.keys.resources)
    }

    /// Takes other settings: registration and the options of features. Streams that are there stay; what is decided
    /// when a stream begins holds for new ones. The domains stay those that the server was started with.
    ///
    /// # Errors
    /// [`StartError`] where a server could not start with these settings; nothing has changed then.
    pub fn reload(&self, settings: Settings) -> Result<(), StartError> {
        let settings = settings.prepared()?;
        let live = &self.0.live;
        let now = Now::new(&settings, self.domains(), self.registry(), live.keys)?;
        let before = self.component_settings();
        *live.now.write().unwrap_or_else(PoisonError::into_inner) = now;
        crate::component::follow_settings(self, &before);
        crate::housekeeping::follow_settings(self);
        Ok(())
    }

    /// Settings of features.
    pub fn options(&self) -> Arc<Options> {
        self.0.live.now(|now| now.options.clone())
    }

    /// Settings of features at one domain; those of all for a domain that is not served.
    pub fn options_of(&self, domain: &str) -> Arc<Options> {
        let of = |now: &Now| now.domain_options.get(domain).cloned();
        self.0.live.now(of).unwrap_or_else(|| self.options())
    }

    /// The service hosts of all domains.
    pub fn hosts(&self) -> Arc<Hosts> {
        self.0.live.now(|now| now.hosts.clone())
    }

    /// What of ours `domain` names, as JIDs write it; `None` for what others have.
    pub fn place(&self, domain: &str) -> Option<Place> {
        if self.serves(domain) {
            return Some(Place::Domain);
        }
        self.0.live.now(|now| {
            let service = now.hosts.get(domain).map(|host| Place::Host(host.service));
            let component = || {
                let is_one = now.components.contains_key(domain);
                is_one.then_some(Place::Component)
            };
            service.or_else(component)
        })
    }

    /// The components that may connect, by host.
    pub(crate) fn component_settings(&self) -> Arc<BTreeMap<String, Served>> {
        self.0.live.now(|now| now.components.clone())
    }

    /// The services beside the server, and what makes names for people there.
    pub(crate) fn external_services(&self) -> (Services, Names) {
        let live = &self.0.live;
        (live.now(|now| now.services.clone()), live.keys.services)
    }

    /// Who may make an account at a domain; nobody where it is not served.
    pub fn registration_of(&self, domain: &str) -> Registration {
        let of = |now: &Now| now.registration.get(domain).copied();
        self.0.live.now(of).unwrap_or(Registration::Closed)
    }

    /// By what push services know the server, if it has a key.
    pub(crate) fn vapid(&self) -> Option<Arc<Vapid>> {
        self.0.live.now(|now| now.vapid.clone())
    }

    pub(crate) fn stream_settings(&self) -> Arc<StreamSettings> {
        self.0.live.now(|now| now.stream.clone())
    }

    /// Rounds of key stretching for new passwords.
    pub(crate) fn iterations(&self) -> u32 {
        self.0.live.now(|now| iterations(&now.options))
    }
}
