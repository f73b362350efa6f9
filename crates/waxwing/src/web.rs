//! HTTP listeners: plain on this machine, TLS elsewhere.

use std::sync::Arc;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::accepting::Accepting;
use crate::reload::LiveTls;

/// Longest time for a request's head, TLS handshake included.
const HEAD_TIME_MAX: std::time::Duration = std::time::Duration::from_secs(15);

/// Serves `router` until told to stop; over TLS where `tls` is given.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    tls: Option<LiveTls>,
    accepting: Arc<Accepting>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        match accepted {
            Ok((socket, _)) => {
                accepting.worked();
                let acceptor = match &tls {
                    None => None,
                    Some(tls) => match &*tls.borrow() {
                        Some(tls) => Some(TlsAcceptor::from(tls.https.clone())),
                        // Nothing is said in plaintext instead.
                        None => continue,
                    },
                };
                tokio::spawn(connection(socket, router.clone(), acceptor));
            }
            Err(error) => accepting.failed(error).await,
        }
    }
}

async fn connection(socket: TcpStream, router: Router, acceptor: Option<TlsAcceptor>) {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(hyper_util::rt::TokioTimer::new())
        .header_read_timeout(HEAD_TIME_MAX);
    let service = TowerToHyperService::new(router);
    let outcome = match acceptor {
        None => {
            builder
                .serve_connection(TokioIo::new(socket), service)
                .await
        }
        Some(acceptor) => {
            match tokio::time::timeout(HEAD_TIME_MAX, acceptor.accept(socket)).await {
                Ok(Ok(stream)) => {
                    builder
                        .serve_connection(TokioIo::new(stream), service)
                        .await
                }
                Ok(Err(_)) | Err(_) => return,
            }
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "an HTTP connection failed");
    }
}
