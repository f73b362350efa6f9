//! The one place where a socket is connected.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;

use tokio::net::TcpStream;

/// Connects to an address; given to a [`Dialer`](crate::Dialer), so that a test sees where
/// connections go.
pub trait Connect: Send + Sync {
    /// Connects. Dropping the future gives the attempt up.
    fn connect<'a>(
        &'a self,
        address: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send + 'a>>;
}

/// Connects by the system's TCP.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tcp;

impl Connect for Tcp {
    fn connect<'a>(
        &'a self,
        address: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send + 'a>> {
        Box::pin(async move {
            let socket = TcpStream::connect(address).await?;
            // Small elements must not wait for more to send.
            socket.set_nodelay(true)?;
            Ok(socket)
        })
    }
}
