//! Settings of the server, as the daemon read them from its configuration file.

use std::collections::BTreeMap;

use waxwing_stanza::BareJid;

use crate::accounts::REMOVED_NAME_DAYS;
use crate::admission::{CONNECTIONS_MAX, CONNECTIONS_PER_NETWORK_MAX, NEGOTIATING_MAX};
use crate::api_tokens::REQUESTS_PER_TOKEN;
use crate::component::{self, ComponentSettings};
use crate::external::{self, ExternalService};
use crate::hosts::{BYTESTREAMS_HOST, Hosts, PUBSUB_HOST, ROOMS_HOST};
use crate::options::{OptionDefault, OptionError, OptionSpec, OptionValue, Options};
use crate::server::StartError;
use crate::throttle::{FAILURES_BY_ACCOUNT, FAILURES_BY_NETWORK};

/// Who may make an account in band.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Registration {
    /// Anybody (XEP-0077).
    Open,
    /// Nobody.
    #[default]
    Closed,
}

impl Registration {
    /// All modes with their names in the configuration.
    pub const NAMES: &'static [(&'static str, Registration)] = &[
        ("open", Registration::Open),
        ("closed", Registration::Closed),
    ];
}

/// Settings of the server.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Served domains.
    pub domains: Vec<String>,
    /// Who may make an account.
    pub registration: Registration,
    /// Who may at domains that differ, by domain.
    pub domain_registration: BTreeMap<String, Registration>,
    /// Keys of tokens by which devices log in again (XEP-0484), the one for new tokens first; none where there are no tokens.
    /// They are not in the store: who has that alone cannot log in by it.
    pub token_keys: Vec<TokenSecret>,
    /// The key by which push services know the server (RFC 8292), outside of the store like those of tokens; none where
    /// nothing is posted to any.
    pub push_key: Option<TokenSecret>,
    /// The section `[options]`: settings of features by name.
    pub options: BTreeMap<String, OptionValue>,
    /// The sections `[domain."…"]`: what domains set for themselves, by domain and name.
    pub domain_options: BTreeMap<String, BTreeMap<String, OptionValue>>,
    /// The sections `[component."…"]`: external components by host.
    pub components: BTreeMap<String, ComponentSettings>,
    /// The sections `[external.NAME]`: services beside the server by name.
    pub external: BTreeMap<String, ExternalService>,
}

/// A key that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenSecret([u8; 32]);

impl TokenSecret {
    /// These bytes.
    pub fn new(bytes: [u8; 32]) -> TokenSecret {
        TokenSecret(bytes)
    }

    pub(crate) fn bytes(&self) -> [u8; 32] {
        self.0
    }
}

impl std::fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenSecret(…)")
    }
}

/// Most sessions of one account.
pub const SESSIONS_MAX: OptionSpec = OptionSpec {
    name: "sessions_per_account_max",
    default: OptionDefault::Number {
        value: 50,
        min: 1,
        max: 10_000,
    },
    unit: "sessions",
    doc: "Most sessions that one account may have at a time; one more is refused with <resource-constraint/>.",
};

/// How long a stream may take to log in.
pub const NEGOTIATION_SECS: OptionSpec = OptionSpec {
    name: "negotiation_secs_max",
    default: OptionDefault::Number {
        value: 60,
        min: 5,
        max: 3_600,
    },
    unit: "seconds",
    doc: "Longest time from the connection until a resource is bound; then the stream ends with <connection-timeout/>.",
};

/// Rounds of key stretching for new passwords.
pub const SCRAM_ITERATIONS: OptionSpec = OptionSpec {
    name: "scram_iterations",
    default: OptionDefault::Number {
        value: 10_000,
        min: 4_096,
        max: 1_000_000,
    },
    unit: "rounds",
    doc: "PBKDF2 rounds for passwords set from now on (RFC 5802 §5.1); clients do the same work at each log-in.",
};

/// Whether failed log-ins are logged with the address that they came from.
pub const LOG_FAILED_LOGINS: OptionSpec = OptionSpec {
    name: "log_failed_logins",
    default: OptionDefault::Flag(false),
    unit: "",
    doc: "Whether a failed log-in is one WARN line with the client's IP address, for fail2ban.",
};

/// Options that no specification owns.
pub const OPTIONS: &[OptionSpec] = &[
    CONNECTIONS_MAX,
    CONNECTIONS_PER_NETWORK_MAX,
    NEGOTIATING_MAX,
    SESSIONS_MAX,
    NEGOTIATION_SECS,
    SCRAM_ITERATIONS,
    LOG_FAILED_LOGINS,
    FAILURES_BY_NETWORK,
    FAILURES_BY_ACCOUNT,
    REQUESTS_PER_TOKEN,
    REMOVED_NAME_DAYS,
];

