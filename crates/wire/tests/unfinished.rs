//! What cannot become a stanza any more is refused before its end is there.

use waxwing_wire::{Fault, Limits, Reader, Restricted, StreamFault, WireError};

const HEADER: &[u8] =
    b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

/// In a stream that has begun.
fn reader() -> Reader {
    let mut reader = Reader::new(Limits::CLIENT);
    reader.push(HEADER);
    assert!(reader.next().is_ok_and(|event| event.is_some()));
    reader
}

/// What comes of bytes in pieces of this length.
fn end(text: &str, piece: usize) -> Result<(), WireError> {
    let mut reader = reader();
    for piece in text.as_bytes().chunks(piece) {
        reader.push(piece);
        while reader.next()?.is_some() {}
    }
    Ok(())
}

#[test]
fn what_is_no_xml_is_refused_before_its_end() {
    let cases: [(&str, WireError); 11] = [
        ("<message><a></message>", Fault::EndTag.into()),
        ("<message><<", Fault::Name.into()),
        ("<message>]]>", Fault::CdataEnd.into()),
        ("<message>&nbsp;", Restricted::Entity.into()),
        ("<message>&#0;", Fault::Reference.into()),
        ("<message>\u{1}", Fault::Character.into()),
        ("<message><x:y>", Fault::UnboundPrefix.into()),
        ("<message a='' a=''>", Fault::DuplicateAttribute.into()),
        ("<message><!--", Restricted::Comment.into()),
        ("<message><?", Restricted::ProcessingInstruction.into()),
        (
            "<stream:stream xmlns='jabber:client'>",
            StreamFault::Header.into(),
        ),
    ];
    for (text, error) in cases {
        for piece in 1..=text.len() {
            assert_eq!(end(text, piece), Err(error), "{text}");
        }
    }
    let mut reader = reader();
    reader.push(b"<message>\xff");
    assert_eq!(reader.next(), Err(Fault::Utf8.into()));
}

#[test]
fn a_long_stanza_is_refused_by_the_time_it_is_twice_as_long() {
    for good in [2_000, 3_000, 40_000] {
        let mut reader = reader();
        let mut read = |bytes: &[u8]| {
            reader.push(bytes);
            reader.next()
        };
        assert_eq!(read(b"<message>"), Ok(None));
        for _ in 0..good / 1_000 {
            assert_eq!(read(&[b'x'; 1_000]), Ok(None));
        }
        assert!(
            (0..=good / 1_000 + 2).any(|_| read(b"&;").is_err() || read(&[b'x'; 1_000]).is_err()),
            "{good}"
        );
    }
}
