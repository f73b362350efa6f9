//! The PROXY protocol, versions 1 and 2: <https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt>. Version 1 is what
//! nginx speaks.

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Bytes of addresses and additions in version 2; a header is to fit into one packet (§2.2).
pub const V2_BYTES_MAX: usize = 2_048;
/// Bytes of a line of version 1 (§2.1).
pub const V1_BYTES_MAX: usize = 107;
/// What version 2 begins with.
const V2_SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, command, family and length.
const V2_HEAD_BYTES: usize = V2_SIGNATURE.len() + 4;
/// What version 1 begins with.
const V1_SIGNATURE: &[u8] = b"PROXY ";

/// What a connection says before its first own byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// So many more bytes at least belong to it: read them, and no more.
    More(usize),
    /// It is whole. The address that the connection comes from; `None` where the proxy speaks for
    /// itself, or does not say.
    Whole(Option<IpAddr>),
}

/// Bytes that begin no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no PROXY header")]
pub struct Malformed;

/// Reads the first bytes of a connection: none at first, then as many more each time as the answer
/// before asked for.
///
/// # Errors
/// They begin no header, or one that breaks the rules.
pub fn read(begun: &[u8]) -> Result<Header, Malformed> {
    // The shortest line of version 1 is longer.
    let missing = V2_SIGNATURE.len().saturating_sub(begun.len());
    if missing > 0 {
        return Ok(Header::More(missing));
    }
    if begun.starts_with(&V2_SIGNATURE) {
        return version_2(begun);
    }
    if !begun.starts_with(V1_SIGNATURE) {
        return Err(Malformed);
    }
    if begun.ends_with(b"\r\n") {
        let source = line(begun).ok_or(Malformed)?;
        return Ok(Header::Whole(source));
    }
    match begun.len() {
        V1_BYTES_MAX.. => Err(Malformed),
        // Where the line ends is seen only there.
        _ => Ok(Header::More(1)),
    }
}

/// The source in a line of version 1.
fn line(line: &[u8]) -> Option<Option<IpAddr>> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix("\r\n")?;
    let mut words = line.strip_prefix("PROXY ")?.split(' ');
    let family = words.next()?;
    if family == "UNKNOWN" {
        return Some(None);
    }
    let (source, destination) = (words.next()?, words.next()?);
    let ports = [words.next()?, words.next()?];
    let is_port =
        |port: &&str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    if words.next().is_some() || !ports.iter().all(is_port) {
        return None;
    }
    match family {
        "TCP4" => {
            let _destination: Ipv4Addr = destination.parse().ok()?;
            let source: Ipv4Addr = source.parse().ok()?;
            Some(Some(canonical(source)))
        }
        "TCP6" => {
            let _destination: Ipv6Addr = destination.parse().ok()?;
            let source: Ipv6Addr = source.parse().ok()?;
            Some(Some(canonical(source)))
        }
        _ => None,
    }
}

fn version_2(begun: &[u8]) -> Result<Header, Malformed> {
    let missing = V2_HEAD_BYTES.saturating_sub(begun.len());
    if missing > 0 {
        return Ok(Header::More(missing));
    }
    let (head, addresses) = begun.split_at(V2_HEAD_BYTES);
    let Some([command, family, high, low]) = head.last_chunk() else {
        return Err(Malformed);
    };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    if length > V2_BYTES_MAX {
        return Err(Malformed);
    }
    match length.checked_sub(addresses.len()) {
        Some(0) => {
            let source = source(*command, *family, addresses).ok_or(Malformed)?;
            Ok(Header::Whole(source))
        }
        Some(missing) => Ok(Header::More(missing)),
        None => Err(Malformed),
    }
}

/// The source in the addresses of version 2.
fn source(command: u8, family: u8, addresses: &[u8]) -> Option<Option<IpAddr>> {
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
            Some(Some(canonical(Ipv4Addr::from(source))))
        }
        0x21 | 0x22 => {
            let source: [u8; 16] = addresses.get(..36)?.first_chunk().copied()?;
            Some(Some(canonical(Ipv6Addr::from(source))))
        }
        // Unspecified, and sockets of the proxy's own machine.
        0x00 | 0x31 | 0x32 => Some(None),
        _ => None,
    }
}

/// An IPv4 address, where it stands in an IPv6 one: limits by network count both as the same.
fn canonical(address: impl Into<IpAddr>) -> IpAddr {
    address.into().to_canonical()
}
