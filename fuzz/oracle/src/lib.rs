//! libexpat behind a safe interface, to compare our parser with.
//!
//! Expat is what most XMPP software reads with, so that a stanza that it refuses cuts streams. It
//! runs in its namespace mode here, and refuses what RFC 6120 §11.1 forbids: comments, processing
//! instructions and document types. No other limit of its own is on: those against the expansion of
//! entities need a document type.

mod ffi;

use std::ffi::{CStr, c_char, c_int, c_void};
use std::fmt;
use std::ptr::NonNull;

/// A streaming parser.
pub struct Expat {
    parser: NonNull<ffi::Parser>,
    /// Owned; the callbacks use it while `XML_Parse` runs, the methods while it does not.
    state: NonNull<State>,
}

/// What the parser told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// A start tag; attributes without declarations, sorted.
    Start(QName, Vec<(QName, String)>),
    /// Character data, joined.
    Text(String),
    /// An end tag.
    End,
}

/// Namespace, empty for none, and local name.
pub type QName = (String, String);

/// Why the parser refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// By this `enum XML_Error`.
    Error(i32, String),
    /// A comment, processing instruction or document type.
    Restricted,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Error(code, text) => write!(f, "{text} ({code})"),
            Refusal::Restricted => f.write_str("forbidden in XMPP"),
        }
    }
}

/// What to do with what is parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record {
    /// Only count events: what a server at least does.
    Counts,
    /// Keep all.
    Tokens,
}

struct State {
    parser: NonNull<ffi::Parser>,
    separator: u8,
    record: Record,
    restricted: bool,
    tokens: Vec<Token>,
    events: u64,
}

impl Expat {
    /// A parser that joins namespace and name by `separator`, as every user of expat chooses one: a
    /// namespace that holds it is refused unless URIs may.
    ///
    /// # Panics
    /// Memory is exhausted.
    #[must_use]
    pub fn new(separator: u8, record: Record) -> Expat {
        // XMPP has no other encoding, RFC 6120 §11.6; without a name, expat guesses.
        // SAFETY: the name ends with a zero.
        let parser = unsafe { ffi::XML_ParserCreateNS(c"UTF-8".as_ptr(), separator as c_char) };
        let parser = NonNull::new(parser).expect("memory for a parser");
        let state = State {
            parser,
            separator,
            record,
            restricted: false,
            tokens: Vec::new(),
            events: 0,
        };
        let state = NonNull::from(Box::leak(Box::new(state)));
        let raw = parser.as_ptr();
        // SAFETY: the parser lives; the state outlives it, see `drop`.
        unsafe { ffi::XML_SetUserData(raw, state.as_ptr().cast()) };
        // SAFETY: the parser lives, and these functions have the types that it calls them by.
        unsafe { ffi::XML_SetElementHandler(raw, Some(on_start), Some(on_end)) };
        // SAFETY: as above.
        unsafe { ffi::XML_SetCharacterDataHandler(raw, Some(on_text)) };
        // SAFETY: as above.
        unsafe { ffi::XML_SetCommentHandler(raw, Some(on_comment)) };
        // SAFETY: as above.
        unsafe { ffi::XML_SetProcessingInstructionHandler(raw, Some(on_instruction)) };
        // SAFETY: as above.
        unsafe { ffi::XML_SetStartDoctypeDeclHandler(raw, Some(on_doctype)) };
        Expat { parser, state }
    }

    /// Parses more bytes; `last` says that the document ends with them.
    ///
    /// # Errors
    /// Expat refuses them.
    ///
    /// # Panics
    /// More bytes than a C `int` counts.
    pub fn feed(&mut self, bytes: &[u8], last: bool) -> Result<(), Refusal> {
        let length = c_int::try_from(bytes.len()).expect("no more than 2 GiB at a time");
        // SAFETY: the parser lives, the bytes do during the call, nothing else uses the state.
        let status = unsafe {
            ffi::XML_Parse(
                self.parser.as_ptr(),
                bytes.as_ptr().cast(),
                length,
                c_int::from(last),
            )
        };
        if status == ffi::STATUS_OK {
            return Ok(());
        }
        // SAFETY: the state lives, and no callback runs now.
        if unsafe { self.state.as_ref() }.restricted {
            return Err(Refusal::Restricted);
        }
        // SAFETY: the parser lives.
        let code = unsafe { ffi::XML_GetErrorCode(self.parser.as_ptr()) };
        // SAFETY: any code may be asked for.
        let text = unsafe { ffi::XML_ErrorString(code) };
        let text = if text.is_null() {
            String::new()
        } else {
            // SAFETY: expat's texts are static and end with a zero.
            unsafe { CStr::from_ptr(text) }
                .to_string_lossy()
                .into_owned()
        };
        Err(Refusal::Error(code, text))
    }

    /// What was parsed since last asked.
    pub fn take_tokens(&mut self) -> Vec<Token> {
        // SAFETY: the state lives, and no callback runs now.
        std::mem::take(&mut unsafe { self.state.as_mut() }.tokens)
    }

    /// Tags and runs of text so far.
    #[must_use]
    pub fn events(&self) -> u64 {
        // SAFETY: the state lives, and no callback runs now.
        unsafe { self.state.as_ref() }.events
    }
}

