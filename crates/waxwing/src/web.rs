//! HTTP listeners: plain on this machine, TLS elsewhere.

use axum::{Extension, Router};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::listen::Serving;
use crate::site::Peer;

/// Longest time for a request's head, TLS handshake included.
const HEAD_TIME_MAX: std::time::Duration = std::time::Duration::from_secs(15);

/// Serves `router` until told to stop.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    mut serving: Serving,
    over_tls: bool,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = serving.stop.wait_for(|stop| *stop) => return,
        };
        match accepted {
            Ok((socket, peer)) => {
                serving.accepting.worked();
                let acceptor = match &*serving.tls.borrow() {
                    _ if !over_tls => None,
                    Some(tls) => Some(TlsAcceptor::from(tls.https.clone())),
                    // Nothing is said in plaintext instead.
                    None => continue,
                };
                // Small elements must not wait for more to send; failing that only costs time.
                let _nodelay = socket.set_nodelay(true);
                let peer = peer.ip().to_canonical();
                let Some(place) = serving.server.admit(peer) else {
                    continue;
                };
                let router = router.clone().layer(Extension(Peer(peer)));
                let connection = connection(socket, router, acceptor, serving.stop.clone());
                tokio::spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) => serving.accepting.failed(error).await,
        }
    }
}

async fn connection(
    socket: TcpStream,
    router: Router,
    acceptor: Option<TlsAcceptor>,
    stop: watch::Receiver<bool>,
) {
    match acceptor {
        None => requests(socket, router, stop).await,
        Some(acceptor) => {
            if let Ok(Ok(stream)) =
                tokio::time::timeout(HEAD_TIME_MAX, acceptor.accept(socket)).await
            {
                requests(stream, router, stop).await;
            }
        }
    }
}

/// Answers requests until the client has no more, or the server stops and the last one is answered.
async fn requests(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(hyper_util::rt::TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX);
    let service = TowerToHyperService::new(router);
    let serving = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let mut serving = std::pin::pin!(serving);
    // The sender is gone only where everything has stopped.
    let stopped = async { stop.wait_for(|stop| *stop).await.map(drop) };
    let outcome = tokio::select! {
        outcome = serving.as_mut() => outcome,
        _ = stopped => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "an HTTP connection failed");
    }
}
