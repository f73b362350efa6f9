//! The PROXY protocol, versions 1 and 2: <https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt>. Version 1 is what
//! nginx speaks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};

/// Longest time for a header to come: a proxy sends it at once.
const HEADER_TIME_MAX: Duration = Duration::from_secs(5);
/// Bytes of addresses and additions in version 2; a header is to fit into one packet (§2.2).
const V2_BYTES_MAX: usize = 2_048;
/// Bytes of a line of version 1 (§2.1).
const V1_BYTES_MAX: usize = 107;
/// What version 2 begins with.
const V2_SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// What version 1 begins with.
const V1_SIGNATURE: &[u8] = b"PROXY ";

/// Why a connection of a proxy cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HeaderError {
    /// It does not begin with a header, or with one that breaks the rules.
    #[error("no PROXY header")]
    Malformed,
    /// It ended, or failed.
    #[error(transparent)]
    Socket(#[from] std::io::Error),
    /// Nothing came.
    #[error("no PROXY header came in time")]
    Slow,
}

/// Reads a header, and nothing of what is behind it. `None` where the proxy speaks for itself.
pub(crate) async fn announced(
    socket: &mut (impl AsyncRead + Unpin),
) -> Result<Option<IpAddr>, HeaderError> {
    let read = tokio::time::timeout(HEADER_TIME_MAX, read(socket));
    let address = read.await.map_err(|_| HeaderError::Slow)??;
    Ok(address.map(|address| address.to_canonical()))
}

async fn read(socket: &mut (impl AsyncRead + Unpin)) -> Result<Option<IpAddr>, HeaderError> {
    // The shortest line of version 1 is longer.
    let mut head = [0; V2_SIGNATURE.len()];
    socket.read_exact(&mut head).await?;
    if head == V2_SIGNATURE {
        let mut rest = [0; 4];
        socket.read_exact(&mut rest).await?;
        let [command, family, high, low] = rest;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length > V2_BYTES_MAX {
            return Err(HeaderError::Malformed);
        }
        let mut addresses = vec![0; length];
        socket.read_exact(&mut addresses).await?;
        return version_2(command, family, &addresses).ok_or(HeaderError::Malformed);
    }
    if !head.starts_with(V1_SIGNATURE) {
        return Err(HeaderError::Malformed);
    }
    let mut line = Vec::from(head);
    while !line.ends_with(b"\r\n") {
        if line.len() >= V1_BYTES_MAX {
            return Err(HeaderError::Malformed);
        }
        line.push(socket.read_u8().await?);
    }
    version_1(&line).ok_or(HeaderError::Malformed)
}

/// The source in a line of version 1.
fn version_1(line: &[u8]) -> Option<Option<IpAddr>> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix("\r\n")?;
    let mut words = line.strip_prefix("PROXY ")?.split(' ');
    let family = words.next()?;
    if family == "UNKNOWN" {
        return Some(None);
    }
    let (source, destination) = (words.next()?, words.next()?);
    let ports = [words.next()?, words.next()?];
    if words.next().is_some() || ports.iter().any(|port| port.parse::<u16>().is_err()) {
        return None;
    }
    match family {
        "TCP4" => {
            let _destination: Ipv4Addr = destination.parse().ok()?;
            let source: Ipv4Addr = source.parse().ok()?;
            Some(Some(source.into()))
        }
        "TCP6" => {
            let _destination: Ipv6Addr = destination.parse().ok()?;
            let source: Ipv6Addr = source.parse().ok()?;
            Some(Some(source.into()))
        }
        _ => None,
    }
}

