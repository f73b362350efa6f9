//! The limit of time in which a client takes nothing of what is written to it, in one place for all transports.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;
use waxwing_server::{Limit, Server};

/// Longest time in which a client takes nothing of what is written to it.
const STALL_MAX: Duration = Duration::from_secs(120);

/// A client's socket. Writing to one that takes nothing for too long fails, and is counted.
pub(crate) struct Limited<S> {
    socket: S,
    server: Server,
    /// Runs while the socket takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> Limited<S> {
    pub(crate) fn new(socket: S, server: Server) -> Limited<S> {
        Limited {
            socket,
            server,
            stalled: None,
        }
    }

    /// What the socket says to an attempt to write, or that it has said nothing for too long.
    fn poll_taken(
        &mut self,
        cx: &mut Context<'_>,
        attempt: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if attempt.is_ready() {
            self.stalled = None;
            return attempt;
        }
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(STALL_MAX)));
        ready!(stalled.as_mut().poll(cx));
        self.stalled = None;
        self.server.note_limit(Limit::WriteTime);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Limited<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Limited<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let attempt = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.poll_taken(cx, attempt)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let attempt = Pin::new(&mut self.socket).poll_write_vectored(cx, pieces);
        self.poll_taken(cx, attempt)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use waxwing_server::Settings;
    use waxwing_store::Store;

    async fn server() -> (Server, Registry) {
        let settings = Settings {
            domains: vec!["a.example".to_owned()],
            ..Settings::default()
        };
        let store = Store::memory(&Server::shapes()).unwrap();
        let server = Server::start(settings, crate::outside::outside(store)).await;
        let server = server.unwrap();
        let mut registry = Registry::default();
        server.register_metrics(&mut registry);
        (server, registry)
    }

    fn counted(registry: &Registry) -> bool {
        let mut text = String::new();
        encode(&mut text, registry).unwrap();
        text.lines()
            .any(|line| line.contains("limits_hit_total{limit=\"write_time\"} 1"))
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_cut_off_and_counted() {
        let (server, registry) = server().await;
        let (near, _far) = tokio::io::duplex(4);
        let mut socket = Limited::new(near, server);
        let began = tokio::time::Instant::now();
        let error = socket.write_all(b"more than fits").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), STALL_MAX.as_secs());
        assert!(counted(&registry));
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_a_little_now_and_then_goes_on() {
        let (server, registry) = server().await;
        let (near, mut far) = tokio::io::duplex(4);
        let mut socket = Limited::new(near, server);
        let bytes = [7; 40];
        let read = async {
            let mut taken = 0;
            while taken < bytes.len() {
                tokio::time::sleep(STALL_MAX - Duration::from_secs(1)).await;
                taken += far.read(&mut [0; 4]).await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(socket.write_all(&bytes), read);
        written.unwrap();
        assert!(!counted(&registry));
    }
}
