use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use waxwing_oracle::Token;
use waxwing_stream::bosh::{Handle, Output, Request, Session, Task, Terms};
use waxwing_wire::{Element, Limits, Stanza, ns};

use crate::negotiation::pieces;
use crate::{expat, ours};

const TERMS: Terms = Terms {
    wait_secs_max: 60,
    hold_max: 2,
    inactivity_secs_max: 30,
    pause_secs_max: 120,
    polling_secs_min: 5,
    response_bytes_max: 60,
};
const SECOND: u64 = 1_000_000;
/// Requests without response at one time: those that are held, one more, one that ends or pauses, and
/// the one that has just come.
const OPEN_MAX: usize = TERMS.hold_max as usize + 3;

/// A client of BOSH and what happens meanwhile: pieces, ended by zeros, of which one that begins with
/// a digit is that: 0, the stream says something; 1, it has no more to say; 2, it is over; 3 and a
/// number, so many seconds pass. All others are the content of requests.
///
/// A request that we read, expat reads too, and its elements mean the same without it. They come to
/// the stream once, in the order of their requests; what the stream says comes to the client in its
/// order, the same again where a request is repeated; each request has one response, and few have none
/// yet. Says whether a session lived to its end.
///
/// # Panics
/// It is not so.
pub fn bosh(bytes: &[u8]) -> bool {
    let mut pieces = pieces(bytes);
    let Some((first, create)) = pieces.next().and_then(request).and_then(|first| {
        let Task::Create(create) = first.task.clone() else {
            return None;
        };
        Some((first, create))
    }) else {
        return false;
    };
    let mut play = Play {
        session: Session::new(TERMS, "s".to_owned(), &first, &create),
        now_micros: 0,
        first_rid: first.rid,
        offered: BTreeMap::new(),
        fed: Vec::new(),
        rids: BTreeMap::new(),
        open: BTreeSet::new(),
        responses: BTreeMap::new(),
        said: 0,
        told: 0,
        received: 0,
        cut: false,
    };
    play.request(first);
    for piece in pieces {
        play.happens(piece);
    }
    let lived = !play.cut;
    // Whatever came before: the stream ends, and the client goes.
    play.happens(b"2");
    play.happens(b"1");
    play.happens(b"3 3600");
    assert!(
        play.session.is_over(),
        "it outlives its stream and its client"
    );
    assert!(play.open.is_empty(), "without response: {:?}", play.open);
    lived
}

/// Reads the content of a request, and compares.
fn request(bytes: &[u8]) -> Option<Request> {
    let request = Request::parse(&Bytes::copy_from_slice(bytes), &Limits::CLIENT).ok()?;
    let tokens = match expat::parse("", bytes.trim_ascii(), Some("")) {
        Ok(tokens) => tokens,
        Err(refusal) => panic!("expat refuses: {refusal}"),
    };
    let mut alone = Vec::new();
    for element in &request.elements {
        match Stanza::parse(element.clone(), "", &Limits::SERVER) {
            Ok(stanza) => alone.push(ours::tokens(&stanza.element())),
            Err(error) => panic!("{error}: {}", element.escape_ascii()),
        }
    }
    if !request.elements.is_empty() {
        let within = children(&tokens).into_iter().map(of_the_stream);
        let alone = alone.into_iter().map(of_the_stream);
        assert!(within.eq(alone), "it means something else alone");
    }
    Some(request)
}

/// The elements below the outermost one.
fn children(tokens: &[Token]) -> Vec<Vec<Token>> {
    let mut found: Vec<Vec<Token>> = Vec::new();
    let mut depth = 0;
    for token in tokens {
        match token {
            Token::Start(..) => {
                if depth == 1 {
                    found.push(Vec::new());
                }
                depth += 1;
            }
            Token::End => depth -= 1,
            Token::Text(_) => {}
        }
        if depth > 1 || (depth == 1 && *token == Token::End) {
            found.extend(found.is_empty().then(Vec::new));
            if let Some(last) = found.last_mut() {
                last.push(token.clone());
            }
        }
    }
    found
}

