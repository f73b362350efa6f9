//! The admin commands `motd …` and `welcome …`.

use futures_util::FutureExt;
use serde_json::{Value, json};

use super::{Change, NOTICE_BYTES_MAX, Notice, StoredNotice};
use crate::admin::{
    Access, AdminError, Argument, Arguments, Command, Kind, Member, Shape, member, optional,
    required,
};
use crate::server::Server;
use crate::session_commands;

const TEXT: Argument = required(
    "text",
    Kind::Text {
        bytes_max: NOTICE_BYTES_MAX,
    },
    "What is said.",
);
const DOMAIN: Argument = optional(
    "domain",
    Kind::Domain,
    "The domain whose accounts get it; needed where several are served.",
);

/// Their kind.
const KIND: &str = "announcements";

const OF_DOMAIN: Member = member("domain", Shape::Text, "Whose accounts get it.");

const SAID: &[Member] = &[
    OF_DOMAIN,
    member(
        "text",
        Shape::Maybe(&Shape::Text),
        "What is said; null where nothing is.",
    ),
    member(
        "set_micros",
        Shape::Maybe(&Shape::Number),
        "When it was set, corrections aside, in microseconds since 1970; null where nothing is said.",
    ),
];

const CLEARED: &[Member] = &[
    OF_DOMAIN,
    member("cleared", Shape::Flag, "Whether there was anything."),
];

/// The commands.
pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "motd set",
        doc: "Sets the message of the day: whoever is online gets it, and everybody else once at their next log-in.",
        access: Access::Changes(KIND),
        arguments: &[TEXT, DOMAIN],
        answer: SAID,
        run: |s, a| set(s, a, Notice::Motd, Change::New).boxed(),
    },
    Command {
        name: "motd edit",
        doc: "Corrects the message of the day: who has had it does not get it again.",
        access: Access::Changes(KIND),
        arguments: &[TEXT, DOMAIN],
        answer: SAID,
        run: |s, a| set(s, a, Notice::Motd, Change::Correction).boxed(),
    },
    Command {
        name: "motd show",
        doc: "Shows the message of the day.",
        access: Access::Reads(KIND),
        arguments: &[DOMAIN],
        answer: SAID,
        run: |s, a| show(s, a, Notice::Motd).boxed(),
    },
    Command {
        name: "motd clear",
        doc: "Removes the message of the day: nobody gets it any more.",
        access: Access::Changes(KIND),
        arguments: &[DOMAIN],
        answer: CLEARED,
        run: |s, a| clear(s, a, Notice::Motd).boxed(),
    },
    Command {
        name: "welcome set",
        doc: "Sets the welcome message, which accounts get at their first log-in that are made from then on.",
        access: Access::Changes(KIND),
        arguments: &[TEXT, DOMAIN],
        answer: SAID,
        run: |s, a| set_welcome(s, a).boxed(),
    },
    Command {
        name: "welcome show",
        doc: "Shows the welcome message.",
        access: Access::Reads(KIND),
        arguments: &[DOMAIN],
        answer: SAID,
        run: |s, a| show(s, a, Notice::Welcome).boxed(),
    },
    Command {
        name: "welcome clear",
        doc: "Removes the welcome message: new accounts get none any more.",
        access: Access::Changes(KIND),
        arguments: &[DOMAIN],
        answer: CLEARED,
        run: |s, a| clear(s, a, Notice::Welcome).boxed(),
    },
];

/// The domain that is meant.
fn domain(server: &Server, args: &Arguments) -> Result<String, AdminError> {
    if let Some(domain) = session_commands::domain(server, args)? {
        return Ok(domain);
    }
    match server.domains() {
        [domain] => Ok(domain.clone()),
        domains => {
            let served = domains.join(", ");
            let text = format!("several domains are served; say which: {served}");
            Err(AdminError::argument(DOMAIN.name, text))
        }
    }
}

fn said(domain: &str, stored: Option<&StoredNotice>) -> Value {
    json!({
        "domain": domain,
        "text": stored.map(|stored| stored.text.as_str()),
        "set_micros": stored.map(|stored| stored.set_micros),
    })
}

async fn set(
    server: Server,
    args: Arguments,
    notice: Notice,
    change: Change,
) -> Result<Value, AdminError> {
    let text = args.text(TEXT.name)?;
    session_commands::can_be_said(text)?;
    let domain = domain(&server, &args)?;
    let stored = super::set(&server, &domain, notice, text, change).await?;
    let Some(stored) = stored else {
        let text = format!("there is no {} to correct", notice.name());
        return Err(AdminError::Absent(text));
    };
    if notice == Notice::Motd {
        super::tell_online(&server, &domain);
    }
    Ok(said(&domain, Some(&stored)))
}

/// Since when there is a welcome says who is a new account, whatever it says: another text is a correction.
async fn set_welcome(server: Server, args: Arguments) -> Result<Value, AdminError> {
    let domain = domain(&server, &args)?;
    let before = super::current(&server, &domain, Notice::Welcome).await?;
    let change = match before {
        Some(_) => Change::Correction,
        None => Change::New,
    };
    set(server, args, Notice::Welcome, change).await
}

async fn show(server: Server, args: Arguments, notice: Notice) -> Result<Value, AdminError> {
    let domain = domain(&server, &args)?;
    let stored = super::current(&server, &domain, notice).await?;
    Ok(said(&domain, stored.as_ref()))
}

async fn clear(server: Server, args: Arguments, notice: Notice) -> Result<Value, AdminError> {
    let domain = domain(&server, &args)?;
    let cleared = super::clear(&server, &domain, notice).await?;
    Ok(json!({ "domain": domain, "cleared": cleared }))
}
