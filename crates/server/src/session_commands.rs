//! The admin commands about who is here: `session …`, `announce` and `status`. XEP-0133 has them as forms.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::FutureExt;
use serde_json::{Value, json};
use waxwing_stanza::{BareJid, Jid};
use waxwing_stream::StreamCondition;
use waxwing_wire::{Element, ns};

use crate::accounts::{self, StoredAccount};
use crate::admin::{
    Access, AdminError, Arguments, CURSOR, Command, Kind, LIMIT, Member, NEXT, Page, Shape, member,
    optional, required,
};
use crate::effects::Effects;
use crate::lifecycle;
use crate::server::Server;
use crate::session::Session;

/// Most accounts that are looked at to be counted or listed.
const LOOKED_AT_MAX: usize = 1_000_000;
/// Longest announcement.
pub(crate) const ANNOUNCEMENT_BYTES_MAX: usize = 16 * 1024;

const SESSIONS: &[Member] = &[
    member("jid", Shape::Text, "The session's full address."),
    member(
        "priority",
        Shape::Maybe(&Shape::Number),
        "Its priority; null while it is not available.",
    ),
];

/// The commands.
pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "session list",
        doc: "Lists sessions, by address; those that wait to be resumed too.",
        access: Access::Reads("sessions"),
        arguments: &[
            optional("jid", Kind::Account, "Only those of this account."),
            optional("domain", Kind::Domain, "Only those of this domain."),
            CURSOR,
            LIMIT,
        ],
        answer: &[
            member("sessions", Shape::List(SESSIONS), "The sessions."),
            NEXT,
        ],
        run: |s, a| async move { list(&s, &a) }.boxed(),
    },
    Command {
        name: "session end",
        doc: "Ends all sessions of an account, or the one of a full address; they can log in again.",
        access: Access::Changes("sessions"),
        arguments: &[required(
            "jid",
            Kind::Address,
            "The account's address, or that of one session of it.",
        )],
        answer: &[member("ended", Shape::Number, "How many sessions ended.")],
        run: |s, a| async move { end(&s, &a) }.boxed(),
    },
    Command {
        name: "announce",
        doc: "Sends a message to everybody who is online; it is stored for nobody.",
        access: Access::Changes("announcements"),
        arguments: &[
            required(
                "text",
                Kind::Text {
                    bytes_max: ANNOUNCEMENT_BYTES_MAX,
                },
                "What is said.",
            ),
            optional("domain", Kind::Domain, "Only to people of this domain."),
        ],
        answer: &[member(
            "sessions",
            Shape::Number,
            "To how many sessions it went.",
        )],
        run: |s, a| announce(s, a).boxed(),
    },
    Command {
        name: "status",
        doc: "Counts accounts, and who of them is here.",
        access: Access::Reads("status"),
        arguments: &[optional(
            "domain",
            Kind::Domain,
            "Only those of this domain.",
        )],
        answer: &[
            member("accounts", Shape::Number, "Accounts."),
            member(
                "disabled",
                Shape::Number,
                "Those of them that may not log in.",
            ),
            member("online", Shape::Number, "Accounts that have a session."),
            member("sessions", Shape::Number, "Sessions."),
            member("uptime_secs", Shape::Number, "Seconds since the start."),
        ],
        run: |s, a| status(s, a).boxed(),
    },
];

/// Sessions of a domain, or all.
fn sessions_of(server: &Server, domain: Option<&str>) -> Vec<Arc<Session>> {
    let sessions = server.directory().sessions().into_iter();
    let of_domain =
        sessions.filter(|session| domain.is_none_or(|domain| session.jid.domain() == domain));
    of_domain.collect()
}

/// The domain that was given, if it is served.
pub(crate) fn domain(server: &Server, args: &Arguments) -> Result<Option<String>, AdminError> {
    let Some(text) = args.optional("domain") else {
        return Ok(None);
    };
    let jid = text.parse::<BareJid>().ok();
    let jid = jid.filter(|jid| jid.node().is_none() && server.serves(jid.domain()));
    let served = || {
        let served = server.domains().join(", ");
        let text = format!("this server does not serve '{text}'; it serves: {served}");
        AdminError::argument("domain", text)
    };
    let jid = jid.ok_or_else(served)?;
    Ok(Some(jid.domain().to_owned()))
}

fn address(args: &Arguments) -> Result<Option<Jid>, AdminError> {
    let Some(text) = args.optional("jid") else {
        return Ok(None);
    };
    let jid = text.parse::<Jid>().ok().filter(|jid| jid.node().is_some());
    let jid = jid
        .ok_or_else(|| AdminError::argument("jid", format!("'{text}' is no account's address")))?;
    Ok(Some(jid))
}

