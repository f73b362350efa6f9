//! The admin commands `api-token …`. They are run on the machine alone: a token that somebody stole makes no others.

use std::collections::BTreeSet;

use futures_util::FutureExt;
use serde_json::{Value, json};
use waxwing_stanza::BareJid;
use waxwing_store::{Batch, Owner, StoreError};

use super::{BEGINNING, ID_BYTES, SECRET_BYTES, StoredToken, TOKENS, TOKENS_MAX, all, hash_of};
use crate::admin::{
    Access, AdminError, Argument, Arguments, Command, Kind, Member, Shape, member, optional,
    required, secs,
};
use crate::server::Server;

/// Most bytes of a name.
const NAME_BYTES_MAX: usize = 64;
/// Longest time that a token is good, where it has an end.
const SECS_MAX: u64 = 10 * 366 * 86_400;

const NAME: Argument = required(
    "name",
    Kind::Text {
        bytes_max: NAME_BYTES_MAX,
    },
    "What it is called: letters, digits, dots, hyphens and underscores.",
);
const SCOPES: Argument = required(
    "scopes",
    Kind::Texts {
        count_max: 100,
        bytes_max: 64,
    },
    "What it is good for.",
);
const DOMAIN: Argument = optional(
    "domain",
    Kind::Domain,
    "The domain that it is for; the whole server, otherwise.",
);
const EXPIRES: Argument = optional(
    "expires",
    Kind::Time,
    "How long it is good; until it is revoked, otherwise.",
);

const NAME_SHOWN: Member = member("name", Shape::Text, "What it is called.");
const SCOPES_SHOWN: Member = member("scopes", Shape::Texts, "What it is good for.");
const DOMAIN_SHOWN: Member = member(
    "domain",
    Shape::Maybe(&Shape::Text),
    "The domain that it is for.",
);
const CREATED: Member = member(
    "created_micros",
    Shape::Number,
    "When it was made, in microseconds since 1970.",
);
const EXPIRES_SHOWN: Member = member(
    "expires_micros",
    Shape::Maybe(&Shape::Number),
    "Until when it is good.",
);
const USED: Member = member(
    "used_micros",
    Shape::Maybe(&Shape::Number),
    "When it was last used, to the minute.",
);
const IS_OVER: Member = member("expired", Shape::Flag, "Whether its time is over.");

const LISTED: &[Member] = &[
    NAME_SHOWN,
    SCOPES_SHOWN,
    DOMAIN_SHOWN,
    CREATED,
    EXPIRES_SHOWN,
    USED,
    IS_OVER,
];

/// The commands.
pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "api-token create",
        doc: "Makes a token for the HTTP API, which is shown this once.",
        access: Access::Machine,
        arguments: &[NAME, SCOPES, DOMAIN, EXPIRES],
        answer: &[
            NAME_SHOWN,
            SCOPES_SHOWN,
            DOMAIN_SHOWN,
            CREATED,
            EXPIRES_SHOWN,
            USED,
            IS_OVER,
            member("token", Shape::Text, "The token."),
        ],
        run: |s, a| create(s, a).boxed(),
    },
    Command {
        name: "api-token list",
        doc: "Lists the tokens of the HTTP API; none of them can be used by what is shown.",
        access: Access::Machine,
        arguments: &[],
        answer: &[member("tokens", Shape::List(LISTED), "The tokens.")],
        run: |s, _| list(s).boxed(),
    },
    Command {
        name: "api-token revoke",
        doc: "Has a token be worth nothing from now on.",
        access: Access::Machine,
        arguments: &[NAME],
        answer: &[NAME_SHOWN],
        run: |s, a| revoke(s, a).boxed(),
    },
];

/// It stands in the log, so it is one word.
fn name(args: &Arguments) -> Result<String, AdminError> {
    let name = args.text("name")?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_plain) {
        let text = "a token's name has letters, digits, dots, hyphens and underscores";
        return Err(AdminError::argument("name", text));
    }
    Ok(name.to_owned())
}

