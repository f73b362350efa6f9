//! What every mechanism is, on either side: messages in, messages out.

use super::credentials::{Credentials, FakeSalts, ScramKeys};
use super::failure::Failure;
use super::hash::Hash;
use super::stretch::{Stretch, Stretched};

/// What the server's storage knows of the account that somebody wants to log in to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Account {
    /// There is none. The log-in goes on with fake salts and the same work, and fails at its end.
    Missing,
    /// One that may log in.
    Active(Credentials),
    /// One that an administrator has disabled: who knows the password is told so, nobody else.
    Disabled(Credentials),
    /// One whose password has to be changed by other means first: told likewise.
    Expired(Credentials),
    /// The storage could not say.
    Unavailable,
}

impl From<Option<Credentials>> for Account {
    fn from(credentials: Option<Credentials>) -> Account {
        credentials.map_or(Account::Missing, Account::Active)
    }
}

impl Account {
    fn credentials(&self) -> Option<&Credentials> {
        match self {
            Account::Missing | Account::Unavailable => None,
            Account::Active(credentials)
            | Account::Disabled(credentials)
            | Account::Expired(credentials) => Some(credentials),
        }
    }

    /// Whether keys of this hash could be added: the account may log in and has none.
    pub(crate) fn lacks(&self, hash: Hash) -> bool {
        match self {
            Account::Active(credentials) => credentials.for_hash(hash).is_none(),
            _ => false,
        }
    }

    /// `hash`, or the strongest that the account has keys for where it has none for `hash`.
    pub(crate) fn hash_or_strongest(&self, hash: Hash) -> Hash {
        self.credentials()
            .filter(|credentials| credentials.for_hash(hash).is_none())
            .and_then(Credentials::strongest)
            .map_or(hash, ScramKeys::hash)
    }

    /// The keys to check against, real or fake, and the outcome for who passes the check. Fakes are
    /// computed for every account: work tells nothing.
    pub(crate) fn keys(self, hash: Hash, name: &str, fake: &FakeSalts) -> Result<Keys, Failure> {
        let fake = fake.keys(name, hash);
        let real = self
            .credentials()
            .and_then(|credentials| credentials.for_hash(hash))
            .cloned();
        let verdict = match (&self, &real) {
            (Account::Unavailable, _) => return Err(Failure::TemporaryAuthFailure),
            (Account::Missing, _) | (_, None) => Err(Failure::NotAuthorized),
            (Account::Active(_), Some(_)) => Ok(()),
            (Account::Disabled(_), Some(_)) => Err(Failure::AccountDisabled),
            (Account::Expired(_), Some(_)) => Err(Failure::CredentialsExpired),
        };
        Ok(Keys {
            keys: real.unwrap_or(fake),
            verdict,
        })
    }
}

/// Keys to check a proof against, and what it means to pass.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) keys: ScramKeys,
    pub(crate) verdict: Result<(), Failure>,
}

/// What a mechanism on the server wants next.
#[derive(Debug)]
pub(crate) enum Step {
    /// Send this challenge.
    Challenge(Vec<u8>),
    /// Look up the account of this user, who wants to act as `authzid`.
    Account {
        user: String,
        authzid: Option<String>,
    },
    /// Do this work.
    Stretch(Stretch),
    /// Logged in; send this with the success.
    Success(Option<Vec<u8>>),
}

/// One log-in by one mechanism, on the server.
pub(crate) trait ServerExchange: Send {
    /// A message of the client.
    fn receive(&mut self, message: &[u8]) -> Result<Step, Failure>;

    /// The account that was looked up, under its prepared `name`.
    fn account(&mut self, name: &str, account: Account, fake: &FakeSalts) -> Result<Step, Failure>;

    /// The work that was done.
    fn stretched(&mut self, _: Stretched) -> Result<Step, Failure> {
        Err(Failure::MalformedRequest)
    }
}

/// What a mechanism on the client wants next.
#[derive(Debug)]
pub(crate) enum ClientStep {
    /// Send this response.
    Response(Vec<u8>),
    /// Do this work.
    Stretch(Stretch),
}

/// Why a client gives up a log-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SaslError {
    /// The server violated the mechanism's syntax or order.
    #[error("the server broke the rules of the log-in mechanism")]
    Malformed,
    /// The server asks for fewer rounds than are safe: it, or somebody between, wants the password.
    #[error("the server asks for only {0} rounds, too few to protect the password")]
    IterationsTooFew(u32),
    /// The server asks for more rounds than this device should have to compute.
    #[error("the server asks for {0} rounds, more than is bearable")]
    IterationsTooMany(u32),
    /// What the server offered is not what arrived (XEP-0474): somebody is between.
    #[error("the server's offer was changed on its way here")]
    Downgraded,
    /// The server's TLS is of another version than ours (XEP-0515): somebody is between.
    #[error("the server's TLS is not the one that ends here")]
    OtherTls,
    /// The server could not prove that it knows the password.
    #[error("the server could not prove that it knows the account's password")]
    ServerUnproven,
}

/// One log-in by one mechanism, on the client.
pub(crate) trait ClientExchange: Send {
    /// The initial response.
    fn start(&mut self) -> Vec<u8>;

    /// A challenge of the server.
    fn challenge(&mut self, message: &[u8]) -> Result<ClientStep, SaslError>;

    /// The work that was done: the response that it made possible.
    fn stretched(&mut self, _: Stretched) -> Result<Vec<u8>, SaslError> {
        Err(SaslError::Malformed)
    }

    /// The server says that we are logged in; is it the one that it should be?
    fn success(&mut self, data: Option<&[u8]>) -> Result<(), SaslError>;
}
