use std::net::IpAddr;

use waxwing_stream::proxy_protocol::{Header, V1_BYTES_MAX, V2_BYTES_MAX, read};

/// The most that a header has: version 2 with its first 16 bytes.
const HEADER_BYTES_MAX: usize = if V1_BYTES_MAX > V2_BYTES_MAX + 16 {
    V1_BYTES_MAX
} else {
    V2_BYTES_MAX + 16
};

/// The beginning of a connection, read as a socket is: as much at a time as is asked for.
///
/// Never more is asked for than a header may have, nor nothing; a header that is whole is whole in
/// itself, whatever comes behind it; and the address that it names, written as either version, is read
/// again. Says whether it is a header.
///
/// # Panics
/// It is not so.
pub fn proxy_protocol(bytes: &[u8]) -> bool {
    let Some((length, source)) = whole(bytes) else {
        return false;
    };
    let header = &bytes[..length];
    assert_eq!(whole(header), Some((length, source)), "it read behind it");
    for cut in 0..length {
        assert_eq!(whole(&header[..cut]), None, "whole at {cut}");
    }
    let Some(source) = source else {
        return true;
    };
    assert_eq!(source, source.to_canonical());
    for written in [version_1(source), version_2(source)] {
        assert_eq!(whole(&written), Some((written.len(), Some(source))));
    }
    true
}

/// Length and source of the header that the bytes begin with, if they do.
fn whole(bytes: &[u8]) -> Option<(usize, Option<IpAddr>)> {
    let mut taken = 0;
    loop {
        match read(bytes.get(..taken)?).ok()? {
            Header::Whole(source) => return Some((taken, source)),
            Header::More(0) => panic!("nothing more is asked for at {taken}"),
            Header::More(more) => taken += more,
        }
        assert!(taken <= HEADER_BYTES_MAX, "{taken} bytes are asked for");
    }
}

fn version_1(source: IpAddr) -> Vec<u8> {
    let (family, destination) = match source {
        IpAddr::V4(_) => ("TCP4", "192.0.2.1"),
        IpAddr::V6(_) => ("TCP6", "2001:db8::1"),
    };
    format!("PROXY {family} {source} {destination} 49152 443\r\n").into_bytes()
}

fn version_2(source: IpAddr) -> Vec<u8> {
    let (family, source) = match source {
        IpAddr::V4(source) => (0x11, source.octets().to_vec()),
        IpAddr::V6(source) => (0x21, source.octets().to_vec()),
    };
    // The destination, and both ports.
    let addresses = [&source[..], &source, &[0xC0, 0, 1, 0xBB]].concat();
    let mut out = b"\r\n\r\n\0\r\nQUIT\n\x21".to_vec();
    out.extend([family, 0, addresses.len() as u8]);
    out.extend(addresses);
    out
}
