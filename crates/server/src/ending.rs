//! The end of the server by an admin's command: `shutdown`. Whoever is online is told, and after a while whoever runs the
//! server ends it in order, as by a signal.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use futures_util::FutureExt;
use futures_util::task::AtomicWaker;
use serde_json::{Value, json};

use crate::admin::{
    Access, AdminError, Arguments, Command, Kind, Shape, member, optional, secs as duration_secs,
};
use crate::effects::Effects;
use crate::server::Server;
use crate::session_commands::{self, ANNOUNCEMENT_BYTES_MAX};

/// Longest time until the end.
pub(crate) const DELAY_SECS_MAX: u64 = 86_400;

/// Whether the server is to end.
#[derive(Default)]
pub(crate) struct Ending {
    /// Somebody has asked for it.
    is_asked: AtomicBool,
    /// The time has come.
    is_due: AtomicBool,
    waker: AtomicWaker,
}

impl Server {
    /// Resolves when an admin's command ends the server; whoever runs it does what a signal would have them do. One waits
    /// for it at a time.
    pub async fn ended(&self) {
        let ending = self.ending();
        poll_fn(|cx| {
            ending.waker.register(cx.waker());
            match ending.is_due.load(Ordering::SeqCst) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }
}

/// The command.
pub(crate) const COMMAND: Command = Command {
    name: "shutdown",
    doc: "Ends the server in order, after telling everybody who is online.",
    access: Access::Changes("server"),
    arguments: &[
        optional(
            "delay",
            Kind::Time,
            "How long until then, such as 30s or 5m, a day at most; at once, otherwise.",
        ),
        optional(
            "text",
            Kind::Text {
                bytes_max: ANNOUNCEMENT_BYTES_MAX,
            },
            "What people are told; nothing, otherwise.",
        ),
    ],
    answer: &[
        member(
            "sessions",
            Shape::Number,
            "How many sessions were told of it.",
        ),
        member("delay_secs", Shape::Number, "Seconds until the end."),
    ],
    run: |s, a| shutdown(s, a).boxed(),
};

async fn shutdown(server: Server, args: Arguments) -> Result<Value, AdminError> {
    let delay_secs = match args.optional("delay") {
        None => 0,
        Some(text) => {
            let secs = duration_secs(text).filter(|secs| *secs <= DELAY_SECS_MAX);
            secs.ok_or_else(|| {
                let text = format!("'{text}' is no time such as 30s or 5m, of a day at most");
                AdminError::argument("delay", text)
            })?
        }
    };
    let text = args.optional("text");
    if let Some(text) = text {
        session_commands::can_be_said(text)?;
    }
    if server.ending().is_asked.swap(true, Ordering::SeqCst) {
        let text = "the server is about to end already".to_owned();
        return Err(AdminError::Conflict(text));
    }
    tracing::info!(delay_secs, "an admin ends the server");
    let mut effects = Effects::none();
    let told = text.map_or(0, |text| {
        session_commands::tell(&server, None, text, &mut effects)
    });
    // Who is told stands in no store; the end comes whatever came of that.
    let carried = server.carry_out(effects).await;
    let at_micros = server.steady_micros() + delay_secs * 1_000_000;
    let clock = server.outside().clock.clone();
    let own = server.clone();
    let end = async move {
        clock.sleep_until(at_micros).await;
        own.ending().is_due.store(true, Ordering::SeqCst);
        own.ending().waker.wake();
    };
    server.outside().tasks.spawn(end.boxed());
    carried?;
    Ok(json!({ "sessions": told, "delay_secs": delay_secs }))
}
