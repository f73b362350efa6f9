//! The admin commands `account …`.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use waxwing_stanza::BareJid;
use waxwing_stanza::xep::rfc6121_roster::Subscription;
use waxwing_store::Owner;
use waxwing_stream::StreamCondition;

use crate::accounts::{self, ACCOUNTS, Role, StoredAccount};
use crate::admin::{
    Access, AdminError, Argument, Arguments, CURSOR, Command, Kind, LIMIT, Member, NEXT,
    PASSWORD_BYTES_MAX, Page, Shape, member, optional, required,
};
use crate::blocking::BlockList;
use crate::logins;
use crate::roster;
use crate::server::Server;
use crate::xep::xep_0012_last as last;
use crate::xep::xep_0077_registration as registration;

const JID: Argument = required("jid", Kind::Account, "The account's address, user@domain.");
const PASSWORD: Argument = required(
    "password",
    Kind::Text {
        bytes_max: PASSWORD_BYTES_MAX,
    },
    "The new password.",
)
.secret();
const ROLE: Argument = optional("role", Kind::Role, "What it may do; member, otherwise.");
const NEW_ROLE: Argument = required("role", Kind::Role, "What it may do from now on.");
const DOMAIN: Argument = optional("domain", Kind::Domain, "Only accounts of this domain.");
const DISABLED: Argument = optional(
    "disabled",
    Kind::Flag,
    "Only accounts that may not log in, or only those that may.",
);
const REUSE: Argument = optional(
    "reuse",
    Kind::Flag,
    "Even if the name belonged to an account that was removed, whose contacts may take this for it.",
);

const OWN_JID: Member = member("jid", Shape::Text, "The account's address.");
const OWN_ROLE: Member = member("role", Shape::Text, "What it may do.");
const IS_DISABLED: Member = member("disabled", Shape::Flag, "Whether it may not log in.");

const CREATED: Member = member(
    "created_micros",
    Shape::Number,
    "When it was made, in microseconds since 1970.",
);

const LISTED: &[Member] = &[OWN_JID, OWN_ROLE, IS_DISABLED, CREATED];

const SHOWN: &[Member] = &[
    OWN_JID,
    OWN_ROLE,
    IS_DISABLED,
    CREATED,
    member(
        "login_micros",
        Shape::Maybe(&Shape::Number),
        "When it was last logged into, in microseconds since 1970; null where no log-in is noted.",
    ),
    member(
        "left_micros",
        Shape::Maybe(&Shape::Number),
        "When it was last left, in microseconds since 1970; null while it is online, and if it never was.",
    ),
    member(
        "resources",
        Shape::Texts,
        "The resources of its sessions, those that wait to be resumed too.",
    ),
    member("contacts", Shape::Number, "Contacts in its roster."),
];

const CONTACT: &[Member] = &[
    member("jid", Shape::Text, "The contact's address."),
    member(
        "name",
        Shape::Maybe(&Shape::Text),
        "What the account's owner calls them.",
    ),
    member(
        "subscription",
        Shape::Text,
        "Who sees whose presence: both, none, or only the account that of the contact (to) or the other way (from).",
    ),
    member(
        "asked",
        Shape::Flag,
        "Whether the account has asked to see the contact's presence, and has no answer.",
    ),
    member("groups", Shape::Texts, "The groups that they are in."),
];

/// Owners that are read at a time.
const OWNERS: usize = 500;

/// Their kind.
const ACCOUNTS_KIND: &str = "accounts";

