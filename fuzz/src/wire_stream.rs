use crate::{expat, ours, rxml_oracle};
use waxwing_oracle::Token;
use waxwing_wire::{Event, Fault, Limits, Reader, WireError};

/// A whole stream, read in one piece, byte by byte, and in two pieces.
///
/// What we accept, expat and rxml accept, and read the same in it; what we call ill-formed, expat
/// refuses; and it does not matter how the bytes are cut, but for how soon
/// an error is met. Says whether we accept all of it.
///
/// # Panics
/// They do not, or it does.
pub fn wire_stream(bytes: &[u8]) -> bool {
    wire_stream_split(bytes, &[bytes.len() / 2])
}

/// As [`wire_stream`], in two pieces cut at each of these places.
///
/// # Panics
/// As [`wire_stream`].
pub fn wire_stream_split(bytes: &[u8], cuts: &[usize]) -> bool {
    let whole = read(bytes, bytes.len().max(1), 0);
    whole.assert_same(&read(bytes, 1, 0), "byte by byte");
    for cut in cuts {
        whole.assert_same(
            &read(bytes, bytes.len().max(1), *cut),
            &format!("cut at {cut}"),
        );
    }
    let accepted = &bytes[..whole.accepted];
    let after = whole.closed.then_some("");
    match expat::parse("", accepted, after) {
        Ok(tokens) => assert_eq!(
            stanzas(&tokens),
            whole.tokens(),
            "expat reads something else"
        ),
        Err(refusal) => panic!("expat refuses: {refusal}"),
    }
    match rxml_oracle::parse("", accepted, after) {
        _ if rxml_oracle::is_known_to_differ(accepted) => {}
        Ok(tokens) => assert_eq!(
            stanzas(&tokens),
            whole.tokens(),
            "rxml reads something else"
        ),
        // It knows no version but 1.0 and only standalone documents.
        Err(rxml::Error::RestrictedXml(_)) => {}
        Err(refusal) => panic!("rxml refuses: {refusal}"),
    }
    // A byte order mark is text in XMPP, RFC 6120 §11.6. Expat takes it for one, and a zero for the
    // sign of UTF-16, which goes on quite differently.
    if bytes.starts_with(b"\xEF\xBB\xBF") || bytes.iter().take(2).any(|b| matches!(b, 0 | 0xFE..)) {
        assert_eq!(whole.events, []);
    } else if let Err(WireError::IllFormed(fault)) = whole.end
        // Expat takes any version of XML.
        && fault != Fault::Declaration
    {
        // Ends whatever expat waits for: a literal, a tag, a character.
        let ended = [bytes, b" ' \" > "].concat();
        assert!(
            expat::parse("", &ended, None).is_err(),
            "only expat accepts: we say {fault}"
        );
    }
    whole.end.is_ok() && whole.accepted == bytes.len()
}

#[derive(Debug, PartialEq)]
struct Read {
    /// But for whitespace.
    events: Vec<Event>,
    /// Bytes that the events stand for.
    accepted: usize,
    closed: bool,
    end: Result<(), WireError>,
    /// The end where so much more comes that an error inside of an unfinished stanza must be met: how
    /// soon it is depends on the pieces.
    settled: Result<(), WireError>,
}

impl Read {
    fn assert_same(&self, other: &Read, how: &str) {
        let Read {
            events,
            accepted,
            closed,
            end,
            settled,
        } = other;
        assert_eq!(
            (&self.events, self.accepted, self.closed, self.settled),
            (events, *accepted, *closed, *settled),
            "{how}"
        );
        // It may be met later, never differently.
        for end in [self.end, *end] {
            assert!(end.is_ok() || end == self.settled, "{how}: {end:?}");
        }
    }

    fn tokens(&self) -> Vec<Token> {
        let stanzas = self.events.iter().filter_map(|event| match event {
            Event::Stanza(stanza) => Some(ours::tokens(&stanza.element())),
            _ => None,
        });
        stanzas.flatten().collect()
    }
}

fn read(bytes: &[u8], piece: usize, cut: usize) -> Read {
    let (one, two) = bytes.split_at(cut);
    let mut reader = Reader::new(Limits::CLIENT);
    let mut read = Read {
        events: Vec::new(),
        accepted: 0,
        closed: false,
        end: Ok(()),
        settled: Ok(()),
    };
    let mut pushed = 0;
    for piece in one.chunks(piece).chain(two.chunks(piece)) {
        reader.push(piece);
        pushed += piece.len();
        loop {
            match reader.next() {
                Ok(None) => break,
                Ok(Some(event)) => {
                    read.closed = event == Event::Close;
                    // A header of one tag ended the stream itself.
                    let ended = read.events.len() == 1 && bytes[..read.accepted].ends_with(b"/>");
                    if read.closed && !ended {
                        read.accepted = end_of_end_tag(bytes, read.accepted);
                    } else if event != Event::Whitespace && !read.closed {
                        read.accepted = pushed - reader.buffered();
                    }
                    if event != Event::Whitespace {
                        read.events.push(event);
                    }
                }
                Err(error) => {
                    read.end = Err(error);
                    read.settled = Err(error);
                    return read;
                }
            }
        }
    }
    // Twice as much as there is: then the reader looks again.
    let more = vec![b' '; reader.buffered() + UNLOOKED_BYTES];
    reader.push(&more);
    while let (Ok(()), Some(next)) = (read.settled, reader.next().transpose()) {
        read.settled = next.map(drop);
    }
    read
}

/// More than what is always looked at.
const UNLOOKED_BYTES: usize = 4_096;

/// Where the stream's end tag ends; nothing but whitespace stands before it.
fn end_of_end_tag(bytes: &[u8], from: usize) -> usize {
    bytes[from..]
        .iter()
        .position(|b| *b == b'>')
        .map_or(from, |at| from + at + 1)
}

/// The tokens within the stream but for whitespace between stanzas.
fn stanzas(tokens: &[Token]) -> Vec<Token> {
    let mut depth = 0;
    let mut stanzas = Vec::new();
    for token in tokens {
        match token {
            Token::Start(..) => {
                depth += 1;
                if depth > 1 {
                    stanzas.push(token.clone());
                }
            }
            Token::Text(_) if depth == 1 => {}
            Token::Text(_) => stanzas.push(token.clone()),
            Token::End => {
                if depth > 1 {
                    stanzas.push(Token::End);
                }
                depth -= 1;
            }
        }
    }
    stanzas
}
