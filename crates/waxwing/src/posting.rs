//! Requests to web servers elsewhere, whose addresses users choose: what they can have done by that is bounded.
//!
//! HTTP/1.1 by TLS, one connection a request ([RFC 9112](https://www.rfc-editor.org/rfc/rfc9112)). Names are looked up here,
//! and what is connected to is one of the addresses that were looked at, so that no name can mean two things. No redirect is
//! followed, no proxy of the environment is used, and of the answer nothing is kept but its status.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use waxwing_dial::{Family, Resolve, SystemResolver};
use waxwing_server::{Endpoint, Web, WebAnswer, WebError, WebRequest, is_public_address};

use crate::check::certificate::system_authorities;

/// Most requests at a time; others wait.
const REQUESTS_MAX: usize = 256;
/// Most of them to one host: one that hangs leaves room for others.
const REQUESTS_PER_HOST_MAX: usize = 192;
/// How long they wait; then they are not made, which is no fault of who they are for.
const ROOM_TIME_MAX: Duration = Duration::from_secs(10);
/// Most bytes of an answer's head, with all that announces it; what comes behind it is not read.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// Most fields of it.
const FIELDS_MAX: usize = 64;
/// Most addresses of one name that are tried.
const ADDRESSES_MAX: usize = 4;
/// Longest time for one address, so that there is some left for another.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(8);
/// Posts. What it needs is made when somebody posts first: most servers never do.
pub(crate) struct Posting {
    tools: Arc<OnceCell<Tools>>,
    room: Arc<Room>,
}

/// How many requests are made, in all and to each host.
struct Room {
    all: Arc<Semaphore>,
    by_host: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// A place among the requests to a host; it is free again when this is dropped.
struct Place {
    room: Arc<Room>,
    host: String,
    permits: Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)>,
}

impl Room {
    fn new() -> Arc<Room> {
        Arc::new(Room {
            all: Arc::new(Semaphore::new(REQUESTS_MAX)),
            by_host: Mutex::default(),
        })
    }

    fn by_host(&self) -> MutexGuard<'_, HashMap<String, Arc<Semaphore>>> {
        self.by_host.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a place; nothing where there are none any more.
    async fn enter(self: Arc<Room>, host: &str) -> Option<Place> {
        let share = {
            let mut shares = self.by_host();
            let share = shares.entry(host.to_owned());
            share
                .or_insert_with(|| Arc::new(Semaphore::new(REQUESTS_PER_HOST_MAX)))
                .clone()
        };
        // Whoever waits no longer takes its share away with it.
        let mut place = Place {
            room: self,
            host: host.to_owned(),
            permits: None,
        };
        let own = share.acquire_owned().await.ok()?;
        let one = place.room.all.clone().acquire_owned().await.ok()?;
        place.permits = Some((own, one));
        Some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(self.permits.take());
        let mut shares = self.room.by_host();
        // Nobody else has it, or waits for it.
        let is_last = |share: &Arc<Semaphore>| Arc::strong_count(share) == 1;
        if shares.get(&self.host).is_some_and(is_last) {
            shares.remove(&self.host);
        }
    }
}

struct Tools {
    resolve: Arc<dyn Resolve>,
    tls: TlsConnector,
}

impl Posting {
    pub(crate) fn new() -> Posting {
        Posting {
            tools: Arc::default(),
            room: Room::new(),
        }
    }
}

impl Web for Posting {
    fn post(&self, request: WebRequest) -> BoxFuture<'static, Result<WebAnswer, WebError>> {
        let (tools, room) = (self.tools.clone(), self.room.clone());
        async move {
            let time = Duration::from_secs(request.secs_max);
            let done = timeout(time, async {
                let place = timeout(ROOM_TIME_MAX, room.enter(request.endpoint.host())).await;
                let Ok(Some(_place)) = place else {
                    return Err(WebError::Busy);
                };
                exchange(tools.get_or_try_init(Tools::make).await?, &request).await
            });
            done.await.unwrap_or(Err(WebError::Late))
        }
        .boxed()
    }
}

impl Tools {
    async fn make() -> Result<Tools, WebError> {
        let resolve = SystemResolver::new().map_err(|error| {
            tracing::error!(%error, "names cannot be looked up; nothing is posted");
            WebError::Unready
        })?;
        let roots = tokio::task::spawn_blocking(system_authorities).await;
        let roots = roots.map_err(|_| WebError::Unready)?;
        if roots.is_empty() {
            tracing::error!("this machine trusts no authority; nothing is posted");
            return Err(WebError::Unready);
        }
        Tools::with(Arc::new(resolve), roots)
    }

    fn with(resolve: Arc<dyn Resolve>, roots: RootCertStore) -> Result<Tools, WebError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| WebError::Unready)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Tools {
            resolve,
            tls: TlsConnector::from(Arc::new(config)),
        })
    }
}

