//! Outgoing connections for clients, tools and servers: names, addresses, proxies, TLS, log-in.
//!
//! A [`Dialer`] knows how names are looked up ([`Resolve`]), what is trusted ([`Trust`]) and which way
//! connections take ([`Proxy`]); [`Dialer::login`] takes a client's stream to its bound resource and
//! returns it as a [`Stream`].
//!
//! With a proxy set there is no other way out: no name is looked up here, and nothing but the proxy is
//! connected to. Randomness is an argument.

mod connect;
mod dialer;
mod error;
mod eyeballs;
mod login;
mod names;
mod place;
mod proxy;
mod seconds;
mod session;
mod stream;
mod tls;
mod transport;

pub use connect::{Connect, Tcp};
pub use dialer::{Dialer, Unresumed};
pub use error::{Blame, CertificateProblem, DialError, ProxyError, Stage};
pub use names::{Family, NameError, Resolve, SrvRecord, SystemResolver};
pub use place::{Place, Security};
pub use proxy::{Credentials, CredentialsError, Proxy};
pub use seconds::Seconds;
pub use session::Session;
pub use stream::{Closed, End, SendError, Stream};
pub use tls::{Trust, TrustError};
