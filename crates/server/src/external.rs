//! Services beside the server that clients need for calls: STUN and TURN, and how somebody gets into a TURN server.
//!
//! A TURN server that shares a secret with this one takes a name that begins with the second at which it expires, together
//! with the password that only the secret gives (draft-uberti-behave-turn-rest-00). So the two need not talk to each other, and
//! nothing is kept of who was given what.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use waxwing_stanza::BareJid;
use waxwing_stanza::payload::Secret as Hidden;
use waxwing_stanza::xep::xep_0082_datetime::DateTime;
use waxwing_stanza::xep::xep_0215_external_services::{Action, Kind, Service};
use waxwing_stream::Secret;

use crate::server::{Server, StartError};

/// Most services: their list is one stanza.
pub const SERVICES_MAX: usize = 32;

/// Bytes of what a TURN server calls somebody by.
const NAME_BYTES: usize = 12;

/// What carries a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A connection.
    Tcp,
}

impl Transport {
    /// Both with their names.
    pub const NAMES: [(&'static str, Transport); 2] =
        [("udp", Transport::Udp), ("tcp", Transport::Tcp)];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
        }
    }
}

/// What a TURN server knows too, and for how long it lets somebody in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// What both know.
    pub secret: Secret,
    /// How long credentials are worth something, in seconds.
    pub lifetime_secs: u64,
}

/// A service beside the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalService {
    /// What it is.
    pub kind: Kind,
    /// Its name in DNS, or its address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// What carries it.
    pub transport: Transport,
    /// Whether it takes nobody without credentials.
    pub restricted: bool,
    /// How credentials for it are made; nothing where it takes everybody.
    pub shared: Option<Shared>,
}

impl ExternalService {
    /// What is said of it to somebody who is called `name` there until `until_secs`.
    fn offered(&self, whose: impl FnOnce(&Shared) -> (String, u64)) -> Service {
        let credentials = self.shared.as_ref().map(|shared| {
            let (username, until_secs) = whose(shared);
            let password = shared.secret.turn_password(&username);
            (username, Hidden(password.to_string()), until_secs)
        });
        let mut service = Service {
            action: Action::Add,
            expires: None,
            host: self.host.clone(),
            name: None,
            password: None,
            port: Some(self.port),
            restricted: self.restricted,
            transport: Some(self.transport.as_str().to_owned()),
            kind: self.kind.as_str().to_owned(),
            username: None,
        };
        if let Some((username, password, until_secs)) = credentials {
            let until = DateTime::from_unix_micros(until_secs.saturating_mul(1_000_000));
            service.expires = Some(until);
            service.password = Some(password);
            service.username = Some(username);
        }
        service
    }
}

/// Whether clients can be told of these.
///
/// # Errors
/// [`StartError::External`]: one contradicts itself, or is there twice; or they are too many.
pub(crate) fn check(given: &BTreeMap<String, ExternalService>) -> Result<(), StartError> {
    let mut known = BTreeSet::new();
    for (at, (name, service)) in given.iter().enumerate() {
        let refuse = |reason: &str| {
            Err(StartError::External {
                name: name.clone(),
                reason: reason.to_owned(),
            })
        };
        let has_credentials = matches!(service.kind, Kind::Turn | Kind::Turns);
        if at >= SERVICES_MAX {
            return refuse(&format!("there are {SERVICES_MAX} services at most"));
        }
        if service.shared.is_some() && !has_credentials {
            return refuse("STUN takes everybody; only TURN has a secret");
        }
        if service.restricted && service.shared.is_none() {
            return refuse("restricted = true needs a secret, or nobody could use it");
        }
        if !known.insert((&service.host, service.kind, service.port, service.transport)) {
            return refuse("it is there under another name already");
        }
    }
    Ok(())
}

/// What TURN servers call people by.
#[derive(Clone, Copy)]
pub(crate) struct Names(pub(crate) [u8; 32]);

