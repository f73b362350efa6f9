//! A simulated connection: bytes take time, come in any pieces, and stop coming when it is cut.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use waxwing_server::{Action, Connection};

use super::{LinkId, World};
use crate::dice::Dice;

/// Longest way of a byte.
const LATENCY_MICROS_MAX: u64 = 40_000;

/// What comes within this time of a simulated clock comes at once, in any order: machines do several
/// things at a time, and that is where races are.
const MOMENT_MICROS: u64 = 5_000;

/// Longest time until an end learns that the connection is gone, where nobody tells it.
const SILENCE_MICROS_MAX: u64 = 90_000_000;

/// How much longer a byte takes that is overtaken.
const DETOUR_MICROS_MAX: u64 = 4_000_000;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Both ends are told at once.
    Clean,
    /// The client knows, as when it moves to another network; the server does not, for a while.
    HalfOpen,
    /// Each end finds out after a while of its own.
    Silent,
    /// As half open; but what the client had written still comes to the server, some time later: the
    /// other network is the quicker one.
    Overtaken,
}

/// What came of working on a line.
#[derive(Debug)]
pub(super) enum Step {
    Worked,
    Received(Bytes),
    Disconnected,
    /// Both ends are done.
    Over,
}

/// One connection.
pub(super) struct Line {
    connection: Option<Connection>,
    woken: Arc<Woken>,
    up: Pipe,
    down: Pipe,
    plan: Option<(Direction, u64, Cut)>,
    /// Nothing comes through any more.
    dead: bool,
    server_told_at: Option<u64>,
    client_told_at: Option<u64>,
    client_gone: bool,
}

