//! The admin commands `invite …`.

use futures_util::FutureExt;
use serde_json::{Value, json};
use waxwing_stanza::BareJid;
use waxwing_store::limits::ROWS_MAX;
use waxwing_store::{Batch, KeyRange, StoreError};

use crate::accounts::Role;
use crate::admin::{
    Access, AdminError, Argument, Arguments, CURSOR, Command, Kind, LIMIT, NEXT, Page, Shape,
    member, optional, required, secs as duration_secs,
};
use crate::invitations::answers::{ID_SHOWN, LISTED, MADE, USED_BY};
use crate::invitations::redeeming::{found, is_backed};
use crate::invitations::stored::{BY_ID, StoredUse, USES, USES_BY_TIME, time_key};
use crate::invitations::{
    CreateError, DAYS, INVITATIONS, Invited, Order, Purpose, StoredInvitation, create, landing_url,
    uri,
};
use crate::server::Server;

const DOMAIN: Argument = optional(
    "domain",
    Kind::Domain,
    "The domain where it is good; needed where several are served and nothing else says which.",
);
const ACCOUNT: Argument = optional(
    "account",
    Kind::Name,
    "The user part, or the address, of the account that is to be made; without it, any that is free.",
);
const CONTACT: Argument = optional(
    "contact",
    Kind::Account,
    "The account whose contact who is invited becomes.",
);
const RESET: Argument = optional(
    "reset",
    Kind::Account,
    "The account that is to get another password; nothing is made then.",
);
const ROLE: Argument = optional(
    "role",
    Kind::Role,
    "What the new account may do; member, otherwise.",
);
const TIMES: Argument = optional(
    "uses",
    Kind::Number {
        min: 1,
        max: USES_MAX,
    },
    "How often it can be used; once, otherwise.",
);
const EXPIRES: Argument = optional(
    "expires",
    Kind::Time,
    "How long it is good, 366 days at most; otherwise the option invite_days.",
);
const OF_DOMAIN: Argument = optional("domain", Kind::Domain, "Only what is of this domain.");
const ID: Argument = required(
    "id",
    Kind::Text { bytes_max: 64 },
    "The invitation's id, as `invite list` shows it.",
);

/// Most uses of one invitation.
const USES_MAX: u64 = 1_000;
/// Longest time that one is good.
const SECS_MAX: u64 = 366 * 86_400;
/// Their kind.
const KIND: &str = "invites";
/// What stands where no account has made it.
const OPERATOR: &str = "operator";
/// Invitations found at most by one command.
const FOUND_MAX: usize = 10_000;

/// The commands.
pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "invite create",
        doc: "Makes an invitation, or a link by which an account gets another password; its token is shown this once.",
        access: Access::Changes(KIND),
        arguments: &[DOMAIN, ACCOUNT, CONTACT, RESET, ROLE, TIMES, EXPIRES],
        answer: MADE,
        run: |s, a| make(s, a).boxed(),
    },
    Command {
        name: "invite list",
        doc: "Lists invitations whose time is not over, by id.",
        access: Access::Reads(KIND),
        arguments: &[OF_DOMAIN, CURSOR, LIMIT],
        answer: &[
            member("invitations", Shape::List(LISTED), "The invitations."),
            NEXT,
        ],
        run: |s, a| list(s, a).boxed(),
    },
    Command {
        name: "invite used",
        doc: "Lists by whom invitations were used within 30 days, the first of them first.",
        access: Access::Reads(KIND),
        arguments: &[OF_DOMAIN, CURSOR, LIMIT],
        answer: &[
            member("used", Shape::List(USED_BY), "Who used which."),
            NEXT,
        ],
        run: |s, a| used(s, a).boxed(),
    },
    Command {
        name: "invite revoke",
        doc: "Takes an invitation back.",
        access: Access::Changes(KIND),
        arguments: &[
            ID,
            optional("domain", Kind::Domain, "Only if it is one to this domain."),
        ],
        answer: &[ID_SHOWN],
        run: |s, a| revoke(s, a).boxed(),
    },
];

