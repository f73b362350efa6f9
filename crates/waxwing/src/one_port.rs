//! One TLS port for everything: ALPN says what a client speaks (XEP-0368 §5), without it the first bytes do. Streams here
//! are ordinary ones; the listeners for clients alone cost less memory.

use std::future::poll_fn;
use std::net::IpAddr;
use std::time::Duration;

use rustls::ProtocolVersion;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;
use waxwing_server::{Action, Connection, Framing, Link, Security, TlsBinding, Transport};

use crate::exporter::BINDING_LABEL;
use crate::listen::Serving;
use crate::outside::until;
use crate::write_limit::Limited;

/// A client's connection on this port.
type Socket = TlsStream<Limited<TcpStream>>;

/// What a client of XMPP says by ALPN.
pub(crate) const XMPP: &[u8] = b"xmpp-client";
/// What a client of HTTP says.
pub(crate) const HTTP: &[u8] = b"http/1.1";
/// Bytes read at a time.
const READ_BYTES: usize = 8 * 1024;
/// Longest time to say goodbye.
const CLOSING_TIME_MAX: Duration = Duration::from_secs(5);

/// Whether a stream begins here, not a request. An error where nothing comes.
pub(crate) async fn is_stream(tls: &mut Socket) -> std::io::Result<bool> {
    if let Some(protocol) = tls.get_ref().1.alpn_protocol() {
        return Ok(protocol == XMPP);
    }
    // No request begins so, and every stream does (RFC 6120 §4.2).
    let first = tls.fill_buf().await?.first().copied();
    Ok(first.is_some_and(|byte| byte == b'<' || byte.is_ascii_whitespace()))
}

/// What log-ins are bound to.
fn binding(tls: &Socket, serving: &Serving) -> TlsBinding {
    let session = tls.get_ref().1;
    let sni = session.server_name().map(str::to_owned);
    let exported = session.export_keying_material([0; 32], BINDING_LABEL, Some(&[]));
    // Of TLS 1.2 it would be safe only with the extended master secret.
    let version = session.protocol_version();
    let is_13 = version == Some(ProtocolVersion::TLSv1_3);
    let settings = serving.tls.borrow();
    let certificates = settings.as_ref().map(|settings| &settings.certificates);
    TlsBinding {
        tls_exporter: exported.ok().filter(|_| is_13),
        server_end_point: certificates.and_then(|all| all.end_point(sni.as_deref())),
        sni,
        version: version.map(u16::from),
    }
}

/// A client's stream, until its end.
pub(crate) async fn stream(mut tls: Socket, peer: IpAddr, serving: Serving) {
    let mut connection = serving.server.accept(Link {
        peer,
        transport: Transport::Tls,
        security: Security::Tls(binding(&tls, &serving)),
        framing: Framing::Document,
    });
    // Held until the stream is over.
    let _alive = serving;
    let mut input = vec![0; READ_BYTES];
    loop {
        let reads = connection.wants_input();
        let deadline = connection.deadline_micros();
        let wait = deadline.map(until).unwrap_or_default();
        let action = tokio::select! {
            action = poll_fn(|cx| connection.poll(cx)) => action,
            read = tls.read(&mut input), if reads => match read {
                Ok(length) if length > 0 => {
                    connection.receive(input.get(..length).unwrap_or_default());
                    continue;
                }
                _ => break,
            },
            () = tokio::time::sleep(wait), if deadline.is_some() => {
                connection.handle_deadline();
                continue;
            }
        };
        if action != Action::Send {
            // Whether the client hears of it or not.
            let _goodbye = timeout(CLOSING_TIME_MAX, tls.shutdown()).await;
            break;
        }
        if !write(&mut tls, &mut connection).await {
            break;
        }
    }
    connection.closed();
}

/// Writes what is to be said; `false` where the client takes nothing.
async fn write(tls: &mut Socket, connection: &mut Connection) -> bool {
    let mut output = Vec::new();
    connection.take_output(&mut output);
    for bytes in output {
        if tls.write_all(&bytes).await.is_err() {
            return false;
        }
    }
    if tls.flush().await.is_err() {
        return false;
    }
    connection.written();
    true
}
