use crate::chars::{SPACE, is};
use crate::error::{Fault, Limit, StreamFault, WireError};
use crate::framer::Framer;
use crate::header::{self, Frame, Header};
use crate::limits::{Beyond, Limits};
use crate::scope::Outer;
use crate::stanza::{self, Checked, Stanza};
use bytes::Bytes;

const CDATA: &[u8] = b"<![CDATA[";
/// Up to here, in bytes, an unfinished stanza is parsed again with every piece that comes: it costs
/// less than receiving a piece does.
const SMALL_BYTES: usize = 2_048;

/// Incremental reader of one stream over TCP, RFC 6120 §4.
///
/// Bytes go in by [`Reader::push`], in pieces of any size; events come out by [`Reader::next`] until
/// it has none left. The same bytes give the same events however they are cut, but for the count of
/// [`Event::Whitespace`] and for how soon an error inside of an unfinished stanza is met. What it holds is at most one unfinished stanza or header and what was
/// pushed since `next` was last asked; nothing while the stream is idle.
#[derive(Debug)]
pub struct Reader {
    limits: Limits,
    buffer: Vec<u8>,
    /// Bytes of `buffer` that are done with.
    start: usize,
    /// Bytes of `buffer` that the framer has seen.
    seen: usize,
    /// Length of the unfinished stanza when the parser last went over it.
    parsed: usize,
    framer: Framer,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Header,
    /// The header was one tag: it was reported, the end is due.
    Ending,
    Stanzas(Box<Frame>),
    Skipping(Box<(Frame, Skipped)>),
    Closed,
    Failed(WireError),
}

/// What a stream says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The stream began.
    Header(Header),
    /// One complete element at its first level.
    Stanza(Stanza),
    /// A stanza that is well-formed, as far as it was read, but beyond limits was read over; only with
    /// [`Beyond::Skip`].
    Skipped(Skipped),
    /// Whitespace between stanzas, once for as much as there was: a sign of life, RFC 6120 §4.6.1.
    Whitespace,
    /// The stream ended by its end tag. What follows is ignored until [`Reader::restart`].
    Close,
}

/// A stanza that was read over: enough of it to answer with a stanza error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The first limit that it is beyond.
    pub limit: Limit,
    /// Its root without what is inside, all attributes kept; `None` if the root's own start tag is
    /// beyond limits.
    pub root: Option<Stanza>,
}

impl Reader {
    /// A reader that expects a stream header.
    #[must_use]
    pub fn new(limits: Limits) -> Reader {
        Reader {
            limits,
            buffer: Vec::new(),
            start: 0,
            seen: 0,
            parsed: 0,
            framer: Framer::header(),
            phase: Phase::Header,
        }
    }

    /// Changes the limits, from the next stanza on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Expects a new stream header, as after STARTTLS and SASL (RFC 6120 §4.3.3). Bytes not yet read
    /// are dropped: whoever sent them before TLS began need not be the peer. Says whether there were
    /// any but whitespace.
    pub fn restart(&mut self) -> bool {
        let dropped = self.unread().iter().any(|b| !is(*b, SPACE));
        *self = Reader::new(self.limits);
        dropped
    }

