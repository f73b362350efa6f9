//! Proxies: the only way out where one is set.

mod http;
mod socks5;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use zeroize::Zeroizing;

use crate::error::ProxyError;
use crate::place::Host;

/// Most bytes of a user name, and of a password (RFC 1929 §2).
const PART_BYTES_MAX: usize = 255;

/// A proxy. It is given by its address: looking up its name would be a query past it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proxy {
    /// SOCKS 5 ([RFC 1928](https://www.rfc-editor.org/rfc/rfc1928)); servers' names go to it as they
    /// are.
    Socks5 {
        /// Where it listens.
        address: SocketAddr,
        /// User name and password (RFC 1929), if it wants some.
        credentials: Option<Credentials>,
    },
    /// HTTP `CONNECT` ([RFC 9110 §9.3.6](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6)).
    Http {
        /// Where it listens.
        address: SocketAddr,
        /// User name and password (Basic, RFC 7617), if it wants some.
        credentials: Option<Credentials>,
    },
}

/// A user name and password of a proxy. Not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    user: Zeroizing<String>,
    password: Zeroizing<String>,
}

/// Why a user name or password cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum CredentialsError {
    /// RFC 1929 has no empty ones.
    #[error("a proxy's user name and password are not empty")]
    Empty,
    /// RFC 1929 has one byte for the length.
    #[error("a proxy's user name and password have at most {PART_BYTES_MAX} bytes")]
    TooLong,
    /// RFC 7617 §2: no colon in a user name, no control characters in either.
    #[error("there is a colon in the proxy's user name, or a control character")]
    Prohibited,
}

impl Credentials {
    /// Takes what every kind of proxy can carry.
    ///
    /// # Errors
    /// [`CredentialsError`].
    pub fn new(user: &str, password: &str) -> Result<Credentials, CredentialsError> {
        for part in [user, password] {
            if part.is_empty() {
                return Err(CredentialsError::Empty);
            }
            if part.len() > PART_BYTES_MAX {
                return Err(CredentialsError::TooLong);
            }
            if part.contains(char::is_control) {
                return Err(CredentialsError::Prohibited);
            }
        }
        if user.contains(':') {
            return Err(CredentialsError::Prohibited);
        }
        Ok(Credentials {
            user: user.to_owned().into(),
            password: password.to_owned().into(),
        })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[credentials, hidden]")
    }
}

impl Proxy {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        match self {
            Proxy::Socks5 { address, .. } | Proxy::Http { address, .. } => *address,
        }
    }

    /// Has the proxy connect to a host. Nothing is read beyond the proxy's own answer.
    pub(crate) async fn connect<S>(
        &self,
        socket: &mut S,
        host: &Host,
        port: u16,
    ) -> Result<(), ProxyError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        match self {
            Proxy::Socks5 { credentials, .. } => {
                socks5::connect(socket, credentials.as_ref(), host, port).await
            }
            Proxy::Http { credentials, .. } => {
                http::connect(socket, credentials.as_ref(), host, port).await
            }
        }
    }
}

/// Reads exactly so many bytes; a proxy that ends before is gone.
async fn read<const N: usize, S: AsyncRead + Unpin>(socket: &mut S) -> Result<[u8; N], ProxyError> {
    let mut bytes = [0; N];
    socket.read_exact(&mut bytes).await.map_err(gone)?;
    Ok(bytes)
}

fn gone(_: std::io::Error) -> ProxyError {
    ProxyError::Gone
}
