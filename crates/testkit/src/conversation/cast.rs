//! The cast: who takes part, and on what server.

use std::collections::{BTreeMap, BTreeSet};

use waxwing_server::component::NamespaceGrant;
use waxwing_server::external::{ExternalService, Shared, Transport};
use waxwing_server::{Grants, OptionValue, Registration};
use waxwing_stanza::xep::xep_0215_external_services::Kind;
use waxwing_stanza::xep::xep_0356_privileges::{Requests, Shown};

use waxwing_stream::Secret;

use super::{PASSWORD, Who};

/// How long credentials of services last, in seconds.
const LIFETIME_SECS: u64 = 3_600;

/// Who takes part, and the server's settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cast {
    /// Those who take part, in order.
    pub members: Vec<Member>,
    /// Accounts that are subscribed to each other's presence.
    pub friends: Vec<(String, String)>,
    /// Who may register; nobody said is nobody may.
    pub registration: Option<Registration>,
    /// Other domains that are served, with who may register there.
    pub domains: BTreeMap<String, Registration>,
    /// Languages that sessions name in their stream headers.
    pub languages: BTreeMap<Who, String>,
    /// External components, by what stands before the domain in their hosts, with what they may do.
    pub components: BTreeMap<String, Grants>,
    /// Those of them that answer in the conversation what the server asks them behind messages.
    pub confirming: BTreeSet<String>,
    /// STUN and TURN servers that clients are told of, in order.
    pub external: BTreeMap<String, ExternalService>,
    /// Options of the server.
    pub options: BTreeMap<String, OptionValue>,
}

/// One who takes part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub who: Who,
    /// How the conversation finds them.
    pub start: Start,
}

/// How a conversation finds one of its cast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// There is the account.
    Account,
    /// There is a connection, in which nothing was said; there need not be an account.
    Connected,
    /// There is a connection with TLS, inside of which nothing was said.
    Encrypted,
    /// A component that was let in.
    Joined,
    /// Logged in, the features read, nothing bound.
    LoggedIn,
    /// A session that has sent no presence.
    Bound,
    /// A session that has sent presence of this priority.
    Available(i8),
}

impl Cast {
    /// Adds what one line says.
    pub(super) fn read(&mut self, line: &str) -> Result<(), String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["registration", "is", mode] => self.registration = Some(registration(mode)?),
            ["registration", "of", domain, "is", mode] => {
                self.domains.insert(domain.to_owned(), registration(mode)?);
            }
            [name, "is", "a", "component"] => drop(self.component(name)?),
            [name, "is", "a", "connected", "component"] => {
                self.component(name)?;
                self.add(super::action::who(name)?, Start::Joined);
            }
            [name, "answers", "pings", "itself"] => {
                self.confirming.insert(account(name)?);
            }
            [name, "is", "granted", ref what @ ..] => grant(self.component(name)?, what)?,
            [name, "manages", namespace, ref attributes @ ..] => {
                self.component(name)?.delegated.push(NamespaceGrant {
                    namespace: namespace.to_owned(),
                    attributes: attributes.iter().map(ToString::to_string).collect(),
                });
            }
            [uri, "is", "a", "service"] => self.service(uri, false)?,
            [uri, "is", "a", "service", "with", "a", "secret"] => self.service(uri, true)?,
            ["option", name, "is", value] => {
                self.options.insert(name.to_owned(), option(value)?);
            }
            ["option", name, "lists", ref texts @ ..] => {
                let texts = texts.iter().map(ToString::to_string).collect();
                self.options
                    .insert(name.to_owned(), OptionValue::Texts(texts));
            }
            [one, "and", other, "see", "each", "other"] => {
                self.friends.push((account(one)?, account(other)?));
            }
            [who, "speaks", lang] => {
                let who = super::action::who(who)?;
                self.languages.insert(who, lang.to_owned());
            }
            [who, "has", "an", "account"] => {
                let who = Who {
                    account: account(who)?,
                    resource: None,
                };
                self.add(who, Start::Account);
            }
            [who, "is", "connected"] => self.add(super::action::who(who)?, Start::Connected),
            [who, "is", "connected", "by", "TLS"] => {
                self.add(super::action::who(who)?, Start::Encrypted);
            }
            [who, "is", "logged", "in"] => self.add(super::action::who(who)?, Start::LoggedIn),
            [who, "is", "bound"] => self.add(session(who)?, Start::Bound),
            [who, "is", "available"] => self.add(session(who)?, Start::Available(0)),
            [who, "is", "available", "with", "priority", priority] => {
                let priority = priority
                    .parse()
                    .map_err(|_| format!("`{priority}` is no priority"))?;
                self.add(session(who)?, Start::Available(priority));
            }
            _ => return Err(format!("the cast cannot be read: `{line}`")),
        }
        Ok(())
    }

    fn component(&mut self, name: &str) -> Result<&mut Grants, String> {
        Ok(self.components.entry(account(name)?).or_default())
    }

    /// A STUN or TURN server, by a URI of RFC 7064 or RFC 7065 that has everything.
    fn service(&mut self, uri: &str, is_restricted: bool) -> Result<(), String> {
        let wrong = || format!("`{uri}` is not like turn:relay.example.org:3478?transport=udp");
        let (kind, rest) = uri.split_once(':').ok_or_else(wrong)?;
        let (place, transport) = rest.split_once("?transport=").ok_or_else(wrong)?;
        let (host, port) = place.rsplit_once(':').ok_or_else(wrong)?;
        let mut transports = Transport::NAMES.into_iter();
        let transport = transports.find(|(name, _)| *name == transport);
        let shared = Shared {
            secret: Secret::new(PASSWORD).map_err(|error| error.to_string())?,
            lifetime_secs: LIFETIME_SECS,
        };
        let service = ExternalService {
            kind: Kind::from_keyword(kind).ok_or_else(wrong)?,
            host: host.to_owned(),
            port: port.parse().map_err(|_| wrong())?,
            transport: transport.ok_or_else(wrong)?.1,
            restricted: is_restricted,
            shared: is_restricted.then_some(shared),
        };
        let name = format!("service{:02}", self.external.len());
        self.external.insert(name, service);
        Ok(())
    }

    fn add(&mut self, who: Who, start: Start) {
        self.members.retain(|member| member.who != who);
        self.members.push(Member { who, start });
    }

    /// Accounts that exist when the conversation begins, each once.
    #[must_use]
    pub fn accounts(&self) -> Vec<String> {
        let members = self
            .members
            .iter()
            .filter(|member| {
                !matches!(
                    member.start,
                    Start::Connected | Start::Encrypted | Start::Joined
                )
            })
            .map(|member| &member.who.account);
        let friends = self.friends.iter().flat_map(|(one, other)| [one, other]);
        let mut accounts: Vec<String> = members.chain(friends).cloned().collect();
        accounts.sort();
        accounts.dedup();
        accounts
    }
}

