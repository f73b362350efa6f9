//! What rxml says, the parser of several Rust implementations of XMPP.

use rxml::error::EndOrError;
use rxml::parser::WithOptions;
use rxml::{Event, Options, Parse, Parser};
use waxwing_oracle::Token;

/// Parses `before`, `bytes` and `after` as one document; without `after` the document stays open.
pub(crate) fn parse(
    before: &str,
    bytes: &[u8],
    after: Option<&str>,
) -> Result<Vec<Token>, rxml::Error> {
    let document = [
        before.as_bytes(),
        bytes,
        after.unwrap_or_default().as_bytes(),
    ]
    .concat();
    let options = Options {
        max_token_length: document.len() + 1,
        ..Options::default()
    };
    let mut parser = Parser::with_options(options);
    // It refuses whitespace before the root.
    let mut rest = document.trim_ascii_start();
    let mut tokens = Vec::new();
    loop {
        match parser.parse(&mut rest, after.is_some()) {
            Ok(Some(event)) => push(&mut tokens, event),
            Ok(None) | Err(EndOrError::NeedMoreData) => return Ok(tokens),
            Err(EndOrError::Error(error)) => return Err(error),
        }
    }
}

/// Whether rxml 0.14 is known to get these bytes wrong: it refuses, or drops, a carriage return in an
/// attribute's value that no line feed follows, and it refuses references by number of more than
/// eight characters. Such input is left to expat.
pub(crate) fn is_known_to_differ(bytes: &[u8]) -> bool {
    let long_reference = bytes
        .split(|b| *b == b'&')
        .skip(1)
        .any(|rest| rest.iter().take(9).all(|b| *b != b';'));
    bytes.contains(&b'\r') || long_reference
}

fn push(tokens: &mut Vec<Token>, event: Event) {
    match event {
        Event::StartElement(_, (ns, name), attributes) => {
            let mut attributes: Vec<_> = attributes
                .into_iter()
                .map(|((ns, name), value)| ((ns.to_string(), name.to_string()), value))
                .collect();
            attributes.sort();
            tokens.push(Token::Start((ns.to_string(), name.to_string()), attributes));
        }
        Event::EndElement(_) => tokens.push(Token::End),
        Event::Text(_, text) => match tokens.last_mut() {
            Some(Token::Text(last)) => last.push_str(&text),
            _ => tokens.push(Token::Text(text)),
        },
        _ => {}
    }
}