impl Drop for Expat {
    fn drop(&mut self) {
        // SAFETY: the parser lives and is not used again.
        unsafe { ffi::XML_ParserFree(self.parser.as_ptr()) };
        // SAFETY: it came from a box, and its only other user was just freed.
        drop(unsafe { Box::from_raw(self.state.as_ptr()) });
    }
}

/// # Safety
/// `user` must be the state of the parser that runs.
unsafe fn state<'a>(user: *mut c_void) -> &'a mut State {
    // SAFETY: the caller promises; callbacks do not nest, so that this borrow is the only one.
    unsafe { &mut *user.cast::<State>() }
}

/// # Safety
/// `text` must end with a zero.
unsafe fn bytes<'a>(text: *const c_char) -> &'a [u8] {
    // SAFETY: the caller promises.
    unsafe { CStr::from_ptr(text) }.to_bytes()
}

fn string(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn qname(joined: &[u8], separator: u8) -> QName {
    match joined.iter().rposition(|b| *b == separator) {
        Some(at) => (string(&joined[..at]), string(&joined[at + 1..])),
        None => (String::new(), string(joined)),
    }
}

unsafe extern "C" fn on_start(
    user: *mut c_void,
    name: *const c_char,
    attributes: *const *const c_char,
) {
    // SAFETY: expat passes what `XML_SetUserData` was given.
    let state = unsafe { state(user) };
    state.events += 1;
    if state.record == Record::Counts {
        return;
    }
    let separator = state.separator;
    let mut pairs = Vec::new();
    let mut at = attributes;
    loop {
        // SAFETY: the list holds pairs and ends with a null, which was not seen yet.
        let key = unsafe { *at };
        if key.is_null() {
            break;
        }
        // SAFETY: after a name comes its value.
        let after = unsafe { at.add(1) };
        // SAFETY: as above.
        let value = unsafe { *after };
        // SAFETY: both end with a zero.
        let key = unsafe { bytes(key) };
        // SAFETY: as above.
        let value = unsafe { bytes(value) };
        pairs.push((qname(key, separator), string(value)));
        // SAFETY: after a pair comes a pair or the null.
        at = unsafe { at.add(2) };
    }
    pairs.sort();
    // SAFETY: the name ends with a zero.
    let name = unsafe { bytes(name) };
    state
        .tokens
        .push(Token::Start(qname(name, separator), pairs));
}

unsafe extern "C" fn on_end(user: *mut c_void, _name: *const c_char) {
    // SAFETY: expat passes what `XML_SetUserData` was given.
    let state = unsafe { state(user) };
    state.events += 1;
    if state.record == Record::Tokens {
        state.tokens.push(Token::End);
    }
}

unsafe extern "C" fn on_text(user: *mut c_void, text: *const c_char, length: c_int) {
    // SAFETY: expat passes what `XML_SetUserData` was given.
    let state = unsafe { state(user) };
    state.events += 1;
    if state.record == Record::Counts {
        return;
    }
    let length = usize::try_from(length).unwrap_or_default();
    // SAFETY: there are that many bytes.
    let text = string(unsafe { std::slice::from_raw_parts(text.cast::<u8>(), length) });
    match state.tokens.last_mut() {
        Some(Token::Text(last)) => last.push_str(&text),
        _ => state.tokens.push(Token::Text(text)),
    }
}

/// # Safety
/// `user` must be the state of the parser that runs.
unsafe fn restricted(user: *mut c_void) {
    // SAFETY: the caller promises.
    let state = unsafe { state(user) };
    state.restricted = true;
    // SAFETY: stopping from within a callback is what this function is for.
    unsafe { ffi::XML_StopParser(state.parser.as_ptr(), 0) };
}

unsafe extern "C" fn on_comment(user: *mut c_void, _text: *const c_char) {
    // SAFETY: expat passes what `XML_SetUserData` was given.
    unsafe { restricted(user) };
}

unsafe extern "C" fn on_instruction(
    user: *mut c_void,
    _target: *const c_char,
    _data: *const c_char,
) {
    // SAFETY: expat passes what `XML_SetUserData` was given.
    unsafe { restricted(user) };
}

unsafe extern "C" fn on_doctype(
    user: *mut c_void,
    _name: *const c_char,
    _system: *const c_char,
    _public: *const c_char,
    _internal: c_int,
) {
    // SAFETY: expat passes what `XML_SetUserData` was given.
    unsafe { restricted(user) };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(document: &str) -> Result<Vec<Token>, Refusal> {
        let mut expat = Expat::new(1, Record::Tokens);
        expat
            .feed(document.as_bytes(), true)
            .map(|()| expat.take_tokens())
    }

    #[test]
    fn tells_what_it_reads() {
        let name = |ns: &str, local: &str| (ns.to_owned(), local.to_owned());
        let read = parse("<a xmlns='n' b='1' x:c='2' xmlns:x='m'>t&amp;</a>");
        let attributes = vec![
            (name("", "b"), "1".to_owned()),
            (name("m", "c"), "2".to_owned()),
        ];
        let start = Token::Start(name("n", "a"), attributes);
        assert_eq!(
            read,
            Ok(vec![start, Token::Text("t&".to_owned()), Token::End])
        );
    }

    #[test]
    fn refuses_what_xmpp_forbids() {
        for document in ["<a><!-- --></a>", "<a><?b?></a>", "<!DOCTYPE a><a/>"] {
            assert_eq!(parse(document), Err(Refusal::Restricted), "{document}");
        }
        assert!(matches!(parse("<a></b>"), Err(Refusal::Error(7, _))));
    }
}
