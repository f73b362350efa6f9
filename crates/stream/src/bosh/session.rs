//! The order of requests and responses of one session.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use waxwing_wire::{Limits, Stanza, ns};

use super::XBOSH;
use super::keys::Keys;
use super::request::{Create, Request, Task};
use super::response::{Condition, body, end};
use crate::framing::Framing;

/// Our version (XEP-0124 §7.1).
const VERSION: (u64, u64) = (1, 11);
/// Most repetitions in a row, without a request that is new (XEP-0124 §14.3).
const REPEATS_MAX: u32 = 16;
/// Microseconds of a second.
const SECOND: u64 = 1_000_000;

/// Names an HTTP request that waits for its response; the shell chooses it.
pub type Handle = u64;

/// What the server lets clients have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Longest time for which a request is held, in seconds.
    pub wait_secs_max: u64,
    /// Most requests that are held.
    pub hold_max: u64,
    /// How long a session lives without a request, in seconds.
    pub inactivity_secs_max: u64,
    /// How long at the client's wish, in seconds.
    pub pause_secs_max: u64,
    /// Shortest time between empty requests of a client that wants none held, in seconds.
    pub polling_secs_min: u64,
    /// Bytes of elements in one response, if it is not one element that is larger.
    pub response_bytes_max: usize,
}

/// What a session wants from its shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// An element for the stream.
    Feed(Bytes),
    /// The response to a request, and why it ends the session where it does.
    Respond(Handle, Bytes, Option<Condition>),
    /// The client has received so many of the elements that the stream has said, from the first one on.
    Received(u64),
    /// The client is gone, or was sent away: the stream is cut.
    Cut,
}

/// A request whose turn has come, without response.
#[derive(Debug)]
struct Held {
    rid: u64,
    handle: Handle,
    until_micros: u64,
}

/// One client.
#[derive(Debug)]
pub struct Session {
    terms: Terms,
    sid: String,
    wait_secs: u64,
    hold: u64,
    version: Option<(u64, u64)>,
    acks: bool,
    keys: Keys,
    /// The request that comes next.
    next_rid: u64,
    /// Requests that came before their turn; no more than the window has.
    early: BTreeMap<u64, (Request, Handle)>,
    held: VecDeque<Held>,
    /// The last responses, to be repeated.
    sent: VecDeque<(u64, Bytes)>,
    /// Whether the session's terms were told.
    begun: bool,
    /// Who the stream says it is.
    from: Option<String>,
    /// Elements that the stream has said.
    said: u64,
    /// Those on their way to the client, by number from one.
    waiting: VecDeque<(u64, Bytes)>,
    /// Responses with elements that are not known to have come through: request, and number of the last element.
    unconfirmed: VecDeque<(u64, u64)>,
    repeats: u32,
    /// When an empty request came that had an empty response.
    polled_micros: Option<u64>,
    /// When the client is gone, if it does not ask.
    inactive_at_micros: Option<u64>,
    inactivity_secs: u64,
    /// The stream is over; why is among what waits.
    ended: bool,
    over: bool,
    outputs: VecDeque<Output>,
}

impl Session {
    /// The session that a request asks for. Give it that request too, by [`Session::handle_request`].
    #[must_use]
    pub fn new(terms: Terms, sid: String, request: &Request, create: &Create) -> Session {
        let wait_secs = create.wait_secs.min(terms.wait_secs_max);
        let hold = match wait_secs {
            0 => 0,
            _ => create.hold.min(terms.hold_max),
        };
        // Who polls is silent in between (XEP-0124 §12).
        let polling_secs = if hold == 0 {
            2 * terms.polling_secs_min
        } else {
            0
        };
        let terms = Terms {
            inactivity_secs_max: terms.inactivity_secs_max + polling_secs,
            ..terms
        };
        Session {
            sid,
            hold,
            wait_secs,
            version: create.version.map(|version| version.min(VERSION)),
            acks: create.acks,
            keys: Keys::default(),
            next_rid: request.rid,
            early: BTreeMap::new(),
            held: VecDeque::new(),
            sent: VecDeque::new(),
            begun: false,
            from: None,
            said: 0,
            waiting: VecDeque::new(),
            unconfirmed: VecDeque::new(),
            repeats: 0,
            polled_micros: None,
            inactive_at_micros: None,
            inactivity_secs: terms.inactivity_secs_max,
            ended: false,
            over: false,
            outputs: VecDeque::new(),
            terms,
        }
    }

