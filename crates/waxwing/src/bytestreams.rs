//! The relay of byte streams (XEP-0065): a SOCKS5 server that joins two of its clients, and connects to nobody.
//!
//! Who names a stream by its hash waits for the other one, and for an order that comes over XMPP. Nothing that is relayed is
//! looked at, and nothing of it is kept.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout};
use waxwing_server::Server;
use waxwing_server::bytestreams::{Leg, StreamHash};

use crate::accepting::prepare;
use crate::listen::Serving;

/// Longest time to say which stream is meant.
const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(15);
/// Bytes that are read at a time, of each way of each stream.
const CHUNK_BYTES: usize = 16 * 1024;

/// The version of SOCKS (RFC 1928 §3).
const VERSION: u8 = 5;
/// No authentication (RFC 1928 §3): who knows the hash is one of the two.
const NO_AUTHENTICATION: u8 = 0;
/// None of the methods that a client offers.
const NO_METHOD: u8 = 0xff;
/// What a client wants (RFC 1928 §4).
const CONNECT: u8 = 1;
/// Kinds of addresses (RFC 1928 §5).
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// What a client is told (RFC 1928 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Reply {
    Succeeded = 0,
    NotAllowed = 2,
    HostUnreachable = 4,
    NoSuchCommand = 7,
}

/// Why a connection is closed before it has a place.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("it speaks another protocol than SOCKS5")]
    Version,
    #[error("it offers no method without authentication")]
    Method,
    #[error("it is told {0:?}")]
    Told(Reply),
}

/// Where a connection is given to who relays.
type Handover = oneshot::Sender<TcpStream>;

/// Second connections of their streams, which are asked for: until then each looks itself whether its client is there.
#[derive(Default)]
struct Handed {
    asks: Mutex<HashMap<u64, oneshot::Sender<Handover>>>,
    changed: Notify,
}

impl Handed {
    fn asks(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<Handover>>> {
        self.asks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on it can be asked for.
    fn offer(&self, number: u64) -> oneshot::Receiver<Handover> {
        let (ask, asked) = oneshot::channel();
        self.asks().insert(number, ask);
        self.changed.notify_waiters();
        asked
    }

    fn take(&self, number: u64) -> Option<oneshot::Sender<Handover>> {
        self.asks().remove(&number)
    }

    /// The client of the other one may have given the order before that could be asked for. None where its client has gone.
    async fn ask_for(&self, number: u64) -> Option<TcpStream> {
        loop {
            let changed = self.changed.notified();
            if let Some(ask) = self.take(number) {
                let (give, given) = oneshot::channel();
                ask.send(give).ok()?;
                return given.await.ok();
            }
            changed.await;
        }
    }
}

/// Takes connections until told to stop.
pub(crate) async fn serve(listener: TcpListener, mut serving: Serving) {
    let handed = Arc::<Handed>::default();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = serving.stop.wait_for(|stop| *stop) => return,
        };
        match accepted {
            Ok((socket, peer)) => {
                serving.accepting.worked();
                begin(&serving, socket, peer, handed.clone());
            }
            Err(error) => serving.accepting.failed(error).await,
        }
    }
}