/// The commands.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "account add",
        doc: "Makes an account.",
        access: Access::Changes(ACCOUNTS_KIND),
        arguments: &[JID, PASSWORD, ROLE, REUSE],
        answer: &[OWN_JID, OWN_ROLE],
        run: |s, a| add(s, a).boxed(),
    },
    Command {
        name: "account remove",
        doc: "Removes an account with everything it stores, and ends its sessions.",
        access: Access::Changes(ACCOUNTS_KIND),
        arguments: &[JID],
        answer: &[OWN_JID],
        run: |s, a| remove(s, a).boxed(),
    },
    Command {
        name: "account passwd",
        doc: "Sets an account's password and ends its sessions.",
        access: Access::Changes(ACCOUNTS_KIND),
        arguments: &[JID, PASSWORD],
        answer: &[OWN_JID],
        run: |s, a| passwd(s, a).boxed(),
    },
    Command {
        name: "account set-role",
        doc: "Sets what an account may do, for the sessions that it has too.",
        access: Access::Changes(ACCOUNTS_KIND),
        arguments: &[JID, NEW_ROLE],
        answer: &[OWN_JID, OWN_ROLE],
        run: |s, a| set_role(s, a).boxed(),
    },
    Command {
        name: "account list",
        doc: "Lists accounts, by address.",
        access: Access::Reads(ACCOUNTS_KIND),
        arguments: &[DOMAIN, DISABLED, CURSOR, LIMIT],
        answer: &[
            member("accounts", Shape::List(LISTED), "The accounts."),
            NEXT,
        ],
        run: |s, a| list(s, a).boxed(),
    },
    Command {
        name: "account show",
        doc: "Shows one account: what it may do, where it is online, and since when it is not.",
        access: Access::Reads(ACCOUNTS_KIND),
        arguments: &[JID],
        answer: SHOWN,
        run: |s, a| show(s, a).boxed(),
    },
    Command {
        name: "account roster",
        doc: "Lists an account's contacts, by address.",
        access: Access::Reads(ACCOUNTS_KIND),
        arguments: &[JID, CURSOR, LIMIT],
        answer: &[
            member("contacts", Shape::List(CONTACT), "The contacts."),
            NEXT,
        ],
        run: |s, a| contacts(s, a).boxed(),
    },
    Command {
        name: "account disable",
        doc: "Forbids log-in and ends the account's sessions; nothing is removed.",
        access: Access::Changes(ACCOUNTS_KIND),
        arguments: &[JID],
        answer: &[OWN_JID, IS_DISABLED],
        run: |s, a| switch(s, a, true),
    },
    Command {
        name: "account enable",
        doc: "Allows log-in again.",
        access: Access::Changes(ACCOUNTS_KIND),
        arguments: &[JID],
        answer: &[OWN_JID, IS_DISABLED],
        run: |s, a| switch(s, a, false),
    },
];

/// Reads and checks the account's address.
fn address(server: &Server, args: &Arguments) -> Result<BareJid, AdminError> {
    let text = args.text("jid")?;
    let jid: BareJid = text
        .parse()
        .map_err(|error| wrong(format!("'{text}' is not an address: {error}")))?;
    if jid.node().is_none() {
        return Err(wrong(format!(
            "'{text}' has no user part; an address looks like alice@{}",
            server
                .domains()
                .first()
                .map_or("example.org", |domain| domain.as_str())
        )));
    }
    if !server.serves(jid.domain()) {
        return Err(not_served(server, jid.domain()));
    }
    Ok(jid)
}

fn wrong(text: String) -> AdminError {
    AdminError::argument(JID.name, text)
}

fn not_served(server: &Server, domain: &str) -> AdminError {
    let served = server.domains().join(", ");
    AdminError::Refused(format!(
        "this server does not serve '{domain}'; it serves: {served}"
    ))
}

async fn existing(server: &Server, jid: &BareJid) -> Result<StoredAccount, AdminError> {
    accounts::load(server.store(), jid)
        .await?
        .ok_or_else(|| absent(jid))
}

fn absent(jid: &BareJid) -> AdminError {
    AdminError::Absent(format!("there is no account '{jid}'"))
}

fn role(name: &str) -> Result<Role, AdminError> {
    Role::named(name).ok_or_else(|| {
        let known: Vec<_> = Role::NAMES.iter().map(|(name, _)| *name).collect();
        let known = known.join(", ");
        AdminError::Refused(format!("'{name}' is no role; roles are {known}"))
    })
}

