//! The admin commands `account …`.

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use waxwing_stanza::BareJid;
use waxwing_store::StoreError;
use waxwing_stream::StreamCondition;

use crate::accounts::{self, Role, StoredAccount};
use crate::admin::{AdminError, Argument, Arguments, Command};
use crate::blocking::BlockList;
use crate::server::Server;
use crate::xep::xep_0077_registration as registration;

const JID: Argument = Argument {
    name: "jid",
    doc: "The account's address, user@domain.",
    required: true,
    secret: false,
};
const PASSWORD: Argument = Argument {
    name: "password",
    doc: "The new password.",
    required: true,
    secret: true,
};
const ROLE: Argument = Argument {
    name: "role",
    doc: "member (default), restricted, admin or operator.",
    required: false,
    secret: false,
};
const DOMAIN: Argument = Argument {
    name: "domain",
    doc: "Only accounts of this domain.",
    required: false,
    secret: false,
};

const REUSE: Argument = Argument {
    name: "reuse",
    doc: "yes: even if the name belonged to an account that was removed, whose contacts may take this for it.",
    required: false,
    secret: false,
};

/// Accounts listed at most by one command.
const LIST_MAX: usize = 100_000;

/// The commands.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "account add",
        doc: "Makes an account.",
        arguments: &[JID, PASSWORD, ROLE, REUSE],
        run: |s, a| add(s, a).boxed(),
    },
    Command {
        name: "account remove",
        doc: "Removes an account with everything it stores, and ends its sessions.",
        arguments: &[JID],
        run: |s, a| remove(s, a).boxed(),
    },
    Command {
        name: "account passwd",
        doc: "Sets an account's password and ends its sessions.",
        arguments: &[JID, PASSWORD],
        run: |s, a| passwd(s, a).boxed(),
    },
    Command {
        name: "account list",
        doc: "Lists accounts.",
        arguments: &[DOMAIN],
        run: |s, a| list(s, a).boxed(),
    },
    Command {
        name: "account disable",
        doc: "Forbids log-in and ends the account's sessions; nothing is removed.",
        arguments: &[JID],
        run: |s, a| switch(s, a, true),
    },
    Command {
        name: "account enable",
        doc: "Allows log-in again.",
        arguments: &[JID],
        run: |s, a| switch(s, a, false),
    },
];

/// Reads and checks the account's address.
fn address(server: &Server, args: &Arguments) -> Result<BareJid, AdminError> {
    let text = args.text("jid")?;
    let jid: BareJid = text
        .parse()
        .map_err(|error| AdminError::Refused(format!("'{text}' is not an address: {error}")))?;
    if jid.node().is_none() {
        return Err(AdminError::Refused(format!(
            "'{text}' has no user part; an address looks like alice@{}",
            jid.domain()
        )));
    }
    if !server.serves(jid.domain()) {
        let served = server.domains().join(", ");
        return Err(AdminError::Refused(format!(
            "this server does not serve '{}'; it serves: {served}",
            jid.domain()
        )));
    }
    Ok(jid)
}

async fn existing(server: &Server, jid: &BareJid) -> Result<StoredAccount, AdminError> {
    accounts::load(server.store(), jid)
        .await?
        .ok_or_else(|| AdminError::Refused(format!("there is no account '{jid}'")))
}

async fn add(server: Server, args: Arguments) -> Result<Value, AdminError> {
    let jid = address(&server, &args)?;
    let name = args.optional("role").unwrap_or("member");
    let role = Role::NAMES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, role)| *role)
        .ok_or_else(|| {
            AdminError::Refused(format!(
                "'{name}' is no role; roles are member, restricted, admin, operator"
            ))
        })?;
    let reuse = args.optional("reuse") == Some("yes");
    match accounts::create(&server, &jid, args.text("password")?, role, reuse).await {
        Ok(()) => Ok(json!({ "jid": jid.to_string(), "role": role.name() })),
        Err(error) => Err(refused(&jid, &error)),
    }
}

/// What an operator reads when an account cannot be made or changed.
fn refused(jid: &BareJid, error: &accounts::AccountError) -> AdminError {
    use accounts::AccountError;
    match error {
        AccountError::Exists => AdminError::Refused(format!("the account '{jid}' exists already")),
        AccountError::Removed => AdminError::Refused(format!(
            "'{jid}' belonged to an account that was removed; its contacts may take a new one for the old. --reuse makes it all the same"
        )),
        AccountError::Name => AdminError::Refused(format!(
            "'{jid}' cannot be an account: newer software would read the name differently (RFC 7622 §3.3)"
        )),
        AccountError::Password => AdminError::Refused("this password cannot be used: it is empty or has characters that SASLprep forbids (RFC 4013)".to_owned()),
        AccountError::Store(error) => AdminError::Failed(format!("the store failed: {error}")),
        AccountError::Stopped => AdminError::Failed("the server is stopping".to_owned()),
    }
}

fn end_sessions(server: &Server, jid: &BareJid) {
    for session in server.directory().forget(jid) {
        session.kick(StreamCondition::NotAuthorized.into());
        crate::lifecycle::end(server, &session);
    }
}

async fn remove(server: Server, args: Arguments) -> Result<Value, AdminError> {
    let jid = address(&server, &args)?;
    existing(&server, &jid).await?;
    let account = server.directory().note(&jid, BlockList::default());
    let effects = registration::removal(&server, &account)
        .await
        .map_err(|error| {
            AdminError::Failed(format!("its roster was not read: {:?}", error.condition))
        })?;
    let commit = server.store().commit(effects.batch);
    drop(effects.exclusive);
    commit.await?;
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

async fn list(server: Server, args: Arguments) -> Result<Value, AdminError> {
    let mut listed = Vec::new();
    for (jid, account) in accounts::all(server.store(), LIST_MAX).await? {
        if args
            .optional("domain")
            .is_none_or(|domain| domain == jid.domain())
        {
            listed.push(json!({
                "jid": jid.to_string(),
                "role": account.role().name(),
                "disabled": account.disabled,
                "created_micros": account.created_micros,
            }));
        }
    }
    Ok(json!({ "accounts": listed }))
}

fn switch(
    server: Server,
    args: Arguments,
    disabled: bool,
) -> BoxFuture<'static, Result<Value, AdminError>> {
    async move {
        let jid = address(&server, &args)?;
        let mut account = existing(&server, &jid).await?;
        account.disabled = disabled;
        let mut batch = waxwing_store::Batch::new();
        accounts::save(&mut batch, &jid, &account);
        server
            .store()
            .commit(batch)
            .await
            .map_err(|error: StoreError| AdminError::from(error))?;
        if disabled {
            end_sessions(&server, &jid);
        }
        Ok(json!({ "jid": jid.to_string(), "disabled": disabled }))
    }
    .boxed()
}
