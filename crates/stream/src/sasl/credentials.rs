//! What a server keeps of a password, and what it pretends to keep for accounts that do not exist.

use std::fmt;

use super::hash::{Hash, Secret};
use super::password::Password;
use crate::seed::Seed;

/// Bytes of a salt that we make.
pub const SALT_BYTES: usize = 16;
/// Longest salt in bytes that we keep or accept, of imported accounts and of other servers.
pub const SALT_BYTES_MAX: usize = 256;
/// Rounds of PBKDF2 for new passwords. With SCRAM it is the client that computes them at every first
/// log-in, on a telephone too; more than RFC 7677's 4096 and no more than a blink there.
pub const ITERATIONS: u32 = 10_000;

/// What a server keeps of a password for one SCRAM hash (RFC 5802 §3): enough to check a proof and
/// to prove itself, not enough to log in anywhere.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramKeys {
    hash: Hash,
    salt: Vec<u8>,
    iterations: u32,
    stored_key: Secret,
    server_key: Secret,
}

/// Why stored values make no [`ScramKeys`]: the caller's storage is damaged, or an import wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// The salt is empty or longer than [`SALT_BYTES_MAX`].
    #[error("the salt has {0} bytes")]
    Salt(usize),
    /// No iterations.
    #[error("the iteration count is zero")]
    Iterations,
    /// A key is not as long as the output of the hash.
    #[error("a key has {0} bytes")]
    KeyLength(usize),
}

impl ScramKeys {
    /// Stretches a password: as slow as `iterations` says.
    pub fn derive(hash: Hash, password: &Password, salt: &[u8], iterations: u32) -> ScramKeys {
        let salted = hash.stretch(password.bytes(), salt, iterations);
        ScramKeys::from_salted(hash, &salted, salt, iterations)
    }

    /// From a password that was stretched elsewhere.
    pub(crate) fn from_salted(
        hash: Hash,
        salted: &Secret,
        salt: &[u8],
        iterations: u32,
    ) -> ScramKeys {
        ScramKeys {
            hash,
            salt: salt.to_vec(),
            iterations,
            stored_key: stored_key(hash, salted),
            server_key: server_key(hash, salted),
        }
    }

    /// From what was stored.
    ///
    /// # Errors
    ///
    /// [`KeysError`] when the parts do not fit `hash` or each other.
    pub fn from_parts(
        hash: Hash,
        salt: &[u8],
        iterations: u32,
        stored_key: &[u8],
        server_key: &[u8],
    ) -> Result<ScramKeys, KeysError> {
        if salt.is_empty() || salt.len() > SALT_BYTES_MAX {
            return Err(KeysError::Salt(salt.len()));
        }
        if iterations == 0 {
            return Err(KeysError::Iterations);
        }
        for key in [stored_key, server_key] {
            if key.len() != hash.output_bytes() {
                return Err(KeysError::KeyLength(key.len()));
            }
        }
        Ok(ScramKeys {
            hash,
            salt: salt.to_vec(),
            iterations,
            stored_key: Secret::copy(stored_key),
            server_key: Secret::copy(server_key),
        })
    }

    /// The hash that these keys are for.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The salt, as raw bytes.
    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// Rounds of PBKDF2.
    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    /// `StoredKey`, for the store; with it alone a password can be searched, so it is a secret.
    pub fn stored_key(&self) -> &[u8] {
        self.stored_key.bytes()
    }

    /// `ServerKey`, for the store; with it anyone can play the server.
    pub fn server_key(&self) -> &[u8] {
        self.server_key.bytes()
    }

    pub(crate) fn fits_stored_key(&self, other: &[u8]) -> bool {
        self.stored_key.equals(other).into()
    }
}

impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramKeys")
            .field("hash", &self.hash)
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}

/// `StoredKey := H(HMAC(SaltedPassword, "Client Key"))`.
pub(crate) fn stored_key(hash: Hash, salted: &Secret) -> Secret {
    hash.digest(client_key(hash, salted).bytes())
}

/// `ClientKey := HMAC(SaltedPassword, "Client Key")`.
pub(crate) fn client_key(hash: Hash, salted: &Secret) -> Secret {
    hash.hmac(salted.bytes(), &[b"Client Key"])
}

/// `ServerKey := HMAC(SaltedPassword, "Server Key")`.
pub(crate) fn server_key(hash: Hash, salted: &Secret) -> Secret {
    hash.hmac(salted.bytes(), &[b"Server Key"])
}

/// All that a server keeps of one account's password: keys for each hash that it can offer.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Credentials {
    keys: Vec<ScramKeys>,
}

impl Credentials {
    /// Derives the keys of every hash from a new password, with a salt for each from `seed`.
    /// Slow: three times `iterations` rounds.
    pub fn derive(password: &Password, seed: &mut Seed, iterations: u32) -> Credentials {
        let keys = Hash::ALL.map(|hash| {
            let mut salt = [0; SALT_BYTES];
            seed.fill(&mut salt);
            ScramKeys::derive(hash, password, &salt, iterations)
        });
        Credentials { keys: keys.into() }
    }

    /// From stored keys; of two for the same hash the last counts.
    pub fn new(keys: impl IntoIterator<Item = ScramKeys>) -> Credentials {
        let mut credentials = Credentials::default();
        for each in keys {
            credentials.keys.retain(|kept| kept.hash != each.hash);
            credentials.keys.push(each);
        }
        credentials
    }

    /// The keys of every hash, for the store.
    pub fn keys(&self) -> &[ScramKeys] {
        &self.keys
    }