/// One direction.
#[derive(Default)]
struct Pipe {
    pieces: VecDeque<(u64, Bytes)>,
    /// When the end comes, after all pieces.
    end_at: Option<u64>,
    last_at: u64,
    carried: u64,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Line {
    pub(super) fn new(connection: Option<Connection>, now: u64) -> Line {
        let dead = connection.is_none();
        Line {
            connection,
            woken: Arc::new(Woken(AtomicBool::new(true))),
            up: Pipe::default(),
            down: Pipe::default(),
            plan: None,
            dead,
            server_told_at: None,
            client_told_at: dead.then_some(now),
            client_gone: false,
        }
    }

    pub(super) fn write(&mut self, now: u64, bytes: &[u8], dice: &mut Dice) {
        if !self.dead && !self.client_gone {
            self.up.push(now, bytes, dice);
        }
    }

    pub(super) fn close(&mut self, now: u64) {
        self.client_gone = true;
        self.client_told_at = None;
        self.down = Pipe::default();
        self.up.end(now);
    }

    pub(super) fn cut_after(&mut self, direction: Direction, bytes: u64, cut: Cut) {
        self.plan = Some((direction, bytes, cut));
    }

    pub(super) fn carried(&self, direction: Direction) -> u64 {
        match direction {
            Direction::Up => self.up.carried,
            Direction::Down => self.down.carried,
        }
    }

    pub(super) fn cut(&mut self, now: u64, cut: Cut, dice: &mut Dice) {
        if self.dead {
            return;
        }
        self.dead = true;
        self.plan = None;
        match cut {
            Cut::Overtaken => self.up.delay(now, dice),
            Cut::Clean | Cut::HalfOpen | Cut::Silent => self.up.lose(),
        }
        self.down.lose();
        let mut later = || now + dice.below(SILENCE_MICROS_MAX);
        let (server, client) = match cut {
            Cut::Clean => (now, now),
            Cut::HalfOpen => (later(), now),
            Cut::Overtaken => (later() + DETOUR_MICROS_MAX, now),
            Cut::Silent => (later(), later()),
        };
        self.server_told_at = self.connection.is_some().then_some(server);
        self.client_told_at = (!self.client_gone).then_some(client);
    }

    /// The server's process is gone: the client is told.
    pub(super) fn server_died(&mut self, now: u64) {
        self.connection = None;
        self.server_told_at = None;
        self.dead = true;
        self.up.lose();
        self.down.lose();
        self.client_told_at = (!self.client_gone).then_some(now);
    }

    /// When the network does something here next.
    pub(super) fn next_micros(&self) -> Option<u64> {
        let up = self.up.next_micros().filter(|_| self.takes_input());
        let told = self.server_told_at.into_iter().chain(self.client_told_at);
        told.chain(up).chain(self.down.next_micros()).min()
    }

    pub(super) fn deadline_micros(&self) -> Option<u64> {
        self.connection
            .as_ref()
            .and_then(Connection::deadline_micros)
    }

    pub(super) fn handle_deadline(&mut self, now: u64) {
        if let Some(connection) = &mut self.connection
            && connection.deadline_micros().is_some_and(|at| at <= now)
        {
            connection.handle_deadline();
            self.woken.0.store(true, Ordering::SeqCst);
        }
    }

    pub(super) fn is_awake(&self, now: u64) -> bool {
        let server = self.connection.is_some() && self.woken.0.load(Ordering::SeqCst);
        let over = self.connection.is_none() && self.is_over();
        server || over || self.next_micros().is_some_and(|at| at <= now)
    }

    /// Does one thing that is due.
    pub(super) fn work(&mut self, now: u64, id: LinkId, dice: &mut Dice) -> Step {
        if self.server_told_at.is_some_and(|at| at <= now) {
            self.server_told_at = None;
            self.drop_connection();
            return Step::Worked;
        }
        if self.client_told_at.is_some_and(|at| at <= now) {
            self.client_told_at = None;
            self.client_gone = true;
            return Step::Disconnected;
        }
        if self.down.is_due(now) {
            return self.carry_down(now, dice);
        }
        if self.takes_input() && self.up.is_due(now) {
            self.carry_up(now, dice);
            return Step::Worked;
        }
        if self.connection.is_some() && self.woken.0.swap(false, Ordering::SeqCst) {
            self.poll_connection(now, id, dice);
            return Step::Worked;
        }
        if self.connection.is_none() && self.is_over() {
            Step::Over
        } else {
            Step::Worked
        }
    }

    fn is_over(&self) -> bool {
        self.client_gone && self.client_told_at.is_none()
    }

    fn takes_input(&self) -> bool {
        self.connection.as_ref().is_none_or(Connection::wants_input)
    }

    fn carry_down(&mut self, now: u64, dice: &mut Dice) -> Step {
        let limit = self.plan_for(Direction::Down);
        let Some(bytes) = self.down.take(limit) else {
            // The server has closed, and everything before that has come.
            self.down.end_at = None;
            self.client_gone = true;
            return Step::Disconnected;
        };
        self.follow_plan(now, dice);
        if bytes.is_empty() {
            Step::Worked
        } else {
            Step::Received(bytes)
        }
    }

    fn carry_up(&mut self, now: u64, dice: &mut Dice) {
        let limit = self.plan_for(Direction::Up);
        let Some(bytes) = self.up.take(limit) else {
            self.up.end_at = None;
            self.drop_connection();
            return;
        };
        if let Some(connection) = &mut self.connection {
            connection.receive(&bytes);
            self.woken.0.store(true, Ordering::SeqCst);
        }
        self.follow_plan(now, dice);
    }

    fn plan_for(&self, direction: Direction) -> Option<u64> {
        self.plan
            .filter(|(planned, ..)| *planned == direction)
            .map(|(_, bytes, _)| bytes)
    }

    fn follow_plan(&mut self, now: u64, dice: &mut Dice) {
        if let Some((direction, bytes, cut)) = self.plan
            && self.carried(direction) >= bytes
        {
            self.cut(now, cut, dice);
        }
    }

    fn drop_connection(&mut self) {
        if let Some(mut connection) = self.connection.take() {
            connection.closed();
        }
    }

    fn poll_connection(&mut self, now: u64, id: LinkId, dice: &mut Dice) {
        let Some(connection) = &mut self.connection else {
            return;
        };
        let waker = Waker::from(Arc::clone(&self.woken));
        match connection.poll(&mut Context::from_waker(&waker)) {
            Poll::Pending => return,
            Poll::Ready(Action::Send) => {
                let mut output = Vec::new();
                connection.take_output(&mut output);
                if !self.dead && !self.client_gone {
                    self.down.push(now, &output.concat(), dice);
                }
                connection.written();
            }
            Poll::Ready(Action::StartTls) => {
                connection.tls_started(World::binding(id));
            }
            Poll::Ready(Action::Close) => {
                self.drop_connection();
                if !self.dead && !self.client_gone {
                    self.down.end(now);
                }
                return;
            }
        }
        self.woken.0.store(true, Ordering::SeqCst);
    }
}

fn moment(at: u64) -> u64 {
    at.next_multiple_of(MOMENT_MICROS)
}

impl Pipe {
    fn push(&mut self, now: u64, bytes: &[u8], dice: &mut Dice) {
        let mut rest = Bytes::copy_from_slice(bytes);
        // Most writes come as they were sent, some in pieces, a few byte by byte.
        let piece_bytes_max = match dice.below(8) {
            0 => 1,
            1 => 7,
            2 | 3 => 200,
            _ => u64::MAX,
        };
        while !rest.is_empty() {
            let len = rest
                .len()
                .min(usize::try_from(1 + dice.below(piece_bytes_max)).unwrap_or(usize::MAX));
            let piece = rest.split_to(if piece_bytes_max == u64::MAX {
                rest.len()
            } else {
                len
            });
            let at = now + 1 + dice.below(LATENCY_MICROS_MAX);
            self.last_at = self.last_at.max(moment(at));
            self.pieces.push_back((self.last_at, piece));
        }
    }

    fn end(&mut self, now: u64) {
        self.end_at = Some(self.last_at.max(now));
    }

    /// What is on its way comes later, in its order.
    fn delay(&mut self, now: u64, dice: &mut Dice) {
        let mut last = now + dice.below(DETOUR_MICROS_MAX);
        for (at, _) in &mut self.pieces {
            last = moment(last.max(*at) + dice.below(LATENCY_MICROS_MAX));
            *at = last;
        }
        self.end_at = None;
    }

    fn lose(&mut self) {
        self.pieces.clear();
        self.end_at = None;
    }

    fn next_micros(&self) -> Option<u64> {
        self.pieces.front().map(|(at, _)| *at).or(self.end_at)
    }

    fn is_due(&self, now: u64) -> bool {
        self.next_micros().is_some_and(|at| at <= now)
    }

    /// The next piece, no further than `limit` bytes from the beginning; `None` at the end.
    fn take(&mut self, limit: Option<u64>) -> Option<Bytes> {
        let (at, mut piece) = self.pieces.pop_front()?;
        if let Some(limit) = limit {
            let room = limit.saturating_sub(self.carried);
            let room = usize::try_from(room).unwrap_or(usize::MAX);
            if room < piece.len() {
                // It goes the way of what comes after it: nothing is lost from between.
                self.pieces.push_front((at, piece.split_off(room)));
            }
        }
        self.carried += piece.len() as u64;
        Some(piece)
    }
}