async fn make(server: Server, args: Arguments) -> Result<Value, AdminError> {
    let order = order(&server, &args)?;
    let made = create(&server, order).await.map_err(refused)?;
    let invitation = &made.invited.invitation;
    let mut shown = shown(&made.invited);
    shown["token"] = json!(made.token);
    shown["uri"] = json!(uri(invitation, &made.token));
    shown["url"] = json!(landing_url(&server, invitation, &made.token));
    Ok(shown)
}

/// What was asked for, by whoever runs the server.
pub(crate) fn order(server: &Server, args: &Arguments) -> Result<Order, AdminError> {
    let contact = args.optional("contact").map(|text| address(server, text));
    let contact = contact.transpose()?;
    let reset = args.optional("reset").map(|text| address(server, text));
    let reset = reset.transpose()?;
    if reset.is_some()
        && ["account", "contact", "role", "uses"]
            .iter()
            .any(|name| args.has(name))
    {
        return Err(said(
            "a link for another password is for one account, once: it takes no account, contact, role or uses beside reset",
        ));
    }
    let about = reset.as_ref().or(contact.as_ref());
    let domain = domain(server, args, about)?;
    let account = args.optional("account");
    let account = account
        .map(|text| named(server, text, &domain))
        .transpose()?;
    let domain = match &account {
        Some(account) => account.domain().to_owned(),
        None => domain,
    };
    if let Some(about) = about.filter(|about| about.domain() != domain) {
        return Err(said(format!("'{about}' is not of the domain '{domain}'")));
    }
    let uses = args.number("uses").unwrap_or(1);
    let uses = u32::try_from(uses).unwrap_or(1);
    if account.is_some() && uses > 1 {
        return Err(said("an invitation for one account is used once"));
    }
    let purpose = match (&reset, &account, &contact) {
        (Some(_), _, _) => Purpose::Password,
        (None, None, Some(_)) => Purpose::Contact,
        (None, _, _) => Purpose::Account,
    };
    let name = account
        .or(reset)
        .and_then(|jid| Some(jid.node()?.to_owned()));
    Ok(Order {
        purpose,
        name,
        contact,
        role: role(args.optional("role"))?,
        uses,
        secs: secs(server, &domain, args.optional("expires"))?,
        registers: purpose != Purpose::Password,
        creator: None,
        is_members: false,
        domain,
    })
}

fn said(text: impl Into<String>) -> AdminError {
    AdminError::Refused(text.into())
}

/// The address of an account of a domain that is served.
fn address(server: &Server, text: &str) -> Result<BareJid, AdminError> {
    let jid: BareJid = text
        .parse()
        .map_err(|error| said(format!("'{text}' is not an address: {error}")))?;
    if jid.node().is_none() {
        return Err(said(format!(
            "'{text}' has no user part; an address looks like alice@{}",
            jid.domain()
        )));
    }
    served(server, jid.domain())?;
    Ok(jid)
}

fn served(server: &Server, domain: &str) -> Result<(), AdminError> {
    if server.serves(domain) {
        return Ok(());
    }
    let served = server.domains().join(", ");
    Err(said(format!(
        "this server does not serve '{domain}'; it serves: {served}"
    )))
}

/// An account by its address, or by its user part alone.
fn named(server: &Server, text: &str, domain: &str) -> Result<BareJid, AdminError> {
    if text.contains('@') {
        return address(server, text);
    }
    let jid = BareJid::from_parts(Some(text), domain);
    let jid = jid.map_err(|error| said(format!("'{text}' is no user name: {error}")))?;
    match jid.node() {
        Some(_) => Ok(jid),
        None => Err(said("a user name has one letter at least")),
    }
}