async fn add(server: Server, args: Arguments) -> Result<Value, AdminError> {
    let jid = address(&server, &args)?;
    let role = role(args.optional("role").unwrap_or("member"))?;
    let reuse = args.flag("reuse");
    match accounts::create(&server, &jid, args.text("password")?, role, reuse).await {
        Ok(()) => Ok(json!({ "jid": jid.to_string(), "role": role.name() })),
        Err(error) => Err(refused(&jid, &error)),
    }
}

/// What an operator reads when an account cannot be made or changed.
fn refused(jid: &BareJid, error: &accounts::AccountError) -> AdminError {
    use accounts::AccountError;
    match error {
        AccountError::Exists => AdminError::Conflict(format!("the account '{jid}' exists already")),
        AccountError::Removed => AdminError::Conflict(format!(
            "'{jid}' belonged to an account that was removed; its contacts may take a new one for the old. --reuse makes it all the same"
        )),
        AccountError::Name => AdminError::Refused(format!(
            "'{jid}' cannot be an account: newer software would read the name differently (RFC 7622 §3.3)"
        )),
        AccountError::Password(reason) => {
            AdminError::Refused(format!("this password cannot be used: {reason} (RFC 4013)"))
        }
        AccountError::Kept | AccountError::Short(_) => AdminError::Refused(error.to_string()),
        AccountError::Store(error) => AdminError::of_store(error),
        AccountError::Stopped => AdminError::Failed("the server is stopping".to_owned()),
    }
}

pub(crate) fn end_sessions(server: &Server, jid: &BareJid) {
    for session in server.directory().forget(jid) {
        session.kick(StreamCondition::NotAuthorized.into());
        crate::lifecycle::end(server, &session);
    }
    server.end_bytestreams(jid);
}

async fn remove(server: Server, args: Arguments) -> Result<Value, AdminError> {
    let jid = address(&server, &args)?;
    let stored = existing(&server, &jid).await?;
    let account = server.directory();
    let account = account.note(&jid, stored.role(), BlockList::default(), None);
    let effects = registration::removal(&server, &account)
        .await
        .map_err(|error| {
            AdminError::Failed(format!("its roster was not read: {:?}", error.condition))
        })?;
    let commit = server.commit_removal(&account, effects.batch);
    drop(effects.exclusive);
    if let Err(error) = commit.await {
        account.set_removed(false);
        return Err(error.into());
    }
    for after in effects.after {
        after.run(&server);
    }
    Ok(json!({ "jid": jid.to_string() }))
}

async fn passwd(server: Server, args: Arguments) -> Result<Value, AdminError> {
    let jid = address(&server, &args)?;
    existing(&server, &jid).await?;
    accounts::set_password(&server, &jid, args.text("password")?)
        .await
        .map_err(|error| refused(&jid, &error))?;
    end_sessions(&server, &jid);
    Ok(json!({ "jid": jid.to_string() }))
}

/// What is stored counts for sessions to come, what is in memory for those that are there; it is held meanwhile, so that
/// no other is made from what was stored before.
async fn set_role(server: Server, args: Arguments) -> Result<Value, AdminError> {
    let jid = address(&server, &args)?;
    let role = role(args.text("role")?)?;
    let account = server.account(&jid).await.map_err(|error| {
        AdminError::Failed(format!("the account was not read: {:?}", error.condition))
    })?;
    if account.as_ref().is_some_and(|account| account.is_guest()) {
        return Err(AdminError::Refused(format!("'{jid}' is a guest")));
    }
    change(&server, &jid, |account| account.role = role.into()).await?;
    if let Some(account) = account.or_else(|| server.directory().known(&jid)) {
        account.set_role(role);
    }
    if role == Role::Restricted {
        server.end_bytestreams(&jid);
    }
    Ok(json!({ "jid": jid.to_string(), "role": role.name() }))
}

async fn change(
    server: &Server,
    jid: &BareJid,
    change: impl Fn(&mut StoredAccount),
) -> Result<(), AdminError> {
    if accounts::change(server.store(), jid, change).await? {
        return Ok(());
    }
    Err(absent(jid))
}