    /// The keys of one hash; an imported account may lack them.
    pub fn for_hash(&self, hash: Hash) -> Option<&ScramKeys> {
        self.keys.iter().find(|keys| keys.hash == hash)
    }

    /// The keys of the strongest hash there is.
    pub(crate) fn strongest(&self) -> Option<&ScramKeys> {
        self.keys.iter().max_by_key(|keys| keys.hash)
    }

    /// Whether `password` is the one these were derived from. Slow, and in constant time for the
    /// right and the wrong password.
    pub fn accepts(&self, password: &Password) -> bool {
        self.strongest().is_some_and(|keys| {
            let salted = keys
                .hash
                .stretch(password.bytes(), &keys.salt, keys.iterations);
            keys.fits_stored_key(stored_key(keys.hash, &salted).bytes())
        })
    }
}

/// The source of keys for accounts that do not exist, so that nobody learns from a challenge which
/// accounts do: the same account always shows the same salt, for as long as the key is the same.
#[derive(Clone)]
pub struct FakeSalts {
    key: Secret,
    /// Of all of them: nobody is ever shown what comes of these.
    stored_key: Secret,
    server_key: Secret,
    iterations: u32,
}

impl FakeSalts {
    /// `key` is secret and kept over restarts; `iterations` is what real accounts have.
    pub fn new(key: [u8; 32], iterations: u32) -> FakeSalts {
        let made = |label: &[u8]| Hash::Sha512.hmac(&key, &[label]);
        FakeSalts {
            stored_key: made(b"stored"),
            server_key: made(b"server"),
            key: Secret::copy(&key),
            iterations,
        }
    }

    /// Keys that no password opens, with a salt that is always the same for the same account and hash.
    pub(crate) fn keys(&self, account: &str, hash: Hash) -> ScramKeys {
        let name = [hash.output_bytes() as u8];
        let salt: [&[u8]; 3] = [b"salt", &name, account.as_bytes()];
        let salt = Hash::Sha512.hmac(self.key.bytes(), &salt);
        let part = |key: &Secret| Secret::copy(&key.bytes()[..hash.output_bytes()]);
        ScramKeys {
            hash,
            salt: salt.bytes()[..SALT_BYTES].to_vec(),
            iterations: self.iterations,
            stored_key: part(&self.stored_key),
            server_key: part(&self.server_key),
        }
    }
}

impl fmt::Debug for FakeSalts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[fake salts, key hidden]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::prepare(text).unwrap()
    }

    #[test]
    fn accepts_the_password_it_was_derived_from() {
        let credentials = Credentials::derive(&password("pencil"), &mut Seed::new([7; 32]), 10);
        assert!(credentials.accepts(&password("pencil")));
        assert!(!credentials.accepts(&password("Pencil")));
        assert!(!Credentials::default().accepts(&password("pencil")));
        let salts: Vec<_> = credentials.keys().iter().map(ScramKeys::salt).collect();
        assert_eq!(salts.len(), 3);
        assert!(salts[0] != salts[1] && salts[1] != salts[2] && salts[0] != salts[2]);
    }

    #[test]
    fn returns_from_its_stored_parts() {
        let credentials = Credentials::derive(&password("pencil"), &mut Seed::new([7; 32]), 10);
        let again = Credentials::new(credentials.keys().iter().map(|keys| {
            ScramKeys::from_parts(
                keys.hash(),
                keys.salt(),
                keys.iterations(),
                keys.stored_key(),
                keys.server_key(),
            )
            .unwrap()
        }));
        assert_eq!(again, credentials);
    }

    #[test]
    fn refuses_damaged_parts() {
        let refuse = |salt: &[u8], iterations, stored: &[u8]| {
            ScramKeys::from_parts(Hash::Sha1, salt, iterations, stored, &[0; 20]).err()
        };
        assert_eq!(refuse(b"", 1, &[0; 20]), Some(KeysError::Salt(0)));
        assert_eq!(refuse(&[0; 257], 1, &[0; 20]), Some(KeysError::Salt(257)));
        assert_eq!(refuse(b"salt", 0, &[0; 20]), Some(KeysError::Iterations));
        assert_eq!(refuse(b"salt", 1, &[0; 32]), Some(KeysError::KeyLength(32)));
        assert_eq!(refuse(b"salt", 1, &[0; 20]), None);
    }

    #[test]
    fn fakes_are_steady_and_differ_by_account_and_hash() {
        let fake = FakeSalts::new([3; 32], 99);
        for hash in Hash::ALL {
            let keys = fake.keys("alice@example.org", hash);
            assert_eq!(keys, fake.keys("alice@example.org", hash));
            assert_ne!(keys.salt(), fake.keys("bob@example.org", hash).salt());
            assert_eq!(keys.stored_key().len(), hash.output_bytes());
            assert_eq!(keys.salt().len(), SALT_BYTES);
            assert_eq!(keys.iterations(), 99);
        }
        let salt = |hash| fake.keys("alice@example.org", hash).salt().to_vec();
        assert_ne!(salt(Hash::Sha1), salt(Hash::Sha256));
        assert_ne!(salt(Hash::Sha256), salt(Hash::Sha512));
        let other = FakeSalts::new([4; 32], 99);
        assert_ne!(
            salt(Hash::Sha1),
            other.keys("alice@example.org", Hash::Sha1).salt()
        );
    }

    #[test]
    fn nothing_secret_is_printed() {
        let keys = ScramKeys::derive(Hash::Sha1, &password("pencil"), b"salt", 1);
        let shown = format!("{keys:?} {:?}", FakeSalts::new([3; 32], 1));
        assert_eq!(
            shown,
            "ScramKeys { hash: Sha1, iterations: 1, .. } [fake salts, key hidden]"
        );
    }
}
