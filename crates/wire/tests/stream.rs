//! A stream as the reader sees it.

use waxwing_wire::{Event, Limits, Reader, WireError};

fn events(bytes: &[u8], piece: usize) -> Result<Vec<Event>, WireError> {
    let mut reader = Reader::new(Limits::CLIENT);
    let mut events = Vec::new();
    for piece in bytes.chunks(piece) {
        reader.push(piece);
        while let Some(event) = reader.next()? {
            events.push(event);
        }
    }
    Ok(events)
}

#[test]
fn a_stream_is_read_whole_and_in_pieces() {
    let stream = b"<?xml version='1.0'?><stream:stream to='a.example' version='1.0' xmlns='jabber:client' \
        xmlns:stream='http://etherx.jabber.org/streams'><iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>\
        <stream:features/><presence/></stream:stream>";
    let whole = events(stream, stream.len()).expect("a stream");
    let [
        Event::Header(header),
        Event::Stanza(iq),
        Event::Stanza(features),
        Event::Stanza(presence),
        Event::Close,
    ] = &whole[..]
    else {
        panic!("{whole:?}")
    };
    assert_eq!(header.to.as_deref(), Some("a.example"));
    assert_eq!(
        (iq.ns(), iq.name(), iq.id().as_deref()),
        ("jabber:client", "iq", Some("1"))
    );
    assert!(iq.has_child("urn:xmpp:ping", "ping"));
    assert_eq!(features.ns(), "http://etherx.jabber.org/streams");
    assert_eq!(
        &features.bytes()[..],
        b"<stream:features xmlns:stream='http://etherx.jabber.org/streams'/>"
    );
    assert_eq!(
        &presence.splice().to(Some("a&b")).append(b"<x/>").finish()[..],
        b"<presence to='a&amp;b'><x/></presence>"
    );
    assert_eq!(iq.element().to_bytes("jabber:client"), iq.bytes());
    for piece in 1..stream.len() {
        assert_eq!(
            events(stream, piece).as_ref(),
            Ok(&whole),
            "in pieces of {piece}"
        );
    }
}