async fn list(server: Server, args: Arguments) -> Result<Value, AdminError> {
    let page = Page::of(&args);
    let wanted = args.optional("domain").map(|text| {
        let jid: Result<BareJid, _> = text.parse();
        jid.map_or_else(|_| text.to_owned(), |jid| jid.domain().to_owned())
    });
    let disabled = args.flag_given("disabled");
    let mut listed = Vec::new();
    let mut after = page.after.as_deref().map(Owner::account);
    while !page.is_over(listed.len()) {
        let owners = server.store().owners(&ACCOUNTS, after.as_ref(), OWNERS);
        let owners = owners.await?;
        let Some(last) = owners.last().cloned() else {
            break;
        };
        for owner in owners {
            let Ok(jid) = owner.name().parse::<BareJid>() else {
                continue;
            };
            let is_of_domain = wanted
                .as_deref()
                .is_none_or(|wanted| wanted == jid.domain());
            if !is_of_domain || page.is_over(listed.len()) {
                continue;
            }
            if let Some(account) = accounts::load(server.store(), &jid).await?
                && disabled.is_none_or(|disabled| disabled == account.disabled)
            {
                listed.push((jid.to_string(), shown(&jid, &account)));
            }
        }
        after = Some(last);
    }
    // Accounts of a domain that was served once are there still.
    match wanted {
        Some(domain) if listed.is_empty() && !server.serves(&domain) => {
            Err(not_served(&server, &domain))
        }
        _ => Ok(page.answer("accounts", listed)),
    }
}

async fn show(server: Server, args: Arguments) -> Result<Value, AdminError> {
    let jid = address(&server, &args)?;
    let account = existing(&server, &jid).await?;
    let owner = accounts::owner(&jid);
    let resources = resources(&server, &jid);
    let left = match resources.is_empty() {
        true => last::left_micros(&server, &owner).await?,
        false => None,
    };
    let mut shown = shown(&jid, &account);
    shown["login_micros"] = json!(logins::last_micros(&server, &owner).await?);
    shown["left_micros"] = json!(left);
    shown["resources"] = json!(resources);
    shown["contacts"] = json!(roster::size(&server, &owner).await?);
    Ok(shown)
}

async fn contacts(server: Server, args: Arguments) -> Result<Value, AdminError> {
    let page = Page::of(&args);
    let jid = address(&server, &args)?;
    existing(&server, &jid).await?;
    let all = roster::listed(&server, &accounts::owner(&jid)).await?;
    let entries = all.into_iter().filter_map(|(contact, stored)| {
        let key = contact.to_string();
        let item = stored.shown(contact);
        let entry = json!({
            "jid": key,
            "name": item.name,
            "subscription": item.subscription.map_or("none", Subscription::as_str),
            "asked": stored.pending_out,
            "groups": item.groups,
        });
        page.is_after(&key).then_some((key, entry))
    });
    let entries = entries.collect();
    Ok(page.answer("contacts", entries))
}

/// The resources of an account's sessions.
pub(crate) fn resources(server: &Server, jid: &BareJid) -> Vec<String> {
    let account = server.directory().known(jid);
    let sessions = account.map(|account| account.sessions());
    let sessions = sessions.into_iter().flatten();
    let mut found: Vec<String> = sessions
        .map(|session| session.jid.resource().to_owned())
        .collect();
    found.sort_unstable();
    found
}

fn shown(jid: &BareJid, account: &StoredAccount) -> Value {
    json!({
        "jid": jid.to_string(),
        "role": account.role().name(),
        "disabled": account.disabled,
        "created_micros": account.created_micros,
    })
}

fn switch(
    server: Server,
    args: Arguments,
    disabled: bool,
) -> BoxFuture<'static, Result<Value, AdminError>> {
    async move {
        let jid = address(&server, &args)?;
        change(&server, &jid, |account| account.disabled = disabled).await?;
        if disabled {
            end_sessions(&server, &jid);
        }
        Ok(json!({ "jid": jid.to_string(), "disabled": disabled }))
    }
    .boxed()
}
