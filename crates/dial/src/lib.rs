//! Outgoing connections for clients, tools and servers: names, addresses, proxies, TLS, log-in.
//!
//! A [`Dialer`] knows how names are looked up ([`Resolve`]), what is trusted ([`Trust`]) and which way
//! connections take ([`Proxy`]); [`Dialer::login`] takes a client's stream to its bound resource and
//! returns it as a [`Stream`].
//!
//! With a proxy set there is no other way out: no name is looked up here, and nothing but the proxy is
//! connected to. Randomness is an argument.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use waxwing_dial::{Dialer, Place, SystemResolver, Trust};
//! # use waxwing_stream::{client::Settings, sasl::Password};
//! # async fn talk(authority: &[u8], seed: [u8; 32]) -> Result<(), Box<dyn std::error::Error>> {
//! let trust = Trust::with_authorities(rustls::RootCertStore::empty(), authority)?;
//! let dialer = Dialer::new(Arc::new(SystemResolver::new()?), trust);
//! let settings = Settings::new("alice@example.org".parse()?, Password::prepare("…")?);
//! let mut stream = dialer.login(settings, &Place::Domain, seed).await?;
//! stream.send("<presence/>".into()).await?;
//! let stanza = stream.next().await?;
//! stream.close().await;
//! # Ok(())
//! # }
//! ```

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
pub use stream::{Closed, End, Learned, SendError, Stream};
pub use tls::{Trust, TrustError};
