//! Requests to the object store: HTTP/1.1 by connections that are kept for the next one.
//!
//! No redirect is followed and no proxy of the environment is used. An answer is read whole before it is given on: all that
//! is asked for is bounded, and so one limit of time holds for all of it.

use std::fmt;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HOST, HeaderValue};
use hyper::{Method, Uri};
use hyper_util::rt::TokioIo;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody,
    HttpResponse, HttpService,
};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::fault::{Ended, note};
use super::place::ObjectTimes;

/// Most bytes of an answer: a part of a file, or a list of a thousand names.
const ANSWER_BYTES_MAX: usize = 4 << 20;
/// Most connections that are kept for the next request.
const IDLE_MAX: usize = 16;
/// How long one is kept: less than servers keep them.
const IDLE_SECS_MAX: u64 = 15;
/// Longest code of S3 that is read of an answer.
const CODE_BYTES_MAX: usize = 64;

type Connection = SendRequest<HttpRequestBody>;

/// Makes requests.
#[derive(Clone)]
pub(super) struct Http(Arc<Shared>);

struct Shared {
    tls: TlsConnector,
    times: ObjectTimes,
    idle: Mutex<Vec<(Connection, Instant)>>,
}

impl Http {
    pub(super) fn new(roots: RootCertStore, times: ObjectTimes) -> Result<Self, rustls::Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(Shared {
            tls: TlsConnector::from(Arc::new(config)),
            times,
            idle: Mutex::default(),
        })))
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Http")
    }
}

