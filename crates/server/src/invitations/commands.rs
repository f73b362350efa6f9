//! The admin commands `invite …`.

use futures_util::FutureExt;
use serde_json::{Value, json};
use waxwing_stanza::BareJid;
use waxwing_store::limits::ROWS_MAX;
use waxwing_store::{Batch, KeyRange};

use crate::accounts::Role;
use crate::admin::{AdminError, Argument, Arguments, Command};
use crate::invitations::redeeming::found;
use crate::invitations::stored::BY_ID;
use crate::invitations::{
    CreateError, DAYS, INVITATIONS, Invited, Order, Purpose, create, landing_url, uri,
};
use crate::server::Server;

const DOMAIN: Argument = optional(
    "domain",
    "The domain where it is good; needed where several are served and nothing else says which.",
);
const ACCOUNT: Argument = optional(
    "account",
    "The user part, or the address, of the account that is to be made; without it, any that is free.",
);
const CONTACT: Argument = optional(
    "contact",
    "The account whose contact who is invited becomes.",
);
const RESET: Argument = optional(
    "reset",
    "The account that is to get another password; nothing is made then.",
);
const ROLE: Argument = optional(
    "role",
    "What the new account may do: member (default), restricted, admin or operator.",
);
const USES: Argument = optional("uses", "How often it can be used; once, otherwise.");
const EXPIRES: Argument = optional(
    "expires",
    "How long it is good: a number and s, m, h, d or w, as 24h; otherwise the option invite_days.",
);
const ID: Argument = Argument {
    name: "id",
    doc: "The invitation's id, as `invite list` shows it.",
    required: true,
    secret: false,
};

/// Most uses of one invitation.
const USES_MAX: u32 = 1_000;
/// Longest time that one is good.
const SECS_MAX: u64 = 366 * 86_400;
/// Invitations listed at most by one command.
const LIST_MAX: usize = 10_000;

const fn optional(name: &'static str, doc: &'static str) -> Argument {
    Argument {
        name,
        doc,
        required: false,
        secret: false,
    }
}

/// The commands.
pub(crate) const COMMANDS: &[Command] = &[
    Command {
        name: "invite create",
        doc: "Makes an invitation, or a link by which an account gets another password; its token is shown this once.",
        arguments: &[DOMAIN, ACCOUNT, CONTACT, RESET, ROLE, USES, EXPIRES],
        run: |s, a| make(s, a).boxed(),
    },
    Command {
        name: "invite list",
        doc: "Lists invitations that are good.",
        arguments: &[optional("domain", "Only invitations to this domain.")],
        run: |s, a| list(s, a).boxed(),
    },
    Command {
        name: "invite revoke",
        doc: "Takes an invitation back.",
        arguments: &[ID],
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

/// What was asked for.
fn order(server: &Server, args: &Arguments) -> Result<Order, AdminError> {
    let contact = args.optional("contact").map(|text| address(server, text));
    let contact = contact.transpose()?;
    let reset = args.optional("reset").map(|text| address(server, text));
    let reset = reset.transpose()?;
    if reset.is_some()
        && ["account", "contact", "role", "uses"]
            .iter()
            .any(|name| args.optional(name).is_some())
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
    let uses = uses(args.optional("uses"))?;
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

fn uses(text: Option<&str>) -> Result<u32, AdminError> {
    let text = text.unwrap_or("1");
    let uses = text.parse::<u32>().ok();
    uses.filter(|uses| (1..=USES_MAX).contains(uses))
        .ok_or_else(|| {
            said(format!(
                "'{text}' is no number of uses from 1 to {USES_MAX}"
            ))
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

fn duration_secs(text: &str) -> Option<u64> {
    let unit = text.chars().next_back()?;
    let number = text.strip_suffix(unit)?;
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let unit_secs = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit_secs)
}

fn refused(error: CreateError) -> AdminError {
    match error {
        CreateError::Store(error) => AdminError::of_store(&error),
        error => said(error.to_string()),
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
    let now = server.now_micros();
    let (table, all) = (INVITATIONS.at(now), KeyRange::all());
    let mut listed = Vec::new();
    let mut rows = server.store().find(&table, &BY_ID, &all, ROWS_MAX).await?;
    loop {
        let last = rows.len() == ROWS_MAX;
        let last = if last { rows.pop() } else { None };
        for row in rows.iter().chain(&last) {
            let invitation = &row.value;
            let is_wanted = wanted
                .as_ref()
                .is_none_or(|wanted| *wanted == invitation.domain);
            if invitation.expires_micros > now && is_wanted {
                listed.push(shown(&Invited {
                    owner: row.owner.clone(),
                    id: row.key.clone(),
                    invitation: invitation.clone(),
                }));
            }
        }
        let Some(last) = last.filter(|_| listed.len() < LIST_MAX) else {
            break;
        };
        let more = server
            .store()
            .find_after(&table, &BY_ID, &all, &last, ROWS_MAX);
        rows = more.await?;
    }
    listed.truncate(LIST_MAX);
    Ok(json!({ "invitations": listed }))
}

async fn revoke(server: Server, args: Arguments) -> Result<Value, AdminError> {
    let id = args.text("id")?.to_owned();
    let absent = || said(format!("there is no invitation '{id}'"));
    let Some(invited) = found(&server, &id).await? else {
        return Err(absent());
    };
    // Nobody uses it meanwhile for a place in the owner's roster, which would write it again.
    let about = invited.contact();
    let about: Vec<&BareJid> = about.iter().collect();
    let turn = server.roster_turn(&about).await;
    let mut batch = Batch::new();
    batch.delete(&INVITATIONS.at(0), &invited.owner, &id);
    server.store().commit(batch).await?;
    drop(turn);
    Ok(json!({ "id": id }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (text, secs) in [
            ("30s", Some(30)),
            ("45m", Some(2_700)),
            ("24h", Some(86_400)),
            ("7d", Some(604_800)),
            ("2w", Some(1_209_600)),
            ("", None),
            ("h", None),
            ("24", None),
            ("-1h", None),
            ("1.5h", None),
            ("24H", None),
            ("18446744073709551615w", None),
            ("3\u{b5}", None),
        ] {
            assert_eq!(duration_secs(text), secs, "{text}");
        }
    }
}
