//! Requests to web servers elsewhere, whose addresses users choose: what they can have done by that is bounded.
//!
//! HTTP/1.1 by TLS, one connection a request ([RFC 9112](https://www.rfc-editor.org/rfc/rfc9112)). Names are looked up here,
//! and what is connected to is one of the addresses that were looked at, so that no name can mean two things. No redirect is
//! followed, no proxy of the environment is used, and of the answer nothing is kept but its status.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use waxwing_dial::{Family, Resolve, SystemResolver};
use waxwing_server::{Endpoint, Web, WebAnswer, WebError, WebRequest};

/// Most requests at a time; others wait, as long as they may take.
const REQUESTS_MAX: usize = 64;
/// Most bytes of an answer's head; what comes behind it is not read.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// Most fields of it.
const FIELDS_MAX: usize = 64;
/// Most addresses of one name that are tried.
const ADDRESSES_MAX: usize = 4;
/// Longest time for one address, so that there is some left for another.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(8);
/// Where systems keep the authorities that they trust.
const AUTHORITIES: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
];

/// Posts. What it needs is made when somebody posts first: most servers never do.
pub(crate) struct Posting {
    tools: Arc<OnceCell<Tools>>,
    room: Arc<Semaphore>,
}

struct Tools {
    resolve: Arc<dyn Resolve>,
    tls: TlsConnector,
}

impl Posting {
    pub(crate) fn new() -> Posting {
        Posting {
            tools: Arc::default(),
            room: Arc::new(Semaphore::new(REQUESTS_MAX)),
        }
    }
}

impl Web for Posting {
    fn post(&self, request: WebRequest) -> BoxFuture<'static, Result<WebAnswer, WebError>> {
        let (tools, room) = (self.tools.clone(), self.room.clone());
        async move {
            let time = Duration::from_secs(request.secs_max);
            let done = timeout(time, async {
                let _room = room.acquire().await.map_err(|_| WebError::Late)?;
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
            WebError::Unreachable
        })?;
        let roots = tokio::task::spawn_blocking(authorities).await;
        let roots = roots.map_err(|_| WebError::Unreachable)?;
        if roots.is_empty() {
            tracing::error!("this machine trusts no authority; nothing is posted");
            return Err(WebError::Unreachable);
        }
        Tools::with(Arc::new(resolve), roots)
    }

    fn with(resolve: Arc<dyn Resolve>, roots: RootCertStore) -> Result<Tools, WebError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| WebError::Unreachable)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Tools {
            resolve,
            tls: TlsConnector::from(Arc::new(config)),
        })
    }
}

/// What the machine trusts: the first file of them that there is.
fn authorities() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let files = AUTHORITIES
        .iter()
        .filter_map(|path| CertificateDer::pem_file_iter(path).ok());
    for certificate in files.take(1).flatten().flatten() {
        // One that cannot be read vouches for nobody.
        let _unread = roots.add(certificate);
    }
    roots
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
        let Ok(Ok(socket)) = timeout(CONNECT_TIME_MAX, TcpStream::connect(to)).await else {
            continue;
        };
        let stream = tools.tls.connect(name, socket).await;
        let stream = stream.map_err(|_| WebError::Unreachable)?;
        return speak(stream, request).await;
    }
    Err(WebError::Unreachable)
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
    all.retain(|address| request.private_addresses || is_public(*address));
    all.truncate(ADDRESSES_MAX);
    match all.is_empty() {
        true => Err(WebError::Private),
        false => Ok(all),
    }
}

/// Whether an address belongs to nobody's own network (RFC 6890), nor stands for one that may.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(address) => is_public_v4(address),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    // This network, carriers' own, protocols', benchmarks', the anycast of 6to4, and what is reserved.
    let is_special = matches!(
        (first, second, third),
        (0 | 240.., _, _) | (100, 64..=127, _) | (192, 0, 0) | (198, 18 | 19, _) | (192, 88, 99)
    );
    let is_own = address.is_loopback() || address.is_private() || address.is_link_local();
    let is_nobody = address.is_multicast() || address.is_documentation();
    !(is_special || is_own || is_nobody)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let is_global = first & 0xe000 == 0x2000;
    // Protocols' and tunnels' (Teredo, ORCHID), examples', and 6to4, which stands for an address of IPv4.
    let is_special = matches!(
        (first, second),
        (0x2001, 0x0000..=0x01ff | 0x0db8) | (0x2002, _) | (0x3fff, 0..=0x0fff)
    );
    is_global && !is_special
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
        if read.len() > ANSWER_BYTES_MAX {
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