fn scopes(server: &Server, args: &Arguments) -> Result<BTreeSet<String>, AdminError> {
    let wanted = args.texts("scopes").into_iter().map(str::to_owned);
    let wanted: BTreeSet<String> = wanted.collect();
    match super::unknown(server, &wanted) {
        None => Ok(wanted),
        Some(unknown) => {
            let known: Vec<_> = server.registry().scopes().into_iter().collect();
            let known = known.join(", ");
            let text =
                format!("'{unknown}' is nothing that a token is good for; there are {known}");
            Err(AdminError::argument("scopes", text))
        }
    }
}

fn domain(server: &Server, args: &Arguments) -> Result<Option<String>, AdminError> {
    let Some(text) = args.optional("domain") else {
        return Ok(None);
    };
    let jid = text.parse::<BareJid>().ok();
    let jid = jid.filter(|jid| jid.node().is_none() && server.serves(jid.domain()));
    let jid = jid.ok_or_else(|| {
        let served = server.domains().join(", ");
        let text = format!("this server does not serve '{text}'; it serves: {served}");
        AdminError::argument("domain", text)
    })?;
    Ok(Some(jid.domain().to_owned()))
}

fn expires_micros(now: u64, args: &Arguments) -> Result<u64, AdminError> {
    let Some(text) = args.optional("expires") else {
        return Ok(0);
    };
    let secs = secs(text).filter(|secs| (1..=SECS_MAX).contains(secs));
    let secs = secs.ok_or_else(|| {
        let text = format!("'{text}' is no time from a second to ten years");
        AdminError::argument("expires", text)
    })?;
    Ok(now.saturating_add(secs * 1_000_000))
}

async fn create(server: Server, args: Arguments) -> Result<Value, AdminError> {
    let now = server.now_micros();
    let (id, secret) = (
        server.outside().token::<ID_BYTES>(),
        server.outside().token::<SECRET_BYTES>(),
    );
    let stored = StoredToken {
        name: name(&args)?,
        scopes: scopes(&server, &args)?.into_iter().collect(),
        domain: domain(&server, &args)?,
        hash: hash_of(&id, &secret).to_vec(),
        created_micros: now,
        expires_micros: expires_micros(now, &args)?,
        used_micros: 0,
    };
    if all(&server).await?.len() >= TOKENS_MAX {
        let text = format!("there are {TOKENS_MAX} tokens; some have to be revoked first");
        return Err(AdminError::Refused(text));
    }
    let owner = Owner::server();
    let mut batch = Batch::new();
    batch.require_absent(&TOKENS, &owner, &id);
    batch.put(&TOKENS, &owner, &id, &stored);
    match server.store().commit(batch).await {
        Ok(_) => {}
        Err(StoreError::Taken { .. }) => {
            let text = format!("there is a token '{}' already", stored.name);
            return Err(AdminError::Conflict(text));
        }
        Err(error) => return Err(error.into()),
    }
    let mut shown = shown(&stored, now);
    shown["token"] = json!(format!("{BEGINNING}{id}_{secret}"));
    Ok(shown)
}

/// What is shown of a token, by which nobody can use it.
fn shown(token: &StoredToken, now: u64) -> Value {
    let time = |micros: u64| (micros > 0).then_some(micros);
    json!({
        "name": token.name,
        "scopes": token.scopes,
        "domain": token.domain,
        "created_micros": token.created_micros,
        "expires_micros": time(token.expires_micros),
        "used_micros": time(token.used_micros),
        "expired": token.is_over(now),
    })
}

async fn list(server: Server) -> Result<Value, AdminError> {
    let now = server.now_micros();
    let mut all = all(&server).await?;
    all.sort_by(|(_, one), (_, other)| one.name.cmp(&other.name));
    let all: Vec<Value> = all.iter().map(|(_, token)| shown(token, now)).collect();
    Ok(json!({ "tokens": all }))
}

async fn revoke(server: Server, args: Arguments) -> Result<Value, AdminError> {
    let name = args.text("name")?;
    let all = all(&server).await?;
    let Some((id, _)) = all.iter().find(|(_, token)| token.name == name) else {
        return Err(AdminError::Absent(format!("there is no token '{name}'")));
    };
    let mut batch = Batch::new();
    batch.delete(&TOKENS, &Owner::server(), id);
    server.store().commit(batch).await?;
    Ok(json!({ "name": name }))
}
