//! One session: moves elements between requests and the server's connection.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, Sleep};
use waxwing_server::{Action, Connection};
use waxwing_stream::bosh::{Handle, Output, Session};

use super::{Answer, Posted};
use crate::outside::until;

/// A session with its stream.
pub(super) struct Talk {
    session: Session,
    connection: Connection,
    requests: mpsc::Receiver<Posted>,
    stop: watch::Receiver<bool>,
    answers: HashMap<Handle, oneshot::Sender<Answer>>,
    handles: Handle,
    began: Instant,
    timer: Pin<Box<Sleep>>,
    /// Whether the stream has something to say even if nobody listens: its end.
    ending: bool,
}

enum Turn {
    Request(Box<Posted>),
    Stream(Action),
    /// The session has something to do.
    Session,
    Time,
}

impl Talk {
    pub(super) fn new(
        session: Session,
        connection: Connection,
        requests: mpsc::Receiver<Posted>,
        stop: watch::Receiver<bool>,
    ) -> Talk {
        Talk {
            session,
            connection,
            requests,
            stop,
            answers: HashMap::new(),
            handles: 0,
            began: Instant::now(),
            timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
            ending: false,
        }
    }

    /// Until the session is over.
    pub(super) async fn run(mut self) {
        let mut stop = self.stop.clone();
        // The sender is gone only where everything has stopped.
        let stopped = async { stop.wait_for(|stop| *stop).await.map(drop) };
        let mut stopped = std::pin::pin!(stopped);
        let mut stopping = false;
        loop {
            self.drain();
            if self.session.is_over() || (stopping && !self.session.is_held()) {
                break;
            }
            tokio::select! {
                turn = poll_fn(|cx| self.poll_turn(cx)) => self.take(turn),
                _ = stopped.as_mut(), if !stopping => stopping = true,
            }
        }
        self.connection.closed();
    }

    fn now_micros(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// What the session wants done.
    fn drain(&mut self) {
        while let Some(output) = self.session.poll() {
            match output {
                Output::Feed(element) => self.connection.receive(&element),
                Output::Respond(handle, response, condition) => {
                    // Who is gone may ask for the same again: the session keeps it.
                    let answer = self.answers.remove(&handle);
                    let _gone = answer.map(|answer| answer.send(Answer(response, condition)));
                }
                Output::Received(elements) => self.connection.received(elements),
                Output::Cut => self.connection.closed(),
            }
        }
    }

    fn take(&mut self, turn: Turn) {
        let now = self.now_micros();
        match turn {
            Turn::Request(posted) => {
                let Posted { request, answer } = *posted;
                self.handles += 1;
                self.answers.insert(self.handles, answer);
                self.session.handle_request(request, self.handles, now);
            }
            Turn::Stream(Action::Send) => {
                let mut output = Vec::new();
                self.connection.take_output(&mut output);
                for element in output {
                    self.session.handle_element(element);
                }
            }
            // What begins as this does has its TLS, or none: there is no other way to end.
            Turn::Stream(Action::Close | Action::StartTls) => {
                self.session.handle_end();
                self.session.handle_idle(now);
                self.ending = false;
            }
            Turn::Session => {}
            Turn::Time => self.take_time(now),
        }
    }

    fn take_time(&mut self, now_micros: u64) {
        let due = self.connection.deadline_micros();
        if due.is_some_and(|at| at <= crate::outside::steady_micros()) {
            self.connection.handle_deadline();
            self.ending = true;
        }
        self.session.handle_time(now_micros);
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<Turn> {
        if self.poll_timer(cx) {
            return Poll::Ready(Turn::Time);
        }
        let takes = self.connection.wants_input() || self.session.has_ended();
        if takes && let Poll::Ready(Some(posted)) = self.requests.poll_recv(cx) {
            return Poll::Ready(Turn::Request(Box::new(posted)));
        }
        // Without a request nothing is taken from the stream: it waits there, within its limits.
        if !self.session.is_held() && !self.ending {
            return Poll::Pending;
        }
        if let Poll::Ready(action) = self.connection.poll(cx) {
            return Poll::Ready(Turn::Stream(action));
        }
        self.session.handle_idle(self.now_micros());
        match self.session.has_output() {
            true => Poll::Ready(Turn::Session),
            false => Poll::Pending,
        }
    }

    /// Whether something is due.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> bool {
        let now = Instant::now();
        let stream = self.connection.deadline_micros();
        let stream = stream.map(|at| now + until(at));
        let session = self.session.deadline_micros();
        let session = session.map(|at| self.began + Duration::from_micros(at));
        let Some(due) = [stream, session].into_iter().flatten().min() else {
            return false;
        };
        if self.timer.deadline() != due {
            self.timer.as_mut().reset(due);
        }
        self.timer.as_mut().poll(cx).is_ready()
    }
}
