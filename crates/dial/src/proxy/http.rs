//! HTTP `CONNECT`: [RFC 9110 §9.3.6](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6), over
//! HTTP/1.1, with Basic credentials ([RFC 7617](https://www.rfc-editor.org/rfc/rfc7617)).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use zeroize::Zeroizing;

use super::{Credentials, gone, read};
use crate::error::ProxyError;
use crate::place::Host;

/// Bytes of the answer's status line and fields.
const ANSWER_BYTES_MAX: usize = 8 * 1024;

pub(super) async fn connect<S>(
    socket: &mut S,
    credentials: Option<&Credentials>,
    host: &Host,
    port: u16,
) -> Result<(), ProxyError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let request = request(credentials, host, port);
    socket.write_all(request.as_bytes()).await.map_err(gone)?;
    socket.flush().await.map_err(gone)?;
    let answer = answer(socket).await?;
    judge(status(&answer).ok_or(ProxyError::NoProxy)?)
}

/// No field but those that are needed: an agent's name would tell who is behind the proxy.
fn request(credentials: Option<&Credentials>, host: &Host, port: u16) -> Zeroizing<String> {
    let authority = match host {
        Host::Ip(std::net::IpAddr::V6(address)) => format!("[{address}]:{port}"),
        Host::Ip(address) => format!("{address}:{port}"),
        Host::Name(name) => format!("{name}:{port}"),
    };
    let mut request = Zeroizing::new(format!(
        "CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n"
    ));
    if let Some(Credentials { user, password }) = credentials {
        let pair = Zeroizing::new(format!("{}:{}", **user, **password));
        let encoded = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
        request.push_str("Proxy-Authorization: Basic ");
        request.push_str(&encoded);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    request
}

/// Reads up to the empty line, byte by byte: what follows is not the proxy's.
async fn answer<S: AsyncRead + Unpin>(socket: &mut S) -> Result<Vec<u8>, ProxyError> {
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() == ANSWER_BYTES_MAX {
            return Err(ProxyError::NoProxy);
        }
        let [byte] = read(socket).await?;
        answer.push(byte);
        // Something else than HTTP may never send an empty line.
        if !answer.starts_with(b"HTTP/1.") && !b"HTTP/1.".starts_with(&answer) {
            return Err(ProxyError::NoProxy);
        }
    }
    Ok(answer)
}

/// The status code of `HTTP/1.x SP 3DIGIT [SP reason]` (RFC 9112 §4).
fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\r').next()?;
    let rest = line.strip_prefix(b"HTTP/1.")?;
    let (code, after) = match rest {
        [b'0' | b'1', b' ', code @ ..] => code.split_at_checked(3)?,
        _ => return None,
    };
    if !matches!(after, [] | [b' ', ..]) || !code.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(code).ok()?.parse().ok()
}

fn judge(status: u16) -> Result<(), ProxyError> {
    match status {
        200..=299 => Ok(()),
        407 | 401 => Err(ProxyError::LoginRefused),
        400..=499 => Err(ProxyError::Forbidden),
        502..=504 => Err(ProxyError::Unreachable),
        500..=599 => Err(ProxyError::Failed),
        _ => Err(ProxyError::NoProxy),
    }
}