/// What a component is granted.
fn grant(grants: &mut Grants, what: &[&str]) -> Result<(), String> {
    let requests = |word: &str| {
        Requests::from_keyword(word).ok_or_else(|| format!("`{word}` is not get, set or both"))
    };
    match what {
        ["roster", word] => grants.roster = requests(word)?,
        ["roster", word, "without", "pushes"] => {
            grants.roster = requests(word)?;
            grants.roster_push = false;
        }
        ["messages"] => grants.message = true,
        ["presence", word] => {
            let shown = Shown::from_keyword(word);
            grants.presence = shown.ok_or_else(|| format!("`{word}` is no presence"))?;
        }
        ["iq", namespace, word] => {
            grants.iq.insert((*namespace).to_owned(), requests(word)?);
        }
        _ => return Err(format!("nobody can grant that: `{}`", what.join(" "))),
    }
    Ok(())
}

fn registration(mode: &str) -> Result<Registration, String> {
    let known = Registration::NAMES.iter().find(|(name, _)| *name == mode);
    known
        .map(|(_, mode)| *mode)
        .ok_or_else(|| format!("registration is open or closed, not `{mode}`"))
}

fn option(value: &str) -> Result<OptionValue, String> {
    match value {
        "true" => Ok(OptionValue::Flag(true)),
        "false" => Ok(OptionValue::Flag(false)),
        _ => {
            let text = value.strip_prefix('"');
            if let Some(text) = text.and_then(|text| text.strip_suffix('"')) {
                return Ok(OptionValue::Text(text.to_owned()));
            }
            value.parse().map(OptionValue::Number).map_err(|_| {
                format!("an option is true, false, a number or a \"text\", not `{value}`")
            })
        }
    }
}

fn account(word: &str) -> Result<String, String> {
    let who = super::action::who(word)?;
    match who.resource {
        None => Ok(who.account),
        Some(_) => Err(format!("`{word}` is a session, no account")),
    }
}

fn session(word: &str) -> Result<Who, String> {
    let who = super::action::who(word)?;
    match who.resource {
        Some(_) => Ok(who),
        None => Err(format!("a session needs a resource: `{word}/phone`")),
    }
}
