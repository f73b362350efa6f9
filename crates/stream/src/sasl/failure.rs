//! SASL errors: [RFC 6120 §6.5](https://www.rfc-editor.org/rfc/rfc6120#section-6.5).

/// Why a log-in failed, as told to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("log-in failed: {}", self.name())]
pub enum Failure {
    /// The client gave up with `<abort/>`.
    Aborted,
    /// The password is right, but an administrator has disabled the account.
    AccountDisabled,
    /// The password is right, but may no longer be used.
    CredentialsExpired,
    /// The mechanism needs TLS first.
    EncryptionRequired,
    /// Not strict base64 (RFC 4648 §4).
    IncorrectEncoding,
    /// The client wants to act as somebody else than it logs in as.
    InvalidAuthzid,
    /// No mechanism named, or one that is unknown or was not offered.
    InvalidMechanism,
    /// The mechanism's syntax was violated.
    MalformedRequest,
    /// A mechanism that exists, but that policy here does not allow.
    MechanismTooWeak,
    /// Wrong password, no such account: deliberately one condition for both.
    NotAuthorized,
    /// Nothing is wrong with the credentials; the server could not check them now.
    TemporaryAuthFailure,
}

impl Failure {
    /// Every condition.
    pub const ALL: [Failure; 11] = [
        Failure::Aborted,
        Failure::AccountDisabled,
        Failure::CredentialsExpired,
        Failure::EncryptionRequired,
        Failure::IncorrectEncoding,
        Failure::InvalidAuthzid,
        Failure::InvalidMechanism,
        Failure::MalformedRequest,
        Failure::MechanismTooWeak,
        Failure::NotAuthorized,
        Failure::TemporaryAuthFailure,
    ];

    /// Name of the element in `<failure/>`.
    pub const fn name(self) -> &'static str {
        match self {
            Failure::Aborted => "aborted",
            Failure::AccountDisabled => "account-disabled",
            Failure::CredentialsExpired => "credentials-expired",
            Failure::EncryptionRequired => "encryption-required",
            Failure::IncorrectEncoding => "incorrect-encoding",
            Failure::InvalidAuthzid => "invalid-authzid",
            Failure::InvalidMechanism => "invalid-mechanism",
            Failure::MalformedRequest => "malformed-request",
            Failure::MechanismTooWeak => "mechanism-too-weak",
            Failure::NotAuthorized => "not-authorized",
            Failure::TemporaryAuthFailure => "temporary-auth-failure",
        }
    }

    /// The condition of that name.
    pub fn from_name(name: &str) -> Option<Failure> {
        Failure::ALL
            .into_iter()
            .find(|failure| failure.name() == name)
    }
}