/// The domain that is meant.
fn domain(
    server: &Server,
    args: &Arguments,
    about: Option<&BareJid>,
) -> Result<String, AdminError> {
    if let Some(text) = args.optional("domain") {
        let jid: Result<BareJid, _> = text.parse();
        let domain = jid.map_or_else(|_| text.to_owned(), |jid| jid.domain().to_owned());
        served(server, &domain)?;
        return Ok(domain);
    }
    if let Some(about) = about {
        return Ok(about.domain().to_owned());
    }
    let is_address = args
        .optional("account")
        .is_some_and(|text| text.contains('@'));
    match server.domains() {
        [domain] => Ok(domain.clone()),
        // The account says which.
        [domain, ..] if is_address => Ok(domain.clone()),
        domains => Err(said(format!(
            "several domains are served; say which: {}",
            domains.join(", ")
        ))),
    }
}

fn role(name: Option<&str>) -> Result<Role, AdminError> {
    let name = name.unwrap_or("member");
    Role::named(name).ok_or_else(|| {
        let known: Vec<_> = Role::NAMES.iter().map(|(name, _)| *name).collect();
        let known = known.join(", ");
        said(format!("'{name}' is no role; roles are {known}"))
    })
}

/// A time as people write it, in seconds.
fn secs(server: &Server, domain: &str, text: Option<&str>) -> Result<u64, AdminError> {
    let Some(text) = text else {
        return Ok(server.options_of(domain).number(&DAYS) * 86_400);
    };
    let secs = duration_secs(text).filter(|secs| (1..=SECS_MAX).contains(secs));
    secs.ok_or_else(|| {
        said(format!(
            "'{text}' is no time such as 45m, 24h, 7d or 2w, of 366 days at most"
        ))
    })
}

fn refused(error: CreateError) -> AdminError {
    match error {
        CreateError::Store(error) => AdminError::of_store(&error),
        error @ (CreateError::Exists | CreateError::Removed | CreateError::Reserved(_)) => {
            AdminError::Conflict(error.to_string())
        }
        error @ CreateError::NoAccount => AdminError::Absent(error.to_string()),
        error @ CreateError::NotGiven => AdminError::Forbidden(error.to_string()),
        error @ (CreateError::Name | CreateError::TooMany | CreateError::Enough(_)) => {
            said(error.to_string())
        }
    }
}

/// What is shown of an invitation, by which nobody can use it.
fn shown(invited: &Invited) -> Value {
    let invitation = &invited.invitation;
    json!({
        "id": invited.id(),
        "purpose": invitation.purpose().name(),
        "domain": invitation.domain,
        "account": invitation.account().map(|jid| jid.to_string()),
        "contact": invitation.contact,
        "creator": invitation.creator.as_deref().unwrap_or(OPERATOR),
        "role": invitation.role().name(),
        "registers": invitation.registers,
        "uses": invitation.uses,
        "used": invitation.used,
        "created_micros": invitation.created_micros,
        "expires_micros": invitation.expires_micros,
    })
}

async fn list(server: Server, args: Arguments) -> Result<Value, AdminError> {
    let wanted = match args.optional("domain") {
        Some(_) => Some(domain(&server, &args, None)?),
        None => None,
    };
    let page = Page::of(&args);
    let now = server.now_micros();
    let table = INVITATIONS.at(now);
    let mut listed = Vec::new();
    let mut after = page.after.clone();
    while !page.is_over(listed.len()) {
        let range = match &after {
            Some(after) => KeyRange::all().after(after),
            None => KeyRange::all(),
        };
        let rows = server.store().find(&table, &BY_ID, &range, ROWS_MAX);
        let rows = rows.await?;
        let Some(last) = rows.last().map(|row| row.key.clone()) else {
            break;
        };
        for row in rows {
            let invitation = &row.value;
            let is_wanted = wanted
                .as_ref()
                .is_none_or(|wanted| *wanted == invitation.domain);
            if invitation.expires_micros > now && is_wanted && !page.is_over(listed.len()) {
                let invited = Invited {
                    owner: row.owner,
                    id: row.key.clone(),
                    invitation: row.value,
                };
                let mut shown = shown(&invited);
                shown["good"] = json!(is_backed(&server, &invited).await?);
                listed.push((row.key, shown));
            }
        }
        after = Some(last);
    }
    Ok(page.answer("invitations", listed))
}

