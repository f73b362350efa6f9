//! Listeners for clients.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use waxwing_server::Server;

use crate::accepting::{Accepting, prepare};
use crate::bosh::Sessions;
use crate::client::{Client, Protection};
use crate::proxy::{Announcing, Proxies, announced};
use crate::reload::{LiveTls, LiveWeb};

/// Connections that the system keeps waiting for us to accept.
const BACKLOG: i32 = 1_024;

/// Why an address cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("{address} cannot listen: {reason}; {mend}")]
pub(crate) struct ListenError {
    /// The address.
    pub address: SocketAddr,
    /// In plain words.
    pub reason: String,
    /// What to do about it.
    mend: &'static str,
    /// Whether it is only this process that may not.
    is_forbidden: bool,
}

impl ListenError {
    /// What to do about it.
    pub(crate) fn mend(&self) -> &'static str {
        self.mend
    }

    /// Whether it is only this process that may not: another one, with a capability, may.
    pub(crate) fn is_forbidden(&self) -> bool {
        self.is_forbidden
    }
}

/// Opens a listening socket; `[::]` takes IPv4 too.
pub(crate) fn open(address: SocketAddr) -> Result<TcpListener, ListenError> {
    let attempt = || -> std::io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        if address.is_ipv6() {
            socket.set_only_v6(!address.ip().is_unspecified())?;
        }
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        TcpListener::from_std(socket.into())
    };
    attempt().map_err(|error| {
        let (reason, mend) = explain(&error, address);
        ListenError {
            address,
            reason,
            mend,
            is_forbidden: error.kind() == std::io::ErrorKind::PermissionDenied,
        }
    })
}

fn explain(error: &std::io::Error, address: SocketAddr) -> (String, &'static str) {
    let port = address.port();
    match error.kind() {
        std::io::ErrorKind::AddrInUse => (
            format!("port {port} is in use by another program"),
            "stop that one (`ss -ltnp` names it), or give another port under [listen]",
        ),
        std::io::ErrorKind::PermissionDenied => (
            format!("port {port} needs privileges"),
            "grant CAP_NET_BIND_SERVICE, as the package's unit does, or use one above 1023",
        ),
        std::io::ErrorKind::AddrNotAvailable => (
            "this machine does not have that address".to_owned(),
            "`ip address` shows those that it has",
        ),
        _ => (error.to_string(), "give another address under [listen]"),
    }
}

/// What every listener needs.
#[derive(Clone)]
pub(crate) struct Serving {
    /// The server.
    pub server: Server,
    /// TLS, where something needs it.
    pub tls: LiveTls,
    /// Settings for browsers.
    pub web: LiveWeb,
    /// Sessions over HTTP requests.
    pub bosh: Arc<Sessions>,
    /// Reverse proxies.
    pub proxies: Arc<Proxies>,
    /// Whether connections can be accepted at the moment.
    pub accepting: Arc<Accepting>,
    /// Becomes true when nothing more is accepted.
    pub stop: watch::Receiver<bool>,
    /// Held by every listener and every connection; all are gone when nobody holds it.
    pub alive: tokio::sync::mpsc::Sender<()>,
}

impl Serving {
    /// Accepts clients until told to stop.
    pub(crate) async fn accept(mut self, listener: TcpListener, protection: Protection) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = self.stop.wait_for(|stop| *stop) => return,
            };
            match accepted {
                Ok((socket, peer)) => {
                    self.accepting.worked();
                    self.begin(socket, peer, protection.clone());
                }
                Err(error) => self.accepting.failed(error).await,
            }
        }
    }

    fn begin(&self, mut socket: TcpStream, peer: SocketAddr, protection: Protection) {
        let peer = peer.ip().to_canonical();
        let listener = match protection {
            Protection::StartTls => Some(Announcing::C2s),
            Protection::Tls => Some(Announcing::C2sTls),
            Protection::PlainLoopback
            | Protection::ComponentLoopback
            | Protection::ComponentTls => None,
        };
        if !self.proxies.announces(listener, peer) {
            return self.begin_from(socket, peer, protection);
        }
        let serving = self.clone();
        tokio::spawn(async move {
            match announced(&mut socket).await {
                Ok(client) => serving.begin_from(socket, client.unwrap_or(peer), protection),
                Err(error) => tracing::debug!(%error, "a proxy's connection is closed"),
            }
        });
    }

    fn begin_from(&self, socket: TcpStream, peer: IpAddr, protection: Protection) {
        let Some(place) = self.server.admit(peer) else {
            return;
        };
        prepare(&socket);
        if let Some(client) = Client::new(
            self.server.clone(),
            place,
            socket,
            peer,
            protection,
            self.tls.borrow().clone(),
            self.alive.downgrade(),
        ) {
            tokio::spawn(client);
        }
    }
}
