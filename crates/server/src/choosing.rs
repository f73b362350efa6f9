//! Which names and passwords people may choose for themselves. What an admin sets is not asked here.

use waxwing_stanza::BareJid;
use waxwing_stream::sasl::Password;

use crate::accounts::AccountError;
use crate::options::{OptionDefault, OptionSpec};
use crate::server::Server;

/// Names that nobody gets by asking for them.
pub const KEPT_NAMES: OptionSpec = OptionSpec {
    name: "kept_names",
    default: OptionDefault::Names(&[
        "abuse",
        "admin",
        "administrator",
        "ftp",
        "hostmaster",
        "info",
        "marketing",
        "news",
        "noc",
        "postmaster",
        "root",
        "sales",
        "security",
        "support",
        "usenet",
        "uucp",
        "webmaster",
        "www",
        "xmpp",
    ]),
    unit: "",
    doc: "Names of accounts that nobody chooses for themselves, in band or by an invitation that leaves the choice: people write to them as to whoever runs the domain (RFC 2142). Admins may still make them.",
};

/// Shortest password that somebody chooses.
pub const PASSWORD_CHARS: OptionSpec = OptionSpec {
    name: "password_chars_min",
    default: OptionDefault::Number {
        value: 8,
        min: 1,
        max: 128,
    },
    unit: "characters",
    doc: "Shortest password that somebody may choose in band or in the form of an invitation; what an admin sets may be shorter.",
};

/// Whether somebody may choose this name for themselves.
pub(crate) fn check_name(server: &Server, jid: &BareJid) -> Result<(), AccountError> {
    let options = server.options_of(jid.domain());
    let mut kept = options.texts(&KEPT_NAMES).iter();
    match kept.any(|name| jid.node() == Some(name)) {
        true => Err(AccountError::Kept),
        false => Ok(()),
    }
}

/// Whether somebody may choose this password for themselves, as far as its length goes.
pub(crate) fn check_password(
    server: &Server,
    domain: &str,
    password: &str,
) -> Result<(), AccountError> {
    let least = chars_min(server, domain);
    // Several ways to type it are one, and characters that nobody sees are none. What it cannot be is said by whoever sets it.
    match Password::prepare(password) {
        Ok(password) if (password.chars() as u64) < least => Err(AccountError::Short(least)),
        _ => Ok(()),
    }
}

/// How many characters a password of a domain needs.
pub fn chars_min(server: &Server, domain: &str) -> u64 {
    server.options_of(domain).number(&PASSWORD_CHARS)
}