impl Names {
    /// A name that tells nobody who it is, not even who knows the secret of a TURN server: it needs a key of this server's.
    /// It stays the same for about the lifetime of credentials, so that a TURN server can say how much one account may use;
    /// who listens there cannot follow somebody for longer.
    fn of(&self, account: &BareJid, until_secs: u64, lifetime_secs: u64) -> String {
        let Ok(mut code) = Hmac::<Sha256>::new_from_slice(&self.0) else {
            return String::new();
        };
        let period = until_secs / lifetime_secs.max(1);
        code.update(&period.to_be_bytes());
        code.update(&lifetime_secs.to_be_bytes());
        code.update(account.as_str().as_bytes());
        let code = code.finalize().into_bytes();
        URL_SAFE_NO_PAD.encode(code.get(..NAME_BYTES).unwrap_or_default())
    }
}

impl Server {
    /// The services that a client asks for, each with credentials of the account's own where it takes such.
    pub(crate) fn offered_services(
        &self,
        account: &BareJid,
        is_meant: impl Fn(&ExternalService) -> bool,
    ) -> Vec<Service> {
        let now_secs = self.now_micros() / 1_000_000;
        let (services, names) = self.external_services();
        let meant = services.values().filter(|service| is_meant(service));
        let offered = meant.map(|service| {
            service.offered(|shared| {
                let until_secs = now_secs.saturating_add(shared.lifetime_secs);
                let name = names.of(account, until_secs, shared.lifetime_secs);
                (format!("{until_secs}:{name}"), until_secs)
            })
        });
        offered.collect()
    }
}

/// The services by what the operator calls them.
pub(crate) type Services = Arc<BTreeMap<String, ExternalService>>;

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(lifetime_secs: u64) -> ExternalService {
        ExternalService {
            kind: Kind::Turn,
            host: "turn.example.org".to_owned(),
            port: 3478,
            transport: Transport::Udp,
            restricted: true,
            shared: Some(Shared {
                secret: Secret::new("north").unwrap(),
                lifetime_secs,
            }),
        }
    }

    #[test]
    fn a_name_is_nobodys_and_does_not_last() {
        let names = Names([7; 32]);
        let alice: BareJid = "alice@example.org".parse().unwrap();
        let bob: BareJid = "bob@example.org".parse().unwrap();
        let first = names.of(&alice, 86_400, 86_400);
        assert_eq!(first.len(), NAME_BYTES * 8 / 6);
        assert_eq!(first, names.of(&alice, 2 * 86_400 - 1, 86_400));
        assert_ne!(first, names.of(&alice, 2 * 86_400, 86_400));
        assert_ne!(first, names.of(&bob, 86_400, 86_400));
        assert_ne!(first, Names([8; 32]).of(&alice, 86_400, 86_400));
    }

    /// Computed by openssl: `printf '1700000000:anon' | openssl dgst -sha1 -hmac north -binary | base64`.
    #[test]
    fn a_password_is_what_a_turn_server_expects() {
        let offered = turn(60).offered(|_| ("1700000000:anon".to_owned(), 1_700_000_000));
        let password = offered.password.unwrap();
        assert_eq!(password.0, "ZNbscPUWDUMz/op4zCxq/Srdmt0=");
        assert_eq!(offered.expires.unwrap().to_string(), "2023-11-14T22:13:20Z");
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let refused = |given: &[ExternalService]| {
            let all = given.iter().enumerate();
            let all = all.map(|(at, one)| (format!("s{at:02}"), one.clone()));
            check(&all.collect()).map_err(|error| error.to_string())
        };
        assert_eq!(refused(&[turn(60)]), Ok(()));
        let stun = ExternalService {
            kind: Kind::Stun,
            ..turn(60)
        };
        assert!(refused(&[stun]).unwrap_err().contains("only TURN"));
        let open = ExternalService {
            shared: None,
            ..turn(60)
        };
        assert!(refused(&[open]).unwrap_err().contains("needs a secret"));
        let twice = refused(&[turn(60), turn(61)]).unwrap_err();
        assert!(
            twice.contains("'s01'") && twice.contains("another name"),
            "{twice}"
        );
        let many = (0..33).map(|port| ExternalService { port, ..turn(60) });
        let many: Vec<_> = many.collect();
        assert!(refused(&many[..32]).is_ok());
        assert!(refused(&many).unwrap_err().contains("32 services"));
    }
}
