//! What a proxy says at the beginning of a connection, read from its socket.

use std::net::IpAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use waxwing_stream::proxy_protocol::{self, Header, Malformed};

/// Longest time for a header to come: a proxy sends it at once.
const HEADER_TIME_MAX: Duration = Duration::from_secs(5);

/// Why a connection of a proxy cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HeaderError {
    /// It does not begin with a header, or with one that breaks the rules.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It ended, or failed.
    #[error(transparent)]
    Socket(#[from] std::io::Error),
    /// Nothing came.
    #[error("no PROXY header came in time")]
    Slow,
}

/// Reads a header, and nothing of what is behind it. `None` where the proxy speaks for itself.
pub(crate) async fn announced(
    socket: &mut (impl AsyncRead + Unpin),
) -> Result<Option<IpAddr>, HeaderError> {
    let read = tokio::time::timeout(HEADER_TIME_MAX, read(socket));
    read.await.map_err(|_| HeaderError::Slow)?
}

async fn read(socket: &mut (impl AsyncRead + Unpin)) -> Result<Option<IpAddr>, HeaderError> {
    let mut begun = Vec::new();
    loop {
        match proxy_protocol::read(&begun)? {
            Header::Whole(source) => return Ok(source),
            Header::More(more) => {
                let held = begun.len();
                begun.resize(held + more, 0);
                socket.read_exact(begun.split_at_mut(held).1).await?;
            }
        }
    }
}
