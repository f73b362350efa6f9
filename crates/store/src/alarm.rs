//! Damage that is met while the store is in use.

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use crate::error::StoreError;
use crate::reply::Answer;

/// Says in the log that what is stored is damaged: once, since everybody who needs it meets it again.
#[derive(Debug)]
pub(crate) struct Alarm {
    /// What is damaged then.
    database: PathBuf,
    rung: AtomicBool,
}

impl Alarm {
    pub(crate) fn new(database: PathBuf) -> Self {
        Self {
            database,
            rung: AtomicBool::new(false),
        }
    }

    /// Looks at an error; whether it was damage.
    pub(crate) fn hear(&self, error: &StoreError) -> bool {
        let is_damage = matches!(error, StoreError::Damaged { .. });
        if is_damage && !self.rung.swap(true, Ordering::Relaxed) {
            tracing::error!(
                "{} is damaged: {error}. What needs that is refused, and nothing of it is acknowledged. Stop the server and run `waxwing doctor`: it says what is damaged, and saves the rest. This is said once",
                self.database.display()
            );
        }
        is_damage
    }

    /// Looks at what came of something.
    pub(crate) fn heard<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        result.inspect_err(|error| {
            self.hear(error);
        })
    }
}

/// An answer that the alarm hears on its way.
pub(crate) struct Heard<T> {
    answer: Answer<T>,
    alarm: Arc<Alarm>,
}

impl<T> Heard<T> {
    pub(crate) fn new(answer: Answer<T>, alarm: &Arc<Alarm>) -> Self {
        let alarm = Arc::clone(alarm);
        Self { answer, alarm }
    }
}

impl<T> Future for Heard<T> {
    type Output = Result<T, StoreError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = Pin::new(&mut self.answer).poll(cx);
        answer.map(|answer| self.alarm.heard(answer))
    }
}
