//! What a client wants of a stream, and why it may not get it.

use std::ops::RangeInclusive;

use waxwing_stanza::payload::Secret;
use waxwing_stanza::xep::xep_0082_datetime::DateTime;
use waxwing_stanza::xep::xep_0388_sasl2::UserAgent;
use waxwing_stanza::{BareJid, StanzaError};
use waxwing_wire::Element;

use crate::error::StreamError;
use crate::sasl::{Failure, ITERATIONS_MAX, ITERATIONS_MIN, Mechanism, Password, SaslError};
use crate::sm::{Enable, Resume};

/// What a client wants of a stream.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The account to log in to.
    pub account: BareJid,
    /// Its password.
    pub password: Password,
    /// Resource to ask for; otherwise the server makes one.
    pub resource: Option<String>,
    /// Mechanisms that may be used. Without [`Mechanism::Plain`] unless somebody allows it, and even
    /// then only inside TLS.
    pub mechanisms: Vec<Mechanism>,
    /// What is done where a server does not say by what a log-in can be bound to its TLS.
    pub unlisted: Unlisted,
    /// Rounds of PBKDF2 that are neither too few to be safe nor too many to be borne.
    pub iterations: RangeInclusive<u32>,
    /// Whether to enable stream management, where the server has it.
    pub stream_management: Option<Enable>,
    /// A session to resume; if that fails, a new one is bound.
    pub resume: Option<Resume>,
    /// Language of what the user writes, as `xml:lang` says it, where it is known: the server notes it on stanzas that
    /// name none (RFC 6120 §8.1.5).
    pub lang: Option<String>,
    /// Whether to make the account before logging in to it (XEP-0077 §3.1); that it is there already is no error.
    pub register: bool,
    /// Whether SASL2 is used where the server has it, inside TLS, and what for.
    pub sasl2: Option<Sasl2>,
}

impl Settings {
    /// SCRAM only, a resource of the server's, resumable stream management.
    pub fn new(account: BareJid, password: Password) -> Settings {
        Settings {
            account,
            password,
            resource: None,
            mechanisms: Mechanism::ALL
                .into_iter()
                .filter(|mechanism| *mechanism != Mechanism::Plain)
                .collect(),
            unlisted: Unlisted::EndPoint,
            iterations: ITERATIONS_MIN..=ITERATIONS_MAX,
            stream_management: Some(Enable {
                resume: true,
                max: None,
            }),
            resume: None,
            lang: None,
            register: false,
            sasl2: None,
        }
    }
}

/// What a client does with SASL2 (XEP-0388). What the server does not offer is not asked for; a session to resume
/// and stream management are asked for together with the log-in where that is offered, and later elsewhere.
#[derive(Clone, Debug)]
pub struct Sasl2 {
    /// Which client it is: its id, a UUID that this installation keeps, is what tokens need.
    pub user_agent: UserAgent,
    /// Whether a resource is bound together with the log-in (XEP-0386); [`Settings::resource`] is not used then.
    pub bind: Option<Bind2>,
    /// Whether a token is asked for when the log-in is by password (XEP-0484).
    pub request_token: bool,
    /// A token to log in by. If it is refused, the password is used in the same stream.
    pub token: Option<FastToken>,
    /// What the server offered last time: where it is there, and a token too, the log-in does not wait for the
    /// server's features (XEP-0509).
    pub known_offer: Option<KnownOffer>,
    /// Whether the server gets keys of stronger hashes, if it asks for them and the log-in is bound to its TLS
    /// (XEP-0480).
    pub upgrades: bool,
}

impl Sasl2 {
    /// A resource together with the log-in, and all that makes the next one fast.
    pub fn new(user_agent: UserAgent) -> Sasl2 {
        Sasl2 {
            user_agent,
            bind: Some(Bind2::default()),
            request_token: true,
            token: None,
            known_offer: None,
            upgrades: true,
        }
    }
}

/// A resource that is bound together with the log-in (XEP-0386).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bind2 {
    /// What the client calls itself; others see it.
    pub tag: Option<String>,
    /// What is wanted for the session, such as carbons: those are sent whose namespace the server lists.
    pub features: Vec<Element>,
}

