//! PLAIN: [RFC 4616](https://www.rfc-editor.org/rfc/rfc4616).

use super::credentials::{FakeSalts, stored_key};
use super::exchange::{Account, ClientExchange, ClientStep, Keys, SaslError, ServerExchange, Step};
use super::failure::Failure;
use super::hash::Hash;
use super::password::Password;
use super::scram::MESSAGE_BYTES_MAX;
use super::stretch::{Stretch, Stretched};

/// Hash that a plain password is checked with, for real and for missing accounts; an imported account
/// that lacks it is checked with what it has.
const CHECKED_WITH: Hash = Hash::Sha256;

/// The server's side.
#[derive(Default)]
pub(crate) struct PlainServer {
    password: Option<Password>,
    keys: Option<Keys>,
}

impl ServerExchange for PlainServer {
    fn receive(&mut self, message: &[u8]) -> Result<Step, Failure> {
        if message.len() > MESSAGE_BYTES_MAX || self.password.is_some() {
            return Err(Failure::MalformedRequest);
        }
        let text = std::str::from_utf8(message).map_err(|_| Failure::MalformedRequest)?;
        let mut parts = text.split('\0');
        let (Some(authzid), Some(user), Some(password), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Failure::MalformedRequest);
        };
        if user.is_empty() || password.is_empty() {
            return Err(Failure::MalformedRequest);
        }
        // What SASLprep refuses was never set as a password.
        self.password = Some(Password::prepare(password).map_err(|_| Failure::NotAuthorized)?);
        let authzid = (!authzid.is_empty()).then(|| authzid.to_owned());
        Ok(Step::Account {
            user: user.to_owned(),
            authzid,
        })
    }

    fn account(&mut self, name: &str, account: Account, fake: &FakeSalts) -> Result<Step, Failure> {
        let hash = account.hash_or_strongest(CHECKED_WITH);
        let Keys { keys, verdict } = account.keys(hash, name, fake)?;
        let password = self.password.clone().ok_or(Failure::MalformedRequest)?;
        let stretch = Stretch {
            hash: keys.hash(),
            password,
            salt: keys.salt().to_vec(),
            iterations: keys.iterations(),
        };
        self.keys = Some(Keys { keys, verdict });
        Ok(Step::Stretch(stretch))
    }

    fn stretched(&mut self, Stretched(salted): Stretched) -> Result<Step, Failure> {
        let Keys { keys, verdict } = self.keys.take().ok_or(Failure::MalformedRequest)?;
        if !keys.fits_stored_key(stored_key(keys.hash(), &salted).bytes()) {
            return Err(Failure::NotAuthorized);
        }
        verdict.map(|()| Step::Success(None))
    }
}

/// The client's side: one message.
pub(crate) struct PlainClient {
    user: String,
    password: Password,
}

impl PlainClient {
    pub(crate) fn new(user: String, password: Password) -> PlainClient {
        PlainClient { user, password }
    }
}

impl ClientExchange for PlainClient {
    fn start(&mut self) -> Vec<u8> {
        format!("\0{}\0{}", self.user, self.password.text()).into_bytes()
    }

    fn challenge(&mut self, _: &[u8]) -> Result<ClientStep, SaslError> {
        Err(SaslError::Malformed)
    }

    fn success(&mut self, _: Option<&[u8]>) -> Result<(), SaslError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sasl::Credentials;
    use crate::seed::Seed;

    fn credentials() -> Credentials {
        let password = Password::prepare("pencil").unwrap();
        Credentials::derive(&password, &mut Seed::new([1; 32]), 10)
    }

    /// The outcome, and the rounds that it took to find it.
    fn login(message: &[u8], account: Account) -> (Result<(), Failure>, u32) {
        let mut server = PlainServer::default();
        let mut rounds = 0;
        let outcome = server
            .receive(message)
            .and_then(|_| server.account("user@example.org", account, &FakeSalts::new([2; 32], 10)))
            .and_then(|step| match step {
                Step::Stretch(stretch) => {
                    rounds = stretch.iterations();
                    server.stretched(stretch.run())
                }
                other => panic!("{other:?}"),
            })
            .map(|step| assert!(matches!(step, Step::Success(None))));
        (outcome, rounds)
    }

    #[test]
    fn checks_the_password_with_equal_work_for_every_account() {
        let right = b"\0user\0pencil";
        let wrong = b"\0user\0pencils";
        let table = [
            (&right[..], Account::Active(credentials()), Ok(())),
            (
                wrong,
                Account::Active(credentials()),
                Err(Failure::NotAuthorized),
            ),
            (right, Account::Missing, Err(Failure::NotAuthorized)),
            (
                right,
                Account::Active(Credentials::default()),
                Err(Failure::NotAuthorized),
            ),
            (
                right,
                Account::Disabled(credentials()),
                Err(Failure::AccountDisabled),
            ),
            (
                wrong,
                Account::Disabled(credentials()),
                Err(Failure::NotAuthorized),
            ),
            (
                right,
                Account::Expired(credentials()),
                Err(Failure::CredentialsExpired),
            ),
            (
                wrong,
                Account::Expired(credentials()),
                Err(Failure::NotAuthorized),
            ),
        ];
        for (message, account, expected) in table {
            assert_eq!(
                login(message, account.clone()),
                (expected, 10),
                "{account:?}"
            );
        }
        assert_eq!(
            login(right, Account::Unavailable).0,
            Err(Failure::TemporaryAuthFailure)
        );
    }

    #[test]
    fn refuses_wrong_messages() {
        let table: [(&[u8], Failure); 8] = [
            (b"", Failure::MalformedRequest),
            (b"user\0pencil", Failure::MalformedRequest),
            (b"\0user\0pencil\0", Failure::MalformedRequest),
            (b"\0\0pencil", Failure::MalformedRequest),
            (b"\0user\0", Failure::MalformedRequest),
            (b"\0user\0\xff", Failure::MalformedRequest),
            (b"\0user\0\x07", Failure::NotAuthorized),
            (&[b'x'; MESSAGE_BYTES_MAX + 1], Failure::MalformedRequest),
        ];
        for (message, expected) in table {
            let step = PlainServer::default().receive(message);
            assert_eq!(step.err(), Some(expected), "{message:?}");
        }
    }

    #[test]
    fn the_client_says_what_the_server_reads() {
        let password = Password::prepare("pencil").unwrap();
        let message = PlainClient::new("user".into(), password).start();
        assert_eq!(message, b"\0user\0pencil");
        let step = PlainServer::default()
            .receive(b"admin\0user\0pencil")
            .unwrap();
        let Step::Account { user, authzid } = step else {
            panic!("{step:?}")
        };
        assert_eq!((user.as_str(), authzid.as_deref()), ("user", Some("admin")));
    }
}