fn list(server: &Server, args: &Arguments) -> Result<Value, AdminError> {
    let page = Page::of(args);
    let domain = domain(server, args)?;
    let account = address(args)?.map(|jid| jid.bare());
    let mut listed = Vec::new();
    for session in sessions_of(server, domain.as_deref()) {
        let key = session.jid.to_string();
        let is_wanted = account
            .as_ref()
            .is_none_or(|account| session.jid.bare() == *account);
        if is_wanted && page.is_after(&key) {
            let entry = json!({ "jid": key, "priority": session.priority() });
            listed.push((key, entry));
        }
    }
    listed.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(page.answer("sessions", listed))
}

/// The sessions of an account, or the one that is named.
pub(crate) fn named(server: &Server, jid: &Jid) -> Vec<Arc<Session>> {
    let account = server.directory().known(&jid.bare());
    let sessions = account.map(|account| account.sessions());
    let named = sessions.into_iter().flatten().filter(|session| {
        jid.resource()
            .is_none_or(|resource| session.jid.resource() == resource)
    });
    named.collect()
}

fn end(server: &Server, args: &Arguments) -> Result<Value, AdminError> {
    let Some(jid) = address(args)? else {
        return Err(AdminError::argument("jid", "an address is needed"));
    };
    let ended = named(server, &jid);
    for session in &ended {
        lifecycle::dismiss(server, session, StreamCondition::Reset);
    }
    Ok(json!({ "ended": ended.len() }))
}

/// Tells everybody of a domain, or all, who is available; how many sessions are told.
pub(crate) fn tell(
    server: &Server,
    domain: Option<&str>,
    text: &str,
    effects: &mut Effects,
) -> usize {
    let mut told = 0;
    for session in sessions_of(server, domain) {
        if session.priority().is_none() {
            continue;
        }
        let message = Element::new(ns::CLIENT, "message")
            .with_attr("from", session.jid.domain())
            .with_attr("to", session.jid.to_string())
            .with_child(Element::new(ns::CLIENT, "body").with_text(text));
        effects.deliver(&session, message.to_bytes(ns::CLIENT));
        told += 1;
    }
    told
}

/// Whether a message can have this character (XML 1.0 §2.2).
fn is_of_xml(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)
}

/// Refuses a text that no message can say.
pub(crate) fn can_be_said(text: &str) -> Result<(), AdminError> {
    let wrong = if text.trim().is_empty() {
        "the text is empty"
    } else if !text.chars().all(is_of_xml) {
        "the text has characters that no message can have"
    } else {
        return Ok(());
    };
    Err(AdminError::argument("text", wrong))
}

async fn announce(server: Server, args: Arguments) -> Result<Value, AdminError> {
    let text = args.text("text")?;
    can_be_said(text)?;
    let domain = domain(&server, &args)?;
    let mut effects = Effects::none();
    let told = tell(&server, domain.as_deref(), text, &mut effects);
    server.carry_out(effects).await?;
    Ok(json!({ "sessions": told }))
}

/// Accounts of a domain, or all, by address.
pub(crate) async fn registered(
    server: &Server,
    domain: Option<&str>,
) -> Result<Vec<(BareJid, StoredAccount)>, waxwing_store::StoreError> {
    let mut all = accounts::all(server.store(), LOOKED_AT_MAX).await?;
    all.retain(|(jid, _)| domain.is_none_or(|domain| jid.domain() == domain));
    Ok(all)
}

/// Accounts of a domain, or all, that have a session.
pub(crate) fn online(server: &Server, domain: Option<&str>) -> BTreeSet<BareJid> {
    let sessions = sessions_of(server, domain).into_iter();
    sessions.map(|session| session.jid.bare()).collect()
}

/// Those of them at whose client somebody looks, as far as is known (XEP-0352); or those where nobody does.
pub(crate) fn looked_at(server: &Server, domain: &str, is_looked_at: bool) -> BTreeSet<BareJid> {
    let awake = sessions_of(server, Some(domain)).into_iter();
    let awake = awake.filter(|session| session.is_awake());
    let awake: BTreeSet<BareJid> = awake.map(|session| session.jid.bare()).collect();
    match is_looked_at {
        true => awake,
        false => &online(server, Some(domain)) - &awake,
    }
}

async fn status(server: Server, args: Arguments) -> Result<Value, AdminError> {
    let domain = domain(&server, &args)?;
    let domain = domain.as_deref();
    let all = registered(&server, domain).await?;
    let disabled = all.iter().filter(|(_, account)| account.disabled).count();
    let uptime = server.steady_micros() - server.started_micros();
    Ok(json!({
        "accounts": all.len(),
        "disabled": disabled,
        "online": online(&server, domain).len(),
        "sessions": sessions_of(&server, domain).len(),
        "uptime_secs": uptime / 1_000_000,
    }))
}