/// A token, for the next log-ins of the same user agent (XEP-0484).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FastToken {
    /// The only mechanism that it is good for.
    pub mechanism: Mechanism,
    /// The token: as good as the password.
    pub token: Secret,
    /// When it ends.
    pub expiry: DateTime,
    /// Which log-in by this token it is. The caller counts it up, durably, before each.
    pub count: u32,
    /// Whether it shall be good for nothing afterwards.
    pub invalidate: bool,
}

/// What a server offered before log-in (XEP-0509).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownOffer {
    /// The server's word for it.
    pub version: String,
    /// `<authentication/>`.
    pub authentication: Element,
}

/// How to log in to a server that has `-PLUS` mechanisms and no list of channel bindings (XEP-0440, rule 4, leaves it to the
/// client).
///
/// Servers from before that list have `tls-unique` at best (RFC 5802 §6.1), which TLS 1.3 does not have: ejabberd 23.01, for
/// one, offers `-PLUS` over TLS 1.3 and refuses whoever takes it. But who sits in between with a certificate that the client
/// believes can take the list out: that a server without it is to be believed is for the caller to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unlisted {
    /// By `tls-server-end-point`, which every server must have that has the list. Others refuse the log-in.
    EndPoint,
    /// Not bound, by a mechanism without `-PLUS`. A list that was taken out is found out only where the server proves its
    /// offer (XEP-0474).
    Unbound,
}

/// Why a stream was not negotiated, or ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NegotiationError {
    /// The server ended the stream with this error.
    #[error("the server closed the stream: {0}")]
    Server(StreamError),
    /// The server ended the stream without a reason.
    #[error("the server closed the stream")]
    Closed,
    /// The server broke the rules, and was told so.
    #[error("the server broke the rules of the stream: {0}")]
    Protocol(StreamError),
    /// The server offers no TLS, and without it nothing is sent.
    #[error("the server offers no TLS")]
    TlsMissing,
    /// The server insists on TLS, where the caller said that there would be none.
    #[error("the server insists on TLS")]
    TlsInsisted,
    /// The server offers TLS and cannot do it.
    #[error("the server refused TLS")]
    TlsRefused,
    /// The server offers no mechanism that may be used.
    #[error("the server offers no log-in mechanism that may be used")]
    NoMechanism,
    /// The account has no name, or one that no log-in can have.
    #[error("the account has no name to log in by")]
    NoName,
    /// The log-in looks attacked, or broken.
    #[error(transparent)]
    Sasl(#[from] SaslError),
    /// The server refused the log-in.
    #[error("{reason}")]
    LoginRefused {
        /// The defined condition.
        reason: Failure,
        /// What the server has to say about it.
        text: Option<String>,
    },
    /// The server makes no such account.
    #[error("the server makes no account: {}", told(.0))]
    RegistrationRefused(Box<StanzaError>),
    /// The server gave no resource.
    #[error("the server gave no resource: {}", told(.0))]
    BindRefused(Box<StanzaError>),
    /// Negotiation took too long.
    #[error("negotiation took too long")]
    Timeout,
}

/// A stanza error as people read it: its condition, and what the server has to say.
fn told(error: &StanzaError) -> String {
    let condition = error.condition.as_str();
    match &error.text {
        Some(text) => format!("{condition}: {text}"),
        None => condition.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use waxwing_stanza::Condition;

    use super::*;

    #[test]
    fn a_refusal_is_told_in_words() {
        let mut refused = StanzaError::from(Condition::ResourceConstraint);
        let shown = |error: &StanzaError| {
            NegotiationError::RegistrationRefused(Box::new(error.clone())).to_string()
        };
        assert_eq!(
            shown(&refused),
            "the server makes no account: resource-constraint"
        );
        refused.text = Some("try again later".to_owned());
        assert_eq!(
            shown(&refused),
            "the server makes no account: resource-constraint: try again later"
        );
    }
}
