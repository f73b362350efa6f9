//! What an admin of one domain may do by commands.
//!
//! Commands say of each argument what it is, so nothing has to be said of domains by each of them: whatever names an address
//! or a domain must be of the one that is looked after, and nobody makes, changes or shuts out an account that may do more
//! than that.

use serde_json::{Map, Value};
use waxwing_stanza::{BareJid, Jid};

use super::{Access, AdminError, Command, Kind};
use crate::accounts::{self, Role};
use crate::server::Server;

/// Has a command concern one domain, or refuses it. Operators may do there whatever they may.
pub(super) async fn bind(
    server: &Server,
    command: &Command,
    (domain, role): (&str, Role),
    args: &mut Map<String, Value>,
) -> Result<(), AdminError> {
    if !server.serves(domain) {
        let text = format!("the domain '{domain}' is not served any more");
        return Err(AdminError::Elsewhere(text));
    }
    let is_operator = role == Role::Operator;
    if !command.is_of_domains() && !is_operator {
        let text = format!("'{}' is about the server, not about a domain", command.name);
        return Err(AdminError::Forbidden(text));
    }
    for argument in command.arguments {
        let given = args.get(argument.name).and_then(Value::as_str);
        match (argument.kind, given) {
            (Kind::Domain, None) => {
                args.insert(argument.name.to_owned(), Value::from(domain));
            }
            (Kind::Domain, Some(text)) => {
                let jid = text.parse::<BareJid>().ok();
                let is_own = jid.is_some_and(|jid| jid.node().is_none() && jid.domain() == domain);
                own(is_own, argument.name, domain)?;
            }
            (Kind::Account | Kind::Address | Kind::Name, Some(text)) => {
                if argument.kind == Kind::Name && !text.contains('@') {
                    continue;
                }
                let jid = text.parse::<Jid>().ok();
                let is_own = jid.as_ref().is_some_and(|jid| jid.domain() == domain);
                own(is_own, argument.name, domain)?;
                let changed = jid.filter(|_| !is_operator);
                if let (Some(jid), Access::Changes(_)) = (changed, command.access) {
                    is_no_operator(server, &jid.bare()).await?;
                }
            }
            (Kind::Role, Some(name))
                if Role::named(name) == Some(Role::Operator) && !is_operator =>
            {
                let text = "only who looks after the whole server makes an operator";
                return Err(AdminError::Forbidden(text.to_owned()));
            }
            _ => {}
        }
    }
    Ok(())
}

fn own(is_own: bool, name: &str, domain: &str) -> Result<(), AdminError> {
    match is_own {
        true => Ok(()),
        false => Err(AdminError::Elsewhere(format!(
            "the argument '{name}' is not of the domain '{domain}'"
        ))),
    }
}

async fn is_no_operator(server: &Server, jid: &BareJid) -> Result<(), AdminError> {
    let stored = accounts::load(server.store(), jid).await?;
    if stored.is_some_and(|account| account.role() == Role::Operator) {
        return Err(AdminError::Forbidden(format!("'{jid}' is an operator")));
    }
    Ok(())
}