/// By whom invitations were used within 30 days, the first of them first.
async fn used(server: Server, args: Arguments) -> Result<Value, AdminError> {
    let wanted = match args.optional("domain") {
        Some(_) => Some(domain(&server, &args, None)?),
        None => None,
    };
    let page = Page::of(&args);
    let table = USES.at(server.now_micros());
    let mut listed = Vec::new();
    let mut after = page.after.clone();
    while !page.is_over(listed.len()) {
        let range = match &after {
            Some(after) => KeyRange::all().after(after),
            None => KeyRange::all(),
        };
        let rows = server.store().find(&table, &USES_BY_TIME, &range, ROWS_MAX);
        let rows = rows.await?;
        let Some(last) = rows.last().map(|row| time_key(&row.value)) else {
            break;
        };
        let rows = rows.into_iter().map(|row| row.value);
        let rows = rows.filter(|used| wanted.as_ref().is_none_or(|wanted| used.is_of(wanted)));
        listed.extend(rows.map(|used| (time_key(&used), shown_use(&used))));
        after = Some(last);
    }
    Ok(page.answer("used", listed))
}

fn shown_use(used: &StoredUse) -> Value {
    json!({
        "id": used.id,
        "account": used.account,
        "purpose": used.purpose().name(),
        "creator": used.creator.as_deref().unwrap_or(OPERATOR),
        "at_micros": used.at_micros,
    })
}

/// Invitations whose time is not over, so many.
pub(crate) async fn open(
    server: &Server,
    is_wanted: impl Fn(&StoredInvitation) -> bool,
) -> Result<Vec<Invited>, StoreError> {
    let now = server.now_micros();
    let (table, all) = (INVITATIONS.at(now), KeyRange::all());
    let mut found = Vec::new();
    let mut rows = server.store().find(&table, &BY_ID, &all, ROWS_MAX).await?;
    loop {
        let last = rows.len() == ROWS_MAX;
        let last = if last { rows.pop() } else { None };
        for row in rows.iter().chain(&last) {
            if row.value.expires_micros > now && is_wanted(&row.value) {
                found.push(Invited {
                    owner: row.owner.clone(),
                    id: row.key.clone(),
                    invitation: row.value.clone(),
                });
            }
        }
        let Some(last) = last.filter(|_| found.len() < FOUND_MAX) else {
            break;
        };
        let more = server
            .store()
            .find_after(&table, &BY_ID, &all, &last, ROWS_MAX);
        rows = more.await?;
    }
    found.truncate(FOUND_MAX);
    Ok(found)
}

async fn revoke(server: Server, args: Arguments) -> Result<Value, AdminError> {
    let id = args.text("id")?.to_owned();
    let absent = || AdminError::Absent(format!("there is no invitation '{id}'"));
    let wanted = match args.optional("domain") {
        Some(_) => Some(domain(&server, &args, None)?),
        None => None,
    };
    let found = found(&server, &id).await?;
    let is_wanted = |found: &Invited| wanted.is_none_or(|wanted| wanted == found.invitation.domain);
    let Some(invited) = found.filter(is_wanted) else {
        return Err(absent());
    };
    take_back(&server, &invited).await?;
    Ok(json!({ "id": id }))
}

/// Takes an invitation back. Nobody uses it meanwhile for a place in the owner's roster, which would write it again.
pub(crate) async fn take_back(server: &Server, invited: &Invited) -> Result<(), StoreError> {
    let about = invited.contact();
    let about: Vec<&BareJid> = about.iter().collect();
    let turn = server.roster_turn(&about).await;
    let mut batch = Batch::new();
    batch.delete(&INVITATIONS.at(0), &invited.owner, &invited.id);
    server.store().commit(batch).await?;
    drop(turn);
    Ok(())
}