/// Elements that have no namespace but the body's are taken for those of the stream: clients leave it
/// out, though XEP-0206 §3 asks for it.
fn of_the_stream(tokens: Vec<Token>) -> Vec<Token> {
    let own = |token| match token {
        Token::Start((space, name), attributes) if space == ns::HTTP_BIND => {
            Token::Start((ns::CLIENT.to_owned(), name), attributes)
        }
        token => token,
    };
    tokens.into_iter().map(own).collect()
}

struct Play {
    session: Session,
    now_micros: u64,
    first_rid: u64,
    /// What the first request of each number has for the stream.
    offered: BTreeMap<u64, Vec<Bytes>>,
    fed: Vec<Bytes>,
    rids: BTreeMap<Handle, u64>,
    open: BTreeSet<Handle>,
    /// By request's number.
    responses: BTreeMap<u64, Bytes>,
    said: u64,
    /// Up to where responses have told what the stream said.
    told: u64,
    received: u64,
    cut: bool,
}

impl Play {
    fn happens(&mut self, piece: &[u8]) {
        match piece.first() {
            Some(b'0') => {
                self.said += 1;
                let element = format!("<message xmlns='jabber:client' id='{}'/>", self.said);
                self.session.handle_element(element.into());
            }
            Some(b'1') => self.session.handle_idle(self.now_micros),
            Some(b'2') => self.session.handle_end(),
            Some(b'3') => {
                let secs = std::str::from_utf8(&piece[1..]).ok();
                let secs: u32 = secs.and_then(|secs| secs.trim().parse().ok()).unwrap_or(1);
                self.now_micros += u64::from(secs) * SECOND;
                self.session.handle_time(self.now_micros);
            }
            _ => {
                if let Some(request) = request(piece) {
                    self.request(request);
                }
            }
        }
        self.agrees();
    }

    fn request(&mut self, request: Request) {
        if !self.cut {
            let mut feeds = match &request.task {
                Task::Create(create) => vec![create.open.clone()],
                Task::Restart(open) => vec![open.clone()],
                _ => request.elements.clone(),
            };
            if request.task == Task::Terminate {
                let close = format!("<close xmlns='{}'/>", ns::FRAMING);
                feeds.push(close.into());
            }
            self.offered.entry(request.rid).or_insert(feeds);
        }
        let handle = self.rids.len() as Handle;
        self.rids.insert(handle, request.rid);
        self.open.insert(handle);
        self.session
            .handle_request(request, handle, self.now_micros);
        // What the stream has said by then is taken before the next request is.
        self.session.handle_idle(self.now_micros);
        self.agrees();
    }

    fn agrees(&mut self) {
        while let Some(output) = self.session.poll() {
            match output {
                Output::Feed(element) => self.fed.push(element),
                Output::Respond(handle, response, _) => self.respond(handle, &response),
                Output::Received(elements) => {
                    assert!((self.received..=self.told).contains(&elements));
                    self.received = elements;
                }
                Output::Cut => self.cut = true,
            }
        }
        assert!(self.open.len() <= OPEN_MAX, "{} wait", self.open.len());
        let consecutive = (self.first_rid..).map_while(|rid| self.offered.get(&rid));
        let offered: Vec<&Bytes> = consecutive.flatten().collect();
        assert!(offered.len() >= self.fed.len(), "more than was offered");
        assert!(self.fed.iter().eq(offered.into_iter().take(self.fed.len())));
        if self.session.is_over() {
            assert!(self.open.is_empty(), "without response: {:?}", self.open);
        }
    }

    fn respond(&mut self, handle: Handle, response: &Bytes) {
        assert!(self.open.remove(&handle), "a second response");
        if let Err(refusal) = expat::parse("", response, Some("")) {
            panic!("expat refuses a response: {refusal}");
        }
        let body = match Element::parse(response) {
            Ok(body) => body,
            Err(error) => panic!("{error}: {}", response.escape_ascii()),
        };
        let rid = self.rids.get(&handle).copied().unwrap_or_default();
        let ends = matches!(body.attr("type"), Some("terminate" | "error"));
        match self.responses.get(&rid) {
            Some(before) if !ends => return assert_eq!(response, before, "it was another before"),
            _ if !ends => drop(self.responses.insert(rid, response.clone())),
            _ => {}
        }
        for element in body.children() {
            self.told += 1;
            let id = element.attr("id").and_then(|id| id.parse().ok());
            assert_eq!(id, Some(self.told), "out of order");
        }
    }
}