/// The source in a header of version 2.
fn version_2(command: u8, family: u8, addresses: &[u8]) -> Option<Option<IpAddr>> {
    match command {
        // LOCAL: the proxy asks for itself, whatever it says of addresses.
        0x20 => return Some(None),
        0x21 => {}
        _ => return None,
    }
    // Source and destination address, then their ports.
    match family {
        0x11 | 0x12 => {
            let source: [u8; 4] = addresses.get(..12)?.first_chunk().copied()?;
            Some(Some(Ipv4Addr::from(source).into()))
        }
        0x21 | 0x22 => {
            let source: [u8; 16] = addresses.get(..36)?.first_chunk().copied()?;
            Some(Some(Ipv6Addr::from(source).into()))
        }
        // Unspecified, and sockets of the proxy's own machine.
        0x00 | 0x31 | 0x32 => Some(None),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a header says, and what is left behind it.
    async fn read_all(bytes: &[u8]) -> Result<(Option<String>, Vec<u8>), ()> {
        let mut rest = bytes;
        let address = announced(&mut rest).await.map_err(|_| ())?;
        Ok((address.map(|address| address.to_string()), rest.to_vec()))
    }

    fn v2(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let length = u16::try_from(addresses.len()).unwrap();
        let mut out = V2_SIGNATURE.to_vec();
        out.extend([command, family]);
        out.extend(length.to_be_bytes());
        out.extend(addresses);
        out
    }

    #[tokio::test]
    async fn headers_name_the_client() {
        let four = [192, 0, 2, 7, 10, 0, 0, 1, 0x30, 0x39, 0, 80];
        let mut six = [0; 36];
        six[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        six[15] = 1;
        let mut mapped = [0; 36];
        mapped[10..16].copy_from_slice(&[0xff, 0xff, 192, 0, 2, 7]);
        let with_additions = [&four[..], &[3, 0, 4, 1, 2, 3, 4]].concat();
        for (header, client) in [
            (
                b"PROXY TCP4 192.0.2.7 10.0.0.1 12345 80\r\n".to_vec(),
                Some("192.0.2.7"),
            ),
            (
                b"PROXY TCP6 2001:db8::1 ::1 12345 80\r\n".to_vec(),
                Some("2001:db8::1"),
            ),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n".to_vec(), None),
            (v2(0x21, 0x11, &four), Some("192.0.2.7")),
            (v2(0x21, 0x11, &with_additions), Some("192.0.2.7")),
            (v2(0x21, 0x21, &six), Some("2001:db8::1")),
            (v2(0x21, 0x21, &mapped), Some("192.0.2.7")),
            (v2(0x21, 0x00, &[]), None),
            (v2(0x20, 0x11, &four), None),
        ] {
            let bytes = [&header[..], b"<stream>"].concat();
            let client = client.map(str::to_owned);
            let found = read_all(&bytes).await;
            assert_eq!(found, Ok((client, b"<stream>".to_vec())), "{header:?}");
        }
    }

    #[tokio::test]
    async fn what_is_no_header_is_refused() {
        let four = [192, 0, 2, 7, 10, 0, 0, 1, 0x30, 0x39, 0, 80];
        let long = format!("PROXY TCP4 {}\r\n", "1".repeat(107));
        for header in [
            b"".to_vec(),
            b"<stream:stream xmlns='jabber:client'>".to_vec(),
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 10.0.0.1 12345 80\n<".to_vec(),
            b"PROXY TCP4 192.0.2.7 10.0.0.1 12345\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 10.0.0.1 12345 80 1\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 10.0.0.1 123456 80\r\n".to_vec(),
            b"PROXY TCP4 2001:db8::1 10.0.0.1 1 2\r\n".to_vec(),
            b"PROXY TCP5 192.0.2.7 10.0.0.1 1 2\r\n".to_vec(),
            b"PROXY \xff\xff\xff\xff\xff\xff\xff\r\n".to_vec(),
            long.into_bytes(),
            v2(0x21, 0x11, &four[..11]),
            v2(0x21, 0x21, &four),
            v2(0x21, 0x41, &four),
            v2(0x22, 0x11, &four),
            v2(0x11, 0x11, &four),
            v2(0x21, 0x11, &[0; 2_049]),
            v2(0x21, 0x11, &four)[..20].to_vec(),
        ] {
            assert_eq!(read_all(&header).await, Err(()), "{header:?}");
        }
    }
}