fn begin(serving: &Serving, socket: TcpStream, peer: SocketAddr, handed: Arc<Handed>) {
    let Some(place) = serving.server.admit(peer.ip().to_canonical()) else {
        return;
    };
    prepare(&socket);
    let server = serving.server.clone();
    let mut stop = serving.stop.clone();
    let alive = serving.alive.clone();
    tokio::spawn(async move {
        let _held = (place, alive);
        tokio::select! {
            () = attend(&server, socket, peer.ip().to_canonical(), &handed) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    });
}

/// One connection, to its end.
async fn attend(server: &Server, mut socket: TcpStream, from: IpAddr, handed: &Handed) {
    let handshake = timeout(HANDSHAKE_TIME_MAX, handshake(server, &mut socket, from));
    let mut leg = match handshake.await {
        Ok(Ok(leg)) => leg,
        Ok(Err(error)) => {
            tracing::debug!(%error, "a connection to the relay is closed");
            return;
        }
        Err(_) => return,
    };
    let number = leg.number();
    if leg.is_second() {
        return stand_by(socket, leg, handed).await;
    }
    let ordered = tokio::select! {
        ordered = timeout(server.bytestream_wait(), leg.signalled()) => ordered.unwrap_or(false),
        () = gone(&socket) => false,
    };
    if !ordered {
        return;
    }
    let other = timeout(HANDSHAKE_TIME_MAX, handed.ask_for(number)).await;
    let Some(mut other) = other.ok().flatten() else {
        return;
    };
    tokio::select! {
        () = relay(server, &mut socket, &mut other) => {}
        () = leg.ended() => tracing::debug!("a byte stream ends with what its account may"),
    }
}

/// The second connection of a stream: until it is asked for, and then until all is over, since its place among the
/// connections is taken as long as it is there.
async fn stand_by(socket: TcpStream, mut leg: Leg, handed: &Handed) {
    let number = leg.number();
    let asked = handed.offer(number);
    let given = tokio::select! {
        given = asked => given.ok(),
        () = gone(&socket) => None,
        _ = leg.signalled() => None,
    };
    match given {
        Some(give) => {
            // Who has asked may have gone meanwhile.
            let _gone = give.send(socket);
            let _over = leg.signalled().await;
        }
        // Before another one can take its place.
        None => drop(handed.take(number)),
    }
}

/// Until a client is gone. Whoever has sent something already is there, and waits with us.
async fn gone(socket: &TcpStream) {
    if matches!(socket.peek(&mut [0]).await, Ok(1..)) {
        std::future::pending::<()>().await;
    }
}

/// RFC 1928 §3 to §6, as XEP-0065 uses them: what stands for the address of a host is the hash of a stream.
async fn handshake(server: &Server, socket: &mut TcpStream, from: IpAddr) -> Result<Leg, Refused> {
    let [version, count] = read(socket).await?;
    if version != VERSION {
        return Err(Refused::Version);
    }
    let mut methods = vec![0; usize::from(count)];
    socket.read_exact(&mut methods).await?;
    if !methods.contains(&NO_AUTHENTICATION) {
        socket.write_all(&[VERSION, NO_METHOD]).await?;
        return Err(Refused::Method);
    }
    socket.write_all(&[VERSION, NO_AUTHENTICATION]).await?;
    let [version, command, _, kind] = read(socket).await?;
    if version != VERSION {
        return Err(Refused::Version);
    }
    let address = match kind {
        IPV4 => read_to_vec(socket, 4).await?,
        IPV6 => read_to_vec(socket, 16).await?,
        NAME => {
            let [length] = read(socket).await?;
            read_to_vec(socket, usize::from(length)).await?
        }
        _ => return Err(Refused::Version),
    };
    let [high, low] = read(socket).await?;
    let joined = match (command, kind) {
        (CONNECT, NAME) if [high, low] == [0, 0] => {
            let hash = StreamHash::named(&address).ok_or(Reply::HostUnreachable);
            let joined = |hash| server.join_bytestream(hash, from);
            hash.and_then(|hash| joined(hash).map_err(|_| Reply::NotAllowed))
        }
        (CONNECT, _) => Err(Reply::HostUnreachable),
        _ => Err(Reply::NoSuchCommand),
    };
    let reply = joined.as_ref().err().copied().unwrap_or(Reply::Succeeded);
    // "The Proxy MUST set the BND.ADDR and BND.PORT to the DST.ADDR and DST.PORT values provided by the client".
    let mut answer = vec![VERSION, reply as u8, 0, kind];
    if kind == NAME {
        answer.push(u8::try_from(address.len()).unwrap_or(u8::MAX));
    }
    answer.extend_from_slice(&address);
    answer.extend_from_slice(&[high, low]);
    socket.write_all(&answer).await?;
    joined.map_err(Refused::Told)
}

async fn read<const COUNT: usize>(socket: &mut TcpStream) -> io::Result<[u8; COUNT]> {
    let mut bytes = [0; COUNT];
    socket.read_exact(&mut bytes).await?;
    Ok(bytes)
}

async fn read_to_vec(socket: &mut TcpStream, count: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    socket.read_exact(&mut bytes).await?;
    Ok(bytes)
}

/// Carries bytes both ways until both are at their end, or nothing moves for too long.
async fn relay(server: &Server, one: &mut TcpStream, other: &mut TcpStream) {
    let moved = Moved {
        begun: Instant::now(),
        last_millis: AtomicU64::new(0),
    };
    let (from_one, to_one) = one.split();
    let (from_other, to_other) = other.split();
    let both = async {
        let there = pump(server, from_one, to_other, &moved);
        let back = pump(server, from_other, to_one, &moved);
        tokio::try_join!(there, back)
    };
    tokio::select! {
        carried = both => if let Err(error) = carried {
            tracing::debug!(%error, "a byte stream is cut");
        },
        () = idle(server, &moved) => tracing::debug!("a byte stream that carries nothing is cut"),
    }
}

/// Carries bytes one way to their end, which the other side is told.
async fn pump(
    server: &Server,
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    moved: &Moved,
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let count = from.read(&mut chunk).await?;
        let Some(bytes) = chunk.get(..count).filter(|bytes| !bytes.is_empty()) else {
            return to.shutdown().await;
        };
        to.write_all(bytes).await?;
        moved.note();
        server.bytestream_relayed(count as u64);
    }
}

/// When something has moved last.
struct Moved {
    begun: Instant,
    last_millis: AtomicU64,
}

impl Moved {
    fn note(&self) {
        let millis = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_millis.store(millis, Ordering::Relaxed);
    }

    fn last(&self) -> Instant {
        self.begun + Duration::from_millis(self.last_millis.load(Ordering::Relaxed))
    }
}

/// Until nothing has moved for as long as that may be.
async fn idle(server: &Server, moved: &Moved) {
    loop {
        let until = moved.last() + server.bytestream_idle();
        if until <= Instant::now() {
            return;
        }
        tokio::time::sleep_until(until).await;
    }
}