impl HttpConnector for Http {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

impl HttpService for Http {
    fn call<'a, 'b>(
        &'a self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(self.0.answer(request))
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum NoAnswer {
    #[error("it was not there in time")]
    Late(u64),
    #[error("{0}")]
    Unconnected(String),
    #[error("{0}")]
    Broken(String),
    #[error("it is longer than {ANSWER_BYTES_MAX} bytes")]
    TooLong,
    #[error("{0}")]
    Unasked(String),
}

impl NoAnswer {
    fn broken(error: &hyper::Error) -> Self {
        Self::Broken(error.to_string())
    }

    /// What the client makes of it: whether it tries again.
    fn kind(&self) -> HttpErrorKind {
        match self {
            Self::Late(_) => HttpErrorKind::Timeout,
            Self::Unconnected(_) => HttpErrorKind::Connect,
            Self::Broken(_) => HttpErrorKind::Interrupted,
            Self::TooLong | Self::Unasked(_) => HttpErrorKind::Unknown,
        }
    }
}

impl Shared {
    async fn answer(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let millis = self.times.answer_millis_max;
        let answered = timeout(Duration::from_millis(millis), self.exchange(request)).await;
        let answered = answered.unwrap_or(Err(NoAnswer::Late(millis)));
        match answered {
            Ok(response) => {
                let (head, body) = response.into_parts();
                let status = head.status.as_u16();
                let is_good = head.status.is_success();
                note((!is_good).then(|| Ended::Status(status, code(&body))));
                Ok(HttpResponse::from_parts(head, body.into()))
            }
            Err(error) => {
                note(Some(match &error {
                    NoAnswer::Late(millis) => Ended::Late(*millis),
                    error => Ended::Broken(error.to_string()),
                }));
                Err(HttpError::new(error.kind(), error))
            }
        }
    }

    async fn exchange(&self, request: HttpRequest) -> Result<hyper::Response<Bytes>, NoAnswer> {
        let (mut head, body) = request.into_parts();
        let unasked = |_| NoAnswer::Unasked("the request has no address".to_owned());
        let uri = std::mem::take(&mut head.uri);
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let host = HeaderValue::from_str(authority).map_err(|_| unasked(()))?;
        head.headers.insert(HOST, host);
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        head.uri = path.parse().map_err(|_| unasked(()))?;
        let is_head = head.method == Method::HEAD;
        let mut connection = match self.kept() {
            Some(connection) => connection,
            None => self.connect(&uri).await?,
        };
        let sent = connection.send_request(hyper::Request::from_parts(head, body));
        let response = sent.await.map_err(|error| NoAnswer::broken(&error))?;
        let (head, body) = response.into_parts();
        let body = if is_head {
            Bytes::new()
        } else {
            whole(body).await?
        };
        self.keep(connection);
        Ok(hyper::Response::from_parts(head, body))
    }

    /// A connection that nobody uses.
    fn kept(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let age = Duration::from_secs(IDLE_SECS_MAX);
        idle.retain(|(connection, since)| !connection.is_closed() && since.elapsed() < age);
        let at = idle
            .iter()
            .rposition(|(connection, _)| connection.is_ready())?;
        Some(idle.swap_remove(at).0)
    }

    fn keep(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if !connection.is_closed() && idle.len() < IDLE_MAX {
            idle.push((connection, Instant::now()));
        }
    }

    async fn connect(&self, uri: &Uri) -> Result<Connection, NoAnswer> {
        let millis = self.times.connect_millis_max;
        let connected = timeout(Duration::from_millis(millis), self.open(uri)).await;
        connected.unwrap_or(Err(NoAnswer::Late(millis)))
    }

    async fn open(&self, uri: &Uri) -> Result<Connection, NoAnswer> {
        let is_tls = uri.scheme_str() != Some("http");
        let host = uri.host().unwrap_or_default();
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let failed = |error: std::io::Error| NoAnswer::Unconnected(error.to_string());
        let socket = TcpStream::connect((host.as_str(), port))
            .await
            .map_err(failed)?;
        socket.set_nodelay(true).map_err(failed)?;
        if !is_tls {
            return spoken(TokioIo::new(socket)).await;
        }
        let name = match host.parse::<IpAddr>() {
            Ok(address) => ServerName::from(address),
            Err(_) => ServerName::try_from(host)
                .map_err(|error| NoAnswer::Unconnected(error.to_string()))?,
        };
        let encrypted = self.tls.connect(name, socket).await.map_err(failed)?;
        spoken(TokioIo::new(encrypted)).await
    }
}

/// Begins to speak HTTP.
async fn spoken<S>(socket: S) -> Result<Connection, NoAnswer>
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (connection, driver) = http1::handshake(socket)
        .await
        .map_err(|error| NoAnswer::broken(&error))?;
    // It ends with the connection; why it does, hears who waits for an answer.
    drop(tokio::spawn(async {
        let _ended = driver.await;
    }));
    Ok(connection)
}

/// Reads a body to its end.
async fn whole(body: Incoming) -> Result<Bytes, NoAnswer> {
    let mut body = pin!(body);
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let frame = frame.map_err(|error| NoAnswer::broken(&error))?;
        let Ok(bytes) = frame.into_data() else {
            continue;
        };
        if first.len() + all.len() + bytes.len() > ANSWER_BYTES_MAX {
            return Err(NoAnswer::TooLong);
        }
        if first.is_empty() && all.is_empty() {
            first = bytes;
            continue;
        }
        all.extend_from_slice(&std::mem::take(&mut first));
        all.extend_from_slice(&bytes);
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

/// The code that S3 gives with what is no success: letters, and no more of what the server wrote.
fn code(body: &[u8]) -> String {
    let text = std::str::from_utf8(body).unwrap_or_default();
    let code = text
        .split_once("<Code>")
        .and_then(|(_, rest)| rest.split_once("</Code>"));
    let is_code = |code: &&str| {
        code.len() <= CODE_BYTES_MAX && code.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    code.map(|(code, _)| code)
        .filter(is_code)
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::code;

    #[test]
    fn a_code_is_a_word() {
        let body =
            b"<?xml version=\"1.0\"?><Error><Code>NoSuchBucket</Code><Message>a</Message></Error>";
        assert_eq!(code(body), "NoSuchBucket");
        for body in [
            &b""[..],
            b"<Code>",
            b"<Code>a b</Code>",
            b"\xff<Code>A</Code>",
        ] {
            assert_eq!(code(body), "");
        }
        let long = format!("<Code>{}</Code>", "A".repeat(65));
        assert_eq!(code(long.as_bytes()), "");
    }
}
