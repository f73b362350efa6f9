//! Dialling: from a domain to a stream.

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::time::timeout;
use waxwing_stream::Seed;
use waxwing_stream::client::{Settings, Tls};

use crate::connect::{Connect, Tcp};
use crate::error::{DialError, ProxyError, Stage};
use crate::eyeballs::race;
use crate::login::Login;
use crate::names::{self, Resolve};
use crate::place::{
    DIRECT_TLS_PORT, Host, Place, STARTTLS_PORT, Security, Target, is_of_this_machine,
};
use crate::proxy::Proxy;
use crate::seconds::{Seconds, seconds};
use crate::session::{Former, Session};
use crate::stream::Stream;
use crate::tls::{Alpn, Trust};
use crate::transport::{Carrier, Document, Frames, Transport};

/// Dials: cheap to clone, shared by the accounts that go the same way.
#[derive(Clone)]
pub struct Dialer {
    resolve: Arc<dyn Resolve>,
    connect: Arc<dyn Connect>,
    trust: Trust,
    proxy: Option<Proxy>,
    seconds: Seconds,
}

/// A session that was not resumed, and not for good: the server was not reached, or refused the log-in.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Unresumed {
    /// Why.
    pub error: DialError,
    /// The session, unless the server has said that it is gone.
    pub session: Option<Box<Session>>,
    /// If it is gone, stanzas that the server may never have got.
    pub lost: Vec<bytes::Bytes>,
}

impl Dialer {
    /// Looks names up by `resolve`, connects directly by TCP, trusts `trust`.
    #[must_use]
    pub fn new(resolve: Arc<dyn Resolve>, trust: Trust) -> Dialer {
        Dialer {
            resolve,
            connect: Arc::new(Tcp),
            trust,
            proxy: None,
            seconds: Seconds::default(),
        }
    }

    /// Goes by a proxy and no other way.
    #[must_use]
    pub fn with_proxy(mut self, proxy: Proxy) -> Dialer {
        self.proxy = Some(proxy);
        self
    }

    /// Connects by something else than the system's TCP.
    #[must_use]
    pub fn with_connect(mut self, connect: Arc<dyn Connect>) -> Dialer {
        self.connect = connect;
        self
    }

    /// Takes other times.
    #[must_use]
    pub fn with_seconds(mut self, seconds: Seconds) -> Dialer {
        self.seconds = seconds;
        self
    }

    /// Connects to the server of the account's domain and logs in. `seed` is 32 bytes of a
    /// cryptographic random source, others each time.
    ///
    /// Hosts are tried in turn until one takes the stream; a refused log-in ends that at once.
    ///
    /// # Errors
    /// [`DialError`]; of several hosts' the most telling.
    pub async fn login(
        &self,
        settings: Settings,
        place: &Place,
        seed: [u8; 32],
    ) -> Result<Stream, DialError> {
        let mut former = Former::default();
        self.run(settings, place, seed, &mut former).await
    }

    /// Connects as [`login`](Dialer::login) does and resumes a session, whose unacknowledged stanzas
    /// are sent again. If the server does not have it any more, a new one is bound, and
    /// [`Stream::take_lost`] tells what may never have arrived.
    ///
    /// # Errors
    /// [`Unresumed`] with the session, to try again.
    pub async fn resume(
        &self,
        session: Session,
        settings: Settings,
        place: &Place,
        seed: [u8; 32],
    ) -> Result<Stream, Unresumed> {
        let mut former = Former {
            session: Some(session),
            lost: Vec::new(),
        };
        let outcome = self.run(settings, place, seed, &mut former).await;
        outcome.map_err(|error| Unresumed {
            error,
            session: former.session.map(Box::new),
            lost: former.lost,
        })
    }

    async fn run(
        &self,
        settings: Settings,
        place: &Place,
        seed: [u8; 32],
        former: &mut Former,
    ) -> Result<Stream, DialError> {
        let mut dice = Seed::new(seed);
        let domain = Host::parse(settings.account.domain())?;
        let mut worst: Option<DialError> = None;
        for target in self.targets(&domain, place, &mut dice).await? {
            let settings = settings.clone();
            let mut nonces = [0; 32];
            dice.fill(&mut nonces);
            let error = match self
                .attempt(settings, &domain, &target, Seed::new(nonces), former)
                .await
            {
                Ok(stream) => return Ok(stream),
                Err(error) if error.is_of_the_host() => error,
                Err(error) => return Err(error),
            };
            if worst
                .as_ref()
                .is_none_or(|known| error.weight() > known.weight())
            {
                worst = Some(error);
            }
        }
        Err(worst.unwrap_or(DialError::NoService))
    }