    /// Takes bytes as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        if matches!(self.phase, Phase::Closed | Phase::Failed(_)) {
            return;
        }
        self.compact();
        self.buffer.extend_from_slice(bytes);
    }

    /// Bytes held that no event has been made of.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// What the stream says next; `None` until more bytes come.
    ///
    /// # Errors
    /// The peer broke the rules of the stream; every later call says the same.
    #[expect(
        clippy::should_implement_trait,
        reason = "no iterator: it goes on after None"
    )]
    pub fn next(&mut self) -> Result<Option<Event>, WireError> {
        let event = self.advance();
        if let Err(error) = &event {
            self.phase = Phase::Failed(*error);
        }
        if self.start == self.buffer.len() || matches!(self.phase, Phase::Closed | Phase::Failed(_))
        {
            self.buffer = Vec::new();
            self.start = 0;
            self.seen = 0;
        }
        event
    }

    fn advance(&mut self) -> Result<Option<Event>, WireError> {
        match &self.phase {
            Phase::Header => self.header(),
            Phase::Ending => {
                self.phase = Phase::Closed;
                Ok(Some(Event::Close))
            }
            Phase::Stanzas(_) => self.stanza(),
            Phase::Skipping(_) => self.skip(),
            Phase::Closed => Ok(None),
            Phase::Failed(error) => Err(*error),
        }
    }

    fn unread(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    fn compact(&mut self) {
        self.buffer.drain(..self.start);
        self.seen -= self.start;
        self.start = 0;
    }

    /// Where the element ends that begins at `start`, once it does.
    fn frame(&mut self) -> Result<Option<usize>, WireError> {
        let end = self.framer.advance(&self.buffer, self.seen)?;
        self.seen = end.unwrap_or(self.buffer.len());
        Ok(end)
    }

    fn consume(&mut self, end: usize) {
        self.start = end;
        self.seen = end;
        self.parsed = 0;
    }

    fn header(&mut self) -> Result<Option<Event>, WireError> {
        // Said at once: whoever speaks another protocol may wait for us to speak.
        if self
            .unread()
            .trim_ascii_start()
            .first()
            .is_some_and(|b| *b != b'<')
        {
            return Err(Fault::Tag.into());
        }
        let end = self.frame()?;
        header::admit(end.unwrap_or(self.buffer.len()) - self.start, &self.limits)?;
        let Some(end) = end else { return Ok(None) };
        let (header, frame) = header::read(&self.buffer[self.start..end], &self.limits)?;
        self.consume(end);
        self.framer = Framer::stanza();
        self.phase = if frame.closed {
            Phase::Ending
        } else {
            Phase::Stanzas(Box::new(frame))
        };
        Ok(Some(Event::Header(header)))
    }

    fn stanza(&mut self) -> Result<Option<Event>, WireError> {
        let space = self.unread().iter().take_while(|b| is(**b, SPACE)).count();
        if space > 0 {
            self.consume(self.start + space);
            return Ok(Some(Event::Whitespace));
        }
        match self.unread() {
            [] | [b'<'] => return Ok(None),
            [b'<', b'/', ..] => return self.close(),
            unread if unread.starts_with(CDATA) => return Err(StreamFault::Text.into()),
            unread if unread.len() > 2 && CDATA.starts_with(unread) => return Ok(None),
            [b'<', tag @ ..] if self.is_header(tag) => return Err(StreamFault::Header.into()),
            [b'<', ..] => {}
            _ => return Err(StreamFault::Text.into()),
        }
        if self.is_due()
            && let Some(event) = self.parse()?
        {
            return Ok(Some(event));
        }
        if self.unread().len() <= SMALL_BYTES.min(self.limits.stanza_bytes_max()) {
            return Ok(None);
        }
        let end = self.frame().or_else(|error| self.earlier(error))?;
        let length = end.unwrap_or(self.buffer.len()) - self.start;
        if length > self.limits.stanza_bytes_max() {
            return self.too_large(end);
        }
        match end {
            Some(end) => self.framed(end).map(Some),
            None => Ok(None),
        }
    }

    /// Whether that begins a stream once more: no stanza that would ever end.
    fn is_header(&self, tag: &[u8]) -> bool {
        let Phase::Stanzas(frame) = &self.phase else {
            return false;
        };
        let rest = tag.strip_prefix(frame.qname.as_bytes());
        rest.and_then(<[u8]>::first)
            .is_some_and(|next| is(*next, SPACE) || matches!(next, b'>' | b'/'))
    }

    fn close(&mut self) -> Result<Option<Event>, WireError> {
        let unread = self.unread();
        let Some(end) = unread.iter().position(|b| *b == b'>') else {
            header::admit(unread.len(), &self.limits)?;
            return Ok(None);
        };
        let name = unread[2..end].trim_ascii_end();
        match &self.phase {
            Phase::Stanzas(frame) if frame.qname.as_bytes() == name => {
                self.phase = Phase::Closed;
                Ok(Some(Event::Close))
            }
            _ => Err(Fault::EndTag.into()),
        }
    }

    /// Whether the parser shall go over the next stanza, although its end may not be there: always at
    /// first, as all of it is the rule, while it is small, and when there is twice as much of it. Who
    /// waits for the answer to what is no XML is not left waiting, and no byte is read often.
    fn is_due(&self) -> bool {
        let length = self.unread().len();
        length <= SMALL_BYTES || length / 2 >= self.parsed
    }

    /// The next stanza if all of it is there.
    fn parse(&mut self) -> Result<Option<Event>, WireError> {
        let unread = self.unread();
        let within = &unread[..unread.len().min(self.limits.stanza_bytes_max())];
        let length = unread.len();
        match stanza::check(within, self.outer(), &self.limits) {
            Ok(checked) => self.accept(checked).map(Some),
            Err(WireError::IllFormed(Fault::Truncated)) => {
                self.parsed = length;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// What is wrong first, where the framer has met something that is: it looks at little.
    fn earlier<T>(&self, error: WireError) -> Result<T, WireError> {
        match stanza::check(self.unread(), self.outer(), &self.limits) {
            Err(WireError::IllFormed(Fault::Truncated)) | Ok(_) => Err(error),
            Err(earlier) => Err(earlier),
        }
    }

    fn framed(&mut self, end: usize) -> Result<Event, WireError> {
        let checked = stanza::check(&self.buffer[self.start..end], self.outer(), &self.limits)?;
        if self.start + checked.end != end {
            return Err(Fault::Trailing.into());
        }
        self.accept(checked)
    }

    fn accept(&mut self, checked: Checked) -> Result<Event, WireError> {
        let Phase::Stanzas(frame) = &self.phase else {
            return Err(Fault::Trailing.into());
        };
        let end = self.start + checked.end;
        // The parser may have been first to see the end.
        self.framer = Framer::stanza();
        let bytes = &self.buffer[self.start..end];
        let made = if let Some(limit) = checked.beyond {
            Err(limit.into())
        } else if checked.outer_used != 0 {
            let bytes = frame.declare(bytes, checked.view.qname.end as usize, checked.outer_used);
            Stanza::parse_in(bytes, &frame.default_ns, &self.limits)
        } else if bytes.len() == self.buffer.capacity() {
            let bytes = Bytes::from(std::mem::take(&mut self.buffer));
            let stanza = Stanza::assemble(bytes, checked.view, &frame.default_ns);
            self.consume(0);
            return Ok(Event::Stanza(stanza));
        } else {
            // Not a slice of the buffer: a stanza may be kept long, and would keep all of it.
            let bytes = Bytes::copy_from_slice(bytes);
            Ok(Stanza::assemble(bytes, checked.view, &frame.default_ns))
        };
        let event = match made {
            Ok(stanza) => Event::Stanza(stanza),
            Err(WireError::Beyond(limit)) if self.limits.beyond == Beyond::Skip => {
                let root = frame.root(bytes, &self.limits)?;
                Event::Skipped(Skipped { limit, root })
            }
            Err(error) => return Err(error),
        };
        self.consume(end);
        Ok(event)
    }

    fn outer(&self) -> Outer<'_> {
        match &self.phase {
            Phase::Stanzas(frame) => frame.outer(),
            _ => Outer::bare(""),
        }
    }

    /// A stanza has more bytes than it may: what is within limits must be well-formed as far as it
    /// goes, the rest is not looked at.
    fn too_large(&mut self, end: Option<usize>) -> Result<Option<Event>, WireError> {
        let Phase::Stanzas(frame) = &self.phase else {
            return Err(Fault::Trailing.into());
        };
        let head = &self.buffer[self.start..self.start + self.limits.stanza_bytes_max()];
        match stanza::check(head, frame.outer(), &self.limits) {
            Err(WireError::IllFormed(Fault::Truncated)) => {}
            Err(error) => return Err(error),
            // The framer found no end there.
            Ok(_) => return Err(Fault::Trailing.into()),
        }
        if self.limits.beyond == Beyond::Refuse {
            return Err(Limit::StanzaBytes.into());
        }
        let skipped = Skipped {
            limit: Limit::StanzaBytes,
            root: frame.root(head, &self.limits)?,
        };
        if let Some(end) = end {
            self.consume(end);
            return Ok(Some(Event::Skipped(skipped)));
        }
        if let Phase::Stanzas(frame) = std::mem::replace(&mut self.phase, Phase::Closed) {
            self.phase = Phase::Skipping(Box::new((*frame, skipped)));
        }
        self.consume(self.buffer.len());
        Ok(None)
    }

    fn skip(&mut self) -> Result<Option<Event>, WireError> {
        let Some(end) = self.frame()? else {
            self.consume(self.buffer.len());
            return Ok(None);
        };
        self.consume(end);
        let Phase::Skipping(skipping) = std::mem::replace(&mut self.phase, Phase::Closed) else {
            return Ok(None);
        };
        let (frame, skipped) = *skipping;
        self.phase = Phase::Stanzas(Box::new(frame));
        Ok(Some(Event::Skipped(skipped)))
    }
}
