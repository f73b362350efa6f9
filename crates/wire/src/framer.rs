//! Finds where an element ends, in pieces of any size. Knows just enough of XML for that: whether
//! what it found is XML is the parser's business.

use crate::chars::{find_byte, find_in_tag};
use crate::error::{Restricted, StreamFault, WireError};
use crate::parser::after_bang;

/// Goes on where the last piece ended; remembers no bytes.
#[derive(Debug)]
pub(crate) struct Framer {
    state: State,
    /// Elements that are open.
    depth: u64,
    /// Looks for the end of a stream header: of the first start tag.
    header: bool,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Content,
    /// After `<`.
    Open,
    /// After `<!` and this many bytes of `[CDATA[`.
    Bang(u8),
    /// In a CDATA section, after this many `]`, two at most.
    Cdata(u8),
    /// In a start tag, perhaps after `/`.
    Tag {
        slash: bool,
    },
    /// In an attribute's value.
    Value {
        quote: u8,
    },
    EndTag,
    /// In the XML declaration, perhaps after `?`.
    Declaration {
        mark: bool,
    },
}

const CDATA: &[u8] = b"[CDATA[";

impl Framer {
    pub(crate) fn stanza() -> Framer {
        Framer {
            state: State::Content,
            depth: 0,
            header: false,
        }
    }

    pub(crate) fn header() -> Framer {
        Framer {
            state: State::Content,
            depth: 0,
            header: true,
        }
    }

    /// Goes over `bytes` from `at` and says where the element ends, if it does there: the place of
    /// the byte behind it. Ready for the next element then.
    pub(crate) fn advance(
        &mut self,
        bytes: &[u8],
        mut at: usize,
    ) -> Result<Option<usize>, WireError> {
        while at < bytes.len() {
            match self.state {
                State::Content => {
                    at = find_byte(bytes, at, b'<');
                    if at < bytes.len() {
                        self.state = State::Open;
                    }
                }
                State::Open => self.state = self.opened(bytes[at])?,
                State::Tag { slash } => {
                    let found = find_in_tag(bytes, at);
                    let slash = if found > at {
                        bytes[found - 1] == b'/'
                    } else {
                        slash
                    };
                    at = found;
                    match bytes.get(at) {
                        Some(b'>') if self.tag_ends(slash) => return Ok(Some(at + 1)),
                        Some(b'>') => {}
                        Some(&quote) => self.state = State::Value { quote },
                        None => self.state = State::Tag { slash },
                    }
                }
                State::Value { quote } => {
                    at = find_byte(bytes, at, quote);
                    if at < bytes.len() {
                        self.state = State::Tag { slash: false };
                    }
                }
                State::EndTag => {
                    at = find_byte(bytes, at, b'>');
                    if at < bytes.len() {
                        self.state = State::Content;
                        self.depth = self.depth.saturating_sub(1);
                        if self.depth == 0 {
                            return Ok(Some(at + 1));
                        }
                    }
                }
                State::Cdata(0) => {
                    at = find_byte(bytes, at, b']');
                    if at < bytes.len() {
                        self.state = State::Cdata(1);
                    }
                }
                State::Bang(_) | State::Cdata(_) | State::Declaration { .. } => {
                    self.special(bytes[at])?;
                }
            }
            at += 1;
        }
        Ok(None)
    }

    fn opened(&self, byte: u8) -> Result<State, WireError> {
        match byte {
            b'/' => Ok(State::EndTag),
            b'!' => Ok(State::Bang(0)),
            b'?' if self.header => Ok(State::Declaration { mark: false }),
            b'?' => Err(Restricted::ProcessingInstruction.into()),
            b'>' => Err(crate::Fault::Name.into()),
            _ => Ok(State::Tag { slash: false }),
        }
    }

    /// Whether that was the end of the element.
    fn tag_ends(&mut self, slash: bool) -> bool {
        self.state = State::Content;
        if !slash {
            self.depth += 1;
        }
        self.depth == 0 || self.header
    }

    fn special(&mut self, byte: u8) -> Result<(), WireError> {
        self.state = match self.state {
            State::Bang(matched) if CDATA.get(matched as usize) != Some(&byte) => {
                return Err(after_bang(if matched == 0 {
                    Some(byte)
                } else {
                    Some(b'[')
                }));
            }
            State::Bang(_) if self.depth == 0 => return Err(StreamFault::Text.into()),
            State::Bang(matched) if matched as usize + 1 < CDATA.len() => State::Bang(matched + 1),
            State::Bang(_) => State::Cdata(0),
            State::Cdata(2) if byte == b'>' => State::Content,
            State::Cdata(ends) if byte == b']' => State::Cdata((ends + 1).min(2)),
            State::Cdata(_) => State::Cdata(0),
            State::Declaration { mark: true } if byte == b'>' => State::Content,
            State::Declaration { .. } => State::Declaration { mark: byte == b'?' },
            other => other,
        };
        Ok(())
    }
}