    async fn targets(
        &self,
        domain: &Host,
        place: &Place,
        dice: &mut Seed,
    ) -> Result<Vec<Target>, DialError> {
        let at = |port, security| Target::stream(domain.clone(), port, security);
        match (place, domain) {
            (
                Place::At {
                    host,
                    port,
                    security,
                },
                _,
            ) => Ok(vec![Target::stream(Host::parse(host)?, *port, *security)]),
            (Place::WebSocket { url }, _) => Ok(vec![Target::websocket(url)?]),
            (Place::Domain, _) if self.proxy.is_some() => Ok(vec![
                at(DIRECT_TLS_PORT, Security::DirectTls),
                at(STARTTLS_PORT, Security::StartTls),
            ]),
            // An address has no SRV records.
            (Place::Domain, Host::Ip(_)) => Ok(vec![at(STARTTLS_PORT, Security::StartTls)]),
            (Place::Domain, Host::Name(name)) => {
                let limit = seconds(self.seconds.name_secs_max);
                names::targets(self.resolve.as_ref(), name, limit, dice).await
            }
        }
    }

    async fn attempt(
        &self,
        settings: Settings,
        domain: &Host,
        target: &Target,
        seed: Seed,
        former: &mut Former,
    ) -> Result<Stream, DialError> {
        let socket = match &self.proxy {
            Some(proxy) => self.by_proxy(proxy, target).await?,
            None => self.directly(target).await?,
        };
        let (transport, tls) = match target.security {
            Security::StartTls => (Transport::Plain(socket), Tls::Required),
            Security::Plain => (Transport::Plain(socket), Tls::PlainAllowed),
            Security::DirectTls => {
                // The certificate of HTTP is that of its host, which need not be the domain.
                let (name, alpn) = match &target.websocket {
                    Some(_) => (&target.host, Alpn::None),
                    None => (domain, Alpn::XmppClient),
                };
                let handshake = self.trust.handshake(name, alpn, socket);
                let limit = seconds(self.seconds.tls_secs_max);
                let (stream, binding) = timeout(limit, handshake)
                    .await
                    .map_err(|_elapsed| DialError::Timeout(Stage::Tls))??;
                (Transport::Tls(Box::new(stream)), Tls::Started(binding))
            }
        };
        let carrier = match &target.websocket {
            None => Carrier::Document(Document::new(transport)),
            Some(url) => {
                let limit = seconds(self.seconds.connect_secs_max);
                let opened = timeout(limit, Frames::open(transport, url)).await;
                let frames = opened.map_err(|_elapsed| DialError::Timeout(Stage::WebSocket))??;
                Carrier::Frames(Box::new(frames))
            }
        };
        let login = Login {
            trust: &self.trust,
            domain,
            seconds: self.seconds,
            former,
        };
        login.run(settings, carrier, tls, seed).await
    }

    async fn directly(&self, target: &Target) -> Result<TcpStream, DialError> {
        let limit = seconds(self.seconds.name_secs_max);
        let found = names::addresses(self.resolve.as_ref(), &target.host, limit).await?;
        if target.security == Security::Plain && !found.iter().copied().all(is_of_this_machine) {
            return Err(DialError::PlainNotLoopback);
        }
        let addresses: Vec<_> = found
            .into_iter()
            .map(|ip| SocketAddr::from((ip, target.port)))
            .collect();
        let limit = seconds(self.seconds.connect_secs_max);
        race(self.connect.as_ref(), &addresses, limit)
            .await
            .map_err(DialError::Connect)
    }

    async fn by_proxy(&self, proxy: &Proxy, target: &Target) -> Result<TcpStream, DialError> {
        if target.security == Security::Plain {
            return Err(DialError::PlainNotLoopback);
        }
        let limit = seconds(self.seconds.connect_secs_max);
        let mut socket = timeout(limit, self.connect.connect(proxy.address()))
            .await
            .map_err(|_elapsed| DialError::Timeout(Stage::Connect))?
            .map_err(|_| ProxyError::Gone)?;
        let limit = seconds(self.seconds.proxy_secs_max);
        timeout(limit, proxy.connect(&mut socket, &target.host, target.port))
            .await
            .map_err(|_elapsed| DialError::Timeout(Stage::Proxy))??;
        Ok(socket)
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer")
            .field("proxy", &self.proxy.is_some())
            .finish_non_exhaustive()
    }
}