/// Those of them that each domain can set for itself.
pub const DOMAIN_OPTIONS: &[OptionSpec] = &[ROOMS_HOST, PUBSUB_HOST, BYTESTREAMS_HOST];

fn specs() -> impl Iterator<Item = &'static OptionSpec> {
    crate::xep::FEATURES
        .iter()
        .flat_map(|feature| feature.options.iter().chain(feature.domain_options))
        .chain(OPTIONS)
        .chain(DOMAIN_OPTIONS)
}

fn domain_specs() -> impl Iterator<Item = &'static OptionSpec> {
    let features = crate::xep::FEATURES.iter();
    features
        .flat_map(|feature| feature.domain_options)
        .chain(DOMAIN_OPTIONS)
}

/// Whether an option can have this value.
///
/// # Errors
/// [`OptionError`]: there is none of this name, or its type or range is another.
pub fn check_option(name: &str, value: &OptionValue) -> Result<(), OptionError> {
    let given = BTreeMap::from([(name.to_owned(), value.clone())]);
    Options::new(specs(), &given).map(|_| ())
}

/// Whether a domain can set an option of its own to this value.
///
/// # Errors
/// [`OptionError`]: domains have none of this name, or its type or range is another.
pub fn check_domain_option(name: &str, value: &OptionValue) -> Result<(), OptionError> {
    let given = BTreeMap::from([(name.to_owned(), value.clone())]);
    Options::new(domain_specs(), &given).map(|_| ())
}

impl Settings {
    /// Whether a server could start with these settings.
    pub fn check(&self) -> Result<(), StartError> {
        let prepared = self.clone().prepared()?;
        let hosts = prepared.hosts()?;
        let domains = &prepared.domains;
        external::check(&prepared.external)?;
        component::settings::checked(&prepared.components, domains, &hosts).map(|_| ())
    }

    /// The service hosts of all domains.
    ///
    /// # Errors
    /// [`StartError`]: a server could not start with these settings.
    pub fn hosts(&self) -> Result<Hosts, StartError> {
        Hosts::new(&self.clone().prepared()?.checked_domain_options()?)
    }

    /// The options of all domains, and those of each, by the domain's prepared name.
    pub(crate) fn checked_domain_options(&self) -> Result<BTreeMap<String, Options>, StartError> {
        let all = self.checked_options()?;
        let none = BTreeMap::new();
        let of = |domain: &String| {
            let given = self.domain_options.get(domain).unwrap_or(&none);
            Ok((domain.clone(), all.with(domain_specs(), given)?))
        };
        self.domains.iter().map(of).collect()
    }

    pub(crate) fn checked_options(&self) -> Result<Options, StartError> {
        Ok(Options::new(specs(), &self.options)?)
    }

    pub(crate) fn prepared(mut self) -> Result<Settings, StartError> {
        if self.domains.is_empty() {
            return Err(StartError::NoDomain);
        }
        for domain in &mut self.domains {
            *domain = prepared_domain(domain)?;
        }
        self.domain_options = by_domain(self.domain_options, &self.domains)?;
        self.domain_registration = by_domain(self.domain_registration, &self.domains)?;
        Ok(self)
    }

    /// Who may make an account at a domain, by its prepared name.
    pub(crate) fn registration_of(&self, domain: &str) -> Registration {
        let own = self.domain_registration.get(domain);
        own.copied().unwrap_or(self.registration)
    }
}

/// The same by prepared names, each of a domain that is served.
fn by_domain<T>(
    given: BTreeMap<String, T>,
    served: &[String],
) -> Result<BTreeMap<String, T>, StartError> {
    let prepared = given.into_iter().map(|(domain, own)| {
        let prepared = prepared_domain(&domain)?;
        if served.contains(&prepared) {
            return Ok((prepared, own));
        }
        let reason = "it has settings, and is not served".to_owned();
        Err(StartError::Domain(domain, reason))
    });
    prepared.collect()
}

/// The domain as JIDs write it.
fn prepared_domain(domain: &str) -> Result<String, StartError> {
    let wrong = |reason: String| StartError::Domain(domain.to_owned(), reason);
    let jid: BareJid = domain
        .parse()
        .map_err(|error: waxwing_stanza::JidError| wrong(error.to_string()))?;
    if jid.node().is_some() {
        return Err(wrong("it has a user part".to_owned()));
    }
    Ok(jid.domain().to_owned())
}
