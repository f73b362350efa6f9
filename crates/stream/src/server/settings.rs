//! What all streams of a server have in common, and what one begins with.

use std::collections::{BTreeMap, BTreeSet};

use waxwing_wire::{Element, Stanza, ns};

use super::offers::Offers;
use crate::sasl::{FakeSalts, Hash, ITERATIONS, Mechanism, TokenKey, TokenPolicy};

/// Log-ins that may fail on one stream before it is closed: RFC 6120 §6.4.5 wants two to five
/// retries.
pub const LOGIN_FAILURES_MAX: u32 = 5;
/// Seconds that negotiation may take as a whole; then the owner calls
/// [`handle_timeout`](super::Negotiation::handle_timeout).
pub const NEGOTIATION_SECS_MAX: u32 = 60;

/// What all streams of a server have in common.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which domains are served.
    pub domains: Domains,
    /// The mechanisms that policy allows. A `-PLUS` one is offered where TLS gives a binding.
    pub mechanisms: Vec<Mechanism>,
    /// Domains that take guests, by [`Mechanism::Anonymous`] (XEP-0175).
    pub guests: BTreeSet<String>,
    /// Whether [`Mechanism::Plain`] is offered without TLS on streams that need none
    /// ([`Tls::PlainAllowed`](super::Tls)).
    pub plain_without_tls: bool,
    /// For accounts that do not exist.
    pub fake_salts: FakeSalts,
    /// Log-ins that may fail on one stream.
    pub login_failures_max: u32,
    /// Stream features of the server's own.
    pub features: Vec<ExtraFeature>,
    /// Whether SASL2 is offered beside SASL, inside TLS, and what with it.
    pub sasl2: Option<Sasl2>,
    /// Language of texts, as `xml:lang` says it.
    pub lang: String,
    /// What was offered until now by these settings.
    pub(crate) offers: Offers,
}

impl Settings {
    /// Every mechanism that proves a password, no extra feature.
    pub fn new(domains: Domains, fake_salts: FakeSalts) -> Settings {
        Settings {
            domains,
            mechanisms: Mechanism::ALL.to_vec(),
            guests: BTreeSet::new(),
            plain_without_tls: false,
            fake_salts,
            login_failures_max: LOGIN_FAILURES_MAX,
            features: Vec::new(),
            sasl2: None,
            lang: "en".into(),
            offers: Offers::default(),
        }
    }
}

/// What is offered with SASL2 (XEP-0388).
#[derive(Clone, Debug)]
pub struct Sasl2 {
    /// Derives tokens.
    pub key: TokenKey,
    /// Derives resources that clients keep: they stay as they are where the tokens' key is replaced.
    pub resource_key: TokenKey,
    /// Namespaces of what can be asked for together with a resource (XEP-0386 §3.1): elements of them are
    /// handed out in [`Bind2Request::features`](super::Bind2Request).
    pub bind_features: Vec<String>,
    /// Whether sessions can be resumed together with the log-in (XEP-0198).
    pub resume: bool,
    /// What tokens are given for, if any are (XEP-0484).
    pub tokens: Option<TokenPolicy>,
    /// Hashes whose keys an account that lacks them gets at its next log-in (XEP-0480).
    pub upgrades: Vec<Hash>,
    /// Rounds of PBKDF2 for those keys.
    pub upgrade_iterations: u32,
}

impl Sasl2 {
    /// Resources without anything together with them, resumption, tokens, and keys for SHA-512.
    pub fn new(key: TokenKey) -> Sasl2 {
        Sasl2 {
            resource_key: key.clone(),
            key,
            bind_features: Vec::new(),
            resume: true,
            tokens: Some(TokenPolicy::default()),
            upgrades: vec![Hash::Sha512],
            upgrade_iterations: ITERATIONS,
        }
    }
}

/// The domains that a server knows of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domains {
    default: String,
    known: BTreeMap<String, Domain>,
}

/// What a server says to a stream for a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Domain {
    /// It is served here.
    Served,
    /// It was, and is no more: `host-gone`.
    Gone,
    /// Another host serves it: `see-other-host`, with its address and perhaps port.
    Elsewhere(String),
}

impl Domains {
    /// Serves one domain, whose name is also what streams for unknown ones are answered with. Names
    /// here are prepared ones, as in JIDs.
    pub fn new(default: impl Into<String>) -> Domains {
        let default = default.into();
        let known = BTreeMap::from([(default.clone(), Domain::Served)]);
        Domains { default, known }
    }

    /// The same with one more domain.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, domain: Domain) -> Domains {
        self.known.insert(name.into(), domain);
        self
    }

    pub(crate) fn default_name(&self) -> &str {
        &self.default
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Domain> {
        self.known.get(name)
    }
}

/// How far a stream is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// TLS must come first.
    Tls,
    /// Nobody is logged in.
    Login,
    /// An account is, without a resource yet.
    Bind,
    /// Negotiation is over.
    Bound,
}

/// A stream feature that the server has and stream negotiation does not know: registration, stream
/// management, and what later features bring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtraFeature {
    /// The domain whose streams have it; none means all.
    pub domain: Option<String>,
    /// When it is offered, and its elements are taken.
    pub stage: Stage,
    /// Its element in `<stream:features/>`, if it has one.
    pub element: Option<Element>,
    /// The elements that are handed out as [`Output::Element`](super::Output::Element).
    pub takes: Vec<Takes>,
}

/// Which elements an [`ExtraFeature`] takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Takes {
    /// A top-level element of this namespace and name.
    Element {
        /// Namespace.
        ns: &'static str,
        /// Local name.
        name: &'static str,
    },
    /// An IQ of type `get` or `set` with such a payload.
    Iq {
        /// Namespace of the payload.
        ns: &'static str,
        /// Local name of the payload.
        name: &'static str,
    },
}

impl Takes {
    fn fits(&self, stanza: &Stanza) -> bool {
        match self {
            Takes::Element { ns, name } => stanza.ns() == *ns && stanza.name() == *name,
            Takes::Iq { ns, name } => is_request(stanza) && stanza.has_child(ns, name),
        }
    }
}

impl ExtraFeature {
    /// Whether a stream to `domain` has it at this stage.
    pub(crate) fn is_at(&self, stage: Stage, domain: &str) -> bool {
        self.stage == stage && self.domain.as_deref().is_none_or(|own| own == domain)
    }

    pub(crate) fn takes(&self, stanza: &Stanza) -> bool {
        self.takes.iter().any(|takes| takes.fits(stanza))
    }
}

/// Whether it is an IQ that must be answered.
pub(crate) fn is_request(stanza: &Stanza) -> bool {
    stanza.ns() == ns::CLIENT
        && stanza.name() == "iq"
        && matches!(stanza.kind().as_deref(), Some("get" | "set"))
}
