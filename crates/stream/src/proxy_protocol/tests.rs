use super::*;

/// Reads as a connection is read; what a header says, and what is left behind it.
fn read_all(bytes: &[u8]) -> Result<(Option<String>, Vec<u8>), Malformed> {
    let mut taken = 0;
    loop {
        let begun = bytes.get(..taken).ok_or(Malformed)?;
        match read(begun)? {
            Header::More(more) => taken += more,
            Header::Whole(source) => {
                let source = source.map(|source| source.to_string());
                return Ok((source, bytes[taken..].to_vec()));
            }
        }
    }
}

fn v2(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
    let length = u16::try_from(addresses.len()).unwrap();
    let mut out = V2_SIGNATURE.to_vec();
    out.extend([command, family]);
    out.extend(length.to_be_bytes());
    out.extend(addresses);
    out
}

#[test]
fn headers_name_the_client() {
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
        let found = read_all(&bytes);
        assert_eq!(found, Ok((client, b"<stream>".to_vec())), "{header:?}");
    }
}

#[test]
fn what_is_no_header_is_refused() {
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
        b"PROXY TCP4 192.0.2.7 10.0.0.1 +1 80\r\n".to_vec(),
        b"PROXY TCP4 192.0.2.7 10.0.0.1 1 \r\n".to_vec(),
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
        assert_eq!(read_all(&header), Err(Malformed), "{header:?}");
    }
}
