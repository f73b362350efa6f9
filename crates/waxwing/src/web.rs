//! HTTP listeners: plain on this machine and for proxies, TLS elsewhere.

use std::net::IpAddr;

use axum::{Extension, Router};
use hyper::server::conn::http1::Builder;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::accepting::prepare;
use crate::listen::Serving;
use crate::one_port;
use crate::proxy::{Announcing, announced};
use crate::site::Peer;
use crate::write_limit::Limited;

/// Longest time for a request's head, TLS handshake included.
const HEAD_TIME_MAX: std::time::Duration = std::time::Duration::from_secs(15);

/// Bytes of a request's head. Also those kept of a content that is being read.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// Lines of a request's head.
const HEADERS_MAX: usize = 100;

/// Who may use an HTTP listener, and how.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everybody, over TLS.
    Tls,
    /// Everybody, over TLS, and clients' streams beside requests.
    OnePort,
    /// This machine, without.
    Loopback,
    /// Trusted proxies, without.
    Proxies,
}

/// Serves `router` until told to stop.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    mut serving: Serving,
    access: Access,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = serving.stop.wait_for(|stop| *stop) => return,
        };
        match accepted {
            Ok((socket, peer)) => {
                serving.accepting.worked();
                let peer = peer.ip().to_canonical();
                let acceptor = match (access, &*serving.tls.borrow()) {
                    (Access::Proxies, _) if !serving.proxies.trusts(peer) => continue,
                    (Access::Proxies | Access::Loopback, _) => None,
                    (Access::Tls, Some(tls)) => Some(TlsAcceptor::from(tls.https.clone())),
                    (Access::OnePort, Some(tls)) => Some(TlsAcceptor::from(tls.any.clone())),
                    // Nothing is said in plaintext instead.
                    (Access::Tls | Access::OnePort, None) => continue,
                };
                prepare(&socket);
                let (router, serving) = (router.clone(), serving.clone());
                tokio::spawn(connection(socket, peer, router, acceptor, access, serving));
            }
            Err(error) => serving.accepting.failed(error).await,
        }
    }
}

async fn connection(
    mut socket: TcpStream,
    mut peer: IpAddr,
    router: Router,
    acceptor: Option<TlsAcceptor>,
    access: Access,
    serving: Serving,
) {
    let listener = match access {
        Access::Tls => Some(Announcing::Https),
        Access::OnePort => Some(Announcing::Tls),
        Access::Loopback | Access::Proxies => None,
    };
    if serving.proxies.announces(listener, peer) {
        match announced(&mut socket).await {
            Ok(client) => peer = client.unwrap_or(peer),
            Err(error) => {
                tracing::debug!(%error, "a proxy's connection is closed");
                return;
            }
        }
    }
    // Those who come by a proxy of ours are counted when they begin a stream.
    let place = match serving.proxies.trusts(peer) {
        true => None,
        false => match serving.server.admit(peer) {
            Some(place) => Some(place),
            None => return,
        },
    };
    let router = router.layer(Extension(Peer(peer)));
    let stop = serving.stop.clone();
    let socket = Limited::new(socket, serving.server.clone());
    let Some(acceptor) = acceptor else {
        // Whoever only asks for something does not keep the server from stopping.
        drop(serving);
        requests(socket, router, stop).await;
        drop(place);
        return;
    };
    let begun = tokio::time::timeout(HEAD_TIME_MAX, async {
        let mut tls = acceptor.accept(socket).await?;
        let is_stream = access == Access::OnePort && one_port::is_stream(&mut tls).await?;
        Ok::<_, std::io::Error>((tls, is_stream))
    });
    match begun.await {
        Ok(Ok((tls, true))) => one_port::stream(tls, peer, serving).await,
        Ok(Ok((tls, false))) => {
            drop(serving);
            requests(tls, router, stop).await;
        }
        Ok(Err(_)) | Err(_) => {}
    }
    drop(place);
}

/// Answers requests until the client has no more, or the server stops and the last one is answered.
async fn requests(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    // HTTP/1 alone: WebSockets begin with it, and what guesses between versions waits for the first byte for ever.
    let mut builder = Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX);
    let service = TowerToHyperService::new(router);
    let serving = builder.serve_connection(TokioIo::new(stream), service);
    let serving = serving.with_upgrades();
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
