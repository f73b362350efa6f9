//! ANONYMOUS, the server's side: [RFC 4505](https://www.rfc-editor.org/rfc/rfc4505),
//! [XEP-0175](https://xmpp.org/extensions/xep-0175.html).

use super::credentials::FakeSalts;
use super::exchange::{Account, ServerExchange, Step};
use super::failure::Failure;

/// Most characters of what a client says of itself (RFC 4505 §2); it is used for nothing.
const TRACE_CHARS_MAX: usize = 255;

/// One log-in, as a guest of this name.
pub(crate) struct AnonymousServer {
    name: Option<String>,
}

impl AnonymousServer {
    pub(crate) fn new(name: String) -> AnonymousServer {
        AnonymousServer { name: Some(name) }
    }
}

impl ServerExchange for AnonymousServer {
    fn receive(&mut self, message: &[u8]) -> Result<Step, Failure> {
        let trace = std::str::from_utf8(message).map_err(|_| Failure::MalformedRequest)?;
        if trace.chars().count() > TRACE_CHARS_MAX {
            return Err(Failure::MalformedRequest);
        }
        let user = self.name.take().ok_or(Failure::MalformedRequest)?;
        Ok(Step::Account {
            user,
            authzid: None,
        })
    }

    fn account(&mut self, _: &str, account: Account, _: &FakeSalts) -> Result<Step, Failure> {
        match account {
            Account::Active(_) => Ok(Step::Success(None)),
            Account::Unavailable => Err(Failure::TemporaryAuthFailure),
            Account::Missing | Account::Disabled(_) | Account::Expired(_) => {
                Err(Failure::NotAuthorized)
            }
        }
    }
}