    /// Most requests at a time; also how far ahead one may be.
    fn requests(&self) -> u64 {
        self.hold + 1
    }

    /// Whether there is a response that can be given: only then the stream is asked for something to say.
    #[must_use]
    pub fn is_held(&self) -> bool {
        !self.held.is_empty()
    }

    /// Whether the session is over, and the client knows or is gone.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over && self.outputs.is_empty()
    }

    /// Whether [`Session::handle_end`] was called.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether [`Session::poll`] gives something.
    #[must_use]
    pub fn has_output(&self) -> bool {
        !self.outputs.is_empty()
    }

    /// When [`Session::handle_time`] is due, in microseconds on the shell's clock.
    #[must_use]
    pub fn deadline_micros(&self) -> Option<u64> {
        match self.held.front() {
            Some(held) if self.begun => Some(held.until_micros),
            Some(_) => None,
            None => self.inactive_at_micros,
        }
    }

    /// What to do next, until there is nothing.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// A request has come.
    pub fn handle_request(&mut self, request: Request, handle: Handle, now_micros: u64) {
        if self.over {
            return self.turn_away(handle);
        }
        let rid = request.rid;
        let repeated = rid < self.next_rid || self.early.contains_key(&rid);
        if repeated {
            return self.repeat(rid, handle);
        }
        // Nobody has been told yet what this session is called, so there is no limit to what is held either.
        if !self.begun && self.is_held() {
            return self.refuse(handle, Condition::ItemNotFound);
        }
        let extra = u64::from(request.is_extra());
        if rid - self.next_rid >= self.requests() + extra {
            return self.refuse(handle, Condition::ItemNotFound);
        }
        // XEP-0124 §11: so many without a response are too many.
        let open = (self.held.len() + self.early.len()) as u64;
        if open >= self.requests() + extra {
            return self.refuse(handle, Condition::PolicyViolation);
        }
        self.repeats = 0;
        self.early.insert(rid, (request, handle));
        while let Some((request, handle)) = self.early.remove(&self.next_rid) {
            self.take(request, handle, now_micros);
        }
    }

    /// Takes a request whose turn it is.
    fn take(&mut self, request: Request, handle: Handle, now_micros: u64) {
        if self.over {
            return self.turn_away(handle);
        }
        if !self.keys.follow(&request) {
            return self.refuse(handle, Condition::ItemNotFound);
        }
        let rid = request.rid;
        self.next_rid += 1;
        self.confirm(rid, request.ack);
        if self.polls_too_often(&request, now_micros) {
            return self.refuse(handle, Condition::PolicyViolation);
        }
        self.inactivity_secs = self.terms.inactivity_secs_max;
        self.held.push_back(Held {
            rid,
            handle,
            until_micros: now_micros.saturating_add(self.wait_secs * SECOND),
        });
        if let Task::Create(Create { open, .. }) | Task::Restart(open) = &request.task {
            self.outputs.push_back(Output::Feed(open.clone()));
        }
        let elements = request.elements.into_iter();
        self.outputs.extend(elements.map(Output::Feed));
        match request.task {
            Task::Terminate => self
                .outputs
                .push_back(Output::Feed(Framing::Elements.close())),
            Task::Pause(secs) if (1..=self.terms.pause_secs_max).contains(&secs) => {
                self.inactivity_secs = secs;
                while self.is_held() {
                    self.respond(&[], now_micros);
                }
            }
            _ => {}
        }
    }

    /// Up to where responses have come through. Who does not say so has at least received those whose place in the
    /// window it has used again.
    fn confirm(&mut self, rid: u64, ack: Option<u64>) {
        let received = match (self.acks, ack) {
            // In the request that begins a session it is no number (XEP-0124 §9.2).
            _ if !self.begun => return,
            (true, Some(ack)) => ack.min(rid - 1),
            (true, None) => rid - 1,
            (false, _) => rid.saturating_sub(self.requests()),
        };
        let after = self
            .unconfirmed
            .partition_point(|(sent, _)| *sent <= received);
        if let Some((_, last)) = self.unconfirmed.drain(..after).next_back() {
            self.outputs.push_back(Output::Received(last));
        }
    }

    /// XEP-0124 §12, for clients that want no request held.
    fn polls_too_often(&mut self, request: &Request, now_micros: u64) -> bool {
        if self.hold > 0 || !request.is_empty() {
            self.polled_micros = None;
            return false;
        }
        let before = self.polled_micros.replace(now_micros);
        let interval = self.terms.polling_secs_min * SECOND;
        before.is_some_and(|before| now_micros.saturating_sub(before) < interval)
    }

    /// A request that was there already (XEP-0124 §14.3).
    fn repeat(&mut self, rid: u64, handle: Handle) {
        self.repeats += 1;
        if self.repeats > REPEATS_MAX {
            return self.refuse(handle, Condition::PolicyViolation);
        }
        let held = self.held.iter_mut().find(|held| held.rid == rid);
        let place = held.map(|held| &mut held.handle);
        let place = place.or(self.early.get_mut(&rid).map(|(_, handle)| handle));
        if let Some(place) = place {
            let former = std::mem::replace(place, handle);
            return self.respond_to(former, body(" type='error'", &[]), None);
        }
        match self.sent.iter().find(|(sent, _)| *sent == rid) {
            Some((_, response)) => self.respond_to(handle, response.clone(), None),
            None => self.refuse(handle, Condition::ItemNotFound),
        }
    }

    /// The stream has said something.
    pub fn handle_element(&mut self, element: Bytes) {
        self.said += 1;
        let own = Stanza::parse(element.clone(), "", &Limits::CLIENT).ok();
        let own = own.filter(|own| own.ns() == ns::FRAMING);
        match own {
            Some(own) if own.name() == "open" => {
                self.from = own.from().map(|from| from.into_owned());
            }
            // What it stands for is said by the response.
            Some(_) => {}
            None => self.waiting.push_back((self.said, element)),
        }
    }

    /// The stream is over.
    pub fn handle_end(&mut self) {
        self.ended = true;
    }

    /// The stream has no more to say at the moment.
    pub fn handle_idle(&mut self, now_micros: u64) {
        if self.ended {
            return self.finish(now_micros);
        }
        while !self.waiting.is_empty() && self.is_held() {
            let (last, elements) = self.take_waiting();
            self.unconfirmed
                .extend(self.held.front().map(|held| (held.rid, last)));
            self.polled_micros = None;
            self.respond(&elements, now_micros);
        }
        // The first response tells the terms, and has the stream's features.
        while self.begun && self.held.len() as u64 > self.hold {
            self.respond(&[], now_micros);
        }
    }

    /// As much as one response may have of what waits.
    fn take_waiting(&mut self) -> (u64, Vec<Bytes>) {
        let (mut last, mut size) = (0, 0);
        let mut elements = Vec::new();
        while let Some((number, element)) = self.waiting.pop_front() {
            size += element.len();
            if size > self.terms.response_bytes_max && !elements.is_empty() {
                self.waiting.push_front((number, element));
                break;
            }
            last = number;
            elements.push(element);
        }
        (last, elements)
    }

    /// Time has passed.
    pub fn handle_time(&mut self, now_micros: u64) {
        let is_due = |held: &Held| held.until_micros <= now_micros;
        while self.begun && self.held.front().is_some_and(is_due) {
            self.respond(&[], now_micros);
        }
        let inactive = self.inactive_at_micros.is_some_and(|at| at <= now_micros);
        if inactive && self.held.is_empty() && !self.over {
            // Requests whose turn never came wait for a response too.
            let gone = Some(Condition::ItemNotFound);
            self.dismiss(&super::terminate(gone), gone);
            self.outputs.push_back(Output::Cut);
        }
    }

    /// The response to the oldest request.
    fn respond(&mut self, elements: &[Bytes], now_micros: u64) {
        let Some(held) = self.held.pop_front() else {
            return;
        };
        let response = body(&self.attributes(held.rid), elements);
        self.begun = true;
        self.sent.push_back((held.rid, response.clone()));
        // One more than may be open: the one that asks for a pause (XEP-0124 §14.3).
        while self.sent.len() as u64 > self.requests() + 1 {
            self.sent.pop_front();
        }
        self.respond_to(held.handle, response, None);
        if self.held.is_empty() {
            self.inactive_at_micros = Some(now_micros + self.inactivity_secs * SECOND);
        }
    }

    fn attributes(&self, rid: u64) -> String {
        let last = self.next_rid - 1;
        let received = match self.acks && (last > rid || !self.begun) {
            true => format!(" ack='{last}'"),
            false => String::new(),
        };
        if self.begun {
            return received;
        }
        let mut out = format!(
            "{received} sid='{}' wait='{}' hold='{}' requests='{}' inactivity='{}' maxpause='{}'",
            self.sid,
            self.wait_secs,
            self.hold,
            self.requests(),
            self.terms.inactivity_secs_max,
            self.terms.pause_secs_max,
        );
        if self.hold == 0 {
            out += &format!(" polling='{}'", self.terms.polling_secs_min);
        }
        if let Some((major, minor)) = self.version {
            out += &format!(" ver='{major}.{minor}'");
        }
        // A served domain has nothing that would have to be escaped.
        let from = self.from.as_deref().filter(|from| {
            from.bytes()
                .all(|byte| !matches!(byte, b'<' | b'&' | b'\''))
        });
        if let Some(from) = from {
            out += &format!(" from='{from}'");
        }
        out + &format!(" xmlns:xmpp='{XBOSH}' xmpp:version='1.0' xmpp:restartlogic='true'")
    }

    /// Ends the session where its stream has ended: the oldest request is told so, or the next one.
    fn finish(&mut self, now_micros: u64) {
        let Some(held) = self.held.pop_front() else {
            let inactive = now_micros + self.inactivity_secs * SECOND;
            self.inactive_at_micros.get_or_insert(inactive);
            return;
        };
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        let waiting: Vec<Bytes> = waiting.map(|(_, element)| element).collect();
        let failed = waiting
            .last()
            .is_some_and(|last| last.starts_with(b"<stream:error"));
        let condition = failed.then_some(Condition::RemoteStreamError);
        self.respond_to(held.handle, end(condition, &waiting), condition);
        self.dismiss(&body("", &[]), None);
    }

    /// Ends the session for what the client does.
    fn refuse(&mut self, handle: Handle, condition: Condition) {
        let response = super::terminate(Some(condition));
        self.respond_to(handle, response.clone(), Some(condition));
        self.dismiss(&response, Some(condition));
        self.outputs.push_back(Output::Cut);
    }

    /// Gives every request that waits the same response: it is over.
    fn dismiss(&mut self, response: &Bytes, condition: Option<Condition>) {
        self.over = true;
        let held = std::mem::take(&mut self.held).into_iter();
        let early = std::mem::take(&mut self.early).into_values();
        let handles: Vec<Handle> = held
            .map(|held| held.handle)
            .chain(early.map(|(_, handle)| handle))
            .collect();
        for handle in handles {
            self.respond_to(handle, response.clone(), condition);
        }
    }

    /// Answers a request that comes after the end.
    fn turn_away(&mut self, handle: Handle) {
        let gone = Some(Condition::ItemNotFound);
        self.respond_to(handle, super::terminate(gone), gone);
    }

    fn respond_to(&mut self, handle: Handle, response: Bytes, condition: Option<Condition>) {
        self.outputs
            .push_back(Output::Respond(handle, response, condition));
    }
}
