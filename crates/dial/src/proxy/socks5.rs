//! SOCKS 5: [RFC 1928](https://www.rfc-editor.org/rfc/rfc1928), with user name and password by
//! [RFC 1929](https://www.rfc-editor.org/rfc/rfc1929).

use std::net::IpAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use zeroize::Zeroizing;

use super::{Credentials, gone, read};
use crate::error::ProxyError;
use crate::place::Host;

const VERSION: u8 = 5;
const NO_LOGIN: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;
const LOGIN_VERSION: u8 = 1;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

pub(super) async fn connect<S>(
    socket: &mut S,
    credentials: Option<&Credentials>,
    host: &Host,
    port: u16,
) -> Result<(), ProxyError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let request = request(host, port)?;
    // With a log-in no other is offered: RFC 1928 lets the proxy choose, and streams of different
    // users must not be mixed (as Tor does).
    let method = if credentials.is_some() {
        USER_AND_PASSWORD
    } else {
        NO_LOGIN
    };
    write(socket, &[VERSION, 1, method]).await?;
    match (read(socket).await?, credentials) {
        ([VERSION, NO_LOGIN], None) => {}
        ([VERSION, USER_AND_PASSWORD], Some(credentials)) => log_in(socket, credentials).await?,
        ([VERSION, 0xff], None) => return Err(ProxyError::LoginRefused),
        ([VERSION, 0xff], Some(_)) => return Err(ProxyError::NoMethod),
        _ => return Err(ProxyError::NoProxy),
    }
    write(socket, &request).await?;
    answer(socket).await
}

async fn log_in<S>(socket: &mut S, credentials: &Credentials) -> Result<(), ProxyError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut message = Zeroizing::new(vec![LOGIN_VERSION]);
    for part in [&credentials.user, &credentials.password] {
        // `Credentials` are no longer than one byte can say.
        message.push(u8::try_from(part.len()).map_err(|_| ProxyError::LoginRefused)?);
        message.extend_from_slice(part.as_bytes());
    }
    write(socket, &message).await?;
    match read(socket).await? {
        [LOGIN_VERSION, 0] => Ok(()),
        // Any other status is a failure (RFC 1929 §2).
        [LOGIN_VERSION, _] => Err(ProxyError::LoginRefused),
        _ => Err(ProxyError::NoProxy),
    }
}

fn request(host: &Host, port: u16) -> Result<Vec<u8>, ProxyError> {
    let mut request = vec![VERSION, CONNECT, 0];
    match host {
        Host::Ip(IpAddr::V4(address)) => {
            request.push(IPV4);
            request.extend_from_slice(&address.octets());
        }
        Host::Ip(IpAddr::V6(address)) => {
            request.push(IPV6);
            request.extend_from_slice(&address.octets());
        }
        Host::Name(name) => {
            let length = u8::try_from(name.len()).map_err(|_| ProxyError::NameTooLong)?;
            request.extend_from_slice(&[NAME, length]);
            request.extend_from_slice(name.as_bytes());
        }
    }
    request.extend_from_slice(&port.to_be_bytes());
    Ok(request)
}

/// RFC 1928 §6. The address that the proxy is bound to is of no use, but ends the answer.
async fn answer<S: AsyncRead + Unpin>(socket: &mut S) -> Result<(), ProxyError> {
    let [version, reply, reserved, kind] = read(socket).await?;
    if version != VERSION {
        return Err(ProxyError::NoProxy);
    }
    match reply {
        0 => {}
        2 => return Err(ProxyError::Forbidden),
        3..=6 => return Err(ProxyError::Unreachable),
        1 | 7 | 8 => return Err(ProxyError::Failed),
        _ => return Err(ProxyError::NoProxy),
    }
    let length = match (reserved, kind) {
        (0, IPV4) => 4,
        (0, IPV6) => 16,
        (0, NAME) => usize::from(read::<1, _>(socket).await?[0]),
        _ => return Err(ProxyError::NoProxy),
    };
    let mut rest = [0; u8::MAX as usize + 2];
    let address_and_port = rest.get_mut(..length + 2).ok_or(ProxyError::NoProxy)?;
    socket.read_exact(address_and_port).await.map_err(gone)?;
    Ok(())
}

async fn write<S: AsyncWrite + Unpin>(socket: &mut S, bytes: &[u8]) -> Result<(), ProxyError> {
    socket.write_all(bytes).await.map_err(gone)?;
    socket.flush().await.map_err(gone)
}