async fn exchange(tools: &Tools, request: &WebRequest) -> Result<WebAnswer, WebError> {
    let addresses = addresses(&*tools.resolve, request).await?;
    let host = request.endpoint.host().to_owned();
    let name = match host.parse::<IpAddr>() {
        Ok(address) => ServerName::from(address),
        Err(_) => ServerName::try_from(host).map_err(|_| WebError::Unreachable)?,
    };
    for address in addresses {
        let to = SocketAddr::new(address, request.endpoint.port());
        let socket = match timeout(CONNECT_TIME_MAX, TcpStream::connect(to)).await {
            Ok(Ok(socket)) => socket,
            Ok(Err(error)) => {
                unreachable("nobody answers", &error);
                continue;
            }
            Err(late) => {
                unreachable("nobody answers", &late);
                continue;
            }
        };
        if !request.private_addresses && is_this_machine(&socket) {
            return Err(WebError::Private);
        }
        let stream = tools.tls.connect(name, socket).await;
        let stream = stream.map_err(|error| {
            unreachable("it is not known to be who it should be", &error);
            WebError::Unreachable
        })?;
        return speak(stream, request).await;
    }
    Err(WebError::Unreachable)
}

/// Why, for operators who look for it; where was somebody's secret.
fn unreachable(what: &str, error: &dyn std::error::Error) {
    tracing::debug!(%error, "a push service cannot be reached: {what}");
}

/// Whether it leads back here: then it is in nobody's way that a firewall stands before this machine.
fn is_this_machine(socket: &TcpStream) -> bool {
    let (own, other) = (socket.local_addr(), socket.peer_addr());
    match (own, other) {
        (Ok(own), Ok(other)) => own.ip() == other.ip(),
        // A socket without an address is no connection any more.
        _ => true,
    }
}

/// The addresses that may be connected to.
async fn addresses(resolve: &dyn Resolve, request: &WebRequest) -> Result<Vec<IpAddr>, WebError> {
    let host = request.endpoint.host();
    let mut all = match host.parse::<IpAddr>() {
        Ok(address) => vec![address],
        Err(_) => {
            let (v6, v4) = tokio::join!(
                resolve.addresses(host, Family::V6),
                resolve.addresses(host, Family::V4),
            );
            for error in [&v6, &v4]
                .into_iter()
                .filter_map(|found| found.as_ref().err())
            {
                unreachable("its name stands for nothing", error);
            }
            let (v6, v4) = (v6.unwrap_or_default(), v4.unwrap_or_default());
            // One of the other family soon, where one of them leads nowhere.
            let mut pairs: Vec<(usize, IpAddr)> = v6.into_iter().enumerate().collect();
            pairs.extend(v4.into_iter().enumerate());
            pairs.sort_by_key(|(at, _)| *at);
            pairs.into_iter().map(|(_, address)| address).collect()
        }
    };
    if all.is_empty() {
        return Err(WebError::Unreachable);
    }
    all.retain(|address| request.private_addresses || is_public_address(*address));
    all.truncate(ADDRESSES_MAX);
    match all.is_empty() {
        true => Err(WebError::Private),
        false => Ok(all),
    }
}

/// Sends the request and reads the head of its answer.
async fn speak<S>(mut stream: S, request: &WebRequest) -> Result<WebAnswer, WebError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut bytes = head(&request.endpoint, &request.headers, request.body.len()).into_bytes();
    bytes.extend_from_slice(&request.body);
    let written = async {
        stream.write_all(&bytes).await?;
        stream.flush().await
    };
    // A server may answer before it has read everything.
    let written = written.await;
    let mut read = Vec::new();
    let mut read_bytes = 0;
    loop {
        let mut some = [0; 2_048];
        let count = match stream.read(&mut some).await {
            Ok(0) | Err(_) if written.is_err() => return Err(WebError::Unreachable),
            Ok(0) | Err(_) => return Err(WebError::Malformed),
            Ok(count) => count,
        };
        read.extend_from_slice(some.get(..count).unwrap_or_default());
        if let Some(answer) = answer(&mut read)? {
            return Ok(answer);
        }
        read_bytes += count;
        if read_bytes > ANSWER_BYTES_MAX {
            return Err(WebError::Malformed);
        }
    }
}

fn head(endpoint: &Endpoint, fields: &[(&'static str, String)], body_bytes: usize) -> String {
    let mut head = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: Waxwing\r\nConnection: close\r\nContent-Length: {body_bytes}\r\n",
        endpoint.path(),
        endpoint.authority(),
    );
    for (name, value) in fields {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    head
}

/// Reads the answer, if it is there as a whole; what only announces one is passed over (RFC 9110 §15.2).
fn answer(read: &mut Vec<u8>) -> Result<Option<WebAnswer>, WebError> {
    loop {
        let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let mut response = httparse::Response::new(&mut fields);
        let parsed = response.parse(read).map_err(|_| WebError::Malformed)?;
        let httparse::Status::Complete(bytes) = parsed else {
            return Ok(None);
        };
        match response.code {
            Some(status @ 200..=599) => {
                let retry_after_secs = retry_after(response.headers);
                return Ok(Some(WebAnswer {
                    status,
                    retry_after_secs,
                }));
            }
            // Nobody asked for another protocol.
            Some(100 | 102..=199) => {}
            _ => return Err(WebError::Malformed),
        }
        read.drain(..bytes);
    }
}

/// As seconds; a date is not heeded, and the waiting time is ours then.
fn retry_after(fields: &[httparse::Header<'_>]) -> Option<u64> {
    let mut fields = fields.iter();
    let field = fields.find(|field| field.name.eq_ignore_ascii_case("retry-after"))?;
    let text = std::str::from_utf8(field.value).ok()?.trim();
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

#[cfg(test)]
mod tests;
